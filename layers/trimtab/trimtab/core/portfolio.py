"""Portfolio: what the account is and holds, as the broker printed it, exact."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

TERMINAL = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
"""Order statuses after which nothing more can fill. All others, known or not, are in flight.
Source: Alpaca, "Orders at Alpaca", order lifecycle."""


@dataclass(frozen=True, slots=True)
class Account:
    """The account: USD amounts as printed by the broker; None where it left a field out."""

    account_number: str
    status: str
    cash: Decimal
    equity: Decimal
    last_equity: Decimal | None = None
    buying_power: Decimal | None = None
    currency: str = "USD"
    trading_blocked: bool = False
    account_blocked: bool = False
    trade_suspended_by_user: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """One holding: shares (negative when short), shares free to sell, and its value in USD where known."""

    symbol: str
    qty: Decimal
    qty_available: Decimal
    market_value: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Asset:
    """What the broker says of a symbol: whether it trades, and whether in fractions."""

    symbol: str
    status: str
    tradable: bool
    fractionable: bool


@dataclass(frozen=True, slots=True)
class Quote:
    """The best bid and ask of a symbol in USD (0 = none), and its last trade; times are UTC or None."""

    symbol: str
    bid: Decimal
    ask: Decimal
    at: datetime | None = None
    last: Decimal | None = None
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker shows it now: quantities in shares, prices in USD, times UTC."""

    id: str
    client_order_id: str
    symbol: str
    side: str
    type: str
    status: str
    qty: Decimal | None
    filled_qty: Decimal
    filled_avg_price: Decimal | None = None
    limit_price: Decimal | None = None
    submitted_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def terminal(self) -> bool:
        """Whether nothing more can fill."""
        return self.status in TERMINAL


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution: shares at USD a share, at a UTC time, of the order with the broker's id."""

    fill_id: str
    order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Flow:
    """Money or shares that came in from outside, or (negative) went out, on a New York date.

    `kind` is the broker's word for it; `qty` is in shares of `symbol`, `amount` in USD, 0 where the broker
    says none.
    """

    id: str
    kind: str
    on: date
    symbol: str = ""
    qty: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class SessionHours:
    """One trading session: its New York date, and when it opens and closes (UTC)."""

    session: date
    opens: datetime
    closes: datetime


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order to be sent: side `buy` or `sell`, type `market` or `limit`, always DAY, by quantity."""

    client_order_id: str
    symbol: str
    side: str
    type: str
    qty: Decimal
    limit_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The account with its holdings, read together."""

    account: Account
    positions: tuple[Position, ...]

    def held(self, symbol: str) -> Decimal:
        """Give the shares held of `symbol`; 0 when flat."""
        return next((p.qty for p in self.positions if p.symbol == symbol), Decimal(0))
