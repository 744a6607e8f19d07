from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from line_kit import START, make_lab, make_tape
from trimtab.core.nyse import sessions
from trimtab.core.taxlots import Moved
from trimtab.evidence.returns import returns
from trimtab.evidence.taxes import ledger_of, lots_document

if TYPE_CHECKING:
    from pathlib import Path

    from line_kit import Lab
    from trimtab.core.taxlots import Ledger

D = Decimal
SPLIT_DAY = date(2021, 3, 10)


def ledger(lab: Lab) -> Ledger:
    return ledger_of(lab.store, lab.trades, "main")


def test_a_split_that_the_records_tell_of_keeps_the_basis(tmp_path: Path) -> None:
    """Two shares for one between two runs: twice the shares, at what they cost."""
    tape = make_tape({"AAA": 100.0, "BBB": 50.0}, last=date(2021, 4, 30))
    days = tape.sessions.tolist()
    row = days.index(SPLIT_DAY)
    for prices in (tape.open, tape.high, tape.low, tape.close):
        prices.flags.writeable = True
        prices[row:, 0] /= 2
    tape.split.flags.writeable = True
    tape.split[row, 0] = 2.0
    tape = type(tape)(
        tape.name, tape.sessions, tape.symbols,
        open=tape.open, high=tape.high, low=tape.low, close=tape.close,
        volume=tape.volume, split=tape.split, dividend=tape.dividend,
    )  # fmt: skip
    lab = make_lab(tmp_path, {"AAA": 0.15, "BBB": 0.1}, tape=tape)
    assert lab.run()["outcome"] == "traded"
    bought = ledger(lab).held["AAA"][0]
    lab.exchange.go(days[row + 2])
    assert lab.run()["outcome"] == "in_band"
    found = ledger(lab)
    assert [(lot.qty, lot.cost) for lot in found.held["AAA"]] == [(bought.qty * 2, bought.cost)]
    assert found.moved == []


def test_shares_that_no_run_bought_have_an_unknown_basis(tmp_path: Path) -> None:
    """Held before the first run, brought in later, taken out: told, and never made up."""
    lab = make_lab(tmp_path, {"AAA": 0.2, "BBB": 0.1}, held={"AAA": 300}, cash=70_000)
    assert lab.run()["outcome"] == "traded"
    first, second, third = sessions(START, START.replace(day=4))[:3]
    sold = ledger(lab).closed
    assert [(one.term, one.cost) for one in sold] == [("unknown", None)]
    lab.exchange.step()
    lab.exchange.journal("BBB", D(40))
    lab.run()
    lab.exchange.step()
    lab.exchange.journal("CCC", D(7))
    lab.run()
    assert ledger(lab).moved == [
        Moved("AAA", first, D(300)),
        Moved("BBB", second, D(40)),
        Moved("CCC", third, D(7)),
    ]
    document = lots_document(lab.store, lab.trades, "main", "AAA")
    assert {lot["term"] for lot in document["lots"]} == {"unknown"}
    assert {row["gain"] for row in document["years"]} == {None}


def test_a_foreign_short_is_no_lot_and_moves_nothing(tmp_path: Path) -> None:
    """Lots are long; what somebody owes in a symbol of his own is not told anew at each session."""
    lab = make_lab(tmp_path, {"AAA": 0.2, "BBB": 0.1})
    for _ in range(3):
        row = {"run_id": lab.run()["run_id"], "phase": "before", "symbol": "ZZZ", "qty": "-5"}
        lab.trades.add({"positions": [row | {"price": None, "market_value": None}]})
        lab.exchange.step()
    found = ledger(lab)
    assert found.moved == []
    assert found.held.get("ZZZ", []) == []


def test_a_deposit_is_no_return(tmp_path: Path) -> None:
    """Prices stand still: whatever comes in, and goes out, nothing was made."""
    lab = make_lab(tmp_path, {"AAA": 0.2, "BBB": 0.1})
    assert returns(lab.trades, "main") is None
    lab.run()
    for amount in (50_000, -20_000):
        lab.exchange.step()
        lab.exchange.journal(amount=D(amount))
        lab.run()
    found = returns(lab.trades, "main")
    assert found is not None
    assert abs(float(found["time_weighted"])) < 1e-4
    assert found["flows"] == "30000.00"
    assert np.isclose(float(found["drawdown"]), 0.0, atol=1e-4)
