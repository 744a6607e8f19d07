"""Owner: what a person, or a broker that is gone, does to a run: halts, hands in the account, silence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from floor_kit import Stage, floor_of, order_of, request_of
from line_kit import Kill, Killed, Lab, make_lab, make_switch
from trimtab.adapters.sample import synthetic
from trimtab.core.record import account_hash
from trimtab.ports import Unreachable
from trimtab.stations.arrive import Arrival
from trimtab.stations.halting import QUIET_S, Word, clear, halt, resume

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trimtab.core.portfolio import BrokerOrder


H8 = account_hash("PA1", "main")


def word(lab: Lab, *, everyone: bool = False) -> Word:
    """What the owner says."""
    return Word("owner-1", "owner", lab.exchange.now(), "enough", "main", everyone)


def is_open(lab: Lab) -> list[str]:
    """Our orders in flight."""
    return [order.client_order_id for order in lab.world().broker.open_orders()]


@pytest.mark.parametrize("everyone", [False, True])
@pytest.mark.parametrize("post", [1, 2, 3])
def test_a_halt_during_a_run_leaves_no_order_open(root: Path, post: int, everyone: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """The verb sets the flag and clears; the run sends nothing more; lifted, the plan is finished."""
    lab = make_lab(root, behaviour={"halted": ("AAA", "BBB", "CCC")})

    def stop() -> None:
        assert halt(lab.store, word(lab, everyone=everyone))
        assert clear(lab.world(), "main").still_open == ()

    record = lab.run(requests_=Kill(post, after=True, only="POST", meanwhile=stop))
    assert (record["outcome"], record["code"]) == ("interrupted", "kill_switch")
    assert len(lab.posts()) == post
    assert is_open(lab) == []
    lab.check_books()
    lab.exchange.behave(halted=())
    assert resume(lab.store, word(lab, everyone=everyone))
    assert lab.run()["outcome"] == "traded"
    assert lab.held() == {"AAA": 200, "BBB": 300, "CCC": 500}
    lab.check_books()


def test_a_flag_alone_ends_the_orders_of_a_waiting_run(root: Path) -> None:
    """Set by hand in the store, without the verb: the run itself cancels what it has open, and records it."""
    lab = make_lab(root, behaviour={"halted": ("BBB",)})

    def stop() -> None:
        lab.store.put_if_absent("HALT", b"stop")

    record = lab.run(requests_=Kill(3, after=True, only="POST", meanwhile=stop))
    assert (record["outcome"], record["code"], record["stage"]) == ("interrupted", "kill_switch", "execute")
    assert is_open(lab) == []
    assert {order["symbol"]: order["status"] for order in record["orders"]}["BBB"] == "canceled"
    lab.check_books()


@pytest.mark.parametrize("seconds", [1.0, 3.0])
def test_an_order_that_arrives_after_the_halt_cleared_is_ended_by_its_run(root: Path, seconds: float) -> None:
    """It was on its way when the flag was set and nothing open: the run that finds it sees the flag then."""
    lab = make_lab(root, behaviour={"halted": ("CCC",)})
    lab.fault("late", nth=3, seconds=seconds)

    def stop() -> None:
        halt(lab.store, word(lab))
        assert clear(lab.world(), "main").still_open == ()

    record = lab.run(requests_=Kill(3, only="POST", meanwhile=stop))
    assert record["code"] == "kill_switch"
    assert is_open(lab) == []
    assert len(set(lab.posts())) == 3


@dataclass(slots=True)
class Asked(Stage):
    """A stage with a list of open orders."""

    def open_orders(self) -> Sequence[BrokerOrder]:
        """Give the orders in flight."""
        self._note("open_orders")
        return tuple(order for order in self.orders.values() if not order.terminal)


def stuck(count: int) -> Asked:
    """A stage with open orders of ours, and one that is not."""
    stage = Asked(on_cancel=lambda _: None)
    floor, chains = floor_of(stage, [order_of(f"S{n}", "buy", "1") for n in range(count)])
    for chain in chains:
        name = floor.id_of(chain.order.symbol, 0).replace("0123abcd", H8)
        stage.open(request_of(floor, chain, "1", client_order_id=name))
    stage.open(request_of(floor, chains[0], "1", client_order_id="by-hand"))
    return stage


def test_clearing_asks_once_for_each_order_and_waits_for_quiet() -> None:
    """Fifteen seconds after the last was seen open; another's order is left alone."""
    stage = stuck(2)

    def end() -> None:
        if stage.seconds == 4:
            for name, order in stage.orders.items():
                if name != "by-hand":
                    stage.end(order.id)

    stage.on_sleep = end
    cleared = clear(stage.world(), "main")
    assert (len(cleared.cancelled), cleared.still_open) == (2, ())
    assert len(stage.asked("cancel")) == 2
    assert stage.seconds == 3 + QUIET_S


def test_clearing_gives_up_after_two_minutes_and_names_what_is_open() -> None:
    """A person looks at it then."""
    stage = stuck(1)
    cleared = clear(stage.world(), "main")
    assert (cleared.cancelled, cleared.still_open) == ((), (f"tt1-{H8}-20210301-S0-0",))
    assert stage.seconds == 120


def test_clearing_asks_again_where_the_question_was_lost() -> None:
    """Each look; and not for longer than two minutes, however slowly it is lost."""
    stage = stuck(20)

    def lose(_: str) -> None:
        stage.seconds += 13
        raise Unreachable("no answer")

    stage.on_cancel = lose
    assert len(clear(stage.world(), "main").still_open) == 20
    assert len(stage.asked("cancel")) == 10
    assert stage.seconds == 130


def test_lifting_what_is_not_set_changes_nothing(root: Path) -> None:
    """No flag, no event."""
    lab = make_lab(root)
    assert not resume(lab.store, word(lab))
    assert halt(lab.store, word(lab))
    assert not halt(lab.store, word(lab))


# hands in the account


def trade_by_hand(lab: Lab, symbol: str, shares: int) -> None:
    """A person brings shares in or takes them out."""
    lab.exchange.journal(symbol, Decimal(shares))


@pytest.mark.parametrize("shares", [-20, 20])
def test_a_hand_on_a_symbol_without_an_order_stops_the_resumption(root: Path, shares: int) -> None:
    """BBB is at its target and has no order: it must still be at its base before the plan is continued."""
    lab = make_lab(root, {"AAA": 0.2, "BBB": 0.05}, held={"BBB": 105})
    with pytest.raises(Killed):
        lab.run(requests_=Kill(1, only="POST"))
    plan = lab.plan()
    assert plan is not None
    assert [order["symbol"] for order in plan["orders"]] == ["AAA"]
    assert plan["base"] == {"AAA": "0", "BBB": "105"}
    assert plan["prices"] == {"AAA": "100.0", "BBB": "50.0"}
    trade_by_hand(lab, "BBB", shares)
    record = lab.run()
    assert (record["outcome"], record["code"]) == ("halted", "positions_differ")
    assert record["error"]["seen"] == f"BBB {shares:+d}"
    assert (lab.posts(), lab.halted()) == ([], None)
    trade_by_hand(lab, "BBB", -shares)
    assert lab.run()["outcome"] == "traded"
    lab.check_books()


def test_a_hand_on_a_symbol_without_an_order_latches_after_trading(root: Path) -> None:
    """Half a minute later it still differs: interrupted, latched for a person."""
    lab = make_lab(root, {"AAA": 0.2, "BBB": 0.05}, held={"BBB": 105})
    record = lab.run(requests_=Kill(1, only="POST", meanwhile=lambda: trade_by_hand(lab, "BBB", 20)))
    assert (record["outcome"], record["stage"], record["code"]) == ("interrupted", "record", "reconcile")
    assert record["error"]["seen"] == "BBB +20"
    assert lab.halted() is not None


def test_foreign_holdings_may_change_meanwhile(root: Path) -> None:
    """What is outside the universe is no business of the plan's."""
    lab = make_lab(root, {"AAA": 0.2}, held={"CCC": 10})
    record = lab.run(requests_=Kill(1, only="POST", meanwhile=lambda: trade_by_hand(lab, "CCC", 20)))
    assert record["outcome"] == "traded"


@pytest.mark.parametrize("finish", [False, True])
def test_a_plan_that_another_run_just_stored_is_held_to_its_digests(root: Path, finish: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Two runs at once under different configurations: the later one says so and trades nothing of it."""
    lab = make_lab(root)
    other = lab.changed(config_digest="e" * 64)
    dead: list[bool] = []

    def beside() -> None:
        dead.append(True)
        with pytest.raises(Killed):
            lab.run(other, requests_=Kill(1, only="POST"))

    def watch(verb: str, key: str) -> None:
        if verb == "put" and key.startswith("plans/") and not dead:
            beside()

    lab.watch = watch
    record = lab.run(arrival=Arrival(finish=finish))
    assert dead
    if finish:
        assert record["outcome"] == "traded"
    else:
        assert (record["outcome"], record["code"]) == ("halted", "plan_config_changed")
        assert lab.orders() == {}


# silence


@pytest.mark.parametrize("action", ["drop", "hang"])
@pytest.mark.parametrize("nth", [1, 5, 12, 21, 24, 30, 36, 38])
def test_a_run_whose_broker_is_gone_ends_within_four_minutes(root: Path, action: str, nth: int) -> None:
    """From any request on there is no answer any more: a record, and the next run finishes."""
    lab = make_switch(root, behaviour={"latency_s": 3.0})
    lab.fault(action, "*", ".*", nth=nth, times=0)
    started = lab.exchange.now()
    record = lab.run()
    assert record["outcome"] in {"halted", "interrupted"}
    assert (lab.exchange.now() - started).total_seconds() <= 240
    lab.face.faults.clear()
    assert lab.run()["outcome"] in {"traded", "in_band"}
    lab.check_books()


@pytest.mark.parametrize("seconds", [45.0, 70.0, 100.0])
@pytest.mark.parametrize("nth", [21, 24, 30, 36, 38])
def test_a_run_whose_broker_is_gone_still_has_time_for_its_record(
    root: Path, seconds: float, nth: int
) -> None:
    """However little was left: it ends before its time is over."""
    lab = make_switch(root, behaviour={"latency_s": 3.0})
    due = lab.exchange.now()

    def left() -> float:
        return seconds - (lab.exchange.now() - due).total_seconds()

    lab.seconds_left = left
    lab.fault("hang", "*", ".*", nth=nth, times=0)
    lab.run()
    assert left() >= 5, left()


def test_many_open_orders_of_a_broker_that_is_gone_are_not_asked_for_one_by_one(root: Path) -> None:
    """Thirty cancels that are all lost would outlast any run: one is lost, and the look after it ends it."""
    names = [f"S{i:03d}" for i in range(30)]
    weights = dict.fromkeys(names, 0.015)
    lab = make_lab(root, weights, tape=synthetic(names), start=date(2020, 3, 2), fill_timeout_s=20.0)
    lab.exchange.behave(halted=tuple(names))
    lab.fault("hang", "DELETE", ".*", times=0)
    started = lab.exchange.now()
    record = lab.run()
    assert (record["outcome"], record["code"]) == ("interrupted", "order_open")
    assert (lab.exchange.now() - started).total_seconds() <= 240
