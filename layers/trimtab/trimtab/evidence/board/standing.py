"""Standing: the last run as a line of stations, what is held against target and band, the next run."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from trimtab.core.nyse import sessions
from trimtab.core.schedule import session_of
from trimtab.evidence.ledger import band, goals
from trimtab.evidence.words import number
from trimtab.show.run import STATIONS, reached

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    import polars as pl

    from trimtab.core.record import Document

__all__ = ["CASH", "MARKS", "Holding", "Station", "ago", "execution_of", "holdings", "next_run", "stations"]

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


class Holding(NamedTuple):
    """One line of the holdings: shares, USD; weights, target and band as fractions of cash and holdings.

    `goal` is the target as the plan has it, after the cash buffer; `low` to `high` is the band around it, in
    which a holding is left alone. All are None without a target.
    """

    symbol: str
    shares: float | None
    price: float | None
    value: float
    weight: float | None = None
    target: float | None = None
    goal: float | None = None
    low: float | None = None
    high: float | None = None
    foreign: bool = False

    @property
    def outside(self) -> bool:
        """Whether the weight is out of its band."""
        if self.weight is None or self.low is None or self.high is None:
            return False
        return not self.low <= self.weight <= self.high


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
    None: nothing is known to be foreign. Without any target the run stopped before its strategy answered:
    then nothing is known of targets, else what has none is to be sold.
    """
    foreign = set() if universe is None else set(held["symbol"]) - set(universe)
    rows = [(symbol, *some, value or 0.0, target) for symbol, *some, value, target in held.iter_rows()]
    whole = cash + sum(value for symbol, _, _, value, _ in rows if symbol not in foreign)
    wanted = goals([0.0 if symbol in foreign else target or 0.0 for symbol, *_, target in rows], execution)
    answered = universe is not None and any(target is not None for *_, target in rows)
    lines = []
    for (symbol, shares, price, value, asked), goal in zip(rows, wanted, strict=True):
        line = Holding(symbol, shares, price, value, foreign=symbol in foreign)
        if not line.foreign:
            line = line._replace(weight=value / whole if whole else None)
            target = 0.0 if asked is None and answered else asked
            line = line if target is None else _aimed(line, target, goal, execution)
        lines.append(line)
    lines.sort(key=lambda line: -line.value)
    return [*lines, Holding(CASH, None, None, cash, cash / whole if whole else None)]


def _aimed(line: Holding, target: float, goal: float, execution: Mapping[str, object]) -> Holding:
    low, high = band(goal, execution) or (None, None)
    return line._replace(target=target, goal=goal, low=low, high=high)


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
