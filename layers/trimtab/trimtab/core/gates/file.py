"""File: what the gates need to know of somebody's file of bars, for which there is no run and no broker."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.finding import Finding
from trimtab.core.gates.exhibit import Exhibit
from trimtab.core.nyse import sessions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from trimtab.core.actions import Action
    from trimtab.core.bars import Bars
    from trimtab.core.gates.exhibit import Adjustment
    from trimtab.core.limits import Gates

__all__ = ["basis_of", "due_in", "exhibit_of", "lost_sessions", "stale_symbols"]

CALENDAR_FROM = date(1998, 1, 1)
"""The calendar of the exchange is told by rule from here on."""


def exhibit_of(bars: Bars, actions: Sequence[Action], limits: Gates) -> Exhibit:
    """Lay a file's bars out beside the exchange's sessions, on the basis that they are found to stand on."""
    adjustment, holds = basis_of(bars, actions)
    return Exhibit.of(bars, due_in(bars), limits, actions, adjustment=adjustment, raw_holds_splits=holds)


def due_in(bars: Bars) -> NDArray[np.datetime64]:
    """Give the sessions from the bars' first to their last; before 1998 those that they have."""
    if not len(bars.sessions):
        return bars.sessions
    start = np.datetime64(CALENDAR_FROM, "D")
    first, last = max(bars.sessions[0], start).item(), bars.sessions[-1].item()
    ruled = np.array(sessions(first, last), dtype="datetime64[D]")
    return np.concatenate([bars.sessions[bars.sessions < start], ruled])


def basis_of(bars: Bars, actions: Sequence[Action]) -> tuple[Adjustment | None, bool]:
    """Give what prices are adjusted for (None: nothing tells), and whether the raw ones jump at splits.

    Without actions nothing tells. Where adjusted and raw closes differ, the adjusted ones count as adjusted
    for all. The raw ones jump if at most of the announced splits they moved nearer to the split's ratio than
    to none.
    """
    if not actions:
        return None, True
    holds = _jump_at_splits(bars, actions)
    if not np.array_equal(bars.close, bars.raw_close, equal_nan=True):
        return "all", holds
    return ("raw" if holds else "split"), holds


def _jump_at_splits(bars: Bars, actions: Sequence[Action]) -> bool:
    column = {symbol: i for i, symbol in enumerate(bars.symbols)}
    votes = []
    for action in actions:
        if action.kind == "split" and action.symbol in column:
            row = int(np.searchsorted(bars.sessions, np.datetime64(action.session, "D")))
            known = bars.raw_close[:, column[action.symbol]]
            before, after = (part[np.isfinite(part) & (part > 0)] for part in (known[:row], known[row:]))
            if len(before) and len(after):
                moved = np.log(after[0] / before[-1])
                votes.append(bool(abs(moved + np.log(action.ratio)) < abs(moved)))
    return 2 * sum(votes) >= len(votes)


def lost_sessions(exhibit: Exhibit) -> list[Finding]:
    """Give the sessions of the exchange of which no symbol has a bar."""
    lost = np.setdiff1d(exhibit.expected, exhibit.bars.sessions).tolist()
    return [
        Finding("sessions", "", day, "no bar of any symbol", "the exchange's sessions", "lost", halts=True)
        for day in lost
    ]


def stale_symbols(exhibit: Exhibit) -> list[Finding]:
    """Give the symbols whose bars end before the file does: delisted, or no longer fetched."""
    bars = exhibit.bars
    found = []
    for column, symbol in enumerate(bars.symbols):
        rows = np.flatnonzero(exhibit.present[:, column])
        if len(rows) and rows[-1] < len(bars.sessions) - 1:
            last: date = bars.sessions[rows[-1]].item()
            detail = "delisted, or no longer fetched: a run on that day halts"
            found.append(
                Finding(
                    "stale",
                    symbol,
                    last,
                    "its last bar",
                    f"a bar of {bars.sessions[-1]}",
                    detail,
                    halts=False,
                )
            )
    return found
