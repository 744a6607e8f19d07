"""Sizes: how much of the plan the next order asks for: never more than is free, paid for, or left."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from floor_kit import (
    approved_of,
    floor_of,
    order_of,
    quote,
    rejected,
    request_of,
    shown,
    sizes,
    stage_of,
    trade,
)
from trimtab.execute import execute

if TYPE_CHECKING:
    from trimtab.core.portfolio import OrderRequest
    from trimtab.ports import Submitted

BUY = order_of("AAA", "buy", "10")
SELL = order_of("BBB", "sell", "5", base="8")


@pytest.mark.parametrize(
    ("free", "asked"),
    [("5", "5"), ("9", "5"), ("2.5", "2.5"), ("0.1", "0.1"), ("0.0999", None), ("-1", None)],
)
def test_no_more_is_sold_than_is_free(free: str, asked: str | None) -> None:
    """The smaller of what is wanted and what is free; less than a dollar's worth is not sent."""
    stage = stage_of()
    stage.free = {"BBB": Decimal(free)}
    stage.on_submit = lambda request: rejected(stage, request)
    _, (chain,) = trade(stage, [SELL])
    assert sizes(stage)[:1] == ([] if asked is None else [("BBB", Decimal(asked))])
    if asked is None:
        assert chain.ended == "unavailable: nothing free to sell"


def test_what_is_not_held_is_not_sold() -> None:
    """No row is no share."""
    stage = stage_of()
    stage.held.clear()
    _, (chain,) = trade(stage, [SELL])
    assert stage.requests == []
    assert chain.ended.startswith("unavailable")


def test_buys_are_shrunk_by_one_factor_to_the_cash() -> None:
    """Half the cash, half of each; whole shares stay whole, and their limit is paid from their share."""
    stage = stage_of(cash=Decimal(100))
    orders = [BUY, order_of("CCC", "buy", "9.5")]
    trade(stage, orders)
    by_symbol = dict(sizes(stage)[:2])
    assert by_symbol == {"AAA": 5, "CCC": Decimal("4.871794")}
    limit = stage.requests[0].limit_price
    assert (stage.requests[0].type, limit) == ("limit", Decimal("10.10"))
    assert (stage.requests[1].type, stage.requests[1].limit_price) == ("market", None)


@pytest.mark.parametrize(
    ("cash", "limit"), [("200", "10.10"), ("101", "10.10"), ("100.55", "10.05"), ("100", "10.00")]
)
def test_a_limit_is_never_above_what_the_cash_pays(cash: str, limit: str) -> None:
    """The collar where there is money for it, else the money by share, rounded down, at least the ask."""
    stage = stage_of(cash=Decimal(cash))
    trade(stage, [BUY])
    assert stage.requests[0].limit_price == Decimal(limit)


def test_cash_that_the_plan_does_not_know_of_is_not_spent() -> None:
    """A deposit since the plan is not the plan's; a withdrawal is missing from it."""
    for account, plan, asked in ((1000, 50, 5), (50, 1000, 5), (1000, 1000, 10)):
        stage = stage_of(cash=Decimal(account))
        trade(stage, [BUY], cash=plan)
        assert stage.requests[0].qty == asked


def test_what_the_sells_brought_is_spent() -> None:
    """The plan's cash and its net fills."""
    stage = stage_of(cash=Decimal(50))
    trade(stage, [SELL, BUY], cash=50)
    assert sizes(stage) == [("BBB", 5), ("AAA", 10)]


def test_a_symbol_whose_quote_is_doubted_is_held() -> None:
    """Its chain ends with the guard's words; the others go on."""
    stage = stage_of()
    stage.quoted["AAA"] = quote("AAA", "12")
    stage.quoted.pop("DDD")
    orders = [BUY, order_of("CCC", "buy", "3"), order_of("DDD", "buy", "3")]
    _, chains = trade(stage, orders)
    assert sizes(stage) == [("CCC", 3)]
    assert [chain.ended.split(":")[0] for chain in chains] == ["max_gap", "filled", "no_quote"]


@pytest.mark.parametrize(("takes", "looks"), [(10.0, 1), (10.1, 2)])
def test_quotes_and_cash_stand_for_ten_seconds(takes: float, looks: int) -> None:
    """Longer, and the rest is sized anew."""
    stage = stage_of()

    def slow(request: OrderRequest) -> Submitted:
        stage.seconds += takes
        return stage.fill(request)

    stage.on_submit = slow
    trade(stage, [BUY, order_of("CCC", "buy", "10")])
    assert len(stage.asked("quotes")) == looks
    assert len(stage.requests) == 2


def test_what_buys_in_flight_may_take_is_kept_for_them() -> None:
    """At their limit, else at the ask or the last close, whichever is more; the rest waits for their end."""
    for limit, ask, kept in ((None, "10.8", "10.8"), (None, "9.5", "10"), ("10.1", "10.8", "10.1")):
        stage = stage_of(cash=Decimal(200))
        floor, chains = floor_of(stage, [BUY, order_of("CCC", "buy", "19.5")], max_spread=0.5)
        stage.quoted["AAA"] = quote("AAA", ask)
        request = request_of(floor, chains[0], "10", limit_price=None if limit is None else Decimal(limit))
        stage.orders[request.client_order_id] = replace(shown(request, "new"), filled_qty=Decimal(2))
        stage.on_submit = lambda request, stage=stage: rejected(stage, request)
        stage.on_sleep = lambda stage=stage, name=request.client_order_id: stage.end(f"b-{name}")
        execute(approved_of([chain.order for chain in chains]), floor, chains)
        first = stage.requests[0]
        assert first.symbol == "CCC"
        assert first.qty == ((200 - 8 * Decimal(kept)) / 10).quantize(Decimal("0.000001"))


def test_a_buy_without_cash_waits_for_those_in_flight() -> None:
    """An order that ends may leave some; only then is there too little."""
    stage = stage_of(cash=Decimal(81))
    floor, chains = floor_of(stage, [order_of("AAA", "buy", "8.5"), order_of("CCC", "buy", "1.5")])
    request = request_of(floor, chains[0], "8.5", limit_price=Decimal("10.1"))
    stage.open(request)

    def fill() -> None:
        if stage.seconds >= 3:
            stage.orders[request.client_order_id] = shown(request, "filled", Decimal("8.5"), Decimal(8))
            stage.cash = Decimal(13)

    stage.on_sleep = fill
    execute(approved_of([chain.order for chain in chains], Decimal(81)), floor, chains)
    assert sizes(stage)[0] == ("CCC", Decimal("1.3"))
    assert stage.asked("submit")[0][0] >= 3


def test_too_little_cash_ends_a_buy() -> None:
    """Less than the smallest order; looked up once more, in case another run's order took it."""
    stage = stage_of(cash=Decimal("0.99"))
    _, (chain,) = trade(stage, [order_of("AAA", "buy", "9.5")])
    assert chain.ended == "cash: too little is left"
    assert len(stage.asked("order")) == 1
    stage = stage_of(cash=Decimal("1.00"))
    _, (chain,) = trade(stage, [order_of("AAA", "buy", "9.5")])
    assert sizes(stage)[0] == ("AAA", Decimal("0.1"))


def test_a_debt_buys_nothing() -> None:
    """Cash below zero is none."""
    stage = stage_of(cash=Decimal(-500))
    _, (chain,) = trade(stage, [BUY])
    assert (chain.ended, stage.requests) == ("cash: too little is left", [])


def test_another_runs_order_that_took_the_cash_is_adopted() -> None:
    """It was in no list: looked up before the chain ends for want."""
    stage = stage_of(cash=Decimal(0))
    floor, chains = floor_of(stage, [BUY])
    request = request_of(floor, chains[0], "10")
    stage.orders[request.client_order_id] = shown(request, "filled", Decimal(10), Decimal(10))
    stage.hidden.add(request.client_order_id)
    execute(approved_of([BUY]), floor, chains)
    assert (chains[0].ended, stage.requests) == ("filled", [])


def test_a_chain_that_another_run_carries_on_is_left_to_it() -> None:
    """Seen after cash was read and before anything is sized."""
    stage = stage_of(cash=Decimal(60))
    floor, chains = floor_of(stage, [BUY, order_of("CCC", "buy", "6")])
    request = request_of(floor, chains[0], "10")
    stage.orders[request.client_order_id] = shown(request, "filled", Decimal(10), Decimal(10))
    execute(approved_of([chain.order for chain in chains], Decimal(160)), floor, chains)
    assert sizes(stage) == [("CCC", 6)]
    assert [chain.ended for chain in chains] == ["filled", "filled"]
