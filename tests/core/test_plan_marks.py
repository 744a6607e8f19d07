"""Plan marks: the flags of each symbol, exactly: what rests or is guarded is only that, the rest adds up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.books import PLAIN, WIDE, book_of, listed
from trimtab.core.limits import Execution, Risk
from trimtab.core.plan import Plan
from trimtab.core.risk import judge
from trimtab.core.sizing import Why, size


def test_what_rests_or_is_guarded_or_in_band_has_no_other_reason() -> None:
    """An exit that rests is no exit today, nor one that its quote holds back; in the band is only that."""
    book = book_of(
        {"A": 0.0, "B": 0.0, "C": 0.34}, {"A": 10.0, "B": 10.0, "C": 20.0}, {"C": 99.0}, cash=1_900.0
    )
    book = replace(book, active=np.array([False, True, True]))
    guard = np.array([0, int(Why.MAX_GAP), 0], dtype=np.int32)
    sized = size(book, Execution(cash_buffer=0, band=0.1, band_relative=0.5), WIDE, guard)
    assert sized.why.tolist() == [Why.RESTS, Why.MAX_GAP, Why.IN_BAND]
    assert not sized.quantity.any()


def test_what_is_too_small_says_which_way_and_nobody_else_does() -> None:
    """Dust is below the smallest order, half a share below a whole one; who is at its target stays so."""
    book = book_of(
        {"A": 0.0, "B": 0.105, "C": 0.2, "D": 0.0}, {"A": 1e-7, "B": 1.0, "C": 2.0}, cash=700.0 - 1e-5
    )
    book = replace(book, whole=np.array([False, True, True, True]), equity=1000.0)
    sized = size(book, PLAIN, WIDE)
    assert sized.why.tolist() == [
        Why.EXIT | Why.MIN_ORDER,
        Why.AT_TARGET,
        Why.AT_TARGET,
        Why.NO_WEIGHT,
    ]
    book = replace(book, held=np.array([0.0, 1.5, 2.0, 0.0]))
    sized = size(replace(book, weights=np.array([0.000001, 0.1, 0.2, 0.0])), PLAIN, WIDE)
    assert sized.why.tolist() == [
        Why.TO_TARGET | Why.MIN_ORDER,
        Why.TO_TARGET | Why.WHOLE_SHARE,
        Why.AT_TARGET,
        Why.NO_WEIGHT,
    ]


def test_every_symbol_of_the_book_may_have_its_orders() -> None:
    """Six symbols may use 24 ids, unless the book says that it shows a part of a wider universe."""
    names = "ABCDEF"
    book = book_of(dict.fromkeys(names, 0.1), cash=1000.0)
    plan = Plan(book, size(book, PLAIN, WIDE))
    allowed = {v.rule: v.allowed for v in judge(plan, listed(names), Risk(max_turnover=1.0))}
    assert (allowed["max_orders"], allowed["max_requests"]) == ("24", "48")
    wider = replace(plan, book=replace(book, universe=10))
    allowed = {v.rule: v.allowed for v in judge(wider, listed(names), Risk(max_turnover=1.0))}
    assert (allowed["max_orders"], allowed["max_requests"]) == ("40", "80")
