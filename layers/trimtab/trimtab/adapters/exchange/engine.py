"""Engine: lets time pass over a book: orders become new, fill, end; sessions roll, open and close.

What happens depends on the instants alone, never on how often anyone looks: `settle` to noon gives the
same book in one step as in a thousand. Chance is drawn from the seed and the order's id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from random import Random
from typing import TYPE_CHECKING

from trimtab.adapters.exchange.records import QTY_STEP

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.adapters.exchange.book import Book, View
    from trimtab.adapters.exchange.prices import Boundary, Prices
    from trimtab.adapters.exchange.records import Behaviour, Order

__all__ = [
    "World",
    "buying_power",
    "equity",
    "market_value",
    "position_value",
    "reschedule",
    "reserved",
    "settle",
]

_NEVER = datetime.max.replace(tzinfo=UTC)

NEVER_SHARE = 0.5
"""Of the partly filled orders, this share never gets the rest."""


@dataclass(frozen=True, slots=True)
class World:
    """A book, the prices it trades at, and how the exchange behaves."""

    book: Book
    prices: Prices
    behaviour: Behaviour


def market_value(world: World, symbol: str, qty: Decimal) -> Decimal:
    """Give what shares of a symbol are worth now, USD."""
    trade = world.prices.last_trade(symbol, world.book.time)
    return qty * trade.price if trade else Decimal(0)


def position_value(world: World, view: View | Book) -> Decimal:
    """Give the value of all holdings of a view at today's prices, USD; shorts count negative."""
    return sum((market_value(world, h.symbol, h.qty) for h in view.holdings.values()), Decimal(0))


def equity(world: World, view: View | Book | None = None) -> Decimal:
    """Give cash and holdings, USD."""
    view = view or world.book
    return view.cash + position_value(world, view)


def buying_power(world: World, view: View | Book | None = None) -> Decimal:
    """Give what may still be bought, USD: multiplier x equity less holdings and open buys, not below 0.

    At multiplier 1 that is cash less open buys.
    """
    return max(_room(world, view or world.book), Decimal(0))


def _room(world: World, view: View | Book) -> Decimal:
    """Give the same, below 0 where more is promised than there is."""
    held = position_value(world, view)
    return world.behaviour.multiplier * (view.cash + held) - held - reserved(view)


def reserved(view: View | Book) -> Decimal:
    """Give the USD that open buys hold."""
    return sum((o.held_usd for o in view.live.values() if o.buys), Decimal(0))


def settle(world: World, until: datetime, observe: Callable[[Book], None] | None = None) -> None:
    """Let everything happen that is due up to `until` (UTC), in order; `observe` sees the book after each."""
    book = world.book
    boundaries = world.prices.boundaries(book.time)
    boundary = next(boundaries)
    while True:
        order = min(book.live.values(), key=_when, default=None)
        when = _when(order)[0] if order is not None else None
        if order is not None and when is not None and when <= min(boundary.at, until):
            book.time = max(book.time, when)
            _act(world, order)
        elif boundary.at <= until:
            book.time = boundary.at
            _cross(world, boundary)
            boundary = next(boundaries)
        else:
            book.time = max(book.time, until)
            return
        if observe is not None:
            observe(book)


def _when(order: Order) -> tuple[datetime, int]:
    """Give when an order next does something (never: the end of time), and its age to break ties."""
    dues = [due for due in (order.due, order.cancel_due) if due is not None]
    return (min(dues) if dues else _NEVER, order.seq)


def _act(world: World, order: Order) -> None:
    """Do what is due on one order."""
    book, now = world.book, world.book.time
    if order.cancel_due is not None and order.cancel_due <= now:
        book.end(order, "canceled")
    elif order.symbol in world.behaviour.rejecting:
        book.end(order, "rejected")
    elif order.status == "pending_new" or now < _arrival(world, order):
        status = "new" if order.status == "pending_new" else order.status
        book.update(order, status=status, due=_due(world, order, max(_arrival(world, order), now)))
    else:
        _attempt(world, order)


def _arrival(world: World, order: Order) -> datetime:
    """Give when an order can fill at the earliest."""
    return order.submitted_at + timedelta(seconds=world.behaviour.latency_s)


def _due(world: World, order: Order, since: datetime) -> datetime | None:
    """Give when an order can first fill in today's session, from `since`; None if not today."""
    if order.symbol in world.behaviour.halted:
        return None
    return world.prices.crossing(
        order.symbol, order.side, order.limit_price, since, world.behaviour.spread_bps
    )


def _attempt(world: World, order: Order) -> None:
    """Fill what an order gets now, and say when the rest is due."""
    book, behaviour = world.book, world.behaviour
    price = None
    if order.symbol not in behaviour.halted:
        price = world.prices.fill(
            order.symbol, order.side, order.limit_price, book.time, behaviour.spread_bps
        )
    if price is None:
        book.update(order, due=_due(world, order, book.time))
        return
    part, wait_s = _portion(world, order, price)
    covered = _paid_for(world, part * price) if order.buys else part <= book.qty(order.symbol)
    if part <= 0 or not covered:
        book.end(order, "rejected")
        return
    due = None if wait_s is None else book.time + timedelta(seconds=wait_s)
    order = book.fill(order, part, price)
    if order.id in book.live:
        book.update(order, due=due)


def _paid_for(world: World, cost: Decimal) -> bool:
    """Say whether cash, or else what the multiplier lends on it, covers a fill of so many USD now."""
    book = world.book
    return cost <= book.cash or cost <= _room(world, book) + reserved(book)


def _portion(world: World, order: Order, price: Decimal) -> tuple[Decimal, float | None]:
    """Give how many shares fill now, and the seconds until the rest does (None: never)."""
    if order.qty is None:
        shares = (order.notional or Decimal(0)) / price
        return shares.quantize(QTY_STEP, ROUND_FLOOR), None
    chance = Random(f"{world.book.seed}/{order.client_order_id}")  # noqa: S311 - replayable, not secret
    if order.filled_qty or chance.random() >= world.behaviour.partial_probability:
        return order.remaining, None
    step = Decimal(1) if order.qty == order.qty.to_integral_value() else Decimal("0.000001")
    part = (order.qty * Decimal(repr(round(chance.uniform(0.1, 0.9), 6)))).quantize(step, ROUND_FLOOR)
    if part <= 0:
        return order.remaining, None
    wait_s = chance.uniform(1.0, 30.0)
    return part, None if chance.random() < NEVER_SHARE else wait_s


def _cross(world: World, boundary: Boundary) -> None:
    """Do what a session's roll, opening or closing does."""
    {"roll": _roll, "open": _open, "close": _close}[boundary.kind](world, boundary)


def _roll(world: World, boundary: Boundary) -> None:
    """Take splits and dividends in; yesterday's last equity becomes `last_equity`."""
    book = world.book
    if book.closes:
        book.last_equity = next(reversed(book.closes.values()))
        book.dirty = True
    for symbol, (ratio, dividend) in world.prices.actions(boundary.session).items():
        if ratio != 1:
            book.split(symbol, ratio)
        if dividend and world.behaviour.pay_dividends:
            book.dividend(symbol, Decimal(repr(dividend)))


def _open(world: World, boundary: Boundary) -> None:
    """Bring the waiting orders to the market; a buy that its money no longer covers is rejected."""
    since = boundary.at + timedelta(seconds=world.behaviour.latency_s)
    for order in list(world.book.live.values()):
        if order.status == "accepted" and not _affordable(world, order):
            world.book.end(order, "rejected")
            continue
        status = "new" if order.status == "accepted" else order.status
        world.book.update(order, status=status, due=_due(world, order, since))


def _affordable(world: World, order: Order) -> bool:
    """Say whether a buy that waited overnight can be paid at the opening price."""
    if not order.buys or order.limit_price is not None or order.qty is None:
        return True
    quote = world.prices.quote(order.symbol, world.book.time, world.behaviour.spread_bps)
    return quote is None or order.qty * quote.ask <= _room(world, world.book) + order.held_usd


def _close(world: World, boundary: Boundary) -> None:
    """End the day's orders, and note the equity."""
    book = world.book
    for order in list(book.live.values()):
        if order.status == "pending_cancel":
            book.end(order, "canceled")
        elif order.tif == "day":
            book.end(order, world.behaviour.day_end)
        else:
            book.update(order, due=None)
    book.closes[boundary.session.isoformat()] = equity(world)
    book.dirty = True


def reschedule(world: World) -> None:
    """Work out anew when the orders at the market fill: the behaviour changed."""
    for order in list(world.book.live.values()):
        if order.status in {"new", "partially_filled"} and order.due is None and not order.filled_qty:
            world.book.update(order, due=_due(world, order, world.book.time))
