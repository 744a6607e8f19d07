"""The performance table in ffn's documentation: DBC and SPY, bought and held from 2010 to 2013.

Source: ffn (pmorissette/ffn), documentation, quick start, "Performance Measurement": the columns `dbc` and
`spy` of `display`, the list `stats` and the table of monthly returns of `spy`. Statistics alone: each fund is
bought whole at the first close and held.

Definitions: daily returns from the second session on, 252 days, n - 1, no risk-free rate; years of 365.25
days; monthly volatility times the root of 12, from the second month on; the first month's and year's return
count from the first session's close.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import trimtab as tt
from published.published_kit import ETF, Curve, bars, curve, table


def held(prices: tt.Bars) -> Curve:
    """Buy one fund whole at the first close, and hold it."""
    symbol = prices.symbols[0]
    result = tt.backtest(
        tt.strategies.fixed_weights(weights={symbol: 1.0}),
        prices,
        rebalance=prices.sessions[:1].tolist(),
        fill="close",
        cost_bps=0.0,
        cash=1_000_000.0,
    )
    return curve(result, 1_000_000.0)


def dbc() -> tt.Bars:
    """Give DBC, of which the file that comes with ffn has closes alone."""
    frame = table("ffn_dbc_2010_2013.csv").select(
        pl.lit("DBC").alias("symbol"),
        pl.col("Date").alias("date"),
        *(pl.col("dbc").alias(name) for name in ("open", "high", "low", "close")),
        pl.lit(1.0).alias("volume"),
    )
    return tt.Bars.from_frame(frame)


def test_dbc_on_the_file_that_comes_with_it() -> None:
    """Column `dbc`. Tolerance: half a unit of the last printed digit."""
    path = held(dbc())
    daily, years = path.returns[1:], path.by("Y")
    months = np.array([*path.by("M").values()])[1:]
    sound = {
        "total": path.total,
        "growth": path.growth(365.25),
        "drawdown": path.drawdown,
        "mean": 25200 * daily.mean(),
        "volatility": 100 * daily.std(ddof=1) * np.sqrt(252),
        "sharpe": daily.mean() / daily.std(ddof=1) * np.sqrt(252),
        "best day": 100 * daily.max(),
        "worst day": 100 * daily.min(),
        "monthly mean": 12 * months.mean(),
        "monthly volatility": months.std(ddof=1) * np.sqrt(12),
        "best month": months.max(),
        "worst month": months.min(),
        "2013": years["2013"],
    }
    assert sound == pytest.approx(
        {
            "total": 1.66,
            "growth": 0.41,
            "drawdown": -24.34,
            "mean": 1.83,
            "volatility": 16.84,
            "sharpe": 0.11,
            "best day": 4.34,
            "worst day": -6.70,
            "monthly mean": 4.61,
            "monthly volatility": 17.10,
            "best month": 9.89,
            "worst month": -14.62,
            "2013": -7.63,
        },
        abs=0.005,
    )


SPY_MONTHS = {
    "2010": (-5.24, 3.12, 6.09, 1.55, -7.95, -5.17, 6.83, -4.5, 8.96, 3.82, 0, 6.69),
    "2011": (2.33, 3.47, 0.01, 2.9, -1.12, -1.69, -2, -5.5, -6.94, 10.91, -0.41, 1.04),
    "2012": (4.64, 4.34, 3.22, -0.67, -6.01, 4.06, 1.18, 2.51, 2.54, -1.82, 0.57, 0.89),
    "2013": (5.12, 1.28, 3.8, 1.92, 2.36, -1.33, 5.17, -3, 3.16, 4.63, 2.96, 2.59),
}


def test_spy_on_prices_adjusted_since() -> None:
    """Column `spy`: `stats` to six digits, each month and year.

    Tolerance: 0.005 points, as adjusted closes are rounded; 0.01 for months and years, which print two
    digits.
    """
    path = held(bars(ETF, ["SPY"], "2010-01-04", "2013-12-31"))
    daily = path.returns[1:]
    assert path.total == pytest.approx(76.9155, abs=0.005)
    assert path.growth(365.25) == pytest.approx(15.375, abs=0.005)
    assert path.drawdown == pytest.approx(-18.6055, abs=0.005)
    assert 25200 * daily.mean() == pytest.approx(15.7279, abs=0.005)
    assert 100 * daily.std(ddof=1) * np.sqrt(252) == pytest.approx(16.8323, abs=0.005)
    assert daily.mean() / daily.std(ddof=1) * np.sqrt(252) == pytest.approx(0.93439, abs=0.0005)
    assert 100 * daily.max() == pytest.approx(4.6499, abs=0.005)
    assert 100 * daily.min() == pytest.approx(-6.5123, abs=0.005)
    months = path.by("M")
    for year, row in SPY_MONTHS.items():
        got = [months[f"{year}-{month:02d}"] for month in range(1, 13)]
        assert got == pytest.approx(row, abs=0.01), year
    assert path.by("Y") == pytest.approx(
        {"2010": 13.14, "2011": 1.89, "2012": 15.99, "2013": 32.31}, abs=0.01
    )
