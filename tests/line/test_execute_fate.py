"""Fate: one order from its request to its end, and holdings against base and fills, second by second."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from floor_kit import Stage, floor_of, order_of, request_of, shown
from trimtab.errors import Halted, Interrupted
from trimtab.execute.reconcile import judge_base, reconcile
from trimtab.execute.submit import submit
from trimtab.ports import Accepted, Refused, Submitted, Unknown

if TYPE_CHECKING:
    from trimtab.core.portfolio import OrderRequest
    from trimtab.execute import Chain, Floor

BUY = order_of("AAA", "buy", "10", base="2")
SELL = order_of("BBB", "sell", "5", base="8")


def fresh() -> bool:
    """The quote that the order was sized with is new enough."""
    return True


def lost(_: OrderRequest) -> Submitted:
    """An answer that tells nothing."""
    return Unknown("no answer (ReadTimeout)")


def sent(stage: Stage) -> tuple[Floor, Chain]:
    """A floor with one order to send."""
    floor, (chain,) = floor_of(stage, [BUY])
    return floor, chain


def test_an_order_that_is_taken_fills_its_slot() -> None:
    """One request, no look-up."""
    stage = Stage()
    stage.on_submit = stage.open
    floor, chain = sent(stage)
    submit(floor, chain, request_of(floor, chain, "10"), fresh)
    assert [order.client_order_id for order in chain.slots] == floor.sent == [floor.id_of("AAA", 0)]
    assert (chain.attempts, floor.requests, stage.asked("order")) == (0, 1, [])


def test_a_flag_stops_before_anything_is_sent() -> None:
    """Neither counted as sent nor as an attempt."""
    stage = Stage()
    floor, chain = sent(stage)
    stage.shelf.blobs["HALT"] = b""
    with pytest.raises(Halted, match="HALT is set"):
        submit(floor, chain, request_of(floor, chain, "10"), fresh)
    assert (floor.sent, chain.attempts, stage.log) == ([], 0, [])


def test_an_order_whose_quote_aged_while_the_flag_was_read_is_sized_anew() -> None:
    """A store in S3 may take its time; neither sent, nor an attempt, nor one of the run's requests."""
    stage = Stage()
    floor, chain = sent(stage)
    submit(floor, chain, request_of(floor, chain, "10"), lambda: False)
    assert (floor.sent, chain.attempts, chain.ended, floor.requests, stage.log) == ([], 0, "", 0, [])


def test_an_unknown_order_that_appears_is_adopted() -> None:
    """Looked for at once, then after 1, 1.25, … seconds."""
    stage = Stage(on_submit=lost)
    floor, chain = sent(stage)
    request = request_of(floor, chain, "10")

    def appear() -> None:
        if len(stage.asked("order")) == 2:
            stage.open(request)

    stage.on_sleep = appear
    submit(floor, chain, request, fresh)
    assert len(chain.slots) == 1
    assert [at for at, _ in stage.asked("order")] == [0.0, 1.0, 2.25]
    assert chain.ended == ""


def test_an_unknown_order_is_absent_after_twelve_seconds() -> None:
    """The first look after twelve seconds proves it: views lag by up to ten."""
    stage = Stage(on_submit=lost)
    floor, chain = sent(stage)
    submit(floor, chain, request_of(floor, chain, "10"), fresh)
    assert [round(at, 3) for at, _ in stage.asked("order")] == [
        *(0.0, 1.0, 2.25, 3.812, 5.766, 7.766, 9.766, 11.766, 13.766)
    ]
    assert (chain.slots, chain.ended, chain.attempts) == ([], "", 1)


@pytest.mark.parametrize(("seconds", "looks"), [(12.0, 2), (11.9, 3)])
def test_twelve_seconds_are_enough_and_less_is_not(seconds: float, looks: int) -> None:
    """Counted from the attempt's end; the look at twelve seconds proves absence, when two went before."""
    stage = Stage(on_submit=lost)
    floor, chain = sent(stage)
    jumps = iter([0.0, seconds - 2.25])

    def jump() -> None:
        stage.seconds += next(jumps, 0.0)

    stage.on_sleep = jump
    submit(floor, chain, request_of(floor, chain, "10"), fresh)
    late = [at for at, _ in stage.asked("order") if at >= seconds - 1e-9]
    assert (len(late), chain.slots, chain.ended) == (looks - 1, [], "")


@pytest.mark.parametrize(("seconds", "looks"), [(60.0, True), (60.1, False)])
def test_a_minute_is_the_longest_that_a_fate_is_looked_for(seconds: float, looks: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A look at sixty seconds still counts; later none is made."""
    stage = Stage(on_submit=lost, gone={"order"})
    floor, chain = sent(stage)

    def jump() -> None:
        stage.seconds = max(seconds, stage.seconds)

    stage.on_sleep = jump
    with pytest.raises(Interrupted) as caught:
        submit(floor, chain, request_of(floor, chain, "10"), fresh)
    assert caught.value.code == "order_unknown"
    assert any(at == seconds for at, _ in stage.asked("order")) == looks


def test_absent_needs_three_clear_answers_in_a_row() -> None:
    """An answer that could not be read begins the count anew."""
    stage = Stage(on_submit=lost, gone={"order"})
    floor, chain = sent(stage)

    def back() -> None:
        stage.gone = {"order"} if stage.seconds < 12 else set()

    stage.on_sleep = back
    submit(floor, chain, request_of(floor, chain, "10"), fresh)
    looks = [at for at, _ in stage.asked("order")]
    assert len([at for at in looks if at >= 12]) == 3


def test_pauses_between_looks_grow_to_two_seconds() -> None:
    """And a fate that stays unknown for a minute interrupts, naming the id and why."""
    stage = Stage(on_submit=lost, gone={"order"})
    floor, chain = sent(stage)
    with pytest.raises(Interrupted) as caught:
        submit(floor, chain, request_of(floor, chain, "10"), fresh)
    stop = caught.value
    assert (stop.code, stop.seen) == ("order_unknown", floor.id_of("AAA", 0))
    assert stop.message == "whether an order was taken is unknown: no answer (ReadTimeout)"
    pauses = [float(what) for _, what in stage.asked("sleep")]
    assert pauses[0] == 1.0
    assert max(pauses) == pauses[-1] == 2.0
    assert 60 < stage.seconds <= 62
    assert stage.asked("order")[-1][0] <= 60


@pytest.mark.parametrize(("left", "looks"), [(30.0, True), (29.9, False)])
def test_a_look_up_stops_while_there_is_time_for_the_record(left: float, looks: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """At thirty seconds it still looks; below, the fate is left to the next run."""
    stage = Stage(on_submit=lost)
    floor, chain = sent(stage)
    stage.left = lambda: 31.0 if not stage.asked("submit") else left if not stage.asked("order") else 0.0
    with pytest.raises(Interrupted) as caught:
        submit(floor, chain, request_of(floor, chain, "10"), fresh)
    assert caught.value.code == "order_unknown"
    assert bool(stage.asked("order")) == looks


def test_a_lost_order_is_attempted_four_times() -> None:
    """Each attempt is the same id; then the run is interrupted before a fifth."""
    stage = Stage(on_submit=lost)
    floor, chain = sent(stage)
    for _ in range(4):
        submit(floor, chain, request_of(floor, chain, "10"), fresh)
    with pytest.raises(Interrupted) as caught:
        submit(floor, chain, request_of(floor, chain, "10"), fresh)
    assert (caught.value.code, caught.value.seen) == ("order_lost", floor.id_of("AAA", 0))
    assert len(stage.requests) == 4
    assert floor.requests == 4


def test_a_refusal_is_believed_once_the_id_is_absent() -> None:
    """In the broker's words."""
    stage = Stage(on_submit=lambda _: Refused(403, "40310000", "insufficient buying power"))
    floor, chain = sent(stage)
    submit(floor, chain, request_of(floor, chain, "10"), fresh)
    assert chain.ended == "refused: 403 40310000 insufficient buying power"
    assert len(stage.asked("order")) == 9


def test_a_refusal_of_an_id_that_lives_is_no_refusal() -> None:
    """The order under it is adopted."""
    stage = Stage()

    def refuse(request: OrderRequest) -> Submitted:
        stage.open(request)
        return Refused(403, "1", "insufficient qty")

    stage.on_submit = refuse
    floor, chain = sent(stage)
    submit(floor, chain, request_of(floor, chain, "10"), fresh)
    assert (chain.ended, len(chain.slots)) == ("", 1)


def test_an_id_too_many_ends_its_chain_unsent() -> None:
    """Before any request."""
    stage = Stage()
    floor, (chain,) = floor_of(stage, [BUY], max_orders=1)
    floor.ids.add("another")
    submit(floor, chain, request_of(floor, chain, "10"), fresh)
    assert chain.ended.startswith("max_orders: ")
    assert (stage.requests, floor.sent, chain.attempts) == ([], [], 0)


# holdings against base and fills


def traded(stage: Stage, *, unordered: str = "0") -> tuple[Floor, tuple[Chain, ...]]:
    """A floor on which 10 AAA were bought and 5 BBB sold; CCC has no order."""
    floor, chains = floor_of(stage, [BUY, SELL], unordered={"CCC": unordered})
    for chain in chains:
        request = request_of(floor, chain, str(chain.order.qty))
        stage.orders[request.client_order_id] = shown(request, "filled", request.qty, Decimal(10))
        chain.slots.append(stage.orders[request.client_order_id])
    stage.held = {"AAA": Decimal(12), "BBB": Decimal(3), "CCC": Decimal(unordered), "ZZZ": Decimal(99)}
    return floor, chains


def test_holdings_that_are_base_and_fills_pass_at_once() -> None:
    """One read; what is not the plan's is not looked at."""
    stage = Stage()
    reconcile(*traded(stage, unordered="4"))
    assert stage.log == [(0.0, "positions", "")]


@pytest.mark.parametrize("symbol", ["AAA", "BBB", "CCC"])
@pytest.mark.parametrize(
    ("price", "shares", "differs"),
    [
        (10.0, "0.1", False),
        (10.0, "0.100001", True),
        (10.0, "-0.1", False),
        (10.0, "-0.100001", True),
        (1e6, "0.00001", False),
        (1e6, "0.0000101", True),
        (1e6, "-0.00001", False),
        (1e6, "-0.0000101", True),
    ],
)
def test_a_difference_counts_beyond_a_hundred_thousandth_and_one_dollar(
    symbol: str,
    price: float,
    shares: str,
    differs: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Of every symbol of the plan, bought, sold or left alone; each way."""
    stage = Stage()
    floor, chains = traded(stage, unordered="4")
    floor = replace(floor, prices=dict.fromkeys(floor.prices, price))
    stage.held[symbol] += Decimal(shares)
    if not differs:
        reconcile(floor, chains)
        return
    with pytest.raises(Halted) as caught:
        reconcile(floor, chains)
    assert caught.value.code == "reconcile"
    assert caught.value.seen == f"{symbol} {Decimal(shares):+f}"
    assert stage.shelf.list("halts/") == ("halts/main",)


def test_a_holding_that_is_gone_is_a_difference() -> None:
    """No row is no share."""
    stage = Stage()
    floor, chains = traded(stage, unordered="4")
    del stage.held["CCC"]
    with pytest.raises(Halted) as caught:
        reconcile(floor, chains)
    assert caught.value.seen == "CCC -4"


def test_a_difference_is_looked_at_for_thirty_seconds_and_twice_at_the_end() -> None:
    """At 0, 1, 3, 7, 15, 23 and 31 seconds, and once more: what lags has caught up by then."""
    stage = Stage()
    floor, chains = traded(stage)
    stage.held["AAA"] -= 5
    with pytest.raises(Halted, match="differ from base and fills"):
        reconcile(floor, chains)
    assert [at for at, _ in stage.asked("positions")] == [0, 1, 3, 7, 15, 23, 31, 32]
    assert len(stage.asked("orders")) == 7


def test_thirty_seconds_are_not_yet_over_at_the_thirtieth() -> None:
    """The two looks that count come after them."""
    stage = Stage()
    floor, chains = traded(stage)
    stage.held["AAA"] -= 5

    def hurry() -> None:
        stage.seconds -= stage.seconds == 23

    stage.on_sleep = hurry
    with pytest.raises(Halted, match="differ from base and fills"):
        reconcile(floor, chains)
    assert [at for at, _ in stage.asked("positions")][-4:] == [22, 30, 38, 39]


@pytest.mark.parametrize("until", [1, 23, 31, 32])
def test_a_difference_that_goes_away_is_none(until: int) -> None:
    """Even at the last look: a latch needs two that agree."""
    stage = Stage()
    floor, chains = traded(stage)
    stage.held["AAA"] -= 5

    def catch_up() -> None:
        if stage.seconds == until:
            stage.held["AAA"] += 5

    stage.on_sleep = catch_up
    reconcile(floor, chains)
    assert stage.seconds == until
    assert stage.shelf.blobs == {}


def test_a_read_that_fails_is_no_difference() -> None:
    """Unreadable interrupts without a latch."""
    stage = Stage(gone={"positions"})
    with pytest.raises(Exception, match="positions can't be read"):
        reconcile(*traded(stage))
    assert stage.shelf.blobs == {}


def test_an_order_that_no_list_showed_explains_a_difference() -> None:
    """It is looked up, of the symbol that differs alone."""
    stage = Stage()
    floor, chains = traded(stage)
    request = request_of(floor, chains[0], "5")
    chains[0].slots.clear()
    stage.orders[request.client_order_id] = shown(request, "canceled", Decimal(5), Decimal(10))
    stage.hidden = {request.client_order_id}
    stage.held["AAA"] = Decimal(7)
    reconcile(floor, chains)
    assert [what[-5:] for _, what in stage.asked("order")] == ["AAA-0", "AAA-1"]
    assert stage.seconds == 1


def test_looking_for_a_difference_stops_for_the_deadline() -> None:
    """Without a latch: it is not known yet."""
    stage = Stage()
    floor, chains = traded(stage)
    stage.held["AAA"] -= 5
    stage.left = lambda: 40 - stage.seconds
    with pytest.raises(Halted) as caught:
        reconcile(floor, chains)
    assert caught.value.code == "deadline"
    assert stage.seconds == 15
    assert stage.shelf.blobs == {}


def test_another_runs_open_order_interrupts_the_end() -> None:
    """Whatever the holdings are: it is not over, and no latch is due."""
    stage = Stage()
    floor, chains = traded(stage)
    chains[1].slots[0] = replace(chains[1].slots[0], status="partially_filled")
    stage.held["AAA"] -= 5
    stage.orders.clear()
    with pytest.raises(Halted) as caught:
        reconcile(floor, chains)
    assert (caught.value.code, caught.value.seen) == ("order_open", floor.id_of("BBB", 0))
    assert stage.shelf.blobs == {}


def test_a_plan_is_not_resumed_on_other_holdings() -> None:
    """Halted and never latched; what differs is named."""
    stage = Stage()
    floor, chains = traded(stage)
    judge_base(floor, chains)
    stage.held["CCC"] = Decimal(1)
    stage.held["AAA"] -= 5
    with pytest.raises(Halted) as caught:
        judge_base(floor, chains)
    assert (caught.value.code, caught.value.seen) == ("positions_differ", "AAA -5, CCC +1")
    assert caught.value.hint == "wait for the next session: it plans afresh"
    assert stage.shelf.blobs == {}


def test_holdings_are_not_judged_while_an_order_is_open() -> None:
    """Neither before the look, nor where one appears during it."""
    stage = Stage()
    floor, chains = traded(stage)
    stage.held["AAA"] -= 5
    settled = chains[0].slots.pop()
    chains[0].slots.append(replace(settled, status="new", filled_qty=Decimal(0)))
    judge_base(floor, chains)
    assert stage.log == []
    chains[0].slots.clear()
    stage.orders[settled.client_order_id] = replace(settled, status="new", filled_qty=Decimal(0))
    judge_base(floor, chains)
    assert stage.asked("positions") != []


def test_an_accepted_order_that_is_not_the_plans_latches() -> None:
    """Even from the answer to the request itself."""
    stage = Stage()
    floor, chain = sent(stage)
    request = request_of(floor, chain, "10")
    stage.on_submit = lambda r: Accepted(replace(shown(r, "new"), side="sell"))
    with pytest.raises(Interrupted, match="not the plan's"):
        submit(floor, chain, request, fresh)
    assert stage.shelf.list("halts/") == ("halts/main",)
