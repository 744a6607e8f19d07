"""Laws that every built-in strategy obeys, whatever the prices."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.copied import ROOT
from strategies.histories import history, walk
from trimtab.strategies import (
    BUILT_IN,
    daa,
    dual_momentum,
    equal_risk_contribution,
    equal_weight,
    faber_gtaa,
    fixed_weights,
    hierarchical_risk_parity,
    inverse_volatility,
    minimum_variance,
    momentum,
    paa,
    sma_to_cash,
    vaa,
    volatility_target,
    weight_cap,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from trimtab.core.bars import Strategy

SESSIONS = 300
SIX = ("A", "B", "C", "D", "E", "F")

MADE: dict[str, Callable[[Sequence[str]], Strategy]] = {
    "daa": lambda s: daa(s[:4], s[3:5], canary=s[4:], top_n=3),
    "dual_momentum": lambda s: dual_momentum(s[:3], safe=s[3], hurdle=s[4], signal=s[0], lookback=60),
    "equal_risk_contribution": lambda s: equal_risk_contribution(s, 60),
    "equal_weight": equal_weight,
    "faber_gtaa": lambda s: faber_gtaa(s[:5], 50, safe=s[5]),
    "fixed_weights": lambda s: fixed_weights(dict(zip(s, (0.3, 0.25, 0.2, 0.1, 0.1, 0.05), strict=True))),
    "hierarchical_risk_parity": lambda s: hierarchical_risk_parity(s, 60),
    "inverse_volatility": lambda s: inverse_volatility(s, 60),
    "minimum_variance": lambda s: minimum_variance(s, 60),
    "momentum": lambda s: momentum(s, 2, lookback=60, skip=5),
    "paa": lambda s: paa(s[:4], s[3:], top_n=2, protection=1, lookback=80),
    "sma_to_cash": lambda s: sma_to_cash(equal_weight(s), 70),
    "vaa": lambda s: vaa(s[:4], s[4:], top_n=3, breadth=4),
    "volatility_target": lambda s: volatility_target(inverse_volatility(s, 60), 0.08, 40),
    "weight_cap": lambda s: weight_cap(sma_to_cash(inverse_volatility(s, 20), 30), 0.2, redistribute=True),
}
"""An example of each, over six symbols, that needs fewer than 300 sessions."""

every = pytest.mark.parametrize("name", sorted(BUILT_IN))
many = settings(max_examples=25, deadline=None)


def holey(closes: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Give closes with a symbol not yet listed, one that stopped, and bars missing here and there."""
    random = np.random.default_rng(seed)
    closes = np.where(random.random(closes.shape) < 0.002, np.nan, closes)
    closes[: random.integers(0, SESSIONS), random.integers(0, 6)] = np.nan
    closes[random.integers(1, SESSIONS) :, random.integers(0, 6)] = np.nan
    return closes


@every
@given(seed=st.integers(0, 10_000), gaps=st.booleans())
@many
def test_weights_are_fractions_that_sum_to_one_at_most(name: str, seed: int, gaps: bool) -> None:  # noqa: FBT001 - hypothesis names it
    """Each weight is a float from 0 to 1 of a symbol that the strategy names; the sum is at most 1."""
    strategy = MADE[name](SIX)
    closes = walk(SESSIONS, 6, seed)
    weights = strategy(history(holey(closes, seed) if gaps else closes, SIX), 1e5)
    assert set(weights) <= set(strategy.symbols)
    assert all(type(w) is float and 0.0 <= w <= 1.0 + 1e-9 for w in weights.values())
    assert sum(weights.values()) <= 1.0 + 1e-9


@every
@given(seed=st.integers(0, 10_000))
@many
def test_no_more_is_used_than_lookback_sessions(name: str, seed: int) -> None:
    """`lookback_sessions` of history give the same as a longer one, to the last bit."""
    strategy = MADE[name](SIX)
    assert strategy.lookback_sessions < SESSIONS
    closes = holey(walk(SESSIONS, 6, seed), seed)
    cut = history(closes[-strategy.lookback_sessions :], SIX)
    assert strategy(cut, 1e5) == strategy(history(closes, SIX), 1e5)


@every
@given(seed=st.integers(0, 10_000), scales=st.lists(st.floats(0.01, 100.0), min_size=6, max_size=6))
@many
def test_the_unit_of_a_price_does_not_matter(name: str, seed: int, scales: list[float]) -> None:
    """Each symbol's prices in another unit, say after a split: the same weights."""
    strategy = MADE[name](SIX)
    closes = walk(SESSIONS, 6, seed)
    expected = strategy(history(closes, SIX), 1e5)
    assert strategy(history(closes * scales, SIX), 1e5) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@every
@given(seed=st.integers(0, 10_000), order=st.permutations(range(6)))
@many
def test_names_do_not_matter(name: str, seed: int, order: list[int]) -> None:
    """The same prices under other names: the same weights under those names."""
    if name == "hierarchical_risk_parity":
        order = list(range(6))  # by its definition the order of the symbols decides between equal halves
    closes = walk(SESSIONS, 6, seed)
    renamed = [SIX[i] for i in order]
    columns = np.argsort(order)
    weights = MADE[name](SIX)(history(closes, SIX), 1e5)
    others = MADE[name](renamed)(history(closes[:, columns], SIX), 1e5)
    expected = {renamed[SIX.index(symbol)]: weight for symbol, weight in weights.items()}
    assert others == pytest.approx(expected, rel=1e-6, abs=1e-9)


@every
@given(seed=st.integers(0, 10_000))
@many
def test_other_symbols_in_the_history_do_not_matter(name: str, seed: int) -> None:
    """More columns than the strategy's own, between and around them, change nothing."""
    closes = walk(SESSIONS, 6, seed)
    among = ("B", "D", "F", "H", "J", "L")
    crowd = tuple("ABCDEFGHIJKLM")
    wide = walk(SESSIONS, len(crowd), seed + 1)
    wide[:, [crowd.index(symbol) for symbol in among]] = closes
    strategy = MADE[name](among)
    assert strategy(history(wide, crowd), 1e5) == strategy(history(closes, among), 1e5)


@every
def test_equal_input_gives_equal_output(name: str) -> None:
    """Twice the same call, another equity, and a strategy made anew: the same weights."""
    past = history(walk(SESSIONS, 6, 5), SIX)
    strategy = MADE[name](SIX)
    first = strategy(past, 1e5)
    assert strategy(past, 1e5) == strategy(past, 3.0) == MADE[name](SIX)(past, 1e5) == first


@every
def test_without_prices_nothing_that_looks_at_them_is_held(name: str) -> None:
    """No bars, too few sessions or none: cash, but for strategies that look at no price."""
    strategy = MADE[name](SIX)
    blind = {"equal_weight", "fixed_weights"}
    for closes in (np.full((SESSIONS, 6), np.nan), np.full((0, 6), np.nan)):
        assert name in blind or strategy(history(closes, SIX), 1e5) == {}


@every
def test_docs_list_the_strategy_with_its_parameters(name: str) -> None:
    """docs/configuration.md has a row for each built-in strategy, with every parameter and its default."""
    text = (ROOT / "docs/configuration.md").read_text()
    rows = re.findall(rf"^\| `{name}` \| (.+?) \| .+ \|$", text, flags=re.MULTILINE)
    told = []
    for parameter in inspect.signature(BUILT_IN[name]).parameters.values():
        default = parameter.default
        told.append(f"`{parameter.name}`" + ("" if default is parameter.empty else f" {shown(default)}"))
    assert rows == [", ".join(told)]


def shown(default: object) -> str:
    """Give a default as the table has it: 1, 252, BND VWO, none, false."""
    if isinstance(default, tuple):
        return " ".join(default)
    if isinstance(default, float):
        return f"{default:g}"
    return str(default).lower()
