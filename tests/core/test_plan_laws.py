"""The plan's laws: what holds for any book and any limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.books import PLAIN, book_of, books, exact_holdings, executions, filled, risks, sessions
from trimtab.core.limits import Execution, Risk
from trimtab.core.plan import Plan
from trimtab.core.sizing import Book, Sized, Why, size, wanted

any_case = given(books(), executions, risks)


def value(book: Book, sized: Sized) -> np.ndarray:
    return np.abs(sized.quantity) * book.price


def tiny(book: Book) -> float:
    """Give the float noise of a book's sums, USD."""
    return 1e-10 * max(book.equity, abs(book.cash), float(book.held @ book.price), 1.0)


@any_case
def test_buys_are_paid_by_cash_and_sells(book: Book, execution: Execution, risk: Risk) -> None:
    """The planned buys cost at most the cash and what the planned sells bring."""
    signed = size(book, execution, risk).quantity * book.price
    assert signed[signed > 0].sum() <= max(book.cash - signed[signed < 0].sum(), 0.0) + tiny(book)


@any_case
def test_no_sell_passes_the_holding(book: Book, execution: Execution, risk: Risk) -> None:
    """In floats and in the exact order alike."""
    sized = size(book, execution, risk)
    assert (-sized.quantity <= book.held).all()
    holdings = exact_holdings(book)
    for order in Plan(book, sized, holdings).orders():
        assert order.side == "buy" or order.qty <= holdings[order.symbol]


@any_case
def test_no_order_passes_a_cap(book: Book, execution: Execution, risk: Risk) -> None:
    """`max_order_size`, the symbol's own, `max_order_usd` and `max_adv_share`."""
    sized = size(book, execution, risk)
    for i, symbol in enumerate(book.symbols):
        usd = value(book, sized)[i]
        assert usd <= risk.order_size(symbol) * book.equity * (1 + 1e-11)
        assert usd <= risk.max_order_usd * (1 + 1e-11)
        assert abs(sized.quantity[i]) <= risk.max_adv_share * book.volume[i] * (1 + 1e-11)


@any_case
def test_turnover_is_kept(book: Book, execution: Execution, risk: Risk) -> None:
    """The session's value, earlier runs counted, stays within the limit, or nothing is sent."""
    total = value(book, size(book, execution, risk)).sum()
    assert total == 0 or total + book.sent <= risk.max_turnover * book.equity * (1 + 1e-11)


@any_case
def test_exposure_stays_within_one(book: Book, execution: Execution, risk: Risk) -> None:
    """After all orders no more is invested than the equity, unless nothing is bought."""
    sized = size(book, execution, risk)
    after = ((book.held + sized.quantity) * book.price).sum()
    assert after <= book.equity + tiny(book) or not (sized.quantity > 0).any()


@any_case
def test_no_order_passes_its_target(book: Book, execution: Execution, risk: Risk) -> None:
    """An order goes towards the target and never beyond it."""
    sized = size(book, execution, risk)
    assert (sized.quantity * sized.gap >= 0).all()
    lot = np.where(book.whole, 1.0, 1e-6)
    assert (np.abs(sized.quantity) <= np.abs(sized.gap) * (1 + 1e-11) + 2e-3 * lot).all()


@any_case
def test_every_symbol_is_an_order_or_a_hold(book: Book, execution: Execution, risk: Risk) -> None:
    """Exactly one of them, each with a code; an order is worth at least the smallest."""
    sized = size(book, execution, risk)
    plan = Plan(book, sized, exact_holdings(book))
    named = [order.symbol for order in plan.orders()] + [hold.symbol for hold in plan.holds()]
    reasons = [order.reason for order in plan.orders()] + [hold.reason for hold in plan.holds()]
    assert sorted(named) == sorted(book.symbols)
    allowed = {flag.name.lower() for flag in Why if flag.name} | {"to_target"}
    assert {reason.split(":")[0] for reason in reasons} <= allowed
    for order in plan.orders():
        assert order.qty > 0
        assert float(order.qty) * order.price >= execution.min_order_usd * (1 - 1e-6)


@any_case
def test_resting_and_guarded_symbols_never_trade(book: Book, execution: Execution, risk: Risk) -> None:
    guard = np.where(np.arange(len(book.symbols)) % 2 == 0, int(Why.NO_QUOTE), 0).astype(np.int32)
    sized = size(book, execution, risk, guard)
    assert not sized.quantity[~book.active].any()
    assert not sized.quantity[guard != 0].any()
    flagged = (sized.why & int(Why.NO_QUOTE)) != 0
    assert (wanted(book, execution).quantity[flagged] != 0).all()


@any_case
def test_whole_shares_stay_whole(book: Book, execution: Execution, risk: Risk) -> None:
    """Where only whole shares trade, orders are whole but for an exit of everything held."""
    quantity = size(book, execution, risk).quantity
    odd = book.whole & (quantity != np.floor(quantity))
    assert (-quantity[odd] == book.held[odd]).all()


@any_case
def test_sizing_repeats(book: Book, execution: Execution, risk: Risk) -> None:
    """The same book gives the same sizes, bit for bit, and is left as it was."""
    before = [book.weights.copy(), book.held.copy(), book.price.copy()]
    first, second = size(book, execution, risk), size(book, execution, risk)
    for name in ("weights", "target", "gap", "quantity", "why"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
    for kept, now in zip(before, (book.weights, book.held, book.price), strict=True):
        assert kept.tobytes() == now.tobytes()


@given(books(), st.integers(-6, 6))
def test_sizing_is_scale_free(book: Book, power: int) -> None:
    """A split changes nothing: prices times k and shares over k give the same value but for lots."""
    k = 2.0**power
    book = replace(book, whole=np.zeros(len(book.symbols), dtype=bool))
    split = replace(book, price=book.price * k, held=book.held / k, volume=book.volume / k)
    execution, risk = Execution(min_order_usd=1e-9, cash_buffer=0.01), Risk(max_order_usd=1e12)
    a, b = size(book, execution, risk), size(split, execution, risk)
    lot = 3e-6 * np.maximum(book.price, split.price)
    assert (np.abs(value(book, a) - value(split, b)) <= lot.sum() + tiny(book)).all()


@settings(max_examples=60)
@given(books(), st.sampled_from([0.1, 0.2, 0.5]), st.sampled_from([0.2, 0.5, 1.0]), executions)
def test_repeated_sessions_converge(book: Book, cap: float, turnover: float, execution: Execution) -> None:
    """At fixed prices targets are reached, or the cash is used up (the band may keep what would pay)."""
    m = len(book.symbols)
    book = replace(
        book,
        whole=np.zeros(m, dtype=bool),
        active=np.ones(m, dtype=bool),
        volume=np.full(m, np.inf),
        sent=0.0,
    )
    assume(book.equity > 1000)  # a cap below the smallest order would send nothing, ever
    execution = execution.model_copy(update={"min_order_usd": min(execution.min_order_usd, 1.0)})
    risk = Risk(max_order_size=cap, max_turnover=turnover, max_order_usd=1e12)
    days = sessions(book, execution, risk, 60)
    assert not days[-1].quantity.any()
    for day in days[:-1]:
        book = filled(book, day)
    left = wanted(book, execution).quantity * book.price
    small = execution.min_order_usd * m * (1 + 1e-9) + 2e-6 * book.price.sum() + tiny(book)
    assert (left > -small).all()
    assert (left < small).all() or book.cash < small


def test_whole_shares_are_not_starved_by_scaling() -> None:
    """Ten orders of one share each, at twice the turnover allowed: five go today, five tomorrow."""
    names = [f"S{i}" for i in range(10)]
    book = book_of(dict.fromkeys(names, 0.09), prices=dict.fromkeys(names, 900.0), cash=10_000.0, whole=True)
    days = sessions(book, PLAIN, Risk(), 3)
    assert [int(np.count_nonzero(day.quantity)) for day in days] == [5, 5, 0]
