"""Weights from a covariance: the literature's figures, what makes each the optimum, SciPy only when asked."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import pdist, squareform

from rules.copied import ROOT
from strategies.histories import history, walk
from trimtab.strategies import (
    BUILT_IN,
    equal_risk_contribution,
    hierarchical_risk_parity,
    inverse_volatility,
    minimum_variance,
)
from trimtab.strategies.equal_risk_contribution import equal_risk_weights
from trimtab.strategies.hierarchical_risk_parity import hierarchical_risk_weights
from trimtab.strategies.minimum_variance import minimum_variance_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from trimtab.core.bars import Strategy

    Make = Callable[..., Strategy]
    Solve = Callable[..., NDArray[np.float64]]

FACTORIES = (equal_risk_contribution, hierarchical_risk_parity, minimum_variance)
SOLVERS = (equal_risk_weights, hierarchical_risk_weights, minimum_variance_weights)
ABCD = ("A", "B", "C", "D")


def covariance_of(volatility: list[float], correlation: list[list[float]]) -> NDArray[np.float64]:
    return np.array(correlation) * np.outer(volatility, volatility)


MAILLARD = covariance_of(
    [0.1, 0.2, 0.3, 0.4], [[1, 0.8, 0, 0], [0.8, 1, 0, 0], [0, 0, 1, -0.5], [0, 0, -0.5, 1]]
)
"""The four assets of Maillard, Roncalli and Teiletche, 2010."""


def random_covariance(n: int, seed: int, sessions: int = 60) -> NDArray[np.float64]:
    closes = walk(sessions + 1, n, seed)
    return np.atleast_2d(np.cov(closes[1:] / closes[:-1] - 1.0, rowvar=False))


def test_equal_risk_contribution_of_maillard() -> None:
    """The paper's example: 38.4, 19.2, 24.3 and 18.2 %."""
    assert equal_risk_weights(MAILLARD) == pytest.approx([0.384, 0.192, 0.243, 0.182], abs=0.0005)


def test_minimum_variance_of_maillard() -> None:
    """The same assets: 74.5, 0, 15.2 and 10.3 %."""
    assert minimum_variance_weights(MAILLARD) == pytest.approx([0.745, 0.0, 0.152, 0.103], abs=0.0005)


def test_two_assets_by_hand() -> None:
    """10 and 20 %: equal risk is 2 to 1 at any correlation, least variance and HRP 4 to 1 without one."""
    alone = covariance_of([0.1, 0.2], [[1, 0], [0, 1]])
    linked = covariance_of([0.1, 0.2], [[1, 0.5], [0.5, 1]])
    assert equal_risk_weights(alone) == pytest.approx([2 / 3, 1 / 3])
    assert equal_risk_weights(linked) == pytest.approx([2 / 3, 1 / 3])
    assert minimum_variance_weights(alone) == pytest.approx([0.8, 0.2])
    assert minimum_variance_weights(linked) == pytest.approx([1.0, 0.0])
    assert hierarchical_risk_weights(alone) == pytest.approx([0.8, 0.2])


def test_hierarchical_risk_parity_by_hand() -> None:
    """B and D move together: they are one half, A and C the other.

    Half and half, A and C have 0.55 of a symbol's variance and B and D 0.95 of it.
    """
    links = np.eye(4)
    links[1, 3] = links[3, 1] = 0.9
    links[0, 2] = links[2, 0] = 0.1
    half = 0.95 / (0.95 + 0.55)
    expected = [half / 2, (1 - half) / 2, half / 2, (1 - half) / 2]
    assert hierarchical_risk_weights(0.04 * links) == pytest.approx(expected)


def test_hierarchical_risk_parity_of_maillard_by_hand() -> None:
    """The halves are the first two and the last two assets; their variances are 0.01312 and 0.029952."""
    first = 0.029952 / (0.01312 + 0.029952)
    expected = [0.8 * first, 0.2 * first, 0.64 * (1 - first), 0.36 * (1 - first)]
    assert hierarchical_risk_weights(MAILLARD) == pytest.approx(expected)


def test_hierarchical_risk_parity_clusters_by_the_nearest() -> None:
    """Single linkage chains C and D to A and B: the order is E F D, C A B; only A and B have a covariance."""
    correlation = np.eye(6)
    for i, j, r in ((0, 1, 0.9), (1, 2, 0.8), (2, 3, 0.7), (3, 4, 0.6), (4, 5, 0.85)):
        correlation[i, j] = correlation[j, i] = r
    covariance = np.eye(6)
    covariance[0, 1] = covariance[1, 0] = 1.0
    expected = [3 / 32, 3 / 32, 3 / 16, 5 / 24, 5 / 24, 5 / 24]  # the halves' variances are 3/9 and 5/9
    assert hierarchical_risk_weights(covariance, correlation) == pytest.approx(expected)


def halved(covariance: NDArray[np.float64], order: list[int]) -> NDArray[np.float64]:
    """Give the weights of an order that is halved again and again, each half by 1 / variance."""
    if len(order) == 1:
        return np.eye(len(covariance))[order[0]]
    halves = [order[: len(order) // 2], order[len(order) // 2 :]]
    variances = []
    for half in halves:
        inner = covariance[np.ix_(half, half)]
        weights = 1 / np.diag(inner) / (1 / np.diag(inner)).sum()
        variances.append(weights @ inner @ weights)
    left, right = (halved(covariance, half) for half in halves)
    share = variances[1] / sum(variances)
    return share * left + (1 - share) * right


def test_hierarchical_risk_parity_clusters_the_distances_and_not_their_columns() -> None:
    """SciPy's own clusters of sqrt((1 - r) / 2); those of that matrix's columns, the paper's, can differ."""
    others = 0
    for seed in range(20):
        covariance = random_covariance(8, seed)
        volatility = np.sqrt(np.diag(covariance))
        distance = np.sqrt(np.clip((1 - covariance / np.outer(volatility, volatility)) / 2, 0, 1))
        np.fill_diagonal(distance, 0.0)
        here, paper = (
            halved(covariance, leaves_list(linkage(pairs, "single")).tolist())
            for pairs in (squareform(distance, checks=False), pdist(distance))
        )
        assert hierarchical_risk_weights(covariance) == pytest.approx(here)
        others += not np.allclose(here, paper)
    assert others
    assert "columns of that matrix" in " ".join((hierarchical_risk_parity.__doc__ or "").split())


def test_hierarchical_risk_parity_of_halves_without_risk() -> None:
    """Two whole hedges have no variance to weigh by: half each."""
    pair = np.array([[0.04, -0.04], [-0.04, 0.04]])
    covariance = np.block([[pair, np.zeros((2, 2))], [np.zeros((2, 2)), pair]])
    assert hierarchical_risk_weights(covariance, np.eye(4)) == pytest.approx([0.25] * 4)


@given(n=st.integers(1, 12), seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_equal_risk_weights_contribute_the_same(n: int, seed: int) -> None:
    """w_i (S w)_i is the same for each i, and every weight is above 0."""
    covariance = random_covariance(n, seed)
    weights = equal_risk_weights(covariance)
    risk = weights * (covariance @ weights)
    assert (weights > 0.0).all()
    assert weights.sum() == pytest.approx(1.0)
    assert risk == pytest.approx(np.full(n, risk[0]), rel=1e-6)


@given(n=st.integers(1, 12), seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_minimum_variance_can_not_be_bettered(n: int, seed: int) -> None:
    """No symbol's covariance with the portfolio is below its variance: no move of weight would lower it."""
    covariance = random_covariance(n, seed)
    weights = minimum_variance_weights(covariance)
    variance = weights @ covariance @ weights
    assert (weights >= 0.0).all()
    assert weights.sum() == pytest.approx(1.0)
    assert (covariance @ weights >= variance * (1 - 1e-8)).all()


@given(n=st.integers(2, 10), seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_variances_are_in_the_literatures_order(n: int, seed: int) -> None:
    """Equal risk lies between least variance and equal weight: Maillard et al., 2010."""
    covariance = random_covariance(n, seed)
    least, risk, same = (
        w @ covariance @ w
        for w in (minimum_variance_weights(covariance), equal_risk_weights(covariance), np.full(n, 1 / n))
    )
    assert least <= risk * (1 + 1e-9)
    assert risk <= same * (1 + 1e-9)


@pytest.mark.parametrize("solve", SOLVERS)
def test_singular_covariances_have_weights_too(solve: Solve) -> None:
    """The same symbol twice, a whole hedge, and more symbols than sessions: weights, not NaN."""
    twins = covariance_of([0.1, 0.1, 0.3], [[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    pairs = covariance_of([0.1] * 4, [[1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, -1], [0, 0, -1, 1]])
    for covariance in (twins, pairs, random_covariance(40, seed=3, sessions=20)):
        weights = solve(covariance)
        assert (weights >= 0.0).all()
        assert weights.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("scale", [1e-20, 1e-4, 1e6])
@pytest.mark.parametrize("solve", SOLVERS)
def test_units_of_risk_do_not_matter(solve: Solve, scale: float) -> None:
    """A covariance in other units has the same weights."""
    covariance = random_covariance(8, seed=2)
    assert solve(covariance * scale) == pytest.approx(solve(covariance), rel=1e-6, abs=1e-9)


def test_equal_correlations_are_inverse_volatility() -> None:
    """With one correlation for all pairs, equal risk weighs by 1 / volatility: Maillard et al., 2010."""
    volatility = np.array([0.1, 0.15, 0.3])
    covariance = covariance_of(volatility.tolist(), [[1, 0.4, 0.4], [0.4, 1, 0.4], [0.4, 0.4, 1]])
    assert equal_risk_weights(covariance) == pytest.approx(1 / volatility / (1 / volatility).sum())


def pairwise(returns: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give covariance and correlation, each of a pair over the days on which both have a return."""
    n = returns.shape[1]
    covariance, correlation = np.empty((n, n)), np.empty((n, n))
    for i in range(n):
        for j in range(n):
            both = returns[~np.isnan(returns[:, [i, j]]).any(axis=1)][:, [i, j]]
            covariance[i, j] = np.cov(both, rowvar=False)[0, 1]
            correlation[i, j] = np.corrcoef(both, rowvar=False)[0, 1]
    return covariance, correlation


def test_hierarchical_risk_parity_of_twenty_stocks() -> None:
    """PyPortfolioOpt's figures: return 0.213534, volatility 0.178442, Sharpe 1.084579 over a rate of 2 %."""
    path = ROOT.parent / "shared" / "data" / "pypfopt_stock_prices.parquet"
    if not path.exists():
        pytest.skip("the prices of PyPortfolioOpt are not at ../shared/data")
    prices = pl.read_parquet(path).drop("date").to_numpy()
    returns = prices[1:] / prices[:-1] - 1.0
    covariance, correlation = pairwise(returns)
    weights = hierarchical_risk_weights(covariance, correlation)
    gain = 252 * np.nanmean(returns, axis=0) @ weights
    volatility = np.sqrt(252 * weights @ covariance @ weights)
    assert (gain, volatility) == pytest.approx((0.213534, 0.178442), abs=5e-7)
    assert (gain - 0.02) / volatility == pytest.approx(1.084579, abs=5e-7)


@pytest.mark.parametrize(("make", "solve"), list(zip(FACTORIES, SOLVERS, strict=True)))
def test_a_strategy_solves_its_last_returns(make: Make, solve: Solve) -> None:
    """The weights are the solver's for the covariance of the last `lookback` returns, times `weight`."""
    closes = walk(100, 4)
    strategy = make(ABCD, lookback=30, weight=0.8)
    returns = closes[-30:] / closes[-31:-1] - 1.0
    expected = 0.8 * solve(np.cov(returns, rowvar=False))
    weights = strategy(history(closes, ABCD), 1e5)
    assert [weights[s] for s in ABCD] == pytest.approx(expected)
    assert (strategy.symbols, strategy.lookback_sessions) == (ABCD, 31)


@pytest.mark.parametrize("make", FACTORIES)
def test_what_can_not_be_measured_has_no_weight(make: Make) -> None:
    """A missing bar, a still price or no column: the others share alone; older bars are no matter."""
    closes = walk(40, 4)
    closes[2, 0] = np.nan
    closes[30, 1] = np.nan
    closes[:, 2] = 50.0
    strategy = make([*ABCD, "Z"], lookback=20)
    weights = strategy(history(closes, ABCD), 1e5)
    assert weights == pytest.approx(make(["A", "D"], lookback=20)(history(closes, ABCD), 1e5))
    assert set(weights) == {"A", "D"}
    assert make(["D"], lookback=20)(history(closes, ABCD), 1e5) == pytest.approx({"D": 1.0})


@pytest.mark.parametrize("make", FACTORIES)
@pytest.mark.parametrize("closes", [walk(20, 4), np.full((30, 4), 0.1), np.full((30, 4), np.nan)])
def test_nothing_to_measure_is_all_cash(make: Make, closes: NDArray[np.float64]) -> None:
    """Too short, still, or without bars: no weights."""
    assert make(ABCD, lookback=20)(history(closes, ABCD), 1e5) == {}


def test_one_correlation_and_inverse_volatility_agree_in_the_strategies() -> None:
    """Two symbols have one correlation, so equal risk and inverse volatility are the same strategy."""
    past = history(walk(100, 2), ("A", "B"))
    risk = equal_risk_contribution(["A", "B"], lookback=50)(past, 1e5)
    assert risk == pytest.approx(inverse_volatility(["A", "B"], lookback=50)(past, 1e5))


@pytest.mark.parametrize("name", [make.__name__ for make in FACTORIES])
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"symbols": []}, "symbols: seen none, allowed one or more"),
        ({"symbols": ["A", "A"]}, "symbols: seen A more than once"),
        ({"symbols": ["A"], "lookback": 1}, "lookback: seen 1, allowed a whole number, 2 or more"),
        ({"symbols": ["A"], "weight": 1.5}, "weight: seen 1.5, allowed a fraction of equity from 0 to 1"),
    ],
)
def test_parameters_are_refused_with_seen_and_allowed(
    name: str, params: dict[str, Any], message: str
) -> None:
    """A parameter that makes no sense is refused when the strategy is made."""
    with pytest.raises(ValueError, match=message):
        BUILT_IN[name](**params)


def ran(script: str) -> list[str]:
    """Give the lines that a script prints in a Python of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout.splitlines()


def test_scipy_is_loaded_only_by_what_needs_it() -> None:
    """Importing the strategies and making those that need no SciPy leave it alone."""
    script = """
import sys
from trimtab.strategies import BUILT_IN
BUILT_IN["equal_risk_contribution"](["A"]); BUILT_IN["vaa"](["A"], ["B"])
print("scipy" in sys.modules)
BUILT_IN["minimum_variance"](["A"])
print("scipy" in sys.modules)
"""
    assert ran(script) == ["False", "True"]


def test_without_scipy_the_owner_is_told_what_to_install() -> None:
    """Without SciPy, making the strategy says so, also under an overlay; the loader passes the hint on."""
    script = """
import sys
from pathlib import Path
sys.modules["scipy"] = None
from trimtab.adapters.strategy_loader import resolve
from trimtab.errors import Misconfigured
from trimtab.strategies import BUILT_IN, hierarchical_risk_parity
try:
    hierarchical_risk_parity(["A"])
except ImportError as error:
    print(error.name, error, sep="|")
params = {"symbols": ["A"]}
nested = {"strategy": {"name": "minimum_variance", "params": params}, "cap": 0.5}
for name, given in (("minimum_variance", params), ("weight_cap", nested)):
    try:
        resolve(name, given, Path(), BUILT_IN)
    except Misconfigured as error:
        print(error.message, error.seen, error.hint, sep="|")
"""
    install = "pip install 'trimtab[optimize]'"
    assert ran(script) == [
        f"scipy|hierarchical_risk_parity needs SciPy: {install}",
        f"minimum_variance can't be made: minimum_variance needs SciPy|no scipy|{install}",
        f"weight_cap can't be made: minimum_variance needs SciPy|no scipy|{install}",
    ]
