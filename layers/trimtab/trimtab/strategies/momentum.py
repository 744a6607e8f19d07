"""Momentum: the strongest symbols of the last year, its last month left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.strategies.checks import carrying, checked_count, checked_symbols

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.bars import History, Strategy


def momentum(symbols: Sequence[str], top_n: int, lookback: int = 252, skip: int = 21) -> Strategy:
    """Make the strategy that holds the `top_n` symbols of highest momentum at 1 / `top_n` of equity each.

    Momentum is C[t - skip] / C[t - lookback] - 1, in sessions before the last close C[t]: "12-1" with the
    defaults. Equal momentum: the first in alphabetical order. A symbol needs a bar at t, t - skip and
    t - lookback; with fewer such symbols than `top_n` their places stay cash. A negative momentum may
    be held: the ranking is relative. Jegadeesh and Titman, "Returns to Buying Winners and Selling
    Losers", Journal of Finance, 1993; the month left out: Jegadeesh, "Evidence of Predictable Behavior of
    Security Returns", Journal of Finance, 1990.

    Raises:
        ValueError: no symbols, one named twice, `top_n` not in 1 to the number of symbols, `skip` below 0, or
            `lookback` not above `skip`.
    """
    names = checked_symbols(symbols)
    places = checked_count("top_n", top_n, 1, len(names))
    rows = checked_count("lookback", lookback, checked_count("skip", skip, 0) + 1) + 1

    def strategy(history: History, equity: float) -> dict[str, float]:  # noqa: ARG001 - scale-free
        columns = [j for j, symbol in enumerate(history.symbols) if symbol in names]
        close = history.close[:, columns]
        if len(close) < rows:
            return {}
        score = close[-1 - skip] / close[-rows] - 1.0
        eligible = np.flatnonzero(~np.isnan(score) & ~np.isnan(close[-1]))
        best = eligible[np.argsort(-score[eligible], kind="stable")][:places]  # columns ascend by name
        return {history.symbols[columns[i]]: 1.0 / places for i in best}

    return carrying(strategy, names, lookback_sessions=rows)
