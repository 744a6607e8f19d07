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

FRESH = timedelta(minutes=15)
"""An older quote is none, and an older last trade stands in for none: a thin symbol's may be of days ago."""
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


def judge(
    quote: Quote | None, last_close: float, moment: datetime, risk: Risk, *, by_age: bool = True
) -> Touch:
    """Judge one quote against the last close (USD a share) at an instant (UTC).

    Without `by_age` its own time is not judged: whoever replays prices on loopback may keep other clocks.
    """
    touch = _usable(quote, moment, by_age=by_age)
    if quote is None or touch is None:
        return Touch(Decimal(0), Decimal(0), "no_quote", "no usable quote, no trade in the last 15 minutes")
    middle = float(touch.bid + touch.ask) / 2
    gap = abs(middle / last_close - 1)
    if gap > risk.max_gap * _NOISE:
        return Touch(touch.bid, touch.ask, "max_gap", f"quoted {middle:.4f}, {gap:.2%} from {last_close:.4f}")
    apart = _apart(quote, middle, moment)
    if apart > risk.max_gap * _NOISE:
        detail = f"quoted {middle:.4f}, but traded later at {quote.last:.4f}, {apart:.2%} apart"
        return Touch(touch.bid, touch.ask, "max_gap", detail)
    spread = float(touch.ask - touch.bid) / middle
    if spread > risk.max_spread * _NOISE:
        return Touch(touch.bid, touch.ask, "max_spread", f"spread {spread:.2%} of {middle:.4f}")
    return touch


def _usable(quote: Quote | None, moment: datetime, *, by_age: bool) -> Touch | None:
    """Give bid and ask, or the fresh last trade for both; None where neither can be trusted."""
    if quote is None:
        return None
    if 0 < quote.bid <= quote.ask and (not by_age or _fresh(quote.at, moment)):
        return Touch(quote.bid, quote.ask)
    if quote.last is not None and quote.last > 0 and _fresh(quote.last_at, moment):
        return Touch(quote.last, quote.last)
    return None


def _fresh(at: datetime | None, moment: datetime) -> bool:
    return at is not None and abs(moment - at) < FRESH


def _apart(quote: Quote, middle: float, moment: datetime) -> float:
    """Give how far a fresh trade after the quote stands from it, fraction; 0 without such a trade."""
    if quote.last is None or quote.last_at is None or not _fresh(quote.last_at, moment):
        return 0.0
    later = quote.at is None or quote.last_at > quote.at
    return abs(float(quote.last) / middle - 1) if later and quote.last > 0 else 0.0
