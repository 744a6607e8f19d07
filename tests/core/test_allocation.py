from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.allocation import allocate
from trimtab.errors import Halted

UNIVERSE = ("AGG", "SPY", "TLT")


def code(asked: object) -> str:
    with pytest.raises(Halted) as stop:
        allocate(asked, UNIVERSE)
    assert stop.value.seen is not None
    assert stop.value.allowed
    assert stop.value.hint
    return stop.value.code


def test_weights_follow_the_universe() -> None:
    """Weights come in the universe's order, 0 where none was given; {} holds cash."""
    allocation = allocate({"TLT": np.float64(0.4), "AGG": 1 / 3}, UNIVERSE)
    assert allocation.weights.tolist() == [1 / 3, 0.0, 0.4]
    assert allocation.as_dict() == {"AGG": 1 / 3, "SPY": 0.0, "TLT": 0.4}
    assert not allocate({}, UNIVERSE).weights.any()


@pytest.mark.parametrize("asked", [None, [("SPY", 1.0)], 1.0, np.array([1.0])])
def test_no_mapping_halts(asked: object) -> None:
    assert code(asked) == "weights_not_a_mapping"


@pytest.mark.parametrize("symbol", ["QQQ", "spy", "", 1])
def test_a_symbol_outside_the_universe_halts(symbol: object) -> None:
    """Even with weight 0: the rule and the universe disagree."""
    assert code({symbol: 0.0}) == "weight_outside_universe"


@pytest.mark.parametrize("weight", ["0.5", None, True, Decimal("0.5"), [0.5], np.bool_(True), 1j])
def test_what_is_no_number_halts(weight: object) -> None:
    assert code({"SPY": weight}) == "weight_not_a_number"


@pytest.mark.parametrize("weight", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_what_is_not_finite_halts(weight: float) -> None:
    assert code({"SPY": weight}) == "weight_not_finite"


@pytest.mark.parametrize("weight", [-1e-300, -0.1, -1])
def test_a_negative_weight_halts(weight: float) -> None:
    assert code({"SPY": weight}) == "weight_negative"


@pytest.mark.parametrize("total", [1.0, 1 + 1e-12, 1 + 0.9e-9])
def test_a_sum_of_one_but_for_noise_passes(total: float) -> None:
    assert allocate({"SPY": 0.5, "TLT": total - 0.5}, UNIVERSE).weights.sum() > 0


@pytest.mark.parametrize("total", [1 + 1.1e-9, 1.0000001, 2.0, 1e308])
def test_a_sum_above_one_halts(total: float) -> None:
    assert code({"SPY": 0.5, "TLT": total - 0.5}) == "weights_above_one"


def test_a_sum_beyond_all_floats_halts() -> None:
    assert code({"SPY": 1.7e308, "TLT": 1.7e308}) == "weights_above_one"


@given(st.dictionaries(st.sampled_from(UNIVERSE), st.floats()))
def test_only_sound_weights_pass(asked: dict[str, float]) -> None:
    """Whatever floats come: either it halts, or all are finite, at least 0, and sum to at most 1 + 1e-9."""
    try:
        weights = allocate(asked, UNIVERSE).weights
    except Halted:
        sound = all(math.isfinite(w) and w >= 0 for w in asked.values())
        assert not sound or sum(asked.values()) > 1
        return
    assert np.isfinite(weights).all()
    assert (weights >= 0).all()
    assert math.fsum(weights) <= 1 + 1.001e-9
