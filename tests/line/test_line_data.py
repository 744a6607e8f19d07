"""Data: what a run does with bars that are doubted: it halts, warns, looks again, and writes down why."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from line_kit import START, make_lab, make_tape
from trimtab.adapters.inputs import inputs_file, read_inputs
from trimtab.core.limits import Gates

if TYPE_CHECKING:
    from pathlib import Path

    from line_kit import Lab
    from trimtab.adapters.exchange.tape import Tape
    from trimtab.core.record import Document

BEFORE = "2021-02-26"
"""The session before START: the last one that a run of START sees."""


def row_of(tape: Tape, session: object) -> int:
    return int(np.searchsorted(tape.sessions, np.datetime64(str(session), "D")))


def moved(session: str, factor: float, volume: float = 1.0) -> Tape:
    """Give a tape on which AAA closes a session at so much of its price and volume, and stays there."""
    tape = make_tape()
    row = row_of(tape, session)
    grids = {name: getattr(tape, name).copy() for name in ("open", "high", "low", "close", "volume")}
    for name in ("open", "high", "low", "close"):
        grids[name][row + 1 :, 0] *= factor
    grids["close"][row, 0] *= factor
    grids["low"][row, 0] = grids["close"][row, 0] - 0.01
    grids["volume"][row, 0] *= volume
    return replace(tape, **grids)


def lab_of(root: Path, tape: Tape, **gates: object) -> Lab:
    return make_lab(root, tape=tape, gates=Gates(**gates))  # type: ignore[arg-type]  # fields of Gates


def warned(record: Document) -> list[tuple[str, str]]:
    """Give what the gates warned of: code and message."""
    return [
        (e["code"], e["message"])
        for e in record["events"]
        if (e["level"], e["stage"]) == ("warning", "validate")
    ]


def test_an_unexplained_jump_halts_before_anything_is_sent(root: Path) -> None:
    """30 % in a session, on the usual volume."""
    lab = lab_of(root, moved(BEFORE, 0.7))
    record = lab.run()
    assert (record["outcome"], record["stage"], record["code"]) == ("halted", "validate", "jump")
    assert record["error"]["seen"] == f"AAA {BEFORE}: -30.0%, volume 1.0 times the usual"
    assert "data.gates.accept" in record["error"]["hint"]
    assert lab.sends() == []


def test_what_the_owner_accepts_lets_the_run_go_on(root: Path) -> None:
    """That bar, and no other."""
    assert lab_of(root, moved(BEFORE, 0.7), accept=(f"AAA {BEFORE}",)).run()["outcome"] == "traded"
    other = lab_of(root / "other", moved(BEFORE, 0.7), accept=("AAA 2021-02-25",))
    assert other.run()["code"] == "jump"


def test_a_jump_on_heavy_volume_is_told_and_traded(root: Path) -> None:
    """It is held against the last trade, and a warning stands in the record while it is news."""
    lab = lab_of(root, moved(BEFORE, 0.75, volume=4.0))
    record = lab.run()
    assert record["outcome"] == "traded"
    assert [code for code, _ in warned(record)] == ["jump"]
    assert {v["rule"]: v["passed"] for v in record["verdicts"]}["trade_apart"] is True
    for _ in range(5):
        lab.exchange.step()
    later = lab.run()
    assert warned(later) == []
    assert next(v for v in later["verdicts"] if v["rule"] == "jump")["seen"].startswith(f"AAA {BEFORE}")


def test_a_jump_that_the_market_does_not_show_halts(root: Path) -> None:
    """The bars say 70, on heavy volume; the last trade says 100."""
    tape = moved(BEFORE, 0.7, volume=4.0)
    row = row_of(tape, START)
    grids = {name: getattr(tape, name).copy() for name in ("open", "high", "low", "close")}
    for grid in grids.values():
        grid[row:, 0] /= 0.7
    lab = lab_of(root, replace(tape, **grids))
    record = lab.run()
    assert (record["outcome"], record["stage"], record["code"]) == ("halted", "validate", "trade_apart")
    assert lab.sends() == []


def test_announced_actions_stand_in_the_record(root: Path) -> None:
    """A split and a dividend in the look-back: the adjusted prices run through, and nothing is doubted."""
    tape = make_tape()
    split, dividend = tape.split.copy(), tape.dividend.copy()
    row = row_of(tape, "2021-02-24")
    grids = {name: getattr(tape, name).copy() for name in ("open", "high", "low", "close")}
    for grid in grids.values():
        grid[row:, 0] /= 4.0
    split[row, 0], dividend[row, 1] = 4.0, 0.5
    record = lab_of(root, replace(tape, **grids, split=split, dividend=dividend)).run()
    assert record["outcome"] == "traded", record["reason"]
    told = {(a["symbol"], a["kind"], a["ratio"], a["amount"]) for a in record["actions"]}
    assert told == {("AAA", "split", "4.0", "0.0"), ("BBB", "dividend", "1.0", "0.5")}


def test_a_split_of_today_halts_for_a_session(root: Path) -> None:
    """Broker and feed each take it in when they do: nothing is sized until both have, a session later."""
    tape = make_tape()
    split, row = tape.split.copy(), row_of(tape, START)
    grids = {name: getattr(tape, name).copy() for name in ("open", "high", "low", "close")}
    for grid in grids.values():
        grid[row:, 0] /= 4.0
    split[row, 0] = 4.0
    lab = lab_of(root, replace(tape, **grids, split=split))
    lab.exchange.journal("AAA", Decimal(100))
    record = lab.run()
    assert (record["outcome"], record["stage"], record["code"]) == ("halted", "positions", "split_value")
    assert record["error"]["seen"] == f"split 4 for 1 on {START}"
    assert lab.sends() == []
    lab.exchange.step()
    assert lab.run()["outcome"] == "traded"


def test_a_split_that_nobody_announced_halts(root: Path) -> None:
    """Prices fall to a quarter, and no action says why: whatever the volume."""
    assert lab_of(root, moved(BEFORE, 0.25, volume=50.0)).run()["code"] == "split"


def test_actions_that_cannot_be_read_halt(root: Path) -> None:
    """Unknown is not none."""
    lab = lab_of(root, make_tape())
    lab.fault("status", "GET", "/v1/corporate-actions", times=99)
    record = lab.run()
    assert (record["outcome"], record["stage"], record["code"]) == ("halted", "fetch", "unreachable")
    assert lab.sends() == []


def test_a_history_that_changed_since_the_last_run_is_told(root: Path) -> None:
    """One raw close of three sessions ago is another now: a warning, once."""
    lab = lab_of(root, make_tape())
    first = lab.run()
    inputs = root / f"runs/main/{first['session']}/{first['run_id']}/inputs.parquet"
    bars = read_inputs(inputs.read_bytes())
    raw = bars.raw_close.copy()
    raw[-3, 1] *= 1.01
    inputs.write_bytes(inputs_file(replace(bars, raw_close=raw)))
    lab.exchange.step()
    record = lab.run()
    assert record["outcome"] in {"in_band", "traded"}
    ((code, text),) = warned(record)
    assert code == "revised"
    assert text.startswith(f"BBB {bars.sessions[-3]}: close 50, was 50")
    lab.exchange.step()
    assert warned(lab.run()) == []


@pytest.mark.parametrize("blob", [b"", b"PAR1 but not really", None])
def test_inputs_that_cannot_be_read_are_not_compared(root: Path, blob: bytes | None) -> None:
    """Damaged ones are told of; ones that were cleared away are not."""
    lab = lab_of(root, make_tape())
    first = lab.run()
    inputs = root / f"runs/main/{first['session']}/{first['run_id']}/inputs.parquet"
    inputs.unlink()
    if blob is not None:
        inputs.write_bytes(blob)
    lab.exchange.step()
    record = lab.run()
    assert record["outcome"] in {"in_band", "traded"}
    assert [code for code, _ in warned(record)] == ([] if blob is None else ["inputs_damaged"])
