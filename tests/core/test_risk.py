from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given

from core.books import PLAIN, WIDE, book_of, books, exact_holdings, executions, listed, risks, sent
from trimtab.core.limits import Execution, Risk
from trimtab.core.plan import Plan
from trimtab.core.portfolio import Asset
from trimtab.core.quotes import Touch
from trimtab.core.risk import RULES, Approval, Approved, Conditions, adopt, judge, requests_allowed, review
from trimtab.core.sizing import Sized, Why, guards, size
from trimtab.core.verdict import Verdict
from trimtab.errors import Halted

if TYPE_CHECKING:
    from trimtab.core.sizing import Book

CENT = 0.01
BOOK = book_of({"A": 0.2, "B": 0.2}, {"A": 100.0, "B": 100.0}, cash=80_000.0)
"""100,000 USD, of which A and B hold 10,000 each at 100 a share."""

Case = tuple[Plan, Conditions, Risk]


def case(quantity: dict[str, float], conditions: Conditions | None = None, **limits: object) -> Case:
    """Give a plan that trades exactly this, with limits that are wide but for the ones named."""
    risk = WIDE.model_copy(update=limits)
    return sent(BOOK, quantity), conditions or listed(BOOK.symbols), risk


def collared(cents_beyond: float) -> Case:
    """Give a plan whose limit, made under a wider collar, stands so far beyond the quote."""
    touches = {"A": Touch(Decimal("99.99"), Decimal(100))}
    plan = sent(BOOK, {"A": 10.0}, touches=touches, collar=0.01 + cents_beyond / 100)
    return plan, listed(BOOK.symbols), WIDE.model_copy(update={"price_collar": 0.01})


def guarded(held: int, traded: int) -> Case:
    """Give a plan of which the quotes hold so many symbols back, and so many trade."""
    symbols = [f"S{i}" for i in range(held + traded)]
    book = book_of(dict.fromkeys(symbols, 0.0), dict.fromkeys(symbols, 1.0), cash=100.0)
    touches = {symbol: Touch(Decimal(9), Decimal(9), "max_gap") for symbol in symbols[:held]}
    plan = Plan(book, size(book, PLAIN, WIDE, guards(book.symbols, touches)), {}, touches)
    return plan, listed(symbols), WIDE


def unlisted(asset: Asset | None) -> Case:
    """Give a plan that buys A, which the broker shows so."""
    return case({"A": 1.0}, Conditions({} if asset is None else {"A": asset}))


def spending(cash: float) -> Case:
    """Give a plan that sells 1,000 USD and buys 2,000 with so much cash."""
    book = replace(BOOK, cash=cash)
    return sent(book, {"A": -10.0, "B": 20.0}), listed(book.symbols), WIDE


def priced_at(price: float) -> Case:
    book = replace(BOOK, price=np.array([100.0, price]))
    return sent(book, {}), listed(book.symbols), WIDE


def fallen(**facts: float) -> Case:
    """Give a plan of an account of which history says this."""
    return case({"A": 1.0}, replace(listed(BOOK.symbols), **facts))  # type: ignore[arg-type]  # two floats of Conditions


def agreed(*digests: tuple[str, str], live: bool = True, asked: str = "live") -> Case:
    """Give a plan under config c… and code d…, where these were agreed to."""
    approval = Approval(live, "c" * 64, "d" * 64, digests)
    return case({"A": 1.0}, replace(listed(BOOK.symbols), approval=approval), require_approval=asked)


ADV = sent(replace(BOOK, volume=np.array([10_000.0, 1e9])), {"A": 100.0, "B": 100.0})
ADV_OVER = sent(replace(BOOK, volume=np.array([10_000.0, 1e9])), {"A": 100.000001, "B": 100.0})
ADV_RISK = WIDE.model_copy(update={"max_adv_share": 0.01})
SPENT = replace(BOOK, sent=30_000.0)
TURNING = WIDE.model_copy(update={"max_turnover": 0.5})

BOUNDARY: dict[str, tuple[Case, Case]] = {
    "numbers": (priced_at(1e-9), priced_at(0.0)),
    "quotes": (guarded(3, 6), guarded(4, 6)),
    "tradable": (
        unlisted(Asset("A", "active", tradable=True, fractionable=False)),
        unlisted(Asset("A", "active", tradable=False, fractionable=True)),
    ),
    "no_short": (case({"A": -100.0}), case({"A": -100.000001})),
    "cash": (spending(1000.0), spending(1000.0 - CENT)),
    "max_order_size": (
        case({"A": 200.0, "B": -100.0}, max_order_size=0.2),
        case({"A": 200.0 + CENT / 100}, max_order_size=0.2),
    ),
    "max_order_usd": (
        case({"A": 200.0}, max_order_usd=20_000.0),
        case({"A": 200.0 + CENT / 100}, max_order_usd=20_000.0),
    ),
    "max_position": (case({"A": 150.0}), case({"A": 150.0 + CENT / 100})),  # 0.20 + 0.05 of headroom
    "max_exposure": (
        case({"A": 100.0, "B": 200.0}, max_exposure=0.5, max_position=1.0),
        case({"A": 100.0, "B": 200.0 + CENT / 100}, max_exposure=0.5, max_position=1.0),
    ),
    "max_turnover": (
        (sent(SPENT, {"A": 100.0, "B": -100.0}), listed(SPENT.symbols), TURNING),
        (sent(SPENT, {"A": 100.0 + CENT / 100, "B": -100.0}), listed(SPENT.symbols), TURNING),
    ),
    "max_adv_share": ((ADV, listed(BOOK.symbols), ADV_RISK), (ADV_OVER, listed(BOOK.symbols), ADV_RISK)),
    "max_orders": (
        case({"A": 1.0, "B": 1.0}, listed(BOOK.symbols, order_ids=6)),
        case({"A": 1.0, "B": 1.0}, listed(BOOK.symbols, order_ids=7)),  # 4 a symbol
    ),
    "max_requests": (case({"A": 1.0}, max_requests=1), case({"A": 1.0, "B": 1.0}, max_requests=1)),
    "max_runs_with_orders": (
        case({"A": 1.0}, listed(BOOK.symbols, runs=2)),
        case({"A": 1.0}, listed(BOOK.symbols, runs=3)),  # the fourth refuses
    ),
    "price_collar": (collared(0.0), collared(1.0)),
    "max_drawdown": (fallen(drawdown=0.5), fallen(drawdown=0.5 + 1e-9)),
    "max_equity_move": (fallen(equity_move=0.15), fallen(equity_move=0.15 + 1e-9)),
    "require_approval": (agreed(("c" * 64, "d" * 64)), agreed(("c" * 64, "e" * 64))),
}
"""Of each rule, a plan at its limit, and one just beyond it."""
DEFAULT_POSITION = {"max_position": {"max_position": None}}


def verdict(name: str, judged: Case) -> Verdict:
    plan, conditions, risk = judged
    risk = risk.model_copy(update=DEFAULT_POSITION.get(name, {}))
    return next(v for v in judge(plan, conditions, risk) if v.rule == name)


def test_every_rule_has_a_boundary() -> None:
    """A rule without a plan at its limit and one beyond it is not tested."""
    assert [rule.__name__ for rule in RULES] == list(BOUNDARY)


@pytest.mark.parametrize("name", BOUNDARY)
def test_at_its_limit_a_rule_passes(name: str) -> None:
    seen = verdict(name, BOUNDARY[name][0])
    assert seen.passed, seen


@pytest.mark.parametrize("name", BOUNDARY)
def test_just_beyond_its_limit_a_rule_refuses(name: str) -> None:
    """The run halts under the rule's name, with what was seen and allowed, and they differ to the eye."""
    plan, conditions, risk = BOUNDARY[name][1]
    seen = verdict(name, BOUNDARY[name][1])
    assert not seen.passed
    assert seen.seen != seen.allowed
    assert seen.detail
    with pytest.raises(Halted) as stop:
        review(plan, conditions, risk.model_copy(update=DEFAULT_POSITION.get(name, {})), Decimal(1))
    assert (stop.value.code, stop.value.seen, stop.value.allowed) == (name, seen.seen, seen.allowed)
    assert stop.value.hint


@pytest.mark.parametrize("name", BOUNDARY)
def test_beyond_one_limit_only_its_rule_refuses(name: str) -> None:
    """Each example trips one rule: the boundary is that rule's own."""
    plan, conditions, risk = BOUNDARY[name][1]
    verdicts = judge(plan, conditions, risk.model_copy(update=DEFAULT_POSITION.get(name, {})))
    assert [v.rule for v in verdicts if not v.passed] == [name]


# The safety standard's examples


def test_a_symbols_own_limit_is_judged() -> None:
    """`max_order_size_by_symbol` is the limit of its symbol, tighter or wider than the general one."""
    tight: dict[str, Any] = {"max_order_size": 0.2, "max_order_size_by_symbol": {"B": 0.01}}
    seen = verdict("max_order_size", case({"A": 150.0, "B": 11.0}, **tight))
    assert (seen.passed, seen.subject) == (False, "B")
    wide: dict[str, Any] = {"max_order_size": 0.01, "max_order_size_by_symbol": {"B": 0.2}}
    assert verdict("max_order_size", case({"B": 150.0}, **wide)).passed


def test_two_orders_that_fail_only_together() -> None:
    """Each alone keeps the exposure; both do not."""
    limits: dict[str, Any] = {"max_exposure": 0.5}
    assert verdict("max_exposure", case({"A": 200.0}, **limits)).passed
    assert verdict("max_exposure", case({"B": 200.0}, **limits)).passed
    assert not verdict("max_exposure", case({"A": 200.0, "B": 200.0}, **limits)).passed


def test_all_in_spy_to_sixty_forty_is_not_blocked() -> None:
    """SPY stands far above `max_position`, but its order lowers it; TLT's keeps its own limit."""
    book = book_of({"SPY": 0.6, "TLT": 0.4}, {"SPY": 1000.0}, cash=0.0)
    plan = Plan(book, size(book, Execution(), Risk()))
    approved = review(plan, listed(book.symbols), Risk(), Decimal(0))
    assert [order.side for order in approved.orders] == ["sell", "buy"]
    assert all(v.passed for v in approved.verdicts)


def test_above_the_exposure_only_buys_are_refused() -> None:
    """A book over its exposure may still sell."""
    limits: dict[str, Any] = {"max_exposure": 0.1}
    assert verdict("max_exposure", case({"A": -1.0}, **limits)).passed
    assert not verdict("max_exposure", case({"A": -1.0, "B": 0.5}, **limits)).passed


@pytest.mark.parametrize(("over", "passes"), [(0.0, True), (1e-12, True), (1e-7, False)])
def test_exposure_of_one_forgives_noise_only(over: float, passes: bool) -> None:  # noqa: FBT001 - a parameter of the example
    """1 + 1e-12 passes, 1.0000001 does not."""
    limits: dict[str, Any] = {"max_exposure": 1.0}
    assert verdict("max_exposure", case({"A": 800.0 + 1000 * over}, **limits)).passed is passes


@pytest.mark.parametrize(
    ("held", "traded", "passes"),
    [(1, 9, True), (5, 5, False), (3, 7, True), (4, 6, False), (1, 0, True), (2, 3, False)],
)
def test_the_guard_holds_a_few_and_halts_for_many(held: int, traded: int, passes: bool) -> None:  # noqa: FBT001 - a parameter of the example
    """One symbol of ten is held and the run goes on; five of ten: the quotes are doubted."""
    assert verdict("quotes", guarded(held, traded)).passed is passes


@pytest.mark.parametrize("asset", [None, Asset("A", "inactive", tradable=True, fractionable=True)])
def test_only_what_the_broker_lists_as_active_trades(asset: Asset | None) -> None:
    seen = verdict("tradable", unlisted(asset))
    assert (seen.passed, seen.subject) == (False, "A")


def test_runs_that_send_nothing_are_not_counted() -> None:
    """After the last allowed run, a plan without orders still passes."""
    assert verdict("max_runs_with_orders", case({}, listed(BOOK.symbols, runs=9))).passed
    spent = replace(BOOK, sent=90_000.0)
    nothing = sent(spent, {}), listed(spent.symbols), TURNING
    assert verdict("max_turnover", nothing).passed


def test_the_collar_of_a_sell() -> None:
    """Below the bid it is the same distance as above the ask; a market order has no limit to judge."""
    touches = {"A": Touch(Decimal(100), Decimal("100.01"))}
    risk = WIDE.model_copy(update={"price_collar": 0.01})
    for collar, quantity, passes in ((0.01, -10.0, True), (0.02, -10.0, False), (0.02, -10.5, True)):
        plan = sent(BOOK, {"A": quantity}, touches=touches, collar=collar)
        assert verdict("price_collar", (plan, listed(BOOK.symbols), risk)).passed is passes


def test_the_cap_of_a_large_book_is_kept_to_the_cent() -> None:
    """At a billion USD float noise is far below a cent, and so is what the review forgives."""
    book = book_of({"A": 0.2}, prices={"A": 1.0}, cash=1e9)
    risk = WIDE.model_copy(update={"max_order_size": 0.2})
    assert verdict("max_order_size", (sent(book, {"A": 2e8}), listed("A"), risk)).passed
    assert not verdict("max_order_size", (sent(book, {"A": 2e8 + CENT}), listed("A"), risk)).passed


def test_requests_follow_the_number_of_symbols() -> None:
    assert requests_allowed(Risk(), 10) == 80
    assert requests_allowed(Risk(max_requests=7), 10) == 7


@pytest.mark.parametrize(
    ("asked", "live", "digests", "passes"),
    [
        ("live", True, (), True),
        ("live", True, (("x", "x"), ("c" * 64, "d" * 64)), True),
        ("live", True, (("c" * 64, "x"), ("x", "d" * 64)), False),
        ("live", False, (("x", "x"),), True),
        ("always", False, (("x", "x"),), False),
        ("never", True, (("x", "x"),), True),
    ],
    ids=["first", "approved", "each-in-another", "paper", "always", "never"],
)
def test_who_needs_an_approval(
    asked: str,
    live: bool,  # noqa: FBT001 - a parameter of the example
    digests: tuple[tuple[str, str], ...],
    passes: bool,  # noqa: FBT001 - as above
) -> None:
    """Config and code must have been agreed to together; the first plan, and modes not asked for, pass."""
    seen = verdict("require_approval", agreed(*digests, live=live, asked=asked))
    assert seen.passed is passes
    assert "c" * 12 in seen.seen


@pytest.mark.parametrize(
    ("digests", "what"),
    [(("c" * 64, "x"), "code"), (("x", "d" * 64), "config"), (("x", "x"), "config and code")],
)
def test_what_changed_is_named(digests: tuple[str, str], what: str) -> None:
    """Which of the two, and both digests by their first 12 digits."""
    seen = verdict("require_approval", agreed(digests))
    assert seen.detail == f"{what} changed"
    assert seen.allowed == f"config {digests[0][:12]}, code {digests[1][:12]}"


def test_what_history_refuses_it_refuses_of_an_empty_plan_too() -> None:
    """A plan without orders is stored as agreed to: it must have been."""
    for name in ("max_drawdown", "max_equity_move", "require_approval"):
        _, conditions, risk = BOUNDARY[name][1]
        assert not verdict(name, (sent(BOOK, {}), conditions, risk)).passed


def test_without_an_equity_to_measure_by_the_move_is_not_judged() -> None:
    seen = verdict("max_equity_move", case({"A": 1.0}, max_equity_move=1e-9))
    assert (seen.passed, seen.seen) == (True, "unknown")
    assert seen.detail.startswith("not judged")


# What is no number never passes


def _array(book: Book, name: str, bad: float) -> Book:
    array = getattr(book, name).copy()
    array[1] = bad
    return replace(book, **{name: array})


WRONG = ("weights", "held", "price", "cash", "equity", "sent")


def spoilt(name: str, bad: float) -> Book:
    """Give the book with one number, or the second symbol's, replaced."""
    if name in {"cash", "equity", "sent"}:
        return replace(BOOK, **{name: bad})  # type: ignore[arg-type]  # three floats of Book
    return _array(BOOK, name, bad)


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_number_no_trade(name: str, bad: float) -> None:
    """NaN or infinity anywhere in the book is refused first, and nothing is approved."""
    book = spoilt(name, bad)
    with np.errstate(all="ignore"):
        plan = Plan(book, size(book, Execution(), Risk()))
    verdicts = judge(plan, listed(book.symbols), Risk())
    assert [(v.rule, v.passed) for v in verdicts] == [("numbers", False)]
    with pytest.raises(Halted, match="numbers"):
        review(plan, listed(book.symbols), Risk(), Decimal(1))


@pytest.mark.parametrize(
    ("name", "bad"), [("equity", 0.0), ("equity", -1.0), ("price", -1.0), ("held", -1.0), ("weights", -0.1)]
)
def test_no_equity_no_price_and_shorts_are_refused(name: str, bad: float) -> None:
    """A negative equity would turn every fraction's sign, and so pass every limit."""
    book = spoilt(name, bad)
    plan = sent(book, {"A": 1.0})
    assert not judge(plan, listed(book.symbols), WIDE)[0].passed


def test_quantities_that_are_no_numbers_are_refused() -> None:
    assert not judge(sent(BOOK, {"B": np.nan}), listed(BOOK.symbols), WIDE)[0].passed


def test_unknown_volume_refuses_the_order() -> None:
    """Where volume is judged and unknown, no order passes; without an order nothing is judged."""
    book = replace(BOOK, volume=np.array([np.nan, np.nan]))
    assert not verdict("max_adv_share", (sent(book, {"A": 1.0}), listed(book.symbols), WIDE)).passed
    assert verdict("max_adv_share", (sent(book, {}), listed(book.symbols), WIDE)).passed


# Approval


def test_only_review_and_adopt_approve() -> None:
    """An Approved can't be made by hand, nor out of another one."""
    plan = sent(BOOK, {"A": 1.0})
    approved = review(plan, listed(BOOK.symbols), WIDE, Decimal("80000.00"))
    assert approved.cash == Decimal("80000.00")
    assert [v.rule for v in approved.verdicts] == list(BOUNDARY)
    with pytest.raises(TypeError):
        Approved(approved.orders, approved.verdicts, approved.cash, object())
    with pytest.raises((TypeError, ValueError)):
        replace(approved, orders=approved.orders * 2)  # type: ignore[call-arg]  # the point of the test
    assert not hasattr(approved, "_proof")


def test_a_stored_plan_is_adopted_as_recorded() -> None:
    """Its verdicts stand; a refusing one, or none at all, is never traded."""
    passed, refused = (
        Verdict("cash", "portfolio", True, "1", "2"),
        Verdict("cash", "portfolio", False, "3", "2"),
    )
    assert adopt([], [passed], Decimal(1)).verdicts == (passed,)
    with pytest.raises(Halted, match="plan_without_verdicts"):
        adopt([], [], Decimal(1))
    with pytest.raises(Halted, match="cash"):
        adopt([], [passed, refused], Decimal(1))


# Laws


@given(books(), executions, risks)
def test_a_sized_plan_passes_its_own_review(book: Book, execution: Execution, risk: Risk) -> None:
    """Whatever the book and the limits: sizing keeps every rule that it knows, so its review never halts."""
    plan = Plan(book, size(book, execution, risk), exact_holdings(book))
    verdicts = judge(plan, listed(book.symbols), risk)
    assert [v for v in verdicts if not v.passed] == []
    assert review(plan, listed(book.symbols), risk, Decimal(0)).orders == plan.orders()


@given(books(), executions, risks)
def test_judging_repeats(book: Book, execution: Execution, risk: Risk) -> None:
    """The same plan gives the same verdicts, to the letter."""
    plan = Plan(book, size(book, execution, risk))
    assert judge(plan, listed(book.symbols), risk) == judge(plan, listed(book.symbols), risk)


@given(books())
def test_an_empty_plan_passes(book: Book) -> None:
    """Nothing to send is never refused, however the book stands."""
    nothing = np.zeros(len(book.symbols))
    rests = ((Why.RESTS, np.ones(len(book.symbols), dtype=bool)),)
    plan = Plan(book, Sized(book.weights, book.held, nothing, nothing, book.whole, rests))
    strict = Risk(max_exposure=0.01, max_turnover=0.01, max_position=0.01, max_orders=1)
    assert all(v.passed for v in judge(plan, listed(()), strict))
