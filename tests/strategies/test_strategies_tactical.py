"""Tactical allocation: each rule by hand, on closes at the months it looks at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from strategies.histories import history, months, series, walk
from trimtab.strategies import BUILT_IN, daa, dual_momentum, equal_weight, faber_gtaa, paa, sma_to_cash, vaa
from trimtab.strategies.measures import momentum_13612w, recent_closes

UP, MORE, MOST = months(1, 1, 1, 1, 1.1), months(1, 1, 1, 1, 1.2), months(1, 1, 1, 1, 1.3)
DOWN, FLAT = months(1, 1, 1, 1, 0.9), months(1, 1, 1, 1, 1)
MISSING = [*UP[:-22], np.nan, *UP[-21:]]
"""Without the bar of one month ago."""


def test_recent_closes_are_the_last_and_whole() -> None:
    """The last rows come last, in the order asked for; no session, no symbol and no price are NaN."""
    past = series({"A": [1, 2, 3], "B": [0.0, -1.0, np.inf]})
    expected = [[np.nan] * 3, [1, np.nan, np.nan], [2, np.nan, np.nan], [3, np.nan, np.nan]]
    assert np.array_equal(recent_closes(past, ("A", "B", "Z"), 4), expected, equal_nan=True)
    assert np.array_equal(recent_closes(past, ("Z", "A"), 1), [[np.nan, 3]], equal_nan=True)


def test_faber_gtaa_by_hand() -> None:
    """Above its average of three a symbol has its quarter; below, at it or unmeasured, that is cash."""
    closes = {"A": [9, 1, 2, 3], "B": [1, 3, 2, 1], "C": [1, 2, 2, 2], "D": [1, np.nan, 2, 3]}
    strategy = faber_gtaa(["D", "C", "B", "A"], lookback=3)
    assert strategy(series(closes), 1e5) == {"A": 0.25}
    assert (strategy.symbols, strategy.lookback_sessions) == (("A", "B", "C", "D"), 3)


def test_faber_gtaa_puts_the_rest_in_the_safe_symbol() -> None:
    """What is not held is in `safe`, whatever its average, if it has a last close."""
    closes = {"A": [1, 2, 3], "B": [3, 2, 1], "S": [np.nan, 3, 2]}
    strategy = faber_gtaa(["A", "B"], lookback=3, safe="S")
    assert strategy(series(closes), 1e5) == {"A": 0.5, "S": 0.5}
    assert strategy.symbols == ("A", "B", "S")
    assert strategy(series(closes | {"S": [1, 1, np.nan]}), 1e5) == {"A": 0.5}
    assert strategy(series({"A": [1, 2, 3], "B": [1, 2, 3], "S": [1, 1, 1]}), 1e5) == {"A": 0.5, "B": 0.5}
    assert faber_gtaa(["A", "B"], lookback=3, safe="B")(series(closes), 1e5) == {"A": 0.5, "B": 0.5}
    assert faber_gtaa(["A", "B"], lookback=3, safe="A")(series(closes), 1e5) == {"A": 1.0}


def test_faber_gtaa_is_the_filter_over_equal_weight() -> None:
    """Without a safe symbol it is the SMA overlay over equal weight, but for a close at its very average."""
    names = ["A", "B", "C", "D", "E"]
    filtered = sma_to_cash(equal_weight(names), 50)
    for seed in range(20):
        past = history(walk(60, 5, seed), names)
        assert faber_gtaa(names, 50)(past, 1e5) == filtered(past, 1e5)


GEM: dict[str, Any] = {
    "risky": ["SPY", "VEU"],
    "safe": "BND",
    "hurdle": "BIL",
    "signal": "SPY",
    "lookback": 2,
}


@pytest.mark.parametrize(
    ("last", "held"),
    [
        ({"SPY": 1.2, "VEU": 1.1, "BIL": 1.05}, "SPY"),
        ({"SPY": 1.1, "VEU": 1.2, "BIL": 1.05}, "VEU"),
        (
            {"SPY": 1.04, "VEU": 1.2, "BIL": 1.05},
            "BND",
        ),  # the signal is SPY's, though VEU is above the hurdle
        ({"SPY": 1.05, "VEU": 1.0, "BIL": 1.05}, "BND"),  # at the hurdle is not above it
        ({"SPY": 1.1, "VEU": 1.1, "BIL": 1.0}, "SPY"),  # equal: the first in the alphabet
        ({"SPY": 1.1, "VEU": np.nan, "BIL": 1.0}, "SPY"),
        ({"SPY": np.nan, "VEU": 1.2, "BIL": 1.0}, "BND"),  # without a signal nothing is beaten
        ({"SPY": 1.2, "VEU": 1.1, "BIL": np.nan}, "BND"),
    ],
)
def test_dual_momentum_of_antonacci(last: dict[str, float], held: str) -> None:
    """Global Equities Momentum: SPY against bills, then SPY against the world, else bonds."""
    strategy = dual_momentum(**GEM)
    past = series({name: [9.0, 1.0, 5.0, close] for name, close in {**last, "BND": 0.5}.items()})
    assert strategy(past, 1e5) == {held: 1.0}
    assert (strategy.symbols, strategy.lookback_sessions) == (("BIL", "BND", "SPY", "VEU"), 3)


def test_dual_momentum_without_the_extras() -> None:
    """The strongest while it gained anything, else cash; another's fall does not matter."""
    strategy = dual_momentum(["A", "B"], lookback=1)
    assert strategy(series({"A": [1, 0.5], "B": [1, 1.01]}), 1e5) == {"B": 1.0}
    assert strategy(series({"A": [1, 0.5], "B": [1, 1.0]}), 1e5) == {}
    assert strategy(series({"A": [1], "B": [1]}), 1e5) == {}
    safe = dual_momentum(["A"], safe="S", lookback=1)
    assert safe(series({"A": [1, 0.5], "S": [1, np.nan]}), 1e5) == {}
    assert dual_momentum(["A"]).lookback_sessions == 253


def test_13612w_by_hand() -> None:
    """Returns of 10, 20, 50 and 100 % over 1, 3, 6 and 12 months: (1.2 + 0.8 + 1 + 1) / 4 = 1 a year."""
    path = months(1 / 2.0, 1 / 1.5, 1 / 1.2, 1 / 1.1, 1.0)
    past = series({"A": [7.0, *path], "B": [7.0, *FLAT], "C": [7.0, *MISSING]})
    score = momentum_13612w(past, ("A", "B", "C"))
    assert score[:2] == pytest.approx([1.0, 0.0])
    assert np.isnan(score[2])


def test_vaa_of_four() -> None:
    """G4: the strongest while none has fallen, else all in the strongest to defend; 0 has fallen."""
    strategy = vaa(["A", "B", "C", "D"], ["X", "Y"])
    rising = {"A": UP, "B": MOST, "C": MORE, "D": MORE, "X": DOWN, "Y": UP}
    assert strategy(series(rising), 1e5) == {"B": 1.0}
    assert strategy(series(rising | {"A": FLAT}), 1e5) == {"Y": 1.0}
    assert strategy(series(rising | {"A": MISSING}), 1e5) == {"Y": 1.0}
    assert strategy(series(rising | {"A": DOWN, "Y": DOWN}), 1e5) == {"X": 1.0}  # whatever its sign
    assert strategy(series(rising | {"A": DOWN, "X": MISSING, "Y": MISSING}), 1e5) == {}
    assert (strategy.symbols, strategy.lookback_sessions) == (("A", "B", "C", "D", "X", "Y"), 253)


@pytest.mark.parametrize(
    ("fallen", "expected"),
    [
        ("", {"A": 1 / 3, "B": 1 / 3, "C": 1 / 3}),
        ("E", {"A": 1 / 3, "B": 1 / 3, "C": 1 / 3}),  # 1/4 of 3 places, rounded down: none
        ("DE", {"A": 1 / 3, "B": 1 / 3, "X": 1 / 3}),  # 2/4 of 3: one
        ("CDE", {"A": 1 / 3, "X": 2 / 3}),  # 3/4 of 3: two
        ("BCDE", {"X": 1.0}),
        ("ABCDE", {"X": 1.0}),
    ],
)
def test_vaa_defends_in_whole_places(fallen: str, expected: dict[str, float]) -> None:
    """Three places and a breadth of four: b / 4, rounded down to thirds, is defended."""
    ends = {"A": 1.5, "B": 1.4, "C": 1.3, "D": 1.2, "E": 1.1} | dict.fromkeys(fallen, 0.9)
    past = series({name: months(1, 1, 1, 1, end) for name, end in ends.items()} | {"X": DOWN})
    assert vaa(list(ends), ["X"], top_n=3, breadth=4)(past, 1e5) == pytest.approx(expected)


def test_vaa_holds_the_strongest_whatever_their_sign() -> None:
    """With a breadth of three, one of two fallen defends no place of two: it is held all the same."""
    past = series({"A": UP, "B": DOWN, "C": months(1, 1, 1, 1, 0.8), "X": UP})
    assert vaa(["A", "B", "C"], ["X"], top_n=2, breadth=3)(past, 1e5) == {"A": 0.5, "X": 0.5}
    assert vaa(["A", "B"], ["X"], top_n=1, breadth=2)(past, 1e5) == {"A": 1.0}
    assert vaa(["B"], ["X"])(past, 1e5) == {"X": 1.0}
    falling = series({"A": UP, "B": DOWN, "X": UP, "Y": UP, "Z": UP})
    assert daa(["A", "B"], ["X"], canary=["Y", "Z"], top_n=2)(falling, 1e5) == {"A": 0.5, "B": 0.5}


@pytest.mark.parametrize(
    ("canaries", "expected"),
    [
        ((UP, MORE), {"A": 0.25, "B": 0.25, "C": 0.25, "D": 0.25}),
        ((UP, FLAT), {"B": 0.25, "D": 0.25, "X": 0.5}),
        ((MISSING, UP), {"B": 0.25, "D": 0.25, "X": 0.5}),
        ((DOWN, DOWN), {"X": 1.0}),
    ],
)
def test_daa_is_warned_by_its_canaries(canaries: tuple[list[float], ...], expected: dict[str, float]) -> None:
    """One canary of two has fallen: half is defended, whatever became of the risky symbols."""
    closes = {"A": DOWN, "B": MOST, "C": UP, "D": MORE, "X": UP, "Y": DOWN}
    strategy = daa(["A", "B", "C", "D"], ["X", "Y"], canary=["V", "W"], top_n=4)
    past = series(closes | dict(zip(("V", "W"), canaries, strict=True)))
    assert strategy(past, 1e5) == pytest.approx(expected)
    assert strategy.symbols == ("A", "B", "C", "D", "V", "W", "X", "Y")


def test_daa_adds_up_a_symbol_in_two_lists() -> None:
    """A risky symbol that also defends has both weights; the canary may be risky, too."""
    closes = {"A": MOST, "B": MORE, "C": DOWN}
    strategy = daa(["A", "B", "C"], ["A", "B"], canary=["B", "C"], top_n=2)
    assert strategy(series(closes), 1e5) == {"A": 1.0}
    assert daa(list("ABCDEF"), ["X"]).symbols == ("A", "B", "BND", "C", "D", "E", "F", "VWO", "X")


@pytest.mark.parametrize(
    ("rising", "protection", "expected"),
    [
        (4, 2, {"A": 0.5, "B": 0.5}),
        (3, 2, {"A": 0.25, "B": 0.25, "X": 0.5}),  # (4 - 3) / (4 - 2)
        (2, 2, {"X": 1.0}),
        (3, 0, {"A": 0.375, "B": 0.375, "X": 0.25}),  # (4 - 3) / 4
        (1, 0, {"A": 0.25, "X": 0.75}),
        (1, 1, {"X": 1.0}),  # (4 - 1) / (4 - 1)
        (0, 0, {"X": 1.0}),
    ],
)
def test_paa_by_hand(rising: int, protection: int, expected: dict[str, float]) -> None:
    """Four symbols, two places: the defensive fraction is (N - n) / (N - protection N / 4)."""
    ends = [1.4, 1.3, 1.2, 1.1]
    closes = {
        s: [1.0, 1.0, end if i < rising else 0.9] for i, (s, end) in enumerate(zip("ABCD", ends, strict=True))
    }
    strategy = paa(list("ABCD"), ["X", "Y"], top_n=2, protection=protection, lookback=3)
    past = series(closes | {"X": [1.0, 1.0, 0.9], "Y": [1.0, 1.0, 0.8]})
    assert strategy(past, 1e5) == pytest.approx(expected)
    assert (strategy.symbols, strategy.lookback_sessions) == (("A", "B", "C", "D", "X", "Y"), 3)


def test_paa_counts_the_unmeasured_as_fallen() -> None:
    """A missing bar is a symbol above nothing; without one to defend with, that part is cash."""
    closes = {"A": [1, 2, 3], "B": [1, np.nan, 3], "X": [1, np.nan, 1]}
    assert paa(["A", "B"], ["X"], top_n=1, protection=0, lookback=3)(series(closes), 1e5) == {"A": 0.5}
    assert paa(["A", "B"], ["A"], top_n=1, protection=0, lookback=3)(series(closes), 1e5) == {"A": 1.0}
    assert paa(["A"], ["X"], top_n=1).lookback_sessions == 252


def test_ties_go_to_the_first_in_the_alphabet() -> None:
    """Equal momentum: the first name wins, whatever the order of the parameters."""
    past = series(dict.fromkeys("ABCDXY", MORE))
    assert vaa(["D", "C", "B", "A"], ["Y", "X"], top_n=2)(past, 1e5) == {"A": 0.5, "B": 0.5}
    assert dual_momentum(["D", "C"], lookback=252)(past, 1e5) == {"C": 1.0}
    assert paa(["D", "C", "B"], ["Y", "X"], top_n=1)(past, 1e5) == {"B": 1.0}
    still = series(dict.fromkeys("ABCDXY", FLAT))
    assert vaa(["D", "C"], ["Y", "X"])(still, 1e5) == {"X": 1.0}
    assert paa(["D", "C"], ["Y", "X"], top_n=1)(still, 1e5) == {"X": 1.0}


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("faber_gtaa", {"symbols": []}, "symbols: seen none"),
        (
            "faber_gtaa",
            {"symbols": ["A"], "lookback": 1},
            "lookback: seen 1, allowed a whole number, 2 or more",
        ),
        ("faber_gtaa", {"symbols": ["A"], "safe": ""}, "safe: seen '', allowed a name such as \"BIL\""),
        ("dual_momentum", {"risky": "SPY"}, "risky: seen 'SPY', allowed a list of names"),
        (
            "dual_momentum",
            {"risky": ["A"], "lookback": 0},
            "lookback: seen 0, allowed a whole number, 1 or more",
        ),
        ("dual_momentum", {"risky": ["A"], "hurdle": 5}, "hurdle: seen 5, allowed a name"),
        ("dual_momentum", {"risky": ["A"], "signal": ["A"]}, r"signal: seen \['A'\], allowed a name"),
        ("vaa", {"risky": [], "defensive": ["X"]}, "risky: seen none"),
        ("vaa", {"risky": ["A"], "defensive": []}, "defensive: seen none"),
        (
            "vaa",
            {"risky": ["A"], "defensive": ["X"], "top_n": 2},
            "top_n: seen 2, allowed a whole number, 1 to 1",
        ),
        ("vaa", {"risky": ["A"], "defensive": ["X"], "breadth": 0}, "breadth: seen 0, allowed .*, 1 to 1"),
        ("daa", {"risky": ["A"], "defensive": ["X"]}, "top_n: seen 6, allowed a whole number, 1 to 1"),
        (
            "daa",
            {"risky": ["A"], "defensive": ["X"], "top_n": 1, "canary": ["V"]},
            "breadth: seen 2, allowed a whole number, 1 to 1",
        ),
        ("daa", {"risky": ["A"], "defensive": ["X"], "canary": ["V", "V"]}, "canary: seen V more than once"),
        ("paa", {"risky": ["A"], "defensive": ["X"]}, "top_n: seen 6, allowed a whole number, 1 to 1"),
        (
            "paa",
            {"risky": ["A"], "defensive": ["X"], "top_n": 1, "protection": 3},
            "protection: seen 3, allowed a whole number, 0 to 2",
        ),
        ("paa", {"risky": ["A"], "defensive": ["X"], "top_n": 1, "lookback": 1}, "lookback: seen 1"),
    ],
)
def test_parameters_are_refused_with_seen_and_allowed(
    name: str, params: dict[str, Any], message: str
) -> None:
    """A parameter that makes no sense is refused when the strategy is made."""
    with pytest.raises(ValueError, match=message):
        BUILT_IN[name](**params)
