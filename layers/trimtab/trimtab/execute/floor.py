"""Floor: where a plan is traded: its chains of slots, this run's counts, and how a run ends there."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from trimtab.core.lots import LOT
from trimtab.core.risk import SLOTS, orders_allowed, requests_allowed
from trimtab.errors import Halted, Interrupted
from trimtab.ports import Unauthorized, Unreachable
from trimtab.switch import latch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from trimtab.core.mandate import Mandate
    from trimtab.core.plan import Order
    from trimtab.core.portfolio import BrokerOrder
    from trimtab.core.quotes import Touch
    from trimtab.core.schedule import Window
    from trimtab.ports import World

RESERVE_S = 30.0
"""Seconds before a run's deadline in which it sends nothing."""
REQUEST_S = 1.0
"""Seconds that an order may be on its way: it is to arrive before the last 30."""
MINUTE_S = 60.0
ORDERS_A_MINUTE = 90
"""Orders sent in a minute; with the reads they stay below the 200 requests that the broker takes."""


@dataclass(slots=True)
class Chain:
    """One order of the plan and its slots: what the broker shows under its ids.

    `ended` says why nothing more is sent; `attempts` counts the requests for the slot that is still empty,
    `cancels` those for the end of the last one.
    """

    order: Order
    slots: list[BrokerOrder] = field(default_factory=list)
    ended: str = ""
    cancelling: bool = False
    attempts: int = 0
    cancels: int = 0

    @property
    def filled(self) -> Decimal:
        """Shares filled over all slots."""
        return sum((slot.filled_qty for slot in self.slots), Decimal(0))

    @property
    def residual(self) -> Decimal:
        """Shares that the plan still wants."""
        return self.order.qty - self.filled

    @property
    def wants(self) -> bool:
        """Whether the next slot may be used, by this run or another."""
        return not self.in_flight and self.residual >= LOT

    @property
    def value(self) -> Decimal:
        """USD that the fills moved."""
        paid = (slot.filled_qty * slot.filled_avg_price for slot in self.slots if slot.filled_avg_price)
        return sum(paid, Decimal(0))

    @property
    def in_flight(self) -> bool:
        """Whether the last slot may still fill."""
        return bool(self.slots) and not self.slots[-1].terminal


@dataclass(slots=True)
class Floor:
    """Where a plan is traded: the outside, the session's window, and this run's counts.

    `adopted` says that another run stored the plan, so that its slots are looked up first. `base` are the
    shares held before it, of all its symbols, and `prices` the last closes that sized it, USD a share. Once
    its session is `over` nothing is sent, and orders under its ids that are not the plan's are `strange`:
    they are left out instead of stopping every later session, too. `arrivals` are the quotes that this run's
    orders were sent on, by their ids.
    """

    world: World
    mandate: Mandate
    window: Window
    h8: str
    adopted: bool
    sent: list[str] = field(default_factory=list)
    base: Mapping[str, Decimal] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)
    over: bool = False
    strange: set[str] = field(default_factory=set)
    arrivals: dict[str, Touch] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    requests: int = 0
    times: deque[float] = field(default_factory=lambda: deque(maxlen=ORDERS_A_MINUTE))

    def id_of(self, symbol: str, slot: int) -> str:
        """Give the order id of a symbol's slot."""
        return f"tt1-{self.h8}-{self.window.session:%Y%m%d}-{symbol}-{slot}"

    def stop(self, code: str, message: str, *, seen: object = None, hint: str = "") -> Halted | Interrupted:
        """Give the error that ends this run now: interrupted once it sent anything, else halted."""
        kind = Interrupted if self.sent else Halted
        return kind(
            code, message, seen=seen, hint=hint or "run again in this session: it finishes the same plan"
        )

    def may_use(self, order_id: str) -> bool:
        """Say whether the session's ids allow this one, and count it if so."""
        allowed = orders_allowed(self.mandate.risk, len(self.mandate.universe))
        if len(self.ids | {order_id}) > allowed:
            return False
        self.ids.add(order_id)
        return True

    def pace(self) -> None:
        """Wait where this run already sent as many orders in the last minute as the broker likes."""
        clock = self.world.clock
        while len(self.times) >= ORDERS_A_MINUTE and clock.monotonic() - self.times[0] < MINUTE_S:
            self.judge_deadline(REQUEST_S)
            clock.sleep(1.0)
        self.times.append(clock.monotonic())

    def judge_deadline(self, request_s: float = 0.0) -> None:
        """Stop while there is still time to write the record, and for a request of `request_s` seconds.

        Raises:
            Halted | Interrupted: less than 30 seconds would be left.
        """
        left = self.world.seconds_left()
        if left < RESERVE_S + request_s:
            raise self.stop("deadline", "this run has no time left to trade", seen=f"{left:.0f} s left")

    def spend_request(self) -> None:
        """Count a request that changes something.

        Raises:
            Halted | Interrupted: the run used its requests up.
        """
        allowed = requests_allowed(self.mandate.risk, len(self.mandate.universe))
        if self.requests >= allowed:
            seen = f"{self.requests} of {allowed}"
            raise self.stop("max_requests", "this run used up its order requests", seen=seen)
        self.requests += 1

    def latch(self, code: str, message: str, *, seen: object = None) -> Halted | Interrupted:
        """Give the same error, and keep every later run from trading until a person resumes."""
        try:
            at = self.world.broker.now().isoformat()
        except (Unreachable, Unauthorized):
            at = self.world.clock.now().isoformat()  # a broker that is gone must not keep the latch open
        latch(self.world.store, self.mandate.portfolio, at=at, why=f"{code}: {message}")
        return self.stop(code, message, seen=seen, hint="look at the account, then trimtab resume")


def _is_of(order: BrokerOrder, chain: Chain) -> bool:
    """Say whether an order under a chain's id is what the plan would send."""
    same = (order.symbol, order.side) == (chain.order.symbol, chain.order.side)
    return same and order.status != "replaced"


def adopt(floor: Floor, chain: Chain, n: int, order: BrokerOrder) -> None:
    """Put an order into its slot; a view that lags never overrules an end, or fills, that were seen.

    Raises:
        Halted | Interrupted: and latches: it is not the plan's.
    """
    if not _is_of(order, chain):
        seen = f"{order.client_order_id}: {order.side} {order.symbol}, {order.status}"
        raise floor.latch("order_mismatch", "an order under our id is not the plan's", seen=seen)
    if n == len(chain.slots):
        chain.slots.append(order)
        chain.attempts = chain.cancels = 0
        chain.cancelling = False
        floor.ids.add(order.client_order_id)
    elif not chain.slots[n].terminal and order.filled_qty >= chain.slots[n].filled_qty:
        chain.slots[n] = order


def observe(floor: Floor, chains: Iterable[Chain], *, look_up: Collection[Chain] = ()) -> None:
    """Look at this session's orders and put them into their chains' slots.

    Of the chains in `look_up`, the first id that the list does not show is asked for, for lists may lag;
    not where the plan wants nothing more, or a slot is open: no run uses the next id then.

    Raises:
        Halted | Interrupted: and latches, when an order under our id is not the plan's.
    """
    start = floor.window.opens - timedelta(days=1)
    shown = {order.client_order_id: order for order in floor.world.broker.orders_since(start)}
    asked = {id(chain) for chain in look_up}
    for chain in chains:
        for n in range(SLOTS):
            order_id = floor.id_of(chain.order.symbol, n)
            order = shown.get(order_id)
            if order is None and id(chain) in asked and n == len(chain.slots) and chain.wants:
                order = floor.world.broker.order(order_id)
            if order is None:
                break
            if floor.over and not _is_of(order, chain):
                floor.strange.add(order.client_order_id)
                break
            adopt(floor, chain, n, order)
