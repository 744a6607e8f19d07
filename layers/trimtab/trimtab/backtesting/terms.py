"""Terms: what a backtest is played under, read once: dates, fills, costs, interest, contributions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.core.bars import Bars

Fill = Literal["close", "next_open"]
PERIODS = ("daily", "weekly", "monthly", "quarterly")
FILLS = ("close", "next_open")
PLANS = ("exact", "live")
DAYS_A_YEAR = 365.0
"""Interest is simple, actual days over 365, compounded at each session."""

_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday: three days after the Monday that begins its ISO week."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What an order costs: basis points of its value, USD a share, and at least so many USD an order."""

    bps: float
    per_share: float = 0.0
    minimum: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no cost.

        Raises:
            Misconfigured: one is negative or no finite number.
        """
        for name, value in (
            ("cost_bps", self.bps),
            ("cost_per_share", self.per_share),
            ("cost_minimum", self.minimum),
        ):
            number(name, value, least=0.0)

    def of(self, quantity: NDArray[np.float64], price: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the cost of each order (k,), USD, from its signed shares and USD a share."""
        cost = np.abs(quantity * price) * (self.bps * 1e-4)
        if self.per_share:
            cost += np.abs(quantity) * self.per_share
        return np.maximum(cost, self.minimum) if self.minimum else cost

    def total(self, quantity: NDArray[np.float64], price: NDArray[np.float64]) -> float:
        """Give the cost of all orders together, USD."""
        if self.minimum:
            return float(self.of(quantity, price).sum())
        shares = np.abs(quantity)
        cost = float(shares.dot(price)) * (self.bps * 1e-4)
        return cost + float(shares.sum()) * self.per_share if self.per_share else cost


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything that a backtest is told besides its strategy, bars and dates; see `backtest`."""

    rebalance: object
    fill: str
    plan: str
    costs: Costs
    cash: float
    fractional: bool
    interest: object = None
    contributions: object = None
    benchmark: str | None = None

    def __post_init__(self) -> None:
        """Refuse a word that is not one of its kind, and cash that is none.

        Raises:
            Misconfigured: one is not usable.
        """
        one_of("fill", self.fill, FILLS)
        one_of("plan", self.plan, PLANS)
        number("cash", self.cash, least=0.0)

    def document(self) -> dict[str, object]:
        """Give them as JSON holds them; what is no plain value is named by its type."""
        told = {
            name: _plain(getattr(self, name)) for name in ("rebalance", "fill", "plan", "cash", "fractional")
        }
        costs = {"cost_bps": self.costs.bps, "cost_per_share": self.costs.per_share}
        costs["cost_minimum"] = self.costs.minimum
        rest = {name: _plain(getattr(self, name)) for name in ("interest", "contributions", "benchmark")}
        return told | costs | rest


def _plain(value: object) -> object:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): float(amount) for name, amount in value.items()}
    return [str(item) for item in value] if isinstance(value, list | tuple) else type(value).__name__


def number(name: str, value: object, *, least: float = -math.inf) -> float:
    """Give a finite number that is at least `least`.

    Raises:
        Misconfigured: it is not.
    """
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        given = float(value)
        if math.isfinite(given) and given >= least:
            return given
    allowed = "a finite number" if least == -math.inf else f"a finite number, {least:g} or more"
    raise Misconfigured("backtest_terms", f"{name} is not usable", seen=repr(value), allowed=allowed)


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> str:
    """Give a word that is among the allowed ones.

    Raises:
        Misconfigured: it is not.
    """
    if isinstance(value, str) and value in allowed:
        return value
    raise Misconfigured(
        "backtest_terms", f"{name} is not usable", seen=repr(value), allowed=", ".join(allowed)
    )


def day(name: str, value: object) -> np.datetime64:
    """Give a New York date from a date, a datetime64 or a text like 2020-02-18.

    Raises:
        Misconfigured: it is none.
    """
    try:
        return np.datetime64(date.fromisoformat(str(value)[:10]))
    except ValueError:
        raise Misconfigured(
            "backtest_terms", f"{name} is no date", seen=repr(value), allowed="YYYY-MM-DD"
        ) from None


def span(bars: Bars, start: object, end: object) -> tuple[int, int]:
    """Give the first and the last row of the sessions from `start` to `end`, inclusive.

    Raises:
        Misconfigured: fewer than two sessions lie between.
    """
    sessions = bars.sessions
    first = 0 if start is None else int(np.searchsorted(sessions, day("start", start)))
    last = len(sessions) if end is None else int(np.searchsorted(sessions, day("end", end), side="right"))
    if last - first < 2:  # noqa: PLR2004 - a decision and a session after it
        there = f"{sessions[0]} to {sessions[-1]}" if len(sessions) else "no session"
        raise Misconfigured(
            "backtest_dates",
            "a backtest needs two sessions or more",
            seen=f"{max(last - first, 0)} from {start or 'the first'} to {end or 'the last'}",
            allowed=f"dates within the data: {there}",
            hint="check start, end and the data",
        )
    return first, last - 1


def decisions(
    sessions: NDArray[np.datetime64], rebalance: object, first: int, last: int
) -> NDArray[np.int64]:
    """Give the rows that decide: each period's last one, or the named ones; never the last row of all.

    `rebalance` is daily, weekly (ISO weeks), monthly, quarterly, or a list of sessions.

    Raises:
        Misconfigured: it is none of these, or a named date is no session of the data.
    """
    if isinstance(rebalance, str):
        period = _periods(sessions[first : last + 1], one_of("rebalance", rebalance, PERIODS))
        return np.flatnonzero(period[1:] != period[:-1]) + first
    try:
        named = sorted({day("rebalance", value) for value in cast("list[object]", rebalance)})
    except TypeError:
        raise Misconfigured(
            "backtest_terms",
            "rebalance is not usable",
            seen=repr(rebalance),
            allowed=f"{', '.join(PERIODS)}, or a list of sessions",
        ) from None
    wanted = np.array(named, dtype="datetime64[D]")
    rows = np.searchsorted(sessions, wanted)
    strange = wanted[sessions[np.minimum(rows, len(sessions) - 1)] != wanted]
    if len(strange):
        raise Misconfigured(
            "backtest_dates",
            "rebalance names a day that is no session of the data",
            seen=strange[0],
            allowed=f"sessions from {sessions[0]} to {sessions[-1]}",
        )
    return rows[(rows >= first) & (rows < last)]


def _periods(sessions: NDArray[np.datetime64], name: str) -> NDArray[np.int64]:
    """Number the period of each session (n,)."""
    if name in {"monthly", "quarterly"}:
        months = sessions.astype("datetime64[M]").astype(np.int64)
        return months if name == "monthly" else months // 3
    days = sessions.astype(np.int64)
    return days if name == "daily" else (days + _EPOCH_WEEKDAY) // 7


def growth(sessions: NDArray[np.datetime64], interest: object) -> NDArray[np.float64] | None:
    """Give what one USD of cash becomes from the session before to each session (n,); None without interest.

    `interest` is an annual rate (0.03 is 3 %), or a table with `session` (or `date`) and `rate`: each rate
    holds from its day on.

    Raises:
        Misconfigured: it is neither.
    """
    if interest is None or (isinstance(interest, int | float) and interest == 0):
        return None
    columns = getattr(interest, "columns", None)
    if columns is None:
        rates = np.full(len(sessions), number("interest", interest))
    else:
        rates = _rates(sessions, interest, list(columns))
    days = np.diff(sessions, prepend=sessions[:1]).astype(np.float64)
    before = np.concatenate([rates[:1], rates[:-1]])
    return 1.0 + before * days / DAYS_A_YEAR


def _rates(sessions: NDArray[np.datetime64], table: object, columns: list[str]) -> NDArray[np.float64]:
    name = "session" if "session" in columns else "date"
    if not {name, "rate"} <= set(columns):
        raise Misconfigured(
            "backtest_terms",
            "interest has not the columns it needs",
            seen=", ".join(columns),
            allowed="session (or date), rate (0.03 is 3 % a year)",
        )
    days = np.asarray(table[name], dtype="datetime64[D]")  # type: ignore[index]  # a table of any kind
    rates = np.asarray(table["rate"], dtype=np.float64)  # type: ignore[index]  # as above
    order = np.argsort(days, kind="stable")
    row = np.searchsorted(days[order], sessions, side="right") - 1
    known = np.where(row >= 0, rates[order][np.maximum(row, 0)], 0.0)
    if not np.isfinite(known).all():
        raise Misconfigured("backtest_terms", "interest holds a rate that is no number", seen="NaN")
    return known


def flows(
    sessions: NDArray[np.datetime64], contributions: object, rows: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Give the USD that come in (or, negative, go out) at each session's close (n,); None without any.

    A number comes in at every decision but the first; a mapping names sessions.

    Raises:
        Misconfigured: it is neither, or names a day that is no session.
    """
    if contributions is None or contributions == 0:
        return None
    amounts = np.zeros(len(sessions))
    if not isinstance(contributions, Mapping):
        amounts[rows[1:]] = number("contributions", contributions)
        return amounts
    for name, value in contributions.items():
        when = day("contributions", name)
        row = int(np.searchsorted(sessions, when))
        if row == len(sessions) or sessions[row] != when:
            raise Misconfigured(
                "backtest_dates",
                "contributions names a day that is no session of the data",
                seen=when,
                allowed=f"sessions from {sessions[0]} to {sessions[-1]}",
            )
        amounts[row] += number(f"contributions[{when}]", value)
    return amounts
