"""Volatility target: less of everything where the portfolio swings more than was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.strategies.checks import checked_count, checked_part
from trimtab.strategies.measures import SESSIONS_A_YEAR, recent_returns
from trimtab.strategies.overlay import overlay_over

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.core.bars import History, Strategy
    from trimtab.strategies.overlay import Inner


def volatility_target(strategy: Inner, target: float, lookback: int = 63) -> Strategy:
    """Make the overlay that scales all weights of `strategy` by min(1, `target` / s), the rest cash.

    s is the volatility that these weights would have had, kept constant, over the last `lookback` sessions:
    the sample standard deviation (n - 1) of sum_i w_i r_i, r the daily returns C[t] / C[t-1] - 1, times the
    square root of 252; `target`, too, is a fraction a year: 0.1 is 10 %. It never adds to a weight, so what
    `strategy` left in cash stays there. A symbol without a bar in each of the last `lookback` + 1 sessions
    goes to cash. Moreira and Muir, "Volatility-Managed Portfolios", Journal of Finance, 2017; for a target:
    Harvey et al., "The Impact of Volatility Targeting", Journal of Portfolio Management, 2018.

    Raises:
        ValueError: `strategy` is none, `target` is not above 0 and at most 1, or `lookback` is below 2.
    """
    meant = checked_part("target", target, "a volatility as a fraction a year")
    sessions = checked_count("lookback", lookback, 2)

    def scaled(history: History, names: tuple[str, ...], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        returns = recent_returns(history, names, sessions)
        known = ~np.isnan(returns).any(axis=0)
        kept = np.where(known, weights, 0.0)
        daily = np.std(returns[:, known] @ weights[known], ddof=1)
        volatility = daily * np.sqrt(SESSIONS_A_YEAR)
        return kept * (meant / volatility) if volatility > meant else kept

    return overlay_over(strategy, sessions + 1, scaled)
