"""The verdicts' small print: which symbol is named, what is shown, and orders of less than a dollar."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from core.books import WIDE, book_of, listed, sent
from core.test_risk import BOOK, Case, agreed, case, verdict
from trimtab.core.limits import Risk
from trimtab.core.quotes import Touch
from trimtab.core.risk import RULES, Approval, Conditions, adopt, judge
from trimtab.errors import Halted


def small(cash: float, **usd: float) -> Case:
    """Give a plan of orders worth so much at 1 USD a share, by an account that holds 5 of each and `cash`."""
    book = book_of(dict.fromkeys(usd, 0.1), dict.fromkeys(usd, 5.0), dict.fromkeys(usd, 1.0))
    return sent(replace(book, cash=cash), usd), listed(tuple(usd)), WIDE


def quoted(*quantity: tuple[str, float], collar: float = 0.0, **touches: Touch) -> Case:
    """Give a plan whose limits were made under `collar`, judged under none."""
    book = book_of({"A": 0.2, "B": 0.2}, {"A": 100.0, "B": 100.0}, cash=80_000.0)
    plan = sent(book, dict(quantity), touches=touches, collar=collar)
    return plan, listed(book.symbols), WIDE.model_copy(update={"price_collar": 1e-6})


def test_an_empty_plan_is_judged_as_a_whole() -> None:
    """Where nothing trades no symbol is blamed: every verdict is the portfolio's, and passes."""
    seen = judge(sent(BOOK, {}), listed(BOOK.symbols), Risk())
    assert [v.rule for v in seen] == [rule.__name__ for rule in RULES]
    assert {v.subject for v in seen} == {"portfolio"}
    assert all(v.passed for v in seen)


def test_conditions_open_a_session_with_nothing_sent() -> None:
    """Unless told otherwise, the order at hand is the session's first, and so is the run."""
    judged = case({"A": 1.0}, Conditions({}))
    assert (verdict("max_orders", judged).seen, verdict("max_runs_with_orders", judged).seen) == ("1", "1")


def test_the_owner_hears_what_changed_since_the_last_plan() -> None:
    """The last plan's digests are compared, not those of an approval; what was agreed to has not changed."""
    seen = verdict("require_approval", agreed(("x", "d" * 64), ("x", "x")))
    assert (seen.subject, seen.detail) == ("portfolio", "config changed")
    assert seen.allowed == "config x, code " + "d" * 12
    assert Approval(True, "c", "d", (("c", "d"),)).changed() == ""
    assert Approval(True, "c", "d").changed() == ""


@pytest.mark.parametrize(
    ("judged", "detail"),
    [
        (agreed(), "the first plan"),
        (agreed(("x", "x"), asked="never"), "not asked for: never"),
        (agreed(asked="never"), "not asked for: never"),
    ],
)
def test_an_approval_that_is_not_needed_says_why(judged: Case, detail: str) -> None:
    seen = verdict("require_approval", judged)
    assert (seen.subject, seen.allowed, seen.detail) == ("portfolio", "any", detail)


def test_what_cannot_be_judged_is_unknown() -> None:
    """Approval and equity move, where nothing is known of the past."""
    approval = verdict("require_approval", case({"A": 1.0}))
    assert (approval.seen, approval.allowed, approval.detail) == ("unknown", "any", "not judged")
    assert verdict("max_equity_move", case({"A": 1.0})).seen == "unknown"


def test_a_plan_that_was_never_reviewed_is_refused_by_its_code() -> None:
    with pytest.raises(Halted) as refused:
        adopt((), (), Decimal(0))
    assert refused.value.code == "plan_without_verdicts"


def test_wrong_numbers_are_named() -> None:
    """The first five symbols, the first of them as subject; else the account's totals."""
    book = book_of({f"S{i}": 0.1 for i in range(8)}, cash=1000.0)
    bad = replace(book, price=np.array([1.0, 0, 0, 0, 0, 0, 0, 0]))
    seen = verdict("numbers", (sent(bad, {}), listed(book.symbols), WIDE))
    assert (seen.passed, seen.subject, seen.seen) == (False, "S1", "S1, S2, S3, S4, S5")
    poor = replace(book, equity=0.0)
    seen = verdict("numbers", (sent(poor, {}), listed(book.symbols), WIDE))
    assert (seen.passed, seen.subject) == (False, "portfolio")
    assert seen.seen == "equity 0.00, cash 1000.00, sent 0.00"


def test_an_equity_of_cents_is_an_equity() -> None:
    book = book_of({"A": 0.5}, cash=0.5)
    assert verdict("numbers", (sent(book, {}), listed(book.symbols), WIDE)).passed


@pytest.mark.parametrize(("weight", "allowed"), [(0.8, "0.85"), (0.97, "1"), (0.2, "0.25")])
def test_the_default_position_is_the_largest_target_and_a_little(weight: float, allowed: str) -> None:
    """5 % of headroom, and never more than everything."""
    book = book_of({"A": weight, "B": 0.01}, cash=1000.0)
    assert verdict("max_position", (sent(book, {}), listed(book.symbols), WIDE)).allowed == allowed


def test_a_position_is_judged_however_few_shares_raise_it() -> None:
    """Half a share more in a symbol that is above its limit is refused."""
    book = book_of({"A": 0.2}, {"A": 50.0}, cash=5_000.0)
    assert not verdict("max_position", (sent(book, {"A": 0.5}), listed(book.symbols), WIDE)).passed


def test_the_turnover_is_judged_where_one_symbol_trades_and_another_rests() -> None:
    spent = replace(BOOK, sent=49_950.0)
    risk = WIDE.model_copy(update={"max_turnover": 0.5})
    assert not verdict("max_turnover", (sent(spent, {"A": 1.0}), listed(BOOK.symbols), risk)).passed
    assert verdict("max_turnover", (sent(spent, {"A": 0.5}), listed(BOOK.symbols), risk)).passed


def test_a_share_of_a_thin_volume_is_a_share_of_it() -> None:
    """0.008 shares of a symbol that trades half a share a day are 1.6 % of it."""
    thin = replace(BOOK, volume=np.array([0.5, np.inf]))
    risk = WIDE.model_copy(update={"max_adv_share": 0.01})
    seen = verdict("max_adv_share", (sent(thin, {"A": 0.008}), listed(BOOK.symbols), risk))
    assert (seen.passed, seen.seen) == (False, "0.016")


def test_a_run_that_sends_nothing_shows_no_runs() -> None:
    seen = verdict("max_runs_with_orders", case({}, listed(BOOK.symbols, runs=5)))
    assert (seen.passed, seen.seen) == (True, "0")


def test_a_limit_without_a_quote_is_not_held_against_one() -> None:
    """A bid of nothing is no quote; a bid below a dollar is one."""
    none, penny = Touch(Decimal(0), Decimal(0)), Touch(Decimal("0.50"), Decimal("0.50"))
    assert verdict("price_collar", quoted(("A", -10.0), ("B", 10.0), A=none, B=none)).passed
    assert not verdict("price_collar", quoted(("A", 10.0), collar=0.02, A=penny)).passed


def test_the_limit_furthest_from_its_quote_is_named() -> None:
    """The first of the furthest; nobody where every limit is its quote."""
    at = Touch(Decimal(100), Decimal(100))
    assert verdict("price_collar", quoted(("A", 10.0), ("B", 10.0), A=at, B=at)).subject == "portfolio"
    far = verdict("price_collar", quoted(("A", 10.0), ("B", 10.0), collar=0.01, A=at, B=at))
    assert (far.passed, far.subject, far.seen) == (False, "A", "0.01")


@pytest.mark.parametrize(
    ("cash", "usd", "passes"),
    [
        (0.0, {"A": 0.5}, False),  # bought without a cent
        (0.0, {"A": -0.5, "B": 0.9}, False),  # a sell pays once
        (0.0, {"A": -0.9, "B": 0.9}, True),
        (-5.0, {"A": 0.9}, False),  # a debt pays nothing
        (-5.0, {"A": -0.9, "B": 0.9}, False),
    ],
)
def test_orders_below_a_dollar_are_paid_for_too(cash: float, usd: dict[str, float], passes: bool) -> None:  # noqa: FBT001 - a parameter of the example
    assert verdict("cash", small(cash, **usd)).passed is passes


@pytest.mark.parametrize(
    ("quantity", "subject", "sold", "held"),
    [
        ({"A": -150.0, "B": -90.0}, "A", "150", "100"),
        ({"B": -0.5}, "B", "0.5", "200"),
        ({"A": -99.0, "C": 1.0}, "A", "99", "100"),
    ],
)
def test_the_seller_nearest_to_its_holding_is_named(
    quantity: dict[str, float], subject: str, sold: str, held: str
) -> None:
    """Whoever else holds less, or nothing."""
    book = book_of({"C": 0.1, "A": 0.1, "B": 0.1}, {"A": 100.0, "B": 200.0}, cash=1e5)
    seen = verdict("no_short", (sent(book, quantity), listed(book.symbols), WIDE))
    assert (seen.subject, seen.seen, seen.allowed) == (subject, sold, held)


def test_what_the_broker_does_not_list_is_unknown() -> None:
    assert verdict("tradable", case({"A": 1.0}, Conditions({}))).seen == "unknown"
    assert verdict("tradable", case({"A": 1.0})).seen == "all"
