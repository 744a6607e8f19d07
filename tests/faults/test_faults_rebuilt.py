"""A sample of rebuilt.py: `python tests/faults/rebuilt.py` plays as many as wanted."""

from __future__ import annotations

import pytest

from faults.campaign import scratch
from faults.rebuilt import rebuilt

SIDE_BY_SIDE = (0, 144)
"""In these, two runs record the same orders, or the same moment; the later end is written first."""


@pytest.mark.parametrize("seeds", [SIDE_BY_SIDE, range(300, 310), range(310, 320)])
def test_a_stormy_store_is_made_anew_as_the_runs_wrote_it(seeds: tuple[int, ...] | range) -> None:
    """Kills, partial fills, two runs at once, failing stores: the records hold every row of trades.db."""
    root = scratch()
    for seed in seeds:
        assert rebuilt(seed, root / "play") == [], seed
    for path in root.iterdir():
        path.unlink()
    root.rmdir()
