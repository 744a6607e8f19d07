"""Published: real prices, and the statistics as the sources of published results define them.

The data stands beside the repository, in `../shared/data`, and is no part of it: a test that needs a file
which is not there skips, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import trimtab as tt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    Days = NDArray[np.datetime64]
    Numbers = NDArray[np.float64]
    Rule = Callable[[tt.History, Numbers, float], Numbers]

DATA = Path(__file__).parents[3] / "shared" / "data"
ETF = "canonical_etf_daily.parquet"
RAW = "us_raw_alphavantage_1999_2020.parquet"
PYALGOTRADE = "pyalgotrade_samples.parquet"


def table(name: str) -> pl.DataFrame:
    """Read a file of the market data; skip the test where it is not here."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the market data (../shared/data/{name}) is not here")
    if path.suffix == ".csv":
        return pl.read_csv(path, try_parse_dates=True)
    frame = pl.read_parquet(path)
    return frame.with_columns(pl.col("symbol").cast(pl.String)) if "symbol" in frame.columns else frame


def rows(name: str, symbols: Sequence[str], first: str, last: str) -> pl.DataFrame:
    """Read the rows of some symbols from the `first` to the `last` day, as the file has them."""
    days = pl.col("date").cast(pl.String)
    return table(name).filter(pl.col("symbol").is_in(list(symbols)), days >= first, days <= last)


def paid(frame: pl.DataFrame, symbol: str, ex_date: str, times: int) -> pl.DataFrame:
    """Give adjusted closes as if a dividend stood in them so many times: 0 where a vendor missed it."""
    mine, before = pl.col("symbol") == symbol, pl.col("date").cast(pl.String) < ex_date
    cash = float(frame.filter(mine, pl.col("date").cast(pl.String) == ex_date)["dividend"][0])
    close = float(frame.filter(mine, before).sort("date")["close"][-1])
    assert cash > 0, "there is no such dividend"
    factor = (1 - times * cash / close) / (1 - cash / close)
    return frame.with_columns(
        pl.when(mine & before)
        .then(pl.col("adj_close") * factor)
        .otherwise(pl.col("adj_close"))
        .alias("adj_close")
    )


def bars(name: str, symbols: Sequence[str], first: str, last: str) -> tt.Bars:
    """Read bars, adjusted by adj_close / close."""
    return tt.Bars.from_frame(rows(name, symbols, first, last))


def sample(symbol: str, source: str, first: str, last: str, *, adjusted: bool = True) -> tt.Bars:
    """Read bars of a PyAlgoTrade sample: of one symbol, as one vendor (quandl, yahoofinance) gave them."""
    frame = rows(PYALGOTRADE, [symbol], first, last).filter(pl.col("src") == source)
    return tt.Bars.from_frame(frame, adjusted=adjusted)


def starts(sessions: Days, unit: str) -> Days:
    """Give the first session of each period: unit W (weeks from Monday), M or Y."""
    period = _period(sessions, unit)
    return sessions[np.flatnonzero(np.concatenate([[True], period[1:] != period[:-1]]))]


def ends(sessions: Days, unit: str) -> Days:
    """Give the last session of each period; the last period may be unfinished."""
    return sessions[_last(sessions, unit)]


def mean_of(values: Numbers, count: int) -> Numbers:
    """Give the simple moving average (n,) over `count` values; NaN until there are as many."""
    total = np.cumsum(np.concatenate([[0.0], values]))
    means = np.full(len(values), np.nan)
    means[count - 1 :] = (total[count:] - total[:-count]) / count
    return means


@dataclass(frozen=True)
class Curve:
    """An equity curve: sessions (n,), equity (n,) in USD, and the cash that it began with."""

    sessions: Days
    equity: Numbers
    cash: float

    @property
    def returns(self) -> Numbers:
        """Daily returns (n,), the first against the cash at the beginning."""
        path = np.concatenate([[self.cash], self.equity])
        return path[1:] / path[:-1] - 1

    @property
    def total(self) -> float:
        """The whole return, %."""
        return float(100 * (self.equity[-1] / self.cash - 1))

    @property
    def drawdown(self) -> float:
        """The largest fall below the highest close so far, %, negative."""
        path = np.concatenate([[self.cash], self.equity])
        return float(100 * (path / np.maximum.accumulate(path) - 1).min())

    @property
    def volatility(self) -> float:
        """The standard deviation (n - 1) of daily returns times the root of 252, %."""
        return float(100 * self.returns.std(ddof=1) * np.sqrt(252))

    def sharpe(self, rate: float = 0.0) -> float:
        """Mean daily return above `rate` / 252 by its standard deviation (n - 1), times the root of 252."""
        daily = self.returns
        return float((daily.mean() - rate / 252) / daily.std(ddof=1) * np.sqrt(252))

    def growth(self, days_a_year: float) -> float:
        """Give the compound yearly return, %, from calendar days."""
        days = int((self.sessions[-1] - self.sessions[0]).astype(int))
        return float(100 * ((self.equity[-1] / self.cash) ** (days_a_year / days) - 1))

    def by(self, unit: str) -> dict[str, float]:
        """Give the return of each month (M) or year (Y), %; the first against the cash at the beginning."""
        at = _last(self.sessions, unit)
        path = np.concatenate([[self.cash], self.equity[at]])
        moves = 100 * (path[1:] / path[:-1] - 1)
        names = [str(day) for day in self.sessions[at].astype(f"datetime64[{unit}]")]
        return dict(zip(names, moves.tolist(), strict=True))

    def since(self, first: str, last: str = "9999-12-31") -> Curve:
        """Give the part from the first to the last day; its first equity is what it began with."""
        there = (self.sessions >= np.datetime64(first)) & (self.sessions <= np.datetime64(last))
        equity = self.equity[there]
        return Curve(self.sessions[there], equity, float(equity[0]))


def curve(result: Any, cash: float) -> Curve:  # noqa: ANN401 - any result, by its names
    """Read the equity curve of a backtest that began with `cash`."""
    return Curve(
        result.equity["session"].to_numpy().astype("datetime64[D]"), result.equity["equity"].to_numpy(), cash
    )


class Shares:
    """A strategy whose rule orders shares; it says so in weights, at the close where the orders were sized.

    The rule is given the history, the whole shares held (m,) and the cash; it gives the shares to trade (m,).
    What is held is counted here: it takes for granted that each order fills whole before the next decision.
    """

    def __init__(self, count: int, rule: Rule) -> None:
        """Begin with nothing of `count` symbols."""
        self.held = np.zeros(count)
        self.rule = rule

    def __call__(self, history: tt.History, equity: float) -> dict[str, float]:
        """Give the weights that buy, in whole shares, what the rule orders."""
        close = history.close[-1]
        cash = equity - float(np.nansum(self.held * close))
        self.held = self.held + self.rule(history, self.held, cash)
        return {
            symbol: float(shares * price / equity)
            for symbol, shares, price in zip(history.symbols, self.held, close, strict=True)
            if shares
        }


def _period(sessions: Days, unit: str) -> NDArray[np.int64]:
    if unit == "W":
        return (sessions.astype("datetime64[D]").astype(np.int64) + 3) // 7  # 1970-01-01 was a Thursday
    return sessions.astype(f"datetime64[{unit}]").astype(np.int64)


def _last(sessions: Days, unit: str) -> NDArray[np.int64]:
    period = _period(sessions, unit)
    return np.flatnonzero(np.concatenate([period[1:] != period[:-1], [True]]))
