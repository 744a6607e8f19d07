"""Two funds at 40 and 60 %, put back every January: VTI and BND, to the end of 2021.

Source: lazyportfolioetf.com, "Stocks/Bonds 40/60 Portfolio", as of 2021-12-31: returns over 1, 3, 5 and 10
years of the portfolio and its funds, and the portfolio's standard deviation over 10. Rules there: dividends
reinvested, rebalanced on every January 1st (here: at the close of the year's last session), no cost.
Definitions: compound yearly returns of whole years; standard deviation (n) of 120 monthly returns times the
root of 12.
"""

from __future__ import annotations

import numpy as np
import pytest

import trimtab as tt
from published.published_kit import ETF, Curve, bars, curve, ends

YEARS = {1: 9.15, 3: 13.20, 5: 9.44, 10: 8.30}
FUNDS = {"VTI": {1: 25.67, 3: 25.73, 5: 17.96, 10: 16.29}, "BND": {1: -1.86, 3: 4.78, 5: 3.54, 10: 2.75}}


def played(weights: dict[str, float], years: int) -> Curve:
    """Play whole years up to 2021, from the close before them."""
    prices = bars(ETF, ["VTI", "BND"], "2007-04-10", "2021-12-31")
    year_ends = ends(prices.sessions, "Y")
    first = year_ends[-1 - years]
    result = tt.backtest(
        tt.strategies.fixed_weights(weights=weights),
        prices,
        start=first,
        rebalance=year_ends[-1 - years :].tolist(),
        fill="close",
        cost_bps=0.0,
        cash=100_000.0,
    )
    return curve(result, 100_000.0)


def yearly(path: Curve, years: int) -> float:
    """Give the compound return of whole years, %."""
    return float(100 * ((path.equity[-1] / path.cash) ** (1 / years) - 1))


@pytest.mark.parametrize("years", YEARS)
def test_forty_sixty_put_back_every_january(years: int) -> None:
    """Returns over 1 to 10 years of the portfolio, and of each fund bought and held.

    Tolerance: 0.02 points, 0.025 for a fund alone (monthly returns are rounded there). Over 10 years 0.06,
    and 0.07 for BND, whose own return has moved from 2.75 to 2.81 %: six of its dividends are corrected
    here.
    """
    path = played({"VTI": 0.4, "BND": 0.6}, years)
    assert yearly(path, years) == pytest.approx(YEARS[years], abs=0.06 if years == 10 else 0.02)
    for symbol, published in FUNDS.items():
        alone = yearly(played({symbol: 1.0}, years), years)
        assert alone == pytest.approx(published[years], abs=0.07 if (symbol, years) == ("BND", 10) else 0.025)


def test_the_standard_deviation_of_ten_years() -> None:
    """Published: 5.79 % from 120 monthly returns. Tolerance: 0.01 points."""
    months = np.array([*played({"VTI": 0.4, "BND": 0.6}, 10).by("M").values()])[1:]
    assert len(months) == 120
    assert months.std() * np.sqrt(12) == pytest.approx(5.79, abs=0.01)
