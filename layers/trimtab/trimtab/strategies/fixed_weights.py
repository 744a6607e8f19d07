"""Fixed weights: the same fraction of equity in each symbol, always."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.strategies.checks import TOLERANCE, carrying, checked_fraction, checked_symbols

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.bars import History, Strategy


def fixed_weights(weights: Mapping[str, float]) -> Strategy:
    """Make the strategy that holds `weights`, fractions of equity by symbol; what they leave stays cash.

    It looks at no price, so a missing bar is left to the data gates. Constant-mix rebalancing: Perold and
    Sharpe, "Dynamic Strategies for Asset Allocation", Financial Analysts Journal, 1988.

    Raises:
        ValueError: no weights, a weight that is negative, NaN or above 1, or a sum above 1.
    """
    symbols = checked_symbols(tuple(weights), "weights")
    held = {symbol: checked_fraction(f"weights[{symbol!r}]", weights[symbol]) for symbol in symbols}
    total = sum(held.values())
    if total > 1.0 + TOLERANCE:
        raise ValueError(f"weights: seen a sum of {total:.10g}, allowed at most 1: 60 % is 0.6")

    def strategy(history: History, equity: float) -> dict[str, float]:  # noqa: ARG001 - needs neither
        return dict(held)

    return carrying(strategy, symbols, lookback_sessions=1)
