"""Prices: what a symbol costs when."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from exchange_kit import SPLIT_DAY, make_tape
from trimtab.adapters.exchange.hours import at, hours_of
from trimtab.adapters.exchange.prices import Prices, split_ratio

PRICES = Prices(make_tape())
DAY = date(2020, 3, 2)
OPEN, CLOSE = Decimal(105), Decimal(107)
"""Of AAA on DAY, the sixth session."""


def price(symbol: str, instant: datetime) -> Decimal:
    """The last trade's price."""
    trade = PRICES.last_trade(symbol, instant)
    assert trade is not None
    return trade.price


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        (time(9, 29), OPEN - 1 + 2),
        (time(9, 30), OPEN),
        (time(10, 30), OPEN),
        (time(13, 15), OPEN + 1),
        (time(16, 0), CLOSE),
        (time(20, 0), CLOSE),
    ],
)
def test_flat_for_an_hour_then_straight_to_the_close(clock: time, expected: Decimal) -> None:
    """The open until 10:30, half-way at 13:15, the close at and after 16:00, yesterday's before 09:30."""
    assert price("AAA", at(DAY, clock)) == expected


def test_a_split_takes_effect_before_the_open() -> None:
    """From 02:30 of the ex-date the last price is told in new shares; the evening before, in old ones."""
    assert price("BBB", at(SPLIT_DAY, time(2, 29))) == 50
    assert price("BBB", at(SPLIT_DAY, time(2, 30))) == 25
    assert price("BBB", at(SPLIT_DAY, time(12))) == 25
    before = PRICES.previous_close("BBB", at(SPLIT_DAY, time(12)))
    assert before is not None
    assert before.price == 25


@pytest.mark.parametrize(
    ("printed", "meant"),
    [(2.0, "2"), (7.000007, "7"), (0.1, "1/10"), (1.5, "3/2"), (0.333333, "1/3"), (1.0281, "10281/10000")],
)
def test_a_ratio_is_the_fraction_it_stands_for(printed: float, meant: str) -> None:
    """Noise of a vendor's print leaves no dust of shares; an odd ratio stays as printed."""
    assert split_ratio(printed) == Fraction(meant)


def test_a_symbol_without_a_bar_keeps_its_last_trade_and_its_time() -> None:
    """Where nothing traded today the last trade is yesterday's close, and nothing fills at it."""
    noon = at(SPLIT_DAY, time(12))
    trade = PRICES.last_trade("DDD", noon)
    assert trade is not None
    assert trade.at == hours_of(date(2020, 3, 9)).closes
    assert not PRICES.trades_at("DDD", noon)
    assert PRICES.fill("DDD", "buy", None, noon, 0.0) is None


def test_nothing_is_known_before_the_first_bar() -> None:
    """Before the tape a symbol has no price and does not exist."""
    early = at(date(2020, 2, 21), time(12))
    assert PRICES.last_trade("AAA", early) is None
    assert not PRICES.known("AAA", early)


def test_the_spread_is_rounded_outward_to_cents() -> None:
    """A spread never becomes narrower by rounding; without one, bid and ask are the price."""
    noon = at(DAY, time(10))
    quote = PRICES.quote("AAA", noon, 3.0)
    assert quote is not None
    assert (quote.bid, quote.ask) == (Decimal("104.98"), Decimal("105.02"))
    flat = PRICES.quote("AAA", noon)
    assert flat is not None
    assert flat.bid == flat.ask == OPEN


@pytest.mark.parametrize("limit", ["105.3", "106.01", "106.99"])
def test_a_sell_fills_at_the_first_second_that_it_can(limit: str) -> None:
    """At the crossing it fills and a second before it does not."""
    since, wanted = at(DAY, time(10)), Decimal(limit)
    crossing = PRICES.crossing("AAA", "sell", wanted, since, 0.0)
    assert crossing is not None
    assert PRICES.fill("AAA", "sell", wanted, crossing, 0.0) is not None
    assert PRICES.fill("AAA", "sell", wanted, crossing - timedelta(seconds=1), 0.0) is None


def test_a_limit_out_of_reach_never_crosses() -> None:
    """Neither a price that is never reached, nor a session that is over."""
    assert PRICES.crossing("AAA", "sell", Decimal(108), at(DAY, time(10)), 0.0) is None
    assert PRICES.crossing("AAA", "buy", Decimal(200), at(DAY, time(17)), 0.0) is None


def test_a_bar_grows_to_its_whole() -> None:
    """Within the session high, low and volume lie within the day's; at the close they are the day's."""
    row = PRICES.opened(at(DAY, time(12)))
    part, whole = (PRICES.bar("AAA", row, at(DAY, clock)) for clock in (time(12), time(16)))
    assert whole == (105.0, 108.0, 104.0, 107.0, 1_000_000.0)
    assert whole.low < part.low <= part.open
    assert part.close <= part.high < whole.high
    assert 0 < part.volume < whole.volume
