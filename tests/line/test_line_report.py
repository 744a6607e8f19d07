"""Report: what the owner is told, once, and the watcher's pings; nothing of it touches a run."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest

from line_kit import Kill, Killed, Lab, make_lab, make_switch
from telling_kit import CHECK, DISCORD, EVENTS, SLACK, URLS, Receiver, check_discord, check_slack
from trimtab.adapters.webhook import Answer
from trimtab.core.record import canonical
from trimtab.errors import Misconfigured
from trimtab.stations.arrive import Arrival
from trimtab.switch import raise_flag

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trimtab.core.record import Document


def telling(lab: Lab) -> Receiver:
    """Put a receiver beside a laboratory, whose owner wants to be told everything."""
    lab.receiver = Receiver()
    lab.mandate = lab.changed(alerts=EVENTS)
    return lab.receiver


def broken(lab: Lab) -> Document:
    """Run with a strategy that gives nothing: the run halts."""
    return lab.run(lab.changed(rule=lambda _history, _equity: None))


def test_a_trade_is_told_once_with_its_orders(root: Path) -> None:
    """Each form is one its service takes; the re-run, which finds everything done, says nothing."""
    lab = make_switch(root)
    receiver = telling(lab)
    record = lab.run()
    lab.run()
    assert receiver.events() == [["traded"]]
    (discord,), (slack,) = receiver.told(DISCORD), receiver.told(SLACK)
    check_discord(discord)
    check_slack(slack)
    for order in record["orders"]:
        line = f"{order['side']} {order['symbol']}: {order['filled_qty']} of {order['qty']}"
        assert line in json.dumps(slack)
    assert receiver.pings() == ["start", "success"] * 2
    assert not lab.warned


def test_the_same_halt_is_told_once_a_session(root: Path) -> None:
    """Three runs of a session halt for one reason: one message; another reason, or session, is told again."""
    lab = make_lab(root)
    receiver = telling(lab)
    assert [broken(lab)["outcome"] for _ in range(3)] == ["halted"] * 3
    assert receiver.events() == [["halted"]]
    raise_flag(lab.store, "HALT", who="owner", at="now", why="drill")
    lab.run()
    assert receiver.events()[1:] == [["halted"]]
    lab.store.delete("HALT")
    lab.exchange.step()
    broken(lab)
    assert receiver.events()[2:] == [["halted"]]
    assert receiver.pings() == ["start", "fail"] * 5


def test_a_good_run_after_a_bad_one_is_a_recovery_once(root: Path) -> None:
    """Halted, then traded, then in band: the second is told as recovered too, the third is quiet."""
    lab = make_lab(root)
    receiver = telling(lab)
    broken(lab)
    lab.run()
    lab.run()
    assert receiver.events() == [["halted"], ["recovered", "traded"]]
    assert receiver.pings()[-3:] == ["success", "start", "success"]


def test_missed_sessions_are_told_and_failed_once(root: Path) -> None:
    """Two sessions without a run: the next run alarms, says which, and is well itself."""
    lab = make_lab(root)
    receiver = telling(lab)
    lab.run()
    for _ in range(3):
        lab.exchange.step()
    record = lab.run()
    lab.run()
    assert record["outcome"] in {"traded", "in_band"}
    assert [events[0] for events in receiver.events()[1:]] == ["missed"]
    assert "2021-03-02, 2021-03-03" in receiver.told()[1]["text"]
    assert receiver.pings() == ["start", "success", "start", "fail", "success", "start", "success"]


def test_missed_sessions_nobody_wants_to_hear_of_alarm_once(root: Path) -> None:
    """With `missed` out of alerts.on the watcher's alarm is all, and it is not repeated."""
    lab = make_lab(root)
    receiver = telling(lab)
    lab.mandate = lab.changed(alerts=frozenset({"halted"}))
    lab.run()
    for _ in range(2):
        lab.exchange.step()
    lab.run()
    lab.run()
    assert receiver.events() == []
    assert receiver.pings().count("fail") == 1


def test_a_closed_market_is_a_success_and_waking_outside_hours_is_told(root: Path) -> None:
    """After the close, on a session without a good run: told once; after one, and on a Saturday: not."""
    lab = make_lab(root)
    receiver = telling(lab)
    lab.at(22, 0)
    assert [lab.run()["outcome"] for _ in range(2)] == ["closed"] * 2
    assert receiver.events() == [["outside_hours"]]
    assert receiver.pings() == ["start", "success"] * 2
    lab.exchange.step()
    lab.run()
    lab.at(22, 0)
    lab.run()
    assert [events for events in receiver.events() if "outside_hours" in events] == [["outside_hours"]]


def test_a_late_event_on_a_session_without_a_run_is_told(root: Path) -> None:
    """An event of another day ends closed; on a session that nobody traded, the owner hears of it."""
    lab = make_lab(root)
    receiver = telling(lab)
    record = lab.run(arrival=Arrival(scheduled_time=lab.exchange.now().replace(month=2)))
    assert (record["outcome"], record["code"]) == ("closed", "late_event")
    assert receiver.events() == [["outside_hours"]]


def test_a_latch_is_told_as_what_it_is(root: Path) -> None:
    """The third bad session in a row: latched comes first, with why and what to do; then only halted."""
    lab = make_lab(root)
    receiver = telling(lab)
    for _ in range(3):
        broken(lab)
        lab.exchange.step()
    lab.run()
    assert [events[0] for events in receiver.events()] == ["halted", "halted", "latched", "halted"]
    assert "bad_sessions" in receiver.told()[2]["text"]
    assert "trimtab resume" in receiver.told()[3]["text"]


def test_a_dry_run_tells_nobody_but_the_watcher(root: Path) -> None:
    """The schedule ran, which is what the watcher watches; nothing is marked, nothing told."""
    lab = make_lab(root)
    receiver = telling(lab)
    lab.run(lab.changed(dry_run=True))
    lab.run(lab.changed(dry_run=True, rule=lambda _history, _equity: None))
    assert receiver.pings() == ["start", "success", "start", "fail"]
    assert len(receiver.posts) == 4
    assert lab.store.list("told/") == ()


def test_a_plan_on_paper_tells_nobody(root: Path) -> None:
    """`trimtab plan` is no run."""
    lab = make_lab(root)
    receiver = telling(lab)
    lab.run(arrival=Arrival(only_plan=True))
    assert receiver.posts == []


def test_what_is_not_wanted_is_not_told(root: Path) -> None:
    """`alerts.on` decides."""
    lab = make_lab(root)
    receiver = telling(lab)
    lab.mandate = lab.changed(alerts=frozenset({"halted"}))
    lab.run()
    assert receiver.events() == []


def test_a_killed_run_is_completed_and_told_by_the_next(root: Path) -> None:
    """Killed after its first order: the next run tells the orders, and that it finished what had begun."""
    lab = make_switch(root)
    receiver = telling(lab)
    with pytest.raises(Killed):
        lab.run(requests_=Kill(1, after=True, only="POST"))
    assert receiver.pings() == ["start"]
    lab.run()
    assert receiver.events() == [["recovered", "traded"]]
    assert "left no record" in receiver.told()[0]["text"]
    assert receiver.pings() == ["start", "start", "success"]


def test_a_session_that_died_is_told_in_the_next(root: Path) -> None:
    """The plan that nobody finished is told of as interrupted, then the run that closed it."""
    lab = make_switch(root)
    receiver = telling(lab)
    with pytest.raises(Killed):
        lab.run(requests_=Kill(1, after=True, only="POST"))
    lab.exchange.step()
    lab.run()
    told = receiver.events()
    assert told[0] == ["interrupted"]
    assert "recovered" in told[1]
    lab.run()
    assert len(receiver.events()) == 2


def down(answer: Answer) -> Callable[[str], Answer]:
    """Answer everything so."""
    return lambda _url: answer


BAD = {
    "down": Answer(None, detail="no answer (ConnectionError)"),
    "slow": Answer(None, sent=True, detail="no answer within 4 s"),
    "429": Answer(429, wait_s=2.0),
    "500": Answer(500),
    "gone": Answer(404),
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
def test_no_receiver_changes_a_run(root: Path, answer: Answer) -> None:
    """Down, slow, refusing: outcome, orders and record are those of a run that tells nobody; it is brief."""
    quiet = make_switch(root / "quiet")
    expected = quiet.run()
    lab = make_switch(root / "told")
    receiver = telling(lab)
    receiver.answer = down(answer)
    record = lab.run()
    for key in ("outcome", "code", "reason", "planned", "weights", "cash", "equity", "plan_digest"):
        assert record[key] == expected[key], key
    assert canonical(record) in {
        lab.store.get(key) for key in lab.store.list("runs/") if key.endswith("record.json")
    }
    assert lab.posts() == quiet.posts()
    assert len(lab.warned) == len(URLS) + 2
    spent = (lab.exchange.now() - quiet.exchange.now()).total_seconds()
    assert spent <= 15.0
    assert lab.store.list("told/") == ()


def test_what_nobody_took_the_next_run_tells(root: Path) -> None:
    """The receivers are down for one run; the next one, in band, tells of it, once."""
    lab = make_lab(root)
    receiver = telling(lab)
    broken(lab)
    receiver.answer = down(BAD["500"])
    lab.run()
    receiver.posts.clear()
    receiver.answer = down(Answer(200))
    lab.run()
    assert receiver.events() == [["traded"]]
    assert "not told of when it ended" in receiver.told()[0]["text"]
    lab.run()
    assert receiver.events() == [["traded"]]


def test_a_kill_between_record_and_message_loses_no_message(root: Path) -> None:
    """The record is the outbox: the next run finds it without a mark."""
    lab = make_lab(root)
    receiver = telling(lab)
    broken(lab)

    def die(url: str) -> Answer:
        if "start" in url:
            return Answer(200)
        raise Killed

    receiver.answer = die
    with pytest.raises(Killed):
        lab.run()
    receiver.posts.clear()
    receiver.answer = down(Answer(200))
    lab.run()
    assert receiver.events() == [["traded"]]


def test_a_store_that_cannot_be_written_is_told_all_the_same(root: Path) -> None:
    """No record could be written: the owner hears why, and the watcher is failed."""
    lab = make_lab(root)
    receiver = telling(lab)

    def full(verb: str, key: str) -> None:
        if verb == "put" and key.startswith("runs/"):
            raise OSError("No space left on device")

    lab.watch = full
    with pytest.raises(Exception, match="record can't be written") as stop:
        lab.run()
    assert receiver.events()[-1] == ["interrupted"]
    assert receiver.told()[-1]["run_id"]
    assert "No space left" in receiver.told()[-1]["text"]
    assert receiver.pings() == ["start", "fail"]
    assert getattr(stop.value, "code", "") == "store_unwritable"


def test_a_bug_and_a_bound_store_are_told(root: Path) -> None:
    """What leaves no record still reaches the owner, and is raised as it was."""
    lab = make_lab(root)
    receiver = telling(lab)
    lab.run()

    def fault(verb: str, key: str) -> None:
        if verb == "get" and key.startswith("portfolios/"):
            raise RuntimeError("an error that nobody expected")

    lab.watch = fault
    with pytest.raises(RuntimeError):
        lab.run()
    assert "nobody expected" in receiver.told()[-1]["text"]
    lab.watch = None
    with pytest.raises(Misconfigured):
        lab.run(lab.changed(mode="live"))
    assert "store_bound" in receiver.told()[-1]["text"]
    assert receiver.pings()[-4:] == ["start", "fail"] * 2


def test_a_run_without_time_begins_without_a_ping_and_ends_with_what_fits(root: Path) -> None:
    """With less than a minute to go trading comes first; in the last seconds nothing is told."""
    lab = make_lab(root)
    receiver = telling(lab)
    lab.seconds_left = lambda: 40.0
    lab.run()
    assert receiver.pings() == ["success"]
    lab.seconds_left = lambda: 4.0
    lab.run()
    assert receiver.pings() == ["success"]


def test_start_and_end_of_a_run_have_one_name(root: Path) -> None:
    """The same rid at start and end, another for each run."""
    lab = make_lab(root)
    receiver = telling(lab)
    lab.run()
    lab.run()
    rids = [p.url.partition("rid=")[2] for p in receiver.posts if p.url.startswith(CHECK)]
    assert rids[0] == rids[1] != rids[2] == rids[3]


def test_a_death_at_any_step_stops_no_later_run(root: Path) -> None:
    """Killed at a sample of its steps, pings and marks among them: one run makes it good."""
    rng = random.Random(7)
    for nth in sorted(rng.sample(range(1, 60), 8)):
        lab = make_switch(root / str(nth))
        receiver = telling(lab)
        kill = Kill(nth, after=bool(nth % 2))
        receiver.answer = lambda url, kill=kill: kill.around(url, lambda: Answer(200))  # type: ignore[misc]  # the nth of all steps
        try:
            lab.run(requests_=kill, store=kill)
        except Killed:
            receiver.answer = down(Answer(200))
            lab.run()
        lab.check_books()
        assert "success" in receiver.pings()
        assert any("traded" in events for events in receiver.events()), nth


def test_timings_arrival_prices_and_the_age_of_data_are_recorded(root: Path) -> None:
    """Every station passed has its seconds, on the run's clock; every order its quote; none in the plan."""
    lab = make_switch(root)
    record = lab.run()
    stations = ["fetch", "validate", "positions", "strategy", "plan", "risk", "execute", "record"]
    assert list(record["timings"]) == stations
    whole = lab.trades.query("SELECT started_at, finished_at, data_age_s FROM runs")[0]
    assert sum(record["timings"].values()) >= record["timings"]["execute"] > 0
    assert whole["data_age_s"] == record["data_age_s"] == pytest.approx(66 * 3600, abs=60)
    for order in record["orders"]:
        bid, ask, price = (float(order[f"arrival_{name}"]) for name in ("bid", "ask", "price"))
        assert bid <= price <= ask
    rows = lab.trades.query("SELECT arrival_price FROM orders")
    assert all(row["arrival_price"] for row in rows)
    assert "timings" not in record["plan"]
    assert "arrival" not in json.dumps(record["plan"])


def test_an_old_record_stays_readable(root: Path) -> None:
    """A record without what is measured now is taken into trades.db as before."""
    from trimtab.core.record import rows  # noqa: PLC0415 - one use

    record = make_lab(root).run()
    for key in ("timings", "data_age_s"):
        del record[key]
    for order in record["orders"]:
        for name in ("arrival_bid", "arrival_ask", "arrival_price"):
            del order[name]
    old = rows(record)
    assert old["timings"] == []
    assert all(row["arrival_price"] is None for row in old["orders"])
