"""Rebuilt: after a stormy schedule, trades.db made anew from the records has the rows that the runs wrote.

python tests/faults/rebuilt.py [--schedules N] [--first SEED]    tells each schedule that differs
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from faults.campaign import say, scratch  # noqa: E402 - the tests' folder is put on the path above
from faults.schedules import play  # noqa: E402 - as above
from trimtab.adapters.sqlite import SqliteTrades  # noqa: E402 - as above
from trimtab.stations import past  # noqa: E402 - as above

if TYPE_CHECKING:
    from faults.schedules import Play

EVENT = ("id", "at", "run_id", "level", "stage", "code", "message")


def dump(path: Path) -> Counter[str]:
    """Give a database as SQL, line by line; the order of rows tells only when each was written."""
    with closing(sqlite3.connect(path)) as base:
        return Counter(base.iterdump())


def differences(drama: Play) -> list[str]:
    """Make a schedule's trades.db anew beside it, and give the lines of SQL that only one of the two has.

    What the owner says is in the store alone here; the command line, which is not played, writes it to both.
    """
    simulation = drama.simulation
    keys = [key for key in simulation.store.list("events/") if not key.startswith("events/latch-")]
    said: list[dict[str, Any]] = [json.loads(simulation.store.get(key) or b"{}") for key in keys]
    simulation.trades.add({"events": [{name: event[name] for name in EVENT} for event in said]})
    again = simulation.root / "again.db"
    past.rebuild(simulation.store, SqliteTrades(again))
    wrote, made = dump(simulation.trades.path), dump(again)
    again.unlink()
    lines = [f"only the runs wrote: {line}" for line in wrote - made]
    return lines + [f"only made anew: {line}" for line in made - wrote]


def rebuilt(seed: int, root: Path) -> list[str]:
    """Play a schedule, and give what is not the same in its trades.db made anew."""
    found: list[str] = []
    play(seed, root, at_end=lambda drama: found.extend(differences(drama)))
    return found


def main() -> int:
    """Play many, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=250)
    parser.add_argument("--first", type=int, default=20_000_000)
    given = parser.parse_args()
    root, began, bad = scratch(), time.monotonic(), 0
    for seed in range(given.first, given.first + given.schedules):
        lines = rebuilt(seed, root / "play")
        bad += bool(lines)
        for line in lines:
            say(f"schedule {seed}: {line}")
    seconds = time.monotonic() - began
    say(f"{given.schedules} schedules with faults, trades.db made anew: {bad} differ, {seconds:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
