"""Lots: how many shares an order may name. The one place where a quantity turns exact, rounding down.

The broker takes quantities of up to 9 decimals; Trimtab keeps 6 (CONTRACT: sizing), or whole shares.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOT = Decimal("0.000001")
"""The smallest part of a share that an order names."""

_LOTS_A_SHARE = 1e6
_NOISE, _MOST_NOISE = 1e-12, 5e-4
"""A product such as 0.3 * 100000 / 30 may fall short of the number it stands for by float noise alone:
this fraction of it, and never more than this part of a lot, is forgiven. A holding of 9 decimals lies at
least a thousandth of a lot below the next lot, so that it is never rounded up."""


def round_down(quantity: NDArray[np.float64], whole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Round shares (m,) down to 6 decimals, or to whole shares where `whole` (m,)."""
    lots = _floor(quantity * _LOTS_A_SHARE) / _LOTS_A_SHARE
    return np.where(whole, _floor(quantity), lots) if np.count_nonzero(whole) else lots


def _floor(number: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.floor(number + np.minimum(number * _NOISE, _MOST_NOISE))


def exact(quantity: float) -> Decimal:
    """Give a quantity that `round_down` made as the Decimal it stands for."""
    return Decimal(round(quantity * _LOTS_A_SHARE)).scaleb(-6)


def lots(quantity: Decimal, *, whole: bool) -> Decimal:
    """Round exact shares down to 6 decimals, or to whole shares."""
    return quantity.quantize(Decimal(1) if whole else LOT, rounding=ROUND_DOWN)


def plain(number: Decimal) -> str:
    """Write a number without exponent and without trailing zeros."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"", "-0"} else text


def printed(number: Decimal) -> str:
    """Write a number of the broker's as it printed it: trailing zeros too, but no exponent."""
    return f"{number:f}"


_CENT, _FINE = Decimal("0.01"), Decimal("0.0001")


def limit_price(side: str, touch: Decimal, collar: Decimal) -> Decimal:
    """Give a marketable limit (USD): the quote's far side moved by `collar`, on the broker's price grid.

    `touch` is the ask for a buy and the bid for a sell. The grid is 0.01 from 1 USD on, 0.0001 below
    (Alpaca, sub-penny rule); rounding never leaves the collar.
    """
    buys = side == "buy"
    furthest = touch * (1 + collar if buys else 1 - collar)
    grid = _CENT if furthest >= 1 else _FINE
    return furthest.quantize(grid, ROUND_FLOOR if buys else ROUND_CEILING)
