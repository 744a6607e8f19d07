"""Gates: what keeps a run from trading at all; each stops with one message, and nothing is sent."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from line_kit import Kill, Killed, Lab, codes, make_lab, make_switch, make_tape
from trimtab.core.record import canonical, plan_digest
from trimtab.errors import Misconfigured
from trimtab.stations.arrive import Arrival
from trimtab.switch import HALT_ALL, flag_of, raise_flag

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trimtab.core.bars import History
    from trimtab.core.record import Document


def check_stopped(lab: Lab, record: Document, outcome: str, stage: str | None, code: str) -> None:
    """The run ended so, says why in a record, and sent nothing."""
    assert (record["outcome"], record["stage"], record["code"]) == (outcome, stage, code), record["reason"]
    assert record["reason"].startswith(f"{code}: ")
    assert lab.sends() == []
    assert record["orders"] == []
    assert lab.records()[-1]["run_id"] == record["run_id"]
    if outcome == "halted":
        assert record["error"]["hint"]
        assert record["error"]["code"] == code


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (datetime(2021, 3, 6, 15, 0, tzinfo=UTC), "no_session"),
        (datetime(2021, 4, 2, 14, 0, tzinfo=UTC), "no_session"),
        (datetime(2021, 3, 2, 14, 34, 59, tzinfo=UTC), "outside_window"),
        (datetime(2021, 3, 2, 20, 50, 1, tzinfo=UTC), "outside_window"),
        (datetime(2021, 3, 2, 3, 0, tzinfo=UTC), "outside_window"),
        (datetime(2021, 3, 15, 13, 34, 59, tzinfo=UTC), "outside_window"),
    ],
    ids=["weekend", "holiday", "before", "after", "utc-midnight", "summer-time"],
)
def test_outside_the_window_a_run_ends_closed(root: Path, moment: datetime, code: str) -> None:
    """Five minutes after the open to ten before the close; all else is an outcome, not an error."""
    lab = make_lab(root)
    lab.exchange.move(moment)
    check_stopped(lab, lab.run(), "closed", None, code)


@pytest.mark.parametrize(
    "moment", [datetime(2021, 3, 2, 14, 35, tzinfo=UTC), datetime(2021, 3, 15, 13, 35, tzinfo=UTC)]
)
def test_the_window_opens_five_minutes_after_the_open(root: Path, moment: datetime) -> None:
    """Winter and summer time alike."""
    lab = make_lab(root)
    lab.exchange.move(moment)
    assert lab.run()["outcome"] == "traded"


def test_a_half_day_closes_early(root: Path) -> None:
    """The day after Thanksgiving ends at 13:00 New York; a run at 13:30 is closed, one at 12:30 trades."""
    late = make_holiday_lab(root / "late")
    late.exchange.move(datetime(2020, 11, 27, 17, 51, tzinfo=UTC))
    check_stopped(late, late.run(), "closed", None, "outside_window")
    early = make_holiday_lab(root / "early")
    early.exchange.move(datetime(2020, 11, 27, 17, 30, tzinfo=UTC))
    assert early.run()["outcome"] == "traded"


def make_holiday_lab(root: Path) -> Lab:
    """A laboratory of autumn 2020."""
    tape = make_tape(first=date(2020, 10, 1), last=date(2020, 12, 30))
    return make_lab(root, tape=tape, start=date(2020, 11, 25))


@pytest.mark.parametrize("days", [-1, 1])
def test_an_event_of_another_day_is_late(root: Path, days: int) -> None:
    """An event scheduled for another New York date never trades."""
    lab = make_lab(root)
    arrival = Arrival(scheduled_time=lab.exchange.now() + timedelta(days=days))
    check_stopped(lab, lab.run(arrival=arrival), "closed", None, "late_event")


def test_an_event_of_the_same_new_york_day_trades(root: Path) -> None:
    """Six hours late, but of today."""
    lab = make_lab(root)
    lab.at(19, 0)
    arrival = Arrival(scheduled_time=lab.exchange.now() - timedelta(hours=4))
    assert lab.run(arrival=arrival)["outcome"] == "traded"


@pytest.mark.parametrize("key", [HALT_ALL, flag_of("main")])
def test_a_halt_flag_stops_the_run(root: Path, key: str) -> None:
    """The owner's word stands before everything; lifted, the same session trades."""
    lab = make_lab(root)
    raise_flag(lab.store, key, who="owner", at="today", why="holidays")
    record = lab.run()
    check_stopped(lab, record, "halted", "fetch", "kill_switch")
    assert "holidays" in record["error"]["seen"]
    lab.store.delete(key)
    assert lab.run()["outcome"] == "traded"


def test_another_portfolios_halt_flag_is_not_ours(root: Path) -> None:
    """`halts/<portfolio>` halts one."""
    lab = make_lab(root)
    raise_flag(lab.store, flag_of("other"), who="owner", at="today", why="")
    assert lab.run()["outcome"] == "traded"


@pytest.mark.parametrize("bound", [b'{"h8":"00000000","mode":"paper"}', None, b"[]", b"\xff{"])
def test_a_store_bound_to_another_account_or_mode_is_refused(root: Path, bound: bytes | None) -> None:
    """Exit 2, and nothing is written there: not even a record."""
    lab = make_lab(root)
    ours = canonical({"h8": lab.h8, "mode": "live"})
    lab.store.put_if_absent("portfolios/main.json", ours if bound is None else bound)
    with pytest.raises(Misconfigured) as caught:
        lab.run()
    assert caught.value.code == "store_bound"
    assert caught.value.hint
    assert lab.store.list("runs/") == ()
    assert lab.sends() == []


def broken_off(lab: Lab) -> Document:
    """Let a run die right after its first order, and give the stored plan."""
    with pytest.raises(Killed):
        lab.run(requests_=Kill(1, after=True, only="POST"))
    assert lab.posts() == [lab.order_id("AAA")]
    plan = lab.plan()
    assert plan is not None
    lab.face.log.seen.clear()
    return plan


@pytest.mark.parametrize(("field", "word"), [("config_digest", "config"), ("code_digest", "code")])
def test_an_unfinished_plan_of_another_config_or_code_waits_for_finish(
    root: Path, field: str, word: str
) -> None:
    """Exit 3 naming both; `--finish` continues the stored plan as it is."""
    lab = make_switch(root)
    plan = broken_off(lab)
    other = lab.changed(**{field: "e" * 64})
    record = lab.run(other)
    check_stopped(lab, record, "halted", "execute", f"plan_{word}_changed")
    assert ("e" * 12) in record["error"]["seen"]
    assert plan[field][:12] in record["error"]["allowed"]
    assert lab.run(other, Arrival(finish=True))["outcome"] == "traded"
    lab.check_books()


def test_a_finished_plan_of_another_config_is_just_done(root: Path) -> None:
    """Nothing is left to continue, so the config does not matter."""
    lab = make_switch(root)
    lab.run()
    assert lab.run(lab.changed(config_digest="e" * 64))["outcome"] == "in_band"


def spoilt(plan: Document, **changes: Any) -> bytes:  # noqa: ANN401 - JSON
    """The plan with other content and a digest that fits."""
    other = {**plan, **changes}
    return canonical(other | {"plan_digest": plan_digest(other)})


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda plan: canonical(plan)[:-40], "plan_damaged"),
        (lambda _plan: b"", "plan_damaged"),
        (lambda _plan: b"[]", "plan_damaged"),
        (lambda _plan: b'"plan"', "plan_damaged"),
        (lambda _plan: b"\xff\xfe", "plan_damaged"),
        (lambda plan: canonical(plan | {"equity": "1"}), "plan_damaged"),
        (lambda plan: spoilt(plan, version=99), "plan_damaged"),
        (lambda plan: spoilt(plan, h8="00000000"), "plan_of_another"),
        (lambda plan: spoilt(plan, mode="live"), "plan_of_another"),
        (lambda plan: spoilt(plan, host="elsewhere"), "plan_of_another"),
        (lambda plan: spoilt(plan, session="2021-02-26"), "plan_of_another"),
        (lambda plan: spoilt(plan, verdicts=[]), "plan_without_verdicts"),
    ],
)
def test_a_plan_that_is_not_ours_or_not_whole_is_not_traded(
    root: Path, spoil: Callable[[Document], bytes], code: str
) -> None:
    """Whatever lies under the session's key, only the plan that a run of ours stored there is traded."""
    lab = make_switch(root)
    plan = broken_off(lab)
    lab.store.delete(f"plans/main/{lab.session}.json")
    lab.store.put_if_absent(f"plans/main/{lab.session}.json", spoil(plan))
    check_stopped(lab, lab.run(), "halted", "execute" if code == "plan_without_verdicts" else "fetch", code)


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ({"trading_blocked": True}, "account_blocked"),
        ({"account_blocked": True}, "account_blocked"),
        ({"trade_suspended_by_user": True}, "account_blocked"),
        ({"status": "ACCOUNT_CLOSED"}, "account_status"),
    ],
)
def test_an_account_that_may_not_trade_stops_the_run(root: Path, flags: dict[str, object], code: str) -> None:
    """Each flag of the account alone."""
    lab = make_lab(root, behaviour={"flags": flags})
    record = lab.run()
    check_stopped(lab, record, "halted", "positions", code)
    assert codes(record["verdicts"]) == {code}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"AAA": 0.7, "BBB": 0.4}, "weights_above_one"),
        ({"AAA": float("nan")}, "weight_not_finite"),
        ({"AAA": -0.1}, "weight_negative"),
        ({"ZZZ": 0.1}, "weight_outside_universe"),
        ({"AAA": "0.1"}, "weight_not_a_number"),
        (None, "weights_not_a_mapping"),
    ],
)
def test_weights_that_are_not_acceptable_stop_the_run(root: Path, asked: object, code: str) -> None:
    """Whatever a strategy gives that are no weights, nothing is traded."""
    lab = make_lab(root, rule=lambda _history, _equity: asked)
    check_stopped(lab, lab.run(), "halted", "strategy", code)


def test_a_strategy_that_raises_stops_the_run(root: Path) -> None:
    """The owner's code fails in the owner's words."""
    lab = make_lab(root, rule=lambda _history, _equity: {"AAA": 1 / 0})
    record = lab.run()
    check_stopped(lab, record, "halted", "strategy", "strategy_failed")
    assert "ZeroDivisionError" in record["reason"]


@pytest.mark.parametrize(
    "rule",
    [
        lambda _history, _equity: sys.exit(),
        lambda _history, _equity: sys.exit("no prices"),
        lambda _history, _equity: {"AAA": 10**400},
    ],
    ids=["exit-0", "exit-1", "beyond-all-floats"],
)
def test_a_strategy_that_exits_or_overflows_stops_the_run(
    root: Path, rule: Callable[[object, float], object]
) -> None:
    """It never ends the process: silence with exit 0 would look like a run that did its work."""
    lab = make_lab(root, rule=rule)
    check_stopped(lab, lab.run(), "halted", "strategy", "strategy_failed")


def test_the_volume_is_averaged_over_twenty_sessions_whatever_the_look_back(root: Path) -> None:
    """A rule that looks one session back sees one; `max_adv_share` still judges by twenty."""
    seen: list[int] = []

    def rule(history: History, _equity: float) -> dict[str, float]:
        seen.append(len(history.sessions))
        return {"AAA": 0.1}

    tape = make_tape({"AAA": 100.0})
    volume = tape.volume.copy()
    volume[tape.sessions == np.datetime64("2021-02-26")] = 1.0  # the last session before the run
    lab = make_lab(root, {"AAA": 0.1}, rule=rule, lookback=1, tape=replace(tape, volume=volume))
    record = lab.run()
    assert (record["outcome"], seen) == ("traded", [1])
    assert record["planned"][0]["qty"] == "100"


def test_a_symbol_without_bars_stops_the_run(root: Path) -> None:
    """Unknown to the market: named, and nothing is traded."""
    lab = make_lab(root, {"AAA": 0.2, "ZZZ": 0.2})
    record = lab.run()
    check_stopped(lab, record, "halted", "validate", "missing_symbol")
    assert "ZZZ" in record["reason"]


def test_wrong_keys_stop_the_run(root: Path) -> None:
    """401: exit 3, with what to check; the session is not known, so the record lies under none."""
    lab = make_lab(root)
    lab.fault("status", "GET", "/v2/clock", status=401, times=0)
    record = lab.run()
    check_stopped(lab, record, "halted", "fetch", "unauthorized")
    assert record["session"] is None
    assert lab.store.list("runs/main/none/")


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("/v2/clock", "fetch"),
        ("/v2/account$", "fetch"),
        ("/v2/calendar", "fetch"),
        ("/v2/stocks/bars", "fetch"),
        ("/v2/orders", "positions"),
        ("/v2/positions", "positions"),
        ("/v2/assets", "plan"),
        ("/v2/stocks/quotes", "plan"),
    ],
)
@pytest.mark.parametrize("action", ["drop", "html", "garbage", "empty", "truncated"])
def test_a_read_that_stays_broken_stops_the_run_where_it_stood(
    root: Path, path: str, stage: str, action: str
) -> None:
    """Past the retries: halted at that station, recorded, nothing sent."""
    lab = make_lab(root)
    lab.fault(action, "GET", path, times=0)
    check_stopped(lab, lab.run(), "halted", stage, "unreachable")


def test_a_damaged_record_is_not_believed(root: Path) -> None:
    """A record that is not what its sum says decides nothing: neither that a plan is done nor what is due."""
    lab = make_lab(root, interval="weekly")
    lab.run()
    key = next(key for key in lab.store.list("runs/") if key.endswith("record.json"))
    record = json.loads(lab.store.get(key) or b"")
    lab.store.delete(key)
    lab.store.put_if_absent(key, canonical(record | {"outcome": "halted"}))
    again = lab.run()
    assert (again["outcome"], again["code"]) == ("halted", "record_damaged")
    lab.exchange.step()
    assert lab.run()["code"] == "record_damaged"
    assert len(lab.posts()) == 3


def test_a_record_without_its_sums_is_of_a_dead_run(root: Path) -> None:
    """The run that left it may have died before it was whole: its plan is looked at again."""
    lab = make_lab(root)
    lab.run()
    for key in lab.store.list("runs/"):
        if key.endswith("SHA256SUMS"):
            lab.store.delete(key)
    record = lab.run()
    assert record["outcome"] == "traded"
    assert len(lab.posts()) == 3
    assert lab.run()["outcome"] == "in_band"


def test_one_run_with_orders_more_than_allowed_is_refused(root: Path) -> None:
    """A plan is continued only by as many runs that send orders as the limit says."""
    lab = make_lab(root, max_runs_with_orders=1)
    with pytest.raises(Killed):
        lab.run(requests_=Kill(1, after=True, only="POST"))
    lab.fault("drop", "GET", "/v2/account/activities", times=0)
    assert lab.run()["outcome"] == "interrupted"
    lab.face.faults.clear()
    sent = len(lab.sends())
    record = lab.run()
    assert (record["outcome"], record["code"]) == ("halted", "max_runs_with_orders")
    assert len(lab.sends()) == sent
