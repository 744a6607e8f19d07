"""Masking on the line: whatever redaction does to a record, a run that traded leaves one to be read again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from line_kit import Kill, Killed, Lab, make_lab, make_switch
from trimtab.core.masking import MASK, blanked
from trimtab.core.record import canonical
from trimtab.errors import Halted
from trimtab.evidence.ledger import read_unsealed as shown_record
from trimtab.evidence.seal import opened
from trimtab.rebalance import rebalance
from trimtab.settings import Redactor
from trimtab.stations.arrive import Arrival
from trimtab.stations.past import read_record, rebuild
from trimtab.stations.unfinished import CODE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from trimtab.core.record import Document

TEXTS = {
    *("reason", "detail", "message", "hint"),
    *("seen", "allowed"),  # numbers, mostly, which stay; else words for people
}
"""Keys of a record whose texts are for people."""


def broken(_document: Document) -> Document:
    """Fail."""
    raise RecursionError("canary-0001")


def torn(document: Document) -> Document:
    """Lose a key."""
    return {MASK if key == "positions_before" else key: value for key, value in document.items()}


def run(lab: Lab, redact: Callable[[Document], Document]) -> Document:
    """Run with another redaction."""
    return rebalance(replace(lab.world(), redact=redact), lab.mandate, Arrival())


def short(document: Document) -> Document:
    """Lose a key that no row is made of."""
    return {key: value for key, value in document.items() if key != "decision"}


@pytest.mark.parametrize("redact", [broken, torn, short])
def test_a_redaction_that_fails_leaves_a_record_without_texts(
    root: Path, redact: Callable[[Document], Document]
) -> None:
    """Its orders, names and figures are there, so the next runs find the plan done, and trade on."""
    lab = make_lab(root, {"AAA": 0.5, "BBB": 0.5})
    record = run(lab, redact)
    assert (record["outcome"], record["portfolio"], record["mode"]) == ("traded", "main", lab.mandate.mode)
    assert {order["reason"] for order in record["orders"]} == {record["reason"]} == {MASK}
    assert [event["code"] for event in record["events"]] == ["not_redacted"]
    assert len(lab.warned) == 1
    assert "canary" not in lab.warned[0] + json.dumps(record)
    assert record["plan"] == lab.plan()
    assert lab.run()["code"] == "done"
    lab.exchange.step()
    assert lab.run()["outcome"] == "traded"
    (root / "trades.db").unlink()
    assert rebuild(lab.store, lab.trades) == 3
    lab.check_books()


@pytest.mark.parametrize("code", ["plan_expired", None])
def test_a_plan_is_closed_once_whatever_is_masked(root: Path, code: str | None) -> None:
    """By the code of the record that closed it; by the reason where an earlier version kept no code."""
    lab = make_lab(root, {"AAA": 0.5, "BBB": 0.5})
    with pytest.raises(Killed):
        lab.run(requests_=Kill(1, after=True, only="POST"))
    lab.exchange.step()
    run(lab, broken if code else lambda document: document)
    closing = [record for record in lab.records() if record["code"] == CODE]
    assert [record["reason"] == MASK for record in closing] == [code is not None]
    with contextlib.closing(sqlite3.connect(lab.trades.path)) as rows, rows:
        rows.execute("UPDATE runs SET code = ? WHERE run_id = ?", (code, closing[0]["run_id"]))
    lab.exchange.step()
    assert lab.run()["outcome"] in {"traded", "in_band"}
    assert [record for record in lab.records() if record["code"] == CODE] == closing


@pytest.mark.parametrize("word", ["main", "positions_before", "simulated", "interrupted", "client_order_id"])
def test_a_record_lies_where_its_run_was(root: Path, word: str) -> None:
    """Its path is made of what the run was asked, whatever redaction says of it."""
    lab = make_lab(root)
    lab.secrets = (f"ntfys://{word}", f"mailtos://you:{word}@example.org", word, "yesterday", "execution")
    record = lab.run()
    folder = f"runs/main/{lab.session}/{record['run_id']}"
    assert read_record(lab.store, folder) == record == shown_record(lab.store, folder)[0]
    assert lab.run()["code"] == "done"


def maim(lab: Lab, record: Document, old: str, new: str) -> str:
    """Write a record as an earlier version may have: with a key masked, and its sums right."""
    folder = f"runs/main/{record['session']}/{record['run_id']}"
    path = lab.root / folder
    blob = canonical(record).replace(f'"{old}":'.encode(), f'"{new}":'.encode())
    sums = (
        (path / "SHA256SUMS")
        .read_text()
        .replace(
            hashlib.sha256((path / "record.json").read_bytes()).hexdigest(), hashlib.sha256(blob).hexdigest()
        )
    )
    (path / "record.json").write_bytes(blob)
    (path / "SHA256SUMS").write_text(sums)
    return folder


@pytest.mark.parametrize("key", ["positions_before", "submitted_at", "portfolio"])
def test_a_record_without_its_keys_halts_as_a_damaged_one(root: Path, key: str) -> None:
    """The next run and `rebuild` say which it is; with its folder moved away the portfolio goes on."""
    lab = make_lab(root, {"AAA": 0.5, "BBB": 0.5})
    folder = maim(lab, lab.run(), key, f"{MASK}{key[9:]}")
    (root / "trades.db").unlink()
    lab.exchange.step()
    halted = lab.run()
    assert (halted["outcome"], halted["code"]) == ("halted", "record_damaged")
    assert "a key that was masked" in halted["reason"]
    assert folder in halted["reason"]
    with pytest.raises(Halted, match="record_damaged"):
        rebuild(lab.store, lab.trades)
    (fault,) = opened(lab.store, folder).faults
    assert fault.startswith("record.json: ")
    (root / folder).rename(root / "aside")
    assert lab.run()["outcome"] == "traded"


def test_every_text_of_a_record_is_a_name_or_for_people(root: Path) -> None:
    """A new key is one or the other: it enters `NAMES`, or may be masked."""
    for number, lab in enumerate((make_lab(root / "a", {"AAA": 0.5, "BBB": 0.5}), make_switch(root / "b"))):
        records = [lab.run(), lab.run(lab.changed(rule=lambda _history, _equity: None))]
        gone = [blanked(record | {"config": {}}) for record in records]
        assert {key for record in gone for key, text in leaves(record) if text == MASK} <= TEXTS, number
        assert Redactor.of(["never-0001"]).value(records[0]) == records[0]
        assert blanked(records[0]).keys() == records[0].keys()


def leaves(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Give each text with the key that leads to it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, key)
    elif isinstance(value, str):
        yield key, value
