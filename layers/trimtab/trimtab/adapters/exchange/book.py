"""Book: the account of the simulated exchange, exact: cash, holdings, orders, and what happened.

A state machine without time or prices of its own: it is told what happens when, and at which price. Orders
are never forgotten, so a client_order_id is taken for ever. Cash and shares move only in `_move`, together
with the activity that says why: the start and the activities give the state.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from trimtab.adapters.exchange.records import QTY_STEP, Activity, Draft, Holding, Order, Refusal
from trimtab.core.portfolio import TERMINAL

if TYPE_CHECKING:
    from datetime import datetime
    from fractions import Fraction

__all__ = ["NAMESPACE", "Book", "View"]

NAMESPACE = uuid.UUID("6f1d1c1e-4a0e-5b7c-9a53-7d7a1d2f0c11")
"""Where the exchange's own ids are derived from: the same seed gives the same ids."""

ZERO = Decimal(0)
UNCANCELLABLE = 42210000


@dataclass(frozen=True, slots=True)
class View:
    """What could be seen of the book at an instant."""

    at: datetime
    cash: Decimal
    orders: dict[str, Order]
    live: dict[str, Order]
    holdings: dict[str, Holding]


@dataclass(slots=True, eq=False)
class Book:
    """The account at `time` (UTC). Amounts in USD; `closes` is the equity at each session's close by date.

    `dirty_orders`, `dirty_holdings` and `dirty` name what changed since it was last stored.
    """

    seed: int
    time: datetime
    cash: Decimal
    start_cash: Decimal
    last_equity: Decimal
    orders: dict[str, Order] = field(default_factory=dict)
    by_client_id: dict[str, str] = field(default_factory=dict)
    live: dict[str, Order] = field(default_factory=dict)
    holdings: dict[str, Holding] = field(default_factory=dict)
    activities: list[Activity] = field(default_factory=list)
    closes: dict[str, Decimal] = field(default_factory=dict)
    dirty_orders: set[str] = field(default_factory=set)
    dirty_holdings: set[str] = field(default_factory=set)
    dirty: bool = False
    stored_activities: int = 0
    stored_closes: int = 0

    def new_id(self, kind: str, seq: int) -> str:
        """Give the id of the `seq`-th thing of a kind; the same from the same seed."""
        return str(uuid.uuid5(NAMESPACE, f"{self.seed}/{kind}/{seq}"))

    def view(self) -> View:
        """Give what is seen now."""
        return View(self.time, self.cash, dict(self.orders), dict(self.live), dict(self.holdings))

    def settled(self) -> None:
        """Take note that everything is stored."""
        self.stored_activities, self.stored_closes = len(self.activities), len(self.closes)
        self.dirty_orders.clear()
        self.dirty_holdings.clear()
        self.dirty = False

    def put(self, order: Order) -> Order:
        """Take an order's new state in."""
        self.orders[order.id] = order
        self.by_client_id[order.client_order_id] = order.id
        if order.status in TERMINAL:
            self.live.pop(order.id, None)
        else:
            self.live[order.id] = order
        self.dirty_orders.add(order.id)
        self.dirty = True
        return order

    def update(self, order: Order, **changes: object) -> Order:
        """Change an order, as of now."""
        return self.put(replace(order, updated_at=self.time, **changes))  # type: ignore[arg-type]  # by field name

    def admit(self, draft: Draft, reserve: Decimal, *, is_open: bool, due: datetime | None) -> Order:
        """Accept an order; `reserve` is what a buy keeps back, USD a share.

        Raises:
            Refusal: the client_order_id was used before.
        """
        if draft.client_order_id in self.by_client_id:
            raise Refusal(422, 40010001, "client_order_id must be unique")
        seq = len(self.orders) + 1
        return self.put(
            Order(
                seq=seq,
                id=self.new_id("order", seq),
                client_order_id=draft.client_order_id or self.new_id("client", seq),
                symbol=draft.symbol,
                side=draft.side,
                type=draft.type,
                tif=draft.tif,
                qty=draft.qty,
                notional=draft.notional,
                limit_price=draft.limit_price,
                status="pending_new" if is_open else "accepted",
                submitted_at=self.time,
                updated_at=self.time,
                reserve=reserve,
                due=due,
            )
        )

    def fill(self, order: Order, qty: Decimal, price: Decimal) -> Order:
        """Execute `qty` shares of an order at USD `price`, now.

        Raises:
            ValueError: more than the rest of the order, nothing, or more than is held would be traded.
        """
        held = self.qty(order.symbol)
        if not qty > ZERO or (order.qty is not None and qty > order.remaining):
            raise ValueError(f"{qty} shares can't fill an order of {order.remaining} more")
        if not order.buys and qty > held:
            raise ValueError(f"{qty} shares can't be sold of {held}")
        filled = order.filled_qty + qty
        done = order.qty is None or filled == order.qty
        status = "filled" if done else order.status
        if status in {"new", "pending_new", "accepted"}:
            status = "partially_filled"
        order = self.update(
            order,
            status=status,
            filled_qty=filled,
            filled_cost=order.filled_cost + qty * price,
            filled_at=self.time,
            ended_at=self.time if done else None,
            **({"due": None, "cancel_due": None} if done else {}),
        )
        self._record_fill(order, qty, price)
        return order

    def _record_fill(self, order: Order, qty: Decimal, price: Decimal) -> None:
        """Move a fill's shares and cash, and note it."""
        sign = 1 if order.buys else -1
        self._move(
            "FILL",
            symbol=order.symbol,
            shares=sign * qty,
            amount=-sign * qty * price,
            side=order.side,
            price=price,
            order_id=order.id,
            cum_qty=order.filled_qty,
            leaves_qty=order.remaining,
            order_status=order.status,
        )

    def _move(
        self, kind: str, *, symbol: str = "", shares: Decimal = ZERO, amount: Decimal = ZERO, **more: object
    ) -> None:
        """Change cash by `amount` and the holding by `shares`, with the activity that says why."""
        self.cash += amount
        if shares:
            self._hold(symbol, shares, -amount)
        seq = len(self.activities) + 1
        stamp = self.time.strftime("%Y%m%d%H%M%S") + f"{self.time.microsecond // 1000:03d}"
        identity = f"{stamp}::{self.new_id('activity', seq)}"
        qty = abs(shares) if kind == "FILL" else shares
        self.activities.append(
            Activity(seq, kind, identity, self.time, symbol, qty=qty, amount=amount, **more)  # type: ignore[arg-type]  # by field name
        )
        self.dirty = True

    def _hold(self, symbol: str, shares: Decimal, paid: Decimal) -> None:
        """Add shares (or take them, then their part of the cost) to a holding."""
        old = self.holdings.get(symbol, Holding(symbol, ZERO, ZERO))
        qty = old.qty + shares
        grows = old.qty == 0 or (old.qty > 0) == (shares > 0)
        cost = old.cost + paid if grows else old.cost * qty / old.qty
        self.dirty_holdings.add(symbol)
        if qty == 0:
            self.holdings.pop(symbol, None)
        else:
            self.holdings[symbol] = Holding(symbol, qty, cost)

    def qty(self, symbol: str) -> Decimal:
        """Give the shares held of a symbol."""
        holding = self.holdings.get(symbol)
        return ZERO if holding is None else holding.qty

    def open_orders(self, symbol: str, side: str | None = None) -> list[Order]:
        """Give the orders of a symbol in flight, oldest first."""
        return [o for o in self.live.values() if o.symbol == symbol and side in (None, o.side)]

    def end(self, order: Order, status: str) -> Order:
        """End an order now: canceled, expired or rejected."""
        return self.update(order, status=status, ended_at=self.time, due=None, cancel_due=None)

    def cancel(self, order: Order, latency_s: float, *, is_open: bool) -> Order:
        """Ask for an order's end: at once while the market is closed, else after the latency.

        Raises:
            Refusal: it has ended already.
        """
        if order.status in TERMINAL:
            raise Refusal(422, UNCANCELLABLE, f'order is already in "{order.status}" state')
        if order.status == "pending_cancel":
            return order
        if not is_open:
            return self.end(order, "canceled")
        due = self.time + timedelta(seconds=latency_s)
        return self.update(order, status="pending_cancel", cancel_due=due)

    def split(self, symbol: str, ratio: Fraction) -> None:
        """Turn each share into `ratio` shares; open orders of the symbol are cancelled. No cash in lieu."""
        for order in self.open_orders(symbol):
            self.end(order, "canceled")
        held = self.qty(symbol)
        if held:
            new = (held * ratio.numerator / ratio.denominator).quantize(QTY_STEP, ROUND_FLOOR)
            cost = self.holdings[symbol].cost
            self._move("SPLIT", symbol=symbol, shares=new - held)
            if new:
                self.holdings[symbol] = Holding(symbol, new, cost)

    def journal(self, symbol: str = "", shares: Decimal = ZERO, amount: Decimal = ZERO) -> None:
        """Bring cash or shares in (or, negative, out) that no order explains."""
        kind = "JNLS" if shares else "CSD" if amount > 0 else "CSW"
        if shares:
            self._move(kind, symbol=symbol, shares=shares)
        else:
            self._move(kind, amount=amount)

    def dividend(self, symbol: str, rate: Decimal) -> None:
        """Pay `rate` USD a share."""
        held = self.qty(symbol)
        if held:
            amount = (held * rate).quantize(Decimal("0.01"))
            self._move("DIV", symbol=symbol, amount=amount, price=rate)
