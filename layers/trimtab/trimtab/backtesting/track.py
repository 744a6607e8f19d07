"""Track: an equity curve without what was paid in: returns, drawdowns, periods, and the money's own rate.

A session's return leaves out what came in: flows arrive at its close, before its trades, so

    r_t = (E_t - F_t) / E_(t-1) - 1.

The first session has none before it; its return is against what the portfolio opened with, and so holds the
cost of the trades at its close. Sources: GIPS Standards 2020 (CFA Institute), 2.A, for time- and
money-weighted returns; Bacon, "Practical Portfolio Performance Measurement and Attribution", 2nd ed. 2008.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.backtesting.result import Result

    Numbers = NDArray[np.float64]
    Days = NDArray[np.datetime64]

__all__ = ["STILL", "Stat", "Track", "benchmark_track", "flow_of", "money_weighted", "opening_of", "track_of"]

Stat = float | int | str | None
"""As JSON holds it; None where a figure is not defined."""
Unit = Literal["M", "Y"]
"""A calendar month or year."""

DAYS_A_YEAR = 365.25
"""Calendar days, for compounded rates."""
XIRR_DAYS_A_YEAR = 365.0
"""Actual days over 365, as spreadsheets count in XIRR."""
YEAR_FROM_DAYS = 360
"""Below it no rate a year is given; a calendar year's first and last session lie 360 days or more apart."""
STILL = 1e-12
"""A move or deviation of daily returns below it is float noise."""
NOTHING_USD = 1e-6
"""Equity up to it is what rounding leaves of nothing, and has no return."""
HALVINGS = 64
"""Of a bracket, down to float precision."""
_STEEPEST = 8.0
"""The natural logarithm of 1 + the money-weighted return is sought between minus and plus this."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A curve of n sessions: its returns (n,), and what 1 USD at the opening became, `index` (n,)."""

    sessions: Days
    returns: Numbers
    index: Numbers

    @property
    def days(self) -> int:
        """Calendar days from the first to the last session."""
        return int((self.sessions[-1] - self.sessions[0]).astype(int))

    @property
    def years(self) -> float | None:
        """Years for rates a year; None where there is not a whole one."""
        return self.days / DAYS_A_YEAR if self.days >= YEAR_FROM_DAYS else None

    @property
    def daily(self) -> Numbers:
        """Returns (n - 1,) from one close to the next."""
        return self.returns[1:]

    @property
    def under(self) -> Numbers:
        """How far each close is below the highest so far, the opening included: (n,) fractions, 0 or less."""
        under = self.index / np.maximum(np.maximum.accumulate(self.index), 1.0) - 1
        return np.where(under > -STILL, 0.0, under)

    def growth_pct(self) -> float | None:
        """Give 100 (index^(1/years) - 1), % a year; None below a year."""
        if self.years is None:
            return None
        return float(100 * (max(float(self.index[-1]), 0.0) ** (1 / self.years) - 1))

    def drawdowns(self, top: int) -> list[dict[str, Stat]]:
        """Give the deepest falls, deepest first: from, trough, to, depth_pct, days."""
        begin, end = self._falls()
        if len(begin) == 0:
            return []
        depth = np.minimum.reduceat(self.under, begin)
        deepest = np.argsort(depth, kind="stable")[:top].tolist()
        return [self._fall(int(begin[i]), int(end[i])) for i in deepest]

    def longest_fall(self) -> int:
        """Give the most calendar days from a high to the first close back at it, or to the last session."""
        begin, end = self._falls()
        until = self.sessions[np.minimum(end, len(self.sessions) - 1)]
        return int((until - self.sessions[np.maximum(begin - 1, 0)]).astype(np.int64).max(initial=0))

    def _falls(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give the first row of each fall below the high, and the first row after it (n: not yet back)."""
        edge = np.diff((self.under < 0).astype(np.int8), prepend=0, append=0)
        return np.flatnonzero(edge == 1), np.flatnonzero(edge == -1)

    def _fall(self, begin: int, end: int) -> dict[str, Stat]:
        under, back = self.under[begin:end], end < len(self.sessions)
        high, until = self.sessions[max(begin - 1, 0)], self.sessions[end if back else -1]
        return {
            "from": str(high),
            "trough": str(self.sessions[begin + int(np.argmin(under))]),
            "to": str(until) if back else None,
            "depth_pct": 100 * float(under.min()),
            "days": int((until - high).astype(int)),
        }

    def periods(self, unit: Unit) -> list[tuple[str, float]]:
        """Give each calendar period (2020 or 2020-02) and its return, %; the first and last may be parts."""
        name = self.sessions.astype(f"datetime64[{unit}]")
        last = np.flatnonzero(np.concatenate([name[1:] != name[:-1], [True]]))
        level = np.concatenate([[1.0], self.index[last]])
        moves = np.divide(level[1:], level[:-1], out=np.ones(len(last)), where=level[:-1] != 0) - 1
        return list(zip(name[last].astype(str).tolist(), (100 * moves).tolist(), strict=True))


def track_of(result: Result) -> Track:
    """Give a backtest's track. A portfolio that holds nothing yet begins with its first flow."""
    flow = flow_of(result)
    before = np.concatenate([[opening_of(result)], result.value[:-1]])
    there = before > NOTHING_USD
    base = np.where(there, before, flow)
    now = np.where(there, result.value - flow, result.value)
    index = np.divide(now, base, out=np.ones(len(base)), where=base > NOTHING_USD)
    return Track(result.sessions, index - 1, np.multiply.accumulate(index))


def benchmark_track(result: Result) -> Track | None:
    """Give the benchmark's track, whose first session has no return; None without one."""
    curve = result.benchmark
    if curve is None:
        return None
    return Track(result.sessions, np.concatenate([[0.0], curve[1:] / curve[:-1] - 1]), curve / curve[0])


def flow_of(result: Result) -> Numbers:
    """Give what came in at each close (n,), USD."""
    return np.zeros(len(result.value)) if result.flow is None else result.flow


def opening_of(result: Result) -> float:
    """Give the cash before the first session, USD: its equity, without what came in, with what it cost."""
    rows, _columns, _quantity, _price, cost = result.trade_arrays()
    return float(result.value[0] - flow_of(result)[0] + cost[rows == result.first].sum())


def money_weighted(result: Result) -> float | None:
    """Give the money-weighted return (XIRR), % a year: the r with sum over k of C_k (1 + r)^(-d_k / 365) = 0.

    C_0 is what the portfolio opened with, then the flows, both negative; last comes the final equity. In
    x = ln(1 + r) every term is an exponential: the root nearest to zero is bracketed on a grid, then halved
    down. None where there is none between -99.97 and +298,000 %.
    """
    flow = flow_of(result)
    rows = np.flatnonzero(flow)
    amounts = np.concatenate([[-opening_of(result)], -flow[rows], [result.value[-1]]])
    at = np.concatenate([[0], rows, [len(flow) - 1]])
    years = (result.sessions[at] - result.sessions[0]).astype(np.float64) / XIRR_DAYS_A_YEAR
    grid = np.linspace(-_STEEPEST, _STEEPEST, 161)
    signs = np.sign(np.exp(-np.outer(grid, years)) @ amounts)
    crossing = np.flatnonzero(signs[1:] != signs[:-1])
    if len(crossing) == 0:
        return None
    nearest = crossing[np.argmin(np.abs(grid[crossing] + grid[crossing + 1]))]
    low, high, above = float(grid[nearest]), float(grid[nearest + 1]), signs[nearest + 1]
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if np.sign(np.exp(-middle * years) @ amounts) == above:
            high = middle
        else:
            low = middle
    return 100 * math.expm1((low + high) / 2)
