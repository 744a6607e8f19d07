"""Equal risk contribution: each symbol adds as much to the portfolio's volatility as any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.strategies.measures import covariance_strategy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from trimtab.core.bars import Strategy

MOST_STEPS = 1000
"""More Newton steps than any covariance needs; a bound, so that it always ends."""

RIDGE = 1e-10
"""Added to the diagonal of the correlation: two symbols that hedge each other wholly have a solution, too."""


def equal_risk_contribution(symbols: Sequence[str], lookback: int = 252, weight: float = 1.0) -> Strategy:
    """Make the strategy in which every symbol contributes the same risk; the weights sum to `weight`.

    w_i (S w)_i is the same for every i, S the sample covariance (n - 1) of the last `lookback` daily returns
    C[t] / C[t-1] - 1. A symbol without a bar in each of the last `lookback` + 1 sessions, or whose close
    never moved, has weight 0 and the others share; none left: all cash. Maillard, Roncalli and Teiletche,
    "The Properties of Equally Weighted Risk Contribution Portfolios", Journal of Portfolio Management, 2010.

    Raises:
        ValueError: no symbols, one named twice, `lookback` below 2 sessions, or `weight` not in 0 to 1.
    """
    return covariance_strategy(symbols, lookback, weight, equal_risk_weights)


def equal_risk_weights(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the weights (n,), which sum to 1, of equal risk contribution under an (n, n) covariance.

    Minimises y' C y / 2 - sum_i ln y_i by damped Newton steps, C the correlation; w_i is y_i over the
    volatility, scaled. The function is self-concordant, so each step helps and the minimum is the only one.
    Spinu, "An Algorithm for Computing Risk Parity Weights", 2013; the damping: Nesterov, "Introductory
    Lectures on Convex Optimization", 2004.
    """
    volatility = np.sqrt(np.diag(covariance))
    n = len(volatility)
    correlation = covariance / np.outer(volatility, volatility) + RIDGE * np.eye(n)
    y = np.full(n, np.sqrt(n / max(float(correlation.sum()), 1.0)))
    for _ in range(MOST_STEPS):
        gradient = correlation @ y - 1.0 / y
        step = np.linalg.solve(correlation + np.diag(y**-2.0), gradient)
        decrement = np.sqrt(max(float(gradient @ step), 0.0))
        y = y - (step if decrement < 0.25 else step / (1.0 + decrement))  # noqa: PLR2004 - where it is quadratic
        if decrement < 1e-8:  # noqa: PLR2004 - what is left is its square
            break
    weights: NDArray[np.float64] = y / volatility / np.sum(y / volatility)
    return weights
