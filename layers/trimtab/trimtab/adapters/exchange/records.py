"""Records: the immutable facts of the simulated exchange, and how it is told to behave."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["QTY_STEP", "Activity", "Behaviour", "Draft", "Holding", "Order", "Refusal"]

QTY_STEP = Decimal("0.000000001")
"""The smallest fraction of a share that the broker keeps."""


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """The broker says no: an HTTP status and a JSON body."""

    def __init__(self, status: int, code: int | None, message: str, **more: object) -> None:
        super().__init__(message)
        self.status = status
        head: dict[str, object] = {} if code is None else {"code": code}
        self.body: dict[str, object] = {**head, "message": message, **more}


@dataclass(frozen=True, slots=True)
class Draft:
    """An order as asked for: shares or USD, limit in USD a share."""

    client_order_id: str
    symbol: str
    side: str
    type: str
    tif: str
    qty: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None

    @property
    def fractional(self) -> bool:
        """Whether it is not for whole shares."""
        return self.qty is None or self.qty != self.qty.to_integral_value()


@dataclass(frozen=True, slots=True)
class Order:
    """An order that was accepted: shares, USD, UTC. It next does something at `due` or `cancel_due`."""

    seq: int
    id: str
    client_order_id: str
    symbol: str
    side: str
    type: str
    tif: str
    qty: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    status: str
    submitted_at: datetime
    updated_at: datetime
    reserve: Decimal
    filled_qty: Decimal = Decimal(0)
    filled_cost: Decimal = Decimal(0)
    due: datetime | None = None
    cancel_due: datetime | None = None
    filled_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def buys(self) -> bool:
        """Whether it buys."""
        return self.side == "buy"

    @property
    def remaining(self) -> Decimal:
        """Shares still to fill; 0 for an order by USD, whose shares are known when it fills."""
        return Decimal(0) if self.qty is None else self.qty - self.filled_qty

    @property
    def held_usd(self) -> Decimal:
        """USD that an open buy keeps from being spent twice."""
        if self.notional is not None:
            return max(self.notional - self.filled_cost, Decimal(0))
        return self.remaining * self.reserve


@dataclass(frozen=True, slots=True)
class Holding:
    """Shares held (negative when short) and what they cost, USD."""

    symbol: str
    qty: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Activity:
    """One thing that happened to the account, in shares and USD.

    `kind` is FILL, DIV, SPLIT, CSD or CSW (cash in or out), or JNLS (shares in or out).
    """

    seq: int
    kind: str
    id: str
    at: datetime
    symbol: str = ""
    side: str = ""
    qty: Decimal = Decimal(0)
    price: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)
    order_id: str = ""
    cum_qty: Decimal = Decimal(0)
    leaves_qty: Decimal = Decimal(0)
    order_status: str = ""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the exchange behaves: seconds are virtual; the defaults are those of a calm broker.

    `latency_s` passes from submission to the fill, `cancel_latency_s` from the request to the end;
    `partial_probability` is the share of orders filled in two parts or never wholly (Alpaca's paper
    trading: 0.10); `spread_bps` of the price lie between bid and ask; `collar` is kept back above the ask
    for a market buy; `multiplier` is that of the buying power; `delays` (seconds, by `orders`, `positions`,
    `account`) show these views as they were; `day_end` is what an unfilled day order becomes; `tick_s` is
    what a request costs while the clock is frozen, so that mere polling sees time pass; `page_rows` makes
    pages of bars shorter than asked for; `entitled` to real-time SIP data; `pay_dividends` pays them on
    the ex-date; `fractional_limit` allows fractional limit orders; `halted` symbols do not fill, `rejecting`
    ones are accepted and then rejected, `unquoted` ones quote 0; `assets` overrides what is said of a
    symbol, `flags` of the account.
    """

    latency_s: float = 0.2
    cancel_latency_s: float = 0.1
    partial_probability: float = 0.0
    spread_bps: float = 0.0
    collar: float = 0.0
    multiplier: int = 1
    tick_s: float = 0.05
    page_rows: int = 10_000
    day_end: str = "expired"
    entitled: bool = False
    pay_dividends: bool = False
    fractional_limit: bool = False
    halted: tuple[str, ...] = ()
    rejecting: tuple[str, ...] = ()
    unquoted: tuple[str, ...] = ()
    delays: Mapping[str, float] = field(default_factory=dict)
    assets: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    flags: Mapping[str, object] = field(default_factory=dict)
