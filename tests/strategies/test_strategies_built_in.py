"""Built-in strategies: each formula by hand, what they leave in cash, and which parameters they refuse."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.bars import Bars, History
from trimtab.strategies import BUILT_IN, equal_weight, fixed_weights, inverse_volatility, momentum

if TYPE_CHECKING:
    from numpy.typing import NDArray

SYMBOLS = ("A", "B", "C", "D")


def history(closes: NDArray[np.float64], symbols: tuple[str, ...] = SYMBOLS) -> History:
    """Give a history of these closes, (n, m)."""
    n = len(closes)
    days = np.array([date(2020, 1, 1) + timedelta(days=i) for i in range(n)], dtype="datetime64[D]")
    return Bars(days, symbols[: closes.shape[1]], *[closes] * 6).history()


def walk(n: int, m: int = 4, seed: int = 1) -> NDArray[np.float64]:
    """Give closes that wander, the first column calmest."""
    scale = 0.005 * np.arange(1, m + 1)
    steps = np.random.default_rng(seed).normal(0.0, 1.0, (n, m)) * scale
    return 100.0 * np.exp(np.cumsum(steps, axis=0))


def test_fixed_weights_gives_what_it_was_given() -> None:
    """The weights come back whatever the prices, and changing the answer does not change the strategy."""
    strategy = fixed_weights(weights={"TLT": 0.4, "SPY": 0.6, "GLD": 0.0})
    answer = strategy(history(walk(3)), 1e5)
    assert answer == {"SPY": 0.6, "TLT": 0.4, "GLD": 0.0}
    answer["SPY"] = 9.0
    assert strategy(history(walk(3)), 1e5)["SPY"] == 0.6
    assert (strategy.symbols, strategy.lookback_sessions) == (("GLD", "SPY", "TLT"), 1)


def test_equal_weight() -> None:
    """Each of n symbols has 1 / n."""
    strategy = equal_weight(["C", "A", "B"])
    assert strategy(history(walk(2)), 1e5) == {"A": 1 / 3, "B": 1 / 3, "C": 1 / 3}
    assert (strategy.symbols, strategy.lookback_sessions) == (("A", "B", "C"), 1)


def test_inverse_volatility_by_hand() -> None:
    """Returns of +-1 % and +-2 % make weights of 2/3 and 1/3 of what may be invested."""
    calm, wild = [100.0], [100.0]
    for i in range(4):
        calm.append(calm[-1] * (1 + 0.01 * (-1) ** i))
        wild.append(wild[-1] * (1 + 0.02 * (-1) ** i))
    strategy = inverse_volatility(["A", "B"], lookback=4, weight=0.9)
    weights = strategy(history(np.column_stack([calm, wild])), 1e5)
    assert weights == pytest.approx({"A": 0.6, "B": 0.3})
    assert (strategy.symbols, strategy.lookback_sessions) == (("A", "B"), 5)


@given(seed=st.integers(0, 10_000), lookback=st.integers(2, 30), weight=st.floats(0.01, 1.0))
@settings(max_examples=50, deadline=None)
def test_inverse_volatility_equalises_weight_times_volatility(
    seed: int, lookback: int, weight: float
) -> None:
    """Weights sum to `weight`, and weight x volatility is the same for every symbol."""
    closes = walk(40, seed=seed)
    weights = inverse_volatility(SYMBOLS, lookback, weight)(history(closes), 1e5)
    recent = closes[-lookback - 1 :]
    risk = [weights[s] * np.std(recent[1:, j] / recent[:-1, j], ddof=1) for j, s in enumerate(SYMBOLS)]
    assert sum(weights.values()) == pytest.approx(weight)
    assert risk == pytest.approx([risk[0]] * 4)


def test_inverse_volatility_leaves_out_what_it_can_not_measure() -> None:
    """A missing bar or a still price means weight 0; the others share; older bars are no matter."""
    closes = walk(30)
    closes[3, 0] = np.nan
    closes[20, 1] = np.nan
    closes[:, 2] = 50.0
    closes[::2, 2] = np.nextafter(50.0, 51.0)  # the noise of a float is no move
    strategy = inverse_volatility(SYMBOLS, lookback=20)
    assert set(strategy(history(closes), 1e5)) == {"A", "D"}
    assert sum(strategy(history(closes), 1e5).values()) == pytest.approx(1.0)


@pytest.mark.parametrize("closes", [walk(20), np.full((30, 4), 5.0), np.full((30, 4), np.nan), walk(30, m=0)])
def test_inverse_volatility_with_nothing_to_measure_is_all_cash(closes: NDArray[np.float64]) -> None:
    """Too short, still, without bars or without the symbols: no weights."""
    assert inverse_volatility(SYMBOLS, lookback=20)(history(closes), 1e5) == {}


def test_momentum_by_hand() -> None:
    """12-1 reads the closes 252 and 21 sessions before the last one, and no other."""
    closes = np.full((300, 4), 10.0)
    closes[-1 - 21] = [11.0, 14.0, 13.0, 12.0]
    closes[-1 - 252, 3] = 5.0  # D: 12 / 5, the strongest
    closes[-1 - 20] = [99.0, 1.0, 1.0, 1.0]  # the month left out
    strategy = momentum(SYMBOLS, top_n=2)
    assert strategy(history(closes), 1e5) == {"B": 0.5, "D": 0.5}
    assert (strategy.symbols, strategy.lookback_sessions) == (SYMBOLS, 253)


def test_momentum_needs_no_more_than_its_lookback() -> None:
    """`lookback_sessions` of history give the same as a longer one; one less gives no weights."""
    closes = walk(300)
    strategy = momentum(SYMBOLS, top_n=2)
    assert strategy(history(closes[-253:]), 1e5) == strategy(history(closes), 1e5) != {}
    assert strategy(history(closes[-252:]), 1e5) == {}


def test_momentum_ties_go_to_the_first_in_the_alphabet() -> None:
    """Equal momentum: the lower column wins, whatever the order of the parameters."""
    strategy = momentum(["D", "C", "B", "A"], top_n=2, lookback=5, skip=1)
    assert strategy(history(np.full((6, 4), 7.0)), 1e5) == {"A": 0.5, "B": 0.5}


@pytest.mark.parametrize("row", [-1, -2, -6])
def test_momentum_needs_its_three_bars(row: int) -> None:
    """Without a bar at t, t - skip or t - lookback a symbol is out, and its place stays cash."""
    closes = walk(6)
    closes[row, :3] = np.nan
    assert momentum(SYMBOLS, top_n=2, lookback=5, skip=1)(history(closes), 1e5) == {"D": 0.5}
    closes[row] = np.nan
    assert momentum(SYMBOLS, top_n=2, lookback=5, skip=1)(history(closes), 1e5) == {}


@given(seed=st.integers(0, 10_000), top_n=st.integers(1, 4), skip=st.integers(0, 5))
@settings(max_examples=50, deadline=None)
def test_momentum_holds_the_highest(seed: int, top_n: int, skip: int) -> None:
    """No symbol left out was stronger than one that is held."""
    closes = walk(30, seed=seed)
    held = momentum(SYMBOLS, top_n, lookback=20, skip=skip)(history(closes), 1e5)
    score = dict(zip(SYMBOLS, closes[-1 - skip] / closes[-21], strict=True))
    assert len(held) == top_n
    assert min(score[s] for s in held) >= max((score[s] for s in SYMBOLS if s not in held), default=0.0)


def test_strategies_find_their_symbols_among_others() -> None:
    """More symbols in the history than the strategy's own change nothing."""
    closes = walk(30)
    for make in (lambda s: inverse_volatility(s, lookback=20), lambda s: momentum(s, 1, lookback=20, skip=2)):
        strategy = make(["B", "D"])
        assert strategy(history(closes), 1e5) == strategy(history(closes[:, [1, 3]], ("B", "D")), 1e5)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("fixed_weights", {"weights": {}}, "weights: seen none"),
        ("fixed_weights", {"weights": {"A": -0.1}}, r"weights\['A'\]: seen -0.1, allowed a fraction"),
        ("fixed_weights", {"weights": {"A": math.nan}}, "seen nan"),
        ("fixed_weights", {"weights": {"A": "half"}}, "seen 'half'"),
        ("fixed_weights", {"weights": {"A": True}}, "seen True"),
        ("fixed_weights", {"weights": {"A": 0.6, "B": 0.5}}, "seen a sum of 1.1, allowed at most 1"),
        ("equal_weight", {"symbols": []}, "symbols: seen none"),
        ("equal_weight", {"symbols": ["A", "B", "A"]}, "seen A more than once"),
        ("equal_weight", {"symbols": "SPY"}, "seen 'SPY', allowed a list"),
        ("equal_weight", {"symbols": ["A", 1]}, "allowed a list of names"),
        (
            "inverse_volatility",
            {"symbols": ["A"], "lookback": 1},
            "lookback: seen 1, allowed a whole number, 2 or",
        ),
        ("inverse_volatility", {"symbols": ["A"], "lookback": 2.5}, "lookback: seen 2.5"),
        ("inverse_volatility", {"symbols": ["A"], "weight": 1.2}, "weight: seen 1.2"),
        ("momentum", {"symbols": ["A"], "top_n": 2}, "top_n: seen 2, allowed a whole number, 1 to 1"),
        ("momentum", {"symbols": ["A"], "top_n": 0}, "top_n: seen 0"),
        ("momentum", {"symbols": ["A"], "top_n": 1, "lookback": 21}, "lookback: seen 21, .* 22 or more"),
        ("momentum", {"symbols": ["A"], "top_n": 1, "skip": -1}, "skip: seen -1"),
    ],
)
def test_parameters_are_refused_with_seen_and_allowed(
    name: str, params: dict[str, Any], message: str
) -> None:
    """A parameter that makes no sense is refused when the strategy is made, not when it first decides."""
    with pytest.raises(ValueError, match=message):
        BUILT_IN[name](**params)


def test_float_noise_in_a_sum_of_one_is_allowed() -> None:
    """Ten weights of 0.1 sum to 1 but for noise; so do weights a billionth above it."""
    fixed_weights({f"S{i}": 0.1 for i in range(10)})
    fixed_weights({"A": 0.5, "B": 0.5 + 5e-10})
