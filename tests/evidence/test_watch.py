"""Watch: what is heard is the strategy's own doing."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

import numpy as np

from backtesting.small import bars_of
from trimtab.evidence.prove import prove

if TYPE_CHECKING:
    from trimtab.core.bars import History


def test_a_collection_of_garbage_is_not_the_strategys_doing() -> None:
    """What others do when garbage is collected, such as reading a clock, is not heard."""
    heard: list[float] = []

    def collected(_phase: str, _info: object) -> None:
        heard.append(time.perf_counter())

    def strategy(_history: History, _equity: float) -> dict[str, float]:
        rings: list[list[object]] = [[] for _ in range(5_000)]
        for ring in rings:
            ring.append(ring)
        return {"A": 0.5}

    gc.callbacks.append(collected)
    try:
        assert prove(strategy, bars_of({"A": [10.0] * 9}), np.arange(8)).findings == ()
        gc.collect()
    finally:
        gc.callbacks.remove(collected)
    assert heard
    assert gc.isenabled()
