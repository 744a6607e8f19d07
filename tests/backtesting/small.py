"""Small: bars by hand, a few symbols and sessions, for tests that can be followed on paper."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.bars import Bars, History
from trimtab.core.nyse import sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

NAN = float("nan")


def bars_of(
    close: Mapping[str, Sequence[float]],
    opened: Mapping[str, Sequence[float]] | None = None,
    first: date = date(2021, 3, 1),
    volume: float = 1e9,
) -> Bars:
    """Give bars of these closes on the sessions from `first` on; opens are the closes unless told."""
    names = tuple(sorted(close))
    grid = np.array([close[name] for name in names], dtype=float).T
    begin = grid if opened is None else np.array([opened[name] for name in names], dtype=float).T
    days = sessions(first, date(first.year + 3, 1, 1))[: len(grid)]
    high, low = np.fmax(grid, begin), np.fmin(grid, begin)
    return Bars(
        np.array(days, dtype="datetime64[D]"),
        names,
        begin,
        high,
        low,
        grid,
        np.full(grid.shape, volume),
        grid,
    )


def always(**weights: float) -> Callable[[History, float], dict[str, float]]:
    """Give a strategy that always wants these weights."""

    def strategy(_history: History, _equity: float) -> dict[str, float]:
        return dict(weights)

    return strategy
