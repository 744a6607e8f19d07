"""Found: what is held, at which band, and what it made: the same from the status and the dashboard."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from line_kit import PRICE, make_lab, make_tape
from trimtab.adapters.guest import GuestTrades
from trimtab.core.sizing import buffered
from trimtab.evidence.board import curve, reading, standing
from trimtab.evidence.holding import goals, holding_documents
from trimtab.evidence.ledger import Found, found
from trimtab.evidence.returns import returns
from trimtab.evidence.taxes import lots_document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from line_kit import Lab
    from trimtab.core.record import Document
    from trimtab.evidence.board.curve import Curve

BUFFERED = {"band": 0.005, "band_relative": 0.2, "cash_buffer": 0.01}


def found_in(lab: Lab) -> tuple[Found, dict[str, float]]:
    """Give what was found, and the shares; the guest's reading says the same."""
    seen = found(lab.trades, "main")
    assert seen is not None
    with GuestTrades(lab.root / "trades.db").sight() as view:
        assert view is not None
        beside, frame = reading.held(view, "main")
    assert beside == seen
    shares = {row["symbol"]: float(row["qty"]) for row in seen.rows}
    assert dict(frame.select("symbol", "qty").rows()) == shares
    return seen, shares


def as_read(record: Document) -> dict[str, float]:
    return {row["symbol"]: float(row["qty"]) for row in record["positions_before"]}


def test_dry_runs_alone_tell_what_is_held(tmp_path: Path) -> None:
    """The first step on paper: an account of 60,000 USD in AAA is no account of cash alone."""
    lab = make_lab(tmp_path, {"AAA": 0.6, "BBB": 0.3}, held={"AAA": 600}, cash=40_000, dry_run=True)
    assert lab.run()["outcome"] == "dry_run"
    seen, shares = found_in(lab)
    assert (seen.session, seen.cash) == (str(lab.session), "40000")
    assert shares == {"AAA": 600.0, "BBB": 0.0}
    weights = {
        row["symbol"]: row["weight"] for row in holding_documents(seen.rows, 40_000.0, {}, ["AAA", "BBB"])
    }
    assert weights == {"AAA": "0.600000", "BBB": "0.000000"}


@pytest.mark.parametrize("stop", ["halted", "dry_run"])
def test_the_newest_reading_counts_also_where_nothing_was_traded(tmp_path: Path, stop: str) -> None:
    """Holdings, cash, prices and date are of one run: shares that came and cash that went are in it."""
    tape = make_tape(walk=0.01, seed=4)
    lab = make_lab(tmp_path, {"AAA": 0.2, "BBB": 0.2}, tape=tape)
    assert lab.run()["outcome"] == "traded"
    lab.exchange.step()
    lab.exchange.journal("AAA", Decimal(150))
    lab.exchange.journal(amount=Decimal(-5_000))
    wanting(lab, {"AAA": 0.2, "BBB": 0.6})
    exposed = lab.changed(risk=lab.mandate.risk.model_copy(update={"max_exposure": 0.1}))
    record = lab.run(lab.changed(dry_run=True) if stop == "dry_run" else exposed)
    assert (record["outcome"], record["positions_after"]) == (stop, [])
    seen, shares = found_in(lab)
    assert (seen.run_id, seen.session, seen.cash) == (record["run_id"], record["session"], record["cash"])
    assert shares == as_read(record)
    document = lots_document(lab.store, lab.trades, "main")
    prices = {row["symbol"]: float(row["price"]) for row in record["positions_before"]}
    assert document["as_of"] == record["session"]
    assert {lot["symbol"]: float(lot["price"]) for lot in document["lots"]} == {
        lot["symbol"]: prices[lot["symbol"]] for lot in document["lots"]
    }


def test_a_run_that_did_not_look_hides_nothing(tmp_path: Path) -> None:
    """A session whose plan is complete is not read again; what its first run left stands."""
    lab = make_lab(tmp_path, {"AAA": 0.2})
    traded = lab.run()
    again = lab.run()
    assert (again["outcome"], again["code"]) == ("in_band", "done")
    seen, shares = found_in(lab)
    assert seen.run_id == traded["run_id"]
    assert shares == {row["symbol"]: float(row["qty"]) for row in traded["positions_after"]}
    assert seen.cash == traded["cash"]


def test_an_account_that_was_emptied_holds_nothing(tmp_path: Path) -> None:
    """Every share left: the reading that found none counts, and not the one before it."""
    lab = make_lab(tmp_path, {"AAA": 0.2})
    lab.run()
    lab.exchange.step()
    lab.exchange.journal("AAA", -lab.held()["AAA"])
    record = lab.run(lab.changed(dry_run=True))
    assert record["positions_before"] == []
    seen, shares = found_in(lab)
    assert (seen.run_id, seen.session) == (record["run_id"], record["session"])
    assert shares == {"AAA": 0.0}


def curve_of(lab: Lab) -> Curve:
    with GuestTrades(lab.root / "trades.db").sight() as view:
        assert view is not None
        made = curve.curve(reading.equity(view, "main"), reading.flows(view, "main"))
    assert made is not None
    return made


def wanting(lab: Lab, weights: Mapping[str, float]) -> None:
    """Let the owner write other weights, and with them another universe, into the configuration."""
    lab.mandate = lab.changed(universe=tuple(sorted(weights)), rule=lambda _history, _equity: dict(weights))


def test_a_symbol_that_leaves_the_universe_is_no_loss(tmp_path: Path) -> None:
    """Prices stand still: 20 % of the account that nobody trades any more is there all the same."""
    lab = make_lab(tmp_path, {"AAA": 0.2, "BBB": 0.2, "CCC": 0.2})
    assert lab.run()["outcome"] == "traded"
    for weights in ({"AAA": 0.2, "BBB": 0.2}, {"AAA": 0.2}, {"AAA": 0.2, "BBB": 0.2, "CCC": 0.2}):
        wanting(lab, weights)
        lab.exchange.step()
        assert lab.run()["outcome"] in {"traded", "in_band"}
    made = curve_of(lab)
    assert made.index.tolist() == pytest.approx([1.0] * 4, abs=1e-3)
    told = returns(lab.trades, "main")
    assert told is not None
    assert made.index[-1] - 1 == pytest.approx(float(told["time_weighted"]), abs=1e-3)


def test_a_symbol_that_left_is_valued_on(tmp_path: Path) -> None:
    """What it moves by is a gain or a loss of the account, day by day, at the closes that its index has."""
    tape = make_tape(walk=0.01, seed=9)
    lab = make_lab(
        tmp_path, {"AAA": 0.2, "BBB": 0.5, "CCC": 0.2}, tape=tape, max_order_size=0.9, max_turnover=1.0
    )
    lab.run()
    wanting(lab, {"AAA": 0.2, "CCC": 0.2})
    worth = []
    for _ in range(6):
        lab.exchange.step()
        before = lab.session - timedelta(days=1)
        row = max(i for i, day in enumerate(tape.sessions.tolist()) if day <= before)
        held, cash = lab.held(), float(lab.cash())
        closes = dict(zip(tape.symbols, tape.close[row].tolist(), strict=True))
        worth.append(cash + sum(float(shares) * closes[symbol] for symbol, shares in held.items()))
        lab.run()
    # BBB is at the broker's price of the moment, which is near the close before
    assert curve_of(lab).equity[1:].tolist() == pytest.approx(worth, rel=0.01)


def test_a_strategy_that_failed_is_no_loss_either(tmp_path: Path) -> None:
    """Such a run does not say what its universe was; the broker's own figure stands in."""
    lab = make_lab(tmp_path, {"AAA": 0.2, "BBB": 0.2})
    lab.run()
    wanting(lab, {"AAA": 0.2})
    sound = lab.mandate.rule
    lab.mandate = lab.changed(rule=lambda _history, _equity: {}["no such key"])
    lab.exchange.step()
    assert lab.run()["code"] == "strategy_failed"
    lab.mandate = lab.changed(rule=sound)
    lab.exchange.step()
    assert lab.run()["outcome"] in {"traded", "in_band"}
    assert curve_of(lab).index.tolist() == pytest.approx([1.0] * 3, abs=1e-3)


@pytest.mark.parametrize("stop", ["strategy_failed", "short_position"])
def test_a_run_without_weights_says_nothing_of_targets(tmp_path: Path, stop: str) -> None:
    """It read what is held and stopped before the strategy answered: no target is not a target of 0."""
    lab = make_lab(tmp_path, {"AAA": 0.2, "BBB": 0.2})
    assert lab.run()["outcome"] == "traded"
    sound = lab.mandate.rule
    lab.exchange.step()
    if stop == "strategy_failed":
        lab.mandate = lab.changed(rule=lambda _history, _equity: {}["no such key"])
    else:
        lab.exchange.journal("CCC", Decimal(-5))
    assert lab.run()["code"] == stop
    seen, _ = found_in(lab)
    assert seen.session == str(lab.session)
    execution, universe = lab.mandate.execution.model_dump(), list(lab.mandate.universe)
    told = holding_documents(seen.rows, float(seen.cash or 0), execution, universe)
    with GuestTrades(lab.root / "trades.db").sight() as view:
        assert view is not None
        lines = standing.holdings(reading.held(view, "main")[1], float(seen.cash or 0), execution, universe)
    for row in told:
        assert (row["target"], row["low"], row["high"], row["outside"]) == (None, None, None, False)
        assert (row["weight"] is None) is row["foreign"] is (row["symbol"] == "CCC")
    assert not [line for line in lines if line.target is not None or line.low is not None or line.outside]
    if stop == "strategy_failed":
        lab.mandate = lab.changed(rule=sound)
        lab.exchange.step()
        lab.run()
        seen, _ = found_in(lab)
        assert {row["target"] for row in holding_documents(seen.rows, 0.0, execution, universe)} == {"0.2"}


def test_a_holding_that_is_to_be_sold_has_a_target_of_nothing() -> None:
    """The strategy left BBB out: its target is 0, for others have one."""
    rows = [("AAA", "1", "1", "60", "0.5"), ("BBB", "1", "1", "40", None)]
    kept, left, _ = standing.holdings(reading.held_frame(rows), 0.0, BUFFERED, ["AAA", "BBB"])
    assert (kept.target, left.target, left.outside) == (0.5, 0.0, True)
    names = ("symbol", "qty", "price", "market_value", "target")
    told = holding_documents([dict(zip(names, row, strict=True)) for row in rows], 0.0, {}, ["AAA", "BBB"])
    assert [row["target"] for row in told] == ["0.5", "0"]


def test_what_plans_are_sized_with_stays_as_it_is(tmp_path: Path) -> None:
    """Turnover is a part of that, without what the bot never touches."""
    lab = make_lab(tmp_path, {"AAA": 0.2}, held={"CCC": 1_000})
    record = lab.run()
    with GuestTrades(lab.root / "trades.db").sight() as view:
        assert view is not None
        (row,) = reading.equity(view, "main").rows(named=True)
    assert row["equity"] == float(record["equity"])
    assert row["worth"] == pytest.approx(float(record["equity"]) + 1_000 * PRICE["CCC"])


def test_what_is_held_as_planned_is_in_its_band() -> None:
    """60/40 held at 59.4/39.6 after a buffer of 1 % is where the plan wants it."""
    frame = reading.held_frame([("SPY", "1", "1", "594", "0.6"), ("BND", "1", "1", "396", "0.4")])
    spy, bnd, _ = standing.holdings(frame, 10.0, BUFFERED, ["SPY", "BND"])
    assert (spy.goal, spy.low, spy.high) == pytest.approx((0.594, 0.589, 0.599))
    assert (bnd.goal, bnd.low, bnd.high) == pytest.approx((0.396, 0.391, 0.401))
    assert not spy.outside
    assert not bnd.outside


@given(st.lists(st.floats(0, 0.25), min_size=1, max_size=4), st.floats(0, 0.9))
def test_the_targets_after_the_buffer_are_the_plan_s(targets: list[float], buffer: float) -> None:
    """What the status and the dashboard draw a band about is what the plan does."""
    planned = buffered(np.array(targets), buffer)
    assert goals(targets, {"cash_buffer": buffer}) == pytest.approx(planned.tolist())


@given(
    st.lists(st.tuples(st.floats(0, 5_000), st.integers(0, 25)), min_size=1, max_size=4),
    st.floats(0, 5_000),
    st.floats(0, 0.2),
)
def test_status_and_dashboard_tell_the_same_bands(
    held: list[tuple[float, int]], cash: float, buffer: float
) -> None:
    """Weight, band and whether it is outside come to the same, whatever is held and kept back."""
    execution = BUFFERED | {"cash_buffer": buffer}
    rows = [(f"S{i}", "1", "1", f"{usd:.2f}", f"{part / 100}") for i, (usd, part) in enumerate(held)]
    names = ("symbol", "qty", "price", "market_value", "target")
    universe = [row[0] for row in rows]
    kept = [dict(zip(names, row, strict=True)) for row in rows]
    told = holding_documents(kept, cash, execution, universe)
    lines = {
        line.symbol: line for line in standing.holdings(reading.held_frame(rows), cash, execution, universe)
    }
    for row in told:
        line = lines[row["symbol"]]
        assert line.low is not None
        assert line.high is not None
        assert (line.low, line.high) == pytest.approx((float(row["low"]), float(row["high"])), abs=1e-6)
        near = line.weight is None or min(abs(line.weight - line.low), abs(line.weight - line.high)) < 1e-5
        assert near or line.outside is row["outside"]
