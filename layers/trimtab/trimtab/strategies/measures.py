"""Measures: what the built-in strategies read off past closes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.strategies.checks import carrying, checked_count, checked_fraction, checked_symbols

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from trimtab.core.bars import History, Strategy

SESSIONS_A_MONTH = 21
"""How many sessions stand for a month."""

SESSIONS_A_YEAR = 252
"""How many sessions stand for a year."""

STILL = 1e-12
"""A daily return's standard deviation up to which a price did not move: float noise."""


def recent_closes(history: History, names: Sequence[str], rows: int) -> NDArray[np.float64]:
    """Give the last `rows` closes of `names`, (rows, n) USD, oldest first.

    NaN where there is no such session, no such symbol, no bar, or no finite price above 0.
    """
    place = {symbol: j for j, symbol in enumerate(history.symbols)}
    known = [i for i, name in enumerate(names) if name in place]
    recent = history.close[-rows:]
    closes = np.full((rows, len(names)), np.nan)
    closes[rows - len(recent) :, known] = recent[:, [place[names[i]] for i in known]]
    closes[~(np.isfinite(closes) & (closes > 0.0))] = np.nan
    return closes


def recent_returns(history: History, names: Sequence[str], lookback: int) -> NDArray[np.float64]:
    """Give the last daily returns C[t] / C[t-1] - 1 of `names`, (lookback, n); NaN where a bar is missing."""
    closes = recent_closes(history, names, lookback + 1)
    return closes[1:] / closes[:-1] - 1.0


def close_to_average(history: History, names: Sequence[str], lookback: int) -> NDArray[np.float64]:
    """Give each last close over the mean of the last `lookback` closes, (n,); NaN where a bar is missing."""
    closes = recent_closes(history, names, lookback)
    ratio: NDArray[np.float64] = 1.0 / np.mean(closes / closes[-1], axis=0)  # exactly 1 where no price moved
    return ratio


def momentum_13612w(history: History, names: Sequence[str]) -> NDArray[np.float64]:
    """Give each symbol's 13612W momentum, (n,), a return a year; NaN where one of its five bars is missing.

    (12 r1 + 4 r3 + 2 r6 + r12) / 4, the mean of the annualised returns of the last 1, 3, 6 and 12 months,
    a month being 21 sessions. Keller and Keuning, "Breadth Momentum and Vigilant Asset Allocation", 2017.
    """
    closes = recent_closes(history, names, 12 * SESSIONS_A_MONTH + 1)
    gain = closes[-1] / closes[[-1 - SESSIONS_A_MONTH * months for months in (1, 3, 6, 12)]] - 1.0
    score: NDArray[np.float64] = np.array([12.0, 4.0, 2.0, 1.0]) @ gain / 4.0
    return score


def strongest(names: Sequence[str], score: NDArray[np.float64], count: int) -> list[str]:
    """Give the `count` names of highest score, best first; equal: the first in `names`; NaN: never."""
    eligible = np.flatnonzero(~np.isnan(score))
    best = eligible[np.argsort(-score[eligible], kind="stable")][:count]
    return [names[i] for i in best]


def covariance_strategy(
    symbols: Sequence[str],
    lookback: int,
    weight: float,
    solve: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> Strategy:
    """Make the strategy that gives `weight` times what `solve` makes of the covariance of daily returns.

    `solve` takes (n, n) and gives (n,) that sum to 1. The covariance is the sample's (n - 1) of the last
    `lookback` returns. A symbol without a bar in each of the last `lookback` + 1 sessions, or whose close
    never moved, has weight 0 and the others share; none left: all cash.

    Raises:
        ValueError: no symbols, one named twice, `lookback` below 2 sessions, or `weight` not in 0 to 1.
    """
    names = checked_symbols(symbols)
    sessions = checked_count("lookback", lookback, 2)
    total = checked_fraction("weight", weight)

    def strategy(history: History, equity: float) -> dict[str, float]:  # noqa: ARG001 - scale-free
        returns = recent_returns(history, names, sessions)
        eligible = np.flatnonzero(np.std(returns, axis=0) > STILL)  # NaN, a missing bar, is not above it
        if len(eligible) == 0:
            return {}
        covariance = np.atleast_2d(np.cov(returns[:, eligible], rowvar=False))
        weights = total * solve(covariance)
        return {names[i]: float(w) for i, w in zip(eligible, weights, strict=True)}

    return carrying(strategy, names, lookback_sessions=sessions + 1)
