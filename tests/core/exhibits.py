"""Exhibits: sound bars, and what a test does to them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.core.bars import FIELDS, Bars
from trimtab.core.gates import Exhibit
from trimtab.core.limits import Gates
from trimtab.core.nyse import sessions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from trimtab.core.finding import Finding

SYMBOLS = ("AGG", "SPY", "TLT")
DAYS = sessions(date(2026, 1, 2), date(2026, 2, 27))
"""39 sessions, the first on a Friday."""

PRICES = ("open", "high", "low", "close")


def sound(symbols: Sequence[str] = SYMBOLS, days: Sequence[date] = DAYS) -> Bars:
    """Give bars that no gate doubts: closes that sway by 1 % around 100 USD, 1,000,000 shares a day."""
    shape = (len(days), len(symbols))
    close = np.full(shape, 100.0)
    close[::2] = 101.0
    arrays = {
        "open": close + 0.1,
        "high": close + 1.0,
        "low": close - 1.0,
        "close": close,
        "volume": np.full(shape, 1e6),
        "raw_close": close,
    }
    return Bars(np.array(days, dtype="datetime64[D]"), tuple(symbols), **arrays)


def changed(bars: Bars, **grids: NDArray[np.float64]) -> Bars:
    """Give the bars with some grids in place of theirs."""
    arrays = {name: getattr(bars, name) for name in (*FIELDS, "raw_close")} | grids
    return Bars(bars.sessions, bars.symbols, **arrays)


def scaled(bars: Bars, symbol: str, factors: Mapping[int, float], *fields: str) -> Bars:
    """Give the bars with a symbol's `fields` (else all prices) multiplied from a row on: `factors` by row."""
    column = bars.symbols.index(symbol)
    grids = {name: getattr(bars, name).copy() for name in fields or (*PRICES, "raw_close")}
    for grid in grids.values():
        for row, factor in factors.items():
            grid[row:, column] *= factor
    return changed(bars, **grids)


def with_cell(bars: Bars, row: int, symbol: str, **values: float) -> Bars:
    """Give the bars with other values in one bar."""
    grids = {name: getattr(bars, name).copy() for name in values}
    for name, value in values.items():
        grids[name][row, bars.symbols.index(symbol)] = value
    return changed(bars, **grids)


def exhibit(bars: Bars, actions: Sequence[Any] = (), limits: Gates | None = None, **more: Any) -> Exhibit:  # noqa: ANN401 - handed on
    """Lay bars out beside their own sessions."""
    return Exhibit.of(bars, bars.sessions, limits or Gates(), actions, **more)


def told(findings: Sequence[Finding]) -> list[tuple[str, bool]]:
    """Give the findings as names, and whether they halt."""
    return [(finding.name, finding.halts) for finding in findings]
