"""Costs: the estimate is half the spread and the regulators' fees, each rounded up to a cent a session."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.costs import TAF_HOLIDAY, Cost, Trade, estimate

SUMMER, HOLIDAY = date(2026, 6, 1), date(2026, 11, 2)


def test_a_sale_by_hand() -> None:
    """1,000 shares at 100 USD, quoted 99.95 to 100.05: 50 + (2.06 + 0.195 -> 0.20 + 0.003 -> 0.01)."""
    cost = estimate([Trade("AAA", "sell", 1_000, 100.0, 99.95, 100.05)], SUMMER)
    assert cost.spread == pytest.approx(50.0)
    assert cost.fees == pytest.approx(2.06 + 0.20 + 0.01)
    assert cost.total == pytest.approx(52.27)
    assert cost.bps == pytest.approx(5.227)


def test_a_buy_pays_no_fee_of_sales() -> None:
    """Only the audit trail's, a cent at least."""
    assert estimate([Trade("AAA", "buy", 10, 100.0, 100.0, 100.0)], SUMMER).fees == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("session", "fees"),
    [(SUMMER, 0.01 + 9.79 + 0.60), (HOLIDAY, 0.01 + 0.60), (TAF_HOLIDAY[1], 0.01 + 0.60)],
)
def test_the_activity_fee_has_a_most_and_a_holiday(session: date, fees: float) -> None:
    """200,000 shares at a hundredth of a cent: 9.79 USD and not 39; nothing in the last quarter of 2026."""
    assert estimate([Trade("AAA", "sell", 200_000, 0.0001)], session).fees == pytest.approx(fees)


def test_a_spread_that_nobody_quotes_is_said_to_be_unknown() -> None:
    """Without bid and ask, or crossed: the symbol is named, and nothing is added for it."""
    trades = [Trade("AAA", "buy", 1, 10.0), Trade("BBB", "buy", 1, 10.0, 11.0, 10.0)]
    cost = estimate([*trades, Trade("CCC", "buy", 1, 10.0, 9.0, 11.0)], SUMMER)
    assert (cost.unquoted, cost.spread) == (("AAA", "BBB"), 1.0)


def test_nothing_costs_nothing() -> None:
    """No trade: no cost, and no division by the nothing that moves."""
    assert estimate([], SUMMER) == Cost(0.0, 0.0, 0.0)
    assert estimate([], SUMMER).bps == 0.0


@given(
    st.lists(
        st.tuples(st.sampled_from(["buy", "sell"]), st.floats(0.001, 1e5), st.floats(0.01, 1e4)), max_size=8
    )
)
def test_the_fees_of_a_session_are_those_of_its_sums(rows: list[tuple[str, float, float]]) -> None:
    """One order or many: never less, and at most a cent a fee more, than what each order would be charged."""
    trades = [Trade("AAA", *row) for row in rows]
    whole, parts = estimate(trades, HOLIDAY), [estimate([trade], HOLIDAY) for trade in trades]
    assert whole.value == pytest.approx(sum(part.value for part in parts))
    assert whole.fees <= sum(part.fees for part in parts) + 1e-9
    assert whole.fees >= sum(part.fees for part in parts) - 0.02 * len(trades) - 1e-9
