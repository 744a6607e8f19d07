"""Histories: made-up closes for the strategies, with nothing in them but closes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.bars import Bars

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from trimtab.core.bars import History


def history(closes: NDArray[np.float64], symbols: Sequence[str]) -> History:
    """Give a history of these closes, (n, m), a column each of the ascending `symbols`."""
    first = date(2020, 1, 1)
    days = np.array([first + timedelta(days=i) for i in range(len(closes))], dtype="datetime64[D]")
    return Bars(days, tuple(symbols), *[closes] * 6).history()


def series(closes: Mapping[str, Sequence[float]]) -> History:
    """Give a history of each symbol's closes, all of one length."""
    symbols = sorted(closes)
    return history(np.column_stack([np.asarray(closes[s], dtype=np.float64) for s in symbols]), symbols)


def walk(n: int, m: int, seed: int = 1) -> NDArray[np.float64]:
    """Give n closes of m symbols that wander together and apart, the first column calmest."""
    random = np.random.default_rng(seed)
    steps = random.normal(0.0, 1.0, (n, m)) * 0.004 * np.arange(1, m + 1)
    return 100.0 * np.exp(np.cumsum(steps + random.normal(0.0, 0.006, (n, 1)), axis=0))


def months(*closes: float, last: int = 252) -> list[float]:
    """Give `last` + 1 closes: these at 12, 6, 3, 1 and 0 months of 21 sessions ago, else 1."""
    path = [1.0] * (last + 1)
    for ago, close in zip((12, 6, 3, 1, 0), closes, strict=True):
        path[last - 21 * ago] = close
    return path
