"""Fill: where an order trades against a quote."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.fill import fill_price, fill_prices

PRICE = st.floats(0.0, 1e6) | st.just(0.0)


@pytest.mark.parametrize(
    ("side", "limit", "price"),
    [
        ("buy", None, "100.02"),
        ("sell", None, "99.98"),
        ("buy", "100.02", "100.02"),
        ("buy", "105", "100.02"),
        ("buy", "100.01", None),
        ("sell", "99.98", "99.98"),
        ("sell", "90", "99.98"),
        ("sell", "99.99", None),
    ],
)
def test_trades_at_the_quote_when_marketable(side: str, limit: str | None, price: str | None) -> None:
    """Buys pay the ask and sells get the bid; a limit decides whether, never at which price."""
    found = fill_price(side, Decimal("99.98"), Decimal("100.02"), None if limit is None else Decimal(limit))
    assert found == (None if price is None else Decimal(price))


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_no_quote_is_no_fill(side: str) -> None:
    """A zero quote trades nothing, and neither does NaN."""
    assert fill_price(side, 0.0, 0.0) is None
    assert fill_price(side, float("nan"), float("nan"), 1.0) is None


@given(st.booleans(), PRICE, PRICE, st.none() | PRICE)
def test_arrays_say_what_scalars_say(buys: bool, bid: float, ask: float, limit: float | None) -> None:  # noqa: FBT001 - an example
    """The two forms are one rule."""
    one = fill_price("buy" if buys else "sell", bid, ask, limit)
    limits = np.array([np.nan if limit is None else limit])
    many = fill_prices(np.array([buys]), np.array([bid]), np.array([ask]), limits)
    assert np.array_equal(many, np.array([np.nan if one is None else one]), equal_nan=True)
