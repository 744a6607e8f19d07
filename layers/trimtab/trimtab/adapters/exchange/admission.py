"""Admission: which orders the broker takes, and in which words it refuses the others.

The checks run in order and the first that objects answers, with the status, code and message that were
seen from the real broker where they are known. An id that was used before is told before anything that
depends on the state of the account: a repeated request must hear "duplicate", not "no money".
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from trimtab.adapters.exchange.engine import buying_power
from trimtab.adapters.exchange.records import QTY_STEP, Draft, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.adapters.exchange.engine import World
    from trimtab.adapters.exchange.records import Order

__all__ = ["asset_facts", "available", "submit"]

MALFORMED = 40010001
FORBIDDEN = 40310000
UNPROCESSABLE = 42210000
MAX_ID = 128
CENT = Decimal("0.01")
TENTH_OF_MILL = Decimal("0.0001")
BLOCKING_FLAGS = ("trading_blocked", "account_blocked", "trade_suspended_by_user")


def plain(value: Decimal) -> str:
    """Write a Decimal without exponent or trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def submit(world: World, body: Mapping[str, Any]) -> Order:
    """Take an order in, from the fields of its JSON body.

    Raises:
        Refusal: the broker does not take it.
    """
    draft = parse(body)
    if draft.client_order_id and draft.client_order_id in world.book.by_client_id:
        raise Refusal(422, MALFORMED, "client_order_id must be unique")
    for check in (_flags, _asset, _form, _prices, _position, _wash, _money):
        check(world, draft)
    book = world.book
    is_open = world.prices.calendar.is_open(book.time)
    due = book.time + timedelta(seconds=world.behaviour.latency_s / 4) if is_open else None
    return book.admit(draft, reserve_price(world, draft), is_open=is_open, due=due)


def parse(body: Mapping[str, Any]) -> Draft:
    """Read the fields of an order.

    Raises:
        Refusal: a field is missing, malformed, or names what is not served here.
    """
    served = {
        "side": ("buy", "sell"),
        "type": ("market", "limit"),
        "time_in_force": ("day", "gtc"),
        "order_class": ("", "simple"),
    }
    for name, values in served.items():
        if name not in body and name != "order_class":
            raise Refusal(422, MALFORMED, f"{name} is required")
        if (body.get(name) or "") not in values:
            _refuse_choice(body, name, values)
    if body.get("extended_hours"):
        raise Refusal(422, UNPROCESSABLE, "the sandbox does not serve extended hours")
    symbol, client_id = body.get("symbol"), body.get("client_order_id") or ""
    if not isinstance(symbol, str) or not symbol:
        raise Refusal(422, MALFORMED, "symbol is required")
    if not isinstance(client_id, str) or len(client_id) > MAX_ID:
        raise Refusal(422, MALFORMED, "client_order_id must be no more than 128 characters")
    qty, notional = _number(body, "qty"), _number(body, "notional")
    if qty is None and notional is None:
        raise Refusal(422, MALFORMED, "qty or notional is required")
    if qty is not None and notional is not None:
        raise Refusal(400, MALFORMED, "only one of qty or notional is accepted")
    kinds = (str(body["side"]), str(body["type"]), str(body["time_in_force"]))
    return Draft(client_id, symbol, *kinds, qty, notional, _number(body, "limit_price"))


def _refuse_choice(body: Mapping[str, Any], name: str, values: tuple[str, ...]) -> None:
    """Refuse a value: as the broker refuses a fractional order of a class, else as not served here."""
    fractional = body.get("notional") is not None or "." in str(body.get("qty", ""))
    if name == "order_class" and fractional:
        raise Refusal(422, UNPROCESSABLE, "fractional orders must be simple orders")
    if name == "time_in_force" and fractional:
        raise Refusal(422, UNPROCESSABLE, "fractional orders must be DAY orders")
    served = ", ".join(repr(value) for value in values)
    raise Refusal(422, MALFORMED, f"invalid {name} {body.get(name)!r}: the sandbox serves {served}")


def _number(body: Mapping[str, Any], name: str) -> Decimal | None:
    value = body.get(name)
    if value is None or value == "":
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise Refusal(422, MALFORMED, f"{name} is not a number") from None
    if not number.is_finite() or number <= 0:
        raise Refusal(422, MALFORMED, f"{name} must be greater than 0")
    return number


def _flags(world: World, _draft: Draft) -> None:
    """Refuse any order of a blocked account."""
    flags = world.behaviour.flags
    if any(flags.get(name) for name in BLOCKING_FLAGS) or flags.get("status", "ACTIVE") != "ACTIVE":
        raise Refusal(403, FORBIDDEN, "forbidden")


def asset_facts(world: World, symbol: str) -> dict[str, object] | None:
    """Give what is said of a symbol: status, tradable, fractionable, with overrides; None if unknown."""
    override = world.behaviour.assets.get(symbol, {})
    if not world.prices.known(symbol, world.book.time) and not override.get("known"):
        return None
    listed = world.prices.listed(symbol, world.book.time)
    facts: dict[str, object] = {"status": "active" if listed else "inactive", "tradable": listed}
    facts |= {"fractionable": True, "marginable": True, "shortable": False}
    return facts | dict(override)


def _asset(world: World, draft: Draft) -> None:
    """Refuse what is unknown, not tradable, or not to be had in fractions."""
    facts = asset_facts(world, draft.symbol)
    if facts is None:
        raise Refusal(422, UNPROCESSABLE, f'asset "{draft.symbol}" not found')
    if facts["status"] != "active" or not facts["tradable"]:
        raise Refusal(422, UNPROCESSABLE, f'asset "{draft.symbol}" is not tradable')
    if draft.fractional and not facts["fractionable"]:
        raise Refusal(403, FORBIDDEN, f'asset "{draft.symbol}" is not fractionable')


def _form(world: World, draft: Draft) -> None:
    """Refuse forms that fractions don't have, and quantities that are too fine."""
    if draft.qty is not None and draft.qty != draft.qty.quantize(QTY_STEP):
        raise Refusal(422, UNPROCESSABLE, "qty must be limited to 9 decimal places")
    if draft.notional is not None and draft.notional != draft.notional.quantize(CENT):
        raise Refusal(422, UNPROCESSABLE, "notional value must be limited to 2 decimal places")
    if draft.fractional and draft.tif != "day":
        raise Refusal(422, UNPROCESSABLE, "fractional orders must be DAY orders")
    allowed = world.behaviour.fractional_limit and draft.qty is not None
    if draft.fractional and draft.type != "market" and not allowed:
        raise Refusal(422, UNPROCESSABLE, "fractional orders must be market orders")


def _prices(_world: World, draft: Draft) -> None:
    """Refuse a limit price that is missing, superfluous, or finer than the tick."""
    limit = draft.limit_price
    if (limit is None) == (draft.type == "limit"):
        needs = "require a limit price" if limit is None else "require no limit price"
        raise Refusal(422, MALFORMED, f"{draft.type} orders {needs}")
    if limit is None:
        return
    tick = CENT if limit >= 1 else TENTH_OF_MILL
    if limit != limit.quantize(tick):
        message = "sub-penny increment does not fulfill minimum pricing criteria"
        raise Refusal(422, UNPROCESSABLE, f"invalid limit_price {plain(limit)}. {message}")


def available(world: World, symbol: str) -> Decimal:
    """Give the shares that no open sell holds."""
    sells = world.book.open_orders(symbol, "sell")
    return world.book.qty(symbol) - sum((o.remaining for o in sells), Decimal(0))


def _position(world: World, draft: Draft) -> None:
    """Refuse sales of what is not held or is held for other orders."""
    sells = world.book.open_orders(draft.symbol, "sell")
    if draft.notional is not None and sells:
        message = "unable to open new notional orders while having open closing position orders"
        raise Refusal(403, FORBIDDEN, message)
    if draft.side == "buy":
        return
    held, free = world.book.qty(draft.symbol), available(world, draft.symbol)
    wanted = draft.qty if draft.qty is not None else _shares_of(world, draft)
    if held <= 0:
        short = "fractional orders" if draft.fractional else f'asset "{draft.symbol}"'
        raise Refusal(422, UNPROCESSABLE, f"{short} cannot be sold short")
    if wanted > free:
        raise Refusal(
            403,
            FORBIDDEN,
            f"insufficient qty available for order (requested: {plain(wanted)}, available: {plain(free)})",
            available=plain(free),
            existing_qty=plain(held),
            held_for_orders=plain(held - free),
            related_orders=[order.id for order in sells],
            symbol=draft.symbol,
        )


def _shares_of(world: World, draft: Draft) -> Decimal:
    return (draft.notional or Decimal(0)) / max(reference_price(world, draft), TENTH_OF_MILL)


def _wash(world: World, draft: Draft) -> None:
    """Refuse an order that could trade with an open one of the other side."""
    for other in world.book.open_orders(draft.symbol, "sell" if draft.side == "buy" else "buy"):
        ours, theirs = draft.limit_price, other.limit_price
        if ours is None or theirs is None:
            reason = "opposite side market/stop order exists"
        elif ours >= theirs if draft.side == "buy" else theirs >= ours:
            reason = "opposite side limit order exists"
        else:
            continue
        message = "potential wash trade detected. use complex orders"
        raise Refusal(403, FORBIDDEN, message, existing_order_id=other.id, reject_reason=reason)


def reference_price(world: World, draft: Draft) -> Decimal:
    """Give the price that an order is judged by: the far side of the quote."""
    quote = world.prices.quote(draft.symbol, world.book.time, world.behaviour.spread_bps)
    if quote is None:
        return draft.limit_price or Decimal(0)
    return quote.ask if draft.side == "buy" else quote.bid


def reserve_price(world: World, draft: Draft) -> Decimal:
    """Give what a buy keeps back a share, USD: its limit, or the ask and the collar above it."""
    if draft.limit_price is not None:
        return draft.limit_price
    return reference_price(world, draft) * (1 + Decimal(repr(world.behaviour.collar)))


def _money(world: World, draft: Draft) -> None:
    """Refuse a buy below 1 USD or above the buying power."""
    if draft.side == "sell":
        return
    cost = draft.notional or (draft.qty or Decimal(0)) * reserve_price(world, draft)
    if cost < 1:
        raise Refusal(403, FORBIDDEN, "cost basis must be >= minimal amount of order 1")
    power = buying_power(world)
    if cost > power:
        raise Refusal(
            403,
            FORBIDDEN,
            "insufficient buying power",
            buying_power=plain(power.quantize(CENT)),
            cost_basis=plain(cost.quantize(CENT)),
        )
