"""Campaign: all cells, a hundred thousand schedules and every ablation, over all cores, resumable.

    python tests/faults/campaign.py run [--schedules N] [--ablated N] [--workers N] [--out FOLDER]
    python tests/faults/campaign.py table [--out FOLDER]           what was found, as in docs/faults.md
    python tests/faults/campaign.py replay SEED [--ablation NAME]  one schedule again, told run by run
    python tests/faults/campaign.py canaries [--schedules N] [--every N] [--workers N] [--out FOLDER]
                                    schedules, and one cell in so many, whose errors quote secrets

Work is cut into chunks; each finished one is a line in `results.jsonl`, and is not done again. Where the
package's code changed since (words and layout aside), or `EDITION`, the line no longer counts. One schedule
in a hundred is played twice, and both histories must have the same bytes.
"""

from __future__ import annotations

import argparse
import ast
import gc
import hashlib
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from faults.ablations import ABLATIONS  # noqa: E402 - the tests' folder is put on the path above
from faults.canaries import Cage  # noqa: E402 - as above
from faults.cells import cells, play_cell  # noqa: E402 - as above
from faults.schedules import bare, play  # noqa: E402 - as above

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGE = HERE.parent.parent / "layers" / "trimtab" / "trimtab"
EDITION = 4
"""What seeds and cells mean; to be raised where they come to mean something else."""
ELSEWHERE = frozenset(
    {"backtesting", "cli", "configuration.py", "desk.py", "doctor", "evidence", "farm.py", "fleet.py"}
    | {"settings", "show", "strategies", "sweep.py", "sweeping", "taxlots.py"}
)
"""Parts of the package that no simulated run enters: results outlive a change in them."""
CHUNK = 250
CAGED = "canaries: "
"""How the kinds of work begin whose errors quote secrets."""
JUDGED = ("cells", "schedules", f"{CAGED}cells", f"{CAGED}schedules")
"""The kinds of work in which no law may be broken."""
TWICE = 100
"""One schedule in so many is played twice."""
RARE = {"last-writer-wins plans": 5}
"""Ablations that few schedules show: so many times as many are played."""
ABLATED_FROM = 10_000_000
"""Ablations are played on other seeds than the campaign."""
MONEY = ("I1", "I2", "I3", "I4", "I5", "I6", "I8", "I13")
"""Laws whose breaking means that something was sent which must not be."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of the work: `kind` is cells, schedules or an ablation's name; from `first` on, so many.

    Of what has canaries, `kind` begins with `CAGED`; `step` is 1 but where only one in so many is played.
    """

    kind: str
    first: int
    count: int
    step: int = 1


def scratch() -> Path:
    """Give an empty folder, in memory where the machine has such."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of this process alone is made in it
    return Path(tempfile.mkdtemp(prefix="trimtab-faults-", dir=memory if memory.is_dir() else None))


def say(text: str) -> None:
    """Print a line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def code_digest() -> str:
    """Give the digest of the code that the results are of: the line's syntax, without its docstrings."""
    whole = hashlib.sha256(str(EDITION).encode())
    for file in sorted(PACKAGE.rglob("*.py")):
        if not ELSEWHERE & set(file.relative_to(PACKAGE).parts):
            whole.update(f"{file.relative_to(PACKAGE)}\n{_syntax(file)}\n".encode())
    return whole.hexdigest()[:16]


def _syntax(file: Path) -> str:
    """Give a module's syntax tree without texts that stand alone."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [part for part in body if not _is_text(part)]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]  # it has one
    return ast.dump(tree)


def _is_text(node: ast.stmt) -> bool:
    constant = node.value if isinstance(node, ast.Expr) else None
    return isinstance(constant, ast.Constant) and isinstance(constant.value, str)


def work(chunk: Chunk) -> dict[str, Any]:
    """Play one chunk, and give what was found."""
    root, began = scratch(), time.monotonic()
    gc.disable()  # a tenth of the time; each chunk begins with a clean heap
    gc.collect()
    found: list[dict[str, Any]] = []
    paths: Counter[str] = Counter()
    caged = chunk.kind.startswith(CAGED)
    if chunk.kind.removeprefix(CAGED) == "cells":
        last = chunk.first + chunk.count * chunk.step
        for n, cell in islice(enumerate(cells(root)), chunk.first, last, chunk.step):
            cage = Cage(n)
            broken = play_cell(cell, root / "cell", stage=cage if caged else bare)
            paths += cage.paths
            paths[f"cell: {cell.scenario}"] += 1
            if broken:
                found.append({"case": n, "cell": asdict(cell), "laws": [asdict(v) for v in broken]})
    else:
        for seed in range(chunk.first, chunk.first + chunk.count):
            outcome, twice = _schedule(seed, chunk.kind, root / "schedule")
            paths += outcome.paths
            paths["replayed byte for byte"] += twice
            if outcome.violations:
                laws = [asdict(v) for v in outcome.violations]
                found.append(
                    {
                        "case": seed,
                        "laws": laws,
                        "story": outcome.story if chunk.kind.endswith("schedules") else (),
                    }
                )
    return {**asdict(chunk), "seconds": time.monotonic() - began, "found": found, "paths": dict(paths)}


def _schedule(seed: int, kind: str, root: Path) -> tuple[Any, bool]:
    """Play a schedule; one in a hundred twice.

    Raises:
        AssertionError: its histories differ.
    """
    make = ABLATIONS.get(kind, lambda: None)
    if kind.startswith(CAGED):
        return play(seed, root, stage=Cage(seed)), False
    twice = kind == "schedules" and seed % TWICE == 0
    outcome = play(seed, root, make(), digest=twice)
    if twice and play(seed, root, make(), digest=True).digest != outcome.digest:
        raise AssertionError(f"I10: schedule {seed} has two histories")
    return outcome, twice


def plan(schedules: int, ablated: int, *, with_cells: bool = True) -> Iterator[Chunk]:
    """Give all chunks: the cells, the ablations, the schedules."""
    total = sum(1 for _ in cells(scratch())) if with_cells else 0
    for kind, first, count in (
        ("cells", 0, total),
        *((name, ABLATED_FROM, ablated * RARE.get(name, 1)) for name in ABLATIONS),
        ("schedules", 0, schedules),
    ):
        for start in range(first, first + count, CHUNK):
            yield Chunk(kind, start, min(CHUNK, first + count - start))


def caged_plan(schedules: int, every: int) -> Iterator[Chunk]:
    """Give all chunks whose errors quote secrets: schedules, and one cell in `every`; each chunk is small."""
    total, part = sum(1 for _ in cells(scratch())), CHUNK // 5
    for start in range(0, total, part * every):
        left = -(-(total - start) // every)
        yield Chunk(f"{CAGED}cells", start, min(part, left), every)
    for start in range(0, schedules, part):
        yield Chunk(f"{CAGED}schedules", start, min(part, schedules - start))


def results(out: Path) -> list[dict[str, Any]]:
    """Give the finished chunks of the code as it is now."""
    file, code = out / "results.jsonl", code_digest()
    lines = file.read_text().splitlines() if file.exists() else []
    return [line for line in map(json.loads, lines) if line["code"] == code]


def run(schedules: int, ablated: int, workers: int, out: Path, *, with_cells: bool = True) -> int:
    """Do what is not done yet of the campaign, telling how it goes; give the exit status."""
    return work_off(plan(schedules, ablated, with_cells=with_cells), workers, out)


def work_off(chunks: Iterable[Chunk], workers: int, out: Path) -> int:
    """Do the chunks that are not done yet, telling how it goes; give the exit status."""
    out.mkdir(parents=True, exist_ok=True)
    code, done = code_digest(), {(r["kind"], r["first"], r["count"]) for r in results(out)}
    left = [c for c in chunks if (c.kind, c.first, c.count) not in done]
    say(f"{len(done)} chunks done, {len(left)} to do, code {code}")
    bad = 0
    with (
        multiprocessing.get_context("spawn").Pool(workers) as pool,
        (out / "results.jsonl").open("a") as file,
    ):
        for n, result in enumerate(pool.imap_unordered(work, left), start=1):
            file.write(json.dumps({**result, "code": code}) + "\n")
            file.flush()
            broken = len(result["found"])
            bad += broken if result["kind"] in JUDGED else 0
            rate = result["count"] / result["seconds"]
            where = f"{result['kind']} from {result['first']}"
            say(f"{n}/{len(left)} {where}: {broken} of {result['count']} broken, {rate:.1f}/s")
    say(table(out))
    return 1 if bad else 0


def table(out: Path) -> str:
    """Give what was found, as Markdown."""
    found = results(out)
    lines = ["| part | played | with a broken law | seconds a case (one core) |", "|---|---|---|---|"]
    for kind in JUDGED:
        some = [r for r in found if r["kind"] == kind]
        count, seconds = sum(r["count"] for r in some), sum(r["seconds"] for r in some)
        if count:
            bad = sum(len(r["found"]) for r in some)
            lines.append(f"| {kind} | {count:,} | {bad} | {seconds / count:.3f} |")
    lines += [
        "",
        "| safeguard taken away | schedules | any law broken | sent what must not be sent |",
        "|---|---|---|---|",
    ]
    for name in ABLATIONS:
        some = [r for r in found if r["kind"] == name]
        count = sum(r["count"] for r in some)
        if count:
            laws = [{v["law"] for v in case["laws"]} for r in some for case in r["found"]]
            # Under ids of chance the books can't match by id: that alone is not counted.
            broken = sum(1 for law in laws if law - ({"I7"} if name.startswith("chance") else set()))
            money = sum(1 for law in laws if law & set(MONEY))
            lines.append(f"| {name} | {count:,} | {broken / count:.1%} | {money / count:.1%} |")
    paths: Counter[str] = Counter()
    for result in found:
        if result["kind"] == "schedules" or result["kind"].startswith(CAGED):
            paths.update(result["paths"])
    lines += ["", "| path | times |", "|---|---|"]
    lines += [f"| {name} | {count:,} |" for name, count in sorted(paths.items())]
    return "\n".join(lines)


def replay(seed: int, ablation: str) -> int:
    """Play one schedule again and tell its story."""
    outcome = play(seed, scratch() / "schedule", ABLATIONS.get(ablation, lambda: None)(), digest=True)
    say("\n".join([*outcome.story, *(f"{v.law} at step {v.step}: {v.detail}" for v in outcome.violations)]))
    say(f"{outcome.steps} steps, history {outcome.digest}")
    return 1 if outcome.violations else 0


def main(arguments: list[str] | None = None) -> int:
    """Run, tabulate or replay."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in ("run", "table"):
        verb = verbs.add_parser(name)
        verb.add_argument("--out", type=Path, default=Path("build/faults"))
        verb.add_argument("--schedules", type=int, default=100_000)
        verb.add_argument("--ablated", type=int, default=500)
        verb.add_argument("--workers", type=int, default=2)
    verb = verbs.add_parser("canaries")
    verb.add_argument("--out", type=Path, default=Path("build/canaries"))
    verb.add_argument("--schedules", type=int, default=3_000)
    verb.add_argument("--every", type=int, default=20)
    verb.add_argument("--workers", type=int, default=2)
    verb = verbs.add_parser("replay")
    verb.add_argument("seed", type=int)
    verb.add_argument("--ablation", default="", choices=["", *ABLATIONS])
    given = parser.parse_args(arguments)
    if given.verb == "replay":
        return replay(given.seed, given.ablation)
    if given.verb == "table":
        say(table(given.out))
        return 0
    if given.verb == "canaries":
        return work_off(caged_plan(given.schedules, given.every), given.workers, given.out)
    return run(given.schedules, given.ablated, given.workers, given.out)


if __name__ == "__main__":
    sys.exit(main())
