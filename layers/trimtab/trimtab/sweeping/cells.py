"""Cells: a grid's combinations and windows, numbered, and the digest that names a cell's result."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.backtesting.terms import span
from trimtab.core.record import digest
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.core.bars import Bars
    from trimtab.core.record import Document
    from trimtab.sweeping.grid import Grid, Sample, WalkForward

__all__ = ["MOST_CELLS", "Cell", "Window", "cells_of", "combinations", "windows"]

MOST_CELLS = 100_000
"""Of one sweep; a larger grid is sampled."""


@dataclass(frozen=True, slots=True)
class Window:
    """Dates, inclusive, New York sessions: those to choose by, and those after them to judge by, if any."""

    start: str
    end: str
    test_end: str | None = None

    def document(self) -> Document:
        """Give it as JSON holds it; the sessions to judge by begin after `end`."""
        return {"start": self.start, "end": self.end, "test_end": self.test_end}


@dataclass(frozen=True, slots=True)
class Cell:
    """One backtest of a sweep: a combination, numbered, over a window."""

    combination: int
    strategy: str
    params: Mapping[str, Any]
    universe: str
    rebalance: str
    fill: str
    cost_bps: float
    window: Window

    def terms(self) -> Document:
        """Give the combination as JSON holds it, without the window."""
        return {
            "strategy": self.strategy,
            "params": dict(self.params),
            "universe": self.universe,
            "rebalance": self.rebalance,
            "fill": self.fill,
            "cost_bps": self.cost_bps,
        }

    def document(self) -> Document:
        """Give the cell as JSON holds it."""
        return {**self.terms(), "window": self.window.document()}

    @classmethod
    def of(cls, document: Mapping[str, Any], combination: int = 0) -> Cell:
        """Give the cell of a document."""
        return cls(combination, **{**document, "window": Window(**document["window"])})

    def digest(self, common: str, prices: str, code: str) -> str:
        """Give what names the result: SHA-256 of the cell, what all cells share, its prices, and the code."""
        return digest({"cell": self.document(), "common": common, "prices": prices, "code": code})


def cells_of(
    grid: Grid, spans: Sequence[Window], *, strategy: str, base: Mapping[str, Any], universes: Sequence[str]
) -> list[Cell]:
    """Give every cell: combination by combination, each over all windows.

    `base` are the params that the grid leaves out; `universes` the names of them all.

    Raises:
        Misconfigured: there are more than `MOST_CELLS`.
    """
    names = sorted(grid.params)
    axes: list[Sequence[Any]] = [
        *(grid.params[name] for name in names),
        universes,
        grid.rebalance or (),
        grid.fill,
        grid.cost_bps,
    ]
    chosen = combinations([len(axis) for axis in axes], grid.sample, len(spans))
    cells = []
    for number, places in enumerate(chosen):
        *values, universe, rebalance, fill, cost = (axis[i] for axis, i in zip(axes, places, strict=True))
        params = {**base, **dict(zip(names, values, strict=True))}
        cells += [Cell(number, strategy, params, universe, rebalance, fill, cost, each) for each in spans]
    return cells


def combinations(sizes: Sequence[int], sample: Sample | None, windows: int = 1) -> list[tuple[int, ...]]:
    """Give the places on axes of these sizes, ascending: all of them, or a sample.

    Raises:
        Misconfigured: over so many windows they are more cells than `MOST_CELLS`.
    """
    whole = prod(sizes)
    count = whole if sample is None else min(sample.n, whole)
    if count * windows > MOST_CELLS:
        raise Misconfigured(
            "grid",
            "the grid has too many cells",
            seen=f"{count:,} combinations over {windows:,} windows",
            allowed=f"{MOST_CELLS:,} cells",
            hint='draw some: "sample": {"n": 1000, "seed": 1}',
        )
    numbers = range(whole) if sample is None or count == whole else _drawn(whole, count, sample.seed)
    return [tuple(int(i) for i in np.unravel_index(number, tuple(sizes))) for number in numbers]


def _drawn(whole: int, count: int, seed: int) -> list[int]:
    """Draw `count` numbers below `whole` without putting back, from the hash of the seed and a counter.

    No library's generator can change it; 256 bits make the remainder's bias nothing.
    """
    found: set[int] = set()
    draw = 0
    while len(found) < count:
        found.add(int.from_bytes(hashlib.sha256(f"{seed}/{draw}".encode()).digest()) % whole)
        draw += 1
    return sorted(found)


def windows(grid: Grid, bars: Bars) -> list[Window]:
    """Give the windows: each start with each end after it, or what the walk forward splits it into.

    Raises:
        Misconfigured: no data lies between a start and an end, or no split fits.
    """
    found: list[Window] = []
    for start in grid.starts:
        for end in grid.ends:
            first, last = span(bars, start, end)
            found += _windows(grid.walk_forward, bars, first, last)
    return list(dict.fromkeys(found))


def _windows(walk: WalkForward | None, bars: Bars, first: int, last: int) -> list[Window]:
    days = [str(day) for day in bars.sessions]
    if walk is None:
        return [Window(days[first], days[last])]
    step, whole = walk.step or walk.test, walk.train + walk.test
    begins = range(first, last - whole + 2, step)
    if not begins:
        raise Misconfigured(
            "grid",
            "walk_forward: not one split fits between start and end",
            seen=f"{last - first + 1} sessions from {days[first]} to {days[last]}",
            allowed=f"train + test = {whole} sessions or more",
            hint="shorten train or test, or give more data",
        )
    return [Window(days[row], days[row + walk.train - 1], days[row + whole - 1]) for row in begins]
