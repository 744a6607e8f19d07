"""History: the rules that look back: flows, the fall from the peak, approvals, bad sessions in a row."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from line_kit import START, Kill, Killed, Lab, make_lab, make_tape
from trimtab.stations import history
from trimtab.stations.arrive import Arrival

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trimtab.adapters.exchange.tape import Tape
    from trimtab.core.mandate import Mandate
    from trimtab.core.record import Document


def falling(closes: Sequence[float], opens: Sequence[float] | None = None) -> Tape:
    """Give a tape of AAA with these closes from the session before START on; each opens at the last one."""
    tape = make_tape({"AAA": closes[0], "BBB": 50.0})
    first = int(np.searchsorted(tape.sessions, np.datetime64(START))) - 1
    close = tape.close.copy()
    close[first : first + len(closes), 0] = closes
    close[first + len(closes) :, 0] = closes[-1]
    opening = np.vstack([close[:1], close[:-1]])
    if opens is not None:
        opening[first : first + len(opens), 0] = opens
    low, high = np.minimum(opening, close) - 0.01, np.maximum(opening, close) + 0.01
    return replace(tape, open=opening, close=close, low=low, high=high)


def make_holder(root: Path, tape: Tape | None = None, **changes: Any) -> Lab:  # noqa: ANN401 - fields
    """Give a laboratory that holds 980 AAA at 100 and 2,000 USD, as it wants to."""
    held = {"AAA": 980}
    return make_lab(root, {"AAA": 0.98}, held=held, cash=2_000, tape=tape or falling([100.0]), **changes)


def walk(lab: Lab, sessions: int) -> list[Document]:
    """Run once in each of several sessions, from today on."""
    records = [lab.run()]
    for _ in range(sessions - 1):
        lab.exchange.step()
        records.append(lab.run())
    return records


def seen(record: Document, rule: str) -> float:
    """Give what a rule saw."""
    return float(next(v["seen"] for v in record["verdicts"] if v["rule"] == rule))


def ended(record: Document) -> tuple[str, str]:
    return record["outcome"], record["code"]


# Flows


def test_a_deposit_is_seen_once_and_taken_out(root: Path) -> None:
    """The run that sees it first records it; neither rule takes it for a gain, nor its use for a loss."""
    lab = make_holder(root, max_drawdown=0.01, max_equity_move=0.01)
    lab.run()
    lab.exchange.journal(amount=Decimal(400_000))
    lab.exchange.step()
    first = lab.run()
    assert [(flow["kind"], flow["amount"]) for flow in first["flows"]] == [("CSD", "400000.00")]
    lab.exchange.step()
    second = lab.run()
    assert second["flows"] == []
    for record in (first, second):
        assert record["outcome"] == "traded", record["reason"]
        assert seen(record, "max_drawdown") == pytest.approx(0, abs=1e-6)
        assert seen(record, "max_equity_move") == pytest.approx(0, abs=1e-6)
    rows = lab.trades.query("SELECT run_id, kind, amount FROM flows ORDER BY date")
    assert {"run_id": first["run_id"], "kind": "CSD", "amount": "400000.00"} in rows


def test_a_withdrawal_of_half_trips_nothing(root: Path) -> None:
    """In one day, and in shares too: what left was not lost."""
    lab = make_holder(root, max_drawdown=0.01, max_equity_move=0.01, max_turnover=2.0, max_order_size=1.0)
    lab.run()
    lab.exchange.step()
    lab.exchange.journal("AAA", Decimal(-490))
    lab.exchange.journal(amount=Decimal(-1_000))
    record = lab.run()
    assert record["outcome"] in {"traded", "in_band"}, record["reason"]
    assert {flow["kind"]: flow["amount"] for flow in record["flows"]} == {
        "JNLS": "-49000.00",
        "CSW": "-1000.00",
    }


def test_a_flow_of_the_month_between_two_decisions_is_found(root: Path) -> None:
    """Runs that are not due look at no account: the next that does asks as far back as the last that did."""
    lab = make_holder(root, interval="monthly", max_drawdown=0.01)
    assert lab.run()["outcome"] == "in_band"
    for _ in range(3):
        lab.exchange.step()
        assert lab.run()["outcome"] == "not_due"
    lab.exchange.journal(amount=Decimal(-1_500))
    for _ in range(15):
        lab.exchange.step()
        assert lab.run()["outcome"] == "not_due"
    while lab.session.month == START.month:
        lab.exchange.step()
    record = lab.run()
    assert record["outcome"] in {"traded", "in_band"}, record["reason"]
    assert [flow["amount"] for flow in record["flows"]] == ["-1500.00"]


def test_a_flow_in_shares_without_a_price_is_warned_of(root: Path) -> None:
    """Shares that left, of a symbol that is not held any more and has no bars."""
    lab = make_lab(root, {"AAA": 0.2}, held={"CCC": 100})
    lab.run()
    lab.exchange.journal("CCC", Decimal(-100))
    lab.exchange.step()
    record = lab.run()
    assert [event["code"] for event in record["events"]] == ["flow_without_price"]
    assert record["outcome"] == "in_band"


# The fall from the peak


@pytest.mark.parametrize(("last", "trips"), [(51.0, False), (48.0, True)])
def test_a_fall_beyond_the_limit_sends_nothing_and_latches(root: Path, last: float, trips: bool) -> None:  # noqa: FBT001 - a parameter of the example
    """Half by default: just inside it trades on; beyond, nothing is sent or sold until a person resumes."""
    closes = [100.0, 100.0, 90.0, 80.0, 70.0, 60.0, last, last]
    lab = make_holder(root, falling(closes), max_equity_move=0.3)
    *before, at_the_end = walk(lab, len(closes))
    assert all(record["outcome"] in {"traded", "in_band"} for record in before[:6])
    if not trips:
        assert at_the_end["outcome"] in {"traded", "in_band"}
        assert lab.halted() is None
        return
    sent = len(lab.sends())
    assert ended(before[-1]) == ("halted", "max_drawdown")
    assert ended(at_the_end) == ("halted", "kill_switch")
    assert "max_drawdown: fell 0.5" in str(lab.halted())
    lab.resume()
    lab.exchange.step()
    again = lab.run()
    assert again["outcome"] in {"traded", "in_band"}
    assert seen(again, "max_drawdown") == 0
    assert len(lab.sends()) >= sent


def test_a_fall_like_that_of_2020_does_not_trip_it(root: Path) -> None:
    """A third within 23 sessions: the owner's loss to bear, not the bot's to stop."""
    closes = [100 * 0.982**n for n in range(24)]
    lab = make_holder(root, falling([round(close, 2) for close in closes]))
    records = [lab.run()]
    for _ in range(6):
        lab.exchange.step(4)
        records.append(lab.run())
    assert {record["outcome"] for record in records} <= {"traded", "in_band"}
    assert seen(records[-1], "max_drawdown") == pytest.approx(0.34 * 0.98, abs=0.01)


def test_foreign_holdings_count_and_the_sizing_equity_does_not(root: Path) -> None:
    """The whole account is watched: a foreign holding that comes in by transfer is a flow, not a gain."""
    lab = make_holder(root, max_drawdown=0.01, max_equity_move=0.01)
    lab.run()
    lab.exchange.step()
    lab.exchange.journal("BBB", Decimal(1_000))
    assert lab.run()["outcome"] == "in_band"
    lab.exchange.step()
    record = lab.run()
    assert record["outcome"] == "in_band"
    assert (record["account_equity"], record["equity"]) == ("150000", "100000.00")
    assert lab.held()["BBB"] == 1_000


def test_the_peak_survives_the_loss_of_trades_db(root: Path) -> None:
    """It is in the records; and a resume is in the events."""
    lab = make_holder(root, falling([100.0, 100.0, 90.0, 80.0, 70.0, 63.0]), max_drawdown=0.15)
    walk(lab, 3)
    lab.exchange.step()
    lab.trades.path.unlink()
    assert ended(lab.run()) == ("halted", "max_drawdown")
    lab.resume()
    lab.exchange.step()
    assert lab.run()["outcome"] in {"traded", "in_band"}
    lab.trades.path.unlink()
    lab.exchange.step()
    record = lab.run()
    assert record["outcome"] in {"traded", "in_band"}, record["reason"]
    assert seen(record, "max_drawdown") == pytest.approx(0.1 * 0.98, abs=0.005)


def test_a_dry_run_and_a_plan_judge_the_same_and_latch_nothing(root: Path) -> None:
    """They say what a run would meet; what they saw is no part of the history."""
    lab = make_holder(root, falling([100.0, 100.0, 80.0]), max_drawdown=0.15, max_equity_move=0.3)
    walk(lab, 2)
    lab.exchange.step()
    lab.exchange.journal(amount=Decimal(1))
    before = lab.trades.query("SELECT COUNT(*) AS n FROM equity WHERE account_equity IS NOT NULL")
    for record in (lab.run(lab.changed(dry_run=True)), lab.run(arrival=Arrival(only_plan=True))):
        assert ended(record) == ("halted", "max_drawdown")
        assert len(record["flows"]) == 1
    assert lab.halted() is None
    assert lab.trades.query("SELECT COUNT(*) AS n FROM equity WHERE account_equity IS NOT NULL") == before
    assert lab.trades.query("SELECT * FROM flows WHERE kind = 'CSD'") == []
    assert ended(lab.run()) == ("halted", "max_drawdown")
    assert lab.halted() is not None


def refused(lab: Lab) -> Mandate:
    """Run under another configuration, which a person approves then; give its mandate."""
    other = lab.changed(config_digest="e" * 64)
    assert ended(lab.run(other)) == ("halted", "require_approval")
    lab.resume()
    return other


def test_an_approval_alone_begins_no_new_peak(root: Path) -> None:
    """An upgrade is no fresh start: there was no flag to lift. A resume that lifts one is."""
    tape = falling([100.0, 100.0, 90.0, 82.0])
    lab = make_holder(root, tape, max_drawdown=0.15, max_equity_move=0.3, require_approval="always")
    walk(lab, 2)
    lab.exchange.step()
    other = refused(lab)
    again = lab.run(other)
    assert again["outcome"] in {"traded", "in_band"}, again["reason"]
    assert seen(again, "max_drawdown") == pytest.approx(0.1 * 0.98, abs=0.005)
    assert again["resumed"] is None
    lab.exchange.step(2)
    assert ended(lab.run(other)) == ("halted", "max_drawdown")
    lab.resume()
    last = lab.run(other)
    assert last["outcome"] in {"traded", "in_band"}, last["reason"]
    assert seen(last, "max_drawdown") == 0


def test_what_was_recorded_since_an_approval_counts_as_before(root: Path) -> None:
    """Earlier versions took an approval for a resume: what those runs saw is still taken out."""
    lab = make_holder(root, max_drawdown=0.01, require_approval="always")
    walk(lab, 2)
    lab.exchange.step()
    other = refused(lab)
    lab.exchange.journal(amount=Decimal(-1_500))
    again = lab.run(other)
    assert [flow["amount"] for flow in again["flows"]] == ["-1500.00"]
    (event,) = lab.store.list("events/")
    with closing(sqlite3.connect(lab.trades.path)) as rows, rows:
        name = event.removeprefix("events/").removesuffix(".json")
        rows.execute("UPDATE runs SET resumed = ? WHERE run_id = ?", (name, again["run_id"]))
    lab.exchange.step()
    record = lab.run(other)
    assert record["outcome"] in {"traded", "in_band"}, record["reason"]
    assert seen(record, "max_drawdown") == pytest.approx(0, abs=1e-6)


# The move since the session before


@pytest.mark.parametrize(("opens", "trips"), [(84.8, False), (84.6, True), (115.2, False), (115.4, True)])
def test_a_day_beyond_belief_sends_nothing(root: Path, opens: float, trips: bool) -> None:  # noqa: FBT001 - a parameter of the example
    """15 % by default, either way, of an account that is 98 % invested; the next session measures anew."""
    lab = make_holder(root, falling([100.0, 100.0, opens], [100.0, 100.0, opens]), max_gap=1.0)
    lab.run()
    lab.exchange.step()
    record = lab.run()
    assert ((record["outcome"], record["code"]) == ("halted", "max_equity_move")) is trips, record["reason"]
    if trips:
        assert lab.posts() == []
        assert lab.halted() is None
    lab.exchange.step()
    assert lab.run()["outcome"] in {"traded", "in_band"}


def test_the_first_deposit_is_not_judged(root: Path) -> None:
    """An account that was empty the day before has nothing to measure by."""
    lab = make_lab(root, cash=0)
    assert ended(lab.run()) == ("halted", "no_equity")
    lab.exchange.step()
    lab.exchange.journal(amount=Decimal(50_000))
    record = lab.run()
    assert record["outcome"] == "traded"
    verdict = next(v for v in record["verdicts"] if v["rule"] == "max_equity_move")
    assert (verdict["passed"], verdict["seen"]) == (True, "unknown")


# Approval


def make_live(root: Path, **changes: Any) -> Lab:  # noqa: ANN401 - fields
    """Give a laboratory that always asks, after its first traded session."""
    lab = make_lab(root, require_approval="always", **changes)
    assert lab.run()["outcome"] == "traded"
    lab.exchange.step()
    return lab


@pytest.mark.parametrize(("field", "word"), [("config_digest", "config"), ("code_digest", "code")])
def test_a_changed_digest_is_only_planned_until_a_person_resumes(root: Path, field: str, word: str) -> None:
    """The refused run shows its plan; resume approves those digests, and no others."""
    lab = make_live(root)
    other = replace(lab.changed(**{field: "e" * 64}), rule=lambda _history, _equity: {"AAA": 0.3})
    sent = len(lab.sends())
    record = lab.run(other)
    assert ended(record) == ("halted", "require_approval")
    assert f"{word} changed" in record["reason"]
    assert "e" * 12 in record["error"]["seen"]
    assert [order["symbol"] for order in record["planned"]] == ["BBB", "CCC", "AAA"]
    assert (len(lab.sends()), lab.plan(), lab.halted()) == (sent, None, None)
    assert ended(lab.run(other)) == ("halted", "require_approval")
    assert lab.run()["outcome"] == "in_band", "what was agreed to still is"
    lab.exchange.step()
    assert ended(lab.run(other)) == ("halted", "require_approval")
    lab.resume()
    third = lab.changed(**{field: "f" * 64})
    assert ended(lab.run(third)) == ("halted", "require_approval")
    assert lab.run(other)["outcome"] == "traded"
    lab.exchange.step()
    assert lab.run(other)["outcome"] == "in_band"


def test_an_approval_ends_with_the_next_plan(root: Path) -> None:
    """Approved once, traded, and back to another: the last plan counts, not that it was ever approved."""
    lab = make_live(root)
    other = lab.changed(config_digest="e" * 64)
    lab.run(other)
    lab.resume()
    assert lab.run(other)["outcome"] == "in_band"
    lab.exchange.step()
    assert ended(lab.run()) == ("halted", "require_approval")
    lab.resume()
    assert lab.run()["outcome"] == "in_band"
    lab.exchange.step()
    assert ended(lab.run(other)) == ("halted", "require_approval")


def test_a_done_plan_approves_no_other_digest(root: Path) -> None:
    """Nor does a run that is not due, nor one that finished another config's plan."""
    lab = make_lab(root, require_approval="always")
    other = lab.changed(config_digest="e" * 64)
    with pytest.raises(Killed):
        lab.run(requests_=Kill(1, after=True, only="POST"))
    assert lab.run(other, Arrival(finish=True))["outcome"] == "traded"
    assert lab.run(other)["code"] == "done"
    lab.exchange.step()
    assert ended(lab.run(other)) == ("halted", "require_approval")


@pytest.mark.parametrize(
    ("asked", "mode", "code"),
    [
        ("live", "paper", "in_band"),
        ("live", "live", "require_approval"),
        ("never", "live", "in_band"),
    ],
)
def test_approval_is_asked_where_the_owner_wants_it(root: Path, asked: str, mode: str, code: str) -> None:
    """By default where real money is traded."""
    lab = make_lab(root, require_approval=asked, mode=mode)
    lab.run()
    lab.exchange.step()
    assert lab.run(lab.changed(code_digest="e" * 64))["code"] == code


def test_the_newest_run_that_waits_is_named(root: Path) -> None:
    """As `resume` asks; a closed run or one that a flag stopped since then hides nothing."""
    lab = make_live(root)
    assert history.waiting(lab.store, lab.trades, "main") is None
    waits = lab.run(lab.changed(config_digest="e" * 64))
    lab.at(22, 0)
    assert lab.run()["outcome"] == "closed"
    found = history.waiting(lab.store, lab.trades, "main")
    assert found is not None
    assert (found.run_id, found.config_digest) == (waits["run_id"], "e" * 64)
    lab.resume()
    assert history.waiting(lab.store, lab.trades, "main") is None
