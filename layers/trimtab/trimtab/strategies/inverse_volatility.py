"""Inverse volatility: the calmer a symbol was, the more of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.strategies.checks import carrying, checked_count, checked_fraction, checked_symbols
from trimtab.strategies.measures import STILL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.bars import History, Strategy


def inverse_volatility(symbols: Sequence[str], lookback: int = 63, weight: float = 1.0) -> Strategy:
    """Make the strategy that weights each symbol by 1 / its volatility; the weights sum to `weight`.

    w_i = weight x (1 / s_i) / sum_j (1 / s_j), s the sample standard deviation (n - 1) of the last
    `lookback` daily returns C[t] / C[t-1] - 1. A symbol without a bar in each of the last `lookback` + 1
    sessions, or whose close never moved, has weight 0 and the others share; none left: all cash.
    Naive risk parity: Maillard, Roncalli and Teiletche, "The Properties of Equally Weighted Risk Contribution
    Portfolios", Journal of Portfolio Management, 2010 (it is their solution for equal correlations).

    Raises:
        ValueError: no symbols, one named twice, `lookback` below 2 sessions, or `weight` not in 0 to 1.
    """
    names = checked_symbols(symbols)
    rows = checked_count("lookback", lookback, 2) + 1
    total = checked_fraction("weight", weight)

    def strategy(history: History, equity: float) -> dict[str, float]:  # noqa: ARG001 - scale-free
        columns = [j for j, symbol in enumerate(history.symbols) if symbol in names]
        close = history.close[-rows:, columns]
        if len(close) < rows or not columns:
            return {}
        volatility = np.std(close[1:] / close[:-1] - 1.0, axis=0, ddof=1)
        eligible = np.flatnonzero(volatility > STILL)  # NaN, where a bar is missing, is not above it
        calm = 1.0 / volatility[eligible]
        weights = total * calm / calm.sum()
        return {history.symbols[columns[i]]: float(w) for i, w in zip(eligible, weights, strict=True)}

    return carrying(strategy, names, lookback_sessions=rows)
