"""Strategies: pure functions made by factories, from past bars and equity to target weights."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from trimtab.core.bars import Strategy
from trimtab.strategies.equal_weight import equal_weight
from trimtab.strategies.fixed_weights import fixed_weights
from trimtab.strategies.inverse_volatility import inverse_volatility
from trimtab.strategies.momentum import momentum

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["BUILT_IN", "Strategy", "equal_weight", "fixed_weights", "inverse_volatility", "momentum"]

BUILT_IN: Mapping[str, Callable[..., Strategy]] = MappingProxyType(
    {
        "equal_weight": equal_weight,
        "fixed_weights": fixed_weights,
        "inverse_volatility": inverse_volatility,
        "momentum": momentum,
    }
)
"""The factories by the name that `strategy.name` gives them."""
