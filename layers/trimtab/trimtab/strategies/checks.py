"""Checks: what every built-in strategy demands of its parameters, and how it says what it needs."""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

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


def checked_symbol(name: str, value: str) -> str:
    """Give `value` if it is a symbol's name.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, str) or not value:
        raise ValueError(f'{name}: seen {value!r}, allowed a name such as "BIL"')
    return value


def checked_fraction(name: str, value: float) -> float:
    """Give `value` if it is a fraction of equity, 0 to 1.

    Raises:
        ValueError: it is no number, NaN, negative or above 1.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or math.isnan(value) or not 0.0 <= value <= 1.0 + TOLERANCE:
        raise ValueError(f"{name}: seen {value!r}, allowed a fraction of equity from 0 to 1: 60 % is 0.6")
    return float(value)


def checked_part(name: str, value: float, what: str) -> float:
    """Give `value` if it is above 0 and at most 1; `what` says in a refusal what it is a part of.

    Raises:
        ValueError: it is no number, NaN, 0, negative or above 1.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0.0 < value <= 1.0:
        raise ValueError(f"{name}: seen {value!r}, allowed {what}, above 0 and at most 1")
    return float(value)


def checked_flag(name: str, value: bool) -> bool:  # noqa: FBT001 - it is what is checked
    """Give `value` if it is true or false.

    Raises:
        ValueError: it is neither.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name}: seen {value!r}, allowed true or false")  # noqa: TRY004 - as every refusal
    return value


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


def scipy_part(part: str, strategy: str) -> ModuleType:
    """Give a part of SciPy, such as `optimize`, imported when a strategy first needs it.

    Raises:
        ImportError: SciPy is not installed; the message says what installs it.
    """
    try:
        return importlib.import_module(f"scipy.{part}")
    except ImportError as cause:
        raise ImportError(f"{strategy} needs SciPy: pip install 'trimtab[optimize]'", name="scipy") from cause
