"""Hierarchical risk parity: symbols that move together share one place, halves weigh by 1 / variance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.strategies.checks import scipy_part
from trimtab.strategies.measures import covariance_strategy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from trimtab.core.bars import Strategy


def hierarchical_risk_parity(symbols: Sequence[str], lookback: int = 252, weight: float = 1.0) -> Strategy:
    """Make the strategy of hierarchical risk parity; the weights sum to `weight`.

    It orders the symbols by single-linkage clusters of sqrt((1 - r) / 2), r the correlation, then halves
    the order again and again: each half gets weight in inverse proportion to the variance of its own
    inverse-variance portfolio. Sample covariance (n - 1) of the last `lookback` daily returns
    C[t] / C[t-1] - 1. A symbol without a bar in each of the last `lookback` + 1 sessions, or whose close
    never moved, has weight 0 and the others share; none left: all cash. Lopez de Prado, "Building
    Diversified Portfolios that Outperform Out of Sample", Journal of Portfolio Management, 2016, except
    that the paper clusters by the Euclidean distance between the columns of that matrix of distances. Here
    the distances themselves are clustered, as in PyPortfolioOpt; the order, and so the weights, can differ.

    Raises:
        ValueError: no symbols, one named twice, `lookback` below 2 sessions, or `weight` not in 0 to 1.
        ImportError: SciPy, from the group `optimize`, is not installed.
    """
    scipy_part("cluster.hierarchy", "hierarchical_risk_parity")
    return covariance_strategy(symbols, lookback, weight, hierarchical_risk_weights)


def hierarchical_risk_weights(
    covariance: NDArray[np.float64], correlation: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Give the weights (n,), which sum to 1, of hierarchical risk parity under an (n, n) covariance.

    `correlation` is for estimates that do not follow from the covariance, such as over pairs of unequal
    history. Where a cluster's two branches come first or second follows from the order of the symbols, and
    so do, as in the paper, the halves.

    Raises:
        ImportError: SciPy, from the group `optimize`, is not installed.
    """
    order = _clustered(_correlation(covariance) if correlation is None else correlation)
    weights = np.ones(len(covariance))
    parts = [order]
    while parts:
        part = parts.pop()
        if len(part) > 1:
            left, right = part[: len(part) // 2], part[len(part) // 2 :]
            share = _left_share(_variance(covariance, left), _variance(covariance, right))
            weights[left] *= share
            weights[right] *= 1.0 - share
            parts += [left, right]
    return weights


def _correlation(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    volatility = np.sqrt(np.diag(covariance))
    correlation: NDArray[np.float64] = covariance / np.outer(volatility, volatility)
    return correlation


def _clustered(correlation: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give the places 0 to n - 1 in the order of the clusters' leaves, by the distances themselves."""
    hierarchy = scipy_part("cluster.hierarchy", "hierarchical_risk_parity")
    n = len(correlation)
    if n == 1:
        return np.zeros(1, dtype=np.int64)
    distance = np.sqrt(np.clip((1.0 - correlation) / 2.0, 0.0, 1.0))
    links = hierarchy.linkage(distance[np.triu_indices(n, 1)], "single")
    order: NDArray[np.int64] = np.asarray(hierarchy.leaves_list(links), dtype=np.int64)
    return order


def _variance(covariance: NDArray[np.float64], part: NDArray[np.int64]) -> float:
    """Give the variance of the inverse-variance portfolio of some symbols."""
    inner = covariance[np.ix_(part, part)]
    inverse = 1.0 / np.diag(inner)
    weights = inverse / inverse.sum()
    return max(float(weights @ inner @ weights), 0.0)


def _left_share(left: float, right: float) -> float:
    """Give the left half's share, by 1 / variance; half each where neither has any."""
    return right / (left + right) if left + right > 0.0 else 0.5
