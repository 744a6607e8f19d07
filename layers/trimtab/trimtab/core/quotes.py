"""Quotes: whether a symbol's quote may be traded on. Quotes guard; they never size."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from trimtab.core.limits import Risk
    from trimtab.core.portfolio import Quote

FRESH_TRADE = timedelta(minutes=15)
"""A last trade older than this does not stand in for an unusable quote."""
_NOISE = 1 + 1e-9
"""110 / 100 - 1 is more than 0.1 by float noise alone."""

Held = Literal["no_quote", "max_gap", "max_spread"]
"""Why a symbol is held today."""


@dataclass(frozen=True, slots=True)
class Touch:
    """What an order meets: bid and ask in USD a share, and why the symbol is held instead, if it is."""

    bid: Decimal
    ask: Decimal
    held: Held | None = None
    detail: str = ""


def judge(quote: Quote | None, last_close: float, moment: datetime, risk: Risk) -> Touch:
    """Judge one quote against the last close (USD a share) at an instant (UTC)."""
    touch = _usable(quote, moment)
    if touch is None:
        return Touch(Decimal(0), Decimal(0), "no_quote", "no usable quote, no trade in the last 15 minutes")
    middle = float(touch.bid + touch.ask) / 2
    gap = abs(middle / last_close - 1)
    if gap > risk.max_gap * _NOISE:
        return Touch(touch.bid, touch.ask, "max_gap", f"quoted {middle:.4f}, {gap:.2%} from {last_close:.4f}")
    spread = float(touch.ask - touch.bid) / middle
    if spread > risk.max_spread * _NOISE:
        return Touch(touch.bid, touch.ask, "max_spread", f"spread {spread:.2%} of {middle:.4f}")
    return touch


def _usable(quote: Quote | None, moment: datetime) -> Touch | None:
    """Give bid and ask, or the fresh last trade for both; None where neither can be trusted."""
    if quote is None:
        return None
    if 0 < quote.bid <= quote.ask:
        return Touch(quote.bid, quote.ask)
    if quote.last is not None and quote.last > 0 and quote.last_at is not None:
        fresh = abs(moment - quote.last_at) < FRESH_TRADE
        return Touch(quote.last, quote.last) if fresh else None
    return None
