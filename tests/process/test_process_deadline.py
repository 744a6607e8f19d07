"""Deadline: a slow broker against a run that has little time. A sample by default; all with `WHOLE=1`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from process.slow import SLOW, slow_down
from process.sweeps import sweep, wrong_of

if TYPE_CHECKING:
    from process.conftest import Some


def test_a_run_ends_before_its_deadline_with_its_record(some: Some) -> None:
    """However slow the broker: no order in the last 30 s, a record in time, and the next run completes."""
    results = sweep(slow_down, some(SLOW[-2:], lambda: SLOW), workers=6)
    assert not wrong_of(results)
    assert all(result.struck for result in results)
