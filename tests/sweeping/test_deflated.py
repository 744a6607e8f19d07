from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.sweeping.deflated import deflated_sharpe, expected_maximum, probable_sharpe
from trimtab.sweeping.trial import moments


@pytest.mark.parametrize(("trials", "published"), [(100, 0.9004), (46, 0.9505)])
def test_the_example_of_the_paper(trials: int, published: float) -> None:
    """Bailey and López de Prado (2014): a ratio of 2.5 a year over 1,250 days of 250 a year, V = 1/2 a year.

    Skewness -3, kurtosis 10: after 100 trials 0.9004, after 46 it would have been 0.9505.
    """
    found = deflated_sharpe(
        2.5 / math.sqrt(250), 1250, skewness=-3, kurtosis=10, trials=trials, variance=0.5 / 250
    )
    assert found == pytest.approx(published, abs=1e-4)


def test_the_threshold_of_the_paper() -> None:
    """100 trials with a variance of 1/2 a year: 0.1132 a day."""
    assert expected_maximum(100, 0.5 / 250) == pytest.approx(0.1132, abs=1e-4)


@pytest.mark.parametrize("trials", [10, 50, 200])
def test_the_expected_maximum_is_that_of_normal_tries(trials: int) -> None:
    """Against the mean of the best of so many draws; the formula is for many tries."""
    draws = np.random.default_rng(7).normal(0, 0.05, (40_000, trials)).max(axis=1)
    assert expected_maximum(trials, 0.05**2) == pytest.approx(draws.mean(), rel=0.03)


def test_the_probability_is_that_of_estimates_that_come_out_lower() -> None:
    """Normal returns with a true ratio of 0.1: half of the estimates are above, and it says so evenly."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(2000):
        shape = moments(rng.normal(0.001, 0.01, 500))
        ratio = (shape["daily_mean"] or 0) / (shape["daily_deviation"] or 1)
        found.append(
            probable_sharpe(ratio, 0.1, 500, shape["daily_skewness"] or 0, shape["daily_kurtosis"] or 3)
        )
    assert np.mean(np.array(found) > 0.95) == pytest.approx(0.05, abs=0.015)
    assert np.mean(np.array(found) > 0.5) == pytest.approx(0.5, abs=0.03)


@given(
    sharpe=st.floats(-0.5, 0.5),
    returns=st.integers(2, 5000),
    skewness=st.floats(-5, 5),
    excess=st.floats(0, 50),
    trials=st.integers(1, 10_000),
    variance=st.floats(0, 0.05),
)
def test_it_is_a_probability_that_more_tries_lower(
    sharpe: float, returns: int, skewness: float, excess: float, trials: int, variance: float
) -> None:
    """Between 0 and 1 for every skewness and kurtosis there can be; never higher with more tries."""
    kurtosis = skewness**2 + 1 + excess
    one, more = (
        deflated_sharpe(sharpe, returns, skewness, kurtosis, trials=n, variance=variance)
        for n in (trials, trials + 1)
    )
    assert 0 <= more <= one + 1e-12 <= 1 + 1e-9


def test_nothing_tried_is_refused() -> None:
    """No trial, no second return."""
    with pytest.raises(ValueError, match="0 trials"):
        expected_maximum(0, 1.0)
    with pytest.raises(ValueError, match="1 returns"):
        probable_sharpe(0.1, 0.0, 1, 0.0, 3.0)


@given(st.lists(st.floats(-0.1, 0.1), min_size=3, max_size=60))
def test_moments_are_numpys(values: list[float]) -> None:
    """Mean, deviation (n - 1), and the third and fourth standardised moments."""
    daily = np.array(values)
    found = moments(daily)
    assert found["daily_mean"] == pytest.approx(daily.mean())
    assert found["daily_deviation"] == pytest.approx(daily.std(ddof=1))
    if daily.std() > 1e-6:
        z = (daily - daily.mean()) / daily.std()
        assert found["daily_skewness"] == pytest.approx((z**3).mean(), abs=1e-6)
        assert found["daily_kurtosis"] == pytest.approx((z**4).mean(), rel=1e-6)
