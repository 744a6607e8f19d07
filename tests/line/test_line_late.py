"""Late: what a run could not write down any more, a later one does; trades.db ends as the broker's books."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from line_kit import Kill, Killed, Lab, make_lab, make_switch

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.core.record import Document

FILLS = "/v2/account/activities/FILL"


def recovered(record: Document) -> list[str]:
    """What a run says it completed."""
    return [event["message"] for event in record["events"] if event["code"] == "recovered"]


def stray(lab: Lab, symbol: str, slot: int, **more: str) -> str:
    """Place an order under an id of ours, as a run would that died before it wrote anything down."""
    name = lab.order_id(symbol, slot)
    body = {"symbol": symbol, "side": "buy", "type": "market", "time_in_force": "day", "qty": "3"}
    lab.exchange.submit(body | {"client_order_id": name} | more)
    lab.exchange.advance(5.0)
    return name


@pytest.mark.parametrize("later", ["again", "tomorrow", "closed", "halted"])
def test_fills_that_the_account_showed_late_are_taken_in_by_the_next_run(root: Path, later: str) -> None:
    """After a quarter of a minute a run ends without them; any later run, even one that may not trade."""
    lab = make_lab(root)
    lab.fault("cut", "GET", FILLS, when="after", times=0)
    first = lab.run()
    assert first["outcome"] == "traded"
    assert len(first["fills"]) == 1
    lab.face.faults.clear()
    if later == "tomorrow":
        lab.exchange.step()
    elif later == "closed":
        lab.at(22, 0)
    elif later == "halted":
        lab.store.put_if_absent("HALT", b"stop")
    second = lab.run()
    assert len(recovered(second)) == 1
    assert all(order["sent"] is False and order["session"] == first["session"] for order in second["orders"])
    lab.check_books()
    lab.store.delete("HALT")
    assert recovered(lab.run()) == []
    (root / "trades.db").unlink()
    lab.run()
    lab.check_books()


def test_fills_that_are_still_missing_are_no_news(root: Path) -> None:
    """Nothing is written again until there is more to tell; then all of it."""
    lab = make_lab(root)
    lab.fault("cut", "GET", FILLS, when="after", times=0)
    assert lab.run()["outcome"] == "traded"
    assert recovered(lab.run()) == []
    lab.face.faults.clear()
    assert recovered(lab.run()) != []
    lab.check_books()


def test_a_list_that_lags_behind_the_books_tells_nothing(root: Path) -> None:
    """An order whose end is recorded, shown open: a later run, when the view has caught up, takes it in."""
    lab = make_lab(root)
    lab.fault("cut", "GET", FILLS, when="after", times=0)
    lab.run()
    lab.face.faults.clear()
    lab.fault("alter", "GET", "/v2/orders$", when="after", times=0, fields={"status": "new"})
    record = lab.run()
    assert (record["outcome"], recovered(record), record["orders"]) == ("in_band", [], [])
    lab.face.faults.clear()
    assert recovered(lab.run()) != []
    lab.check_books()


def test_an_account_that_cannot_be_read_leaves_the_rest_to_a_later_run(root: Path) -> None:
    """What is missing in the books keeps no run from its work."""
    lab = make_lab(root)
    lab.fault("cut", "GET", FILLS, when="after", times=0)
    lab.run()
    lab.face.faults.clear()
    lab.fault("status", "GET", FILLS, times=0, status=503)
    assert lab.run()["outcome"] == "in_band"
    lab.face.faults.clear()
    assert recovered(lab.run()) != []
    lab.check_books()


def test_an_order_that_was_open_when_its_run_ended_is_completed_by_the_next(root: Path) -> None:
    """Also under the kill switch: its end is a fact, not a trade."""
    lab = make_lab(root, behaviour={"halted": ("BBB",), "cancel_latency_s": 100.0})
    first = lab.run()
    assert (first["outcome"], first["code"]) == ("interrupted", "order_open")
    lab.store.put_if_absent("HALT", b"stop")
    assert recovered(lab.run()) == []
    lab.exchange.advance(100.0)
    second = lab.run()
    assert (second["outcome"], second["code"]) == ("halted", "kill_switch")
    assert recovered(second) == [f"what became of {lab.order_id('BBB')} was not in the records yet"]
    assert [order["status"] for order in second["orders"]] == ["canceled"]
    rows = lab.trades.query("SELECT DISTINCT run_id FROM orders")
    assert [row["run_id"] for row in rows] == [first["run_id"]]
    lab.check_books()


@pytest.mark.parametrize("tomorrow", [False, True])
def test_an_order_of_a_run_that_died_beside_a_finished_one_is_found(root: Path, tomorrow: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """No record knows it and the plan is done: the next run, today or on the next session, takes it in."""
    lab = make_lab(root)
    assert lab.run()["outcome"] == "traded"
    name, session = stray(lab, "AAA", 1), str(lab.session)
    if tomorrow:
        lab.exchange.step()
    record = lab.run()
    assert recovered(record) == [f"what became of {name} was not in the records yet"]
    (order,) = (o for o in record["orders"] if o["client_order_id"] == name)
    assert (order["session"], order["reason"].split(":")[0]) == (session, "to_target")
    assert Decimal(order["filled_qty"]) == 3
    lab.check_books()
    assert recovered(lab.run()) == []


def test_a_stray_order_that_is_open_is_written_down_open_and_later_ended(root: Path) -> None:
    """First that it is there, then what became of it."""
    lab = make_lab(root)
    lab.run()
    name = stray(lab, "AAA", 1, type="limit", limit_price="1")
    assert recovered(lab.run()) != []
    assert recovered(lab.run()) == []
    lab.exchange.cancel(lab.orders()[name].id)
    lab.exchange.advance(1.0)
    assert recovered(lab.run()) != []
    lab.check_books()


def test_an_order_of_no_plan_of_ours_is_written_down_without_a_reason(root: Path) -> None:
    """A symbol that the plan did not trade."""
    lab = make_lab(root, {"AAA": 0.2, "BBB": 0.15, "CCC": 0.0})
    lab.run()
    name = stray(lab, "CCC", 0)
    record = lab.run()
    assert [o["reason"] for o in record["orders"] if o["client_order_id"] == name] == [""]
    lab.check_books()


def test_a_dry_run_completes_nothing(root: Path) -> None:
    """It only reads."""
    lab = make_lab(root)
    lab.fault("cut", "GET", FILLS, when="after", times=0)
    lab.run()
    lab.face.faults.clear()
    stray(lab, "AAA", 1)
    for _ in range(2):
        record = lab.run(lab.changed(dry_run=True))
        assert (recovered(record), record["orders"], record["fills"]) == ([], [], [])
        lab.exchange.step()
    lab.run()
    lab.check_books()


def test_nothing_is_asked_for_where_nothing_lacks(root: Path) -> None:
    """A run of a finished plan asks for one list of orders, for no fills; the next session's for one more."""
    lab = make_lab(root)
    lab.run()
    before = len(lab.face.log.seen)
    assert lab.run()["outcome"] == "in_band"
    asked = [seen.path for seen in list(lab.face.log.seen)[before:]]
    assert asked == ["/v2/clock", "/v2/account", "/v2/calendar", "/v2/orders"]
    lab.exchange.step()
    before = len(lab.face.log.seen)
    lab.run()
    asked = [seen.path for seen in list(lab.face.log.seen)[before:]]
    assert asked.count("/v2/orders") == 3
    assert FILLS not in asked


def test_a_run_that_resumes_counts_each_order_once(root: Path) -> None:
    """What it completes first and trades on afterwards stands once in its record."""
    lab = make_lab(root, behaviour={"halted": ("BBB",), "cancel_latency_s": 100.0})
    lab.fault("cut", "GET", FILLS, when="after", times=0)
    assert lab.run()["outcome"] == "interrupted"
    lab.face.faults.clear()
    lab.exchange.advance(100.0)
    lab.exchange.behave(halted=())
    record = lab.run()
    assert record["outcome"] == "traded"
    names = [order["client_order_id"] for order in record["orders"]]
    assert sorted(names) == sorted(set(names))
    fills = [fill["fill_id"] for fill in record["fills"]]
    assert len(fills) == len(set(fills)) == 3
    lab.check_books()


@pytest.mark.parametrize("at", range(1, 5))
def test_a_run_that_dies_beside_a_finished_one_leaves_nothing_unwritten(root: Path, at: int) -> None:
    """The inner run finishes within the outer, which then dies: one more run, and the books agree."""
    for latency in (0.2, 15.0):
        lab = make_switch(root / str(latency), behaviour={"latency_s": latency})
        lab.exchange.behave(partial_probability=1.0)

        def beside(lab: Lab = lab) -> None:
            lab.run()
            raise Killed

        try:
            lab.run(requests_=Kill(at, after=True, only="POST", meanwhile=beside))
        except Killed:
            lab.exchange.advance(130.0)
        assert lab.run()["outcome"] in {"traded", "in_band"}
        lab.check_books()


def left_behind(root: Path, times: int) -> Lab:
    """A run died yesterday with its orders sent; today's lists show them open so many times."""
    lab = make_switch(root)
    with pytest.raises(Killed):
        lab.run(requests_=Kill(3, after=True, only="POST"))
    lab.exchange.step()
    lab.fault("alter", "GET", "/v2/orders$", nth=3, times=times, when="after", fields={"status": "held"})
    return lab


def test_an_earlier_plans_order_is_waited_for(root: Path) -> None:
    """What the broker still shows open of yesterday is looked at again until it has ended."""
    lab = left_behind(root, 3)
    started = lab.exchange.now()
    assert lab.run()["outcome"] == "traded"
    assert (lab.exchange.now() - started).total_seconds() >= 3
    lab.check_books()


def test_an_earlier_plans_order_that_does_not_end_halts(root: Path) -> None:
    """After half a minute, before anything is planned; the next run looks again."""
    lab = left_behind(root, 0)
    started = lab.exchange.now()
    record = lab.run()
    assert (record["outcome"], record["stage"], record["code"]) == ("halted", "positions", "open_order")
    assert 30 <= (lab.exchange.now() - started).total_seconds() <= 40
    lab.face.faults.clear()
    assert lab.run()["outcome"] == "traded"
    lab.check_books()


def test_waiting_for_an_earlier_plan_stops_for_the_deadline(root: Path) -> None:
    """There is time left for the record."""
    lab = left_behind(root, 0)
    started = lab.exchange.now()
    lab.seconds_left = lambda: 40 - (lab.exchange.now() - started).total_seconds()
    record = lab.run()
    assert (record["outcome"], record["code"]) == ("halted", "deadline")
    assert 10 < (lab.exchange.now() - started).total_seconds() < 15


def test_fills_are_not_waited_for_in_the_last_seconds(root: Path) -> None:
    """The record is written without them, and the next run takes them in."""
    lab = make_lab(root)
    lab.fault("cut", "GET", FILLS, when="after", times=0)
    started = lab.exchange.now()
    lab.seconds_left = lambda: 35 - (lab.exchange.now() - started).total_seconds()
    record = lab.run()
    assert record["outcome"] == "traded"
    assert lab.seconds_left() > 25
    lab.seconds_left = lambda: 1e9
    lab.face.faults.clear()
    assert recovered(lab.run()) != []
    lab.check_books()


def test_waiting_for_views_that_agree_stops_for_the_deadline(root: Path) -> None:
    """Cash and holdings that do not add up are looked at again while there is time for the record."""
    lab = make_lab(root, behaviour={"flags": {"equity": "200000"}})
    started = lab.exchange.now()
    for left, least, most in ((1e9, 15.0, 20.0), (37.0, 3.0, 9.0)):
        started = lab.exchange.now()
        lab.seconds_left = lambda left=left, began=started: (
            left - (lab.exchange.now() - began).total_seconds()
        )
        record = lab.run()
        assert (record["outcome"], record["code"]) == ("halted", "equity_identity")
        assert least <= (lab.exchange.now() - started).total_seconds() <= most


def test_waiting_for_an_earlier_sessions_order_stops_for_the_deadline(root: Path) -> None:
    """Half a minute at most, and never into the time for the record."""
    lab = make_lab(root)
    lab.run()
    stray(lab, "AAA", 1, type="limit", limit_price="1", time_in_force="gtc")
    lab.exchange.step()
    lab.exchange.behave(cancel_latency_s=1000.0)
    for left, least, most in ((1e9, 30.0, 36.0), (40.0, 5.0, 12.0)):
        started = lab.exchange.now()
        lab.seconds_left = lambda left=left, began=started: (
            left - (lab.exchange.now() - began).total_seconds()
        )
        record = lab.run()
        assert (record["outcome"], record["code"]) == ("halted", "open_order")
        assert least <= (lab.exchange.now() - started).total_seconds() <= most


def test_an_order_that_arrived_after_the_close_is_taken_in_with_its_fill(root: Path) -> None:
    """It waits for the next session's open and fills there: another day than its session's."""
    lab = make_lab(root, weights={"AAA": 0.9, "BBB": 0.05})
    assert lab.run()["outcome"] == "traded"
    lab.at(21, 5)
    name = stray(lab, "BBB", 1)
    lab.exchange.step()
    lab.run()
    order = lab.orders()[name]
    assert (order.status, order.ended_at and order.ended_at.day) == ("filled", 2)
    lab.check_books()


def test_orders_of_a_session_whose_record_holds_none_are_found(root: Path) -> None:
    """Its only order arrived when the plan had been recorded as ended without it."""
    lab = make_lab(root, weights={"AAA": 0.1}, fill_timeout_s=5.0)
    lab.fault("drop", times=0)
    record = lab.run()
    assert (record["orders"], record["outcome"]) == ([], "traded")
    lab.face.faults.clear()
    name = stray(lab, "AAA", 0)
    lab.exchange.step()
    lab.run()
    assert lab.trades.query("SELECT filled_qty FROM orders WHERE client_order_id = ?", (name,))
    lab.check_books()
