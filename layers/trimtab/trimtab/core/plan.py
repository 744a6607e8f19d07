"""Plan: what to trade and what to leave alone, each with its reason, made of the sizes on demand."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.lots import exact, limit_price, plain
from trimtab.core.sizing import GUARDED, LEFT_SHORT, SHORTENED, Book, Sized, Why

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.core.quotes import Touch


@dataclass(frozen=True, slots=True)
class Order:
    """One order of a plan: side, exact shares, limit in USD (None: market), and why.

    `price` is the last close the plan was sized with, USD a share; `base` the shares held before.
    """

    symbol: str
    side: str
    qty: Decimal
    type: str
    limit_price: Decimal | None
    price: float
    base: Decimal
    reason: str

    def document(self) -> dict[str, str | None]:
        """Give the contract's shape: symbol, side, type, qty, limit_price, reason."""
        return {
            "symbol": self.symbol,
            "side": self.side,
            "type": self.type,
            "qty": plain(self.qty),
            "limit_price": None if self.limit_price is None else plain(self.limit_price),
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Hold:
    """One symbol left alone: its weight and target (fractions of equity), and why."""

    symbol: str
    weight: float
    target: float
    reason: str

    def document(self) -> dict[str, str]:
        """Give the contract's shape, decimals as strings."""
        return {
            "symbol": self.symbol,
            "weight": f"{self.weight:.6f}",
            "target": f"{self.target:.6f}",
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A sized book, with what makes its orders exact.

    `holdings` are the exact shares held, `touches` today's quotes; both by symbol, and both empty in a
    backtest. `collar` is the fraction a limit price may stand beyond the quote.
    """

    book: Book
    sized: Sized
    holdings: Mapping[str, Decimal] = field(default_factory=dict)
    touches: Mapping[str, Touch] = field(default_factory=dict)
    collar: float = 0.01

    def orders(self) -> tuple[Order, ...]:
        """Make the orders, sells first, each in the order of symbols."""
        quantity = self.sized.quantity
        sides = (quantity < 0, quantity > 0)
        return tuple(self._order(int(i)) for side in sides for i in np.flatnonzero(side))

    def holds(self) -> tuple[Hold, ...]:
        """Make the holds, in the order of symbols."""
        return tuple(self._hold(int(i)) for i in np.flatnonzero(self.sized.quantity == 0))

    def short_of_target(self) -> tuple[str, ...]:
        """Give the symbols that a cap or the quote guard leaves short of their targets."""
        left = self.sized.marked(LEFT_SHORT)
        return tuple(self.book.symbols[i] for i in np.flatnonzero(left))

    def _order(self, i: int) -> Order:
        symbol, quantity = self.book.symbols[i], float(self.sized.quantity[i])
        side = "buy" if quantity > 0 else "sell"
        qty = exact(abs(quantity))
        if side == "sell":
            held = self.holdings.get(symbol, qty)
            qty = held if self._is_full_exit(i) else min(qty, held)
        kind, limit = priced(side, qty, self.touches.get(symbol), float(self.book.price[i]), self.collar)
        return Order(
            symbol,
            side,
            qty,
            kind,
            limit,
            float(self.book.price[i]),
            self.holdings.get(symbol, exact(float(self.book.held[i]))),
            self._order_reason(i, side),
        )

    def _is_full_exit(self, i: int) -> bool:
        return bool(-self.sized.quantity[i] == self.book.held[i])

    def _order_reason(self, i: int, side: str) -> str:
        why = Why(int(self.sized.why[i]))
        price, equity = self.book.price[i], self.book.equity
        now = self.book.held[i] * price / equity
        text = f"{_code(_ORDER_FLAGS, why)}: {now:.2%} held, {self.sized.weights[i]:.2%} wanted"
        if why & SHORTENED:
            moved = abs(self.sized.quantity[i]) * price / equity
            text += f", {side}s {moved:.2%} today and the rest in later sessions"
        return text

    def _hold(self, i: int) -> Hold:
        why = Why(int(self.sized.why[i]))
        weight = float(self.book.held[i] * self.book.price[i] / self.book.equity)
        target = float(self.sized.weights[i])
        detail = _HOLD_TEXT.get(_first(_HOLD_FLAGS, why), "").format(drift=weight - target)
        touch = self.touches.get(self.book.symbols[i])
        if why & GUARDED and touch is not None:
            detail = touch.detail
        return Hold(self.book.symbols[i], weight, target, f"{_code(_HOLD_FLAGS, why)}: {detail}")


def priced(
    side: str, qty: Decimal, touch: Touch | None, last_close: float, collar: float
) -> tuple[str, Decimal | None]:
    """Give an order's type and limit (USD): whole shares as marketable limit, fractions as market."""
    if qty != qty.to_integral_value():
        return "market", None
    if touch is None or touch.bid <= 0:
        price = Decimal(str(round(last_close, 4)))
    else:
        price = touch.ask if side == "buy" else touch.bid
    return "limit", limit_price(side, price, Decimal(str(collar)))


_HOLD_TEXT = {
    Why.IN_BAND: "drift {drift:+.2%} is within the band",
    Why.AT_TARGET: "nothing to trade",
    Why.NO_WEIGHT: "no target and nothing held",
    Why.MIN_ORDER: "the order would be smaller than the smallest order",
    Why.WHOLE_SHARE: "the order would be less than one whole share",
    Why.RESTS: "rests until the next decision",
    Why.MAX_TURNOVER: "the session's turnover is used up",
    Why.CASH: "no cash for it today",
    Why.CASH_FIRST: "new cash is used before it is sold",
    Why.MAX_ADV_SHARE: "it hardly trades",
}

_HOLD_FLAGS = (*_HOLD_TEXT, *GUARDED, *SHORTENED)
"""What decides a hold, the last one that is set on the way first."""
_ORDER_FLAGS = (
    *(Why.MAX_ADV_SHARE, Why.MAX_ORDER_USD, Why.STAGED),
    *(Why.MAX_TURNOVER, Why.CASH, Why.EXIT),
)
"""What an order's reason opens with: its own tightest cap, then what all orders share."""


def _first(flags: Sequence[Why], why: Why) -> Why:
    """Give the first of `flags` that is set."""
    return next((flag for flag in flags if why & flag), Why.TO_TARGET)


def _code(flags: Sequence[Why], why: Why) -> str:
    """Name the first of `flags` that is set by its stable code."""
    return str(_first(flags, why).name).lower()
