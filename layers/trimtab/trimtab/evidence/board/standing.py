"""Standing: the last run as a line of stations, what is held against target and band, the next run."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from trimtab.core.nyse import sessions
from trimtab.core.schedule import session_of
from trimtab.evidence.holding import Holding, held_against
from trimtab.evidence.words import number
from trimtab.show.run import STATIONS, reached

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    import polars as pl

    from trimtab.core.record import Document

__all__ = ["CASH", "MARKS", "Station", "ago", "execution_of", "holdings", "next_run", "stations"]

CASH = "cash"
MARKS = {"passed": "✓", "stopped": "✗", "not reached": "·"}
"""How far a run came, and the sign for it."""
LOOK_AHEAD = timedelta(days=12)
"""The exchange never stays closed for longer by rule."""
MINUTE, HOUR, DAY = 60, 3600, 86_400


class Station(NamedTuple):
    """One stop of the line: its name, how far the run came, and how long it took (None: not recorded)."""

    name: str
    state: str
    seconds: float | None


def stations(run: Mapping[str, object], timings: object) -> list[Station]:
    """Give the line of a run (its stage, code and outcome) with the seconds that each stop took.

    `timings` is what the record keeps of them: seconds by station, or a list of such; None where it does not.
    """
    stage = run["stage"] if run["stage"] in STATIONS else None
    passed, stopped = reached({"stage": stage, "code": run["code"], "outcome": run["outcome"]})
    took = _seconds(timings)
    return [
        Station(
            name,
            "passed" if i < passed else "stopped" if stopped and i == passed else "not reached",
            took.get(name),
        )
        for i, name in enumerate(STATIONS)
    ]


def _seconds(timings: object) -> dict[str, float]:
    if isinstance(timings, dict):
        pairs: Iterable[tuple[object, object]] = timings.items()
    elif isinstance(timings, list):
        kept = [entry for entry in timings if isinstance(entry, dict)]
        pairs = [(entry.get("station", entry.get("name")), entry.get("seconds")) for entry in kept]
    else:
        pairs = ()
    return {str(name): float(value) for name, value in pairs if isinstance(value, int | float)}


def holdings(
    held: pl.DataFrame, cash: float, execution: Mapping[str, object], universe: Sequence[str] | None
) -> list[Holding]:
    """Give what is held (symbol, qty, price, value, target), the largest first, and the cash (USD) last.

    A target without a holding is there, too. `execution` holds the bands and the cash buffer; `universe`
    None: nothing is known to be foreign.
    """
    lines = held_against(held.rows(), cash, execution, universe)
    whole = cash + sum(line.value for line in lines if not line.foreign)
    lines.sort(key=lambda line: -line.value)
    return [*lines, Holding(CASH, None, None, cash, cash / whole if whole else None)]


def next_run(now: datetime, run_time: str, timezone: str) -> datetime | None:
    """Give the next time (aware) at which the schedule wakes the bot on a session."""
    clock, zone = time.fromisoformat(run_time), ZoneInfo(timezone)
    today: date = session_of(now)
    for day in sessions(today, today + LOOK_AHEAD):
        due = datetime.combine(day, clock, zone)
        if due > now:
            return due
    return None


def ago(seconds: float) -> str:
    """Say how long something is, in its largest sensible unit."""
    for size, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if seconds >= size:
            count = round(seconds / size)
            return f"{number(count, 0)} {name}{'' if count == 1 else 's'}"
    return f"{max(seconds, 0):.0f} seconds"


def execution_of(record: Document | None, default: Mapping[str, object]) -> Mapping[str, object]:
    """Give the execution limits that a run was held to; the present ones where its record does not say."""
    if record is None:
        return default
    kept = (record.get("config") or {}).get("execution")
    return {**default, **kept} if isinstance(kept, dict) else default
