"""Trial: one cell played: its figures over the sessions to choose by, and over those to judge by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trimtab.backtesting import backtest
from trimtab.backtesting.terms import decisions, span
from trimtab.backtesting.track import STILL, track_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.backtesting.result import Result
    from trimtab.core.bars import Bars
    from trimtab.core.mandate import Rule
    from trimtab.core.record import Document
    from trimtab.sweeping.cells import Cell

__all__ = ["Common", "moments", "trial"]

DIGITS = 12
"""Significant digits that are kept of a figure: beyond them two kinds of processor may differ."""


@dataclass(frozen=True, slots=True)
class Common:
    """What all cells of a sweep share: the plan, the cash (USD), and the limits of the live plan."""

    plan: str
    cash: float
    fractional: bool
    config: object


def trial(cell: Cell, strategy: Rule, bars: Bars, common: Common) -> Document:
    """Play a cell, and give `in_sample` and `out_of_sample` (None without sessions to judge by).

    Out of sample the portfolio begins in cash and first decides at the last close to choose by: what was
    chosen there is bought there, and then decides at the ends of its periods.

    Raises:
        Misconfigured: a parameter is not usable.
        Halted: the strategy's weights are not acceptable.
    """
    window = cell.window
    own = _play(cell, strategy, bars, common, (window.start, window.end), cell.rebalance)
    after = None
    if window.test_end is not None:
        first, last = span(bars, window.end, window.test_end)
        rows = decisions(bars.sessions, cell.rebalance, first, last)
        days = bars.sessions[np.union1d([first], rows)].tolist()
        after = _side(_play(cell, strategy, bars, common, (window.end, window.test_end), days))
    return {"in_sample": _side(own), "out_of_sample": after}


def _play(
    cell: Cell, strategy: Rule, bars: Bars, common: Common, dates: tuple[str, str], rebalance: object
) -> Result:
    return backtest(
        strategy,
        bars,
        start=dates[0],
        end=dates[1],
        rebalance=rebalance,
        fill=cell.fill,
        cost_bps=cell.cost_bps,
        cash=common.cash,
        plan=common.plan,
        config=common.config,
        fractional=common.fractional,
    )


def _side(result: Result) -> Document:
    figures = {**result.stats, **moments(track_of(result).daily)}
    return {name: _kept(value) for name, value in figures.items()}


def moments(daily: NDArray[np.float64]) -> dict[str, float | None]:
    """Give what the deflated Sharpe ratio needs of daily returns (n,): count, mean, deviation, shape.

    The deviation is the sample's (n - 1), as in the Sharpe ratio; skewness and kurtosis (3 for a normal
    distribution) are the plain moments', None where the returns don't move.
    """
    count = len(daily)
    mean = float(daily.mean()) if count else 0.0
    off = daily - mean
    spread = math.sqrt(float(np.mean(off**2))) if count else 0.0
    still = spread <= STILL
    return {
        "daily_returns": count,
        "daily_mean": mean,
        "daily_deviation": spread * math.sqrt(count / (count - 1)) if count > 1 else None,
        "daily_skewness": None if still else float(np.mean(off**3)) / spread**3,
        "daily_kurtosis": None if still else float(np.mean(off**4)) / spread**4,
    }


def _kept(value: object) -> object:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
