"""Reports of the Systematic Investor: Faber's five classes, momentum of seven funds, bonds at a month's end.

Source: systematicinvestor.github.io: strategy page "Quantitative Approach To Tactical Asset Allocation
Strategy" (report of 2016-06-25), posts "Execution Prices" (report of 2014-12-07) and "T-Bond Seasonality"
(2015-03-23), with the code that each prints and that of its toolbox (systematicinvestor/SIT).

The rules they share: fractional shares at the adjusted close of the session that is said. Commission, where
said: 10 USD an order and 0.01 USD a share, of a capital that stays at 100,000 USD while returns compound.
Statistics: volatility of daily returns (n - 1, 252 days), growth a year of 365 days.
"""

from __future__ import annotations

import numpy as np
import pytest

import trimtab as tt
from published.published_kit import ETF, RAW, bars, curve, ends, paid, rows

GTAA = ("VTI", "VEU", "IEF", "VNQ", "DBC")
GTAA_CASH = "BND"
SIGNALS = {  # 20 where a class was held, in the order of GTAA; the rest, BND
    "2014-10-30": (20, 0, 20, 20, 0),
    "2014-11-26": (20, 0, 20, 20, 0),
    "2014-12-30": (20, 0, 20, 20, 0),
    "2015-01-29": (20, 0, 20, 20, 0),
    "2015-02-26": (20, 20, 20, 20, 0),
    "2015-03-30": (20, 20, 20, 20, 0),
    "2015-04-29": (20, 20, 20, 20, 0),
    "2015-05-28": (20, 20, 20, 20, 0),
    "2015-06-29": (20, 20, 0, 0, 0),
    "2015-07-30": (20, 0, 0, 0, 0),
    "2015-08-28": (0, 0, 20, 0, 0),
    "2015-09-29": (0, 0, 20, 0, 0),
    "2015-10-29": (20, 0, 20, 20, 0),
    "2015-11-27": (20, 0, 20, 20, 0),
    "2015-12-30": (0, 0, 0, 20, 0),
    "2016-01-28": (0, 0, 20, 0, 0),
    "2016-02-26": (0, 0, 20, 20, 0),
    "2016-03-30": (20, 0, 20, 20, 0),
    "2016-04-28": (20, 20, 20, 20, 20),
    "2016-05-27": (20, 20, 20, 20, 20),
}
GTAA_YEARS = {  # return and largest drawdown, %
    "2009": (15.6, -4.9),
    "2010": (9.4, -9.8),
    "2011": (0.9, -13.5),
    "2012": (3.8, -7.7),
    "2013": (4.9, -8.2),
    "2014": (8.0, -3.1),
    "2015": (-1.7, -6.2),
}


def five_classes(history: tt.History, _equity: float) -> dict[str, float]:
    """Give a fifth to each class above its average over 200 days; what is left to bonds."""
    if len(history.sessions) < 200:
        return {}
    held = [
        symbol
        for symbol in GTAA
        if history.close[-1, history.symbols.index(symbol)]
        > history.close[-200:, history.symbols.index(symbol)].mean()
    ]
    return dict.fromkeys(held, 0.2) | {GTAA_CASH: 1 - 0.2 * len(held)}


def gtaa_prices() -> tt.Bars:
    """Give the five classes and bonds."""
    return bars(RAW, [*GTAA, GTAA_CASH], "2007-04-10", "2016-06-24")


def test_the_signals_of_five_classes() -> None:
    """The page's table of 20 signals from 2014-10-30 to 2016-05-27, each a day before the month's end.

    Tolerance: none; a signal is there or not.
    """
    result = tt.backtest(five_classes, gtaa_prices(), rebalance=[*SIGNALS], cost_bps=0.0)
    asked = {(str(day), symbol): weight for day, symbol, weight in result.weights.iter_rows()}
    for day, signal in SIGNALS.items():
        row = dict(zip(GTAA, signal, strict=True)) | {GTAA_CASH: 100 - sum(signal)}
        assert {symbol: round(100 * asked.get((day, symbol), 0.0)) for symbol in row} == row, day


@pytest.mark.parametrize("year", GTAA_YEARS)
def test_the_years_of_five_classes(year: str) -> None:
    """The page's years: the signal of the day before, traded at the close of the month's last session.

    Each year is played by itself from 100,000 USD, as the commission there is of a capital that stays so.
    The page does not print its commission; that of the site's posts explains the 0.6 points between the
    returns with and without. Tolerance: 0.2 points, of which the 0.01 USD a share that is left out here are
    0.04 to 0.08 and the page's rounding 0.05; 0.3 in 2015, of which 0.2 stay unexplained.
    """
    prices = gtaa_prices()
    month_ends = ends(prices.sessions, "M")
    before = month_ends[month_ends < np.datetime64(year)][-1]

    def of_yesterday(history: tt.History, equity: float) -> dict[str, float]:
        past = tt.History(
            history.sessions[:-1],
            history.symbols,
            *(getattr(history, name)[:-1] for name in ("open", "high", "low", "close", "volume")),
        )
        return five_classes(past, equity)

    result = tt.backtest(
        of_yesterday,
        prices,
        start=before,
        end=f"{year}-12-31",
        rebalance=month_ends[
            (month_ends >= before) & (month_ends <= np.datetime64(f"{year}-12-31"))
        ].tolist(),
        fill="close",
        cost_bps=0.0,
        cost_minimum=10.0,
        cash=100_000.0,
    )
    path = curve(result, 100_000.0).since(str(before))
    assert (path.total, path.drawdown) == pytest.approx(GTAA_YEARS[year], abs=0.3 if year == "2015" else 0.2)


MOMENTUM_YEARS = {
    "2005": 14.2,
    "2006": 17.5,
    "2007": 21.8,
    "2008": -5.6,
    "2009": 24.7,
    "2010": 9.0,
    "2011": 10.6,
    "2012": 18.1,
    "2013": 26.5,
    "2014": 9.8,
}


def test_the_three_strongest_of_seven_funds() -> None:
    """Execution Prices: the 3 best of SPY EEM EFA TLT IWM QQQ GLD over 126 sessions, at the close of a month.

    From GLD's first day, no commission. Published, column "Cl": 14.21 % a year, volatility 15.19 %, largest
    drawdown -24.49 %, and each year's return. EEM's dividend of 2008-06-25 is not in the month that the post
    prints (-1.0 % for -0.7 %), so it is taken out of the prices here; with it 2008 is -5.2 % and growth
    14.27 %. Tolerance: 0.03 points of growth, 0.01 of volatility and drawdown, 0.11 of a year, which prints
    one digit.
    """
    funds = rows(ETF, ["SPY", "EEM", "EFA", "TLT", "IWM", "QQQ", "GLD"], "2004-11-18", "2014-12-05")
    prices = tt.Bars.from_frame(paid(funds, "EEM", "2008-06-25", 0))

    def strategy(history: tt.History, _equity: float) -> dict[str, float]:
        if len(history.sessions) <= 126:
            return {}
        best = np.argsort(-history.close[-1] / history.close[-127])[:3]
        return {history.symbols[i]: 1 / 3 for i in best}

    result = tt.backtest(
        strategy,
        prices,
        rebalance=ends(prices.sessions, "M").tolist(),
        fill="close",
        cost_bps=0.0,
        cash=100_000.0,
    )
    path = curve(result, 100_000.0)
    assert path.growth(365) == pytest.approx(14.21, abs=0.03)
    assert path.volatility == pytest.approx(15.19, abs=0.01)
    assert path.drawdown == pytest.approx(-24.49, abs=0.01)
    years = path.by("Y")
    assert years.pop("2004") == 0.0
    assert years == pytest.approx(MOMENTUM_YEARS, abs=0.11)


BOND_YEARS = {
    "2003": 0.7,
    "2004": -0.6,
    "2005": 3.5,
    "2006": -0.9,
    "2007": 7.8,
    "2008": 3.3,
    "2009": 1.4,
    "2010": 9.8,
    "2011": 4.6,
    "2012": 11.1,
    "2013": 1.9,
    "2014": 12.6,
}


def test_treasury_bonds_in_the_last_days_of_a_month() -> None:
    """T-Bond Seasonality, column "L5": TLT over the last 5 sessions of each month, otherwise cash.

    From 2002-07-30; bought at the close 5 sessions before the month's last, sold at its last. The
    commission, 10 USD and 0.01 USD a share on 100,000 USD at about 100 USD a share, is 2 basis points.
    Published: 5.15 % a year, volatility 6.42 %, drawdown -17.22 %, 152 trades, each year's return.
    Tolerance: 0.1 points, 0.01 of volatility, 1 trade, 0.25 of a year's return, as the price of a share lay
    between 80 and 137 USD.
    """
    prices = bars(ETF, ["TLT"], "2002-07-30", "2015-03-20")
    month_ends = np.searchsorted(prices.sessions, ends(prices.sessions, "M")[:-1])
    last = {prices.sessions[i] for i in month_ends}
    decided = [*prices.sessions[month_ends[month_ends >= 5] - 5], *last]

    def strategy(history: tt.History, _equity: float) -> dict[str, float]:
        return {} if history.sessions[-1] in last else {"TLT": 1.0}

    result = tt.backtest(strategy, prices, rebalance=decided, fill="close", cost_bps=2.0, cash=100_000.0)
    path = curve(result, 100_000.0)
    assert path.growth(365) == pytest.approx(5.15, abs=0.1)
    assert path.volatility == pytest.approx(6.42, abs=0.01)
    assert path.drawdown == pytest.approx(-17.22, abs=0.1)
    assert len(result.trades) // 2 == pytest.approx(152, abs=1)
    years = path.by("Y")
    assert {year: years[year] for year in BOND_YEARS} == pytest.approx(BOND_YEARS, abs=0.25)
