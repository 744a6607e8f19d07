"""Standing: the last run as a line of stations, what is held against target and band, the next run."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from trimtab.core.nyse import sessions
from trimtab.core.schedule import session_of
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

    `low` to `high` is the band around the target, in which a holding is left alone; None without a target.
    """

    symbol: str
    shares: float | None
    price: float | None
    value: float
    weight: float | None
    target: float | None
    low: float | None
    high: float | None
    foreign: bool

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

    A target without a holding is there, too. `execution` holds the bands; `universe` None: nothing is known
    to be foreign.
    """
    foreign = set() if universe is None else set(held["symbol"]) - set(universe)
    known = held.fill_null(0.0)
    whole = cash + sum(value for s, value in known.select("symbol", "value").iter_rows() if s not in foreign)
    lines = []
    for symbol, shares, price, value, target in held.iter_rows():
        outside = symbol in foreign
        worth = value or 0.0
        weight = None if outside or not whole else worth / whole
        wanted = None if outside else target or 0.0
        low, high = _band(wanted, execution)
        lines.append(Holding(symbol, shares, price, worth, weight, wanted, low, high, outside))
    lines.sort(key=lambda line: -line.value)
    share = cash / whole if whole else None
    return [*lines, Holding(CASH, None, None, cash, share, None, None, None, foreign=False)]


def _band(target: float | None, execution: Mapping[str, object]) -> tuple[float | None, float | None]:
    """Give the weights between which nothing is traded; a target of 0 has no band."""
    if target is None:
        return None, None
    limits = [execution.get("band"), execution.get("band_relative")]
    band, relative = (float(limit) if isinstance(limit, int | float) else None for limit in limits)
    if band is None or relative is None:
        return None, None
    width = min(band, relative * target) if target > 0 else 0.0
    return max(target - width, 0.0), target + width


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
