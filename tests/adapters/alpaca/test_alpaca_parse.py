"""Parse: exact decimals, tolerant of drift, strict where a decision needs the value."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpaca_kit import fill_row, order_row
from trimtab.adapters.alpaca import parse
from trimtab.ports import Unreachable

ACCOUNT = {"account_number": "PA1", "status": "ACTIVE", "cash": "0.1", "equity": "100000.30"}


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**17), max_value=10**17))
def test_a_decimal_stays_as_printed(value: Decimal) -> None:
    assert parse.number(str(value), "x") == value
    assert parse.number(format(value, "f"), "x") == value


@pytest.mark.parametrize(
    "value", [None, "", "NaN", "Infinity", "1_000", " 1", "1,5", "0x1", True, [], "1e19", "-", "٣"]
)
def test_what_is_no_decimal_is_unreachable(value: object) -> None:
    with pytest.raises(Unreachable):
        parse.number(value, "x")


def test_json_fractions_are_exact_and_constants_refused() -> None:
    assert parse.load_json(b'{"a": 0.1}') == {"a": Decimal("0.1")}
    assert type(parse.load_json(b"0.1", exact=False)) is float
    for body in (b"NaN", b"[Infinity]", b"-Infinity", b"", b"<html>", b"\xff", b"[" * 100_000):
        with pytest.raises(ValueError):  # noqa: PT011 - each kind of garbage has its own text
            parse.load_json(body)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-02T15:00:00Z", datetime(2026, 3, 2, 15, 0, 0, 0, UTC)),
        ("2026-03-02T15:00:00.1Z", datetime(2026, 3, 2, 15, 0, 0, 100_000, UTC)),
        ("2026-03-02T15:00:00.123456789Z", datetime(2026, 3, 2, 15, 0, 0, 123_456, UTC)),
        ("2026-03-02T15:00:00.999999999Z", datetime(2026, 3, 2, 15, 0, 0, 999_999, UTC)),
        ("2026-03-02T10:00:00-05:00", datetime(2026, 3, 2, 15, 0, 0, 0, UTC)),
        ("2026-07-02T10:00:00.5-04:00", datetime(2026, 7, 2, 14, 0, 0, 500_000, UTC)),
    ],
)
def test_times_up_to_nanoseconds_are_utc_truncated_to_microseconds(text: str, at: datetime) -> None:
    assert parse.moment(text, "t") == at
    assert parse.moment(text, "t").tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [None, 5, "", "2026-03-02", "2026-03-02T15:00:00", "2026-13-02T15:00:00Z", "0001-01-01T00:00:00+05:00"],
)
def test_a_time_without_zone_or_sense_is_unreachable(value: object) -> None:
    with pytest.raises(Unreachable):
        parse.moment(value, "t")


def test_an_account_needs_only_what_decides() -> None:
    account = parse.account(ACCOUNT)
    assert (account.cash, account.equity) == (Decimal("0.1"), Decimal("100000.30"))
    assert (account.last_equity, account.buying_power, account.currency) == (None, None, "USD")
    flags = (account.trading_blocked, account.account_blocked, account.trade_suspended_by_user)
    assert flags == (False, False, False)


@pytest.mark.parametrize("gone", ACCOUNT)
@pytest.mark.parametrize("how", ["removed", "null"])
def test_an_account_without_what_decides_is_unreachable(gone: str, how: str) -> None:
    drifted = {key: value for key, value in ACCOUNT.items() if key != gone}
    with pytest.raises(Unreachable, match=f"account without {gone}"):
        parse.account(drifted if how == "removed" else drifted | {gone: None})


@pytest.mark.parametrize("value", [True, "true", 1, "yes"])
def test_a_blocking_flag_counts_unless_it_is_false(value: object) -> None:
    assert parse.account(ACCOUNT | {"trading_blocked": value}).trading_blocked


def test_unknown_enum_values_pass_and_are_in_flight() -> None:
    order = parse.order(order_row(status="pending_review", type="iceberg", side="sell_short", extra=[1]))
    assert (order.status, order.type, order.side, order.terminal) == (
        "pending_review",
        "iceberg",
        "sell_short",
        False,
    )
    assert parse.account(ACCOUNT | {"status": "ACCOUNT_CLOSED_PENDING"}).status == "ACCOUNT_CLOSED_PENDING"


def test_an_order_without_its_optional_fields_is_read() -> None:
    order = parse.order(
        {"id": "x", "status": "new", "filled_qty": "0.3", "qty": None, "order_type": "market"}
    )
    assert (order.qty, order.filled_qty, order.type, order.submitted_at) == (
        None,
        Decimal("0.3"),
        "market",
        None,
    )


@pytest.mark.parametrize(
    ("changes"),
    [
        {"filled_qty": None},
        {"filled_qty": "-1"},
        {"filled_qty": "NaN"},
        {"status": None},
        {"id": ""},
        {"qty": "x"},
    ],
)
def test_an_order_whose_outcome_cannot_be_read_is_unreachable(changes: dict[str, object]) -> None:
    """A filled quantity that is not there is unknown, not zero."""
    with pytest.raises(Unreachable):
        parse.order(order_row(**changes))


@pytest.mark.parametrize(
    ("status", "key"),
    [
        ("filled", "filled_at"),
        ("canceled", "canceled_at"),
        ("expired", "expired_at"),
        ("rejected", "failed_at"),
        ("replaced", "replaced_at"),
    ],
)
def test_an_ended_order_says_when(status: str, key: str) -> None:
    row = order_row(status=status, filled_at="2026-03-02T15:00:01Z") | {key: "2026-03-02T16:00:00Z"}
    assert parse.order(row).finished_at == datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
    assert (
        parse.order(order_row(status="partially_filled", filled_at="2026-03-02T15:00:01Z")).finished_at
        is None
    )


def test_positions_keep_the_sign_and_tolerate_nulls() -> None:
    short = parse.position({"symbol": "SPY", "qty": "5", "side": "short", "qty_available": "-5"})
    assert (short.qty, short.qty_available) == (Decimal(-5), Decimal(-5))
    assert parse.position({"symbol": "SPY", "qty": "-5", "side": "short"}).qty == -5
    row = {"symbol": "BTC/USD", "qty": "0.123456789", "asset_class": "crypto_perp", "market_value": None}
    coin = parse.position(row)
    assert (coin.qty, coin.qty_available, coin.market_value) == (Decimal("0.123456789"),) * 2 + (None,)


def test_an_asset_without_its_flags_does_not_trade() -> None:
    asset = parse.asset({"symbol": "X", "class": "us_index", "exchange": "ASCX"})
    assert (asset.status, asset.tradable, asset.fractionable) == ("", False, False)


def test_a_fill_is_read_whole_or_not_at_all() -> None:
    assert parse.fill(fill_row(1)).price == Decimal("500.01")
    for key in ("id", "order_id", "symbol", "side", "qty", "price", "transaction_time"):
        with pytest.raises(Unreachable):
            parse.fill(fill_row(1, **{key: None}))


@pytest.mark.parametrize(
    ("row", "opens", "closes"),
    [
        (("2026-03-02", "09:30", "16:00"), datetime(2026, 3, 2, 14, 30), datetime(2026, 3, 2, 21, 0)),  # noqa: DTZ001 - UTC below
        (("2026-07-02", "09:30", "16:00"), datetime(2026, 7, 2, 13, 30), datetime(2026, 7, 2, 20, 0)),  # noqa: DTZ001 - as above
        (("2026-11-27", "09:30", "13:00"), datetime(2026, 11, 27, 14, 30), datetime(2026, 11, 27, 18, 0)),  # noqa: DTZ001 - as above
    ],
    ids=["winter", "summer", "half day"],
)
def test_hours_of_new_york_are_given_as_utc(
    row: tuple[str, str, str], opens: datetime, closes: datetime
) -> None:
    hours = parse.session_hours(dict(zip(("date", "open", "close"), row, strict=True)))
    assert hours.session == date.fromisoformat(row[0])
    assert (hours.opens, hours.closes) == (opens.replace(tzinfo=UTC), closes.replace(tzinfo=UTC))


@pytest.mark.parametrize("changes", [{"date": None}, {"open": "9h"}, {"close": None}, {"close": "09:00"}])
def test_a_day_without_hours_is_unreachable(changes: dict[str, object]) -> None:
    with pytest.raises(Unreachable):
        parse.session_hours({"date": "2026-03-02", "open": "09:30", "close": "16:00"} | changes)
