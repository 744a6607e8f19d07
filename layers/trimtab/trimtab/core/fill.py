"""Fill: at which price an order trades against a quote, if at all.

The one rule of the simulated exchange and of the backtest: a market buy pays the ask, a market sell gets
the bid; a limit order trades only when it is marketable, and then at the quote, not at its limit. Size
is not checked against the quote (so does the broker's paper trading).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from decimal import Decimal

    from numpy.typing import NDArray

__all__ = ["fill_price", "fill_prices"]

Price = TypeVar("Price", "Decimal", float)


def fill_price(side: str, bid: Price, ask: Price, limit: Price | None = None) -> Price | None:
    """Give the price in USD a share at which an order fills, or None if it does not.

    `side` is `buy` or `sell`; a `bid` or `ask` of 0 is no quote; `limit` is None for a market order.
    """
    price = ask if side == "buy" else bid
    if not price > 0:
        return None
    if limit is None:
        return price
    marketable = price <= limit if side == "buy" else price >= limit
    return price if marketable else None


def fill_prices(
    buys: NDArray[np.bool_],
    bid: NDArray[np.float64],
    ask: NDArray[np.float64],
    limit: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Give the same for many orders at once: (k,) USD a share, NaN where an order does not fill.

    `buys` (k,) says which orders buy; a NaN in `limit` (k,) is a market order.
    """
    price = np.where(buys, ask, bid)
    filled = price > 0
    if limit is not None:
        filled &= np.isnan(limit) | np.where(buys, price <= limit, price >= limit)
    return np.where(filled, price, np.nan)
