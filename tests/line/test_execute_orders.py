"""Orders: what becomes of one order whose answer, fill or end goes wrong; each is known, counted, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from line_kit import Kill, Killed, Lab, make_lab, make_switch
from trimtab.adapters.sample import synthetic
from trimtab.core.schedule import window
from trimtab.execute.floor import Chain, Floor, adopt
from trimtab.stations.writeahead import approved_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from trimtab.core.record import Document

WANTED = {"AAA": Decimal(200), "BBB": Decimal(300), "CCC": Decimal(500)}
"""What `make_lab` asks for, shares."""


def check_traded(lab: Lab, record: Document) -> None:
    """Everything wanted is held, by one order a symbol, and the books agree."""
    assert record["outcome"] == "traded", record["reason"]
    assert lab.held() == WANTED
    assert sorted(lab.orders()) == [lab.order_id(symbol) for symbol in WANTED]
    assert lab.halted() is None
    lab.check_books()


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "drop"},
        {"action": "drop", "when": "after"},
        {"action": "hang"},
        {"action": "hang", "when": "after"},
        {"action": "html"},
        {"action": "html", "when": "after"},
        {"action": "garbage", "when": "after"},
        {"action": "empty", "when": "after"},
        {"action": "truncated"},
        {"action": "delay", "seconds": 40.0},
        {"action": "duplicate"},
        {"action": "late", "seconds": 3.0},
        {"action": "late", "seconds": 30.0},
        *({"action": "status", "status": s} for s in (408, 409, 425, 429, 500, 503, 504)),
        *({"action": "status", "status": s, "when": "after"} for s in (409, 500, 504)),
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
@pytest.mark.parametrize("times", [1, 2])
def test_an_answer_that_tells_nothing_is_resolved_by_looking_the_id_up(
    root: Path, fault: Mapping[str, Any], times: int
) -> None:
    """Found: adopted. Absent for sure: the same id again. Either way one order, and the run goes on."""
    lab = make_lab(root)
    lab.fault(**fault, nth=2, times=times)
    record = lab.run()
    check_traded(lab, record)
    assert set(lab.posts()) == set(lab.orders())
    assert lab.posts().count(lab.order_id("AAA")) == 1
    assert lab.run()["outcome"] == "in_band"


def test_an_order_whose_fate_stays_unknown_interrupts_and_the_next_run_finds_it(root: Path) -> None:
    """The answer is lost and lookups fail: no guess is made; run again, and it is one order."""
    lab = make_lab(root)
    lab.fault("drop", when="after", nth=2)
    lab.fault("status", "GET", "by_client_order_id", times=0, status=503)
    record = lab.run()
    assert (record["outcome"], record["stage"], record["code"]) == ("interrupted", "execute", "order_unknown")
    assert lab.posts() == [lab.order_id("AAA"), lab.order_id("BBB")]
    lab.face.faults.clear()
    check_traded(lab, lab.run())


def test_an_order_that_no_attempt_gets_through_interrupts(root: Path) -> None:
    """Absent after every attempt: the attempts are few, and the same id each time."""
    lab = make_lab(root)
    lab.fault("drop", nth=2, times=0)
    record = lab.run()
    assert (record["outcome"], record["code"]) == ("interrupted", "order_lost")
    assert lab.posts().count(lab.order_id("BBB")) == 4
    assert sorted(set(lab.posts())) == [lab.order_id(symbol) for symbol in ("AAA", "BBB")]
    lab.face.faults.clear()
    check_traded(lab, lab.run())


def test_no_buy_while_a_sell_lives_that_no_view_shows_yet(root: Path) -> None:
    """The sell is taken, its answer lost, and orders are seen ten seconds late: it is not absent."""
    lab = make_switch(root, behaviour={"delays": {"orders": 10.0}, "latency_s": 15.0})
    lab.fault("drop", when="after")
    lab.fault("drop", when="after", nth=2)
    record = lab.run()
    assert record["outcome"] == "traded"
    orders = lab.orders()
    sold = orders[lab.order_id("AAA")].ended_at
    buys = [order.submitted_at for order in orders.values() if order.side == "buy"]
    assert sold is not None
    assert len(buys) == 2
    assert all(bought > sold for bought in buys)
    lab.check_books()


@pytest.mark.parametrize("other", [{"symbol": "CCC"}, {"side": "sell"}])
def test_an_order_under_our_id_that_is_not_the_plans_latches(root: Path, other: Mapping[str, str]) -> None:
    """Another symbol or side under the next id: interrupted, and no run trades until a person resumes."""
    lab = make_lab(root, held={"BBB": 10})
    body = {"symbol": "BBB", "side": "buy", "type": "market", "time_in_force": "day", "qty": "1"}
    sneak(lab, body | {"client_order_id": lab.order_id("BBB")} | other)
    record = lab.run()
    assert (record["outcome"], record["stage"], record["code"]) == (
        "interrupted",
        "execute",
        "order_mismatch",
    )
    assert b"order_mismatch" in (lab.halted() or b"")
    assert len(lab.store.list("events/")) == 1
    sent = len(lab.sends())
    again = lab.run()
    assert (again["outcome"], again["code"]) == ("halted", "kill_switch")
    assert len(lab.sends()) == sent


def sneak(lab: Lab, body: Mapping[str, object]) -> None:
    """Place an order from elsewhere right after the plan was stored."""
    waiting = [body]

    def watch(verb: str, key: str) -> None:
        if waiting and (verb, key) == ("get", "HALT") and lab.plan() is not None:
            lab.exchange.submit(waiting.pop())
            lab.exchange.advance(1.0)

    lab.watch = watch


def test_a_duplicate_of_the_plans_own_order_is_adopted(root: Path) -> None:
    """Another run was faster under the same id: its order counts, whatever its quantity."""
    lab = make_lab(root)
    body = {"symbol": "BBB", "side": "buy", "type": "market", "time_in_force": "day", "qty": "120"}
    sneak(lab, body | {"client_order_id": lab.order_id("BBB")})
    record = lab.run()
    assert record["outcome"] == "traded", record["reason"]
    assert lab.held() == WANTED
    assert lab.orders()[lab.order_id("BBB", 1)].qty == 180
    lab.check_books()


def test_a_refused_order_is_looked_up_before_it_is_believed(root: Path) -> None:
    """The broker says 403 because another run's order under the same id used the money: that order counts."""
    lab = make_lab(root)
    lab.fault("status", nth=2, status=403, when="after")
    check_traded(lab, lab.run())


def test_an_order_that_the_broker_rejects_later_ends_its_chain(root: Path) -> None:
    """Accepted, then rejected: not tried again today, the others go on, and the reason says so."""
    lab = make_lab(root, behaviour={"rejecting": ("BBB",)})
    record = lab.run()
    assert record["outcome"] == "traded"
    assert "BBB 0 of 300 (rejected: " in record["reason"]
    assert lab.posts().count(lab.order_id("BBB")) == 1
    assert lab.held() == {"AAA": 200, "CCC": 500}
    assert lab.run()["outcome"] == "in_band"
    lab.check_books()


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_a_refused_buy_ends_its_chain_and_the_others_go_on(root: Path, status: int) -> None:
    """Refused in the broker's own words: sent once, named in the reason."""
    lab = make_lab(root)
    lab.fault("status", nth=2, status=status)
    record = lab.run()
    assert record["outcome"] == "traded"
    assert f"BBB 0 of 300 (refused: {status}" in record["reason"]
    assert lab.held() == {"AAA": 200, "CCC": 500}
    assert lab.posts().count(lab.order_id("BBB")) == 1
    assert lab.run()["outcome"] == "in_band"
    lab.check_books()


def test_a_refused_sell_means_no_buys(root: Path) -> None:
    """The buys counted on its money: interrupted, and the next run tries again."""
    lab = make_switch(root)
    lab.fault("status", status=403)
    record = lab.run()
    assert (record["outcome"], record["stage"], record["code"]) == ("interrupted", "execute", "sell_refused")
    assert lab.posts() == [lab.order_id("AAA")]
    assert lab.orders() == {}
    assert lab.run()["outcome"] == "traded"
    lab.check_books()


def test_a_part_filled_order_that_was_cancelled_is_continued_by_its_exact_rest(root: Path) -> None:
    """A run died, someone cancelled its half-filled order: the next slot asks for the rest, to the lot."""
    lab = make_lab(root, behaviour={"partial_probability": 1.0})
    with pytest.raises(Killed):
        lab.run(requests_=Kill(3, after=True, only="POST"))
    lab.exchange.advance(0.5)
    for order in lab.orders().values():
        assert 0 < order.filled_qty < (order.qty or 0)
        lab.exchange.cancel(order.id)
    lab.exchange.advance(1.0)
    lab.exchange.behave(partial_probability=0.0)
    record = lab.run()
    assert record["outcome"] == "traded", record["reason"]
    assert lab.held() == WANTED
    for symbol, qty in WANTED.items():
        first, second = (lab.orders()[lab.order_id(symbol, n)] for n in (0, 1))
        assert second.qty == qty - first.filled_qty
    lab.check_books()


def test_a_chain_ends_when_its_four_ids_are_used(root: Path) -> None:
    """Cancelled from outside each time: four slots, then the reason says so."""
    lab = make_lab(root, {"BBB": 0.15}, behaviour={"halted": ("BBB",)})

    lab.seconds_left = CancellingClock(lab)
    record = lab.run()
    assert record["outcome"] == "traded"
    assert "BBB 0 of 300 (slots: " in record["reason"]
    assert lab.posts() == [lab.order_id("BBB", n) for n in range(4)]
    lab.check_books()


def test_the_order_ids_of_a_session_are_bounded(root: Path) -> None:
    """The limit counts every slot: the chain ends where its next id would pass it."""
    lab = make_lab(root, {"BBB": 0.15}, max_orders=2, behaviour={"halted": ("BBB",)})
    lab.seconds_left = CancellingClock(lab)
    record = lab.run()
    assert record["outcome"] == "traded"
    assert "BBB 0 of 300 (max_orders: " in record["reason"]
    assert lab.posts() == [lab.order_id("BBB", n) for n in range(2)]


def test_orders_are_paced_below_the_brokers_rate(root: Path) -> None:
    """No minute holds more orders than the broker takes; what waits is sized anew, and all is traded."""
    names = [f"S{i:03d}" for i in range(120)]
    lab = make_lab(
        root,
        dict.fromkeys(names, 0.004),
        tape=synthetic(names),
        start=date(2020, 3, 2),
        fill_timeout_s=3600.0,
    )
    assert lab.run()["outcome"] == "traded"
    at = sorted(seen.at for seen in lab.sends())
    assert len(at) == len(names)
    assert all(later - earlier > timedelta(seconds=55) for earlier, later in zip(at, at[90:], strict=False))


class CancellingClock:
    """A deadline which on being asked cancels whatever is open: a person at the broker's page."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def __call__(self) -> float:
        """Give all the time there is."""
        with self._lab.exchange.work() as world:
            live = [order.id for order in world.book.live.values() if order.cancel_due is None]
        for order_id in live:
            self._lab.exchange.cancel(order_id)
        return 1e9


def test_an_order_that_never_fills_is_cancelled_in_time(root: Path) -> None:
    """After `fill_timeout_s` it is cancelled; what stayed unfilled is in the reason; the run is done."""
    lab = make_lab(root, behaviour={"halted": ("BBB",)}, fill_timeout_s=20.0)
    started = lab.exchange.now()
    record = lab.run()
    assert record["outcome"] == "traded"
    assert "BBB 0 of 300 (timeout: not filled within 20 s)" in record["reason"]
    assert lab.orders()[lab.order_id("BBB")].status == "canceled"
    assert 20 <= (lab.exchange.now() - started).total_seconds() <= 30
    lab.check_books()


def test_a_cancel_that_is_lost_is_asked_again(root: Path) -> None:
    """Asking again is harmless; the order ends, and the run is done."""
    lab = make_lab(root, behaviour={"halted": ("BBB",)})
    lab.fault("drop", "DELETE", "/v2/orders/", times=2)
    record = lab.run()
    assert record["outcome"] == "traded", record["reason"]
    assert [seen.method for seen in lab.sends()].count("DELETE") == 3
    lab.check_books()


def test_an_order_that_does_not_end_interrupts(root: Path) -> None:
    """Cancelled, but still open half a minute later: interrupted; the next run finds its end."""
    lab = make_lab(root, behaviour={"halted": ("BBB",), "cancel_latency_s": 100.0})
    record = lab.run()
    assert (record["outcome"], record["code"]) == ("interrupted", "order_open")
    assert [order["symbol"] for order in record["orders"]] == ["AAA", "BBB", "CCC"]
    lab.exchange.advance(100.0)
    lab.exchange.behave(halted=())
    record = lab.run()
    assert record["outcome"] == "traded"
    assert lab.held() == WANTED
    lab.check_books()


def test_the_requests_of_a_run_are_bounded(root: Path) -> None:
    """A broker that takes nothing is not asked without end: POST and DELETE count against one limit."""
    lab = make_lab(root, max_requests=3, behaviour={"halted": ("AAA", "BBB", "CCC")})
    record = lab.run()
    assert (record["outcome"], record["code"]) == ("interrupted", "max_requests")
    assert len(lab.sends()) == 3


def test_an_order_is_absent_only_after_several_looks_over_seconds(root: Path) -> None:
    """The same id goes out again only once it was unknown three times, over some seconds."""
    lab = make_lab(root)
    lab.fault("drop", nth=2)
    assert lab.run()["outcome"] == "traded"
    name = lab.order_id("BBB")
    seen = [(entry.method, entry.at) for entry in lab.face.log.seen if entry.client_order_id == name]
    assert (seen[0][0], seen[-1][0]) == ("POST", "POST")
    looks = [at for method, at in seen if method == "GET"]
    assert len(looks) >= 3
    assert (looks[-1] - looks[0]).total_seconds() >= 3.5


def test_no_more_is_sold_than_is_free(root: Path) -> None:
    """A person's sell, made since the run looked, holds most of the shares: what is free is sold."""
    lab = make_switch(root)
    body = {"symbol": "AAA", "side": "sell", "type": "limit", "limit_price": "200", "time_in_force": "gtc"}
    body |= {"qty": "750", "client_order_id": "by-hand"}
    planned = Kill(2, only="put", after=True, meanwhile=lambda: lab.exchange.submit(body))
    record = lab.run(store=planned)
    assert record["outcome"] == "traded"
    assert lab.orders()["by-hand"].status == "new"
    assert "(unavailable: " in record["reason"]
    assert lab.held()["AAA"] == 750
    assert lab.cash() >= 0


def test_a_view_that_lags_never_overrules_an_end_that_was_seen(root: Path) -> None:
    """A filled order stays filled, whatever an older list shows."""
    lab = make_lab(root)
    lab.run()
    world = lab.world()
    filled = world.broker.order(lab.order_id("AAA"))
    assert filled is not None
    plan = approved_of(lab.plan() or {}).orders[0]
    hours = world.broker.calendar(lab.session, lab.session)[0]
    floor = Floor(world, lab.mandate, window(hours, (5, 10)), lab.h8, adopted=True)
    chain = Chain(plan, [filled])
    adopt(floor, chain, 0, replace(filled, status="new", filled_qty=Decimal(0)))
    assert chain.slots == [filled]
