"""Floor: the limits of one run, each on both sides: deadline, requests, ids, pace; slots; cancels."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from floor_kit import START, Stage, floor_of, order_of, request_of, shown
from trimtab.errors import Halted, Interrupted
from trimtab.execute.cancel import cancel, withdraw
from trimtab.execute.floor import Chain, Floor, adopt, observe
from trimtab.execute.submit import judge_flag, permitted
from trimtab.ports import Unauthorized, Unreachable
from trimtab.switch import flag_of

if TYPE_CHECKING:
    from datetime import datetime

    from trimtab.core.portfolio import BrokerOrder

BUY = order_of("AAA", "buy", "10")
SELL = order_of("BBB", "sell", "5", base="8")


def slot(floor: Floor, chain: Chain, n: int, status: str, filled: str = "0", qty: str = "10") -> BrokerOrder:
    """An order in a chain's slot."""
    return shown(request_of(floor, chain, qty, n), status, Decimal(filled), Decimal(10))


@pytest.mark.parametrize(
    ("left", "request_s", "stops"),
    [(30.0, 0.0, False), (29.999, 0.0, True), (31.0, 1.0, False), (30.999, 1.0, True), (-1.0, 0.0, True)],
)
def test_nothing_begins_that_would_reach_into_the_last_thirty_seconds(
    left: float,
    request_s: float,
    stops: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """At the limit it may, below it stops, and says how much was left."""
    stage = Stage(left=lambda: left)
    floor, _ = floor_of(stage)
    if not stops:
        floor.judge_deadline(request_s)
        return
    with pytest.raises(Halted) as caught:
        floor.judge_deadline(request_s)
    assert (caught.value.code, caught.value.seen) == ("deadline", f"{left:.0f} s left")


def test_an_order_needs_a_second_more_than_the_record() -> None:
    """What is sent has to arrive before the last thirty seconds."""
    stage = Stage(left=lambda: 30.9)
    floor, (chain,) = floor_of(stage, [BUY])
    with pytest.raises(Halted, match="no time left"):
        permitted(floor, lambda: True)
    chain.slots.append(slot(floor, chain, 0, "new"))
    with pytest.raises(Halted, match="no time left"):
        cancel(floor, [chain])
    stage.left = lambda: 31.0
    permitted(floor, lambda: True)
    cancel(floor, [chain])
    assert floor.requests == 2


def test_what_stops_a_run_is_named_by_whether_it_sent() -> None:
    """Halted before the first order, interrupted after it; the hint says what to do, or what was given."""
    floor, _ = floor_of(Stage())
    stop = floor.stop("code", "message", seen=3)
    assert (type(stop), stop.code, stop.seen) == (Halted, "code", 3)
    assert stop.hint == "run again in this session: it finishes the same plan"
    floor.sent.append("id")
    stop = floor.stop("code", "message", hint="other")
    assert (type(stop), stop.hint, stop.seen) == (Interrupted, "other", None)


def test_the_requests_of_a_run_are_counted_to_the_last() -> None:
    """As many as allowed pass, the next stops."""
    floor, _ = floor_of(Stage(), max_requests=3)
    for _ in range(3):
        floor.spend_request()
    with pytest.raises(Halted) as caught:
        floor.spend_request()
    assert (caught.value.code, caught.value.seen, floor.requests) == ("max_requests", "3 of 3", 3)


def test_the_ids_of_a_session_are_counted_once_each() -> None:
    """The same id again is no further one; one too many is not used."""
    floor, _ = floor_of(Stage(), max_orders=2)
    assert floor.may_use("a")
    assert floor.may_use("b")
    assert floor.may_use("a")
    assert not floor.may_use("c")
    assert floor.ids == {"a", "b"}


def test_ids_name_account_session_symbol_and_slot() -> None:
    """Nothing else is in them."""
    floor, _ = floor_of(Stage())
    assert floor.id_of("BRK.B", 3) == "tt1-0123abcd-20210301-BRK.B-3"


def test_ninety_orders_pass_and_the_next_waits_for_the_minutes_end() -> None:
    """The first of ninety must be a whole minute ago; the wait stops for the deadline."""
    stage = Stage()
    floor, _ = floor_of(stage)
    for _ in range(90):
        floor.pace()
    assert stage.seconds == 0
    stage.seconds = 59.0
    floor.pace()
    assert stage.seconds == 60.0
    stage.left = lambda: 30.5
    floor.pace()
    floor.times[0] = stage.monotonic()
    with pytest.raises(Halted, match="no time left"):
        floor.pace()


def test_a_latch_is_set_with_the_brokers_time_or_the_machines() -> None:
    """A broker that is gone must not keep the latch open; the error is the run's."""
    for gone in (None, Unreachable(""), Unauthorized("")):
        stage = Stage()

        class Gone(Stage):
            calls = 0

            def now(self, gone: Exception | None = gone) -> datetime:
                Gone.calls += 1
                if Gone.calls == 1 and gone is not None:
                    raise gone
                return START

        stage = Gone(seconds=7.0)
        floor, _ = floor_of(stage)
        stop = floor.latch("order_mismatch", "wrong", seen="x")
        assert (stop.code, stop.seen, stop.hint) == (
            "order_mismatch",
            "x",
            "look at the account, then trimtab resume",
        )
        flag = json.loads(stage.shelf.blobs[flag_of("main")])
        assert flag == {"who": "trimtab", "why": "order_mismatch: wrong", "at": START.isoformat()}
        assert Gone.calls == (1 if gone is None else 2)


# slots


def counts(chain: Chain) -> tuple[str, str, str, bool, bool]:
    """What a chain says of its slots."""
    return (
        str(chain.filled),
        str(chain.residual),
        f"{chain.value.normalize():f}",
        chain.in_flight,
        chain.wants,
    )


def test_a_chain_counts_what_its_slots_filled() -> None:
    """Filled, left and moved over all slots; only the last may be in flight."""
    floor, (chain,) = floor_of(Stage(), [BUY])
    empty, first = counts(chain), slot(floor, chain, 0, "canceled", "4")
    assert empty == ("0", "10", "0", False, True)
    for status, filled, seen in (
        ("new", "1.5", ("5.5", "4.5", "55", True, False)),
        ("filled", "5.999999", ("9.999999", "0.000001", "99.99999", False, True)),
        ("filled", "5.9999991", ("9.9999991", "9E-7", "99.999991", False, False)),
    ):
        chain.slots = [first, slot(floor, chain, 1, status, filled)]
        assert counts(chain) == seen
    chain.slots[1] = replace(chain.slots[1], filled_avg_price=None)
    assert chain.value == 40


@pytest.mark.parametrize("odd", [{"symbol": "CCC"}, {"side": "sell"}, {"status": "replaced"}])
def test_what_is_not_the_plans_is_not_adopted_but_latched(odd: dict[str, str]) -> None:
    """Another symbol, another side, or replaced by someone: no slot, a flag, and what was seen."""
    stage = Stage()
    floor, (chain,) = floor_of(stage, [BUY])
    order = replace(slot(floor, chain, 0, "new"), **odd)  # type: ignore[arg-type]  # texts
    with pytest.raises(Halted) as caught:
        adopt(floor, chain, 0, order)
    assert caught.value.code == "order_mismatch"
    assert caught.value.seen == f"{order.client_order_id}: {order.side} {order.symbol}, {order.status}"
    assert (chain.slots, list(stage.shelf.list("halts/"))) == ([], ["halts/main"])


@pytest.mark.parametrize("odd", [{"symbol": "CCC"}, {"side": "sell"}, {"status": "replaced"}])
def test_once_a_session_is_over_a_strange_order_is_left_out_and_named(odd: dict[str, str]) -> None:
    """No flag, which would stop every later session, too; its chain ends there, and the others are walked."""
    stage = Stage()
    floor, (chain, other) = floor_of(stage, [BUY, SELL])
    floor.over = True
    ours, next_one = slot(floor, chain, 0, "canceled", "1"), slot(floor, chain, 2, "filled")
    strange = replace(slot(floor, chain, 1, "filled"), **odd)  # type: ignore[arg-type]  # texts
    theirs = slot(floor, other, 0, "filled")
    stage.orders = {order.client_order_id: order for order in (ours, strange, next_one, theirs)}
    observe(floor, [chain, other])
    assert (chain.slots, other.slots) == ([ours], [theirs])
    assert floor.strange == {strange.client_order_id}
    assert stage.shelf.list("halts/") == ()


def test_while_a_session_lasts_a_strange_order_latches() -> None:
    """A floor is not over by itself."""
    stage = Stage()
    floor, (chain,) = floor_of(stage, [BUY])
    strange = replace(slot(floor, chain, 0, "filled"), side="sell")
    stage.orders = {strange.client_order_id: strange}
    with pytest.raises(Halted):
        observe(floor, [chain])
    assert (floor.strange, stage.shelf.list("halts/")) == (set(), ("halts/main",))


def test_a_new_slot_begins_with_fresh_counts() -> None:
    """Attempts and cancels are of one slot; a cancel of the last one is none of the next."""
    floor, (chain,) = floor_of(Stage(), [BUY])
    chain.attempts, chain.cancels, chain.cancelling = 2, 3, True
    adopt(floor, chain, 0, slot(floor, chain, 0, "new"))
    assert (chain.attempts, chain.cancels, chain.cancelling) == (0, 0, False)
    assert floor.ids == {floor.id_of("AAA", 0)}
    chain.cancelling = True
    adopt(floor, chain, 0, slot(floor, chain, 0, "canceled"))
    assert (chain.cancelling, chain.slots[0].status) == (True, "canceled")


@pytest.mark.parametrize(
    ("seen", "view", "kept"),
    [
        (("new", "0"), ("partially_filled", "4"), "view"),
        (("partially_filled", "4"), ("partially_filled", "4"), "view"),
        (("partially_filled", "4"), ("new", "0"), "seen"),
        (("partially_filled", "4"), ("canceled", "3"), "seen"),
        (("partially_filled", "4"), ("canceled", "4"), "view"),
        (("filled", "10"), ("new", "0"), "seen"),
        (("canceled", "4"), ("canceled", "3"), "seen"),
        (("canceled", "4"), ("filled", "10"), "seen"),
    ],
)
def test_a_view_never_takes_back_an_end_or_a_fill(
    seen: tuple[str, str], view: tuple[str, str], kept: str
) -> None:
    """An end is final; an end with fewer fills than were seen is not believed."""
    floor, (chain,) = floor_of(Stage(), [BUY])
    views = {"seen": slot(floor, chain, 0, *seen), "view": slot(floor, chain, 0, *view)}
    adopt(floor, chain, 0, views["seen"])
    adopt(floor, chain, 0, views["view"])
    assert chain.slots == [views[kept]]


def test_a_list_is_read_from_a_day_before_the_window() -> None:
    """Slots are taken in order, up to the first that is not there."""
    stage = Stage()
    floor, (chain,) = floor_of(stage, [BUY])
    for n in (0, 1, 3):
        order = slot(floor, chain, n, "canceled")
        stage.orders[order.client_order_id] = order
    observe(floor, [chain])
    assert [order.client_order_id[-1] for order in chain.slots] == ["0", "1"]
    assert stage.log == [(0.0, "orders", "2021-02-28T14:35:00+00:00")]


def test_all_four_slots_are_walked_and_no_fifth() -> None:
    """There are four ids."""
    stage = Stage()
    floor, (chain,) = floor_of(stage, [BUY])
    for n in range(5):
        order = slot(floor, chain, n, "canceled")
        stage.orders[order.client_order_id] = order
    observe(floor, [chain], look_up=[chain])
    assert len(chain.slots) == 4
    assert stage.asked("order") == []


def test_an_order_that_no_list_shows_is_looked_up_where_asked() -> None:
    """Of the chains asked for, and only where the next id may be in use."""
    stage = Stage()
    floor, chains = floor_of(stage, [BUY, SELL])
    for chain in chains:
        for n in (0, 1):
            order = slot(floor, chain, n, "canceled", "1")
            stage.orders[order.client_order_id] = order
            stage.hidden.add(order.client_order_id)
    observe(floor, chains)
    assert stage.asked("order") == []
    observe(floor, chains, look_up=[chains[1]])
    assert [len(chain.slots) for chain in chains] == [0, 2]
    names = [what for _, what in stage.asked("order")]
    assert names == [floor.id_of("BBB", n) for n in range(3)]


@pytest.mark.parametrize(("status", "filled"), [("new", "0"), ("filled", "10")])
def test_an_id_that_no_run_uses_is_not_looked_up(status: str, filled: str) -> None:
    """The slot before is open, or nothing is wanted any more."""
    stage = Stage()
    floor, (chain,) = floor_of(stage, [BUY])
    order = slot(floor, chain, 0, status, filled)
    stage.orders[order.client_order_id] = order
    observe(floor, [chain], look_up=[chain])
    assert stage.asked("order") == []
    assert len(chain.slots) == 1


# cancels


def opened(stage: Stage, count: int, **changes: Any) -> tuple[Floor, list[Chain]]:  # noqa: ANN401 - fields of the mandate
    """A floor with so many orders open."""
    floor, chains = floor_of(stage, [order_of(f"S{n}", "buy", "10") for n in range(count)], **changes)
    for chain in chains:
        request = request_of(floor, chain, "10")
        stage.open(request)
    observe(floor, chains)
    stage.log.clear()
    return floor, list(chains)


def test_a_cancel_that_arrived_is_not_asked_again() -> None:
    """Once each, by the broker's id."""
    stage = Stage(on_cancel=lambda _: None)
    floor, chains = opened(stage, 2)
    for _ in range(2):
        cancel(floor, chains)
    assert [what for _, what in stage.asked("cancel")] == [chain.slots[0].id for chain in chains]
    assert all(chain.cancelling for chain in chains)
    assert floor.requests == 2


def test_a_cancel_that_is_lost_is_asked_three_times_and_never_stops_the_others() -> None:
    """A round ends at the first loss; the one asked least often comes first; all have three."""
    stage = Stage()
    floor, chains = opened(stage, 3)
    stage.gone = {"cancel"}
    for _ in range(12):
        cancel(floor, chains)
    names = [what[-3] for _, what in stage.asked("cancel")]
    assert names == ["0", "1", "2"] * 3
    assert [chain.cancels for chain in chains] == [3, 3, 3]
    assert not any(chain.cancelling for chain in chains)


def test_a_cancel_counts_against_the_runs_requests() -> None:
    """POST and DELETE have one limit."""
    stage = Stage(on_cancel=lambda _: None)
    floor, chains = opened(stage, 3, max_requests=2)
    with pytest.raises(Halted, match="used up"):
        cancel(floor, chains)
    assert len(stage.asked("cancel")) == 2


def test_a_halted_run_sees_its_orders_end() -> None:
    """Cancelled, and looked at until they ended, each second."""
    stage = Stage(on_cancel=lambda _: None)
    floor, chains = opened(stage, 2)

    def end() -> None:
        if stage.seconds == 3:
            for chain in chains:
                stage.end(chain.slots[0].id)

    stage.on_sleep = end
    withdraw(floor, chains)
    assert stage.seconds == 3
    assert [chain.slots[0].status for chain in chains] == ["canceled"] * 2
    assert len(stage.asked("cancel")) == 2


def test_a_halted_run_waits_fifteen_seconds_for_its_orders_to_end() -> None:
    """No longer: the next run writes down what became of them."""
    stage = Stage(on_cancel=lambda _: None)
    floor, chains = opened(stage, 1)
    withdraw(floor, chains)
    assert stage.seconds == 15
    assert len(stage.asked("orders")) == 16


@pytest.mark.parametrize("gone", ["orders", "cancel"])
def test_a_halted_run_whose_broker_is_gone_ends(gone: str) -> None:
    """What it can't read or ask it leaves; three requests for one order at most."""
    stage = Stage()
    floor, chains = opened(stage, 1)
    stage.gone = {gone}
    withdraw(floor, chains)
    assert len(stage.asked("cancel")) == (3 if gone == "cancel" else 0)
    assert stage.seconds == (15 if gone == "cancel" else 0)


def test_a_halted_run_cancels_nothing_in_its_last_seconds() -> None:
    """The record comes first."""
    stage = Stage(left=lambda: 30.0)
    floor, chains = opened(stage, 1)
    withdraw(floor, chains)
    assert stage.asked("cancel") == []


def test_the_flag_is_named_with_what_lifts_it() -> None:
    """The portfolio's own, and the one for all."""
    for key, cure in (("halts/main", "trimtab resume clears it"), ("HALT", "trimtab resume --all clears it")):
        for text, seen in ((b"closed for repair", "closed for repair"), (b"", key)):
            stage = Stage()
            floor, _ = floor_of(stage)
            judge_flag(floor)
            stage.shelf.blobs[key] = text
            with pytest.raises(Halted) as caught:
                judge_flag(floor)
            stop = caught.value
            assert (stop.code, stop.message, stop.seen, stop.hint) == (
                "kill_switch",
                f"{key} is set",
                seen,
                cure,
            )
    stage = Stage()
    stage.shelf.blobs["halts/other"] = b""
    judge_flag(floor_of(stage)[0])
