"""Plan, new cash first: partial sells wait while cash that no target wants pays for buys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given

from core.books import PLAIN, WIDE, book_of, books, executions, filled, risks
from trimtab.core.limits import Risk
from trimtab.core.plan import Plan
from trimtab.core.sizing import LEFT_SHORT, Why, size

if TYPE_CHECKING:
    from trimtab.core.limits import Execution
    from trimtab.core.sizing import Book

FIRST = PLAIN.model_copy(update={"cash_flow_first": True})


def codes(book: Book, execution: Execution = FIRST) -> dict[str, str]:
    """Give each symbol's code, of its order or its hold."""
    plan = Plan(book, size(book, execution, WIDE))
    return {row.symbol: row.reason.partition(":")[0] for row in (*plan.orders(), *plan.holds())}


def test_new_cash_buys_and_nothing_is_sold() -> None:
    """A deposit of 1,000 beside A 60 % and B 40 % of 9,000: B takes it all, A waits and says why."""
    book = book_of({"A": 0.5, "B": 0.5}, {"A": 54.0, "B": 36.0}, cash=1_000.0)
    assert size(book, PLAIN, WIDE).quantity.tolist() == pytest.approx([-4.0, 14.0])
    sized = size(book, FIRST, WIDE)
    assert sized.quantity.tolist() == pytest.approx([0.0, 10.0])
    plan = Plan(book, sized)
    assert plan.holds()[0].reason == "cash_first: new cash is used before it is sold"
    assert plan.orders()[0].reason.startswith("cash: ")
    assert plan.short_of_target() == ("A", "B")
    assert sized.marked(LEFT_SHORT).tolist() == [True, True]


def test_parts_of_a_share_wait_too() -> None:
    """Shares of 1,000 USD: 0.4 of A would be sold, and 1.4 of B bought; of 3,000 cash 1,000 are new: one."""
    book = book_of({"A": 0.4, "B": 0.4}, {"A": 4.4, "B": 2.6}, {"A": 1e3, "B": 1e3}, cash=3_000.0)
    assert size(book, FIRST, WIDE).quantity.tolist() == pytest.approx([0.0, 1.0])


def test_the_session_after_sells_what_is_still_too_large() -> None:
    """The cash is used up, so that the drift which remains is traded as ever: nothing waits twice."""
    book = book_of({"A": 0.5, "B": 0.5}, {"A": 54.0, "B": 36.0}, cash=1_000.0)
    after = filled(book, size(book, FIRST, WIDE))
    assert size(after, FIRST, WIDE).quantity.tolist() == pytest.approx([-4.0, 4.0])


def test_enough_cash_pays_for_every_buy_in_full() -> None:
    """The strategy wants cash besides: what is above it pays for the buys, and they are not shortened."""
    book = book_of({"A": 0.3, "B": 0.2, "C": 0.1}, {"A": 40.0, "B": 15.0, "C": 1.0}, cash=4_400.0)
    assert codes(book) == {"A": "cash_first", "B": "cash", "C": "cash"}  # 400 of the 1,400 for B and C
    book = book_of({"A": 0.3, "B": 0.2, "C": 0.1}, {"A": 31.0, "B": 15.0, "C": 10.0}, cash=4_400.0)
    assert codes(book) == {"A": "cash_first", "B": "cash", "C": "at_target"}
    book = book_of({"A": 0.3, "B": 0.2}, {"A": 30.0, "B": 15.0}, cash=5_500.0)
    assert size(book, FIRST, WIDE).quantity.tolist() == pytest.approx([0.0, 5.0])
    assert codes(book)["B"] == "to_target"


def test_exits_are_never_put_off() -> None:
    """What the strategy no longer wants is sold, however much cash waits; its proceeds pay for no buy yet."""
    book = book_of({"A": 0.5, "B": 0.5, "X": 0.0}, {"A": 60.0, "B": 20.0, "X": 10.0}, cash=1_000.0)
    assert size(book, FIRST, WIDE).quantity.tolist() == pytest.approx([0.0, 10.0, -10.0])


def test_without_a_buy_nothing_waits() -> None:
    """The strategy goes to cash: there is nothing to spend the cash on, so the sells go ahead."""
    book = book_of({"A": 0.2, "B": 0.2}, {"A": 30.0, "B": 30.0}, cash=4_000.0)
    assert size(book, FIRST, WIDE).quantity.tolist() == size(book, PLAIN, WIDE).quantity.tolist()


@pytest.mark.parametrize(("cash", "waits"), [(100.0, True), (99.99, False)])
def test_new_cash_counts_from_the_band_on(cash: float, waits: bool) -> None:  # noqa: FBT001 - a parameter
    """Cash worth 1 % of 10,000 is new at a band of 1 %; a cent less is not, and the sells go ahead."""
    held = {"A": 60.0, "B": (10_000.0 - cash) / 100 - 60.0}
    book = book_of({"A": 0.5, "B": 0.5}, held, cash=cash)
    book = replace(book, equity=10_000.0)
    execution = FIRST.model_copy(update={"band": 0.01, "band_relative": 0.001})
    assert bool(size(book, execution, WIDE).quantity[0] == 0) is waits


def test_cash_that_the_buffer_keeps_is_not_new() -> None:
    """1 % is kept back: the account holds just that, so nothing waits."""
    book = book_of({"A": 0.5, "B": 0.5}, {"A": 55.0, "B": 44.0}, cash=100.0)
    execution = FIRST.model_copy(update={"cash_buffer": 0.01})
    assert size(book, execution, WIDE).quantity[0] == pytest.approx(-5.5)


def test_whole_shares_share_the_new_cash() -> None:
    """Scaling breaks whole shares: the cash buys whole ones again, the largest remainder first."""
    book = book_of(
        {"A": 0.4, "B": 0.3, "C": 0.3}, {"A": 50.0, "B": 20.0, "C": 20.0}, cash=1_000.0, whole=True
    )
    sized = size(book, FIRST, WIDE)
    assert sized.quantity.tolist() == [0.0, 5.0, 5.0]


def test_cash_that_buys_nothing_puts_nothing_off() -> None:
    """401 USD are new, and a share of what is short costs 450: the sells would wait for it for ever."""
    book = book_of(
        {"A": 0.6, "B": 0.4}, {"A": 26.0, "B": 14.0}, {"A": 500.0, "B": 450.0}, cash=600.0, whole=True
    )
    execution = FIRST.model_copy(update={"cash_buffer": 0.01, "band": 0.005})
    assert size(book, execution, WIDE).quantity.tolist() == [-3.0, 3.0]
    fractions = replace(book, whole=np.array([False, False]))
    small = execution.model_copy(update={"min_order_usd": 450.0})
    assert size(fractions, small, WIDE).quantity[0] < 0
    assert size(fractions, execution, WIDE).quantity[0] == 0


@given(book=books(), execution=executions, risk=risks)
def test_new_cash_alone_pays_for_the_buys(book: Book, execution: Execution, risk: Risk) -> None:
    """Where a sell waits, the buys cost no more than the new cash, and only exits are sold."""
    sized = size(book, execution.model_copy(update={"cash_flow_first": True}), risk)
    waiting = sized.marked(Why.CASH_FIRST)
    if waiting.any():
        new = book.cash - book.equity * (1 - sized.weights.sum())
        buys = np.where(sized.quantity > 0, sized.quantity, 0.0)
        assert buys @ book.price <= new * (1 + 1e-9)
        assert not sized.quantity[waiting].any()
        assert (sized.weights[sized.quantity < 0] == 0).all()


@given(book=books(), execution=executions, risk=risks)
def test_it_is_off_unless_it_is_asked_for(book: Book, execution: Execution, risk: Risk) -> None:
    """No plan without the key has the reason."""
    assert not size(book, execution, risk).marked(Why.CASH_FIRST).any()


@pytest.mark.parametrize(
    ("book", "execution", "limits"),
    [
        pytest.param(
            book_of({"A": 0.5, "B": 0.48}, {"B": 20.0}, {"A": 700.0, "B": 100.0}, cash=1_000.0, whole=True),
            FIRST,
            Risk(),
            id="no whole share fits the largest order",
        ),
        pytest.param(
            replace(book_of({"A": 0.5, "B": 0.3}, {"B": 60.0}, cash=4_000.0), volume=np.array([0.0, np.inf])),
            FIRST,
            Risk(),
            id="no share of its volume",
        ),
    ],
)
def test_sells_do_not_wait_for_a_buy_that_the_caps_forbid(
    book: Book, execution: Execution, limits: Risk
) -> None:
    """The next session would be the same, for ever: what is too large is sold as without the flag."""
    plain = size(book, execution.model_copy(update={"cash_flow_first": False}), limits)
    assert plain.quantity.min() < 0
    assert size(book, execution, limits).quantity.tolist() == plain.quantity.tolist()


def test_less_than_a_share_is_bought_of_the_new_cash_alone() -> None:
    """Shares of 1,000 USD; the targets leave 1,000 of the 1,600 cash: 0.8 of B are wanted, 0.6 are bought."""
    book = book_of({"A": 0.45, "B": 0.45}, {"A": 4.7, "B": 3.7}, {"A": 1e3, "B": 1e3}, cash=1_600.0)
    assert size(book, FIRST, WIDE).quantity.tolist() == pytest.approx([0.0, 0.6])


def test_what_is_left_of_a_symbol_goes_though_it_is_less_than_a_share() -> None:
    """Nothing of C is wanted: its 0.4 shares are sold, whatever waits."""
    prices = dict.fromkeys("ABC", 1e3)
    book = book_of({"A": 0.5, "B": 0.5, "C": 0.0}, {"A": 5.4, "B": 3.2, "C": 0.4}, prices, cash=1_000.0)
    assert size(book, FIRST, WIDE).quantity.tolist() == pytest.approx([0.0, 1.0, -0.4])
