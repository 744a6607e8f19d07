"""Mends: the store breaks in the middle of a run; mended, one more run completes what it lacks."""

from __future__ import annotations

import resource
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from process.kit import Watch, unlike
from process.sweeps import (
    SCENARIOS,
    VICTIM,
    Result,
    converged,
    end_of,
    requests_of,
    stage,
    unlike_plan,
)
from process.wire import BEFORE

if TYPE_CHECKING:
    from process.kit import Done, Place
    from process.wire import Passing

Kind = Literal["folder", "database", "disk"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FULL_BYTES = 256
"""The largest file of a process whose disk is full: no plan, record or database fits."""
CAN_LIMIT = hasattr(resource, "prlimit")
"""Only Linux limits a process that runs."""


@dataclass(frozen=True, slots=True)
class Break:
    """What breaks, at which request: the folder is a file, trades.db a folder, or the disk full."""

    kind: Kind
    number: int


@dataclass
class Breaking:
    """A hook that breaks the store at a request, once; and the way back."""

    there: Place
    case: Break
    broken: list[str] = field(default_factory=list)

    def __call__(self, passing: Passing) -> None:
        """Break it where it is due."""
        if (passing.sender, passing.number, passing.moment) != (VICTIM, self.case.number, BEFORE):
            return
        self.broken.append(self.case.kind)
        store, database = self.there.store, self.there.store / "trades.db"
        if self.case.kind == "disk":
            pid = self.there.started[0].process.pid
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (FULL_BYTES, FULL_BYTES))
        elif self.case.kind == "folder":
            _put_aside(store)
            store.write_text("no folder")
        else:
            store.mkdir(exist_ok=True)
            _put_aside(database)
            database.mkdir()

    def mend(self) -> None:
        """Put back what was there; a disk was full for one process alone."""
        if "folder" in self.broken:
            self.there.store.unlink()
            _put_back(self.there.store)
        if "database" in self.broken:
            (self.there.store / "trades.db").rmdir()
            _put_back(self.there.store / "trades.db")


def _aside(path: Path) -> Path:
    return path.with_name(f"{path.name}-aside")


def _put_aside(path: Path) -> None:
    if path.exists():
        path.rename(_aside(path))


def _put_back(path: Path) -> None:
    if _aside(path).exists():
        _aside(path).rename(path)


def breaks() -> list[Break]:
    """Give every break: each kind at each request of an undisturbed run."""
    kinds = KINDS if CAN_LIMIT else KINDS[:2]
    return [Break(kind, number) for kind in kinds for number in range(1, len(requests_of("calm")) + 1)]


def break_it(case: Break) -> Result:
    """Break the store in the middle of a run, mend it, run once more, and say what is wrong then."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder), SCENARIOS["calm"]) as there:
        breaking = Breaking(there, case)
        watch = Watch(there, breaking)
        there.proxy.at(watch)
        first = there.run(VICTIM)
        wrong = misreported(there, first)
        breaking.mend()
        wrong += converged(there)
        wrong += [*watch.wrong, *unlike_plan(there), *unlike(there)]
        ends = (end_of(first),)
        return Result(case, bool(breaking.broken), tuple(wrong), time.monotonic() - began, ends)


def misreported(there: Place, done: Done) -> list[str]:
    """Say where a run's end is not what it sent: 3 without an order, 4 with one; each says what happened."""
    sent = [passing.document()["client_order_id"] for passing in there.proxy.sent(VICTIM) if passing.orders]
    due = 4 if sent else 3
    if done.status != due:
        return [f"exit {due} was due, {len(sent)} orders were sent: {done}"]
    document = done.document
    outcome = {3: "halted", 4: "interrupted"}[due]
    wrong = [] if document["outcome"] == outcome else [f"{outcome} was due: {document['outcome']}"]
    error = document.get("error") or {}
    complete = all(error.get(name) for name in ("code", "message", "hint"))
    return wrong + ([] if complete else [f"no error that says what happened: {done}"])
