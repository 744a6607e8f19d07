from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.limits import Risk
from trimtab.core.portfolio import Quote
from trimtab.core.quotes import Touch, judge

NOW = datetime(2020, 3, 16, 14, 0, tzinfo=UTC)
RISK = Risk(max_spread=0.02)


def quote(bid: str, ask: str, last: str | None = None, age_s: float = 0) -> Quote:
    traded = None if last is None else Decimal(last)
    return Quote("SPY", Decimal(bid), Decimal(ask), NOW, traded, NOW - timedelta(seconds=age_s))


@pytest.mark.parametrize(
    ("bid", "ask", "held"),
    [
        ("99.99", "100.01", None),
        ("100", "100", None),
        ("110", "110", None),  # at the gap exactly
        ("90", "90", None),
        ("110.01", "110.01", "max_gap"),
        ("89.99", "89.99", "max_gap"),
        ("99", "101", None),  # at the spread exactly
        ("98.99", "101.01", "max_spread"),
        ("80", "120", "max_spread"),
    ],
)
def test_gap_and_spread(bid: str, ask: str, held: str | None) -> None:
    """At its limit a quote passes; a cent beyond, the symbol is held, and the reason tells what was seen."""
    touch = judge(quote(bid, ask), 100.0, NOW, RISK)
    assert touch.held == held
    assert bool(touch.detail) == (held is not None)
    assert (touch.bid, touch.ask) == (Decimal(bid), Decimal(ask))


@pytest.mark.parametrize(
    ("bid", "ask"), [("0", "0"), ("0", "100"), ("100", "0"), ("100.01", "100"), ("-1", "100")]
)
def test_an_unusable_quote_falls_back_to_a_fresh_trade(bid: str, ask: str) -> None:
    """Zero, one-sided or crossed: the last trade stands in while it is under 15 minutes old, then a hold."""
    touch = judge(quote(bid, ask, "100.5", 899), 100.0, NOW, RISK)
    assert (touch.bid, touch.ask, touch.held) == (Decimal("100.5"), Decimal("100.5"), None)
    for stale in (quote(bid, ask, "100.5", 900), quote(bid, ask), quote(bid, ask, "0"), None):
        assert judge(stale, 100.0, NOW, RISK).held == "no_quote"


@pytest.mark.parametrize("at", [NOW - timedelta(minutes=15), NOW - timedelta(days=3), None])
def test_an_old_quote_is_none(at: datetime | None) -> None:
    """A thin symbol's last quote may be from before the move; a fresh trade stands in for it, or nothing."""
    old = Quote("SPY", Decimal("99.9"), Decimal("100.1"), at)
    assert judge(old, 100.0, NOW, RISK).held == "no_quote"
    assert judge(old, 100.0, NOW, RISK, by_age=False).held is None
    traded = replace(old, last=Decimal("99.5"), last_at=NOW - timedelta(seconds=5))
    assert judge(traded, 100.0, NOW, RISK) == Touch(Decimal("99.5"), Decimal("99.5"))
    assert judge(replace(traded, last=Decimal(70)), 100.0, NOW, RISK).held == "max_gap"
    just = replace(old, at=NOW - timedelta(minutes=15) + timedelta(seconds=1))
    assert judge(just, 100.0, NOW, RISK).held is None


@pytest.mark.parametrize("by_age", [True, False])
def test_a_later_trade_may_contradict_a_quote(by_age: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """The market moved after the quote: held, where the trade stands further from it than the gap."""
    quoted = Quote("SPY", Decimal("99.9"), Decimal("100.1"), NOW - timedelta(seconds=60))

    def held(last: str, age_s: float) -> str | None:
        traded = replace(quoted, last=Decimal(last), last_at=NOW - timedelta(seconds=age_s))
        return judge(traded, 100.0, NOW, RISK, by_age=by_age).held

    assert held("110.01", 5) == held("89.99", 5) == "max_gap"
    assert held("110", 5) is held("90", 5) is None  # at the gap exactly
    assert held("70", 61) is None  # before the quote
    assert held("0", 5) is None
    old = replace(quoted, at=None, last=Decimal(70), last_at=NOW - timedelta(minutes=16))
    assert judge(old, 100.0, NOW, RISK, by_age=False).held is None  # an old trade contradicts nothing


def test_a_fresh_trade_is_judged_like_a_quote() -> None:
    """The stand-in must keep the gap, too."""
    assert judge(quote("0", "0", "110.01", 1), 100.0, NOW, RISK).held == "max_gap"


def test_the_crash_of_2020_03_16_holds_spy() -> None:
    """SPY closed at 269.32 and opened 10.4 % lower: held by the default gap."""
    assert judge(quote("241.20", "241.30"), 269.32, NOW, Risk()).held == "max_gap"


@given(st.decimals("0.0001", "1000000", places=4), st.decimals("0", "1000", places=4))
def test_what_is_not_held_may_be_traded_on(bid: Decimal, wider: Decimal) -> None:
    """A touch that holds nothing has prices above 0, uncrossed, within gap and spread."""
    touch = judge(quote(str(bid), str(bid + wider)), 100.0, NOW, Risk())
    if touch.held is None:
        assert 0 < touch.bid <= touch.ask
        assert abs(touch.bid + touch.ask - 200) <= 20 + Decimal("1e-6")
        assert (touch.ask - touch.bid) / (touch.ask + touch.bid) * 2 <= Decimal("0.0100001")
