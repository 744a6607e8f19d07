"""The broker's reads: they never turn "unknown" into "none", and lose no page."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from alpaca_kit import error_body, fill_row, order_row
from scripted_http import Asked, Reply, ScriptedServer
from trimtab.ports import Unauthorized, Unreachable

if TYPE_CHECKING:
    from trimtab.adapters.alpaca import AlpacaBroker

ID = "tt1-01234567-20260302-SPY-0"
ORDERS, BY_ID = "/v2/orders", "/v2/orders:by_client_order_id"
HTML = b"<html>gateway</html>"


def test_the_clock_is_given_in_utc(server: ScriptedServer, broker: AlpacaBroker) -> None:
    server.on(
        "GET", "/v2/clock", Reply(body={"timestamp": "2026-03-02T10:15:22.123456789-05:00", "is_open": True})
    )
    assert broker.now() == datetime(2026, 3, 2, 15, 15, 22, 123_456, UTC)


def test_the_calendar_keeps_to_the_dates_asked_oldest_first(
    server: ScriptedServer, broker: AlpacaBroker
) -> None:
    days = [{"date": f"2026-11-{day}", "open": "09:30", "close": "13:00"} for day in (30, 27, 25)]
    server.on("GET", "/v2/calendar", Reply(body=days))
    found = broker.calendar(date(2026, 11, 26), date(2026, 11, 30))
    assert [day.session.day for day in found] == [27, 30]
    assert server.asked[0].query == {"start": "2026-11-26", "end": "2026-11-30"}


def test_account_and_positions_are_exact(server: ScriptedServer, broker: AlpacaBroker) -> None:
    row = {"account_number": "PA1", "status": "ACTIVE", "cash": "0.1", "equity": "123456789.123456789"}
    server.on("GET", "/v2/account", Reply(body=row))
    held = [{"symbol": "SPY", "qty": "-0.000000001", "qty_available": "0"}, {"symbol": "BTC/USD", "qty": "1"}]
    server.on("GET", "/v2/positions", Reply(body=held))
    assert broker.account().equity == Decimal("123456789.123456789")
    assert [position.qty for position in broker.positions()] == [Decimal("-1E-9"), Decimal(1)]


@pytest.mark.parametrize("body", [{}, None, "text", [1]])
def test_a_document_of_another_shape_is_unreachable(
    body: object, server: ScriptedServer, broker: AlpacaBroker
) -> None:
    server.on("GET", "/v2/positions", Reply(body=body))
    server.on("GET", "/v2/account", Reply(body=body))
    for read in (broker.positions, broker.account):
        with pytest.raises(Unreachable):
            read()


def asset_row(symbol: str, **changes: object) -> dict[str, object]:
    """Give an asset as the broker prints it, without the fields that it removed."""
    return {"symbol": symbol, "status": "active", "tradable": True, "fractionable": True, **changes}


def test_few_assets_are_asked_one_by_one(server: ScriptedServer, broker: AlpacaBroker) -> None:
    server.on("GET", "/v2/assets/BRK.B", Reply(body=asset_row("BRK.B")))
    server.on("GET", "/v2/assets/BTC/USD", Reply(body=asset_row("BTC/USD")))
    server.on("GET", "/v2/assets/NONE", Reply(404, error_body(40410000, "asset not found for NONE")))
    assert set(broker.assets(["BRK.B", "NONE", "BTC/USD", "BRK.B"])) == {"BRK.B", "BTC/USD"}
    assert [asked.target for asked in server.asked] == [
        "/v2/assets/BRK.B",
        "/v2/assets/NONE",
        "/v2/assets/BTC%2FUSD",
    ]


def test_a_symbol_that_no_broker_has_is_never_put_into_a_path(
    server: ScriptedServer, broker: AlpacaBroker
) -> None:
    assert broker.assets(["..", "", "A B", "/v2/orders"]) == {}
    assert server.asked == []


def test_an_asset_that_cannot_be_read_is_not_absent(server: ScriptedServer, broker: AlpacaBroker) -> None:
    server.on("GET", "/v2/assets/SPY", Reply(404, HTML))
    with pytest.raises(Unreachable):
        broker.assets(["SPY"])


def test_many_assets_come_from_the_list_and_its_gaps_one_by_one(
    server: ScriptedServer, broker: AlpacaBroker
) -> None:
    symbols = [f"S{i}" for i in range(21)]
    server.on("GET", "/v2/assets", Reply(body=[asset_row(s) for s in (*symbols[:19], "OTHER")]))
    server.on("GET", "/v2/assets/S19", Reply(body=asset_row("S19", status="inactive", tradable=False)))
    server.on("GET", "/v2/assets/S20", Reply(404, error_body(40410000, "asset not found")))
    found = broker.assets(symbols)
    assert set(found) == set(symbols[:20])
    assert found["S19"].status == "inactive"
    assert server.asked[0].query == {"status": "active", "asset_class": "us_equity"}
    assert server.count("GET") == 3


def test_lookup_gives_the_order(server: ScriptedServer, broker: AlpacaBroker) -> None:
    server.on("GET", BY_ID, Reply(body=order_row(status="partially_filled", filled_qty="0.0000005")))
    order = broker.order(ID)
    assert order is not None
    assert (order.filled_qty, order.client_order_id) == (Decimal("5E-7"), ID)
    assert order.submitted_at == datetime(2026, 3, 2, 15, 0, 0, 123_456, UTC)
    assert server.asked[0].query == {"client_order_id": ID}


def test_lookup_says_none_only_on_the_broker_own_word(server: ScriptedServer, broker: AlpacaBroker) -> None:
    server.on("GET", BY_ID, Reply(404, error_body(40410000, f"order not found for {ID}")))
    assert broker.order(ID) is None


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404, HTML),
        Reply(404, error_body(None, "not found")),
        Reply(404, error_body(40410001, "no such route")),
        Reply(200, b"null"),
        Reply(200, b"{}"),
        Reply(200, order_row(client_order_id="another")),
        Reply(422, error_body(42210000, "no")),
        Reply(fault="drop"),
    ],
    ids=["html", "no code", "other code", "null", "empty", "another order", "refused", "dropped"],
)
def test_lookup_never_takes_anything_else_for_none(
    reply: Reply, server: ScriptedServer, broker: AlpacaBroker
) -> None:
    server.on("GET", BY_ID, reply)
    with pytest.raises(Unreachable):
        broker.order(ID)


def test_lookup_with_wrong_keys_is_unauthorized(server: ScriptedServer, broker: AlpacaBroker) -> None:
    server.on("GET", BY_ID, Reply(401, error_body(None, "unauthorized.")))
    with pytest.raises(Unauthorized):
        broker.order(ID)


class Orders:
    """A broker's list of orders, newest last, with the cursors of the API; one a second from 15:00 UTC."""

    def __init__(self, count: int) -> None:
        self.rows = [
            order_row(
                id=f"o{i:05d}",
                client_order_id=f"c{i}",
                submitted_at=f"2026-03-02T15:{i // 60 % 60:02d}:{i % 60:02d}.000000001Z",
            )
            for i in range(count)
        ]

    def __call__(self, asked: Asked) -> Reply:
        """Answer one page."""
        query, rows = asked.query, self.rows
        if "after" in query:
            rows = [row for row in rows if str(row["submitted_at"]) > query["after"]]
        if "after_order_id" in query:
            rows = [row for row in rows if str(row["id"]) > query["after_order_id"]]
        if "before_order_id" in query:
            rows = [row for row in rows if str(row["id"]) < query["before_order_id"]]
        rows = rows if query["direction"] == "asc" else rows[::-1]
        return Reply(body=rows[: int(query["limit"])])


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (1, 1), (499, 1), (500, 2), (501, 2), (1203, 3)])
def test_open_orders_are_all_there_however_many(
    count: int, pages: int, server: ScriptedServer, broker: AlpacaBroker
) -> None:
    server.on("GET", ORDERS, Orders(count))
    assert {order.id for order in broker.open_orders()} == {f"o{i:05d}" for i in range(count)}
    assert server.count("GET") == pages
    assert server.asked[0].query == {"status": "open", "direction": "desc", "limit": "500"}


def test_orders_since_a_time_are_all_there_oldest_first(server: ScriptedServer, broker: AlpacaBroker) -> None:
    server.on("GET", ORDERS, Orders(1300))
    found = broker.orders_since(datetime(2026, 3, 2, 15, 1, 0, tzinfo=UTC))
    assert [order.id for order in found] == [f"o{i:05d}" for i in range(60, 1300)]
    assert server.asked[0].query["after"] == "2026-03-02T15:00:59.999999Z"
    assert "after" not in server.asked[1].query


def test_order_pages_that_repeat_are_no_list(server: ScriptedServer, broker: AlpacaBroker) -> None:
    """A server that ignores the cursor must not give an endless loop, nor a list cut short."""
    orders = Orders(600)
    server.on("GET", ORDERS, Reply(body=orders.rows[:500]))
    with pytest.raises(Unreachable, match="repeat"):
        broker.open_orders()
    assert server.count("GET") == 2
    first, later = Reply(body=orders.rows[100:]), Reply(body=orders.rows[:100])
    server.on("GET", ORDERS, [first, later])
    with pytest.raises(Unreachable, match="given an earlier one"):
        broker.orders_since(datetime(2026, 3, 2, 15, 1, 40, tzinfo=UTC))


def test_ended_orders_are_not_open_and_unknown_ones_are(server: ScriptedServer, broker: AlpacaBroker) -> None:
    rows = [
        order_row(id=status, status=status) for status in ("new", "filled", "canceled", "brand_new_status")
    ]
    server.on("GET", ORDERS, Reply(body=rows))
    assert [order.id for order in broker.open_orders()] == ["new", "brand_new_status"]


def fills_script(count: int) -> object:
    """Give a script of an account with this many fills."""
    rows = [fill_row(i) for i in range(count)]

    def script(asked: Asked) -> Reply:
        token = asked.query.get("page_token", "")
        return Reply(body=[row for row in rows if str(row["id"]) > token][:100])

    return script


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (99, 1), (100, 2), (250, 3)])
def test_fills_are_all_there_oldest_first(
    count: int, pages: int, server: ScriptedServer, broker: AlpacaBroker
) -> None:
    server.on("GET", "/v2/account/activities/FILL", fills_script(count))  # type: ignore[arg-type]  # a reply made from the request
    fills = broker.fills(date(2026, 3, 2))
    assert [fill.fill_id for fill in fills] == [str(fill_row(i)["id"]) for i in range(count)]
    assert server.count("GET") == pages
    assert server.asked[0].query == {"date": "2026-03-02", "direction": "asc", "page_size": "100"}


def test_fill_pages_that_repeat_are_no_list(server: ScriptedServer, broker: AlpacaBroker) -> None:
    server.on("GET", "/v2/account/activities/FILL", Reply(body=[fill_row(i) for i in range(100)]))
    with pytest.raises(Unreachable, match="repeat"):
        broker.fills(date(2026, 3, 2))
    assert server.count("GET") == 2


def test_fills_of_another_new_york_date_are_left_out(server: ScriptedServer, broker: AlpacaBroker) -> None:
    late = fill_row(2, transaction_time="2026-03-03T04:59:59Z")
    next_day = fill_row(3, transaction_time="2026-03-03T05:00:00Z")
    server.on("GET", "/v2/account/activities/FILL", Reply(body=[late, next_day]))
    assert [fill.fill_id for fill in broker.fills(date(2026, 3, 2))] == [late["id"]]
