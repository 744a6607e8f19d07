"""Risk together: k plans stacked into one are judged as each alone is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.books import WIDE, book_of, books, executions, listed, risks, sent
from trimtab.core.plan import Plan
from trimtab.core.risk import OF_A_DAY, Conditions, judge, passes
from trimtab.core.sizing import GUARDED, Book, Sized, Why, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.limits import Execution, Risk

M = 3
"""Symbols of each plan."""


def stacked(plans: Sequence[Plan], conditions: Sequence[Conditions]) -> tuple[Plan, Conditions]:
    """Give plans of equally many symbols, with what was before them, as one of arrays (k, m)."""

    def rows(name: str) -> np.ndarray:
        return np.stack([getattr(plan.book, name) for plan in plans])

    def column(values: list[float]) -> np.ndarray:
        return np.array(values, dtype=float)[:, None]

    book = Book(
        plans[0].book.symbols,
        *(rows(name) for name in ("weights", "held", "price", "whole", "active", "volume")),
        *(column([getattr(plan.book, name) for plan in plans]) for name in ("cash", "equity", "sent")),  # type: ignore[arg-type]  # columns of k
    )
    of = {
        name: np.stack([getattr(p.sized, name) for p in plans])
        for name in ("weights", "target", "gap", "quantity")
    }
    guarded = np.stack([plan.sized.marked(GUARDED) for plan in plans])
    sized = Sized(**of, whole=book.whole, marks=((Why.NO_QUOTE, guarded),))
    return Plan(book, sized), Conditions(
        {},
        order_ids=column([c.order_ids for c in conditions]),  # type: ignore[arg-type]  # as above
        runs_with_orders=column([c.runs_with_orders for c in conditions]),  # type: ignore[arg-type]  # as above
        drawdown=column([c.drawdown for c in conditions]),  # type: ignore[arg-type]  # as above
        equity_move=column([c.equity_move or 0.0 for c in conditions]),  # type: ignore[arg-type]  # as above
    )


def alone(plan: Plan, conditions: Conditions, risk: Risk) -> bool:
    """Say whether every rule that measures something lets one plan pass."""
    left_out = {rule.__name__ for rule in OF_A_DAY}
    return all(v.passed for v in judge(plan, conditions, risk) if v.rule not in left_out)


guards = st.lists(st.sampled_from([0, 0, 0, int(Why.MAX_GAP), int(Why.NO_QUOTE)]), min_size=M, max_size=M)
befores = st.builds(
    lambda ids, runs, fall, move: Conditions({}, ids, runs, fall, move),
    st.integers(0, 14),
    st.integers(0, 3),
    st.sampled_from([0.0, 0.2, 0.5, 0.6]),
    st.sampled_from([0.0, 0.1, 0.15, 0.3]),
)
cases = st.tuples(books(M, M), executions, risks, guards, befores)


@settings(deadline=None)
@given(st.lists(cases, min_size=1, max_size=4), risks)
def test_plans_together_pass_as_each_alone(
    drawn: list[tuple[Book, Execution, Risk, list[int], Conditions]], risk: Risk
) -> None:
    """Whatever limits made them: the answer of k plans is that of each."""
    risk = risk.model_copy(update={"max_order_size_by_symbol": {}})
    plans = [
        Plan(book, size(book, execution, made_with, np.array(guard, dtype=np.int32)))
        for book, execution, made_with, guard, _ in drawn
    ]
    before = [conditions for *_, conditions in drawn]
    given_together = passes(*stacked(plans, before), risk).tolist()
    assert given_together == [alone(plan, c, risk) for plan, c in zip(plans, before, strict=True)]


BOOK = book_of({"A": 0.2, "B": 0.2, "C": 0.2}, {"A": 100.0, "B": 100.0}, cash=80_000.0)
WRONG = {
    "no number": replace(BOOK, price=np.array([np.nan, 100.0, 100.0])),
    "no price": replace(BOOK, price=np.array([100.0, 100.0, 0.0])),
    "a short": replace(BOOK, held=np.array([100.0, -1.0, 0.0])),
    "no equity": replace(BOOK, equity=0.0),
    "cash that is no number": replace(BOOK, cash=np.inf),
}


@pytest.mark.parametrize("case", WRONG)
def test_numbers_that_are_none_refuse_their_plan_alone(case: str) -> None:
    """The plan beside it passes."""
    plans = [sent(BOOK, {"A": 1.0}), sent(WRONG[case], {})]
    with np.errstate(all="ignore"):
        given_together = passes(*stacked(plans, [listed(()), listed(())]), WIDE)
    assert given_together.tolist() == [True, False]


def test_a_rule_of_the_day_is_not_asked() -> None:
    """Nothing is listed here, and nobody approved anything: that is for a day at the broker."""
    plans = [sent(BOOK, {"A": 1.0})]
    strict = WIDE.model_copy(update={"require_approval": "always"})
    assert passes(*stacked(plans, [Conditions({})]), strict).tolist() == [True]
    assert {rule.__name__ for rule in OF_A_DAY} == {"tradable", "price_collar", "require_approval"}


def test_a_plan_is_held_to_its_own_largest_target() -> None:
    """A beside it may be far larger: that is of the other plan."""
    small = replace(BOOK, weights=np.array([0.1, 0.1, 0.1]))
    large = replace(BOOK, weights=np.array([0.6, 0.0, 0.0]))
    plans = [sent(large, {"A": 450.0}), sent(small, {"A": 350.0})]
    limits = WIDE.model_copy(update={"max_position": None})
    assert passes(*stacked(plans, [listed(()), listed(())]), limits).tolist() == [True, False]


def test_a_plan_that_only_holds_is_not_refused_for_the_buys_of_another() -> None:
    """Exposure is judged where the plan itself buys."""
    full = replace(BOOK, held=np.array([500.0, 400.0, 0.0]), cash=10_000.0)
    plans = [sent(full, {}), sent(BOOK, {"A": 10.0}), sent(full, {"C": 1.0})]
    limits = WIDE.model_copy(update={"max_exposure": 0.5})
    assert passes(*stacked(plans, [listed(())] * 3), limits).tolist() == [True, True, False]
