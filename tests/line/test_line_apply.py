"""Apply: a saved plan is traded exactly as it is, once, or refused with the name of what has moved."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from apply_kit import KEEP, apply, ended, save
from line_kit import Lab, full, make_lab, make_switch, make_tape, replayed
from trimtab.evidence.explain import explain
from trimtab.stations.arrive import Arrival

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trimtab.adapters.exchange.tape import Tape


# Unmoved


def test_an_unmoved_plan_is_traded_exactly(root: Path) -> None:
    """What is stored has the saved plan's digest, what fills are its quantities, and its record replays."""
    lab = make_switch(root)
    lab.mandate = full(lab)
    saved = save(lab)
    assert lab.sends() == []
    assert lab.records() == []
    assert lab.plan() is None
    record = apply(lab, saved)
    assert ended(record) == ("traded", "traded"), record["reason"]
    plan = lab.plan()
    assert plan is not None
    assert plan["plan_digest"] == saved.plan["plan_digest"] == record["plan_digest"]
    assert {key for key in plan if plan[key] != saved.plan[key]} == {"run_id", "nonce", "made_at"}
    wanted = {order["symbol"]: Decimal(order["qty"]) for order in saved.plan["orders"]}
    assert {order.symbol: order.filled_qty for order in lab.orders().values()} == wanted
    assert record["applied"]["digest"] == saved.document["digest"]
    assert replayed(lab, record) == "equal"
    assert lab.store.list("portfolios/") == ("portfolios/main.json",)
    lab.check_books()


def test_it_is_the_plan_that_a_run_would_have_made(root: Path) -> None:
    """The saved plan's digest is that of a run's own plan at the same moment."""
    saved = save(make_switch(root / "saved"))
    run = make_switch(root / "run")
    assert run.run()["plan_digest"] == saved.plan["plan_digest"]


def test_a_dry_run_says_what_it_would_do(root: Path) -> None:
    """It compares like the real one, and sends and stores nothing."""
    lab = make_switch(root)
    saved = save(lab)
    record = apply(lab, saved, lab.changed(dry_run=True))
    assert ended(record) == ("dry_run", "dry_run")
    assert record["reason"] == "dry_run: 3 orders would be sent"
    assert (lab.sends(), lab.plan()) == ([], None)
    lab.exchange.journal("AAA", Decimal(1))
    moved = apply(lab, saved, lab.changed(dry_run=True))
    assert ended(moved) == ("halted", "apply_positions")


def test_a_plan_of_a_closed_market_is_applied_in_the_next_session(root: Path) -> None:
    """Planned after the close from the last closes, without quotes; traded within the window; it replays."""
    lab = make_switch(root)
    lab.mandate = full(lab)
    lab.at(22, 0)
    saved = save(lab)
    assert (saved.plan["session"], saved.document["quoted"]) == ("2021-03-02", False)
    assert saved.document["opens_at"].startswith("2021-03-02T14:35")
    assert ended(apply(lab, saved)) == ("halted", "apply_early")
    lab.exchange.step()
    record = apply(lab, saved)
    assert ended(record) == ("traded", "traded"), record["reason"]
    assert record["plan_digest"] == saved.plan["plan_digest"]
    assert replayed(lab, record) == "equal"
    assert [chain.symbol for chain in explain(record)] == ["AAA", "BBB", "CCC"]
    lab.check_books()


def test_a_plan_without_orders_is_stored_and_done(root: Path) -> None:
    """Doing nothing is a plan, too."""
    lab = make_lab(root, held={"AAA": 200, "BBB": 300, "CCC": 500}, cash=55_000)
    saved = save(lab)
    assert saved.plan["orders"] == []
    assert ended(apply(lab, saved)) == ("in_band", "in_band")
    assert lab.plan() is not None


def test_applied_again_it_is_found_done(root: Path) -> None:
    """The session's plan is the saved one: nothing is sent twice."""
    lab = make_switch(root)
    saved = save(lab)
    apply(lab, saved)
    sent = len(lab.sends())
    assert ended(apply(lab, saved)) == ("in_band", "done")
    assert ended(lab.run()) == ("in_band", "done")
    assert len(lab.sends()) == sent


# Each input moved in turn


def moving(factor: float, symbol: str = "BBB", day: str = "2021-03-01") -> Tape:
    """Give a tape on which a symbol goes by this factor from the open to the close of a session."""
    tape = make_tape()
    row = int(np.searchsorted(tape.sessions, np.datetime64(day)))
    close = tape.close.copy()
    close[row, tape.symbols.index(symbol)] *= factor
    low, high = np.minimum(tape.open, close) - 0.01, np.maximum(tape.open, close) + 0.01
    return replace(tape, close=close, low=low, high=high)


def later(lab: Lab) -> None:
    """Let the price move."""
    lab.at(20, 30)


def foreign(symbol: str) -> Callable[[Lab], object]:
    """Place an order by hand."""
    order = {"symbol": symbol, "side": "buy", "type": "limit", "qty": "1", "limit_price": "1"}
    return lambda lab: lab.exchange.submit(order | {"time_in_force": "day", "client_order_id": "by-hand"})


def revised(lab: Lab, **fields: float) -> None:
    """Let the vendor change its bars."""
    fields = fields or {"o": 60.0}
    lab.fault("alter", "GET", "/v2/stocks/bars$", times=0, when="after", fields=fields)


MOVED: dict[str, tuple[str, Callable[[Lab], object], dict[str, Any], str]] = {
    "price": ("apply_price", later, {}, "BBB 52.2"),
    "position": ("apply_positions", lambda lab: lab.exchange.journal("AAA", Decimal(5)), {}, "AAA 805"),
    "a foreign position": (
        *("apply_positions", lambda lab: lab.exchange.journal("DDD", Decimal(5)), {}, "DDD 5"),
    ),
    "cash": ("apply_cash", lambda lab: lab.exchange.journal(amount=Decimal("0.01")), {}, "cash 5000.01"),
    "an open order": ("apply_orders", foreign("AAA"), {}, "by-hand: buy 1 AAA"),
    "an open order outside": ("apply_orders", foreign("DDD"), {}, "by-hand: buy 1 DDD"),
    "config": ("apply_config", lambda _: None, {"config_digest": "e" * 64}, "config eeee"),
    "code": ("apply_code", lambda _: None, {"code_digest": "e" * 64}, "code eeee"),
    "age": ("apply_expired", lambda lab: lab.at(20, 51), {}, "2021-03-01 15:51"),
    "another day": ("apply_expired", lambda lab: lab.exchange.step(), {}, "2021-03-02 10:00"),
    "bars": ("apply_inputs", revised, {}, "prices "),
    "portfolio": ("apply_portfolio", lambda _: None, {"portfolio": "other"}, "portfolio other"),
    "mode": ("apply_mode", lambda _: None, {"mode": "live"}, "mode live"),
    "host": ("apply_host", lambda _: None, {"host": "example.org"}, "host example.org"),
}


@pytest.mark.parametrize(("code", "move", "changes", "seen"), MOVED.values(), ids=MOVED)
def test_what_moved_is_named_and_nothing_is_sent(
    root: Path, code: str, move: Callable[[Lab], object], changes: dict[str, Any], seen: str
) -> None:
    """Each input moved in turn: exit 3 with its name, what it is and what it was; no order, no plan."""
    tape = replaced(moving(1.05 if code == "apply_price" else 1.0))
    lab = make_switch(root, tape=tape)
    saved = save(lab)
    move(lab)
    record = apply(lab, saved, lab.changed(**changes))
    assert ended(record) == ("halted", code), record["reason"]
    error = record["error"]
    assert seen in error["seen"]
    assert error["allowed"]
    assert error["hint"]
    assert lab.sends() == []
    assert lab.plan() is None
    assert any(v["rule"] == code and not v["passed"] for v in record["verdicts"])


def replaced(tape: Tape) -> Tape:
    """Give the tape with a fourth symbol, DDD, that nobody's strategy wants."""
    more = {
        name: np.hstack([getattr(tape, name), np.full((len(tape.sessions), 1), value)])
        for name, value in {"open": 9.0, "high": 9.01, "low": 8.99, "close": 9.0, "volume": 5e7}.items()
    }
    more |= {
        name: np.hstack([getattr(tape, name), np.full((len(tape.sessions), 1), value)])
        for name, value in {"split": 1.0, "dividend": 0.0}.items()
    }
    return replace(tape, symbols=(*tape.symbols, "DDD"), **more)


def test_a_price_within_the_collar_is_traded(root: Path) -> None:
    """Half a percent is no move: the plan is the saved one to the digest; limits are of today's quote."""
    lab = make_switch(root, tape=moving(1.005, "AAA"), fractional=False)
    lab.mandate = full(lab)
    saved = save(lab)
    later(lab)
    record = apply(lab, saved)
    assert ended(record) == ("traded", "traded")
    assert record["plan_digest"] == saved.plan["plan_digest"]
    (planned,) = [o["limit_price"] for o in saved.plan["orders"] if o["symbol"] == "AAA"]
    assert (planned, str(lab.orders()[lab.order_id("AAA")].limit_price)) == ("99", "99.46")
    assert replayed(lab, record) == "equal"


def test_volumes_that_grow_after_the_close_are_no_move(root: Path) -> None:
    """A plan of the evening is applied in the morning, and replays; the verdict on volumes stands."""
    lab = make_switch(root)
    lab.mandate = full(lab)
    lab.at(22, 0)
    saved = save(lab)
    lab.exchange.step()
    revised(lab, v=49_000_000)
    record = apply(lab, saved)
    assert ended(record) == ("traded", "traded"), record["reason"]
    assert record["inputs_digest"] != saved.plan["inputs_digest"]
    (verdict,) = [v for v in record["verdicts"] if v["rule"] == "apply_inputs"]
    assert verdict["detail"] == "volumes have changed since"
    assert replayed(lab, record) == "equal"


def test_a_volume_that_shrinks_a_plan_refuses_it(root: Path) -> None:
    """Where less is traded, a plan made now would be smaller: the saved one is not traded."""
    lab = make_switch(root)
    saved = save(lab)
    revised(lab, v=1_000)
    assert ended(apply(lab, saved)) == ("halted", "apply_plan")
    assert lab.sends() == []


def test_the_record_holds_what_the_plan_was_judged_by(root: Path) -> None:
    """The account fell a little between plan and apply: both are judged, and the plan's record replays."""
    lab = make_switch(root, tape=moving(0.995, "AAA", "2021-03-02"))
    assert lab.run()["outcome"] == "traded"
    lab.exchange.step()
    lab.mandate = full(lab)
    lab.mandate = lab.changed(rule=lambda _history, _equity: {"AAA": 0.5, "BBB": 0.2, "CCC": 0.2})
    saved = save(lab)
    later(lab)
    record = apply(lab, saved)
    assert ended(record) == ("traded", "traded"), record["reason"]
    assert record["conditions"] == saved.document["conditions"]
    assert float(record["account_equity"]) < float(record["equity"])
    assert replayed(lab, record) == "equal"


def test_a_quote_that_holds_a_symbol_back_is_a_price_that_left(root: Path) -> None:
    """Too wide a spread for any order: each symbol is named, and nothing is traded without it."""
    lab = make_switch(root)
    saved = save(lab)
    lab.exchange.behave(spread_bps=300.0)
    record = apply(lab, saved)
    assert ended(record) == ("halted", "apply_price")
    assert "AAA max_spread: spread 3.00%" in record["error"]["seen"]
    assert lab.sends() == []


def test_another_account_is_refused(root: Path) -> None:
    """The hash of the account's number is the plan's."""
    saved = save(make_switch(root / "one"))
    other = make_lab(root / "two")
    other.exchange = type(other.exchange).open(make_tape(), other.session, seed=7)
    lab = Lab(root / "two", other.exchange, make_switch(root / "three").mandate)
    assert ended(apply(lab, saved)) == ("halted", "apply_account")
    assert lab.store.list("portfolios/") == ()


def test_a_session_that_has_another_plan_keeps_it(root: Path) -> None:
    """The stored plan rules: the saved one is refused, and a plan that can't be applied is not saved."""
    lab = make_switch(root)
    saved = save(lab)
    lab.run(lab.changed(rule=lambda _history, _equity: {"AAA": 0.6}))
    sent = len(lab.sends())
    assert ended(apply(lab, saved)) == ("halted", "apply_stored")
    assert len(lab.sends()) == sent
    record = lab.run(arrival=KEEP)
    assert ended(record) == ("halted", "apply_stored")
    assert "saved" not in record


def test_a_strategy_that_decides_otherwise_is_refused(root: Path) -> None:
    """The same digests and other weights: what a plan made now would trade is not the saved plan."""
    lab = make_switch(root)
    saved = save(lab)
    other = lab.changed(rule=lambda _history, _equity: {"AAA": 0.6, "BBB": 0.2, "CCC": 0.17})
    assert ended(apply(lab, saved, other)) == ("halted", "apply_plan")
    assert lab.sends() == []


def test_a_halted_portfolio_applies_nothing(root: Path) -> None:
    """The kill switch comes first."""
    lab = make_switch(root)
    saved = save(lab)
    lab.store.put_if_absent("halts/main", b"stop")
    assert ended(apply(lab, saved)) == ("halted", "kill_switch")


# What a person's asking does to the rest


def test_refusals_are_no_bad_sessions(root: Path) -> None:
    """Three sessions of plans that were not applied latch nothing."""
    lab = make_switch(root)
    saved = save(lab)
    for _ in range(4):
        lab.exchange.step()
        assert ended(apply(lab, saved)) == ("halted", "apply_expired")
    assert lab.halted() is None
    for _ in range(2):
        lab.exchange.step()
        assert ended(lab.run(lab.changed(rule=lambda _h, _e: {"AAA": 2.0})))[0] == "halted"
    lab.exchange.step()
    apply(lab, saved)
    assert lab.halted() is None, "two bad sessions, and a refusal"


def test_apply_agrees_to_what_waits_for_approval(root: Path) -> None:
    """A changed configuration waits; its plan can be saved, and applying that clears the wait for good."""
    lab = make_switch(root, require_approval="always")
    assert lab.run()["outcome"] == "traded"
    lab.exchange.step()
    changed = lab.changed(config_digest="e" * 64, rule=lambda _h, _e: {"AAA": 0.5, "BBB": 0.2, "CCC": 0.2})
    assert ended(lab.run(changed)) == ("halted", "require_approval")
    assert ended(lab.run(changed, Arrival(only_plan=True))) == ("halted", "require_approval")
    saved = save(lab, changed)
    assert ended(lab.run(changed)) == ("halted", "require_approval"), "saving is not agreeing"
    assert ended(apply(lab, saved, changed)) == ("traded", "traded")
    lab.exchange.step()
    assert lab.run(changed)["outcome"] in {"traded", "in_band"}
    lab.exchange.step()
    assert ended(lab.run()) == ("halted", "require_approval")


@pytest.mark.parametrize(("minutes", "early"), [(-11, False), (-9, True), (15, True), (16, False)])
def test_a_plan_is_not_kept_before_the_last_bar_is_complete(root: Path, minutes: int, early: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """From the window's end to 16 minutes after the close it would be made from one session too few."""
    lab = make_lab(root)
    lab.exchange.move(datetime(2021, 3, 2, 21, 0, tzinfo=UTC) + timedelta(minutes=minutes))
    record = lab.run(None, KEEP)
    assert (record["code"] == "early_plan") == early, record["reason"]
    plain = lab.run(None, Arrival(only_plan=True))
    assert plain["outcome"] == "dry_run"
    assert any(event["code"] == "early_plan" for event in plain["events"]) == early
