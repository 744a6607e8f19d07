"""Exact: equity, cash and trades of a backtest, followed on paper."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trimtab as tt
from backtesting.small import NAN, always, bars_of
from trimtab.errors import Halted

DAILY = {"rebalance": "daily", "cost_bps": 0.0, "cash": 1000.0}


def test_a_weight_is_bought_at_the_close_that_decides() -> None:
    """Half of 1,000 USD at 10 is 50 shares; the rest of the day's move is not had."""
    result = tt.backtest(
        always(A=0.5), bars_of({"A": [10.0, 12.0, 12.0]}), **{**DAILY, "rebalance": [date(2021, 3, 1)]}
    )
    assert result.equity["equity"].to_list() == [1000.0, 1100.0, 1100.0]
    assert result.trades.rows() == [(date(2021, 3, 1), "A", "buy", 50.0, 10.0, 0.0)]
    assert result.cash.tolist() == [500.0, 500.0, 500.0]


def test_the_next_open_fills_the_shares_that_the_close_sized() -> None:
    """Sized at 10, bought at the next open of 11: the gap is paid."""
    bars = bars_of({"A": [10.0, 12.0, 12.0]}, {"A": [10.0, 11.0, 12.0]})
    result = tt.backtest(always(A=0.5), bars, fill="next_open", **{**DAILY, "rebalance": ["2021-03-01"]})
    assert result.trades.rows() == [(date(2021, 3, 2), "A", "buy", 50.0, 11.0, 0.0)]
    assert result.value.tolist() == [1000.0, 1050.0, 1050.0]


def test_costs_leave_cash_at_once() -> None:
    """10 bps of 500 USD, 2 cents a share, at least 3 USD: 1.5 USD are less than the minimum."""
    bars, once = bars_of({"A": [10.0, 10.0]}), {**DAILY, "rebalance": ["2021-03-01"]}
    result = tt.backtest(always(A=0.5), bars, **{**once, "cost_bps": 10.0}, cost_per_share=0.02)
    assert result.trades["cost"].to_list() == pytest.approx([1.5])
    assert result.value.tolist() == pytest.approx([998.5, 998.5])
    result = tt.backtest(
        always(A=0.5), bars, **{**once, "cost_bps": 10.0}, cost_per_share=0.02, cost_minimum=3.0
    )
    assert result.value.tolist() == pytest.approx([997.0, 997.0])


def test_whole_shares_round_down() -> None:
    """500 USD buy 71 shares at 7."""
    result = tt.backtest(always(A=0.5), bars_of({"A": [7.0, 7.0]}), fractional=False, **DAILY)
    assert result.trades["qty"].to_list() == [71.0]


def test_the_last_session_never_decides() -> None:
    """Daily over three sessions: two decisions."""
    result = tt.backtest(always(A=0.5), bars_of({"A": [10.0, 20.0, 10.0]}), **DAILY)
    assert result.weights["session"].to_list() == [date(2021, 3, 1), date(2021, 3, 2)]


def test_a_symbol_that_stops_is_worth_its_last_close_and_sold_there() -> None:
    """It keeps its last close, and the next decision sells it there, wanted or not."""
    bars = bars_of({"A": [10.0, 12.0, NAN, NAN, NAN], "B": [1.0] * 5})
    result = tt.backtest(always(A=0.5), bars, **{**DAILY, "rebalance": ["2021-03-01", "2021-03-04"]})
    assert result.value.tolist() == [1000.0, 1100.0, 1100.0, 1100.0, 1100.0]
    assert result.trades.rows()[-1] == (date(2021, 3, 4), "A", "sell", 50.0, 12.0, 0.0)
    assert [code for _, code, _ in result.told()] == ["no_bar"]


def test_a_symbol_that_pauses_is_kept() -> None:
    """A missing bar in the middle is no end: the shares stay, and are worth the last close."""
    bars = bars_of({"A": [10.0, NAN, 20.0, 20.0], "B": [1.0] * 4})
    result = tt.backtest(always(A=0.5), bars, **{**DAILY, "rebalance": ["2021-03-01", "2021-03-02"]})
    assert result.value.tolist() == [1000.0, 1000.0, 1500.0, 1500.0]
    assert len(result.trades) == 1


@pytest.mark.parametrize("fill", ["close", "next_open"])
def test_a_symbol_that_pauses_is_not_sold_at_a_price_of_before(fill: str) -> None:
    """Wanted no more while it is halted, it is sold where it trades again: 50 shares at 4, not at 10."""
    bars = bars_of({"A": [10.0, 10.0, NAN, NAN, 4.0, 4.0, 4.0], "B": [1.0] * 7})

    def strategy(history: tt.History, _equity: float) -> dict[str, float]:
        return {"A": 0.5} if len(history.sessions) < 2 else {"B": 0.5}

    decided = ["2021-03-01", "2021-03-03", "2021-03-04", "2021-03-05"]
    result = tt.backtest(strategy, bars, fill=fill, **{**DAILY, "rebalance": decided})
    sold = result.trades.filter(symbol="A", side="sell").rows()
    day = date(2021, 3, 5) if fill == "close" else date(2021, 3, 8)
    assert sold == [(day, "A", "sell", 50.0, 4.0, 0.0)]
    assert result.value.tolist() == [1000.0, 1000.0, 1000.0, 1000.0, 700.0, 700.0, 700.0]


def test_what_is_kept_in_a_pause_is_not_spent_again() -> None:
    """Sixty of a hundred stay in A while it pauses: B and C share the rest by their weights."""
    bars = bars_of({"A": [10.0, 10.0, NAN, 20.0, 20.0], "B": [1.0] * 5, "C": [1.0] * 5})

    def strategy(history: tt.History, _equity: float) -> dict[str, float]:
        return {"A": 0.6} if len(history.sessions) < 2 else {"B": 0.75, "C": 0.25}

    decided = ["2021-03-01", "2021-03-03", "2021-03-04"]
    result = tt.backtest(strategy, bars, **{**DAILY, "rebalance": decided})
    paused = result.trades.filter(session=date(2021, 3, 3)).rows()
    assert [(row[1], row[3]) for row in paused] == [("B", 300.0), ("C", 100.0)]
    assert result.value.tolist() == [1000.0, 1000.0, 1000.0, 1600.0, 1600.0]
    assert [text for _, _, text in result.told()] == [
        "A was kept at the cost of others on a session without its bar"
    ]
    again = result.trades.filter(session=date(2021, 3, 4)).rows()
    assert [(row[1], row[3]) for row in again] == [("A", 60.0), ("B", 900.0), ("C", 300.0)]


def test_a_late_listing_enters_when_it_has_a_bar() -> None:
    """Before its first bar its weight stays in cash."""
    bars = bars_of({"A": [NAN, NAN, 10.0, 10.0], "B": [1.0] * 4})
    result = tt.backtest(always(A=0.5), bars, **DAILY)
    assert result.trades.rows() == [(date(2021, 3, 3), "A", "buy", 50.0, 10.0, 0.0)]


def test_cash_earns_interest_for_the_days_between_closes() -> None:
    """36.5 % a year is 0.1 % a day: three days over a weekend."""
    bars = bars_of({"A": [10.0] * 3}, first=date(2021, 3, 5))
    result = tt.backtest(always(), bars, interest=0.365, **DAILY)
    assert result.value.tolist() == pytest.approx([1000.0, 1003.0, 1004.003])
    table = pl.DataFrame({"session": [date(2021, 3, 8)], "rate": [0.365]})
    result = tt.backtest(always(), bars, interest=table, **DAILY)
    assert result.value.tolist() == pytest.approx([1000.0, 1000.0, 1001.0])


def test_contributions_come_in_at_the_close_and_are_invested() -> None:
    """A number at every decision but the first; a mapping on its sessions."""
    bars = bars_of({"A": [10.0] * 4})
    result = tt.backtest(always(A=1.0), bars, contributions=100.0, **DAILY)
    assert result.value.tolist() == [1000.0, 1100.0, 1200.0, 1200.0]
    assert result.trades["qty"].to_list() == [100.0, 10.0, 10.0]
    result = tt.backtest(always(A=1.0), bars, contributions={"2021-03-02": -200.0}, **DAILY)
    assert result.value.tolist() == [1000.0, 800.0, 800.0, 800.0]
    assert result.stats["total_return_pct"] == pytest.approx(0.0)


def test_start_and_end_are_inclusive_and_history_begins_with_the_data() -> None:
    """The curve is of the span; the strategy sees everything before it."""
    seen = []

    def strategy(history: tt.History, _equity: float) -> dict[str, float]:
        seen.append((str(history.sessions[0]), str(history.sessions[-1]), history.close.flags.writeable))
        return {}

    bars = bars_of({"A": [10.0] * 6})
    result = tt.backtest(strategy, bars, start="2021-03-03", end=date(2021, 3, 5), **DAILY)
    assert result.equity["session"].to_list() == [date(2021, 3, 3), date(2021, 3, 4), date(2021, 3, 5)]
    assert seen == [("2021-03-01", "2021-03-03", False), ("2021-03-01", "2021-03-04", False)]


def test_a_benchmark_is_bought_once() -> None:
    """All the cash in one symbol at its first close."""
    bars = bars_of({"A": [10.0, 11.0], "B": [2.0, 3.0]})
    result = tt.backtest(always(A=1.0), bars, benchmark="B", **DAILY)
    assert result.benchmark is not None
    assert result.benchmark.tolist() == [1000.0, 1500.0]


def test_a_strategy_is_shown_its_own_symbols_and_one_without_sees_all() -> None:
    """What it names by `symbols` is its universe; the benchmark is not, unless it is among them."""
    shown = []

    def strategy(history: tt.History, _equity: float) -> dict[str, float]:
        shown.append(history.symbols)
        return {}

    bars = bars_of({"A": [10.0, 11.0], "B": [2.0, 3.0], "C": [1.0, 1.0]})
    tt.backtest(strategy, bars, benchmark="B", **DAILY)
    strategy.symbols = ("A", "C")  # type: ignore[attr-defined]  # what a strategy may carry
    result = tt.backtest(strategy, bars, benchmark="B", **DAILY)
    assert shown == [("A", "B", "C"), ("A", "C")]
    assert result.benchmark is not None
    assert result.benchmark.tolist() == [1000.0, 1500.0]


@pytest.mark.parametrize("weights", [{"A": 0.6, "B": 0.5}, {"A": -0.1}, {"A": NAN}, {"C": 0.1}, [("A", 1)]])
def test_weights_that_no_run_would_take_stop_it(weights: object) -> None:
    """The error names the session."""
    bars = bars_of({"A": [10.0, 11.0], "B": [2.0, 3.0]})
    with pytest.raises(Halted, match="on 2021-03-01"):
        tt.backtest(lambda _h, _e: weights, bars, **DAILY)  # type: ignore[arg-type,return-value]  # the point


def test_a_strategy_that_raises_says_when() -> None:
    """Its own error, with the session as a note."""

    def strategy(_history: tt.History, _equity: float) -> dict[str, float]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        tt.backtest(strategy, bars_of({"A": [10.0, 11.0]}), **DAILY)
    assert "2021-03-01" in caught.value.__notes__[0]


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(0, 10_000), st.sampled_from(["close", "next_open"]))
def test_money_is_neither_made_nor_lost(m: int, seed: int, fill: str) -> None:
    """Equity is the cash that the trades left, and the shares that they made, at the last closes."""
    rng = np.random.default_rng(seed)
    n = 30
    close = np.round(10 * np.exp(rng.normal(0, 0.05, (n, m)).cumsum(axis=0)), 2)
    close[rng.random((n, m)) < 0.1] = NAN
    names = [f"S{i}" for i in range(m)]
    opened = np.where(rng.random((n, m)) < 0.05, NAN, close * np.exp(rng.normal(0, 0.01, (n, m))))
    bars = bars_of(
        dict(zip(names, close.T.tolist(), strict=True)), dict(zip(names, opened.T.tolist(), strict=True))
    )

    def strategy(history: tt.History, _equity: float) -> dict[str, float]:
        chance = np.random.default_rng([seed, len(history.sessions)])
        raw = chance.random(m) * (chance.random(m) < 0.7)
        return dict(zip(names, (raw / max(raw.sum(), 1.0)).tolist(), strict=True))

    result = tt.backtest(strategy, bars, rebalance="weekly", fill=fill, cost_bps=7.0, cash=5000.0)
    rows, columns, quantity, price, cost = result.trade_arrays()
    last = np.full(m, NAN)
    for row in range(n):
        last = np.where(np.isnan(close[row]), last, close[row])
        done = rows <= row
        shares = np.bincount(columns[done], quantity[done], m)
        cash = 5000.0 - (quantity[done] * price[done]).sum() - cost[done].sum()
        worth = float(np.nan_to_num(last * shares).sum()) + cash
        assert result.value[row] == pytest.approx(worth, rel=1e-12)
        assert (shares > -1e-9).all()
