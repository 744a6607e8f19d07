from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trimtab.core.limits import Execution, Risk

Model = type[Execution] | type[Risk]
KEYS: list[tuple[Model, str]] = [(model, key) for model in (Execution, Risk) for key in model.model_fields]
MAY_BE_ZERO = {"band", "band_relative", "cash_buffer"}
"""Not limits but choices: 0 trades every drift, and keeps no cash back."""
FLAGS = {"cash_flow_first", "fractional", "require_approval"}
WRONG: list[object] = [None, math.nan, math.inf, -math.inf, 0, 0.0, -1, -0.5, -1e-300, "0.1", True, [], {}]


def shaped(key: str, value: object) -> object:
    """Give a value in the place of the key's number: inside a pair or a mapping, where the key has one."""
    if value is None:
        return None
    return {"window": [5, value], "max_order_size_by_symbol": {"SPY": value}}.get(key, value)


def refuses(model: Model, key: str, value: object) -> bool:
    try:
        model.model_validate({key: value})
    except ValidationError:
        return True
    return False


@pytest.mark.parametrize(("model", "key"), KEYS)
@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_what_is_no_limit_is_refused(model: Model, key: str, value: object) -> None:
    """Null, NaN, infinite, zero, negative, or of another type: no limit, no trade. An empty map is absent."""
    fine = key in MAY_BE_ZERO and value == 0 and value is not False
    fine |= key in {"cash_flow_first", "fractional"} and value is True
    assert refuses(model, key, shaped(key, value)) is not fine


@pytest.mark.parametrize(("model", "key"), KEYS)
def test_the_pairs_and_maps_are_judged_inside(model: Model, key: str) -> None:
    """A null or NaN is refused in the file's JSON just as in a mapping, and says which key."""
    for text in ("null", "NaN", "-1"):
        inner = {"window": f"[{text}, 10]", "max_order_size_by_symbol": f'{{"SPY": {text}}}'}.get(key, text)
        with pytest.raises(ValidationError, match=key):
            model.model_validate(json.loads(f'{{"{key}": {inner}}}'))


@given(
    st.sampled_from([key for _, key in KEYS if key not in FLAGS | {"window", "max_order_size_by_symbol"}]),
    st.floats(),
)
def test_only_finite_positive_numbers_are_limits(key: str, value: float) -> None:
    """Whatever float is given, one that is accepted is finite and above 0 (a choice: at least 0)."""
    model = next(model for model, name in KEYS if name == key)
    if not refuses(model, key, value):
        kept: Any = getattr(model.model_validate({key: value}), key)
        assert math.isfinite(kept)
        assert kept > 0 or (key in MAY_BE_ZERO and kept == 0)


@pytest.mark.parametrize(
    "key",
    [
        *("max_order_size", "max_position", "max_exposure", "max_gap", "max_spread", "max_adv_share"),
        *("max_drawdown", "max_equity_move"),
    ],
)
def test_a_fraction_is_at_most_one(key: str) -> None:
    assert not refuses(Risk, key, 1.0)
    assert refuses(Risk, key, 1.0000001)


def test_turnover_may_reach_two() -> None:
    """Everything sold and everything bought."""
    assert not refuses(Risk, "max_turnover", 2.0)
    assert refuses(Risk, "max_turnover", 2.0000001)


@pytest.mark.parametrize(("model", "key"), [(Execution, "bnd"), (Risk, "max_ordersize")])
def test_unknown_keys_are_refused(model: Model, key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        model.model_validate({key: 0.1})


def test_the_defaults_are_the_contracts() -> None:
    """Absent keys take the values that the contract and the safety standard name."""
    assert Execution().model_dump() == {
        "band": 0.005,
        "band_relative": 0.2,
        "min_order_usd": 1.0,
        "cash_buffer": 0.01,
        "cash_flow_first": False,
        "fractional": True,
        "fill_timeout_s": 120.0,
    }
    assert Risk().model_dump() == {
        "max_order_size": 0.2,
        "max_order_size_by_symbol": {},
        "max_order_usd": 1_000_000.0,
        "max_position": None,
        "max_exposure": 1.0,
        "max_turnover": 0.5,
        "max_orders": None,
        "max_requests": None,
        "price_collar": 0.01,
        "max_gap": 0.1,
        "max_spread": 0.01,
        "max_runs_with_orders": 3,
        "max_drawdown": 0.5,
        "max_equity_move": 0.15,
        "window": (5, 10),
        "max_adv_share": 0.01,
        "require_approval": "live",
    }


def test_limits_are_frozen() -> None:
    """What was decided at the start of a run can't be changed in it."""
    with pytest.raises(ValidationError, match="frozen"):
        Risk().max_order_size = 1.0


def test_a_symbols_own_size_rules() -> None:
    risk = Risk(max_order_size=0.2, max_order_size_by_symbol={"SPY": 0.5})
    assert (risk.order_size("SPY"), risk.order_size("TLT")) == (0.5, 0.2)


def test_every_key_is_described() -> None:
    """The schema explains each key to editors."""
    for model, key in KEYS:
        assert model.model_json_schema()["properties"][key].get("description"), key
