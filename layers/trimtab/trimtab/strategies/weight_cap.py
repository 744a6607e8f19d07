"""Weight cap: no symbol above a given weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.strategies.checks import checked_flag, checked_part
from trimtab.strategies.overlay import overlay_over

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.core.bars import History, Strategy
    from trimtab.strategies.overlay import Inner


def weight_cap(strategy: Inner, cap: float, redistribute: bool = False) -> Strategy:  # noqa: FBT001, FBT002 - a name in config.json
    """Make the overlay that lowers every weight of `strategy` to `cap`, a fraction of equity.

    The excess stays cash, or, where it is to be redistributed, goes to the other symbols held in
    proportion to their weights, up to `cap` each; what no symbol has room for stays cash. It looks at no
    price. Why a cap lowers the risk of wrong estimates: Jagannathan and Ma, "Risk Reduction in Large
    Portfolios", Journal of Finance, 2003.

    Raises:
        ValueError: `strategy` is none, `cap` is not above 0 and at most 1, or `redistribute` is neither true
            nor false.
    """
    most = checked_part("cap", cap, "a fraction of equity")
    poured = checked_flag("redistribute", redistribute)

    def capped(
        history: History,  # noqa: ARG001 - looks at no price
        names: tuple[str, ...],  # noqa: ARG001 - nor at names
        weights: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        return pour(weights, most) if poured else np.minimum(weights, most)

    return overlay_over(strategy, 1, capped)


def pour(weights: NDArray[np.float64], cap: float) -> NDArray[np.float64]:
    """Give weights of at most `cap` with the same sum, as far as there is room, the uncapped in proportion.

    `weights` is (n,), each above 0. Capping some raises the rest, which may then pass `cap` themselves: at
    most n rounds.
    """
    full = np.zeros(len(weights), dtype=np.bool_)
    shares = weights
    while (shares > cap).any():
        full |= shares > cap
        left = weights.sum() - cap * full.sum()
        if full.all() or left <= 0.0:
            return np.full(len(weights), cap)
        shares = np.where(full, cap, weights * (left / weights[~full].sum()))
    return shares
