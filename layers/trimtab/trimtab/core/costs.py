"""Costs: what a plan's orders are likely to cost: half the quoted spread, and the fees of the regulators.

An estimate for people. It decides nothing, and what a broker really charges stands in its own statement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SEC_RATE = 20.60e-6
"""Fee of USD sold (SEC, section 31 fee, fiscal year 2026: 20.60 USD a million; Alpaca passes it on)."""
TAF_A_SHARE, TAF_MOST = 0.000195, 9.79
"""Fee of a share sold, and the most of one trade, USD (FINRA, trading activity fee of 2026; passed on)."""
TAF_HOLIDAY = (date(2026, 10, 1), date(2026, 12, 31))
"""First and last session in which FINRA charges no trading activity fee."""
CAT_A_SHARE = 0.000003
"""Fee of a share bought or sold, USD (consolidated audit trail, NMS equities, 2026; passed on)."""
_CENTS = 100


@dataclass(frozen=True, slots=True)
class Trade:
    """One order to estimate: shares, the last close that sized it, and the quote; USD a share, 0: none."""

    symbol: str
    side: str
    shares: float
    price: float
    bid: float = 0.0
    ask: float = 0.0

    @property
    def value(self) -> float:
        """USD that it moves."""
        return self.shares * self.price

    @property
    def quoted(self) -> bool:
        """Whether the quote says what the spread is."""
        return 0 < self.bid <= self.ask


@dataclass(frozen=True, slots=True)
class Cost:
    """What trades are likely to cost, USD: `spread` of those with a quote, and `fees`; `value` is moved.

    `unquoted` are the symbols whose spread is not known.
    """

    value: float
    spread: float
    fees: float
    unquoted: tuple[str, ...] = ()

    @property
    def total(self) -> float:
        """USD in all."""
        return self.spread + self.fees

    @property
    def bps(self) -> float:
        """Hundredths of a percent of the value moved; 0 where nothing is."""
        return self.total / self.value * 1e4 if self.value else 0.0


def estimate(trades: Sequence[Trade], session: date) -> Cost:
    """Give the likely cost of a session's trades.

    Each fee is summed over the session and rounded up to a cent, as Alpaca charges it.
    """
    sold = [trade for trade in trades if trade.side == "sell"]
    taf = 0.0 if TAF_HOLIDAY[0] <= session <= TAF_HOLIDAY[1] else TAF_A_SHARE
    fees = (
        sum(trade.value for trade in sold) * SEC_RATE,
        sum(min(trade.shares * taf, TAF_MOST) for trade in sold),
        sum(trade.shares for trade in trades) * CAT_A_SHARE,
    )
    return Cost(
        value=sum(trade.value for trade in trades),
        spread=sum((trade.ask - trade.bid) / 2 * trade.shares for trade in trades if trade.quoted),
        fees=sum(_up_to_cents(fee) for fee in fees),
        unquoted=tuple(trade.symbol for trade in trades if not trade.quoted),
    )


def _up_to_cents(fee: float) -> float:
    """Round a fee, USD, up to a whole cent; not for float noise alone."""
    return math.ceil(round(fee * _CENTS, 9)) / _CENTS
