"""Edges of the controls: of every limit and rule, what just passes and what just does not, in one table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from core.books import listed, sent
from core.test_risk import BOOK, BOUNDARY, agreed, case, verdict
from trimtab.core.allocation import allocate
from trimtab.core.gates import equity_identity
from trimtab.core.limits import Risk
from trimtab.core.portfolio import Account, Portfolio, Position, Quote, SessionHours
from trimtab.core.quotes import judge
from trimtab.core.risk import RULES
from trimtab.core.schedule import window
from trimtab.errors import Halted

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
OPENS, CLOSES = datetime(2026, 3, 2, 14, 30, tzinfo=UTC), datetime(2026, 3, 2, 21, 0, tzinfo=UTC)

Check = Callable[[], bool]
"""Says whether a control lets something pass."""


def ruled(name: str) -> tuple[Check, Check]:
    """Give the edges of a rule on the plan."""
    inside, beyond = BOUNDARY[name]
    return lambda: verdict(name, inside).passed, lambda: verdict(name, beyond).passed


def quoted(bid: str, ask: str, *, last: str = "100", age_s: float = 0.0) -> Check:
    """Say whether a symbol that closed at 100 may trade on this quote."""
    at = NOW - timedelta(seconds=age_s)
    quote = Quote("SPY", Decimal(bid), Decimal(ask), NOW, Decimal(last), at)
    return lambda: judge(quote, 100.0, NOW, Risk()).held is None


def open_at(moment: datetime, minutes: tuple[int, int] = Risk().window) -> Check:
    """Say whether a run at this moment may trade."""
    hours = SessionHours(date(2026, 3, 2), OPENS, CLOSES)
    return lambda: window(hours, minutes).holds(moment)


def summed(total: float) -> Check:
    """Say whether weights with this sum are taken."""

    def taken() -> bool:
        try:
            allocate({"A": 0.5, "B": total - 0.5}, ("A", "B"))
        except Halted:
            return False
        return True

    return taken


def identical(equity: str) -> Check:
    """Say whether this may be the equity of 5,000 USD in cash and 5,000 in shares."""
    shares = Position("SPY", Decimal(10), Decimal(10), Decimal(5000))
    account = Account("PA1", "ACTIVE", Decimal(5000), Decimal(equity))
    return lambda: equity_identity(Portfolio(account, (shares,))).passed


def sized(shares: float) -> Check:
    """Say whether so much of B passes its own limit of 1 %: 10 shares of 100 USD of 100,000."""
    own = case({"A": 150.0, "B": shares}, max_order_size=0.2, max_order_size_by_symbol={"B": 0.01})
    return lambda: verdict("max_order_size", own).passed


MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
EDGES: dict[str, list[tuple[Check, Check]]] = {
    **{rule.__name__: [ruled(rule.__name__)] for rule in RULES},
    "max_order_size_by_symbol": [(sized(10.0), sized(10.0001))],
    "max_gap": [
        (quoted("110", "110"), quoted("110.01", "110.01")),
        (quoted("90", "90"), quoted("89.99", "89.99")),
    ],
    "max_spread": [(quoted("99.50", "100.50"), quoted("99.49", "100.50"))],
    "window": [
        (open_at(OPENS + 5 * MINUTE), open_at(OPENS + 5 * MINUTE - SECOND)),
        (open_at(CLOSES - 10 * MINUTE), open_at(CLOSES - 10 * MINUTE + SECOND)),
        (open_at(OPENS + MINUTE, (1, 2)), open_at(OPENS + MINUTE - SECOND, (1, 2))),
    ],
    # what has no key
    "a last trade of 15 minutes": [(quoted("0", "0", age_s=899), quoted("0", "0", age_s=900))],
    "a crossed quote": [(quoted("100", "100"), quoted("100.01", "100", age_s=900))],
    "weights of 1": [(summed(1 + 1e-12), summed(1.0000001)), (summed(1.0000000000000002), summed(1 + 2e-9))],
    "equity is cash and holdings": [
        (identical("10050.25"), identical("10050.26")),
        (identical("9950.25"), identical("9950.24")),
    ],
}
"""Of each control, pairs of what it lets pass, at its limit, and what it does not, just beyond."""


def test_every_limit_and_every_rule_has_its_edges() -> None:
    """A key of `risk`, or a rule, without both sides here is a control that nobody has tried."""
    assert set(Risk.model_fields) | {rule.__name__ for rule in RULES} <= set(EDGES)
    assert all(EDGES.values())


CASES = [(name, n) for name, pairs in EDGES.items() for n in range(len(pairs))]


@pytest.mark.parametrize(("name", "n"), CASES)
def test_at_its_limit_a_control_lets_pass(name: str, n: int) -> None:
    inside, _ = EDGES[name][n]
    assert inside()


@pytest.mark.parametrize(("name", "n"), CASES)
def test_just_beyond_its_limit_a_control_refuses(name: str, n: int) -> None:
    _, beyond = EDGES[name][n]
    assert not beyond()


LIMITS = {
    "max_order_size": 0.2,
    "max_order_usd": 20_000.0,
    "max_position": 0.25,
    "max_exposure": 0.5,
    "max_turnover": 0.5,
    "max_adv_share": 0.01,
    "max_orders": 2,
    "max_requests": 2,
    "max_runs_with_orders": 3,
    "price_collar": 0.01,
    "max_drawdown": 0.5,
    "max_equity_move": 0.15,
}


@pytest.mark.parametrize("name", LIMITS)
def test_the_limit_that_is_judged_by_is_the_owners(name: str) -> None:
    """What its verdict allows is the key's value, and that alone: no rule has a second home for its limit."""
    for value in (LIMITS[name], LIMITS[name] * 2 if isinstance(LIMITS[name], int) else LIMITS[name] / 2):
        risk = Risk(**{name: value})
        plan = sent(BOOK, {"A": 1.0})
        seen = verdict(name, (plan, listed(BOOK.symbols), risk)) if name != "max_position" else None
        if seen is not None:
            assert float(seen.allowed) == value


def test_an_approval_is_asked_for_by_its_key_alone() -> None:
    """`live` asks where real money trades, `always` everywhere, `never` nowhere."""
    changed = ("x", "y")
    asks = {
        (asked, live): not verdict("require_approval", agreed(changed, live=live, asked=asked)).passed
        for asked in ("live", "always", "never")
        for live in (True, False)
    }
    assert {key for key, value in asks.items() if value} == {
        ("live", True),
        ("always", True),
        ("always", False),
    }
