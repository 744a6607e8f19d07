"""Exchange model: what must be true of the simulated exchange, worked out from the calls and the activities.

It knows the tape of `exchange_kit` by heart and shares no code with the exchange. It does not foresee when an
order fills; it judges every fill, end and refusal that the exchange shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from exchange_kit import DIVIDEND_DAY, FIRST, LAST, SPLIT_DAY
from trimtab.core.nyse import sessions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trimtab.adapters.exchange.book import Book, View
    from trimtab.adapters.exchange.records import Activity, Order

NEW_YORK = ZoneInfo("America/New_York")
DAYS = sessions(FIRST, LAST)
ENDS = {"filled", "canceled", "expired", "rejected"}
CENT, TENTH_OF_MILL = Decimal("0.01"), Decimal("0.0001")
ZERO = Decimal(0)


def price(symbol: str, instant: datetime) -> Decimal:
    """Give the last price at an instant: AAA opens at 100 + its day and gains 2 after the first hour."""
    local = instant.astimezone(NEW_YORK)
    day = max(day for day in DAYS if (day, time(9, 30)) <= (local.date(), local.time()))
    if symbol != "AAA":
        after_split = (local.date(), local.time()) >= (SPLIT_DAY, time(2, 30))
        return {"BBB": Decimal(25 if after_split else 50), "CCC": Decimal(10), "DDD": Decimal(5)}[symbol]
    opens = datetime.combine(day, time(9, 30), NEW_YORK)
    part = (instant - opens).total_seconds() / 3600
    gain = 2 * min(max((part - 1) / 5.5, 0.0), 1.0)
    return Decimal(str(round(100 + DAYS.index(day) + gain, 4)))


def trades(symbol: str, instant: datetime) -> bool:
    """Say whether the symbol trades at an instant: in a session, and DDD not on the split day."""
    local = instant.astimezone(NEW_YORK)
    runs = local.date() in DAYS and time(9, 30) <= local.time() < time(16)
    return runs and not (symbol == "DDD" and local.date() == SPLIT_DAY)


@dataclass(slots=True)
class Known:
    """An order as the exchange once admitted it, and what became of it."""

    id: str
    symbol: str
    side: str
    qty: Decimal
    limit: Decimal | None
    tif: str
    at: datetime
    reserve: Decimal
    filled: Decimal = ZERO
    end: tuple[str, Decimal, datetime | None] | None = None
    cancel_asked: bool = False

    @property
    def rest(self) -> Decimal:
        """Shares that are still to fill."""
        return ZERO if self.end else self.qty - self.filled


@dataclass(slots=True)
class Model:
    """The account as it must be; `told` are the test's journal entries that are to be seen."""

    cash: Decimal
    shares: dict[str, Decimal] = field(default_factory=dict)
    orders: dict[str, Known] = field(default_factory=dict)
    told: list[tuple[str, str, Decimal, Decimal]] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)
    rejecting: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)

    def open_orders(self, symbol: str, side: str) -> list[Known]:
        """Give the open orders of a symbol and side."""
        return [o for o in self.orders.values() if not o.end and (o.symbol, o.side) == (symbol, side)]

    def free(self, symbol: str) -> Decimal:
        """Give the shares that no open sell holds."""
        return self.shares.get(symbol, ZERO) - sum((o.rest for o in self.open_orders(symbol, "sell")), ZERO)

    def free_cash(self) -> Decimal:
        """Give the USD that no open buy holds."""
        return self.cash - sum((o.rest * o.reserve for o in self.orders.values() if o.side == "buy"), ZERO)

    def refusal(self, body: Mapping[str, str], now: datetime) -> int | None:
        """Give the HTTP status with which an order must be refused, or None."""
        symbol, buys, qty = body["symbol"], body["side"] == "buy", Decimal(body["qty"])
        limit = Decimal(body["limit_price"]) if "limit_price" in body else None
        if body["client_order_id"] in self.orders:
            return 422
        if not buys and self.shares.get(symbol, ZERO) <= 0:
            return 422
        if not buys and qty > self.free(symbol):
            return 403
        for other in self.open_orders(symbol, "sell" if buys else "buy"):
            low, high = (other.limit, limit) if buys else (limit, other.limit)
            if low is None or high is None or high >= low:
                return 403
        cost = qty * (limit or price(symbol, now))
        return 403 if buys and not 1 <= cost <= self.free_cash() else None

    def absorb(self, activities: Sequence[Activity]) -> None:
        """Take in what newly happened, each thing judged by itself; the books never go below 0."""
        fresh = activities[len(self.activities) :]
        assert list(activities[: len(self.activities)]) == self.activities, "the past was changed"
        self.activities.extend(fresh)
        for a in fresh:
            if a.kind == "FILL":
                self._fill(a)
            elif a.kind == "SPLIT":
                self._split(a)
            elif a.kind == "DIV":
                assert (a.symbol, a.at.astimezone(NEW_YORK).date()) == ("CCC", DIVIDEND_DAY)
                assert abs(a.amount - self.shares["CCC"] / 4) <= CENT / 2
            else:
                assert (a.kind, a.symbol, a.qty, a.amount) == self.told.pop(0)
                self.shares[a.symbol] = self.shares.get(a.symbol, ZERO) + a.qty
            self.cash += a.amount
            assert self.cash >= 0, a
            assert all(qty >= 0 for qty in self.shares.values()), a
        assert not self.told

    def _fill(self, a: Activity) -> None:
        order = next(o for o in self.orders.values() if o.id == a.order_id)
        assert order.end is None, "filled after its end"
        assert (a.symbol, a.side) == (order.symbol, order.side)
        sign = 1 if order.side == "buy" else -1
        assert a.qty > 0
        assert a.amount == -sign * a.qty * a.price
        assert trades(a.symbol, a.at)
        assert abs(a.price - price(a.symbol, a.at)) <= TENTH_OF_MILL
        assert order.limit is None or sign * (a.price - order.limit) <= 0
        order.filled += a.qty
        assert order.filled <= order.qty
        assert (a.cum_qty, a.leaves_qty) == (order.filled, order.qty - order.filled)
        self.shares[a.symbol] = self.shares.get(a.symbol, ZERO) + sign * a.qty

    def _split(self, a: Activity) -> None:
        assert (a.symbol, a.at.astimezone(NEW_YORK).date()) == ("BBB", SPLIT_DAY)
        assert not a.amount
        assert a.qty == self.shares["BBB"], "2:1 gives as many again"
        self.shares["BBB"] *= 2

    def judge(self, shown: Mapping[str, Order]) -> None:
        """Hold every order against what is known of it: none is lost, no end changes, each has its reason."""
        assert [o.id for o in shown.values()] == [o.id for o in self.orders.values()]
        for client_id, known in self.orders.items():
            order = shown[known.id]
            assert order.client_order_id == client_id
            assert (order.symbol, order.side, order.qty) == (known.symbol, known.side, known.qty)
            assert order.filled_qty == known.filled
            end = (order.status, order.filled_qty, order.ended_at) if order.status in ENDS else None
            if known.end is None and end is not None:
                self._judge_end(known, order)
                known.end = end
            assert known.end == end
            assert (order.status == "filled") == (known.filled == known.qty)

    def _judge_end(self, known: Known, order: Order) -> None:
        assert order.ended_at is not None
        local = order.ended_at.astimezone(NEW_YORK)
        if order.status == "canceled":
            split = known.symbol == "BBB" and (local.date(), local.time()) == (SPLIT_DAY, time(2, 30))
            assert known.cancel_asked or split
        elif order.status == "expired":
            assert (local.time(), known.tif) == (time(16), "day")
        elif order.status == "rejected" and known.symbol not in self.rejecting:
            dear = known.side == "buy" and known.limit is None and price(known.symbol, local) > known.reserve
            assert dear or known.symbol in self.taken

    def as_of(self, count: int) -> tuple[Decimal, dict[str, Decimal], dict[str, Decimal]]:
        """Give cash, holdings and fills by order id after the first `count` activities."""
        later = self.activities[count:]
        cash = self.cash - sum((a.amount for a in later), ZERO)
        shares, filled = dict(self.shares), {o.id: o.filled for o in self.orders.values()}
        for a in later:
            shares[a.symbol] = shares.get(a.symbol, ZERO) - (-a.qty if a.side == "sell" else a.qty)
            if a.kind == "FILL":
                filled[a.order_id] -= a.qty
        return cash, {s: q for s, q in shares.items() if q}, {k: q for k, q in filled.items() if q}

    def judge_view(self, view: View | Book, count: int, orders: int) -> None:
        """A view is the state after `count` activities and `orders` orders: no more, no less, no mixture."""
        cash, shares, filled = self.as_of(count)
        assert view.cash == cash
        assert {h.symbol: h.qty for h in view.holdings.values()} == shares
        assert list(view.orders) == [o.id for o in self.orders.values()][:orders]
        assert {o.id: o.filled_qty for o in view.orders.values() if o.filled_qty} == filled
        assert set(view.live) == {o.id for o in view.orders.values() if o.status not in ENDS}


def past(instants: Iterable[datetime], horizon: datetime) -> int:
    """Count the instants up to a horizon."""
    return sum(instant <= horizon for instant in instants)
