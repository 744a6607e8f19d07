"""Phases: when the line waits, cancels, sizes and sends, on either side of each limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from floor_kit import (
    OPENS,
    SESSION,
    START,
    accepted,
    approved_of,
    floor_of,
    order_of,
    quote,
    request_of,
    shown,
    sizes,
    stage_of,
    trade,
)
from trimtab.core.schedule import Window
from trimtab.errors import Halted, Interrupted
from trimtab.execute import execute
from trimtab.ports import Refused, Submitted, Unreachable

if TYPE_CHECKING:
    from trimtab.core.portfolio import OrderRequest

BUY = order_of("AAA", "buy", "10")
SELL = order_of("BBB", "sell", "5", base="8")


def test_a_plan_is_traded_sells_first_and_each_chain_says_so() -> None:
    """Two phases, one order each, all filled."""
    stage = stage_of()
    _, chains = trade(stage, [SELL, BUY])
    assert sizes(stage) == [("BBB", 5), ("AAA", 10)]
    assert [chain.ended for chain in chains] == ["filled", "filled"]
    assert stage.asked("sleep") == []


def test_a_plan_of_ones_own_is_not_looked_up_first() -> None:
    """Its slots are looked at with the account; only an adopted plan asks for single ids and holdings."""
    stage = stage_of()
    trade(stage, [BUY])
    assert (stage.asked("order"), stage.asked("positions")) == ([], [])
    stage = stage_of()
    trade(stage, [BUY], adopted=True)
    assert [what[-5:] for _, what in stage.asked("order")] == ["AAA-0"]
    assert len(stage.asked("positions")) == 1


def test_an_adopted_plan_is_judged_before_it_is_traded() -> None:
    """Other holdings than its base: nothing is sent."""
    stage = stage_of()
    stage.held["BBB"] = Decimal(7)
    with pytest.raises(Halted, match="started from and filled"):
        trade(stage, [SELL, BUY], adopted=True)
    assert stage.requests == []


def test_the_pauses_between_looks_double_up_to_two_seconds() -> None:
    """And begin anew with each order that is sent."""
    stage = stage_of()
    stage.on_submit = stage.open

    def fill() -> None:
        if stage.seconds in {7.75, 8.0}:
            stage.on_submit = stage.fill
            for request in stage.requests:
                stage.end(f"b-{request.client_order_id}")

    stage.on_sleep = fill
    trade(stage, [BUY])
    assert [what for _, what in stage.asked("sleep")] == ["0.25", "0.5", "1", "2", "2", "2"]
    assert len(stage.requests) == 2


def test_the_pauses_begin_anew_with_the_next_order() -> None:
    """Ended by others after 3.75 seconds: the second slot is looked at soon again."""
    stage = stage_of()
    stage.on_submit = stage.open

    def end() -> None:
        if stage.seconds in {3.75, 4.5}:
            stage.end(
                f"b-{stage.requests[-1].client_order_id}", "canceled" if stage.seconds < 4 else "rejected"
            )

    stage.on_sleep = end
    trade(stage, [BUY])
    assert [what for _, what in stage.asked("sleep")] == ["0.25", "0.5", "1", "2", "0.25", "0.5"]


def test_an_order_that_another_run_has_open_is_looked_at_soon() -> None:
    """The first pause is the same as after an order of one's own; nothing is sent."""
    stage = stage_of()
    floor, chains = floor_of(stage, [BUY], adopted=True)
    request = request_of(floor, chains[0], "10")
    stage.open(request)
    stage.on_sleep = lambda: stage.end(f"b-{request.client_order_id}", "rejected")
    execute(approved_of([BUY]), floor, chains)
    assert stage.asked("sleep") == [(0.0, "0.25")]
    assert stage.requests == []


def test_a_plan_that_is_done_asks_for_nothing_more() -> None:
    """Adopted, all of it filled: neither cash nor quotes are read."""
    stage = stage_of()
    floor, chains = floor_of(stage, [SELL, BUY], adopted=True)
    for chain in chains:
        request = request_of(floor, chain, str(chain.order.qty))
        stage.quoted[request.symbol] = quote(request.symbol, "10")
        stage.fill(request)
    execute(approved_of([SELL, BUY]), floor, chains)
    assert {verb for _, verb, _ in stage.log} == {"orders", "positions"}
    assert [chain.ended for chain in chains] == ["filled", "filled"]


@pytest.mark.parametrize(("limit", "at"), [(19.75, 19.75), (19.76, 21.75)])
def test_an_order_is_cancelled_when_its_time_is_over(limit: float, at: float) -> None:
    """At the limit, not before; its end is the chain's."""
    stage = stage_of()
    stage.on_submit = stage.open
    _, (chain,) = trade(stage, [BUY], fill_timeout_s=limit)
    assert [when for when, _ in stage.asked("cancel")] == [at]
    assert chain.ended == f"timeout: not filled within {limit:g} s"


@pytest.mark.parametrize(("limit", "at"), [(19.75, 49.75), (19.76, 51.75)])
def test_a_cancelled_order_may_take_thirty_seconds_to_end(limit: float, at: float) -> None:
    """At the thirtieth it interrupts, naming the order."""
    stage = stage_of(on_cancel=lambda _: None)
    stage.on_submit = stage.open
    with pytest.raises(Interrupted) as caught:
        trade(stage, [BUY], fill_timeout_s=limit)
    assert (caught.value.code, caught.value.seen) == ("order_open", "tt1-0123abcd-20210301-AAA-0")
    assert stage.seconds == at
    assert len(stage.asked("cancel")) == 1


@pytest.mark.parametrize(("limit", "again"), [(3.75, False), (3.76, True)])
def test_a_chain_whose_order_ended_late_is_not_sent_on(limit: float, again: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Ended by others with nothing filled: within the phase's time the next slot goes out, else none."""
    stage = stage_of()
    stage.on_submit = stage.open

    def end() -> None:
        if stage.seconds == 3.75:
            stage.end(f"b-{stage.requests[0].client_order_id}")
            stage.on_submit = stage.fill

    stage.on_sleep = end
    _, (chain,) = trade(stage, [BUY], fill_timeout_s=limit)
    assert len(stage.requests) == (2 if again else 1)
    assert chain.ended == ("filled" if again else "timeout: no time left to send")


@pytest.mark.parametrize(
    ("filled", "ended", "slots"),
    [("9.4", "filled", 2), ("9.4001", "filled", 1), ("9.499999", "filled", 1), ("12", "filled", 1)],
)
def test_a_rest_worth_less_than_the_smallest_order_is_left(filled: str, ended: str, slots: int) -> None:
    """One dollar is still sent for; a cent less is done."""
    stage = stage_of()

    def part(request: OrderRequest) -> Submitted:
        stage.on_submit = stage.fill
        stage.orders[request.client_order_id] = shown(request, "canceled", Decimal(filled), Decimal(10))
        return accepted(stage, request)

    stage.on_submit = part
    _, (chain,) = trade(stage, [order_of("AAA", "buy", "9.5")])
    assert (chain.ended, len(chain.slots)) == (ended, slots)


def test_a_rest_below_a_lot_is_no_order_whatever_it_is_worth() -> None:
    """The broker takes no such quantity of ours."""
    stage = stage_of()
    stage.quoted["AAA"] = quote("AAA", "3000000")

    def part(request: OrderRequest) -> Submitted:
        stage.orders[request.client_order_id] = shown(request, "canceled", Decimal("0.0000005"), Decimal(1))
        return accepted(stage, request)

    stage.on_submit = part
    _, (chain,) = trade(stage, [order_of("AAA", "buy", "0.000001", 3e6)])
    assert chain.ended == "filled"
    assert len(stage.requests) == 1


@pytest.mark.parametrize("status", ["rejected", "canceled", "expired"])
def test_a_rejection_ends_a_chain_and_another_end_does_not(status: str) -> None:
    """Rejected once is rejected; else all four ids are used."""
    stage = stage_of()

    def end(request: OrderRequest) -> Submitted:
        stage.orders[request.client_order_id] = shown(request, status)
        return accepted(stage, request)

    stage.on_submit = end
    _, (chain,) = trade(stage, [BUY])
    rejected = status == "rejected"
    assert chain.ended.split(":")[0] == ("rejected" if rejected else "slots")
    assert len(stage.requests) == (1 if rejected else 4)


@pytest.mark.parametrize("loopback", [False, True])
def test_an_old_quote_is_judged_anew_before_its_order(loopback: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """On loopback, where prices may be replayed by another clock, its time says nothing."""
    stage = stage_of()
    stage.quoted["AAA"] = replace(stage.quoted["AAA"], at=START - timedelta(days=1))
    _, (chain,) = trade(stage, [BUY], loopback=loopback)
    assert len(stage.requests) == (1 if loopback else 0)
    assert chain.ended.partition(":")[0] == ("filled" if loopback else "no_quote")


@pytest.mark.parametrize(("opens", "closes", "held"), [(0, 0, False), (1, 9, True), (-9, -1, True)])
def test_nothing_is_sent_outside_the_window(opens: int, closes: int, held: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Both ends are within it."""
    window = Window(SESSION, START + timedelta(seconds=opens), START + timedelta(seconds=closes))
    stage = stage_of()
    _, (chain,) = trade(stage, [BUY], window=window)
    assert chain.ended == ("window: trading has ended for today" if held else "filled")
    assert len(stage.requests) == (0 if held else 1)


def test_the_window_is_looked_at_before_each_order() -> None:
    """An answer that took longer than the window has left: the second order is not sent."""
    stage = stage_of()

    def slow(request: OrderRequest) -> Submitted:
        stage.seconds += 5
        return stage.fill(request)

    stage.on_submit = slow
    two = [BUY, order_of("CCC", "buy", "10")]
    for seconds, sent in ((5, 2), (4.9, 1)):
        stage.requests.clear()
        stage.orders.clear()
        stage.seconds = 0
        _, chains = trade(stage, two, window=Window(SESSION, OPENS, START + timedelta(seconds=seconds)))
        assert len(stage.requests) == sent
        assert chains[1].ended == ("filled" if sent == 2 else "window: trading has ended for today")


READS = ("now", "account", "positions", "orders", "quotes")
"""What is read before an order is sent, each tried again for up to a minute."""


@pytest.mark.parametrize("read", READS)
def test_the_window_counts_what_was_read_before_the_order(read: str) -> None:
    """An answer that came after the window's end: nothing is sent, whichever it was; up to the end, it is."""
    sell = order_of("BBB", "sell", "8", base="8")
    for seconds, sent in ((40.0, 1), (39.9, 0)):
        stage = stage_of(slow={read: 40.0})
        window = Window(SESSION, OPENS, START + timedelta(seconds=seconds))
        _, (chain,) = trade(stage, [sell], window=window)
        assert len(stage.requests) == sent
        assert chain.ended == ("filled" if sent else "window: trading has ended for today")


@pytest.mark.parametrize("read", READS)
def test_a_quotes_age_counts_what_was_read_before_it(read: str) -> None:
    """It is judged at the moment when it is there, not at one from before the other reads."""
    sell = order_of("BBB", "sell", "8", base="8")
    for age, sent in ((859.9, 1), (860.0, 0)):
        stage = stage_of(slow={read: 40.0})
        stage.quoted["BBB"] = replace(stage.quoted["BBB"], at=START - timedelta(seconds=age))
        _, (chain,) = trade(stage, [sell], loopback=False)
        assert len(stage.requests) == sent
        assert chain.ended.partition(":")[0] == ("filled" if sent else "no_quote")


@pytest.mark.parametrize(
    ("flags", "seen"),
    [
        ({"status": "INACTIVE"}, "INACTIVE, not blocked"),
        ({"trading_blocked": True}, "ACTIVE, blocked"),
        ({"account_blocked": True}, "ACTIVE, blocked"),
        ({"trade_suspended_by_user": True}, "ACTIVE, blocked"),
    ],
)
def test_an_account_that_may_not_trade_stops_the_orders(flags: dict[str, Any], seen: str) -> None:
    """Each flag by itself."""
    stage = stage_of(flags=flags)
    with pytest.raises(Halted) as caught:
        trade(stage, [BUY])
    assert (caught.value.code, caught.value.seen) == ("account_blocked", seen)
    assert stage.requests == []


def test_no_buy_is_sent_while_another_run_sells_on() -> None:
    """A sell chain that this run ended is open again: its order is waited for, then the buy goes out."""
    stage = stage_of()
    stage.on_submit = stage.open
    floor, chains = floor_of(stage, [SELL, BUY], fill_timeout_s=19.75)
    second = request_of(floor, chains[0], "5", 1)

    def cancelled(order_id: str) -> None:
        stage.end(order_id)
        stage.on_submit = stage.fill

    def carry_on() -> None:
        first = stage.orders[floor.id_of("BBB", 0)]
        if first.terminal and second.client_order_id not in stage.orders:
            stage.open(second)
            stage.hidden.add(second.client_order_id)
        if chains[0].ended:
            stage.hidden.clear()
        if stage.seconds > 32:
            stage.orders[second.client_order_id] = shown(second, "filled", Decimal(5), Decimal(10))
        if stage.seconds > 25:
            stage.cash = Decimal(100_000)

    stage.on_cancel, stage.on_sleep = cancelled, carry_on
    stage.cash = Decimal(0)  # not there yet: half a minute is given to it, in which the other run goes on
    execute(approved_of([SELL, BUY]), floor, chains)
    buy = next(at for at, what in stage.asked("submit") if "AAA" in what)
    assert buy > 32
    assert chains[0].filled == 5
    assert chains[1].ended == "filled"


def test_a_sell_that_another_run_leaves_open_keeps_the_buys_from_being_sent() -> None:
    """Past the phase's time it is cancelled; what does not end interrupts or leaves the buys unsent."""
    stage = stage_of(on_cancel=lambda _: None)
    floor, chains = floor_of(stage, [SELL, BUY], fill_timeout_s=10.0)
    chains[0].ended = "timeout: a test"
    stage.open(request_of(floor, chains[0], "5"))
    execute(approved_of([SELL, BUY]), floor, chains)
    assert stage.requests == []
    assert chains[1].ended == "timeout: no time left to send"
    assert len(stage.asked("cancel")) == 1


def test_a_refused_sell_stops_before_the_buys() -> None:
    """In the broker's words."""
    stage = stage_of(on_submit=lambda _: Refused(403, "1", "not today"))
    with pytest.raises(Interrupted) as caught:
        trade(stage, [SELL, BUY])
    assert (caught.value.code, caught.value.seen) == ("sell_refused", "refused: 403 1 not today")
    assert len(stage.requests) == 1


@pytest.mark.parametrize(("short", "waits"), [("1.00", 0.0), ("1.01", 30.0)])
def test_cash_from_sells_is_waited_for_half_a_minute(short: str, waits: float) -> None:
    """One dollar may be missing for fees; more is waited for, every two seconds."""
    stage = stage_of(cash=Decimal(1000) - Decimal(short))
    trade(stage, [SELL, BUY], cash=1000)
    assert stage.asked("submit")[1][0] == waits
    assert {what for _, what in stage.asked("sleep")} == ({"2"} if waits else set())


def test_cash_is_not_waited_for_where_nothing_was_sold_or_is_to_be_bought() -> None:
    """No sell, or no buy that is not done."""
    for orders in ([BUY], [SELL]):
        stage = stage_of(cash=Decimal(90))
        trade(stage, orders, cash=1000)
        assert stage.seconds == 0


def test_waiting_for_cash_stops_for_the_deadline() -> None:
    """Interrupted: the sells are done, the next run buys."""
    stage = stage_of(cash=Decimal(0))
    stage.left = lambda: 40 - stage.seconds
    with pytest.raises(Interrupted, match="no time left"):
        trade(stage, [SELL, BUY])
    assert stage.seconds == 12


def test_waiting_for_fills_stops_for_the_deadline() -> None:
    """There is time left to write the record."""
    stage = stage_of()
    stage.on_submit = stage.open
    stage.left = lambda: 40 - stage.seconds
    with pytest.raises(Interrupted, match="no time left"):
        trade(stage, [BUY])
    assert stage.seconds == 11.75


@pytest.mark.parametrize("key", ["HALT", "halts/main"])
def test_a_run_that_waits_for_fills_sees_the_flag_and_cancels(key: str) -> None:
    """Within two seconds, nothing more is sent, and its orders are seen to end."""
    stage = stage_of()
    stage.on_submit = stage.open
    floor, chains = floor_of(stage, [BUY, order_of("CCC", "buy", "3")])

    def halt() -> None:
        if stage.seconds >= 3:
            stage.shelf.blobs[key] = b""

    stage.on_sleep = halt
    with pytest.raises(Interrupted) as caught:
        execute(approved_of([chain.order for chain in chains]), floor, chains)
    assert caught.value.code == "kill_switch"
    assert stage.seconds <= 6
    assert [chain.slots[0].status for chain in chains] == ["canceled", "canceled"]
    assert len(stage.requests) == 2


def test_a_run_halted_before_an_order_cancels_those_of_another() -> None:
    """It sent nothing, so it is halted; the other run's order of this plan is ended."""
    stage = stage_of()
    floor, chains = floor_of(stage, [BUY, order_of("CCC", "buy", "3")])
    stage.open(request_of(floor, chains[0], "10"))
    stage.shelf.blobs["HALT"] = b""
    with pytest.raises(Halted) as caught:
        execute(approved_of([chain.order for chain in chains]), floor, chains)
    assert caught.value.code == "kill_switch"
    assert chains[0].slots[0].status == "canceled"
    assert stage.requests == []


def test_a_run_that_stops_for_another_reason_leaves_its_orders_open() -> None:
    """The next run goes on with them."""
    stage = stage_of()
    stage.on_submit = stage.open
    stage.left = lambda: 40 - stage.seconds
    with pytest.raises(Interrupted):
        trade(stage, [BUY])
    assert stage.asked("cancel") == []


def test_a_read_that_fails_stops_the_phase() -> None:
    """Nothing is sized on what is not known."""
    for verb in ("account", "orders", "quotes"):
        stage = stage_of(gone={verb})
        with pytest.raises(Unreachable):
            trade(stage, [BUY])
        assert stage.requests == []
    stage = stage_of(gone={"positions"})
    with pytest.raises(Unreachable):
        trade(stage, [SELL])
    assert stage.requests == []
