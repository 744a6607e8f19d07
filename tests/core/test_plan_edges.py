"""The plan's edges: what small orders, small prices and symbols that don't trade today must not change."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from core.books import PLAIN, WIDE, book_of
from trimtab.core.limits import Execution, Risk
from trimtab.core.plan import Plan, priced
from trimtab.core.quotes import Touch
from trimtab.core.sizing import Book, Why, buffered, size


def limited(**limits: object) -> Risk:
    """Give limits of which only these bite."""
    return WIDE.model_copy(update=limits)


def mixed(book: Book, **whole: bool) -> Book:
    """Give a book in which only the named symbols trade in whole shares."""
    return replace(book, whole=np.array([whole.get(symbol, False) for symbol in book.symbols]))


def planned(book: Book, risk: Risk = WIDE, execution: Execution = PLAIN) -> Plan:
    """Size a book."""
    return Plan(book, size(book, execution, risk))


def shares(plan: Plan) -> dict[str, float]:
    """Give the signed shares by symbol."""
    return dict(zip(plan.book.symbols, plan.sized.quantity.round(9).tolist(), strict=True))


def test_the_buffer_is_what_is_left() -> None:
    """Whatever the weights sum to above it, 1 - buffer remains, in the proportions asked for."""
    for weights in ([0.9, 0.09], [0.3, 0.3, 0.3], [0.95, 0.0]):
        scaled = buffered(np.array(weights), 0.2)
        assert scaled.sum() == pytest.approx(0.8)
        assert scaled * sum(weights) == pytest.approx(np.array(weights) * 0.8)


@pytest.mark.parametrize("price", [100.0, 1e5])
def test_only_what_trades_is_short_of_its_target_for_turnover(price: float) -> None:
    """A symbol in its band owes nothing, however small the shares of the one that does."""
    book = book_of({"A": 0.5, "B": 0.5}, {"B": 50.0}, {"A": price}, cash=5_000.0)
    plan = planned(book, limited(max_turnover=0.1))
    assert plan.short_of_target() == ("A",)
    assert plan.orders()[0].reason.startswith("max_turnover: 0.00% held, 50.00% wanted, buys 10.00% today")


@pytest.mark.parametrize("price", [100.0, 1e5])
def test_only_what_buys_is_short_of_its_target_for_cash(price: float) -> None:
    """A symbol that rests owes nothing to the empty purse."""
    book = book_of({"A": 0.9, "B": 0.0}, {"B": 50.0}, {"A": price}, cash=1_000.0)
    plan = planned(replace(book, active=np.array([True, False])))
    assert plan.short_of_target() == ("A",)
    assert plan.orders()[0].reason.startswith("cash: 0.00% held, 90.00% wanted, buys 16.67% today")


def test_all_the_cash_is_enough_for_all_the_cash() -> None:
    """Buys that cost exactly what there is are not shortened."""
    plan = planned(book_of({"A": 1.0}, cash=1000.0))
    assert plan.sized.why.tolist() == [Why.TO_TARGET]


def test_the_largest_broken_value_is_made_whole_first() -> None:
    """At 90 %, V breaks 100 USD off, U 80, W 27: the 207 USD pay for one more V and nothing else."""
    book = book_of(
        {"W": 0.003, "U": 0.02, "V": 0.1},
        prices={"W": 30.0, "U": 100.0, "V": 200.0},
        cash=10_000.0,
        whole=True,
    )
    assert shares(planned(book)) == {"W": 1, "U": 2, "V": 5}
    assert shares(planned(book, limited(max_turnover=0.1107))) == {"W": 0, "U": 1, "V": 5}


def test_what_breaks_off_may_be_spent_to_the_last_cent() -> None:
    """Two orders of one share each at half of the turnover: one of them is sent."""
    book = book_of({"A": 0.01, "B": 0.01}, cash=10_000.0, whole=True)
    assert shares(planned(book, limited(max_turnover=0.01))) == {"A": 1, "B": 0}


def test_no_more_is_made_whole_than_was_wanted() -> None:
    """A may trade 2.5 shares by its cap; what breaks off D never lifts it to 3."""
    book = book_of({"A": 0.001, "D": 0.01}, prices={"A": 10.0, "D": 1000.0}, cash=100_000.0, whole=True)
    risk = limited(max_order_size_by_symbol={"A": 0.00025}, max_turnover=0.00984)
    assert shares(planned(book, risk)) == {"A": 2, "D": 0}


def test_fractions_are_scaled_and_never_lifted() -> None:
    """Beside whole shares, a fraction keeps its scaled size; what breaks off goes to whole shares alone."""
    book = book_of({"A": 0.01, "B": 0.012, "C": 0.02}, prices={"B": 120.0, "C": 5.0}, cash=10_000.0)
    plan = planned(mixed(book, A=True, B=True), limited(max_turnover=0.021))
    assert shares(plan) == {"A": 1, "B": 0, "C": 20}


@pytest.mark.parametrize(("weight", "side"), [(0.55, "buy"), (0.45, "sell")])
def test_less_than_a_share_has_a_side(weight: float, side: str) -> None:
    """Half a share up is a buy, half a share down is a sell, and both say what was held."""
    book = book_of({"A": weight}, {"A": 5.0}, cash=500.0)
    (order,) = planned(book).orders()
    assert (order.side, order.qty) == (side, Decimal("0.5"))
    assert order.reason == f"to_target: 50.00% held, {weight:.2%} wanted"


def test_a_hold_tells_weight_target_and_drift() -> None:
    """Fractions of equity, the drift with its sign."""
    book = book_of({"A": 0.51}, {"A": 2.0}, {"A": 250.0}, cash=500.0)
    (hold,) = planned(book, execution=Execution(band=0.02, band_relative=0.2)).holds()
    assert (hold.weight, hold.target) == (0.5, 0.51)
    assert hold.reason == "in_band: drift -1.00% is within the band"


def test_a_quote_below_a_dollar_is_a_quote() -> None:
    """Only a bid of nothing falls back to the last close."""
    penny, nothing = Touch(Decimal("0.50"), Decimal("0.51")), Touch(Decimal(0), Decimal(0))
    assert priced("buy", Decimal(3), penny, 9.0, 0.0) == ("limit", Decimal("0.51"))
    assert priced("sell", Decimal(3), penny, 9.0, 0.0) == ("limit", Decimal("0.50"))
    assert priced("buy", Decimal(3), nothing, 9.0, 0.0) == ("limit", Decimal("9.00"))


def test_a_close_counts_to_its_fourth_decimal() -> None:
    """Finer digits are noise of the adjustment: they never cost a tick."""
    assert priced("buy", Decimal(3), None, 0.99998, 0.0) == ("limit", Decimal("1.00"))
    assert priced("sell", Decimal(3), None, 0.12344, 0.0) == ("limit", Decimal("0.1234"))
