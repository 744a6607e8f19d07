"""Overlays: what each does to another strategy's weights, and how config.json names that other strategy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.histories import history, series, walk
from trimtab.adapters.strategy_loader import resolve
from trimtab.errors import Halted, Misconfigured
from trimtab.strategies import (
    BUILT_IN,
    equal_weight,
    fixed_weights,
    momentum,
    sma_to_cash,
    volatility_target,
    weight_cap,
)
from trimtab.strategies.weight_cap import pour

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.core.bars import History, Strategy
    from trimtab.strategies.overlay import Inner

ABC = ("A", "B", "C")
EQUAL = {"name": "equal_weight", "params": {"symbols": ["A", "B"]}}


def swings(step: float, n: int) -> list[float]:
    """Give n + 1 closes whose daily returns are +step and -step in turn."""
    closes = [100.0]
    for i in range(n):
        closes.append(closes[-1] * (1 + step * (-1) ** i))
    return closes


def test_volatility_target_by_hand() -> None:
    """Four returns of +-1 % have a deviation of 1.1547 %, 18.33 % a year: a target of 10 % takes 0.5455."""
    strategy = volatility_target(fixed_weights({"A": 1.0}), target=0.1, lookback=4)
    volatility = 0.01 * np.sqrt(4 / 3) * np.sqrt(252)
    assert volatility == pytest.approx(0.183303)
    assert strategy(series({"A": swings(0.01, 4)}), 1e5) == pytest.approx({"A": 0.1 / volatility})
    assert (strategy.symbols, strategy.lookback_sessions) == (("A",), 5)


def test_volatility_target_measures_the_weights_together() -> None:
    """Two symbols that cancel each other out do not swing: nothing is taken off."""
    closes = {"A": swings(0.02, 8), "B": swings(-0.02, 8)}
    strategy = volatility_target(equal_weight(["A", "B"]), target=0.05, lookback=8)
    assert strategy(series(closes), 1e5) == {"A": 0.5, "B": 0.5}


def test_volatility_target_never_adds() -> None:
    """A calm portfolio keeps its weights, and what the strategy left in cash stays there."""
    strategy = volatility_target(fixed_weights({"A": 0.3}), target=0.5, lookback=8)
    assert strategy(series({"A": swings(0.001, 8)}), 1e5) == {"A": 0.3}


def test_volatility_target_drops_what_it_can_not_measure() -> None:
    """A symbol with a missing bar goes to cash; the swings are those of the others."""
    closes = {"A": swings(0.01, 4), "B": [*swings(0.05, 4)[:2], np.nan, 1.0, 1.0]}
    strategy = volatility_target(equal_weight(["A", "B"]), target=0.05, lookback=4)
    expected = 0.5 * 0.05 / (0.5 * 0.01 * np.sqrt(4 / 3) * np.sqrt(252))
    assert strategy(series(closes), 1e5) == pytest.approx({"A": expected})
    assert strategy(history(np.full((5, 2), np.nan), ("A", "B")), 1e5) == {}


@given(seed=st.integers(0, 10_000), target=st.floats(0.01, 1.0), lookback=st.integers(2, 60))
@settings(max_examples=50, deadline=None)
def test_volatility_target_is_met_or_all_is_kept(seed: int, target: float, lookback: int) -> None:
    """The scaled weights' volatility over the lookback is the target, or less where nothing was scaled."""
    closes = walk(80, 3, seed)
    weights = volatility_target(equal_weight(ABC), target, lookback)(history(closes, ABC), 1e5)
    recent = closes[-lookback - 1 :]
    portfolio = (recent[1:] / recent[:-1] - 1.0) @ [weights[s] for s in ABC]
    volatility = np.std(portfolio, ddof=1) * np.sqrt(252)
    assert volatility <= target * (1 + 1e-9)
    assert volatility == pytest.approx(target) or weights == pytest.approx(dict.fromkeys(ABC, 1 / 3))


def test_sma_to_cash_by_hand() -> None:
    """3 is above the mean of 1, 2, 3; 1 is below that of 3, 2, 1; 2 is at that of 2, 2, 2 and stays."""
    closes = {"A": [9, 1, 2, 3], "B": [0.1, 3, 2, 1], "C": [5, 2, 2, 2]}
    strategy = sma_to_cash(fixed_weights({"A": 0.5, "B": 0.3, "C": 0.2}), lookback=3)
    assert strategy(series(closes), 1e5) == {"A": 0.5, "C": 0.2}
    assert (strategy.symbols, strategy.lookback_sessions) == (ABC, 3)


def test_sma_to_cash_drops_what_it_can_not_measure() -> None:
    """A missing bar, or too short a history, is no average: cash."""
    strategy = sma_to_cash(equal_weight(["A", "B"]), lookback=3)
    assert strategy(series({"A": [1, np.nan, 3], "B": [1, 2, 3]}), 1e5) == {"B": 0.5}
    assert strategy(series({"A": [1, 2], "B": [1, 2]}), 1e5) == {}


def test_sma_to_cash_keeps_a_still_price_whatever_it_is() -> None:
    """Float noise in a mean decides nothing: a price that never moved is at its average."""
    strategy = sma_to_cash(equal_weight(["A"]), lookback=199)
    for price in (0.1, 1 / 3, 7.77, 123.456):
        assert strategy(history(np.full((200, 1), price), ("A",)), 1e5) == {"A": 1.0}


def test_weight_cap_leaves_the_excess_in_cash() -> None:
    """0.5 and 0.3 capped at 0.25 leave 0.3 more cash."""
    strategy = weight_cap(fixed_weights({"A": 0.5, "B": 0.3, "C": 0.2}), cap=0.25)
    assert strategy(history(walk(2, 3), ABC), 1e5) == {"A": 0.25, "B": 0.25, "C": 0.2}
    assert (strategy.symbols, strategy.lookback_sessions) == (ABC, 1)


def test_weight_cap_redistributes_in_proportion() -> None:
    """0.6 capped at 0.4 frees 0.2 for 0.3 and 0.1, 3 to 1; 0.3 + 0.15 is above 0.4, so 0.1 has the rest."""
    strategy = weight_cap(fixed_weights({"A": 0.6, "B": 0.3, "C": 0.1}), cap=0.4, redistribute=True)
    assert strategy(history(walk(2, 3), ABC), 1e5) == pytest.approx({"A": 0.4, "B": 0.4, "C": 0.2})
    roomy = weight_cap(fixed_weights({"A": 0.6, "B": 0.2, "C": 0.2}), cap=0.5, redistribute=True)
    assert roomy(history(walk(2, 3), ABC), 1e5) == pytest.approx({"A": 0.5, "B": 0.25, "C": 0.25})
    tight = weight_cap(fixed_weights({"A": 0.6, "B": 0.4}), cap=0.3, redistribute=True)
    assert tight(history(walk(2, 3), ABC), 1e5) == {"A": 0.3, "B": 0.3}


@given(weights=st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=20), cap=st.floats(0.01, 1.0))
@settings(max_examples=200, deadline=None)
def test_pour_fills_up_to_the_cap_and_keeps_order(weights: list[float], cap: float) -> None:
    """No share passes the cap, the sum is kept as far as there is room, and a larger weight stays so."""
    given_weights = np.array(weights) / max(1.0, sum(weights))
    poured = pour(given_weights, cap)
    assert (poured <= cap).all()
    assert poured.sum() == pytest.approx(min(given_weights.sum(), cap * len(weights)))
    order = np.argsort(given_weights, kind="stable")
    assert (np.diff(poured[order]) >= -1e-12).all()
    free = poured < cap * (1 - 1e-9)
    ratio = poured[free] / given_weights[free]
    assert ratio == pytest.approx(np.full(len(ratio), ratio.max(initial=1.0)))


def test_overlays_compose() -> None:
    """Of A 0.5, B 0.3, C 0.2: B is below its average, then A is capped; both lookbacks are asked for."""
    inner = fixed_weights({"A": 0.5, "B": 0.3, "C": 0.2})
    strategy = weight_cap(sma_to_cash(inner, lookback=3), cap=0.4)
    assert strategy(series({"A": [1, 2, 3], "B": [3, 2, 1], "C": [1, 2, 3]}), 1e5) == {"A": 0.4, "C": 0.2}
    assert strategy.lookback_sessions == 3
    assert sma_to_cash(momentum(ABC, 1), lookback=3).lookback_sessions == 253


def test_an_overlay_takes_any_function() -> None:
    """A function that says nothing of itself sees all there is, and counts as 400 sessions."""
    seen = []

    def own(history: History, equity: float) -> dict[str, float]:
        seen.append((len(history.sessions), equity))
        return {"A": 1.0}

    strategy = sma_to_cash(own, lookback=3)
    assert strategy(history(walk(500, 1), ("A",)), 7.0).keys() <= {"A"}
    assert seen == [(500, 7.0)]
    assert (strategy.symbols, strategy.lookback_sessions) == ((), 400)


def test_a_strategy_under_an_overlay_sees_what_it_asked_for() -> None:
    """However long the overlay's own lookback, the strategy's history is as long as without it."""
    closes = walk(30, 1)

    def own(history: History, equity: float) -> dict[str, float]:  # noqa: ARG001 - it only looks
        assert (history.close == closes[-5:]).all()
        assert len(history.sessions) == len(history.open) == len(history.volume) == 5
        return {"A": 1.0}

    own.lookback_sessions = 5  # type: ignore[attr-defined]  # a function says so what it needs
    assert sma_to_cash(own, lookback=20).lookback_sessions == 20
    sma_to_cash(own, lookback=20)(history(closes, ("A",)), 1e5)


@pytest.mark.parametrize(
    ("weights", "code"),
    [
        ({"A": float("nan")}, "weight_not_finite"),
        ({"A": -0.1}, "weight_negative"),
        ({"A": 0.7, "B": 0.7}, "weights_above_one"),
        ({"Z": 0.1}, "weight_outside_universe"),
        (None, "weights_not_a_mapping"),
    ],
)
@pytest.mark.parametrize(
    "overlay",
    [
        lambda inner: weight_cap(inner, 0.3),
        lambda inner: volatility_target(inner, 0.1, 5),
        lambda inner: sma_to_cash(inner, 5),
    ],
)
def test_an_overlay_hides_no_fault(overlay: Callable[..., Strategy], weights: object, code: str) -> None:
    """Weights that would be refused are refused, not capped or scaled until they pass."""
    with pytest.raises(Halted) as refused:
        overlay(lambda history, equity: weights)(history(walk(10, 2), ("A", "B")), 1e5)  # noqa: ARG005 - a fixed answer
    assert refused.value.code == code


def test_nested_json_is_the_same_as_python() -> None:
    """Names and params, as config.json has them, make what the factories make, at any depth."""
    nested = json.loads(
        """{"strategy": {"name": "volatility_target", "params": {"target": 0.1, "lookback": 20, "strategy":
           {"name": "sma_to_cash", "params": {"lookback": 30, "strategy":
           {"name": "fixed_weights", "params": {"weights": {"A": 0.6, "B": 0.4}}}}}}}, "cap": 0.3}"""
    )
    loaded = resolve("weight_cap", nested, Path(), BUILT_IN)
    direct = weight_cap(
        volatility_target(sma_to_cash(fixed_weights({"A": 0.6, "B": 0.4}), 30), target=0.1, lookback=20),
        cap=0.3,
    )
    for seed in range(5):
        past = history(walk(50, 2, seed), ("A", "B"))
        assert loaded(past, 1e5) == direct(past, 1e5)
    assert (loaded.symbols, loaded.lookback_sessions, loaded.least_history) == (("A", "B"), 30, 30)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("equal_weight", "strategy: seen 'equal_weight', allowed a strategy, or such as"),
        ({"params": {}}, "strategy: seen .*allowed a strategy"),
        ({**EQUAL, "cap": 0.1}, "strategy: seen .*'cap'.*allowed a strategy"),
        (
            {"name": "equl_weight"},
            r"strategy.name: seen 'equl_weight' \(did you mean 'equal_weight'\?\), allowed ",
        ),
        ({"name": 3}, "strategy.name: seen 3, allowed daa, dual_momentum, equal_risk"),
        (
            {"name": "mine:best", "params": {}},
            "strategy.name: seen 'mine:best', allowed a built-in strategy; compose your own in Python",
        ),
        (
            {"name": "equal_weight", "params": [1]},
            r"strategy.params: seen \[1\], allowed its parameters by name",
        ),
        ({"name": "equal_weight"}, "strategy.params: seen none .missing .*'symbols'.*, allowed symbols"),
        (
            {"name": "momentum", "params": {"symbols": ["A"], "topn": 1}},
            "strategy.params: seen symbols, topn .*, allowed symbols, top_n, lookback, skip",
        ),
        (
            {"name": "equal_weight", "params": {"symbols": []}},
            "strategy.params.symbols: seen none, allowed one",
        ),
        (
            {"name": "weight_cap", "params": {"strategy": {"name": "mine:best"}, "cap": 0.1}},
            "strategy.params.strategy.name: seen 'mine:best', allowed a built-in strategy",
        ),
    ],
)
def test_a_nested_strategy_is_refused_with_seen_and_allowed(strategy: Inner, message: str) -> None:
    """What names no strategy says where it stands, what was seen and what is allowed."""
    for overlay in (
        lambda: weight_cap(strategy, 0.5),
        lambda: volatility_target(strategy, 0.1),
        lambda: sma_to_cash(strategy),
    ):
        with pytest.raises(ValueError, match=message):
            overlay()


def test_a_nested_refusal_reaches_the_owner() -> None:
    """The loader passes on what was seen and allowed, under the path in params."""
    params: dict[str, object] = {"strategy": {"name": "mine:best"}, "cap": 0.5}
    with pytest.raises(Misconfigured) as refused:
        resolve("weight_cap", params, Path(), BUILT_IN)
    assert refused.value.message == "the params of weight_cap are refused: strategy.name"
    assert refused.value.allowed == "a built-in strategy; compose your own in Python"


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        (
            "volatility_target",
            {"target": 0},
            "target: seen 0, allowed a volatility as a fraction a year, above 0",
        ),
        ("volatility_target", {"target": 10}, "target: seen 10, .* at most 1"),
        ("volatility_target", {"target": float("nan")}, "target: seen nan"),
        ("volatility_target", {"target": True}, "target: seen True"),
        (
            "volatility_target",
            {"target": 0.1, "lookback": 1},
            "lookback: seen 1, allowed a whole number, 2 or",
        ),
        ("sma_to_cash", {"lookback": 1}, "lookback: seen 1, allowed a whole number, 2 or more"),
        ("weight_cap", {"cap": 0.0}, "cap: seen 0.0, allowed a fraction of equity, above 0 and at most 1"),
        ("weight_cap", {"cap": 1.01}, "cap: seen 1.01"),
        ("weight_cap", {"cap": "half"}, "cap: seen 'half'"),
        ("weight_cap", {"cap": 0.1, "redistribute": 1}, "redistribute: seen 1, allowed true or false"),
    ],
)
def test_parameters_are_refused_with_seen_and_allowed(
    name: str, params: dict[str, Any], message: str
) -> None:
    """A parameter that makes no sense is refused when the overlay is made."""
    with pytest.raises(ValueError, match=message):
        BUILT_IN[name](strategy=EQUAL, **params)
