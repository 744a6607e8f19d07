from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.lots import LOT, exact, limit_price, lots, plain, printed, round_down


def down(quantity: float, *, whole: bool = False) -> float:
    return float(round_down(np.array([quantity]), np.array([whole]))[0])


@pytest.mark.parametrize(
    ("quantity", "whole", "expected"),
    [
        (1.2345678, False, 1.234567),
        (0.0000009, False, 0.0),
        (1.999999, True, 1.0),
        (0.3 * 100_000 / 30, True, 1000.0),
        ((0.1 + 0.7) * 10, True, 8.0),  # 7.999999999999999 by float noise
        (0.0, False, 0.0),
    ],
)
def test_rounding_goes_down_and_forgives_noise(quantity: float, whole: bool, expected: float) -> None:  # noqa: FBT001 - a parameter of the example
    """A quantity loses what is below a lot, but never a lot to float noise."""
    assert down(quantity, whole=whole) == expected


@given(st.floats(0, 1e6), st.booleans())
def test_rounding_never_adds(quantity: float, whole: bool) -> None:  # noqa: FBT001 - drawn
    """What rounding gives is at most the quantity but for noise, less than a lot below it, and stays put."""
    rounded = down(quantity, whole=whole)
    assert rounded <= quantity * (1 + 2e-12)
    assert rounded - quantity <= (1.0 if whole else 1e-6) * 2e-3
    assert quantity - rounded < (1.0 if whole else 1e-6) * (1 + 1e-3)
    assert down(rounded, whole=whole) == rounded


@given(st.integers(0, 10**12))
def test_exact_is_the_decimal_that_the_float_stands_for(millionths: int) -> None:
    """Every lot up to a million shares goes through float64 and back unharmed."""
    quantity = down(millionths / 1e6)
    assert exact(quantity) == Decimal(millionths).scaleb(-6)


def test_lots_round_exact_shares_down() -> None:
    """9 decimals as the broker prints them become 6, or whole shares."""
    assert lots(Decimal("1.234567891"), whole=False) == Decimal("1.234567")
    assert lots(Decimal("1.999999999"), whole=True) == 1
    assert lots(LOT / 2, whole=False) == 0


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1E+3", "1000"),
        ("1.500000", "1.5"),
        ("0.000001", "0.000001"),
        ("-0.0", "0"),
        ("100", "100"),
        ("0", "0"),
    ],
)
def test_plain_has_no_exponent_and_no_trailing_zero(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


@pytest.mark.parametrize(
    ("number", "text"), [("88.50", "88.50"), ("1E+3", "1000"), ("0", "0"), ("5.0", "5.0")]
)
def test_printed_keeps_the_zeros_that_were_printed(number: str, text: str) -> None:
    assert printed(Decimal(number)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=9))
def test_plain_keeps_the_value(number: Decimal) -> None:
    """Nothing of a number is lost in its text."""
    assert Decimal(plain(number)) == number
    assert "E" not in plain(number)


@pytest.mark.parametrize(
    ("side", "touch", "collar", "expected"),
    [
        ("buy", "100.00", "0.01", "101.00"),
        ("sell", "100.00", "0.01", "99.00"),
        ("buy", "33.33", "0.01", "33.66"),
        ("sell", "33.33", "0.01", "33.00"),
        ("buy", "0.5000", "0.01", "0.5050"),
        ("buy", "0.9950", "0.01", "1.00"),  # the limit passes 1 USD: cents, or the broker refuses
        ("sell", "1.0050", "0.01", "0.9950"),
        ("buy", "10.00", "0.00001", "10.00"),
    ],
)
def test_limit_prices(side: str, touch: str, collar: str, expected: str) -> None:
    """A limit reaches to the collar, on the broker's grid: cents from 1 USD on, hundredths of cents below."""
    assert limit_price(side, Decimal(touch), Decimal(collar)) == Decimal(expected)


@given(
    st.sampled_from(["buy", "sell"]),
    st.decimals("0.01", "900000", places=4),
    st.decimals("0.0001", "0.5", places=4),
)
def test_a_limit_never_leaves_the_collar_nor_the_grid(side: str, touch: Decimal, collar: Decimal) -> None:
    """Rounding never leaves the collar, off-grid quotes included, and the broker takes every price."""
    limit = limit_price(side, touch, collar)
    assert limit <= touch * (1 + collar) if side == "buy" else limit >= touch * (1 - collar)
    assert limit == limit.quantize(Decimal("0.01") if limit >= 1 else Decimal("0.0001"))


@given(st.sampled_from(["buy", "sell"]), st.decimals("1", "900000", places=2))
def test_a_limit_at_a_quote_on_the_grid_is_marketable(side: str, touch: Decimal) -> None:
    """A buy pays the ask and a sell takes the bid, whatever the collar."""
    limit = limit_price(side, touch, Decimal("0.003"))
    assert limit >= touch if side == "buy" else limit <= touch
