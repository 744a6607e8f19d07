"""Trading endpoints of the sandbox, over the face itself."""

from __future__ import annotations

import json
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from exchange_kit import KEYS, SPLIT_DAY, START, ask, make_exchange, order_body, place
from trimtab.adapters.sandbox import Face
from trimtab.adapters.sandbox.wire import Request

if TYPE_CHECKING:
    from trimtab.adapters.exchange import Exchange


def face_of(exchange: Exchange) -> Face:
    """A face without a rate limit."""
    return Face(exchange, rate_limit=None)


def get(face: Face, target: str, status: int = 200) -> Any:  # noqa: ANN401 - JSON
    """The JSON of a GET, which must have this status."""
    response = ask(face, "GET", target)
    assert response.status == status, response.body
    return json.loads(response.body)


def post(face: Face, body: dict[str, object], status: int = 200) -> Any:  # noqa: ANN401 - JSON
    """The JSON of a POSTed order, which must have this status."""
    response = ask(face, "POST", "/v2/orders", json.dumps(body).encode())
    assert response.status == status, response.body
    return json.loads(response.body)


def traded(orders: int = 1) -> Face:
    """A face whose account has bought AAA so many times, 10 shares each."""
    exchange = make_exchange()
    for i in range(orders):
        place(exchange, f"o{i}", qty="1")
    exchange.advance(1)
    return face_of(exchange)


@pytest.mark.parametrize("name", KEYS)
def test_keys_are_asked_for(name: str) -> None:
    """A missing or empty key is 401 with the broker's body, which has no code."""
    face = face_of(make_exchange())
    for headers in ({k: v for k, v in KEYS.items() if k != name}, {**KEYS, name: ""}):
        response = face.handle(Request.parse("GET", "/v2/account", headers))
        assert (response.status, response.body) == (401, b'{"message":"unauthorized."}')


def test_only_the_given_keys_are_accepted_where_given() -> None:
    """Another pair is 401."""
    face = Face(make_exchange(), keys=("key-of-tests", "another"))
    assert ask(face, "GET", "/v2/account").status == 401
    assert (
        ask(Face(make_exchange(), keys=("key-of-tests", "secret-of-tests")), "GET", "/v2/account").status
        == 200
    )


def test_the_account_adds_up() -> None:
    """Strings throughout; equity is cash and holdings; buying power is cash less open buys."""
    face = traded()
    place(face.exchange, "open", "CCC", type="limit", limit_price="5", qty="100")
    account = get(face, "/v2/account")
    amounts = {
        name: Decimal(account[name]) for name in ("cash", "equity", "long_market_value", "buying_power")
    }
    assert amounts["cash"] == 100_000 - 105
    assert amounts["equity"] == amounts["cash"] + amounts["long_market_value"] == 100_000
    assert amounts["buying_power"] == amounts["cash"] - 500
    assert account["status"] == "ACTIVE"
    assert account["trading_blocked"] is False
    assert not {"daytrade_count", "pattern_day_trader"} & set(account)


def test_account_flags_can_be_set() -> None:
    """What is set is shown, whatever it is."""
    face = face_of(make_exchange(flags={"trading_blocked": True, "status": "ACCOUNT_CLOSED"}))
    account = get(face, "/v2/account")
    assert (account["trading_blocked"], account["status"]) == (True, "ACCOUNT_CLOSED")
    assert post(face, order_body("a"), 403)["code"] == 40310000


def test_an_order_from_post_to_fill() -> None:
    """Pending at first, filled when asked again; found by either id; quantities as plain strings."""
    face = face_of(make_exchange())
    order = post(face, order_body("mine", qty="0.123456789"))
    assert (order["status"], order["qty"], order["filled_qty"]) == ("pending_new", "0.123456789", "0")
    for _ in range(5):
        found = get(face, "/v2/orders:by_client_order_id?client_order_id=mine")
    assert found == get(face, f"/v2/orders/{order['id']}")
    assert (found["status"], found["filled_qty"], found["filled_avg_price"]) == (
        "filled",
        "0.123456789",
        "105",
    )
    assert found["filled_at"].endswith("Z")
    position = get(face, "/v2/positions/AAA")
    assert (position["qty"], position["qty_available"]) == ("0.123456789", "0.123456789")


def test_numbers_are_read_exactly() -> None:
    """A float's noise on the wire is seen as sent, not rounded away."""
    face = face_of(make_exchange())
    body = json.dumps({**order_body("a"), "qty": 0.1 + 0.2}).encode()
    assert (
        json.loads(ask(face, "POST", "/v2/orders", body).body)["message"]
        == "qty must be limited to 9 decimal places"
    )


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff"])
def test_a_body_that_is_no_object_is_400(body: bytes) -> None:
    """Broken JSON never becomes an order."""
    assert ask(face_of(make_exchange()), "POST", "/v2/orders", body).status == 400


def test_unknown_things_are_404_with_the_brokers_code() -> None:
    """An order, a position, an asset that do not exist; an endpoint that does not has no code."""
    face = face_of(make_exchange())
    for path in (
        "/v2/orders:by_client_order_id?client_order_id=x",
        "/v2/orders/x",
        "/v2/positions/AAA",
        "/v2/assets/ZZZ",
    ):
        assert get(face, path, 404)["code"] == 40410000
    assert "code" not in get(face, "/v2/nothing", 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [("PATCH", "/v2/orders/x"), ("DELETE", "/v2/positions"), ("DELETE", "/v2/positions/AAA")],
)
def test_what_is_not_served_says_so(method: str, path: str) -> None:
    """Not a 404: the caller must not take it for an answer."""
    response = ask(face_of(make_exchange()), method, path)
    assert response.status == 501
    assert "does not serve" in json.loads(response.body)["message"]


def test_cancel() -> None:
    """204 for what is open, 422 for what has ended, 207 for all."""
    face = face_of(make_exchange())
    orders = [post(face, order_body(f"o{i}", type="limit", limit_price="50")) for i in range(3)]
    assert ask(face, "DELETE", f"/v2/orders/{orders[0]['id']}").status == 204
    assert get(face, f"/v2/orders/{orders[0]['id']}")["status"] == "pending_cancel"
    face.exchange.advance(1)
    order = get(face, f"/v2/orders/{orders[0]['id']}")
    assert order["status"] == "canceled"
    assert order["canceled_at"]
    assert ask(face, "DELETE", f"/v2/orders/{orders[0]['id']}").status == 422
    response = ask(face, "DELETE", "/v2/orders")
    assert response.status == 207
    assert {row["id"] for row in json.loads(response.body)} == {orders[1]["id"], orders[2]["id"]}


def test_lists_of_orders_hide_what_the_limit_hides() -> None:
    """50 by default, 500 at most, newest first; cursors reach every order once."""
    face = traded(60)
    assert get(face, "/v2/orders") == []
    assert len(get(face, "/v2/orders?status=closed")) == 50
    get(face, "/v2/orders?status=all&limit=501", 422)
    found: list[str] = []
    cursor = ""
    while page := get(face, f"/v2/orders?status=all&limit=25{cursor}"):
        found += [order["client_order_id"] for order in page]
        cursor = f"&before_order_id={page[-1]['id']}"
    assert found == [f"o{i}" for i in reversed(range(60))]
    forward = get(face, f"/v2/orders?status=all&direction=asc&limit=2&after_order_id={page_id(face, 'o3')}")
    assert [order["client_order_id"] for order in forward] == ["o4", "o5"]


def page_id(face: Face, client_order_id: str) -> str:
    """The broker's id of an order."""
    found = get(face, f"/v2/orders:by_client_order_id?client_order_id={client_order_id}")
    return str(found["id"])


def test_filters_of_orders() -> None:
    """By symbol, side and time; `after` and `until` leave out the instant itself."""
    face = traded(2)
    first = get(face, "/v2/orders?status=all&direction=asc")[0]
    post(face, order_body("c", "CCC"))
    names = lambda query: [o["client_order_id"] for o in get(face, f"/v2/orders?status=all&{query}")]  # noqa: E731 - short
    assert names("symbols=CCC,DDD") == ["c"]
    assert names("side=sell") == []
    assert names(f"after={first['submitted_at']}") == ["c"]
    assert names(f"until={first['submitted_at']}") == []


def test_the_clock_speaks_new_york() -> None:
    """Offsets of New York; on a day in New York's summer -04:00."""
    face = face_of(make_exchange(SPLIT_DAY, tick_s=0.0))
    clock = get(face, "/v2/clock")
    assert clock == {
        "timestamp": "2020-03-10T10:00:00-04:00",
        "next_open": "2020-03-11T09:30:00-04:00",
        "next_close": "2020-03-10T16:00:00-04:00",
        "is_open": True,
    }


def test_the_calendar_has_holidays_and_half_days() -> None:
    """Beyond the tape the rules go on: Thanksgiving is absent and the day after it ends at 13:00."""
    days = get(face_of(make_exchange()), "/v2/calendar?start=2020-11-25&end=2020-11-30")
    assert [(d["date"], d["close"]) for d in days] == [
        ("2020-11-25", "16:00"),
        ("2020-11-27", "13:00"),
        ("2020-11-30", "16:00"),
    ]
    assert days[0]["settlement_date"] == "2020-11-27"
    get(face_of(make_exchange()), "/v2/calendar?start=soon", 400)


def test_assets_exist_once_they_have_traded() -> None:
    """All symbols of the tape, by symbol or id; a field can be taken away to play the future."""
    face = face_of(make_exchange(assets={"BBB": {"easy_to_borrow": None, "fractionable": False}}))
    assets = {asset["symbol"]: asset for asset in get(face, "/v2/assets?status=active")}
    assert set(assets) == {"AAA", "BBB", "CCC", "DDD"}
    assert "easy_to_borrow" in assets["AAA"]
    assert "easy_to_borrow" not in assets["BBB"]
    assert assets["BBB"]["fractionable"] is False
    assert get(face, f"/v2/assets/{assets['AAA']['id']}") == assets["AAA"]


def test_activities_are_paged_by_the_last_id() -> None:
    """Newest first; each fill once; by type, order and New York date."""
    face = traded(7)
    found: list[str] = []
    token = ""
    while page := get(face, f"/v2/account/activities/FILL?page_size=3{token}"):
        found += [row["order_id"] for row in page]
        token = f"&page_token={page[-1]['id']}"
    assert found == [page_id(face, f"o{i}") for i in reversed(range(7))]
    one = get(face, f"/v2/account/activities?activity_types=FILL&order_id={found[0]}")
    assert [(row["qty"], row["price"], row["type"]) for row in one] == [("1", "105", "fill")]
    assert len(get(face, "/v2/account/activities?date=2020-03-02")) == 7
    assert get(face, "/v2/account/activities?date=2020-03-03") == []
    assert get(face, "/v2/account/activities?activity_types=DIV") == []
    get(face, "/v2/account/activities?page_size=101", 422)


def test_after_the_close_orders_wait() -> None:
    """Accepted, and filled after the next open."""
    face = face_of(make_exchange())
    face.exchange.go(START, time(17))
    assert post(face, order_body("a"))["status"] == "accepted"
    face.exchange.go(date(2020, 3, 3))
    assert get(face, "/v2/orders:by_client_order_id?client_order_id=a")["status"] == "filled"


def test_portfolio_history_is_stamped_at_eight_in_the_evening() -> None:
    """One point a session, at 20:00 New York: the next day in UTC."""
    face = traded()
    face.exchange.step(2)
    history = get(face, "/v2/account/portfolio/history")
    assert history["equity"] == [100_002.0, 100_003.0]
    assert history["timestamp"][0] % 86_400 == 3600


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/v2/account", {"message": "rate limit exceeded", "code": 42910000}),
        ("/v2/stocks/snapshots?symbols=AAA", {"message": "too many requests."}),
    ],
)
def test_the_rate_is_limited_each_minute(target: str, body: dict[str, object]) -> None:
    """200 a minute for each side, told in headers; the next minute is free again."""
    now = [1_000_000_020.0]
    face = Face(make_exchange(), rate_limit=5, wall=lambda: now[0])
    left = [ask(face, "GET", target).headers["X-RateLimit-Remaining"] for _ in range(5)]
    assert left == ["4", "3", "2", "1", "0"]
    refused = ask(face, "GET", target)
    assert (refused.status, json.loads(refused.body)) == (429, body)
    now[0] = float(refused.headers["X-RateLimit-Reset"])
    assert ask(face, "GET", target).status == 200
