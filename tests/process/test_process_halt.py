"""Halt: the kill switch drill with processes. A sample by default; all with `WHOLE=1`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from process.drills import WORKERS, Drill, drill_it, drills
from process.sweeps import sweep, wrong_of

if TYPE_CHECKING:
    from process.conftest import Some


def test_no_order_begins_after_the_flag_and_halt_leaves_none_open(some: Some) -> None:
    """At any request: no later order, nothing of ours open, halted until resumed; then the plan is done."""
    sample = [Drill(22, "held"), Drill(28, "free"), Drill(24, "hand", "AAA")]
    results = sweep(drill_it, some(sample, drills), WORKERS)
    assert not wrong_of(results)
    assert all(result.struck for result in results)
