"""Parse: the broker's JSON as our values, exact, strict where it matters and tolerant where it drifts.

Unknown fields and enum values pass; a missing or unreadable value that a decision needs is `Unreachable`,
never a zero.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from trimtab.core.portfolio import (
    TERMINAL,
    Account,
    Asset,
    BrokerOrder,
    Fill,
    Flow,
    Position,
    Quote,
    SessionHours,
)
from trimtab.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

NEW_YORK = ZoneInfo("America/New_York")

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LARGEST_EXPONENT = 18
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?(Z|[+-][0-9]{2}:[0-9]{2})"
)
FLOWS = frozenset({"ACATC", "ACATS", "CSD", "CSW", "FOPT", "JNL", "JNLC", "JNLS", "OCT"})
"""The kinds of activity that bring money or shares in from outside, or take them out.
Source: Alpaca, trading API specification, ActivityType."""
_ENDED_AT = {
    "filled": "filled_at",
    "canceled": "canceled_at",
    "expired": "expired_at",
    "rejected": "failed_at",
    "replaced": "replaced_at",
}


class NotJSON(ValueError):  # noqa: N818 - a state of the world, not a fault of ours
    """A body that is not JSON, or is JSON that two readers may take for different things."""


def load_json(body: bytes, *, exact: bool = True, once: bool = False) -> object:
    """Give the document of a body; its fractions as Decimal, or as float if not `exact`.

    Raises:
        NotJSON: it is not JSON, or has NaN or an infinity in it, or with `once` an object that names
            something twice, of which all but the last would be lost.
    """
    try:
        return json.loads(
            body,
            parse_float=Decimal if exact else None,
            parse_constant=_refuse_constant,
            object_pairs_hook=_named_once if once else None,
        )
    except RecursionError:
        raise NotJSON("nested too deeply") from None
    except ValueError as error:
        raise NotJSON(str(error)) from None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number in JSON")


def _named_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in document if names.count(name) > 1)
        raise ValueError(f"{twice[:40]!r} is named twice")
    return document


def next_token(page: Mapping[str, object], what: str) -> str | None:
    """Give the token of the page after this one; None if this is the last.

    Raises:
        Unreachable: it is missing, empty or no text.
    """
    token = page.get("next_page_token", "")
    if token is not None and (not isinstance(token, str) or not token):
        raise Unreachable(f"{what}: next_page_token is {str(token)[:40]!r}, neither a token nor null")
    return token


def mapping(value: object, what: str) -> Mapping[str, object]:
    """Give `value` if it is a JSON object.

    Raises:
        Unreachable: it is not.
    """
    if not isinstance(value, dict):
        raise Unreachable(f"{what}: {type(value).__name__} where an object was due")
    return cast("Mapping[str, object]", value)


def rows(value: object, what: str) -> list[Mapping[str, object]]:
    """Give `value` if it is a JSON array of objects.

    Raises:
        Unreachable: it is not.
    """
    if not isinstance(value, list):
        raise Unreachable(f"{what}: {type(value).__name__} where an array was due")
    return [mapping(row, what) for row in value]


def number(value: object, what: str) -> Decimal:
    """Give a decimal exactly as printed.

    Raises:
        Unreachable: it is missing, not a number, not finite, or absurdly large.
    """
    if value is None:
        raise Unreachable(f"{what} is missing")
    text = str(value)
    if isinstance(value, bool) or not _NUMBER.fullmatch(text):
        raise Unreachable(f"{what} is not a number: {text[:40]!r}")
    exact = Decimal(text)
    if exact and exact.adjusted() > _LARGEST_EXPONENT:
        raise Unreachable(f"{what} is out of range: {text[:40]!r}")
    return exact


def text(document: Mapping[str, object], key: str, what: str) -> str:
    """Give a text that must be there.

    Raises:
        Unreachable: it is missing or empty.
    """
    value = document.get(key)
    if not isinstance(value, str) or not value:
        raise Unreachable(f"{what} without {key}")
    return value


def moment(value: object, what: str) -> datetime:
    """Give an RFC 3339 time, up to nanoseconds and with any offset, as UTC, truncated to microseconds.

    Raises:
        Unreachable: it is none.
    """
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise Unreachable(f"{what} is not a time: {str(value)[:40]!r}")
    seconds, fraction, offset = found.groups()
    try:
        return datetime.fromisoformat(f"{seconds}.{(fraction or '0')[:6]:0<6}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreachable(f"{what} is not a time: {found[0]!r}") from None


def account(value: object) -> Account:
    """Give the account; what the broker left out is None or False.

    Raises:
        Unreachable: without account number, status, cash or equity.
    """
    document = mapping(value, "account")
    return Account(
        account_number=text(document, "account_number", "account"),
        status=text(document, "status", "account"),
        cash=_required(document, "cash", "account"),
        equity=_required(document, "equity", "account"),
        last_equity=_optional(document, "last_equity", "account"),
        buying_power=_optional(document, "buying_power", "account"),
        currency=str(document.get("currency") or "USD"),
        trading_blocked=_flag(document, "trading_blocked"),
        account_blocked=_flag(document, "account_blocked"),
        trade_suspended_by_user=_flag(document, "trade_suspended_by_user"),
    )


def position(document: Mapping[str, object]) -> Position:
    """Give one holding; a short one has a negative quantity however it is printed.

    Raises:
        Unreachable: without symbol or quantity.
    """
    symbol = text(document, "symbol", "position")
    qty = _required(document, "qty", f"position in {symbol}")
    if document.get("side") == "short":
        qty = -abs(qty)
    # Without qty_available the whole holding stands: the broker itself refuses to sell what is held back.
    available = _optional(document, "qty_available", f"position in {symbol}")
    value = _optional(document, "market_value", f"position in {symbol}")
    return Position(symbol, qty, qty if available is None else available, value)


def asset(value: object) -> Asset:
    """Give an asset; what is not said to be tradable or fractionable is not.

    Raises:
        Unreachable: without symbol.
    """
    document = mapping(value, "asset")
    return Asset(
        symbol=text(document, "symbol", "asset"),
        status=str(document.get("status") or ""),
        tradable=document.get("tradable") is True,
        fractionable=document.get("fractionable") is True,
    )


def order(value: object) -> BrokerOrder:
    """Give an order as it stands; unknown statuses, types and sides pass as they are.

    Raises:
        Unreachable: without id, status or filled quantity, or with one that cannot be read.
    """
    document = mapping(value, "order")
    order_id = text(document, "id", "order")
    what = f"order {order_id}"
    status = text(document, "status", what)
    filled = _required(document, "filled_qty", what)
    if filled < 0:
        raise Unreachable(f"{what}: filled_qty is negative")
    return BrokerOrder(
        id=order_id,
        client_order_id=str(document.get("client_order_id") or ""),
        symbol=str(document.get("symbol") or ""),
        side=str(document.get("side") or ""),
        type=str(document.get("type") or document.get("order_type") or ""),
        status=status,
        qty=_optional(document, "qty", what),
        filled_qty=filled,
        filled_avg_price=_optional(document, "filled_avg_price", what),
        limit_price=_optional(document, "limit_price", what),
        submitted_at=_time(document, "submitted_at", what),
        finished_at=_time(document, _ENDED_AT[status], what) if status in TERMINAL else None,
    )


def fill(document: Mapping[str, object]) -> Fill:
    """Give one execution.

    Raises:
        Unreachable: any part is missing.
    """
    fill_id = text(document, "id", "fill")
    what = f"fill {fill_id}"
    return Fill(
        fill_id=fill_id,
        order_id=text(document, "order_id", what),
        symbol=text(document, "symbol", what),
        side=text(document, "side", what),
        qty=_required(document, "qty", what),
        price=_required(document, "price", what),
        at=moment(document.get("transaction_time"), f"{what}: transaction_time"),
    )


def is_flow(document: Mapping[str, object]) -> bool:
    """Say whether an activity is a deposit or a withdrawal that was not taken back."""
    return document.get("activity_type") in FLOWS and document.get("status") != "canceled"


def flow(document: Mapping[str, object]) -> Flow:
    """Give a deposit or withdrawal; what the broker left out is 0 or empty.

    Raises:
        Unreachable: without id or date, or with an amount that is none.
    """
    flow_id = text(document, "id", "flow")
    what = f"flow {flow_id}"
    kind, symbol = text(document, "activity_type", what), document.get("symbol")
    amount = _optional(document, "net_amount", what) or Decimal(0)
    if kind in {"CSD", "CSW"}:
        amount = abs(amount) if kind == "CSD" else -abs(amount)
    return Flow(
        flow_id,
        kind,
        _day(document, what),
        symbol if isinstance(symbol, str) else "",
        _optional(document, "qty", what) or Decimal(0),
        amount,
    )


def _day(document: Mapping[str, object], what: str) -> date:
    """Give the date of an activity, else the New York date of its making."""
    day = document.get("date")
    if isinstance(day, str):
        try:
            return date.fromisoformat(day[:10])
        except ValueError:
            raise Unreachable(f"{what}: date is none: {day[:40]!r}") from None
    return moment(document.get("created_at"), f"{what}: created_at").astimezone(NEW_YORK).date()


def session_hours(document: Mapping[str, object]) -> SessionHours:
    """Give one day of the calendar, its New York hours as UTC.

    Raises:
        Unreachable: date, open or close cannot be read.
    """
    try:
        day = date.fromisoformat(str(document.get("date")))
        opens, closes = (time.fromisoformat(str(document.get(key))) for key in ("open", "close"))
    except ValueError:
        raise Unreachable("calendar: a day without date, open or close") from None
    if opens.tzinfo or closes.tzinfo or opens >= closes:
        raise Unreachable(f"calendar: {day} opens {opens} and closes {closes}")
    first, last = (datetime.combine(day, at, NEW_YORK).astimezone(UTC) for at in (opens, closes))
    return SessionHours(day, first, last)


def quote(symbol: str, bid_ask: object, trade: object) -> Quote:
    """Give a quote with its last trade; a side that is not there is 0, a trade that is not there None.

    Raises:
        Unreachable: a price is not a number, or below zero.
    """
    quoted = mapping(bid_ask, f"quote of {symbol}") if bid_ask is not None else {}
    traded = mapping(trade, f"trade of {symbol}") if trade is not None else {}
    bid, ask = (_optional(quoted, key, f"quote of {symbol}") or Decimal(0) for key in ("bp", "ap"))
    last = _optional(traded, "p", f"trade of {symbol}")
    if min(bid, ask, last or Decimal(0)) < 0:
        raise Unreachable(f"quote of {symbol}: a price is below zero")
    at, last_at = _time(quoted, "t", f"quote of {symbol}"), _time(traded, "t", f"trade of {symbol}")
    return Quote(symbol, bid, ask, at, last, last_at)


def _required(document: Mapping[str, object], key: str, what: str) -> Decimal:
    if document.get(key) is None:
        raise Unreachable(f"{what} without {key}")
    return number(document[key], f"{what}: {key}")


def _optional(document: Mapping[str, object], key: str, what: str) -> Decimal | None:
    value = document.get(key)
    return None if value is None else number(value, f"{what}: {key}")


def _time(document: Mapping[str, object], key: str, what: str) -> datetime | None:
    value = document.get(key)
    return None if value is None else moment(value, f"{what}: {key}")


def _flag(document: Mapping[str, object], key: str) -> bool:
    """Say whether a blocking flag is up; anything but false or nothing counts as up."""
    return document.get(key) not in (None, False)
