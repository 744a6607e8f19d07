"""Slots: a chain is judged by its last slot, and of several orders that stop a run the first is named."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from floor_kit import approved_of, floor_of, order_of, quote, request_of, shown, sizes, stage_of, trade
from trimtab.errors import Halted, Interrupted
from trimtab.execute import execute, reconcile
from trimtab.execute.cancel import cancel
from trimtab.execute.floor import observe
from trimtab.ports import Accepted, Refused

if TYPE_CHECKING:
    from floor_kit import Stage
    from trimtab.core.portfolio import OrderRequest
    from trimtab.execute import Chain, Floor
    from trimtab.ports import Submitted

BUY = order_of("AAA", "buy", "10")
OTHER = order_of("CCC", "buy", "10")
SELL = order_of("BBB", "sell", "5", base="8")


def twice(stage: Stage, status: str, filled: int = 0) -> tuple[Floor, tuple[Chain, ...]]:
    """Give a chain of AAA whose first order was cancelled after 2 shares, and whose second is as told."""
    floor, chains = floor_of(stage, [BUY])
    ends = [("canceled", Decimal(2)), (status, Decimal(filled))]
    for slot, (end, done) in enumerate(ends):
        request = request_of(floor, chains[0], "8", slot, limit_price=Decimal("10.1"))
        stage.orders[request.client_order_id] = shown(request, end, done, Decimal(10))
    observe(floor, chains)
    return floor, chains


def test_the_open_slot_is_cancelled_not_the_first() -> None:
    stage = stage_of()
    floor, chains = twice(stage, "new")
    cancel(floor, chains)
    assert [what[-5:] for _, what in stage.asked("cancel")] == ["AAA-1"]


def test_a_rejection_of_the_second_slot_ends_its_chain() -> None:
    """Whatever became of the first."""
    stage = stage_of()
    floor, chains = twice(stage, "rejected")
    execute(approved_of([BUY]), floor, chains)
    assert chains[0].ended.startswith("rejected")
    assert stage.requests == []


def test_what_the_open_slot_may_take_is_kept_for_it() -> None:
    """5 of its 8 shares are open at 10.1: of 200 USD 149.5 are free for the other buy."""
    stage = stage_of(cash=Decimal(200))
    floor, chains = floor_of(stage, [BUY, order_of("CCC", "buy", "19.5")])
    one, two = (request_of(floor, chains[0], "8", n, limit_price=Decimal("10.1")) for n in (0, 1))
    stage.orders[one.client_order_id] = shown(one, "canceled", Decimal(2), Decimal(10))
    stage.orders[two.client_order_id] = replace(shown(two, "new"), filled_qty=Decimal(3))
    observe(floor, chains)
    stage.on_sleep = lambda: stage.end(f"b-{two.client_order_id}")
    execute(approved_of([chain.order for chain in chains]), floor, chains)
    assert stage.requests[0].symbol == "CCC"
    assert stage.requests[0].qty == Decimal("14.95")


def test_what_a_first_slot_spent_is_not_spent_again() -> None:
    """The account still shows 80 USD after a fill of 50: the next slot has 30, whatever the account says."""
    stage = stage_of(cash=Decimal(80))

    def take(request: OrderRequest) -> Submitted:
        filled = min(request.qty, Decimal(5)) if len(stage.requests) == 1 else request.qty
        order = shown(request, "canceled" if filled < request.qty else "filled", filled, Decimal(10))
        stage.orders[request.client_order_id] = order
        return Accepted(order)

    stage.on_submit = take
    trade(stage, [BUY], cash=80)
    assert sizes(stage)[:2] == [("AAA", 8), ("AAA", 3)]


def test_a_penny_stocks_limit_is_never_below_its_ask() -> None:
    """Its share of the cash pays 0.506 a share; in cents that were less than the ask of 0.5051."""
    stage = stage_of(cash=Decimal(506))
    stage.quoted["AAA"] = quote("AAA", "0.5051")
    trade(stage, [order_of("AAA", "buy", "1000", price=0.5051)], cash=506)
    assert stage.requests[0].limit_price == Decimal("0.5051")


def test_the_first_refused_sell_is_named() -> None:
    stage = stage_of()
    stage.held["DDD"] = Decimal(8)
    stage.on_submit = lambda request: Refused(403, "40310000", f"no {request.symbol}")
    with pytest.raises(Interrupted) as stop:
        trade(stage, [SELL, order_of("DDD", "sell", "5", base="8"), BUY])
    assert (stop.value.code, stop.value.seen) == ("sell_refused", "refused: 403 40310000 no BBB")


def test_the_first_order_that_does_not_end_is_named_by_its_open_slot() -> None:
    stage = stage_of()
    stage.on_submit, stage.on_cancel = stage.open, lambda _: None
    floor, chains = floor_of(stage, [BUY, OTHER])
    request = request_of(floor, chains[0], "4")
    stage.orders[request.client_order_id] = shown(request, "canceled", Decimal(4), Decimal(10))
    observe(floor, chains)
    with pytest.raises(Interrupted) as stop:
        execute(approved_of([BUY, OTHER]), floor, chains)
    assert (stop.value.code, stop.value.seen) == ("order_open", floor.id_of("AAA", 1))


def test_the_first_open_order_after_trading_is_named_by_its_open_slot() -> None:
    stage = stage_of()
    floor, chains = floor_of(stage, [BUY, OTHER])
    for chain, slot, status in ((0, 0, "canceled"), (0, 1, "new"), (1, 0, "new")):
        request = request_of(floor, chains[chain], "10", slot)
        stage.orders[request.client_order_id] = shown(request, status)
    floor.sent.append("one")
    observe(floor, chains)
    with pytest.raises(Interrupted) as stop:
        reconcile(floor, chains)
    assert (stop.value.code, stop.value.seen) == ("order_open", floor.id_of("AAA", 1))


def test_only_what_differs_is_looked_up() -> None:
    """CCC's holding is what it should be: nobody asks for its next id."""
    stage = stage_of()
    floor, chains = floor_of(stage, [BUY, OTHER])
    stage.held["AAA"] = Decimal(3)

    def settle() -> None:
        stage.held["AAA"] = Decimal(0)

    stage.on_sleep = settle
    reconcile(floor, chains)
    assert {what[-5:] for _, what in stage.asked("order")} == {"AAA-0"}


def test_a_sell_that_nothing_is_free_for_looks_for_the_order_that_holds_it() -> None:
    """Our own order, which no view shows for 6 seconds: it is adopted, and nothing is sent beside it."""
    stage = stage_of(free={"BBB": Decimal(0)})
    floor, chains = floor_of(stage, [SELL])
    request = request_of(floor, chains[0], "5")
    stage.hidden.add(request.client_order_id)

    def appear() -> None:
        if stage.seconds >= 6:
            stage.orders[request.client_order_id] = shown(request, "filled", Decimal(5), Decimal(10))

    stage.on_sleep = appear
    execute(approved_of([SELL]), floor, chains)
    assert (chains[0].ended, stage.requests) == ("filled", [])


def test_a_sell_that_nothing_is_free_for_is_given_up_when_views_no_longer_lag() -> None:
    """After twelve seconds of looking; a buy without cash, which holds nothing back, at once."""
    stage = stage_of(free={"BBB": Decimal(0)})
    _, (chain,) = trade(stage, [SELL])
    assert chain.ended.startswith("unavailable")
    assert stage.seconds == 12
    stage = stage_of(cash=Decimal(0))
    _, (chain,) = trade(stage, [BUY], cash=0)
    assert chain.ended.startswith("cash")
    assert stage.seconds == 0


def test_looking_for_what_holds_the_shares_stops_for_the_deadline() -> None:
    stage = stage_of(free={"BBB": Decimal(0)})
    stage.left = lambda: 33.0 - stage.seconds
    with pytest.raises(Halted) as stop:
        trade(stage, [SELL])
    assert stop.value.code == "deadline"
    assert stage.seconds == 4


def test_cash_that_another_run_spends_is_not_waited_for() -> None:
    """Its buy of 100 USD took what the sell brought: once a look shows it, the account has what is due."""
    stage = stage_of(cash=Decimal(100))
    floor, chains = floor_of(stage, [SELL, BUY, OTHER])
    request = request_of(floor, chains[1], "10")

    def meanwhile(sold: OrderRequest) -> Submitted:
        stage.orders[request.client_order_id] = shown(request, "filled", Decimal(10), Decimal(10))
        stage.cash -= 100
        return stage.fill(sold)

    stage.on_submit = lambda sold: meanwhile(sold) if sold.side == "sell" else stage.fill(sold)
    execute(approved_of([SELL, BUY, OTHER], Decimal(100)), floor, chains)
    assert sizes(stage) == [("BBB", 5), ("CCC", 5)]
    assert stage.seconds == 2


def test_a_run_that_waits_for_its_turn_looks_once_a_second() -> None:
    floor, _ = floor_of(stage := stage_of())
    floor.times.extend([floor.world.clock.monotonic()] * 90)
    floor.pace()
    assert [what for _, what in stage.asked("sleep")] == ["1"] * 60
