"""Strategies: pure functions made by factories, from past bars and equity to target weights."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from trimtab.core.bars import Strategy
from trimtab.strategies.daa import daa
from trimtab.strategies.dual_momentum import dual_momentum
from trimtab.strategies.equal_risk_contribution import equal_risk_contribution
from trimtab.strategies.equal_weight import equal_weight
from trimtab.strategies.faber_gtaa import faber_gtaa
from trimtab.strategies.fixed_weights import fixed_weights
from trimtab.strategies.hierarchical_risk_parity import hierarchical_risk_parity
from trimtab.strategies.inverse_volatility import inverse_volatility
from trimtab.strategies.minimum_variance import minimum_variance
from trimtab.strategies.momentum import momentum
from trimtab.strategies.paa import paa
from trimtab.strategies.sma_to_cash import sma_to_cash
from trimtab.strategies.vaa import vaa
from trimtab.strategies.volatility_target import volatility_target
from trimtab.strategies.weight_cap import weight_cap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "BUILT_IN",
    "Strategy",
    "daa",
    "dual_momentum",
    "equal_risk_contribution",
    "equal_weight",
    "faber_gtaa",
    "fixed_weights",
    "hierarchical_risk_parity",
    "inverse_volatility",
    "minimum_variance",
    "momentum",
    "paa",
    "sma_to_cash",
    "vaa",
    "volatility_target",
    "weight_cap",
]

BUILT_IN: Mapping[str, Callable[..., Strategy]] = MappingProxyType(
    {
        "daa": daa,
        "dual_momentum": dual_momentum,
        "equal_risk_contribution": equal_risk_contribution,
        "equal_weight": equal_weight,
        "faber_gtaa": faber_gtaa,
        "fixed_weights": fixed_weights,
        "hierarchical_risk_parity": hierarchical_risk_parity,
        "inverse_volatility": inverse_volatility,
        "minimum_variance": minimum_variance,
        "momentum": momentum,
        "paa": paa,
        "sma_to_cash": sma_to_cash,
        "vaa": vaa,
        "volatility_target": volatility_target,
        "weight_cap": weight_cap,
    }
)
"""The factories by the name that `strategy.name` gives them."""
