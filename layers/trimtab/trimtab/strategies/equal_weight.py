"""Equal weight: 1/n of equity in each of n symbols."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.strategies.checks import carrying, checked_symbols

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.bars import History, Strategy


def equal_weight(symbols: Sequence[str]) -> Strategy:
    """Make the strategy that holds each of n symbols at w = 1 / n of equity.

    It looks at no price, so a missing bar is left to the data gates. DeMiguel, Garlappi and Uppal,
    "Optimal Versus Naive Diversification", Review of Financial Studies, 2009.

    Raises:
        ValueError: no symbols, or one named twice.
    """
    names = checked_symbols(symbols)
    share = 1.0 / len(names)

    def strategy(history: History, equity: float) -> dict[str, float]:  # noqa: ARG001 - needs neither
        return dict.fromkeys(names, share)

    return carrying(strategy, names, lookback_sessions=1)
