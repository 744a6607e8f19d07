"""Trimtab keeps a portfolio at its target weights on Alpaca: unattended, exactly once, explained."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab import strategies
    from trimtab.adapters.files import read_bars
    from trimtab.backtesting import backtest
    from trimtab.core.bars import Bars, History

__version__ = "0.1.0"

__all__ = ["Bars", "History", "backtest", "read_bars", "strategies"]

_HOMES = {
    "Bars": "core.bars",
    "History": "core.bars",
    "backtest": "backtesting",
    "read_bars": "adapters.files",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for: a run does not pay for what it does not use."""
    if name == "strategies":
        return import_module("trimtab.strategies")
    if name in _HOMES:
        return getattr(import_module(f"trimtab.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'trimtab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
