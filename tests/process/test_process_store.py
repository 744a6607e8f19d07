"""Store: it becomes unwritable in the middle of a run. A sample by default; all with `WHOLE=1`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from process.mends import CAN_LIMIT, KINDS, Break, break_it, breaks
from process.sweeps import sweep, wrong_of

if TYPE_CHECKING:
    from process.conftest import Some
    from process.mends import Kind

BEFORE_PLAN, AFTER_ORDER = 5, 24


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_breaks_stops_the_run_clearly(kind: Kind, some: Some) -> None:
    """Exit 3 before the first order, 4 after it, one document says why; mended, one run completes all."""
    if kind == "disk" and not CAN_LIMIT:
        pytest.skip("only Linux limits the files of a process that runs")
    sample = [Break(kind, BEFORE_PLAN), Break(kind, AFTER_ORDER)]
    results = sweep(break_it, some(sample, lambda: [case for case in breaks() if case.kind == kind]))
    assert not wrong_of(results)
    assert all(result.struck for result in results)
    assert {end.split()[0] for result in results for end in result.ends} == {"3", "4"}
