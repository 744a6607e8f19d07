"""Checks: what every built-in strategy demands of its parameters, and how it says what it needs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trimtab.core.bars import History, Strategy

TOLERANCE = 1e-9
"""How far weights may sum above 1, a fraction of equity: float noise, no leverage."""


def checked_symbols(symbols: Sequence[str], name: str = "symbols") -> tuple[str, ...]:
    """Give `symbols` in ascending order.

    Raises:
        ValueError: there is none, one is no name, or one is named twice.
    """
    if isinstance(symbols, str) or not all(isinstance(symbol, str) and symbol for symbol in symbols):
        raise ValueError(f'{name}: seen {symbols!r}, allowed a list of names such as ["SPY", "TLT"]')
    if not symbols:
        raise ValueError(f"{name}: seen none, allowed one or more")
    twice = sorted({symbol for symbol in symbols if list(symbols).count(symbol) > 1})
    if twice:
        raise ValueError(f"{name}: seen {', '.join(twice)} more than once, allowed each once")
    return tuple(sorted(symbols))


def checked_fraction(name: str, value: float) -> float:
    """Give `value` if it is a fraction of equity, 0 to 1.

    Raises:
        ValueError: it is no number, NaN, negative or above 1.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or math.isnan(value) or not 0.0 <= value <= 1.0 + TOLERANCE:
        raise ValueError(f"{name}: seen {value!r}, allowed a fraction of equity from 0 to 1")
    return float(value)


def checked_count(name: str, value: int, least: int, most: int | None = None) -> int:
    """Give `value` if it is a whole number from `least` to `most`.

    Raises:
        ValueError: it is not.
    """
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        allowed = f"{least} or more" if most is None else f"{least} to {most}"
        raise ValueError(f"{name}: seen {value!r}, allowed a whole number, {allowed}")
    return value


def carrying(
    strategy: Callable[[History, float], dict[str, float]], symbols: tuple[str, ...], lookback_sessions: int
) -> Strategy:
    """Give the same function with the attributes `symbols` and `lookback_sessions`."""
    vars(strategy).update(symbols=symbols, lookback_sessions=lookback_sessions)
    return cast("Strategy", strategy)
