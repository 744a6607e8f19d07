"""PAA: protective asset allocation, more in bonds the fewer symbols are above their average."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.strategies.checks import carrying, checked_count, checked_symbols
from trimtab.strategies.measures import SESSIONS_A_YEAR, close_to_average, strongest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.bars import History, Strategy

MOST_PROTECTION = 2


def paa(
    risky: Sequence[str],
    defensive: Sequence[str],
    top_n: int = 6,
    protection: int = 2,
    lookback: int = SESSIONS_A_YEAR,
) -> Strategy:
    """Make the strategy that holds the strongest of `risky`, and in `defensive` what breadth demands.

    Momentum is the last close over the simple average of the last `lookback` closes, the last included, less
    1; 252 sessions stand for 12 months. With n of the N risky symbols above 0, the defensive fraction is
    (N - n) / (N - n1), n1 = `protection` N / 4, at most 1; it is in the strongest of `defensive`. The rest is
    shared equally by the min(n, `top_n`) strongest of `risky`. Equal momentum: the first in alphabetical
    order. A symbol without a bar in each of these sessions counts as fallen and is not held; where no
    defensive symbol is left, that fraction is cash. Keller and Keuning, "Protective Asset Allocation", 2016:
    the defaults are its PAA2 for twelve risky symbols.

    Raises:
        ValueError: no symbols, one named twice, `top_n` not in 1 to the number of risky symbols, `protection`
            not in 0 to 2, or `lookback` below 2 sessions.
    """
    candidates, refuges = checked_symbols(risky, "risky"), checked_symbols(defensive, "defensive")
    places = checked_count("top_n", top_n, 1, len(candidates))
    spared = checked_count("protection", protection, 0, MOST_PROTECTION) * len(candidates) / 4
    sessions = checked_count("lookback", lookback, 2)

    def strategy(history: History, equity: float) -> dict[str, float]:  # noqa: ARG001 - scale-free
        score = close_to_average(history, candidates, sessions) - 1.0
        good = int((score > 0.0).sum())  # NaN, where a bar is missing, is not above 0
        fraction = min(1.0, (len(candidates) - good) / (len(candidates) - spared))
        held = strongest(candidates, score, min(good, places)) if fraction < 1.0 else []
        weights = {name: (1.0 - fraction) / len(held) for name in held}
        if fraction > 0.0:
            for name in strongest(refuges, close_to_average(history, refuges, sessions), 1):
                weights[name] = weights.get(name, 0.0) + fraction
        return weights

    return carrying(strategy, tuple(sorted({*candidates, *refuges})), lookback_sessions=sessions)
