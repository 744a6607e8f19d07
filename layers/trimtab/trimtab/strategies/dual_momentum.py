"""Dual momentum: the strongest symbol, while it also beats cash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.strategies.checks import carrying, checked_count, checked_symbol, checked_symbols
from trimtab.strategies.measures import recent_closes, strongest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.bars import History, Strategy


def dual_momentum(
    risky: Sequence[str],
    safe: str | None = None,
    hurdle: str | None = None,
    signal: str | None = None,
    lookback: int = 252,
) -> Strategy:
    """Make the strategy that holds the strongest of `risky` while momentum beats the hurdle, else `safe`.

    Momentum is C[t] / C[t - lookback] - 1, 252 sessions standing for 12 months. The hurdle is the momentum
    of the symbol `hurdle` (Treasury bills), or 0. What must be above it is the strongest symbol's momentum,
    or that of the symbol `signal`. Global Equities Momentum: `risky` SPY and VEU, `safe` BND, `hurdle` BIL,
    `signal` SPY. Equal momentum: the first in alphabetical order. Without a bar at t and t - lookback a
    symbol is not held, beats nothing and is beaten by nothing; where `safe` is not given or has no last
    close, it is all cash instead. Antonacci, "Dual Momentum Investing", 2014; without a signal: "Risk Premia
    Harvesting Through Dual Momentum", Journal of Management and Entrepreneurship, 2017.

    Raises:
        ValueError: no risky symbols, one named twice, another that is no name, or `lookback` below 1 session.
    """
    candidates = checked_symbols(risky, "risky")
    given = {"safe": safe, "hurdle": hurdle, "signal": signal}
    others = {checked_symbol(name, symbol) for name, symbol in given.items() if symbol is not None}
    names = tuple(sorted({*candidates, *others}))
    rows = checked_count("lookback", lookback, 1) + 1
    places = [names.index(name) for name in candidates]

    def strategy(history: History, equity: float) -> dict[str, float]:  # noqa: ARG001 - scale-free
        closes = recent_closes(history, names, rows)
        gain = closes[-1] / closes[0] - 1.0
        of = dict(zip(names, gain.tolist(), strict=True))
        best = strongest(candidates, gain[places], 1)
        bar = 0.0 if hurdle is None else of[hurdle]
        if best and of[best[0] if signal is None else signal] > bar:  # NaN is not above it, nor beaten
            return {best[0]: 1.0}
        known = safe is not None and closes[-1, names.index(safe)] > 0.0
        return {safe: 1.0} if safe is not None and known else {}

    return carrying(strategy, names, lookback_sessions=rows)
