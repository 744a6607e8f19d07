"""Exchange kit: small tapes and ready exchanges for tests."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.adapters.exchange import Behaviour, Exchange
from trimtab.adapters.exchange.tape import Tape
from trimtab.adapters.sandbox.wire import Request, Response
from trimtab.core.nyse import sessions

if TYPE_CHECKING:
    from decimal import Decimal

    from trimtab.adapters.exchange.engine import World
    from trimtab.adapters.exchange.records import Order
    from trimtab.adapters.sandbox import Face

FIRST, LAST = date(2020, 2, 24), date(2020, 4, 9)
SPLIT_DAY, DIVIDEND_DAY = date(2020, 3, 10), date(2020, 3, 12)
START = date(2020, 3, 2)
KEYS = {"APCA-API-KEY-ID": "key-of-tests", "APCA-API-SECRET-KEY": "secret-of-tests"}


def make_tape(first: date = FIRST, last: date = LAST) -> Tape:
    """Four symbols with round prices.

    AAA opens each session at 100 + its number and closes 2 above; BBB stands at 50 and splits 2:1 to 25;
    CCC stands at 10 and pays 0.25; DDD, at 5, does not trade on the split day.
    """
    days = sessions(first, last)
    n = len(days)
    opens = np.full((n, 4), 10.0)
    opens[:, 0] = 100.0 + np.arange(n)
    opens[:, 1] = [25.0 if day >= SPLIT_DAY else 50.0 for day in days]
    opens[:, 3] = 5.0
    split, dividend = np.ones((n, 4)), np.zeros((n, 4))
    if SPLIT_DAY in days:
        opens[days.index(SPLIT_DAY), 3] = np.nan
        split[days.index(SPLIT_DAY), 1] = 2.0
    if DIVIDEND_DAY in days:
        dividend[days.index(DIVIDEND_DAY), 2] = 0.25
    closes = opens.copy()
    closes[:, 0] += 2.0
    return Tape(
        "a tape of tests",
        np.array(days, dtype="datetime64[D]"),
        ("AAA", "BBB", "CCC", "DDD"),
        open=opens,
        high=closes + 1.0,
        low=opens - 1.0,
        close=closes,
        volume=np.where(np.isnan(opens), np.nan, 1_000_000.0),
        split=split,
        dividend=dividend,
    )


def make_exchange(
    start: date = START,
    cash: Decimal | None = None,
    seed: int = 0,
    **changes: Any,  # noqa: ANN401 - fields
) -> Exchange:
    """An exchange on `make_tape` at 10:00 of `start`; `changes` are of its behaviour."""
    given = {} if cash is None else {"cash": cash}
    return Exchange.open(make_tape(), start, seed=seed, behaviour=Behaviour(**changes), **given)


def order_body(
    client_order_id: str, symbol: str = "AAA", side: str = "buy", **more: object
) -> dict[str, object]:
    """A market day order of 10 shares, unless `more` says otherwise; None leaves a field out."""
    body = {"symbol": symbol, "side": side, "type": "market", "time_in_force": "day", "qty": "10"}
    fields = {**body, "client_order_id": client_order_id, **more}
    return {name: value for name, value in fields.items() if value is not None}


def place(exchange: Exchange, client_order_id: str, *args: str, **more: object) -> str:
    """Submit an order and give its id."""
    return exchange.submit(order_body(client_order_id, *args, **more)).id


def order_of(exchange: Exchange, order_id: str) -> Order:
    """The order as it is now."""
    with exchange.work() as world:
        return world.book.orders[order_id]


def held(exchange: Exchange, symbol: str) -> Decimal:
    """The shares held now."""
    with exchange.work() as world:
        return world.book.qty(symbol)


def check_books(world: World) -> None:
    """Cash and holdings are the start and the activities, exactly; fills are those of the orders."""
    book = world.book
    assert book.cash == book.start_cash + sum(a.amount for a in book.activities)
    shares: dict[str, Decimal] = {}
    filled: dict[str, Decimal] = {}
    paid: dict[str, Decimal] = {}
    for a in book.activities:
        signed = -a.qty if a.side == "sell" else a.qty
        shares[a.symbol] = shares.get(a.symbol, book.cash * 0) + signed
        if a.kind == "FILL":
            filled[a.order_id] = filled.get(a.order_id, book.cash * 0) + a.qty
            paid[a.order_id] = paid.get(a.order_id, book.cash * 0) + a.qty * a.price
    assert {s: q for s, q in shares.items() if q} == {h.symbol: h.qty for h in book.holdings.values()}
    assert filled == {o.id: o.filled_qty for o in book.orders.values() if o.filled_qty}
    assert paid == {o.id: o.filled_cost for o in book.orders.values() if o.filled_qty}
    assert all(o.qty is None or o.filled_qty <= o.qty for o in book.orders.values())
    assert set(book.by_client_id.values()) == set(book.orders)


def ask(face: Face, method: str, target: str, body: bytes = b"", **headers: str) -> Response:
    """Send a request with the tests' keys to a face."""
    return face.handle(Request.parse(method, target, KEYS | headers, body))
