"""Series: the pages of one pass over the bars, and the `Bars` that two passes make.

A bar is kept as the number of its cell, symbols x days of what was asked for, and its values as float64: 48
bytes, or 16 where only the close is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from trimtab.adapters.alpaca.columns import EPOCH
from trimtab.core.bars import FIELDS, Bars
from trimtab.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray

    from trimtab.adapters.alpaca.columns import Page


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What bars are asked for: symbols, and New York dates, both inclusive.

    `symbols` ascend. A cell is the number of a symbol's day, counted symbol by symbol.
    """

    symbols: tuple[str, ...]
    first: date
    last: date
    place: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Number the symbols."""
        object.__setattr__(self, "place", {symbol: i for i, symbol in enumerate(self.symbols)})

    @property
    def days(self) -> int:
        """Give how many days it spans, at least 1."""
        return max(1, (self.last - self.first).days + 1)

    def cells(self, page: Page, asked: frozenset[str]) -> NDArray[np.intp]:
        """Give the cell of each of a page's bars, (k,).

        Raises:
            Unreachable: a bar is of a symbol or a day that was not asked for.
        """
        unasked = [symbol for symbol in page.symbols if symbol not in asked]
        if unasked:
            raise Unreachable(f"bars: {unasked[0][:40]!r} was not asked for")
        day = page.day.astype(np.intp) - (self.first.toordinal() - EPOCH)
        if len(day) and not 0 <= day.min() <= day.max() < self.days:
            at = np.datetime64(int(page.day[np.argmax((day < 0) | (day >= self.days))]), "D")
            raise Unreachable(f"bars: a bar of {at}, but {self.first} to {self.last} was asked for")
        place = np.array([self.place[symbol] for symbol in page.symbols], dtype=np.intp)
        return place[page.symbol] * self.days + day

    def named(self, cell: int) -> str:
        """Say which bar stands in a cell."""
        symbol, day = divmod(cell, self.days)
        return f"{self.symbols[symbol]} on {np.datetime64(self.first, 'D') + np.timedelta64(day, 'D')}"


class Series:
    """The bars of one pass, adjusted as `adjustment` says; of each the `wanted` of `FIELDS` are kept."""

    def __init__(self, question: Question, adjustment: str, wanted: Sequence[str] = FIELDS) -> None:
        self.question = question
        self.adjustment = adjustment
        self.held = np.zeros((len(question.symbols), question.days), dtype=np.bool_)
        self._wanted = [FIELDS.index(name) for name in wanted]
        self._kept: list[tuple[NDArray[np.intp], NDArray[np.float64]]] = []

    def add(self, page: Page, asked: frozenset[str]) -> None:
        """Keep a page's bars.

        Raises:
            Unreachable: a bar was not asked for, or is of a symbol and day that had one.
        """
        cell = self.question.cells(page, asked)
        held = self.held.reshape(-1)
        ordered = cell if (cell[1:] > cell[:-1]).all() else np.sort(cell)
        again = np.concatenate([cell[held[cell]], ordered[1:][ordered[1:] == ordered[:-1]]])
        if len(again):
            raise Unreachable(f"bars: two bars of {self.question.named(int(again[0]))} ({self.adjustment})")
        held[cell] = True
        self._kept.append((cell, page.values[self._wanted]))

    def grid(self, name: str) -> NDArray[np.float64]:
        """Give a field of every cell, (symbols, days); NaN without a bar."""
        row = self._wanted.index(FIELDS.index(name))
        flat = np.full(self.held.size, np.nan)
        for cell, values in self._kept:
            flat[cell] = values[row]
        return flat.reshape(self.held.shape)


def joined(adjusted: Series, raw: Series) -> Bars:
    """Make bars of the adjusted series; `raw_close` of the raw one, NaN where that has no such bar.

    A symbol, and a day, without any adjusted bar is absent.
    """
    held = adjusted.held
    symbols, days = np.flatnonzero(held.any(axis=1)), np.flatnonzero(held.any(axis=0))

    def taken(grid: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.ascontiguousarray(grid[np.ix_(symbols, days)].T)

    columns = {name: taken(adjusted.grid(name)) for name in FIELDS}
    return Bars(
        np.datetime64(adjusted.question.first, "D") + days.astype("timedelta64[D]"),
        tuple(adjusted.question.symbols[i] for i in symbols),
        **columns,
        raw_close=taken(np.where(held, raw.grid("close"), np.nan)),
    )
