"""Replay: a plan is worked out by the rule on quotes that its own run had."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from line_kit import START, full, make_lab, make_tape, replayed
from trimtab.core.record import canonical, plan_digest
from trimtab.desk import on_loopback

if TYPE_CHECKING:
    from pathlib import Path

    from line_kit import Lab
    from trimtab.adapters.exchange.tape import Tape
    from trimtab.core.record import Document

SINCE = "split_value"
"""The verdict that records have since a quote's age is judged."""
PAPER = "paper-api.alpaca.markets"


def resting() -> Tape:
    """Give a tape on which BBB is not traded in the first session: its quote is of the close before."""
    tape = make_tape()
    row = int(np.searchsorted(tape.sessions, np.datetime64(START)))
    columns = {name: getattr(tape, name).copy() for name in ("open", "high", "low", "close")}
    for column in columns.values():
        column[row, tape.symbols.index("BBB")] = np.nan
    return replace(tape, **columns)


def run(root: Path, host: str) -> tuple[Lab, Document]:
    """Run a session in which one symbol's quote is old; the lab's exchange stands for that host."""
    lab = make_lab(root, tape=resting())
    lab.mandate = full(lab)
    return lab, lab.run(lab.changed(host=host, loopback=on_loopback(host)))


def rewritten(lab: Lab, record: Document) -> None:
    """Put another record in the place of a run's, with sums that fit."""
    folder = lab.root / "runs/main" / record["session"] / record["run_id"]
    record["plan"]["plan_digest"] = record["plan_digest"] = plan_digest(record["plan"])
    (folder / "record.json").write_bytes(canonical(record))
    (lab.root / "plans/main" / f"{record['session']}.json").write_bytes(canonical(record["plan"]))
    names = sorted(path.name for path in folder.iterdir() if path.name != "SHA256SUMS")
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(sums))


def undated(record: Document) -> Document:
    """Give the record as a trimtab wrote it that did not judge a quote's age."""
    return record | {"verdicts": [v for v in record["verdicts"] if v["rule"] != SINCE]}


@pytest.mark.parametrize(
    ("host", "held"), [("localhost", False), ("127.0.0.1:8081", False), ("[::1]:8081", False), (PAPER, True)]
)
def test_an_old_quote_counts_in_a_replay_as_it_did_in_the_run(root: Path, host: str, held: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """On loopback a quote's own time is not judged; anywhere else an old one holds its symbol."""
    lab, record = run(root, host)
    assert SINCE in {verdict["rule"] for verdict in record["verdicts"]}
    ordered = {order["symbol"] for order in record["plan"]["orders"]}
    assert ordered == ({"AAA", "CCC"} if held else {"AAA", "BBB", "CCC"})
    assert replayed(lab, record) == "equal"


def test_a_record_from_before_the_rule_replays_by_the_rule_of_then(root: Path) -> None:
    """A paper account's older record, planned on an old quote and against a later trade."""
    lab, record = run(root, "localhost")
    record["host"] = record["plan"]["host"] = PAPER
    rewritten(lab, record)
    assert replayed(lab, record) == "differs"
    quote = next(quote for quote in record["quotes"] if quote["symbol"] == "AAA")
    quote |= {"last": "50", "last_at": record["started_at"], "at": None}
    rewritten(lab, undated(record))
    assert replayed(lab, record) == "equal"
    record["host"] = record["plan"]["host"] = "localhost"
    rewritten(lab, record)
    assert replayed(lab, record) == "differs"  # with the verdict, the later trade contradicts the quote
