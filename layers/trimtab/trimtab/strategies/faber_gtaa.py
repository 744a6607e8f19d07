"""Faber GTAA: an equal share of each symbol, held only while it is above its moving average."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.strategies.checks import carrying, checked_count, checked_symbol, checked_symbols
from trimtab.strategies.measures import close_to_average, recent_closes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.bars import History, Strategy


def faber_gtaa(symbols: Sequence[str], lookback: int = 200, safe: str | None = None) -> Strategy:
    """Make the strategy that holds each of n symbols at 1 / n while its close is above its moving average.

    The average is the simple one of the last `lookback` closes, the last included; 200 sessions stand for
    10 months. The shares of the others, and of a symbol without a bar in each of these sessions, are in the
    symbol `safe`, or in cash where none is given or it has no last close. Faber, "A Quantitative Approach to
    Tactical Asset Allocation", Journal of Wealth Management, 2007: five asset classes, decided monthly.

    Raises:
        ValueError: no symbols, one named twice, `lookback` below 2 sessions, or `safe` is no name.
    """
    names = checked_symbols(symbols)
    sessions = checked_count("lookback", lookback, 2)
    refuge = () if safe is None else (checked_symbol("safe", safe),)

    def strategy(history: History, equity: float) -> dict[str, float]:  # noqa: ARG001 - scale-free
        above = close_to_average(history, names, sessions) > 1.0
        weights = {name: 1.0 / len(names) for name, held in zip(names, above, strict=True) if held}
        left = (len(names) - len(weights)) / len(names)
        for name in refuge:
            if left > 0.0 and recent_closes(history, refuge, 1)[0, 0] > 0.0:
                weights[name] = weights.get(name, 0.0) + left
        return weights

    return carrying(strategy, tuple(sorted({*names, *refuge})), lookback_sessions=sessions)
