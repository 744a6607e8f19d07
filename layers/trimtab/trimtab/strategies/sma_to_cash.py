"""SMA to cash: what fell below its moving average is not held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.strategies.checks import checked_count
from trimtab.strategies.measures import close_to_average
from trimtab.strategies.overlay import overlay_over

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.core.bars import History, Strategy
    from trimtab.strategies.overlay import Inner


def sma_to_cash(strategy: Inner, lookback: int = 200) -> Strategy:
    """Make the overlay that sets to 0 the weight of each symbol whose close is below its moving average.

    The average is the simple one of the last `lookback` closes, the last included; 200 sessions stand for
    10 months. The others keep their weights: what is not held is cash. A symbol without a bar in
    each of these sessions goes to cash, too. Faber, "A Quantitative Approach to Tactical Asset Allocation",
    Journal of Wealth Management, 2007.

    Raises:
        ValueError: `strategy` is none, or `lookback` is below 2 sessions.
    """
    sessions = checked_count("lookback", lookback, 2)

    def filtered(
        history: History, names: tuple[str, ...], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        return np.where(close_to_average(history, names, sessions) >= 1.0, weights, 0.0)

    return overlay_over(strategy, sessions, filtered)
