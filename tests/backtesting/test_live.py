"""Live: the bot's own plan and rules in a backtest: staging, refusals, latches, and their reasons."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trimtab as tt
from backtesting.small import NAN, always, bars_of
from core.books import books, executions, risks
from trimtab.backtesting.docket import Docket, Entry, verdicts
from trimtab.backtesting.limits import limits_of
from trimtab.core.sizing import size

if TYPE_CHECKING:
    from trimtab.core.limits import Execution, Risk
    from trimtab.core.sizing import Book

LIVE = {"plan": "live", "cost_bps": 0.0, "cash": 1000.0}


def test_a_large_purchase_is_staged_over_sessions() -> None:
    """20 % of equity a session; 49.5 % are reached at the third, between decisions."""
    bars = bars_of({"A": [10.0] * 6, "B": [5.0] * 6})
    result = tt.backtest(always(A=0.5, B=0.5), bars, rebalance=["2021-03-01"], **LIVE)
    bought = result.trades.filter(symbol="A")["qty"].to_list()
    assert bought == pytest.approx([20.0, 20.0, 9.5])
    assert [str(day) for day in result.trades["session"].unique().sort()] == [
        "2021-03-01",
        "2021-03-02",
        "2021-03-03",
    ]
    reasons = result.reasons.filter(symbol="A")["reason"].to_list()
    assert [reason.split(":")[0] for reason in reasons] == ["staged", "staged", "to_target"]


def test_a_drift_within_the_band_is_left_alone() -> None:
    """A move of 0.4 % of a fifth is no reason to trade; the hold says why."""
    bars = bars_of({"A": [10.0, 10.04, 10.04], "B": [10.0] * 3})
    result = tt.backtest(always(A=0.2), bars, rebalance="daily", **LIVE)
    assert len(result.trades) == 1
    assert result.reasons.filter(symbol="A")["reason"][1].startswith("in_band")


def test_new_cash_buys_before_anything_is_sold() -> None:
    """260 of cash where 20 % of 1,136 is wanted: 32.80 is new and buys B; A is sold at the next session."""
    bars = bars_of({"A": [10.0, 10.0, 10.0, 11.9, 11.9, 11.9], "B": [10.0] * 6})
    limits = {"execution": {"cash_flow_first": True}, "risk": {"max_order_size": 1.0, "max_turnover": 2.0}}
    paid = {"2021-03-04": 60.0}
    result = tt.backtest(
        always(A=0.4, B=0.4), bars, rebalance="daily", contributions=paid, config=limits, **LIVE
    )
    told = result.reasons.filter(symbol="A", session=date(2021, 3, 4))["reason"].to_list()
    assert told == ["cash_first: new cash is used before it is sold"]
    moved = [(str(day), *row) for day, *row, _, _ in result.trades.rows()[2:]]
    assert moved == [
        ("2021-03-04", "B", "buy", pytest.approx(3.28)),
        ("2021-03-05", "A", "sell", pytest.approx(1.815127)),
        ("2021-03-05", "B", "buy", pytest.approx(2.16, abs=1e-5)),
    ]


def test_a_gap_holds_the_symbol_back_until_its_quote_is_near() -> None:
    """Opened 20 % away: held with that reason, and bought at the next session."""
    opened = {"A": [10.0, 12.0, 12.0, 12.0], "B": [10.0] * 4, "C": [10.0] * 4, "D": [10.0] * 4}
    close = {"A": [10.0, 12.0, 12.0, 12.0], "B": [10.0] * 4, "C": [10.0] * 4, "D": [10.0] * 4}
    weights = dict.fromkeys("ABCD", 0.1)
    bars = bars_of(close, opened)
    result = tt.backtest(always(**weights), bars, rebalance=["2021-03-01"], fill="next_open", **LIVE)
    held = result.reasons.filter(symbol="A")["reason"].to_list()
    assert held[0].startswith("max_gap")
    assert result.trades.filter(symbol="A")["session"].to_list() == [date(2021, 3, 3)]


def test_a_refused_plan_trades_nothing_and_the_next_session_decides_anew() -> None:
    """A day's move of 30 % is above max_equity_move: that session rests."""
    bars = bars_of({"A": [10.0, 10.0, 10.0, 10.0, 10.0, 20.0, 20.0, 20.0], "B": [10.0] * 8})
    result = tt.backtest(always(A=0.5, B=0.3), bars, rebalance="daily", **LIVE)
    assert [(day, code) for day, code, _ in result.told()] == [("2021-03-08", "refused")]
    assert date(2021, 3, 8) not in result.trades["session"].to_list()
    assert date(2021, 3, 9) in result.trades["session"].to_list()
    assert date(2021, 3, 8) not in result.weights["session"].to_list()


@pytest.mark.parametrize("fill", ["close", "next_open"])
def test_a_deposit_is_no_move_of_the_account(fill: str) -> None:
    """40 % of the equity come in at a close: neither that session's plan nor the next is refused for it."""
    bars = bars_of({"A": [10.0] * 8, "B": [10.0] * 8})
    result = tt.backtest(
        always(A=0.2), bars, rebalance="daily", fill=fill, contributions={"2021-03-04": 400.0}, **LIVE
    )
    assert result.told() == []
    assert result.value[-1] == pytest.approx(1400.0)


def test_a_fall_beyond_the_largest_latches() -> None:
    """From the drawdown on nothing is traded, whatever the strategy wants, and the reader is told."""
    path = [10.0, 10.0, 10.0, 9.0, 8.0, 7.2, 6.5, 6.0, 5.5, 5.5, 5.5]
    limits = {"risk": {"max_drawdown": 0.2, "max_order_size": 1.0, "max_turnover": 2.0}}
    bars = bars_of({"A": path})
    result = tt.backtest(always(A=0.9), bars, rebalance="daily", config=limits, **LIVE)
    codes = [code for _, code, _ in result.told()]
    assert codes == ["refused", "latched"]
    latched = date.fromisoformat(result.told()[-1][0])
    assert max(result.trades["session"].to_list()) < latched


def test_three_refused_sessions_in_a_row_latch() -> None:
    """As the bot's three bad sessions do."""
    bars = bars_of({"A": [10.0] * 10, "B": [10.0] * 10})
    limits = {"risk": {"max_position": 0.05}}
    result = tt.backtest(always(A=0.5), bars, rebalance="daily", config=limits, **LIVE)
    assert [code for _, code, _ in result.told()] == ["refused"] * 3 + ["latched"]
    assert len(result.trades) == 0
    assert result.value.tolist() == [1000.0] * 10


def test_a_symbol_that_stops_is_sold_at_its_last_close() -> None:
    """The bot's broker would pay it out: its last close at the next decision."""
    bars = bars_of({"A": [10.0, 11.0, NAN, NAN], "B": [10.0] * 4})
    result = tt.backtest(always(A=0.1, B=0.1), bars, rebalance="daily", **LIVE)
    day, symbol, _side, qty, price, _cost = result.trades.filter(symbol="A").rows()[-1]
    assert (day, symbol, price) == (date(2021, 3, 3), "A", 11.0)
    assert result.trades.filter(symbol="A", side="buy")["qty"].sum() == pytest.approx(
        result.trades.filter(symbol="A", side="sell")["qty"].sum()
    )
    assert qty > 0


def test_too_short_a_history_is_not_decided_on() -> None:
    """The bot halts at its gate until the strategy has what it says it needs."""
    strategy = tt.strategies.momentum(symbols=["A", "B"], top_n=1, lookback=4, skip=1)
    bars = bars_of({"A": [10.0] * 9, "B": [10.0] * 9})
    result = tt.backtest(strategy, bars, rebalance="daily", **LIVE)
    assert result.weights["session"].min() == date(2021, 3, 5)


def test_many_symbols_are_planned_as_few_are() -> None:
    """Above 64 symbols only what is held or wanted is planned: the same trades as with all of them."""
    rng = np.random.default_rng(5)
    close = 20 * np.exp(rng.normal(0, 0.03, (40, 90)).cumsum(axis=0))
    names = [f"S{i:02d}" for i in range(90)]
    many = bars_of(dict(zip(names, close.T.tolist(), strict=True)))

    def strategy(history: tt.History, _equity: float) -> dict[str, float]:
        best = np.argsort(-history.close[-1], kind="stable")[:9]
        return {history.symbols[i]: 0.1 for i in best}

    few = tt.backtest(strategy, many, rebalance="weekly", config={"risk": {"max_turnover": 0.4}}, **LIVE)
    dense = {"risk": {"max_turnover": 0.4, "max_order_size_by_symbol": {"S00": 0.2}}}
    all_of_them = tt.backtest(strategy, many, rebalance="weekly", config=dense, **LIVE)
    assert few.trades.equals(all_of_them.trades)
    assert len(few.trades) > 50


@pytest.mark.parametrize("limited", ["A", "B"])
def test_a_missing_bar_moves_no_limit_to_another_symbol(limited: str) -> None:
    """A is listed late and misses a bar; the limit of one symbol holds for that one, as judged one by one."""
    a = [NAN] * 30 + [10.0, 10.0, 10.0, NAN] + [10.0] * 76
    bars = bars_of({"A": a, "B": [10.0] * 110, "C": [10.0] * 110})

    def strategy(history: tt.History, _equity: float) -> dict[str, float]:
        return {"A": 0.2, "B": 0.5 if len(history.sessions) // 4 % 2 else 0.1, "C": 0.1}

    limits = {
        "risk": {"max_order_size": 0.2, "max_order_size_by_symbol": {limited: 0.3}, "max_turnover": 2.0}
    }
    result = tt.backtest(strategy, bars, rebalance="daily", config=limits, **LIVE)
    assert [code for _, code, _ in result.told()] == ["no_bar"]
    risk = limits_of(limits)[1]
    assert all(verdict.passed for entry in result.planned for verdict in verdicts(entry, risk))
    worth = dict(result.trades.group_by("symbol").agg((pl.col("qty") * pl.col("price")).max()).iter_rows())
    assert (worth["B"] > 250.0) == (limited == "B")
    assert len(result.trades) > 50


@settings(deadline=None)
@given(st.lists(st.tuples(books(), executions, risks, st.booleans()), min_size=1, max_size=5), risks)
def test_plans_judged_together_are_judged_as_one_by_one(
    drawn: list[tuple[Book, Execution, Risk, bool]], risk: Risk
) -> None:
    """The first refused plan of a docket is the first that its own verdicts refuse, whatever its symbols."""
    docket, alone = Docket(risk), []
    for row, (book, execution, made_with, turned) in enumerate(drawn):
        symbols = book.symbols[::-1] if turned else book.symbols
        book = replace(book, symbols=symbols, sent=0.0, universe=8)  # noqa: PLW2901 - as a backtest has it
        entry = Entry(
            row, np.arange(len(book.symbols)), book, size(book, execution, made_with), 0.1, 0.2, None
        )
        docket.waiting.append(entry)
        alone.append(all(verdict.passed for verdict in verdicts(entry, risk)))
    refused = docket.refused()
    assert (None if refused is None else refused.row) == (alone.index(False) if False in alone else None)
    assert len(docket.passed) == (alone.index(False) if False in alone else len(alone))
