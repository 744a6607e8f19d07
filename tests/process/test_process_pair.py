"""Pair: two processes run one portfolio at once. A sample by default; all with `WHOLE=1`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from process.pairs import Pair, meet, pairs
from process.sweeps import sweep, wrong_of

if TYPE_CHECKING:
    from process.conftest import Some


def test_two_runs_at_once_send_the_orders_of_one(some: Some) -> None:
    """Whenever the second begins: four orders, the plan's fills, clear ends, and a complete record."""
    sample = [Pair(0.0), Pair(0.6), Pair(number=22), Pair(number=16, held="end")]
    results = sweep(meet, some(sample, pairs), workers=4)
    assert not wrong_of(results)
    assert sum(result.struck for result in results) >= 0.9 * len(results)
