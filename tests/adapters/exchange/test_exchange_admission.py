"""Admission: what the broker refuses, and in which words."""

from __future__ import annotations

import json
import re
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exchange_kit import START, make_exchange, order_body, place
from trimtab.adapters.exchange.records import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.adapters.exchange import Exchange

SEEN = Path(__file__).parents[4] / "shared" / "alpaca" / "errors.json"


def holding(shares: str = "10") -> Exchange:
    """An exchange that holds shares of AAA."""
    exchange = make_exchange()
    place(exchange, "held", qty=shares)
    exchange.advance(1)
    return exchange


def with_open(**more: object) -> Exchange:
    """The same with an order open."""
    exchange = holding()
    place(exchange, "open", **{"type": "limit", **more})
    return exchange


def refusal(exchange: Exchange, body: dict[str, object]) -> Refusal:
    """What it says to an order that it does not take; its book stays as it is."""
    with exchange.work() as world:
        before = (world.book.cash, dict(world.book.orders))
    with pytest.raises(Refusal) as refused:
        exchange.submit(body)
    with exchange.work() as world:
        assert (world.book.cash, world.book.orders) == before
    return refused.value


LIMIT = {"type": "limit", "limit_price": "100"}
FRACTION = {"qty": "0.5"}
CASES: dict[str, tuple[Callable[[], Exchange], dict[str, object], int, str]] = {
    "coid_duplicate": (holding, {"client_order_id": "held"}, 422, "client_order_id must be unique"),
    "coid_too_long": (make_exchange, {"client_order_id": "x" * 129}, 422, "no more than 128"),
    "qty_or_notional": (make_exchange, {"qty": None}, 422, "qty or notional is required"),
    "asset_unknown_on_post": (make_exchange, {"symbol": "ZZZ"}, 422, 'asset "ZZZ" not found'),
    "asset_not_tradable": (
        lambda: make_exchange(assets={"AAA": {"tradable": False}}),
        {},
        422,
        'asset "AAA" is not tradable',
    ),
    "not_fractionable": (
        lambda: make_exchange(assets={"AAA": {"fractionable": False}}),
        FRACTION,
        403,
        'asset "AAA" is not fractionable',
    ),
    "no_short": (make_exchange, {"side": "sell"}, 422, 'asset "AAA" cannot be sold short'),
    "frac_no_short": (make_exchange, {"side": "sell", **FRACTION}, 422, "cannot be sold short"),
    "frac_day": (make_exchange, {"time_in_force": "gtc", **FRACTION}, 422, "must be DAY orders"),
    "frac_simple": (make_exchange, {"order_class": "bracket", **FRACTION}, 422, "must be simple orders"),
    "notional_2dp": (make_exchange, {"qty": None, "notional": "10.001"}, 422, "2 decimal places"),
    "cost_basis_min": (make_exchange, {"qty": "0.001"}, 403, "cost basis must be >= minimal amount"),
    "insufficient_buying_power": (make_exchange, {"qty": "953"}, 403, "insufficient buying power"),
    "insufficient_qty": (holding, {"side": "sell", "qty": "11"}, 403, "requested: 11, available: 10"),
    "notional_with_close": (
        lambda: with_open(side="sell", limit_price="200"),
        {"qty": None, "notional": "10", "side": "sell"},
        403,
        "unable to open new notional orders",
    ),
    "wash_market": (lambda: with_open(limit_price="90"), {"side": "sell"}, 403, "potential wash trade"),
    "wash_limit": (
        lambda: with_open(limit_price="100"),
        {"side": "sell", **LIMIT},
        403,
        "potential wash trade",
    ),
    "forbidden": (lambda: make_exchange(flags={"account_blocked": True}), {}, 403, "forbidden"),
}


@pytest.mark.parametrize("name", CASES)
def test_refusals_carry_status_and_words(name: str) -> None:
    """Each rule refuses with the broker's status and message, and changes nothing."""
    make, more, status, words = CASES[name]
    refused = refusal(
        make(),
        order_body("b", **{"side": "buy", **more})
        if "client_order_id" not in more
        else {**order_body("b"), **more},
    )
    assert refused.status == status
    assert words in str(refused.body["message"])


def shape(text: str) -> str:
    """A message without its names and numbers."""
    return re.sub(r'"[^"]*"|\d+(\.\d+)?', "_", text)


@pytest.mark.parametrize("name", CASES)
def test_refusals_are_those_seen_from_the_broker(name: str) -> None:
    """Code, fields and the words of the message are those that were seen."""
    if not SEEN.exists():
        pytest.skip("the broker's answers (../shared/alpaca/errors.json) are not here")
    seen = {case["id"]: case for case in json.loads(SEEN.read_text())}[name]
    make, more, _, _ = CASES[name]
    refused = refusal(make(), {k: v for k, v in {**order_body("b"), **more}.items() if v is not None})
    assert refused.status == seen["status"]
    assert set(refused.body) == set(seen["body"])
    assert refused.body["code"] == seen["body"]["code"]
    assert shape(str(refused.body["message"])) == shape(seen["body"]["message"])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"qty": "1.1234567891"}, "9 decimal places"),
        ({"qty": "NaN"}, "must be greater than 0"),
        ({"qty": "-1"}, "must be greater than 0"),
        ({"qty": "0"}, "must be greater than 0"),
        ({"qty": "many"}, "not a number"),
        ({"notional": "10"}, "only one of qty or notional"),
        ({"symbol": None}, "symbol is required"),
        ({"side": None}, "side is required"),
        ({"type": "stop"}, "the sandbox serves 'market', 'limit'"),
        ({"time_in_force": "ioc"}, "the sandbox serves 'day', 'gtc'"),
        ({"extended_hours": True}, "extended hours"),
        ({"type": "limit"}, "require a limit price"),
        ({"limit_price": "10"}, "require no limit price"),
        ({"type": "limit", "limit_price": "100.001"}, "sub-penny"),
        ({"type": "limit", "limit_price": "0.12345"}, "sub-penny"),
        ({**LIMIT, **FRACTION}, "must be market orders"),
    ],
)
def test_malformed_orders_are_refused(more: dict[str, object], words: str) -> None:
    """Forms, numbers and prices that the broker does not take."""
    refused = refusal(make_exchange(), order_body("b", **more))
    assert refused.status in {400, 422}
    assert words in str(refused.body["message"])


def test_a_penny_stock_may_have_a_finer_limit() -> None:
    """Below 1 USD four decimals are allowed."""
    exchange = make_exchange()
    place(exchange, "a", type="limit", limit_price="0.1234", qty="100")


def test_a_fractional_limit_is_an_option() -> None:
    """Off unless asked for; then it fills like any limit order."""
    exchange = make_exchange(fractional_limit=True)
    place(exchange, "a", type="limit", limit_price="110", qty="0.5")
    exchange.advance(1)
    with exchange.work() as world:
        assert world.book.qty("AAA") == Decimal("0.5")


def test_an_open_sell_holds_its_shares() -> None:
    """A second sell may only take the rest, and is told which orders hold the others."""
    exchange = with_open(side="sell", limit_price="200", qty="7")
    refused = refusal(exchange, order_body("b", side="sell", qty="4"))
    assert refused.body["held_for_orders"] == "7"
    assert refused.body["available"] == "3"
    assert len(refused.body["related_orders"]) == 1  # type: ignore[arg-type]  # a list of ids
    place(exchange, "c", "AAA", "sell", qty="3")


def test_an_open_buy_holds_its_money() -> None:
    """Buying power falls at once, and comes back with the cancel; a sell adds to it only when filled."""
    exchange = make_exchange()
    waiting = place(exchange, "a", type="limit", limit_price="50", qty="1900")
    assert refusal(exchange, order_body("b", qty="48")).body["buying_power"] == "5000"
    exchange.cancel(waiting)
    exchange.advance(1)
    place(exchange, "c", qty="48")


def test_the_collar_is_kept_back() -> None:
    """With a collar a market buy needs more than the ask."""
    exchange = make_exchange(collar=0.05)
    assert refusal(exchange, order_body("a", qty="950")).body["cost_basis"] == "104737.5"
    place(exchange, "b", qty="900")


def test_opposite_limits_that_cannot_trade_are_allowed() -> None:
    """A buy below the open sell's limit is no wash trade."""
    exchange = with_open(side="sell", limit_price="200")
    place(exchange, "b", type="limit", limit_price="100")


def test_a_repeated_request_hears_duplicate_first() -> None:
    """After the money is gone, and in the night, the same id still says duplicate."""
    exchange = make_exchange()
    place(exchange, "a", qty="952")
    exchange.go(START, time(20))
    assert "unique" in str(refusal(exchange, order_body("a", qty="952")).body["message"])


def test_a_symbol_that_stopped_trading_is_inactive() -> None:
    """DDD without a bar today is still listed; a symbol never seen is unknown."""
    exchange = make_exchange()
    place(exchange, "a", "DDD", qty="1")
    assert refusal(exchange, order_body("b", symbol="aaa")).status == 422


def test_margin_buys_more_than_cash() -> None:
    """With a multiplier of 2 the buying power is twice the equity."""
    exchange = make_exchange(multiplier=2)
    place(exchange, "a", qty="1900")
    exchange.advance(1)
    with exchange.work() as world:
        assert world.book.cash < 0
