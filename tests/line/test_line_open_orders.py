"""Open orders: whose they are, and what a run does about each before it plans or goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from line.test_line_gates import check_stopped
from line_kit import Kill, Killed, Lab, make_lab, make_mandate
from trimtab.stations.arrive import Arrival

if TYPE_CHECKING:
    from pathlib import Path


def place(lab: Lab, client_order_id: str, symbol: str = "BBB", **more: object) -> str:
    """Put a limit order far below the market."""
    body = {"symbol": symbol, "side": "buy", "type": "limit", "limit_price": "5", "qty": "10"}
    body |= {"time_in_force": "gtc", "client_order_id": client_order_id, **more}
    return lab.exchange.submit(body).id


@pytest.mark.parametrize("name", ["by-hand", "tt1-00000000-20210301-BBB-0"])
def test_an_open_order_that_is_not_ours_stops_the_run(root: Path, name: str) -> None:
    """A person's order on our symbol, another bot's on any: named, left."""
    lab = make_lab(root)
    place(lab, name)
    record = lab.run()
    check_stopped(lab, record, "halted", "positions", "open_order")
    assert name in record["error"]["seen"]
    assert lab.orders()[name].status == "new"


def test_an_open_order_of_today_without_a_plan_stops_the_run(root: Path) -> None:
    """Ours, but the store knows nothing of it: named, left."""
    lab = make_lab(root)
    name = lab.order_id("BBB")
    place(lab, name)
    record = lab.run()
    check_stopped(lab, record, "halted", "positions", "order_without_plan")
    assert name in record["error"]["seen"]
    assert lab.orders()[name].status == "new"


def test_a_session_whose_store_was_lost_is_not_planned_anew(root: Path) -> None:
    """Its ids are used up, filled or not: a new plan would count the old fills as its own, and latch."""
    lab = make_lab(root)
    assert lab.run()["outcome"] == "traded"
    lost = replace(lab, root=root / "other")
    record = lost.run(make_mandate({"AAA": 0.3, "BBB": 0.1, "CCC": 0.1}))
    assert (record["outcome"], record["code"]) == ("halted", "order_without_plan")
    assert (lost.posts(), lost.plan(), lost.halted()) == ([], None, None)
    lab.exchange.step()
    assert lost.run()["outcome"] == "in_band"


def test_another_bots_order_stops_the_run_on_any_symbol(root: Path) -> None:
    """One account serves one portfolio, so its order on a symbol outside ours counts, too."""
    lab = make_lab(root, {"AAA": 0.2})
    place(lab, "tt1-00000000-20210301-CCC-0", "CCC")
    check_stopped(lab, lab.run(), "halted", "positions", "open_order")


def test_an_open_sell_outside_our_symbols_is_left_alone(root: Path) -> None:
    """A person's order to sell another symbol is no concern of ours."""
    lab = make_lab(root, {"AAA": 0.2}, held={"CCC": 50})
    place(lab, "by-hand", "CCC", side="sell", limit_price="5000")
    assert lab.run()["outcome"] == "traded"
    assert lab.orders()["by-hand"].status == "new"


@pytest.mark.parametrize("when", ["before", "between"])
def test_the_cash_that_a_persons_open_buy_needs_is_not_spent(root: Path, when: str) -> None:
    """Cash is not less by an order that may fill later: with ours it would fill on margin."""
    lab = make_lab(root, {"AAA": 0.2, "BBB": 0.3})
    if when == "between":
        with pytest.raises(Killed):
            lab.run(requests_=Kill(1, only="POST"))
    sent = len(lab.posts())
    place(lab, "by-hand", "CCC")
    record = lab.run()
    assert (record["outcome"], record["code"], len(lab.posts())) == ("halted", "open_order", sent)
    assert "by-hand: buy 10 CCC" in record["error"]["seen"]
    lab.exchange.cancel(lab.orders()["by-hand"].id)
    assert lab.run()["outcome"] == "traded"


def test_our_order_of_an_earlier_session_is_cancelled_first(root: Path) -> None:
    """It is ours, and of no use any more; a dry run and a plan leave it."""
    lab = make_lab(root)
    name = f"tt1-{lab.h8}-20210226-BBB-0"
    place(lab, name)
    assert lab.run(lab.changed(dry_run=True))["outcome"] == "dry_run"
    assert lab.run(arrival=Arrival(only_plan=True))["outcome"] == "dry_run"
    assert lab.orders()[name].status == "new"
    assert lab.run()["outcome"] == "traded"
    assert lab.orders()[name].status == "canceled"
    assert [seen.method for seen in lab.sends()] == ["DELETE", "POST", "POST", "POST"]


def test_our_earlier_order_that_no_view_showed_is_cancelled_by_the_run_that_resumes(root: Path) -> None:
    """The plan was made without knowing of it; beside it the broker may refuse the plan's own orders."""
    lab = make_lab(root)
    with pytest.raises(Killed):
        lab.run(requests_=Kill(1, only="POST"))
    name = f"tt1-{lab.h8}-20210226-BBB-0"
    place(lab, name)
    assert lab.run(lab.changed(dry_run=True))["outcome"] == "dry_run"
    assert lab.orders()[name].status == "new"
    assert lab.run()["outcome"] == "traded"
    assert lab.orders()[name].status == "canceled"
    assert [seen.method for seen in lab.sends()] == ["DELETE", "POST", "POST", "POST"]


def test_our_earlier_order_that_does_not_end_stops_the_run(root: Path) -> None:
    """Cancelled, but not seen ended within 30 s: refuse rather than trade beside it."""
    lab = make_lab(root, behaviour={"cancel_latency_s": 600.0})
    place(lab, f"tt1-{lab.h8}-20210226-BBB-0")
    record = lab.run()
    assert (record["outcome"], record["code"], lab.posts()) == ("halted", "open_order", [])
