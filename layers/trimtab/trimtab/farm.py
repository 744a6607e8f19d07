"""Farm: the composition root of a sweep on Lambda: what is put into S3, who plays it, what is gathered.

Below one prefix of a bucket lie `prices/<digest>.parquet`, `jobs/<digest>/job.json` with the batches of a
submission beside it, and of each cell `cells/<digest>.json` or, if it failed, `failed/<digest>.json`. Names
are digests of what they hold or stand for: whatever is put twice is the same.
"""

from __future__ import annotations

import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.adapters.sweep import Kept, prices_file, read_prices_file
from trimtab.core.record import canonical, digest, inputs_digest
from trimtab.errors import Halted, Misconfigured
from trimtab.sweep import Job, Swept, code_of, is_failure, player, swept
from trimtab.sweeping.cells import Cell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from trimtab.adapters.stepfunctions import StateMachine
    from trimtab.core.bars import Bars
    from trimtab.core.record import Document
    from trimtab.ports import Store
    from trimtab.sweep import Work

__all__ = ["Estimate", "Field", "demand_affordable", "estimate", "farmed", "play_batch"]

BATCH_S = 30.0
"""Seconds that a function should play: long beside its start, short beside its limit of 15 minutes."""
LARGEST_BATCH = 50
AT_ONCE = 200
"""Functions that play at a time: `MaxConcurrency` of the state machine."""
SLOWER = 1.5
"""How much longer a cell may take there than here, start and prices included."""
LONGEST_CELL_S = 300.0
POLL_S = 2.0
LISTING_SHARE = 10
"""How much longer than its listing took the next one waits: of a million results it takes minutes."""
READERS = 16
"""Threads that read results."""

# On demand, us-east-1; aws.amazon.com/lambda/pricing, /step-functions/pricing, /s3/pricing, November 2025.
USD_A_GB_SECOND = 0.0000166667
USD_A_CALL = 0.20 / 1e6
USD_A_TRANSITION = 25 / 1e6
USD_A_PUT, USD_A_GET = 0.005 / 1e3, 0.0004 / 1e3
TRANSITIONS = 4
"""Of a batch: the child's start, its task, its end, and room for a retry."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a submission would take: cells, cells a batch, seconds a cell there, and USD."""

    cells: int
    batch: int
    seconds: float
    usd: float

    @property
    def batches(self) -> int:
        """How many functions are called."""
        return math.ceil(self.cells / self.batch)


def estimate(cells: int, seconds: float, memory_mb: int) -> Estimate:
    """Estimate so many cells of which one took `seconds` here, with functions of so many MB.

    Raises:
        Misconfigured: one cell takes too long for a function.
    """
    there = seconds * SLOWER
    if there > LONGEST_CELL_S:
        raise Misconfigured(
            "cell_too_long",
            "a cell takes too long for Lambda, whose functions end after 15 minutes",
            seen=f"{seconds:.0f} s here",
            allowed=f"{LONGEST_CELL_S / SLOWER:.0f} s here",
            hint="shorten its windows, or sweep on a machine",
        )
    batch = max(1, min(LARGEST_BATCH, int(BATCH_S / max(there, 1e-3)), math.ceil(cells / AT_ONCE)))
    batches = math.ceil(cells / batch)
    time_usd = cells * there * memory_mb / 1024 * USD_A_GB_SECOND
    calls_usd = batches * (USD_A_CALL + TRANSITIONS * USD_A_TRANSITION + 2 * USD_A_GET)
    results_usd = cells * (USD_A_PUT + 2 * USD_A_GET)
    return Estimate(cells, batch, there, time_usd + calls_usd + results_usd)


def demand_affordable(found: Estimate, limit_usd: float) -> None:
    """Refuse what would cost more than its owner allows.

    Raises:
        Misconfigured: code `cost_limit`.
    """
    if found.usd > limit_usd:
        raise Misconfigured(
            "cost_limit",
            "the sweep would cost more than it may",
            seen=f"about {found.usd:,.2f} USD for {found.cells:,} cells of {found.seconds:.2f} s",
            allowed=f"{limit_usd:,.2f} USD",
            hint="raise --cost-limit, or sample the grid",
        )


# Here: submit, follow, gather


@dataclass(frozen=True, slots=True)
class Field:
    """Where a sweep is farmed: store and URL, machine, its functions' memory, what it may cost (USD)."""

    store: Store
    url: str
    machine: StateMachine
    memory_mb: int
    limit_usd: float
    patience_s: float = POLL_S


def farmed(
    work: Work,
    out: Path,
    field: Field,
    *,
    say: Callable[[str], None],
    progress: Callable[[float], None] = lambda _part: None,
) -> Swept:
    """Have the cells played that have no result yet, here or there, and give what came of all.

    One cell is played here first, to know how long one takes and what the rest will cost.

    Raises:
        Misconfigured: it would cost more than it may, or the kept results can't be used.
        Halted: AWS refuses something, or the execution failed as a whole.
        OSError: the store can't be read or written.
    """
    with Kept(out / "cells.db") as kept:
        known = kept.found(work.digests)
        fresh = _gathered(field.store, [name for name in work.digests if name not in known])
        kept.add(fresh)
        known |= fresh
        missing = [i for i, name in enumerate(work.digests) if name not in known]
        if missing:
            found = _submitted(work, missing, field, say, progress)
            kept.add({name: result for name, result in found.items() if not is_failure(result)})
            known |= found
    return swept(work, known, len(missing))


def _submitted(
    work: Work,
    missing: Sequence[int],
    field: Field,
    say: Callable[[str], None],
    progress: Callable[[float], None],
) -> dict[str, bytes]:
    """Play one cell here and the others there; give their results by digest, failures too."""
    began = time.monotonic()
    first = work.cells[missing[0]]
    found = {work.digests[missing[0]]: player(work.job, work.folder, work.bars.__getitem__).play(first)}
    costs = estimate(len(missing) - 1, time.monotonic() - began, field.memory_mb)
    demand_affordable(costs, field.limit_usd)
    if not costs.cells:
        return found
    say(f"{costs.cells:,} cells on AWS in {costs.batches:,} batches: about {costs.usd:,.2f} USD")
    execution = _started(work, missing[1:], costs, field)
    names = [work.digests[i] for i in missing[1:]]
    _followed(execution, names, field, progress)
    return found | _gathered(field.store, names, "failed") | _gathered(field.store, names)


def _started(work: Work, missing: Sequence[int], costs: Estimate, field: Field) -> str:
    """Put everything there that the functions need, and start the state machine."""
    store, job = field.store, work.job.document()
    there = set(store.list("prices/"))
    for name, bars in work.bars.items():
        key = f"prices/{work.job.prices[name]}.parquet"
        if key not in there:
            store.put_if_absent(key, prices_file(bars))
    folder = f"jobs/{digest(job)}"
    store.put_if_absent(f"{folder}/job.json", canonical(job))
    cells = [work.cells[i].document() for i in missing]
    batches = [{"cells": cells[i : i + costs.batch]} for i in range(0, len(cells), costs.batch)]
    tried = len(store.list(f"{folder}/")) - 1  # failed cells are submitted again under another name
    name = digest([batches, tried])
    store.put_if_absent(f"{folder}/{name}.json", canonical(batches))
    before = {f"failed/{work.digests[i]}.json" for i in missing}
    for key in before.intersection(store.list("failed/")):
        store.delete(key)
    bucket, _, prefix = field.url.removeprefix("s3://").partition("/")
    where = f"{prefix.rstrip('/')}/" if prefix else ""
    document = {
        "bucket": bucket,
        "batches": f"{where}{folder}/{name}.json",
        "runs": f"{where}{folder}/runs",
        "store": field.url,
        "job": f"{folder}/job.json",
    }
    return field.machine.start(name, canonical(document).decode())


def _followed(execution: str, names: Sequence[str], field: Field, progress: Callable[[float], None]) -> None:
    """Wait for the end of an execution; Ctrl-C stops it.

    Raises:
        Halted: it failed as a whole.
    """
    wanted = {f"cells/{name}.json" for name in names}
    try:
        while (now := field.machine.progress(execution)).status == "RUNNING":
            began = time.monotonic()
            progress(len(wanted.intersection(field.store.list("cells/"))) / len(wanted))
            time.sleep(max(field.patience_s, LISTING_SHARE * (time.monotonic() - began)))
    except KeyboardInterrupt:
        field.machine.stop(execution)
        raise
    if now.status != "SUCCEEDED":
        raise Halted(
            "execution_failed",
            f"the state machine ended otherwise than well: {now.status} {now.error}",
            seen=execution,
            allowed="SUCCEEDED",
            hint="the console shows why; what is finished is gathered the next time",
        )


def _gathered(store: Store, names: Sequence[str], folder: str = "cells") -> dict[str, bytes]:
    """Read the results of those names that have one."""
    if not names:
        return {}
    there = set(store.list(f"{folder}/"))
    keys = {name: key for name in names if (key := f"{folder}/{name}.json") in there}
    with ThreadPoolExecutor(READERS) as readers:
        found = list(readers.map(store.get, keys.values()))
    return {name: data for name, data in zip(keys, found, strict=True) if data is not None}


# There: who plays


def play_batch(store: Store, job_key: str, cells: Sequence[Document], farm: Farmhand) -> list[Document]:
    """Play the cells of a batch that have no result yet, put each one's result, and give those that failed.

    Raises:
        Misconfigured: the job is not there, or is of other code than this.
        OSError: the store can't be read or written.
    """
    job = farm.job(store, job_key)
    failed = []
    for document in cells:
        cell = Cell.of(document)
        name = job.digest(cell)
        if store.get(f"cells/{name}.json") is not None:
            continue
        result = farm.play(store, job, cell)
        if is_failure(result):
            store.delete(f"failed/{name}.json")
            store.put_if_absent(f"failed/{name}.json", result)
            failed.append({"digest": name, **json.loads(result)["failed"]})
        else:
            store.put_if_absent(f"cells/{name}.json", result)
    return failed


@dataclass(slots=True)
class Farmhand:
    """What a function keeps between its calls: the last job and the bars that were read, by their digests.

    `folder` is where strategy modules lie.
    """

    folder: Path
    _jobs: dict[str, Job]
    _bars: dict[str, Bars]
    _codes: dict[str, str]

    @classmethod
    def of(cls, folder: Path) -> Farmhand:
        """Make one that keeps nothing yet."""
        return cls(folder, {}, {}, {})

    def job(self, store: Store, key: str) -> Job:
        """Give a job; its name says what it holds, so it is read once.

        Raises:
            Misconfigured: it is not there.
        """
        if key not in self._jobs:
            data = store.get(key)
            if data is None:
                raise Misconfigured(
                    "no_job",
                    "there is no such job in the bucket",
                    seen=key,
                    allowed="a job that was submitted",
                    hint="submit the sweep again: trimtab sweep GRID --on aws",
                )
            self._jobs = {key: Job(**json.loads(data))}
        return self._jobs[key]

    def play(self, store: Store, job: Job, cell: Cell) -> bytes:
        """Give a cell's result, as it would be anywhere.

        Raises:
            Misconfigured: the code here is not that of the job.
        """
        bars = self._prices(store, job.prices[cell.universe])
        if cell.strategy not in self._codes:
            self._codes[cell.strategy] = code_of(cell.strategy, self.folder)
        here = self._codes[cell.strategy]
        if here != job.code:
            raise Misconfigured(
                "other_code",
                "the function runs other code than the one that submitted the sweep",
                seen=here[:12],
                allowed=job.code[:12],
                hint="deploy what you submit with, strategy modules too, or submit with what is deployed",
            )
        return player(job, self.folder, lambda _universe: bars).play(cell)

    def _prices(self, store: Store, name: str) -> Bars:
        if name not in self._bars:
            data = store.get(f"prices/{name}.parquet")
            bars = None if data is None else read_prices_file(data)
            if bars is None or inputs_digest(bars) != name:
                seen = "nothing" if bars is None else "prices of another digest"
                raise Misconfigured(
                    "no_prices",
                    "the bucket has not the prices of this job",
                    seen=seen,
                    allowed=name,
                    hint="submit the sweep again: that puts its prices there",
                )
            self._bars = {name: bars}  # one universe at a time: a function's memory is small
        return self._bars[name]
