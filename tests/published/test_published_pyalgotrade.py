"""The samples in PyAlgoTrade's documentation, on the very prices that come with them.

Source: PyAlgoTrade (gbeced/pyalgotrade), documentation ("Tutorial", "Strategy analyzers", "Sample
strategies", "Computational Investing Part I") and its folder `samples`: each script beside its output.

The rules they share: market orders, whole shares, sized at the close of the session that decides and filled
whole at the next session's open; no cost; on adjusted prices, open is open * adjusted close / close. The
broker fills at most 25 % of a bar's volume (not one of these orders is that large) and refuses an order that
its cash cannot pay. Sharpe ratio: daily returns, n - 1, a yearly rate / 252, times the root of 252.

Orders in shares reach the backtest as weights, shares * close / equity, so that nothing but rounding is left
over: the tolerance is half a unit of the last printed digit, unless a test says more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import trimtab as tt
from published.published_kit import PYALGOTRADE, Curve, Shares, bars, curve, mean_of, rows, sample, starts

HALF_A_CENT, HALF_A_HUNDREDTH = 0.005, 0.005
NOTE = 1e-6
"""What float sums may add to half a digit."""


def test_four_stocks_bought_and_held() -> None:
    """Computational Investing Part I: 1996 IBM, 22565 AES, 5445 AIG and 8582 ORCL at the close of 2011-01-03.

    Published: 876,350.83 USD of 1,000,000, -12.36 %, daily mean -0.04 % and standard deviation 0.0176, Sharpe
    ratio -0.33 at no rate.
    """
    wanted = {"IBM": 1996, "AES": 22565, "AIG": 5445, "ORCL": 8582}
    frame = rows(PYALGOTRADE, [*wanted], "2011-01-01", "2011-12-31").filter(pl.col("src") == "quandl")
    prices = tt.Bars.from_frame(frame)
    orders = np.array([wanted[symbol] for symbol in prices.symbols], dtype=np.float64)
    result = tt.backtest(
        Shares(len(wanted), lambda _history, _held, _cash: orders),
        prices,
        rebalance=prices.sessions[:1].tolist(),
        fill="close",
        cost_bps=0.0,
        cash=1_000_000.0,
        fractional=False,
    )
    path = curve(result, 1_000_000.0)
    assert dict(result.trades.select("symbol", "qty").iter_rows()) == wanted
    assert path.equity[-1] == pytest.approx(876_350.83, abs=HALF_A_CENT + NOTE)
    assert path.total == pytest.approx(-12.36, abs=HALF_A_HUNDREDTH)
    assert 100 * path.returns.mean() == pytest.approx(-0.04, abs=HALF_A_HUNDREDTH)
    assert path.returns.std(ddof=1) == pytest.approx(0.0176, abs=0.00005)
    assert path.sharpe() == pytest.approx(-0.33, abs=HALF_A_HUNDREDTH)


@pytest.mark.parametrize(("count", "final"), [(15, 974.87), (20, 1071.03)])
def test_ten_oracle_shares_above_their_average(count: int, final: float) -> None:
    """Tutorial, "Trading": 10 ORCL of 1000 USD while the adjusted close is above its average, 2000.

    Published: 974.87 USD for 15 days with each fill's price, 1071.03 USD for 20 days.
    """
    prices = sample("ORCL", "quandl", "2000-01-01", "2000-12-31")

    def rule(history: tt.History, held: np.ndarray, _cash: float) -> np.ndarray:
        close = history.close[:, 0]
        above = len(close) >= count and close[-1] > close[-count:].mean()
        return np.array([10.0 if above else 0.0]) - held

    result = tt.backtest(
        Shares(1, rule),
        prices,
        rebalance="daily",
        fill="next_open",
        cost_bps=0.0,
        cash=1000.0,
        fractional=False,
    )
    assert result.equity["equity"][-1] == pytest.approx(final, abs=HALF_A_CENT + NOTE)
    if count == 15:
        fills = [
            (str(day), side, round(price, 2))
            for day, side, price in result.trades.select("session", "side", "price").iter_rows()
        ]
        assert len(fills) == 43
        assert fills[:3] == [
            ("2000-01-26", "buy", 25.84),
            ("2000-01-28", "sell", 23.45),
            ("2000-02-03", "buy", 25.22),
        ]
        assert fills[-2:] == [("2000-12-21", "sell", 25.33), ("2000-12-22", "buy", 27.67)]


def crossed(prices: tt.Bars, count: int) -> tuple[Any, Curve]:
    """Play the crossover of a close and its average over `count` days; give the result and its curve."""
    close = prices.close[:, 0]
    side = np.sign(close - mean_of(close, count))
    turns = np.flatnonzero(side[1:] * side[:-1] < 0) + 1

    def strategy(history: tt.History, _equity: float) -> dict[str, float]:
        now = history.close[:, 0]
        return {history.symbols[0]: 0.9} if now[-1] > now[-count:].mean() else {}

    result = tt.backtest(
        strategy,
        prices,
        rebalance=prices.sessions[turns].tolist(),
        fill="next_open",
        cost_bps=0.0,
        cash=1_000_000.0,
        fractional=False,
    )
    return result, curve(result, 1_000_000.0)


def test_an_oracle_crossover_and_its_trades() -> None:
    """Strategy analyzers: ORCL (yahoofinance) crossing its average over 20 days, 90 % of cash, 2000.

    Published: 1,295,462.60 USD of 1,000,000, 29.55 %, Sharpe ratio 0.70 at 5 %, largest drawdown 24.58 %; of
    13 closed trades 3 with a profit, 14,391 USD on average, between -89,317 and 420,782 (half a USD).
    """
    result, path = crossed(sample("ORCL", "yahoofinance", "2000-01-01", "2000-12-31"), 20)
    assert path.equity[-1] == pytest.approx(1_295_462.60, abs=HALF_A_CENT + NOTE)
    assert path.total == pytest.approx(29.55, abs=HALF_A_HUNDREDTH)
    assert path.sharpe(0.05) == pytest.approx(0.70, abs=HALF_A_HUNDREDTH)
    assert path.drawdown == pytest.approx(-24.58, abs=HALF_A_HUNDREDTH)
    price, shares = (result.trades[name].to_numpy() for name in ("price", "qty"))
    assert result.trades["side"].to_list() == ["buy", "sell"] * 13 + ["buy"]
    profit = (price[1::2] - price[:-1:2]) * shares[1::2]
    assert (len(profit), int((profit > 0).sum())) == (13, 3)
    assert [profit.mean(), profit.min(), profit.max()] == pytest.approx([14_391, -89_317, 420_782], abs=0.5)


def test_an_apple_crossover() -> None:
    """Sample strategies, "SMA Crossover": AAPL crossing its average over 163 days, 90 % of cash.

    2011 and 2012. Published: Sharpe ratio 1.12 at 5 %.
    """
    _, path = crossed(sample("AAPL", "quandl", "2011-01-01", "2012-12-31"), 163)
    assert path.sharpe(0.05) == pytest.approx(1.12, abs=HALF_A_HUNDREDTH)


def test_bollinger_bands_of_yahoo() -> None:
    """Sample strategies, "Bollinger Bands": YHOO, unadjusted, bought whole below the lower band of 40 days.

    Two standard deviations (n), sold above the upper band, 2011 to 2012. Published: sessions and sizes of
    the orders, and Sharpe ratio 0.71 at 5 %. Of the orders, those are left out here that the cash could not
    pay at the next open, which a backtest that sizes by weight would fill: these are the decisions that
    filled.
    """
    prices = sample("YHOO", "quandl", "2011-01-01", "2012-12-31", adjusted=False)
    decided = ["2011-08-01", "2011-09-15", "2012-02-21", "2012-06-29", "2012-08-10", "2012-10-23"]

    def strategy(history: tt.History, _equity: float) -> dict[str, float]:
        close = history.close[-40:, 0]
        middle, width = close.mean(), 2 * close.std()
        assert not middle - width <= close[-1] <= middle + width
        return {"YHOO": 1.0} if close[-1] < middle else {}

    result = tt.backtest(
        strategy,
        prices,
        rebalance=decided,
        fill="next_open",
        cost_bps=0.0,
        cash=1_000_000.0,
        fractional=False,
    )
    filled = [(str(day), shares) for day, shares in result.trades.select("session", "qty").iter_rows()]
    assert filled == [
        ("2011-08-02", 76335),
        ("2011-09-16", 76335),
        ("2012-02-22", 78819),
        ("2012-07-02", 78819),
        ("2012-08-13", 82565),
        ("2012-10-24", 82565),
    ]
    assert curve(result, 1_000_000.0).sharpe(0.05) == pytest.approx(0.71, abs=HALF_A_HUNDREDTH)


def test_a_hundred_apples_above_the_volume_weighted_price() -> None:
    """Sample strategies, "VWAP Momentum": AAPL, unadjusted, 100 shares more or less a day, 2011 and 2012.

    Bought while the close is 1 % above the average of closes over 5 days, weighted by volume, and less than
    1,000,000 USD is held; sold while it is 1 % below. Published: Sharpe ratio 0.89 at 5 %.
    """
    prices = sample("AAPL", "quandl", "2011-01-01", "2012-12-31", adjusted=False)

    def rule(history: tt.History, held: np.ndarray, _cash: float) -> np.ndarray:
        close, volume = history.close[-5:, 0], history.volume[-5:, 0]
        if len(close) == 5:
            ratio = close[-1] / (close @ volume / volume.sum())
            if ratio > 1.01 and held[0] * close[-1] < 1_000_000:
                return np.array([100.0])
            if ratio < 0.99 and held[0] > 0:
                return np.array([-100.0])
        return np.zeros(1)

    result = tt.backtest(
        Shares(1, rule),
        prices,
        rebalance="daily",
        fill="next_open",
        cost_bps=0.0,
        cash=1_000_000.0,
        fractional=False,
    )
    assert set(result.trades["qty"]) == {100.0}
    assert curve(result, 1_000_000.0).sharpe(0.05) == pytest.approx(0.89, abs=HALF_A_HUNDREDTH)


CLASSES = ("VTI", "VEU", "IEF", "VNQ", "DBC")
"""US stocks, foreign stocks, US 10 year bonds, real estate, commodities: one symbol a class."""


def timing_prices() -> tt.Bars:
    """Give the adjusted prices of the market timing sample."""
    return bars(PYALGOTRADE, CLASSES, "2007-01-01", "2013-12-31")


def in_trend(history: tt.History, symbol: str) -> bool:
    """Say whether a close is at or above its average over 200 of its own bars, known for 20 bars."""
    close = history.close[:, history.symbols.index(symbol)]
    own = close[~np.isnan(close)]
    return len(own) >= 219 and bool(own[-1] >= own[-200:].mean())


class Timing:
    """The orders of the market timing sample, for symbols (m,)."""

    def __init__(self) -> None:
        """Begin before the first month."""
        self.month = np.datetime64("NaT", "M")
        self.open: dict[str, float] = {}

    def __call__(self, history: tt.History, held: np.ndarray, cash: float) -> np.ndarray:
        """Order anew where a month begins; then as much as 90 % of the cash buys, the rest on later days."""
        close = dict(zip(history.symbols, history.close[-1].tolist(), strict=True))
        has = dict(zip(history.symbols, held.tolist(), strict=True))
        if history.sessions[-1].astype("datetime64[M]") != self.month:
            self.month = history.sessions[-1].astype("datetime64[M]")
            equity = cash + sum(shares * close[symbol] for symbol, shares in has.items() if shares)
            a_class = round(equity / len(CLASSES), 2)
            best = [symbol for symbol in CLASSES if in_trend(history, symbol)]
            self.open = {
                symbol: float(int(round(a_class - has[symbol] * close[symbol], 2) / close[symbol]))
                for symbol in best
            }
            self.open |= {symbol: -shares for symbol, shares in has.items() if shares and symbol not in best}
        left, orders = round(cash * 0.9, 2), np.zeros(len(held))
        for symbol, wanted in self.open.items():
            size = min(wanted, float(left // close[symbol])) if wanted > 0 else wanted
            left -= max(size, 0.0) * close[symbol]
            orders[history.symbols.index(symbol)] = size
            self.open[symbol] = wanted - size
        return orders


def test_market_timing_order_by_order() -> None:
    """Sample strategies, "Market Timing": five classes, a fifth each while at or above their average.

    10,000 USD, 2007 to 2013, decided at the close of a month's first session; a fifth of equity less what is
    held, cut to whole shares towards 0; buys within 90 % of the cash, what is left over on later days.
    Published: 32.90 %, Sharpe ratio -0.06 at 5 %, and the orders of the last months.
    """
    prices = timing_prices()
    result = tt.backtest(
        Shares(len(CLASSES), Timing()),
        prices,
        rebalance="daily",
        fill="next_open",
        cost_bps=0.0,
        cash=10_000.0,
        fractional=False,
    )
    path = curve(result, 10_000.0)
    assert path.total == pytest.approx(32.90, abs=HALF_A_HUNDREDTH)
    assert path.sharpe(0.05) == pytest.approx(-0.06, abs=HALF_A_HUNDREDTH)
    late = result.trades.filter(pl.col("session").cast(pl.String) >= "2013-10-01")
    assert sorted(late.select(pl.col("session").cast(pl.String), "symbol", "side", "qty").iter_rows()) == [
        ("2013-10-02", "VEU", "sell", 2.0),
        ("2013-11-04", "VEU", "sell", 1.0),
        ("2013-11-04", "VNQ", "buy", 39.0),
        ("2013-11-04", "VTI", "sell", 1.0),
        ("2013-12-03", "VNQ", "sell", 39.0),
        ("2013-12-03", "VTI", "sell", 1.0),
    ]


def test_market_timing_by_weights() -> None:
    """The same sample the way a user of Trimtab writes it: a fifth each, whatever the shares.

    Tolerance: 0.5 points. The sample's 32.90 % holds whole shares of 10,000 USD (one is up to 1.2 % of it),
    keeps a share too many when it reduces, and at first leaves a tenth of its cash.
    """
    prices = timing_prices()

    def strategy(history: tt.History, _equity: float) -> dict[str, float]:
        return {symbol: 0.2 for symbol in CLASSES if in_trend(history, symbol)}

    result = tt.backtest(
        strategy,
        prices,
        rebalance=starts(prices.sessions, "M").tolist(),
        fill="next_open",
        cost_bps=0.0,
        cash=10_000.0,
    )
    path = curve(result, 10_000.0)
    assert path.total == pytest.approx(32.90, abs=0.5)
    assert path.sharpe(0.05) == pytest.approx(-0.06, abs=0.01)
