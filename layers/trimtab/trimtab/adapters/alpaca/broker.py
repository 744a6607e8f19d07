"""Broker: the account and its orders on Alpaca's trading host."""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote as url_quote

from trimtab.adapters.alpaca import parse
from trimtab.adapters.alpaca.http import NOT_FOUND_CODE, AlpacaHost, Answer, Lost, NotFound
from trimtab.core.lots import plain
from trimtab.ports import Accepted, Refused, Submitted, Unknown, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from decimal import Decimal

    from trimtab.core.portfolio import (
        Account,
        Asset,
        BrokerOrder,
        Fill,
        Flow,
        OrderRequest,
        Position,
        SessionHours,
    )

SINGLE_ASSETS = 20
"""Up to this many symbols are asked for one by one; more come from the list of all."""

_ORDERS_A_PAGE = 500
_ACTIVITIES_A_PAGE = 100
_MOST_PAGES = 200
_LONGEST_ID = 128
_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9./-]*")
_ORDER_ID = re.compile(r"[0-9A-Za-z_-]+")
_ABOUT_THE_ID = re.compile(r"client.?order.?id|unique|duplicate|already exists", re.IGNORECASE)
_REFUSALS = frozenset({400, 401, 403, 422})
_OK, _NO_CONTENT, _NOT_FOUND, _UNPROCESSABLE = 200, 204, 404, 422


class AlpacaBroker:
    """The `Broker` port over one trading host."""

    def __init__(self, host: AlpacaHost, *, single_assets: int = SINGLE_ASSETS) -> None:
        self._host = host
        self._single_assets = single_assets

    def now(self) -> datetime:
        """Give the broker's clock, UTC."""
        clock = parse.mapping(self._host.read("/clock"), "clock")
        return parse.moment(clock.get("timestamp"), "clock: timestamp")

    def calendar(self, start: date, end: date) -> tuple[SessionHours, ...]:
        """Give the sessions from `start` to `end`, inclusive, oldest first."""
        params = {"start": start.isoformat(), "end": end.isoformat()}
        days = map(parse.session_hours, parse.rows(self._host.read("/calendar", params), "calendar"))
        return tuple(
            sorted((day for day in days if start <= day.session <= end), key=lambda day: day.session)
        )

    def account(self) -> Account:
        """Give the account."""
        return parse.account(self._host.read("/account"))

    def positions(self) -> tuple[Position, ...]:
        """Give every holding, all asset classes."""
        return tuple(map(parse.position, parse.rows(self._host.read("/positions"), "positions")))

    def assets(self, symbols: Sequence[str]) -> Mapping[str, Asset]:
        """Give what is known of each symbol; an unknown one is absent."""
        wanted = [symbol for symbol in dict.fromkeys(symbols) if _SYMBOL.fullmatch(symbol)]
        found: dict[str, Asset] = {}
        if len(wanted) > self._single_assets:
            found = self._active_assets(frozenset(wanted))
        missing = [symbol for symbol in wanted if symbol not in found]
        # The list has active assets only: one that is missing there may be inactive, not unknown.
        if len(missing) <= self._single_assets:
            for symbol in missing:
                asset = self._asset(symbol)
                if asset is not None and asset.symbol == symbol:
                    found[symbol] = asset
        return found

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Give every order in flight, all pages."""
        params = {"status": "open", "direction": "desc"}
        return tuple(order for order in self._orders(params, "before_order_id") if not order.terminal)

    def orders_since(self, start: datetime) -> tuple[BrokerOrder, ...]:
        """Give every order submitted at or after `start` (UTC), open or ended, all pages."""
        # `after` is exclusive, and a nanosecond time truncated to microseconds is never before `start`.
        after = (start.astimezone(UTC) - timedelta(microseconds=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        orders = self._orders({"status": "all", "direction": "asc"}, "after_order_id", {"after": after})
        if any(order.submitted_at and order.submitted_at < start - timedelta(seconds=1) for order in orders):
            raise Unreachable(f"orders: asked for those since {after}, given an earlier one")
        return tuple(order for order in orders if order.submitted_at is None or order.submitted_at >= start)

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """Look one order up by its id; None only on a 404 with the broker's code for it."""
        try:
            found = self._host.read("/orders:by_client_order_id", {"client_order_id": client_order_id})
        except NotFound:
            return None
        order = parse.order(found)
        if order.client_order_id != client_order_id:
            raise Unreachable(f"order: asked for {client_order_id}, given {order.client_order_id[:40]!r}")
        return order

    def submit(self, order: OrderRequest) -> Submitted:
        """Send one order, one attempt, with timeouts.

        Raises:
            ValueError: the order is none that may be sent; nothing was.
        """
        body = order_body(order)
        if self._host.left() <= 0:
            return Unknown("not sent: no time left in this run")
        try:
            answer = self._host.once("POST", "/orders", body)
        except Lost as lost:
            return Unknown(str(lost))
        return self._outcome(order, answer)

    def cancel(self, order_id: str) -> None:
        """Ask for an order to be cancelled, by the broker's id. Already ended, or unknown to it, is fine.

        Raises:
            Unreachable: whether it was asked is unknown; asking again is harmless.
            ValueError: that is no order id. (DELETE without one would cancel every order.)
        """
        if not _ORDER_ID.fullmatch(order_id):
            raise ValueError(f"no order id: {order_id[:40]!r}")
        try:
            answer = self._host.once("DELETE", f"/orders/{order_id}")
        except Lost as lost:
            raise Unreachable(f"cancel: {lost}") from None
        error = answer.error()
        ended = answer.status == _UNPROCESSABLE and error is not None
        unknown = answer.status == _NOT_FOUND and error is not None and error[0] == NOT_FOUND_CODE
        if not (answer.status == _NO_CONTENT or ended or unknown):
            raise Unreachable(f"cancel: {self._host.said(answer)}")

    def fills(self, session: date) -> tuple[Fill, ...]:
        """Give every execution of the account on a New York date, all pages, oldest first."""
        path, params = "/account/activities/FILL", {"date": session.isoformat()}
        found = map(parse.fill, self._activities(path, params, "fills"))
        on_day = (fill for fill in found if fill.at.astimezone(parse.NEW_YORK).date() == session)
        return tuple(sorted(on_day, key=lambda fill: fill.at))

    def flows(self, after: date) -> tuple[Flow, ...]:
        """Give every deposit and withdrawal, of cash or shares, made after a date, oldest first."""
        params = {"activity_types": ",".join(sorted(parse.FLOWS)), "after": after.isoformat()}
        rows = self._activities("/account/activities", params, "flows")
        found = (parse.flow(row) for row in rows if parse.is_flow(row))
        return tuple(sorted(found, key=lambda flow: (flow.on, flow.id)))

    def _activities(self, path: str, params: Mapping[str, str], what: str) -> list[Mapping[str, object]]:
        """Give all pages of the account's activities, oldest first; each once."""
        query = {**params, "direction": "asc", "page_size": str(_ACTIVITIES_A_PAGE)}
        found: dict[str, Mapping[str, object]] = {}
        for _ in range(_MOST_PAGES):
            page = parse.rows(self._host.read(path, query), what)
            ids = [parse.text(row, "id", what) for row in page]
            new = {name: row for name, row in zip(ids, page, strict=True) if name not in found}
            found |= new
            if len(page) < _ACTIVITIES_A_PAGE:
                return list(found.values())
            if not new:
                break
            query["page_token"] = ids[-1]
        raise Unreachable(f"{what}: the pages repeat or do not end")

    def _orders(
        self, params: Mapping[str, str], cursor: str, first: Mapping[str, str] | None = None
    ) -> list[BrokerOrder]:
        """Give all pages of a list of orders. `first` goes with the first page alone.

        The cursors are exact where paging by time is not: it is exclusive, and times may be equal or null.
        """
        found: dict[str, BrokerOrder] = {}
        more = dict(first or {})
        for _ in range(_MOST_PAGES):
            query = {**params, "limit": str(_ORDERS_A_PAGE), **more}
            page = [parse.order(row) for row in parse.rows(self._host.read("/orders", query), "orders")]
            new = {order.id: order for order in page if order.id not in found}
            found |= new
            if len(page) < _ORDERS_A_PAGE:
                return list(found.values())
            if not new:
                break
            more = {cursor: page[-1].id}
        raise Unreachable("orders: the pages repeat or do not end")

    def _active_assets(self, wanted: frozenset[str]) -> dict[str, Asset]:
        params = {"status": "active", "asset_class": "us_equity"}
        listed = parse.rows(self._host.read("/assets", params), "assets")
        return {str(row["symbol"]): parse.asset(row) for row in listed if row.get("symbol") in wanted}

    def _asset(self, symbol: str) -> Asset | None:
        try:
            return parse.asset(self._host.read(f"/assets/{url_quote(symbol, safe='')}"))
        except NotFound:
            return None

    def _outcome(self, order: OrderRequest, answer: Answer) -> Submitted:
        """Give what one answer to a POST proves."""
        error = answer.error()
        if answer.status in _REFUSALS and error and not _ABOUT_THE_ID.search(error[1]):
            return Refused(answer.status, error[0], self._host.clean(error[1]))
        if answer.status != _OK:
            return Unknown(self._host.said(answer))
        try:
            shown = parse.order(parse.load_json(answer.body))
        except (ValueError, Unreachable) as unreadable:
            return Unknown(f"200 without an order: {self._host.clean(str(unreadable))}")
        sent = (order.client_order_id, order.symbol, order.side, order.qty)
        if (shown.client_order_id, shown.symbol, shown.side, shown.qty) != sent:
            return Unknown("200 with another order than was sent")
        return Accepted(shown)


def positive(value: Decimal) -> str:
    """Give a positive decimal as the wire wants it: exact, no exponent, no trailing zeros.

    Raises:
        ValueError: it is not finite, or not above zero.
    """
    if not value.is_finite() or value <= 0:
        raise ValueError(f"not a quantity or price: {value}")
    return plain(value)


def order_body(order: OrderRequest) -> dict[str, str]:
    """Give the JSON of a POST: every value a string, so that no float ever touches it.

    Raises:
        ValueError: side or type is none of ours, a quantity or price is not positive, a limit order is
            without its price or a market order with one, or the id is empty or too long.
    """
    if order.side not in {"buy", "sell"} or order.type not in {"market", "limit"}:
        raise ValueError(f"not an order of ours: {order.side} {order.type}")
    if (order.type == "limit") != (order.limit_price is not None):
        raise ValueError(f"a {order.type} order with the limit price {order.limit_price}")
    if not 0 < len(order.client_order_id) <= _LONGEST_ID or not _SYMBOL.fullmatch(order.symbol):
        raise ValueError("an order without an id or a symbol that the broker takes")
    body = {
        "symbol": order.symbol,
        "side": order.side,
        "type": order.type,
        "time_in_force": "day",
        "qty": positive(order.qty),
        "client_order_id": order.client_order_id,
    }
    if order.limit_price is not None:
        body["limit_price"] = positive(order.limit_price)
    return body
