"""Floor kit: a floor on which each answer, second and cent is set by the test; nothing is real but the code.

The laboratory of `line_kit` shows that the whole holds; this shows each limit of `execute`, on either side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from line_kit import make_mandate
from trimtab.core.plan import Order
from trimtab.core.portfolio import TERMINAL, Account, BrokerOrder, OrderRequest, Position, Quote
from trimtab.core.risk import Approved
from trimtab.core.risk import adopt as adopt_plan
from trimtab.core.schedule import Window
from trimtab.core.verdict import Verdict
from trimtab.execute import Chain, Floor, execute
from trimtab.ports import Accepted, Submitted, Unreachable, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SESSION = date(2021, 3, 1)
OPENS = datetime(2021, 3, 1, 14, 35, tzinfo=UTC)
CLOSES = datetime(2021, 3, 1, 20, 50, tzinfo=UTC)
START = datetime(2021, 3, 1, 15, 0, tzinfo=UTC)


class Shelf:
    """A store in memory."""

    url = "memory"

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        """Give the blob."""
        return self.blobs.get(key)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Store the blob."""
        return self.blobs.setdefault(key, data) is data

    def list(self, prefix: str) -> tuple[str, ...]:
        """Give the keys."""
        return tuple(sorted(key for key in self.blobs if key.startswith(prefix)))

    def delete(self, key: str) -> None:
        """Remove the blob."""
        self.blobs.pop(key, None)


@dataclass(slots=True)
class Stage:
    """The outside as a test wants it: time stands still but for sleeping; `log` is what was asked, and when.

    `on_submit` answers a POST, `on_cancel` a DELETE, `on_sleep` sees each pause's end. `hidden` ids are in no
    list, though a look-up finds them. `gone` reads raise; `slow` ones take so many seconds.
    """

    seconds: float = 0.0
    cash: Decimal = Decimal(100_000)
    flags: dict[str, Any] = field(default_factory=dict)
    held: dict[str, Decimal] = field(default_factory=dict)
    free: dict[str, Decimal] = field(default_factory=dict)
    orders: dict[str, BrokerOrder] = field(default_factory=dict)
    quoted: dict[str, Quote] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    slow: dict[str, float] = field(default_factory=dict)
    log: list[tuple[float, str, str]] = field(default_factory=list)
    requests: list[OrderRequest] = field(default_factory=list)
    left: Callable[[], float] = lambda: math.inf
    on_submit: Callable[[OrderRequest], Submitted] | None = None
    on_cancel: Callable[[str], None] | None = None
    on_sleep: Callable[[], None] | None = None
    shelf: Shelf = field(default_factory=Shelf)

    def world(self) -> World:
        """Give the ports."""
        ports: Any = self
        return World(
            ports, ports, self.shelf, ports, ports, lambda _bars: b"", ports, lambda: "id", self.seconds_left
        )

    def seconds_left(self) -> float:
        """Give the seconds left to the run."""
        return self.left()

    def asked(self, verb: str) -> list[tuple[float, str]]:
        """Give when something was asked, and of what."""
        return [(at, what) for at, name, what in self.log if name == verb]

    def _note(self, verb: str, what: str = "") -> None:
        self.log.append((self.seconds, verb, what))
        self.seconds += self.slow.get(verb, 0.0)
        if verb in self.gone:
            raise Unreachable(f"{verb} can't be read")

    # the clock's

    def monotonic(self) -> float:
        """Give the seconds, of a clock that did not begin with the test."""
        return 7000.0 + self.seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.log.append((self.seconds, "sleep", f"{seconds:g}"))
        self.seconds += seconds
        if self.on_sleep is not None:
            self.on_sleep()

    # the broker's and the market's

    def now(self) -> datetime:
        """Give the time, of before the answer came."""
        moment = START + timedelta(seconds=self.seconds)
        self.seconds += self.slow.get("now", 0.0)
        return moment

    def account(self) -> Account:
        """Give the account."""
        self._note("account")
        whole: dict[str, Any] = {"status": "ACTIVE", **self.flags}
        return Account("PA1", cash=self.cash, equity=self.cash, **whole)

    def positions(self) -> tuple[Position, ...]:
        """Give the holdings."""
        self._note("positions")
        return tuple(Position(s, qty, self.free.get(s, qty)) for s, qty in self.held.items())

    def orders_since(self, start: datetime) -> tuple[BrokerOrder, ...]:
        """Give the orders that lists show."""
        self._note("orders", start.isoformat())
        return tuple(order for name, order in self.orders.items() if name not in self.hidden)

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """Look an order up."""
        self._note("order", client_order_id)
        return self.orders.get(client_order_id)

    def submit(self, request: OrderRequest) -> Submitted:
        """Take an order, and fill it at once where the test has no other wish."""
        self._note("submit", request.client_order_id)
        self.requests.append(request)
        return (self.on_submit or self.fill)(request)

    def cancel(self, order_id: str) -> None:
        """End an order, where the test has no other wish."""
        self._note("cancel", order_id)
        (self.on_cancel or self.end)(order_id)

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Give the quotes."""
        self._note("quotes", " ".join(symbols))
        return {symbol: self.quoted[symbol] for symbol in symbols if symbol in self.quoted}

    # what a test does with them

    def open(self, request: OrderRequest) -> Submitted:
        """Take an order, and leave it open."""
        order = shown(request, "new")
        self.orders[order.client_order_id] = order
        return Accepted(order)

    def fill(self, request: OrderRequest) -> Submitted:
        """Take an order, and fill it at its symbol's quote; holdings and cash follow."""
        quote = self.quoted[request.symbol]
        price = quote.ask if request.side == "buy" else quote.bid
        order = shown(request, "filled", request.qty, price)
        self.orders[order.client_order_id] = order
        sign = 1 if request.side == "buy" else -1
        self.held[request.symbol] = self.held.get(request.symbol, Decimal(0)) + sign * request.qty
        self.cash -= sign * request.qty * price
        return Accepted(order)

    def end(self, order_id: str, status: str = "canceled") -> None:
        """End an order by the broker's id."""
        for name, order in self.orders.items():
            if order.id == order_id and order.status not in TERMINAL:
                self.orders[name] = replace(order, status=status)


def shown(
    request: OrderRequest, status: str, filled: Decimal = Decimal(0), price: Decimal | None = None
) -> BrokerOrder:
    """Give an order as the broker shows it."""
    r = request
    name = r.client_order_id
    return BrokerOrder(
        f"b-{name}", name, r.symbol, r.side, r.type, status, r.qty, filled, price, r.limit_price, START
    )


def quote(symbol: str, bid: str, ask: str | None = None) -> Quote:
    """Give a quote."""
    return Quote(symbol, Decimal(bid), Decimal(ask or bid), START)


def order_of(symbol: str, side: str, qty: str, price: float = 10.0, base: str = "0") -> Order:
    """Give a plan's order."""
    whole = "limit" if Decimal(qty) == int(Decimal(qty)) else "market"
    limit = Decimal(str(price)) if whole == "limit" else None
    return Order(symbol, side, Decimal(qty), whole, limit, price, Decimal(base), "to_target: a test")


def approved_of(orders: Sequence[Order], cash: Decimal = Decimal(100_000)) -> Approved:
    """Give the orders as a plan that passed."""
    return adopt_plan(orders, [Verdict("numbers", "portfolio", True, "", "", "")], cash)


def floor_of(
    stage: Stage,
    orders: Sequence[Order] = (),
    *,
    adopted: bool = False,
    window: Window | None = None,
    unordered: Mapping[str, str] | None = None,
    **changes: Any,  # noqa: ANN401 - fields of the mandate
) -> tuple[Floor, tuple[Chain, ...]]:
    """Give a floor for a plan's orders, and their chains; `unordered` symbols' bases are of the plan, too."""
    base = {order.symbol: order.base for order in orders}
    base |= {symbol: Decimal(shares) for symbol, shares in (unordered or {}).items()}
    prices = dict.fromkeys(base, 10.0) | {order.symbol: order.price for order in orders}
    mandate = make_mandate(dict.fromkeys(base or ("AAA",), 0.1), **changes)
    times = window or Window(SESSION, OPENS, CLOSES)
    floor = Floor(stage.world(), mandate, times, "0123abcd", adopted, base=base, prices=prices)
    return floor, tuple(Chain(order) for order in orders)


def request_of(floor: Floor, chain: Chain, qty: str, slot: int = 0, **changes: Any) -> OrderRequest:  # noqa: ANN401 - fields
    """Give an order under a chain's id."""
    order = chain.order
    name = floor.id_of(order.symbol, slot)
    request = OrderRequest(name, order.symbol, order.side, "market", Decimal(qty))
    return replace(request, **changes)


def stage_of(**changes: Any) -> Stage:  # noqa: ANN401 - fields
    """A stage on which A to E are quoted at 10, and 8 BBB are held."""
    stage = Stage(**changes)
    stage.quoted = {f"{c}{c}{c}": quote(f"{c}{c}{c}", "10") for c in "ABCDE"}
    stage.held = {"BBB": Decimal(8)}
    return stage


def trade(
    stage: Stage,
    orders: Sequence[Order],
    *,
    cash: int | Decimal = 100_000,
    **changes: Any,  # noqa: ANN401 - as `floor_of`
) -> tuple[Floor, tuple[Chain, ...]]:
    """Trade a plan to its end."""
    floor, chains = floor_of(stage, orders, **changes)
    execute(approved_of(orders, Decimal(cash)), floor, chains)
    return floor, chains


def sizes(stage: Stage) -> list[tuple[str, Any]]:
    """What was asked for, oldest first."""
    return [(request.symbol, request.qty) for request in stage.requests]


def accepted(stage: Stage, request: OrderRequest) -> Submitted:
    """Take an order in as the stage shows it."""
    return Accepted(stage.orders[request.client_order_id])


def rejected(stage: Stage, request: OrderRequest) -> Submitted:
    """Take an order in that the broker then rejects."""
    stage.orders[request.client_order_id] = shown(request, "rejected")
    return accepted(stage, request)
