"""Deflated Sharpe ratio: how likely a Sharpe ratio is true, when it was the best of many that were tried.

Source: Bailey and López de Prado, "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest
Overfitting, and Non-Normality", J. of Portfolio Management 40(5), 2014, 94-107. Sharpe ratios are those of
one period (here a day), not annualised, against a rate of 0.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

__all__ = ["deflated_sharpe", "expected_maximum", "probable_sharpe"]

EULER_MASCHERONI = float(np.euler_gamma)
_NORMAL = NormalDist()


def expected_maximum(trials: int, variance: float) -> float:
    """Give the Sharpe ratio that the best of so many tries without any skill is expected to show.

    `variance` is that of the ratios across the tries. With one try it is 0. SR0 in the paper, equation 2:

        SR0 = sqrt(V) ((1 - g) Z^-1(1 - 1/N) + g Z^-1(1 - 1/(N e))), g the Euler-Mascheroni constant.

    Raises:
        ValueError: no try, or a negative variance.
    """
    if trials < 1 or variance < 0:
        raise ValueError(f"{trials} trials with a variance of {variance}")
    if trials == 1:
        return 0.0
    highest = _NORMAL.inv_cdf(1 - 1 / trials)
    beyond = _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - EULER_MASCHERONI) * highest + EULER_MASCHERONI * beyond)


def probable_sharpe(sharpe: float, against: float, returns: int, skewness: float, kurtosis: float) -> float:
    """Give the probability, 0 to 1, that the true Sharpe ratio lies above `against`.

    From so many returns, of this skewness and kurtosis (3 for a normal distribution). Bailey and López de
    Prado, "The Sharpe Ratio Efficient Frontier", J. of Risk 15(2), 2012:

        Z((SR - SR*) sqrt(n - 1) / sqrt(1 - skewness SR + (kurtosis - 1) / 4 SR^2)).

    Raises:
        ValueError: fewer than two returns.
    """
    if returns < 2:  # noqa: PLR2004 - one return has no deviation
        raise ValueError(f"{returns} returns")
    # Pearson: kurtosis >= skewness^2 + 1, so that the square is 0 or more but for rounding.
    square = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2
    distance = (sharpe - against) * math.sqrt(returns - 1)
    if square <= 0:
        return 1.0 if distance > 0 else 0.0
    return _NORMAL.cdf(distance / math.sqrt(square))


def deflated_sharpe(
    sharpe: float, returns: int, skewness: float, kurtosis: float, *, trials: int, variance: float
) -> float:
    """Give the probability, 0 to 1, that the best of `trials` has a Sharpe ratio above luck's best.

    Raises:
        ValueError: as `expected_maximum` and `probable_sharpe`.
    """
    return probable_sharpe(sharpe, expected_maximum(trials, variance), returns, skewness, kurtosis)
