"""Append: bars that grow by later sessions and never mix two adjustment bases.

At every split and dividend a vendor adjusts the whole history before it anew, so prices fetched before it
and prices fetched after it do not belong in one series. Whether the basis is still the same shows in two
places: in the last sessions that both have, and in a symbol's first bar, whose adjusted close is multiplied
by every factor of its history, however old the session is at which a late correction acts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.bars import FIELDS, Bars

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from numpy.typing import NDArray

__all__ = ["Archive", "Gathered", "Grown", "first_sessions", "grow", "join", "nothing", "without"]

SAME = 1e-9
"""Largest difference between two numbers that count as one, fraction of the older: the noise of float64."""

COLUMNS = (*FIELDS, "raw_close")
CLOSES = {"close": "adjusted close", "raw_close": "raw close"}


@dataclass(frozen=True, slots=True, eq=False)
class Archive:
    """Daily bars of one feed and one adjustment, kept to grow.

    They were asked for from session `start` to `through` (New York dates, inclusive) for every symbol.
    """

    feed: str
    adjustment: str
    start: date
    through: date
    bars: Bars


@dataclass(frozen=True, slots=True, eq=False)
class Grown:
    """Bars with their new sessions, and why the symbols that are not among them can't be appended to."""

    bars: Bars
    moved: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """What was gathered: the archive, and the symbols that came in another way than by appending.

    `whole` says why a symbol was fetched from its first session on. `gone` says the same of kept symbols of
    which the feed gives nothing any more: their bars stay as they were. `absent` have no bars at all.
    """

    archive: Archive
    whole: Mapping[str, str]
    gone: Mapping[str, str]
    absent: tuple[str, ...]


def nothing() -> Bars:
    """Give bars of no symbol and no session."""
    return Bars.from_columns([], [], {name: np.empty(0) for name in FIELDS})


def first_sessions(bars: Bars) -> dict[date, tuple[str, ...]]:
    """Give the symbols by the session of their first bar, oldest first."""
    rows = np.argmax(~np.isnan(bars.close), axis=0) if len(bars.sessions) else np.empty(0, np.int64)
    found: dict[date, list[str]] = {}
    for row, symbol in sorted(zip(rows.tolist(), bars.symbols, strict=True)):
        found.setdefault(bars.sessions[row].item(), []).append(symbol)
    return {session: tuple(symbols) for session, symbols in found.items()}


def grow(kept: Bars, head: Bars, tail: Bars, tail_from: date, through: date) -> Grown:
    """Append the sessions of `tail` after `through` to every symbol of `kept` whose history stands.

    `head` holds each symbol's first session as it is now, `tail` all sessions from `tail_from` on. In the
    sessions that both have, the bars of `tail` take the place of the kept ones.
    """
    moved = _moved_head(kept, head)
    moved |= _moved_tail(kept, tail, tail_from, through)
    return Grown(join(without(kept, moved), without(tail, moved)), moved)


def _moved_head(kept: Bars, head: Bars) -> dict[str, str]:
    """Give the symbols whose first bar is another now, and how."""
    moved: dict[str, str] = {}
    for session, symbols in first_sessions(kept).items():
        moved |= _moved(kept, head, np.asarray([session], dtype="datetime64[D]"), symbols)
    return moved


def _moved_tail(kept: Bars, tail: Bars, tail_from: date, through: date) -> dict[str, str]:
    """Give the symbols of whose last sessions one is another now, came or went, or that share none."""
    both = np.union1d(kept.sessions, tail.sessions)
    both = both[(both >= np.datetime64(tail_from, "D")) & (both <= np.datetime64(through, "D"))]
    moved = _moved(kept, tail, both, kept.symbols)
    overlap = ~np.isnan(_placed(kept, "close", both, kept.symbols)).all(axis=0)
    later = tail.sessions > np.datetime64(through, "D")
    new = ~np.isnan(_placed(tail, "close", tail.sessions[later], kept.symbols)).all(axis=0)
    for j in np.flatnonzero(new & ~overlap).tolist():
        moved[kept.symbols[j]] = f"it trades again after none of the sessions from {tail_from} to {through}"
    return moved


def _moved(kept: Bars, now: Bars, sessions: NDArray[np.datetime64], symbols: Sequence[str]) -> dict[str, str]:
    """Give the symbols whose closes of these sessions differ, and the first difference."""
    moved: dict[str, str] = {}
    for name, words in CLOSES.items():
        old, new = (_placed(bars, name, sessions, symbols) for bars in (kept, now))
        same = (np.abs(old - new) <= SAME * np.abs(old)) | (np.isnan(old) & np.isnan(new))
        for j in np.flatnonzero(~same.all(axis=0)).tolist():
            i = int(np.argmin(same[:, j]))
            was, now_is = (_shown(float(grid[i, j])) for grid in (old, new))
            moved.setdefault(symbols[j], f"{words} of {sessions[i]} was {was}, is {now_is}")
    return moved


def _shown(value: float) -> str:
    return "none" if np.isnan(value) else f"{value:.10g}"


def _placed(
    bars: Bars, name: str, sessions: NDArray[np.datetime64], symbols: Sequence[str]
) -> NDArray[np.float64]:
    """Give a column of bars on other axes, (sessions, symbols); NaN where they have none."""
    grid = np.full((len(sessions), len(symbols)), np.nan)
    column = {symbol: j for j, symbol in enumerate(bars.symbols)}
    here = np.array([j for j, symbol in enumerate(symbols) if symbol in column], dtype=np.int64)
    _, rows, own = np.intersect1d(sessions, bars.sessions, assume_unique=True, return_indices=True)
    if len(rows) and len(here):
        own_columns = np.array([column[symbols[j]] for j in here.tolist()], dtype=np.int64)
        grid[np.ix_(rows, here)] = getattr(bars, name)[np.ix_(own, own_columns)]
    return grid


def without(bars: Bars, symbols: Iterable[str]) -> Bars:
    """Give the bars of the symbols that are not among these."""
    gone = set(symbols)
    return bars.select([symbol for symbol in bars.symbols if symbol not in gone])


def join(older: Bars, newer: Bars) -> Bars:
    """Give the bars of both, the newer where both have one; sessions and symbols without any are left out."""
    sessions = np.union1d(older.sessions, newer.sessions)
    symbols = tuple(sorted({*older.symbols, *newer.symbols}))
    traded = ~np.isnan(_placed(newer, "close", sessions, symbols))
    grids = {
        name: np.where(
            traded, _placed(newer, name, sessions, symbols), _placed(older, name, sessions, symbols)
        )
        for name in COLUMNS
    }
    present = ~np.isnan(grids["close"])
    rows, columns = np.flatnonzero(present.any(axis=1)), np.flatnonzero(present.any(axis=0))
    names = tuple(symbols[j] for j in columns.tolist())
    return Bars(sessions[rows], names, **{name: grid[np.ix_(rows, columns)] for name, grid in grids.items()})
