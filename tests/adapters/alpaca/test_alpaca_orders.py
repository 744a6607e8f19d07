"""Orders: sent exactly as given, once; every outcome but a clear one is unknown."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpaca_kit import ORDER_ID, Connect, FakeClock, error_body, order_row
from scripted_http import Reply, ScriptedServer
from trimtab.adapters.alpaca import AlpacaBroker
from trimtab.adapters.alpaca.broker import order_body, positive
from trimtab.core.portfolio import OrderRequest
from trimtab.ports import Accepted, Refused, Unknown, Unreachable

ID = "tt1-01234567-20260302-SPY-0"
REQUEST = OrderRequest(ID, "SPY", "buy", "market", Decimal("0.000001"))
ORDERS = "/v2/orders"
HTML = b"<html>gateway</html>"


def test_an_order_goes_out_exactly_as_given(server: ScriptedServer, broker: AlpacaBroker) -> None:
    server.on("POST", ORDERS, Reply(body=order_row()))
    result = broker.submit(REQUEST)
    assert isinstance(result, Accepted)
    assert result.order.qty == Decimal("0.000001")
    assert json.loads(server.asked[0].body) == {
        "symbol": "SPY",
        "side": "buy",
        "type": "market",
        "time_in_force": "day",
        "qty": "0.000001",
        "client_order_id": ID,
    }


def test_a_limit_order_carries_its_price_as_text() -> None:
    order = OrderRequest(ID, "BRK.B", "sell", "limit", Decimal("1E+2"), Decimal("501.10"))
    assert order_body(order) | {"qty": "100", "limit_price": "501.1", "symbol": "BRK.B"} == order_body(order)


REFUSALS = {
    "bad request": (400, error_body(40010001, "bad parameter"), "40010001"),
    "auth": (401, error_body(None, "unauthorized."), ""),
    "forbidden": (403, error_body(40310000, "forbidden"), "40310000"),
    "buying power": (403, error_body(40310000, "insufficient buying power"), "40310000"),
    "qty": (
        403,
        error_body(40310000, "insufficient qty available for order (requested: 9, available: 0)"),
        "40310000",
    ),
    "wash": (403, error_body(40310000, "potential wash trade detected. use complex orders"), "40310000"),
    "cost basis": (403, error_body(40310000, "cost basis must be >= minimal amount of order 1"), "40310000"),
    "asset unknown": (422, error_body(42210000, 'asset "X" not found'), "42210000"),
    "not tradable": (422, error_body(42210000, 'asset "X" is not tradable'), "42210000"),
    "no short": (422, error_body(42210000, "fractional orders cannot be sold short"), "42210000"),
}


@pytest.mark.parametrize(("status", "body", "code"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal_in_the_broker_own_json_is_refused(
    status: int, body: dict[str, object], code: str, server: ScriptedServer, broker: AlpacaBroker
) -> None:
    server.on("POST", ORDERS, Reply(status, body))
    assert broker.submit(REQUEST) == Refused(status, code, str(body["message"]))
    assert server.count("POST") == 1


UNKNOWN = {
    "duplicate 40010001": Reply(422, error_body(40010001, "client_order_id must be unique")),
    "duplicate 42210000": Reply(422, error_body(42210000, "client_order_id must be unique")),
    "duplicate otherwise": Reply(422, error_body(42210000, "Duplicate client order id")),
    "409": Reply(409, error_body(40910000, "conflict")),
    "408": Reply(408, error_body(None, "request timeout")),
    "425": Reply(425, b""),
    "404": Reply(404, error_body(40410000, "not found")),
    "429": Reply(429, error_body(42910000, "rate limit exceeded"), {"Retry-After": "1"}),
    "500": Reply(500, error_body(50010000, "internal server error")),
    "502": Reply(502, HTML),
    "503": Reply(503, b""),
    "504": Reply(504, HTML),
    "302": Reply(302, b"", {"Location": "/v2/other"}),
    "201": Reply(201, order_row()),
    "403 html": Reply(403, HTML),
    "422 empty": Reply(422, b""),
    "401 html": Reply(401, HTML),
    "400 without message": Reply(400, {"code": 1}),
    "garbage": Reply(200, HTML),
    "empty": Reply(200, b""),
    "null": Reply(200, b"null"),
    "truncated": Reply(200, order_row(), fault="truncate"),
    "another id": Reply(200, order_row(client_order_id="another")),
    "another symbol": Reply(200, order_row(symbol="TLT")),
    "another side": Reply(200, order_row(side="sell")),
    "another qty": Reply(200, order_row(qty="0.0000010000001")),
    "nan": Reply(200, order_row(filled_qty="NaN")),
    "no status": Reply(200, order_row(status=None)),
    "dropped": Reply(fault="drop"),
    "hangs": Reply(fault="hang"),
}


@pytest.mark.parametrize("reply", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_every_other_outcome_is_unknown_after_exactly_one_post(
    reply: Reply, server: ScriptedServer, broker: AlpacaBroker, clock: FakeClock
) -> None:
    server.on("POST", ORDERS, reply)
    assert isinstance(broker.submit(REQUEST), Unknown)
    assert [asked.method for asked in server.asked] == ["POST"]
    assert clock.slept == []


def test_a_refused_connection_is_unknown(server: ScriptedServer, broker: AlpacaBroker) -> None:
    server.__exit__(None, None, None)
    assert isinstance(broker.submit(REQUEST), Unknown)


def test_no_order_is_sent_past_the_deadline(server: ScriptedServer, connect: Connect) -> None:
    assert isinstance(AlpacaBroker(connect(deadline=lambda: 0.0)).submit(REQUEST), Unknown)
    assert server.asked == []


@pytest.mark.parametrize(
    "request_",
    [
        OrderRequest(ID, "SPY", "short", "market", Decimal(1)),
        OrderRequest(ID, "SPY", "buy", "stop", Decimal(1)),
        OrderRequest(ID, "SPY", "buy", "market", Decimal(0)),
        OrderRequest(ID, "SPY", "buy", "market", Decimal("NaN")),
        OrderRequest(ID, "SPY", "buy", "limit", Decimal(1)),
        OrderRequest(ID, "SPY", "buy", "market", Decimal(1), Decimal(1)),
        OrderRequest("", "SPY", "buy", "market", Decimal(1)),
        OrderRequest("x" * 129, "SPY", "buy", "market", Decimal(1)),
        OrderRequest(ID, "", "buy", "market", Decimal(1)),
    ],
)
def test_what_is_no_order_of_ours_never_reaches_the_wire(
    request_: OrderRequest, server: ScriptedServer, broker: AlpacaBroker
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each kind has its own text
        broker.submit(request_)
    assert server.asked == []


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value="1E-12", max_value="1E+24"))
def test_a_quantity_on_the_wire_is_exact_and_plain(value: Decimal) -> None:
    text = positive(value)
    assert Decimal(text) == value
    assert not set(text) - set("0123456789.")
    assert "." not in text or text[-1] not in "0."


@pytest.mark.parametrize(
    "reply",
    [
        Reply(204),
        Reply(422, error_body(42210000, 'order is already in "filled" state')),
        Reply(404, error_body(40410000, "order not found")),
    ],
    ids=["asked", "already ended", "unknown"],
)
def test_a_cancel_that_is_asked_or_needless_is_fine(
    reply: Reply, server: ScriptedServer, broker: AlpacaBroker
) -> None:
    server.on("DELETE", f"{ORDERS}/{ORDER_ID}", reply)
    broker.cancel(ORDER_ID)
    assert server.count("DELETE") == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(429),
        Reply(500),
        Reply(504, HTML),
        Reply(404, HTML),
        Reply(404, error_body(None, "no such route")),
        Reply(422, b""),
        Reply(401),
        Reply(fault="drop"),
    ],
)
def test_a_cancel_of_unknown_outcome_is_unreachable_after_one_attempt(
    reply: Reply, server: ScriptedServer, broker: AlpacaBroker, clock: FakeClock
) -> None:
    server.on("DELETE", f"{ORDERS}/{ORDER_ID}", reply)
    with pytest.raises(Unreachable):
        broker.cancel(ORDER_ID)
    assert server.count("DELETE") == 1
    assert clock.slept == []


@pytest.mark.parametrize("order_id", ["", "..", "a/b", "?", "a b"])
def test_a_cancel_without_an_id_never_becomes_a_cancel_of_all(
    order_id: str, server: ScriptedServer, broker: AlpacaBroker
) -> None:
    with pytest.raises(ValueError, match="no order id"):
        broker.cancel(order_id)
    assert server.asked == []
