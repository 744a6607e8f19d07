"""Sessions: how a portfolio gets to its targets over the days, and rests when there is nothing to do."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from line_kit import PRICE, Lab, make_lab, make_switch, make_tape
from trimtab.core.risk import Approved

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.core.record import Document


def walk(lab: Lab, sessions: int) -> list[Document]:
    """Run once in each of several sessions, from today on."""
    records = [lab.run()]
    for _ in range(sessions - 1):
        lab.exchange.step()
        records.append(lab.run())
    return records


def test_the_first_run_trades_and_the_second_sends_nothing(root: Path) -> None:
    """Again in the same session: in band, exit 0, not one request that changes anything."""
    lab = make_lab(root)
    first = lab.run()
    assert first["outcome"] == "traded"
    assert lab.weights() == pytest.approx({"AAA": 0.2, "BBB": 0.15, "CCC": 0.1})
    assert len(lab.posts()) == 3
    second = lab.run()
    assert (second["outcome"], second["stage"], second["orders"]) == ("in_band", None, [])
    assert second["plan_digest"] == first["plan_digest"]
    assert len(lab.sends()) == 3
    lab.check_books()


def test_a_large_gap_is_staged_over_sessions(root: Path) -> None:
    """All cash to 50/50: three sessions, no order above a fifth of equity, then nothing."""
    lab = make_lab(root, {"AAA": 0.5, "BBB": 0.5})
    outcomes = [record["outcome"] for record in walk(lab, 5)]
    assert outcomes == ["traded", "traded", "traded", "in_band", "in_band"]
    assert lab.weights() == pytest.approx({"AAA": 0.495, "BBB": 0.495})
    for order in lab.orders().values():
        assert order.qty is not None
        assert float(order.qty) * PRICE[order.symbol] <= 20_000 + 1e-6
    lab.check_books()


def test_targets_are_held_within_the_band_over_thirty_moving_sessions(root: Path) -> None:
    """Prices walk 2 % a session: books agree throughout, no short, no debt, and the end is in the band."""
    tape = make_tape(walk=0.02, seed=3)
    lab = make_lab(root, {"AAA": 0.4, "BBB": 0.3, "CCC": 0.25}, tape=tape)
    for record in walk(lab, 30):
        assert record["outcome"] in {"traded", "in_band"}, record["reason"]
        assert lab.cash() >= 0
    lab.check_books()
    assert len(lab.orders()) > 30
    close = dict(
        zip(tape.symbols, tape.open[list(tape.sessions.astype(str)).index(str(lab.session))], strict=True)
    )
    for symbol, weight in lab.weights(close).items():
        assert weight == pytest.approx({"AAA": 0.4, "BBB": 0.3, "CCC": 0.25}[symbol], abs=0.025)


def test_sells_are_done_before_the_first_buy_is_sent(root: Path) -> None:
    """The buys are paid by the sells, so the order of requests is the law."""
    lab = make_switch(root, behaviour={"latency_s": 5.0})
    lab.run()
    sides = [lab.orders()[key].side for key in lab.posts()]
    assert sides == ["sell", "buy", "buy"]
    sell, *buys = lab.orders().values()
    assert sell.ended_at is not None
    assert all(buy.submitted_at >= sell.ended_at for buy in buys)


def weekly(root: Path, interval: str = "weekly", lookback: int = 10) -> Lab:
    """A laboratory whose rule counts its calls: with each decision, AAA's weight grows."""
    calls: list[float] = []

    def rule(_history: object, _equity: float) -> dict[str, float]:
        calls.append(0.5 + 0.05 * len(calls))
        return {"AAA": calls[-1]}

    return make_lab(root, {"AAA": 0.5}, rule=rule, interval=interval, lookback=lookback)


@pytest.mark.parametrize(
    ("interval", "sessions", "lookback"), [("weekly", 5, 10), ("monthly", 23, 10), ("monthly", 23, 1)]
)
def test_a_period_is_decided_once_and_what_staging_left_is_carried(
    root: Path, interval: str, sessions: int, lookback: int
) -> None:
    """The weights of the first session rule the period, however short the rule's own look-back is."""
    lab = weekly(root, interval, lookback)
    records = walk(lab, sessions + 1)
    outcomes = [record["outcome"] for record in records]
    assert outcomes == ["traded"] * 3 + ["not_due"] * (sessions - 3) + ["traded"]
    assert [r["decision"]["session"] for r in records[:3]] == ["2021-03-01"] * 3
    assert [r["decision"]["pending"] for r in records[:3]] == [["AAA"], ["AAA"], []]
    assert [r["weights"]["AAA"] for r in records[:3]] == ["0.5"] * 3
    assert records[-1]["weights"]["AAA"] == "0.55"
    lab.check_books()


def test_a_second_run_of_the_day_does_not_forget_what_is_owed(root: Path) -> None:
    """Three wake-ups a session: the idle ones leave the period's decision as the trading one left it."""
    lab = weekly(root)
    outcomes = []
    for _ in range(4):
        outcomes.append([lab.run()["outcome"] for _ in range(3)])
        lab.exchange.step()
    assert outcomes == [["traded", "in_band", "in_band"]] * 3 + [["not_due"] * 3]


def test_a_halted_first_session_leaves_the_decision_to_the_next(root: Path) -> None:
    """A run that a rule refused has decided nothing, though its record shows what it would have done."""
    lab = weekly(root)
    stopped = lab.run(lab.changed(risk=lab.mandate.risk.model_copy(update={"max_runs_with_orders": 0})))
    assert (stopped["outcome"], stopped["stage"], stopped["code"]) == (
        "halted",
        "risk",
        "max_runs_with_orders",
    )
    lab.exchange.step()
    second = lab.run()
    assert second["outcome"] == "traded"
    assert second["decision"]["session"] == "2021-03-02"


def test_a_symbol_that_did_not_fill_goes_on_in_the_next_session(root: Path) -> None:
    """Halted at the exchange on Monday: owed, and bought on Tuesday, while the others rest."""
    lab = make_lab(root, interval="weekly", behaviour={"halted": ("BBB",)})
    first = lab.run()
    assert first["outcome"] == "traded"
    assert "BBB 0 of 300 (timeout: not filled within 120 s)" in first["reason"]
    assert first["decision"]["pending"] == ["BBB"]
    lab.exchange.behave(halted=())
    lab.exchange.step()
    second = lab.run()
    assert [order["symbol"] for order in second["planned"]] == ["BBB"]
    assert {hold["symbol"]: hold["reason"].split(":")[0] for hold in second["holds"]} == {
        "AAA": "rests",
        "CCC": "rests",
    }
    lab.exchange.step()
    assert lab.run()["outcome"] == "not_due"
    lab.check_books()


def test_two_runs_at_once_leave_the_orders_of_one(root: Path) -> None:
    """Two processes on one store and one account: each order once, both say the same plan."""
    for n in range(12):
        lab = make_switch(root / str(n))
        records: list[Document] = []
        barrier = threading.Barrier(2)

        def run(
            lab: Lab = lab, records: list[Document] = records, barrier: threading.Barrier = barrier
        ) -> None:
            barrier.wait()
            records.append(lab.run())

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {record["outcome"] for record in records} <= {"traded", "in_band"}, records
        assert sorted(lab.orders()) == [lab.order_id(symbol) for symbol in ("AAA", "BBB", "CCC")]
        assert len({record["plan_digest"] for record in records}) == 1
        assert lab.halted() is None
        lab.check_books()


def test_only_review_makes_what_execute_takes() -> None:
    """An `Approved` made by hand is refused."""
    with pytest.raises(TypeError, match="only review"):
        Approved((), (), Decimal(0), object())
