"""Trading: Alpaca's trading endpoints, /v2 but stocks, over the exchange.

Each handler takes the exchange (held for the length of the request), the world in it, the request and
what its path names.
"""

from __future__ import annotations

import re
from datetime import date, time
from typing import TYPE_CHECKING

from trimtab.adapters.exchange.hours import NEW_YORK, at, new_york_date
from trimtab.adapters.exchange.records import Refusal
from trimtab.adapters.sandbox import render
from trimtab.adapters.sandbox.wire import (
    Request,
    Response,
    answer,
    read_count,
    read_date,
    read_instant,
    read_list,
)
from trimtab.core.portfolio import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.adapters.exchange.engine import World
    from trimtab.adapters.exchange.exchange import Exchange
    from trimtab.adapters.exchange.records import Activity, Order

    Handler = Callable[[Exchange, World, Request, str], Response]

__all__ = ["ROUTES"]

NOT_FOUND = 40410000
MALFORMED = 40010001
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2029, 12, 31)
TRADES = frozenset({"FILL"})


def get_account(exchange: Exchange, world: World, _request: Request, _name: str) -> Response:
    """GET /v2/account."""
    return answer(render.account(exchange, world))


def get_configurations(_exchange: Exchange, world: World, _request: Request, _name: str) -> Response:
    """GET /v2/account/configurations: fixed, but for the multiplier."""
    return answer(
        {
            "suspend_trade": bool(world.behaviour.flags.get("trade_suspended_by_user", False)),
            "no_shorting": True,
            "max_margin_multiplier": str(world.behaviour.multiplier),
            "fractional_trading": True,
            "ptp_no_exception_entry": False,
            "trade_confirm_email": "none",
            "disable_overnight_trading": True,
            "max_options_trading_level": 0,
        }
    )


def get_history(_exchange: Exchange, world: World, _request: Request, _name: str) -> Response:
    """GET /v2/account/portfolio/history: one point a session, at 20:00 New York; parameters are not read."""
    book = world.book
    days = [date.fromisoformat(day) for day in book.closes]
    values = [float(usd) for usd in book.closes.values()]
    base = float(book.start_cash)
    before = [base, *values][: len(values)]
    return answer(
        {
            "timestamp": [int(at(day, time(20)).timestamp()) for day in days],
            "equity": values,
            "profit_loss": [now - then for now, then in zip(values, before, strict=True)],
            "profit_loss_pct": [
                now / then - 1 if then else None for now, then in zip(values, before, strict=True)
            ],
            "base_value": base,
            "timeframe": "1D",
        }
    )


def get_activities(_exchange: Exchange, world: World, request: Request, kind: str) -> Response:
    """GET /v2/account/activities[/{type}]: newest first unless asked otherwise, in pages of up to 100."""
    size = read_count(request, "page_size", 100, 100)
    found = [a for a in world.book.activities if _wanted(a, request, kind)]
    if request.query.get("direction", "desc") == "desc":
        found.reverse()
    token = request.query.get("page_token")
    if token:
        places = [i for i, a in enumerate(found) if a.id == token]
        if not places:
            raise Refusal(422, MALFORMED, "invalid page_token")
        found = found[places[0] + 1 :]
    return answer([render.activity(a) for a in found[:size]])


def _wanted(activity: Activity, request: Request, kind: str) -> bool:
    """Say whether an activity passes the filters; `date` is New York's, `after` and `until` exclusive."""
    query = request.query
    kinds = [kind] if kind else read_list(request, "activity_types")
    trade = activity.kind in TRADES
    category = {"trade_activity": trade, "non_trade_activity": not trade}.get(query.get("category", ""), True)
    return (
        category
        and (not kinds or activity.kind in kinds)
        and ("order_id" not in query or activity.order_id == query["order_id"])
        and ("date" not in query or new_york_date(activity.at) == read_date(query["date"]))
        and ("after" not in query or activity.at > read_instant(query["after"]))
        and ("until" not in query or activity.at < read_instant(query["until"]))
    )


def get_positions(exchange: Exchange, world: World, _request: Request, _name: str) -> Response:
    """GET /v2/positions."""
    view = exchange.view("positions")
    return answer([render.position(world, view, h) for _, h in sorted(view.holdings.items())])


def get_position(exchange: Exchange, world: World, _request: Request, name: str) -> Response:
    """GET /v2/positions/{symbol or asset id}."""
    view = exchange.view("positions")
    for symbol, holding in view.holdings.items():
        if name in {symbol, render.asset_id(symbol)}:
            return answer(render.position(world, view, holding))
    raise Refusal(404, NOT_FOUND, "position does not exist")


def get_assets(_exchange: Exchange, world: World, request: Request, _name: str) -> Response:
    """GET /v2/assets."""
    symbols = sorted({*world.prices.column, *world.behaviour.assets})
    assets = [found for symbol in symbols if (found := render.asset(world, symbol)) is not None]
    wanted = {"status": request.query.get("status"), "class": request.query.get("asset_class")}
    return answer([a for a in assets if all(not value or a.get(k) == value for k, value in wanted.items())])


def get_asset(_exchange: Exchange, world: World, _request: Request, name: str) -> Response:
    """GET /v2/assets/{symbol or asset id}."""
    by_id = (s for s in world.prices.column if render.asset_id(s) == name) if "-" in name else iter(())
    found = render.asset(world, next(by_id, name))
    if found is None:
        raise Refusal(404, NOT_FOUND, f"asset not found for {name}")
    return answer(found)


def get_calendar(_exchange: Exchange, world: World, request: Request, _name: str) -> Response:
    """GET /v2/calendar, from 1970 to 2029 as the broker has it."""
    start = max(read_date(request.query.get("start") or FIRST_DAY.isoformat()), FIRST_DAY)
    end = min(read_date(request.query.get("end") or LAST_DAY.isoformat()), LAST_DAY)
    return answer([render.calendar_day(world, day) for day in world.prices.calendar.between(start, end)])


def get_clock(_exchange: Exchange, world: World, _request: Request, _name: str) -> Response:
    """GET /v2/clock."""
    now, calendar = world.book.time, world.prices.calendar
    instants = {
        "timestamp": now,
        "next_open": calendar.next_open(now),
        "next_close": calendar.next_close(now),
    }
    local = {name: instant.astimezone(NEW_YORK).isoformat() for name, instant in instants.items()}
    return answer({**local, "is_open": calendar.is_open(now)})


def post_order(exchange: Exchange, _world: World, request: Request, _name: str) -> Response:
    """POST /v2/orders."""
    return answer(render.order(exchange.submit(request.json())))


def get_orders(exchange: Exchange, _world: World, request: Request, _name: str) -> Response:
    """GET /v2/orders: newest first unless asked otherwise."""
    limit = read_count(request, "limit", 50, 500)
    status = request.query.get("status") or "open"
    if status not in {"open", "closed", "all"}:
        raise Refusal(422, MALFORMED, f"invalid status {status!r}: expected open, closed or all")
    orders = exchange.view("orders").orders
    before = _cursor(orders, request, "before_order_id", len(orders) + 1)
    after = _cursor(orders, request, "after_order_id", 0)
    chosen = [
        o
        for o in orders.values()
        if after < o.seq < before
        and status in {"all", "closed" if o.status in TERMINAL else "open"}
        and _passes(o, request)
    ]
    chosen.sort(key=lambda o: o.seq, reverse=request.query.get("direction", "desc") == "desc")
    return answer([render.order(o) for o in chosen[:limit]])


def _cursor(orders: dict[str, Order], request: Request, name: str, default: int) -> int:
    """Give the place of the order that a cursor names."""
    order_id = request.query.get(name)
    if not order_id:
        return default
    if order_id not in orders:
        raise Refusal(422, MALFORMED, f"invalid {name}")
    return orders[order_id].seq


def _passes(order: Order, request: Request) -> bool:
    """Say whether an order passes the filters; `after` and `until` are exclusive."""
    query, symbols = request.query, read_list(request, "symbols")
    return (
        (not symbols or order.symbol in symbols)
        and (query.get("side") or order.side) == order.side
        and (query.get("asset_class") or render.ASSET_CLASS) in {render.ASSET_CLASS, "all"}
        and (not query.get("after") or order.submitted_at > read_instant(query["after"]))
        and (not query.get("until") or order.submitted_at < read_instant(query["until"]))
    )


def get_order(exchange: Exchange, _world: World, _request: Request, name: str) -> Response:
    """GET /v2/orders/{id}."""
    order = exchange.view("orders").orders.get(name)
    if order is None:
        raise Refusal(404, NOT_FOUND, f"order not found for {name}")
    return answer(render.order(order))


def get_order_by_client_id(exchange: Exchange, world: World, request: Request, _name: str) -> Response:
    """GET /v2/orders:by_client_order_id."""
    client_id = request.query.get("client_order_id", "")
    order_id = world.book.by_client_id.get(client_id, "")
    order = exchange.view("orders").orders.get(order_id)
    if order is None:
        raise Refusal(404, NOT_FOUND, f"order not found for {client_id}")
    return answer(render.order(order))


def delete_order(exchange: Exchange, _world: World, _request: Request, name: str) -> Response:
    """DELETE /v2/orders/{id}: a request, not yet the end."""
    exchange.cancel(name)
    return Response(204)


def delete_orders(exchange: Exchange, world: World, _request: Request, _name: str) -> Response:
    """DELETE /v2/orders: asks for the end of every open order."""
    orders = [exchange.cancel(order_id) for order_id in list(world.book.live)]
    return answer([{"id": order.id, "status": 200} for order in orders], 207)


def not_served(_exchange: Exchange, _world: World, request: Request, _name: str) -> Response:
    """Say plainly that an endpoint of the broker is not built here."""
    message = f"the sandbox does not serve {request.method} {request.path}"
    return answer({"code": 50110000, "message": message}, 501)


ROUTES: tuple[tuple[str, re.Pattern[str], Handler], ...] = tuple(
    (method, re.compile(pattern), handler)
    for method, pattern, handler in (
        ("GET", r"/v2/account", get_account),
        ("GET", r"/v2/account/configurations", get_configurations),
        ("GET", r"/v2/account/portfolio/history", get_history),
        ("GET", r"/v2/account/activities(?:/(?P<name>[A-Z]+))?", get_activities),
        ("GET", r"/v2/positions", get_positions),
        ("GET", r"/v2/positions/(?P<name>[^/]+)", get_position),
        ("GET", r"/v2/assets", get_assets),
        ("GET", r"/v2/assets/(?P<name>[^/]+)", get_asset),
        ("GET", r"/v2/calendar", get_calendar),
        ("GET", r"/v2/clock", get_clock),
        ("POST", r"/v2/orders", post_order),
        ("GET", r"/v2/orders", get_orders),
        ("GET", r"/v2/orders:by_client_order_id", get_order_by_client_id),
        ("GET", r"/v2/orders/(?P<name>[^/]+)", get_order),
        ("DELETE", r"/v2/orders/(?P<name>[^/]+)", delete_order),
        ("DELETE", r"/v2/orders", delete_orders),
        ("PATCH", r"/v2/(?:orders/[^/]+|account/configurations)", not_served),
        ("DELETE", r"/v2/positions(?:/[^/]+)?", not_served),
        ("GET", r"/v3/(?:clock|calendar/[^/]+)", not_served),
    )
)
"""Method, path and handler of each endpoint; the path's group `name` is handed on."""
