"""Minimum variance: the weights that swung least together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.strategies.checks import scipy_part
from trimtab.strategies.measures import covariance_strategy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from trimtab.core.bars import Strategy


def minimum_variance(symbols: Sequence[str], lookback: int = 252, weight: float = 1.0) -> Strategy:
    """Make the long-only strategy of least variance w' S w; the weights sum to `weight`.

    S is the sample covariance (n - 1) of the last `lookback` daily returns C[t] / C[t-1] - 1. A
    symbol without a bar in each of the last `lookback` + 1 sessions, or whose close never moved, has weight 0
    and the others share; none left: all cash. Markowitz, "Portfolio Selection", Journal of Finance, 1952;
    long-only: Jagannathan and Ma, "Risk Reduction in Large Portfolios", Journal of Finance, 2003.

    Raises:
        ValueError: no symbols, one named twice, `lookback` below 2 sessions, or `weight` not in 0 to 1.
        ImportError: SciPy, from the group `optimize`, is not installed.
    """
    scipy_part("optimize", "minimum_variance")
    return covariance_strategy(symbols, lookback, weight, minimum_variance_weights)


def minimum_variance_weights(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the weights (n,), none negative, which sum to 1, of least variance under an (n, n) covariance.

    With S = A' A the y >= 0 that minimises |A y|^2 + (sum y - 1)^2 is the solution but for its scale:
    non-negative least squares, solved exactly by an active set. Lawson and Hanson, "Solving Least Squares
    Problems", 1974. Where S is singular there may be several; it gives one, the same for the same S.

    Raises:
        ImportError: SciPy, from the group `optimize`, is not installed.
    """
    optimize = scipy_part("optimize", "minimum_variance")
    n = len(covariance)
    values, vectors = np.linalg.eigh(covariance / np.mean(np.diag(covariance)))
    root = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    system = np.vstack([root, np.ones(n)])
    y, _ = optimize.nnls(system, np.append(np.zeros(n), 1.0), maxiter=100 * n)
    weights: NDArray[np.float64] = y / np.sum(y)
    return weights
