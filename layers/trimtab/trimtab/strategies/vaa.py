"""VAA: vigilant asset allocation, out of the market as soon as some of it weakens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.strategies.checks import carrying, checked_count, checked_symbols
from trimtab.strategies.measures import SESSIONS_A_MONTH, momentum_13612w, strongest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.bars import History, Strategy


def vaa(risky: Sequence[str], defensive: Sequence[str], top_n: int = 1, breadth: int = 1) -> Strategy:
    """Make the strategy that holds the `top_n` strongest of `risky`, and defends as their breadth falls.

    Strength is 13612W momentum: (12 r1 + 4 r3 + 2 r6 + r12) / 4, the returns of the last 1, 3, 6 and 12
    months, a month being 21 sessions. With b of `risky` at 0 or below, a fraction b / `breadth`, rounded down
    to a multiple of 1 / `top_n` and at most 1, is in the strongest of `defensive`; the rest is in the
    strongest of `risky` at 1 / `top_n` each, whatever their sign. Equal momentum: the first in alphabetical
    order. A symbol without one of its five bars counts as fallen and is not held; a place that nothing fills
    is cash. Keller and Keuning, "Breadth Momentum and Vigilant Asset Allocation", 2017: the defaults are its
    G4, of SPY, EFA, EEM and AGG, with LQD, IEF and SHY to defend.

    Raises:
        ValueError: no symbols, one named twice in a list, or `top_n` or `breadth` not in 1 to the number of
            risky symbols.
    """
    names = checked_symbols(risky, "risky")
    return breadth_strategy(names, checked_symbols(defensive, "defensive"), names, top_n, breadth)


def breadth_strategy(
    risky: tuple[str, ...], defensive: tuple[str, ...], canary: tuple[str, ...], top_n: int, breadth: int
) -> Strategy:
    """Make the strategy that defends as the breadth of `canary` falls; each is ascending.

    Raises:
        ValueError: `top_n` not in 1 to the number of risky symbols, or `breadth` of canaries.
    """
    places = checked_count("top_n", top_n, 1, len(risky))
    all_fallen = checked_count("breadth", breadth, 1, len(canary))
    names = tuple(sorted({*risky, *defensive, *canary}))
    of_risky, of_defensive, of_canary = (
        [names.index(name) for name in group] for group in (risky, defensive, canary)
    )

    def strategy(history: History, equity: float) -> dict[str, float]:  # noqa: ARG001 - scale-free
        score = momentum_13612w(history, names)
        fallen = int(np.count_nonzero(~(score[of_canary] > 0.0)))  # NaN, where a bar is missing, has fallen
        defended = min(places, fallen * places // all_fallen)
        held = strongest(risky, score[of_risky], places - defended)
        weights = dict.fromkeys(held, 1.0 / places)
        if defended:
            for name in strongest(defensive, score[of_defensive], 1):
                weights[name] = weights.get(name, 0.0) + defended / places
        return weights

    return carrying(strategy, names, lookback_sessions=12 * SESSIONS_A_MONTH + 1)
