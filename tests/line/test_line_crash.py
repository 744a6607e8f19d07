"""Crash: whatever step a process dies at, the next run in the session finishes the same plan, once."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

import pytest

from line_kit import Kill, Killed, Lab, make_lab, make_switch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trimtab.core.record import Document


def steps(root: Path, kind: str) -> Iterator[tuple[Lab, str]]:
    """Give a laboratory killed at each step of a run, before and after it, until a run has no more steps."""
    for at in count(1):
        died = False
        for after in (False, True):
            lab = make_switch(root / f"{kind}-{at}-{after}")
            try:
                lab.run(**{kind: Kill(at, after=after)})  # type: ignore[arg-type]  # by name
            except Killed:
                died = True
            else:
                continue
            yield lab, f"{kind} {at} {'after' if after else 'before'}"
        if not died:
            return


def check_finished(lab: Lab, where: str) -> None:
    """One more run, and the plan is traded once, to its end, and written down."""
    record = lab.run()
    assert record["outcome"] in {"traded", "in_band"}, (where, record["reason"])
    assert lab.halted() is None, where
    plan = lab.plan()
    assert plan is not None, where
    filled = Counter({order.symbol: order.filled_qty for order in lab.orders().values()})
    assert filled == {order["symbol"]: Decimal(order["qty"]) for order in plan["orders"]}, where
    assert all(order.client_order_id.endswith("-0") for order in lab.orders().values()), where
    lab.check_books()
    sent = len(lab.sends())
    assert lab.run()["outcome"] == "in_band", where
    assert len(lab.sends()) == sent, where


@pytest.mark.parametrize("kind", ["requests_", "store"])
def test_a_run_killed_at_any_step_is_finished_by_the_next(root: Path, kind: str) -> None:
    """At every request and store call, before and after it counts: fills are the plan, records the truth."""
    n = 0
    for n, (lab, where) in enumerate(steps(root, kind), start=1):  # noqa: B007 - counted
        check_finished(lab, where)
    assert n >= (50 if kind == "requests_" else 16)


def test_a_dead_runs_sell_that_no_view_shows_yet_keeps_the_buys_waiting(root: Path) -> None:
    """It holds the shares, so nothing is free to sell; orders show nine seconds late: no buy meanwhile."""
    weights, held = {"AAA": 0.0, "BBB": 0.45, "CCC": 0.45}, {"AAA": 150, "BBB": 700, "CCC": 1500}
    behaviour = {"delays": {"orders": 9.0}, "latency_s": 30.0}
    lab = make_lab(root, weights, held=held, cash=700, behaviour=behaviour)
    with pytest.raises(Killed):
        lab.run(requests_=Kill(1, after=True, only="POST"))
    lab.exchange.advance(4.0)
    assert lab.run()["outcome"] == "traded"
    orders = lab.orders()
    sold = orders[lab.order_id("AAA")].ended_at
    assert sold is not None
    assert all(order.submitted_at > sold for order in orders.values() if order.side == "buy")
    lab.check_books()


def test_two_kills_in_a_row_are_finished_by_the_third_run(root: Path) -> None:
    """A run that dies while it finishes another's plan leaves that plan to be finished."""
    for at in range(14, 32, 3):
        lab = make_switch(root / str(at))
        for kill in (Kill(at, after=True), Kill(7 + at // 6, after=False)):
            with pytest.raises(Killed):
                lab.run(requests_=kill)
        check_finished(lab, f"twice at {at}")


def test_the_next_session_writes_down_what_a_dead_run_left(root: Path) -> None:
    """A run died with orders sent and was not run again: the next session's run takes its fills in."""
    for at in (21, 22, 23, 27):
        lab = make_switch(root / str(at))
        with pytest.raises(Killed):
            lab.run(requests_=Kill(at, after=True))
        first = lab.session
        lab.exchange.step()
        assert lab.run()["outcome"] == "traded"
        lab.check_books()
        (closing,) = lab.records(first)
        assert closing["reason"].startswith("plan_expired: "), closing["reason"]
        lab.exchange.step()
        lab.run()
        assert len(lab.records(first)) == 1


def test_an_order_that_a_dead_run_left_open_is_cancelled_and_taken_in(root: Path) -> None:
    """Good for a day, but the day's end was never seen: its partial fills count, its rest does not."""
    lab = make_switch(root, behaviour={"partial_probability": 1.0, "day_end": "canceled"})
    with pytest.raises(Killed):
        lab.run(requests_=Kill(23, after=True))
    assert lab.orders()
    lab.exchange.step()
    assert lab.run()["outcome"] == "traded"
    lab.check_books()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("latency", [0.2, 15.0])
def test_a_second_run_within_the_first_changes_nothing(root: Path, latency: float, after: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """At every request of a run, another one runs from start to end: the orders of one run, and no latch."""
    for at in count(1):
        lab = make_switch(root / str(at), behaviour={"latency_s": latency})
        inner: list[Document] = []
        kill = Kill(at, after=after, meanwhile=lambda lab=lab, inner=inner: inner.append(lab.run()))  # type: ignore[misc]  # bound early
        outer = lab.run(requests_=kill)
        if not inner:
            assert at > 30
            return
        where = f"{at}: {outer['reason']} / {inner[0]['reason']}"
        assert outer["outcome"] in {"traded", "in_band"}, where
        assert inner[0]["outcome"] in {"traded", "in_band"}, where
        assert lab.halted() is None, where
        check_finished(lab, where)
