"""DAA: defensive asset allocation, warned by canaries that it need not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.strategies.checks import checked_symbols
from trimtab.strategies.vaa import breadth_strategy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.bars import Strategy


def daa(
    risky: Sequence[str],
    defensive: Sequence[str],
    canary: Sequence[str] = ("BND", "VWO"),
    top_n: int = 6,
    breadth: int = 2,
) -> Strategy:
    """Make the strategy that holds the `top_n` strongest of `risky`, and defends as canaries fall.

    As `vaa`, but b counts the symbols of `canary` whose 13612W momentum is 0 or below: a fraction
    b / `breadth`, rounded down to a multiple of 1 / `top_n` and at most 1, is in the strongest of
    `defensive`. A symbol may stand in several of the three lists: its weights add up. A canary needs bars and
    so is in the universe, but has weight only where it is in another list. Keller and Keuning, "Breadth
    Momentum and the Canary Universe: Defensive Asset Allocation", 2018: the defaults are its G12, for
    twelve risky symbols.

    Raises:
        ValueError: no symbols, one named twice in a list, `top_n` not in 1 to the number of risky symbols, or
            `breadth` not in 1 to the number of canaries.
    """
    return breadth_strategy(
        checked_symbols(risky, "risky"),
        checked_symbols(defensive, "defensive"),
        checked_symbols(canary, "canary"),
        top_n,
        breadth,
    )
