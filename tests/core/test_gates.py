from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.bars import FIELDS, Bars
from trimtab.core.gates import judge_account, judge_bars
from trimtab.core.nyse import sessions
from trimtab.core.portfolio import Account, Portfolio, Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.verdict import Verdict

SYMBOLS = ("AGG", "SPY", "TLT")
DAYS = sessions(date(2026, 1, 2), date(2026, 1, 30))


def bars_of(symbols: Sequence[str] = SYMBOLS, days: Sequence[date] = DAYS) -> Bars:
    """Give sound bars at 100 USD."""
    shape = (len(days), len(symbols))
    arrays = {name: np.full(shape, 100.0) for name in (*FIELDS, "raw_close")}
    return Bars(np.array(days, dtype="datetime64[D]"), tuple(symbols), **arrays)


def broken(cells: list[tuple[int, int]], value: float, *fields: str) -> Bars:
    """Give the sound bars with a value in some cells, (session, symbol), of some fields (else of all)."""
    bars = bars_of()
    arrays = {name: getattr(bars, name).copy() for name in (*FIELDS, "raw_close")}
    for name in fields or arrays:
        for cell in cells:
            arrays[name][cell] = value
    return Bars(bars.sessions, bars.symbols, **arrays)


def refusing(verdicts: list[Verdict]) -> list[tuple[str, str]]:
    return [(v.rule, v.subject) for v in verdicts if not v.passed]


def test_sound_bars_pass_every_gate() -> None:
    """Nothing is refused, and each gate says so of the portfolio."""
    verdicts = judge_bars(bars_of(), SYMBOLS, DAYS)
    assert refusing(verdicts) == []
    assert [v.rule for v in verdicts] == [
        "missing_symbol",
        "sessions",
        "short_history",
        "stale",
        "missing_session",
        "bad_price",
    ]
    assert {v.subject for v in verdicts} == {"portfolio"}


def test_less_history_than_the_strategy_needs_is_refused() -> None:
    """A strategy that lacks history would find no symbol fit and sell everything."""
    assert refusing(judge_bars(bars_of(), SYMBOLS, DAYS, len(DAYS))) == []
    assert refusing(judge_bars(bars_of(), SYMBOLS, DAYS, len(DAYS) + 1)) == [("short_history", "portfolio")]


def test_a_symbol_without_bars_is_refused_by_name() -> None:
    bars = bars_of(("AGG", "SPY"))
    assert refusing(judge_bars(bars, SYMBOLS, DAYS)) == [("missing_symbol", "TLT")]


def test_a_symbol_that_was_not_asked_for_is_refused() -> None:
    """Prices go to symbols by their place: one too many would shift them."""
    assert refusing(judge_bars(bars_of(("AGG", "QQQ", "SPY", "TLT")), SYMBOLS, DAYS)) == [
        ("missing_symbol", "QQQ")
    ]


@pytest.mark.parametrize(
    ("days", "seen"),
    [
        (DAYS[:-1], "1 missing, 0 unexpected, first 2026-01-30"),
        ([*DAYS[:3], *DAYS[4:]], "1 missing, 0 unexpected, first 2026-01-07"),
        ([*DAYS, date(2026, 1, 31)], "0 missing, 1 unexpected, first 2026-01-31"),  # a Saturday
        ([*DAYS, date(2026, 2, 2)], "0 missing, 1 unexpected, first 2026-02-02"),  # the future
        ([DAYS[0], *DAYS], "0 missing, 0 unexpected"),  # twice
        ([*DAYS[:2][::-1], *DAYS[2:]], "0 missing, 0 unexpected"),  # unsorted
        ([], "20 missing"),
    ],
)
def test_sessions_are_the_calendars(days: list[date], seen: str) -> None:
    """Each session once, ascending, none of a weekend or the future, the last complete one included."""
    verdicts = judge_bars(bars_of(days=days), SYMBOLS, DAYS)
    assert refusing(verdicts) == [("sessions", "portfolio")]
    assert verdicts[-1].seen.startswith(seen)


def test_no_session_at_all_is_refused() -> None:
    """Where neither calendar nor bars have a session, there is nothing to price with."""
    assert refusing(judge_bars(bars_of(days=[]), SYMBOLS, [])) == [("sessions", "portfolio")]


def test_nothing_is_missing_before_the_first_bar() -> None:
    """Bars may begin later than the look-back, all of them or one symbol's."""
    assert refusing(judge_bars(bars_of(days=DAYS[5:]), SYMBOLS, DAYS)) == []
    young = broken([(row, 1) for row in range(7)], np.nan)
    assert refusing(judge_bars(young, SYMBOLS, DAYS)) == []


def test_a_stale_symbol_is_refused() -> None:
    """The last complete session's bar is there for every symbol."""
    verdicts = judge_bars(broken([(-1, 2)], np.nan), SYMBOLS, DAYS)
    assert ("stale", "TLT") in refusing(verdicts)


def test_a_hole_is_refused() -> None:
    """A session without a bar after a symbol's first."""
    assert refusing(judge_bars(broken([(4, 0), (9, 1)], np.nan), SYMBOLS, DAYS)) == [
        ("missing_session", "AGG, SPY")
    ]


@given(
    st.sampled_from(["open", "high", "low", "close"]),
    st.sampled_from([0.0, -0.01, np.inf, -np.inf]),
    st.integers(0, len(DAYS) - 1),
    st.integers(0, 2),
)
def test_a_price_that_is_none_is_refused(field: str, price: float, row: int, column: int) -> None:
    """Zero, negative or infinite, in any price column, of any session and symbol."""
    verdicts = judge_bars(broken([(row, column)], price, field), SYMBOLS, DAYS)
    assert refusing(verdicts) == [("bad_price", SYMBOLS[column])]


@pytest.mark.parametrize("field", ["open", "high", "low"])
def test_a_bar_that_lacks_a_price_is_refused(field: str) -> None:
    assert refusing(judge_bars(broken([(3, 1)], np.nan, field), SYMBOLS, DAYS)) == [("bad_price", "SPY")]


def test_many_names_are_cut() -> None:
    """A message names five symbols and counts the others."""
    many = [f"S{n}" for n in range(8)]
    (verdict,) = judge_bars(bars_of(()), many, DAYS)
    assert verdict.subject == "S0, S1, S2, S3, S4 and 3 more"


ACCOUNT = Account("PA1", "ACTIVE", Decimal("5000.00"), Decimal("10000.00"))
SPY = Position("SPY", Decimal(10), Decimal(10), Decimal("5000.00"))


def account(**fields: object) -> list[tuple[str, str]]:
    portfolio = Portfolio(replace(ACCOUNT, **fields), (SPY,))  # type: ignore[arg-type]  # fields of Account
    return refusing(judge_account(portfolio, SYMBOLS))


def test_a_sound_account_passes() -> None:
    assert account() == []


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"status": "ACCOUNT_CLOSED"}, "account_status"),
        ({"status": "ONBOARDING"}, "account_status"),
        ({"status": ""}, "account_status"),
        ({"trading_blocked": True}, "account_blocked"),
        ({"account_blocked": True}, "account_blocked"),
        ({"trade_suspended_by_user": True}, "account_blocked"),
        ({"currency": "EUR"}, "currency"),
        ({"equity": Decimal("10050.26")}, "equity_identity"),
        ({"cash": Decimal("4949.99")}, "equity_identity"),
        ({"equity": Decimal(0), "cash": Decimal(-5000)}, "equity_identity"),
        ({"equity": Decimal(-1)}, "equity_identity"),
    ],
)
def test_each_field_of_an_account_can_refuse(fields: dict[str, object], rule: str) -> None:
    """One field mutated, one gate refuses."""
    assert account(**fields) == [(rule, "account")]


def test_equity_may_differ_by_half_a_percent() -> None:
    """At 0.5 % exactly the identity still holds."""
    assert account(cash=Decimal("4950.00")) == []
    assert account(cash=Decimal("5050.00")) == []


def test_a_holding_without_value_leaves_the_identity_unjudged() -> None:
    """The broker may leave `market_value` out; the verdict says so."""
    portfolio = Portfolio(ACCOUNT, (replace(SPY, market_value=None),))
    verdicts = judge_account(portfolio, SYMBOLS)
    assert refusing(verdicts) == []
    assert verdicts[-1].seen == "a holding has no value"


def test_a_short_in_the_universe_is_refused() -> None:
    """Outside it, it is foreign and left alone."""
    short = Position("TLT", Decimal(-1), Decimal(-1), Decimal(0))
    assert refusing(judge_account(Portfolio(ACCOUNT, (SPY, short)), SYMBOLS)) == [("short_position", "TLT")]
    assert refusing(judge_account(Portfolio(ACCOUNT, (SPY, short)), ("SPY",))) == []
