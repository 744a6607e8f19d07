"""Writing: each flag that names a file to write, given one that can't be written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl
import pytest

from trimtab.core.nyse import sessions

if TYPE_CHECKING:
    from datetime import date

    from cli.conftest import Desk
    from trimtab.adapters.exchange.tape import Tape

BACKTEST = ("backtest", "--data", "bars.parquet")
FLAGS = {
    "lots --csv": (("lots", "--csv"), "not_writable"),
    "plan --out": (("plan", "--out"), "plan_file"),
    "backtest --out": ((*BACKTEST, "--out"), "not_writable"),
    "backtest --report": ((*BACKTEST, "--report"), "not_writable"),
    "sweep --out": (("sweep", "--grid", "grid.json", "--data", "bars.parquet", "--out"), "not_writable"),
}
"""Verbs with the flag that names what they write; `data fetch --out` is in the tests of its verb."""
MAKING = {"backtest --out", "sweep --out"}
"""Flags that name a folder, which is made."""


@pytest.fixture
def supplied(desk: Desk, tape: Tape) -> Desk:
    """Give a folder with bars and a grid of one cell."""
    days: list[date] = sessions(tape.sessions[0].item(), tape.sessions[-1].item())[:60]
    rows = [
        {"symbol": name, "session": day, "open": p, "high": p, "low": p, "close": p, "volume": 1e6}
        for name, p in (("AAA", 100.0), ("BBB", 50.0), ("CCC", 20.0))
        for day in days
    ]
    pl.DataFrame(rows).write_parquet(desk.folder / "bars.parquet")
    (desk.folder / "grid.json").write_text(json.dumps({"params": {}}))
    return desk


@pytest.mark.parametrize("flag", FLAGS)
def test_a_file_that_cannot_be_written_is_no_fault_of_the_store(supplied: Desk, flag: str) -> None:
    """What lies below a file, or in a folder that is not made, is usage: another name is the way."""
    words, code = FLAGS[flag]
    for place in ["config.json/below"] + ["no/such/folder"] * (flag not in MAKING):
        done = supplied(*words, place, "--json")
        error = done.document["error"]
        assert (done.status, error["code"]) == (2, code)
        assert "store" not in error["message"] + error["hint"]
        assert error["seen"]
