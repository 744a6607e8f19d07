"""Pace: how often a curve has a point, and what its figures are called where that is not every session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.backtesting.stats import MEANINGS, SESSIONS_A_YEAR
from trimtab.backtesting.track import DAYS_A_YEAR
from trimtab.core.nyse import sessions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Days = NDArray[np.datetime64]

__all__ = ["LABELS", "is_daily", "meanings", "points_a_year"]

LABELS: Mapping[str, str] = {"best_day_pct": "Best period", "worst_day_pct": "Worst period"}
"""What a figure of a session is called where it is one of several sessions."""

OF_POINTS: Mapping[str, str] = {
    "volatility_pct": "Standard deviation of the returns from point to point (n - 1), times the root of the "
    "points a year.",
    "downside_deviation_pct": "Root of the mean square of the returns from point to point below the "
    "risk-free rate, those above it counted as zero, times the root of the points a year.",
    "sharpe": "Mean return from point to point above the risk-free rate by the standard deviation of it, "
    "times the root of the points a year.",
    "sortino": "Mean return from point to point above the risk-free rate by the downside deviation, times "
    "the root of the points a year.",
    "calmar": "Compound annual growth rate by the depth of the largest drawdown of these points.",
    "max_drawdown_pct": "The largest fall of the time-weighted curve below its highest point so far, of "
    "these points: between two of them the account may have been lower.",
    "max_drawdown_from": "The point of the high before the largest drawdown.",
    "max_drawdown_trough": "The lowest point of it.",
    "max_drawdown_recovered": "The first point back at the high; none if it has not come back.",
    "ulcer_index_pct": "Root of the mean square of the drawdowns at these points: deep and long ones weigh "
    "most.",
    "best_day_pct": "The highest return from one point to the next.",
    "worst_day_pct": "The lowest return from one point to the next.",
    "alpha_pct_a_year": "Jensen's alpha: mean return from point to point above the risk-free rate, less "
    "beta times the benchmark's, times the points a year.",
    "beta": "Covariance of the returns from point to point with the benchmark's, by the benchmark's "
    "variance.",
    "correlation": "Of the returns from point to point with the benchmark's.",
    "tracking_error_pct": "Standard deviation of the difference to the benchmark from point to point "
    "(n - 1), times the root of the points a year.",
    "information_ratio": "Mean difference to the benchmark from point to point by its standard deviation, "
    "times the root of the points a year.",
}
"""What each figure is where the points are further apart than a session."""


def is_daily(days: Days) -> bool:
    """Say whether points at these sessions (n,), two or more, are usually one session apart."""
    known = np.array(sessions(days[0].item(), days[-1].item()), dtype="datetime64[D]")
    return bool(np.median(np.diff(np.searchsorted(known, days))) <= 1)


def points_a_year(days: Days) -> float:
    """Give how many points a year there are: 252 where they are daily, else as many as there were."""
    if is_daily(days):
        return SESSIONS_A_YEAR
    return float((len(days) - 1) * DAYS_A_YEAR / (days[-1] - days[0]).astype(int))


def meanings(days: Days) -> Mapping[str, str]:
    """Give what each figure of points at these sessions is."""
    return MEANINGS if is_daily(days) else {**MEANINGS, **OF_POINTS}
