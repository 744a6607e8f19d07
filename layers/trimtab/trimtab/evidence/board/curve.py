"""Curve: what the account made of its money, beside a benchmark and the backtest of the same closes.

A run reads the account before it trades and values it at the closes of the session before; so a point stands
at that session, where a benchmark and a backtest have their closes, too. Holdings outside the universe are in
it; deposits and withdrawals are taken out.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from trimtab.backtesting.stats import of_track
from trimtab.backtesting.terms import decisions, span
from trimtab.backtesting.track import Track
from trimtab.core.flows import Point, index
from trimtab.core.nyse import sessions
from trimtab.evidence.board.pace import points_a_year
from trimtab.evidence.witness import Day, chained

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from trimtab.backtesting.track import Stat
    from trimtab.core.bars import Bars

    Numbers = NDArray[np.float64]
    Days = NDArray[np.datetime64]

__all__ = ["Curve", "beside", "curve", "deciding", "history", "months", "statistics", "thinned", "within"]

LONGEST_BREAK = timedelta(days=12)
"""The exchange never stays closed for longer by rule."""
MOST_FILES = 80
"""Runs whose bars are put together, at most: a strategy may look back a few sessions only."""
MOST_TRIES = 30
"""Runs in a row that may have seen no prices."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """n closes: `sessions` (n,), `equity` (n,) USD, `index` (n,) of 1 USD at the first, flows taken out.

    `flows` are those in between: the close by which they were there, USD, and what kind.
    """

    sessions: Days
    equity: Numbers
    index: Numbers
    flows: tuple[tuple[np.datetime64, float, str], ...]

    @property
    def track(self) -> Track:
        """The curve as statistics take it."""
        steps = np.concatenate([[0.0], self.index[1:] / self.index[:-1] - 1])
        return Track(self.sessions, steps, self.index)


def curve(worth: pl.DataFrame, flows: pl.DataFrame) -> Curve | None:
    """Make the curve of what the runs read (session, at, run_id, worth); None below two sessions."""
    rows = worth.filter(pl.col("worth") > 0, pl.col("session").is_not_null())
    rows = rows.unique("session", keep="first", maintain_order=True).sort("session")
    if len(rows) < 2:  # noqa: PLR2004 - a curve has two ends
        return None
    days = [date.fromisoformat(day) for day in rows["session"]]
    seen = _seen(flows, worth, rows["at"].to_list())
    points = [
        Point(day, equity, tuple((on, usd) for on, usd, _ in seen.get(i, ())))
        for i, (day, equity) in enumerate(zip(days, rows["worth"], strict=True))
    ]
    at = np.array(_closes_before(days), dtype="datetime64[D]")
    marks = tuple((at[i], usd, kind) for i, some in sorted(seen.items()) if i for _, usd, kind in some)
    return Curve(at, rows["worth"].to_numpy(), np.array(index(points)), marks)


def _seen(
    flows: pl.DataFrame, worth: pl.DataFrame, at: Sequence[str]
) -> dict[int, list[tuple[date, float, str]]]:
    """Give the flows by the first point that may hold them: that of the run that saw them, or the next."""
    read = dict(worth.select("run_id", "at").iter_rows())
    found: dict[int, list[tuple[date, float, str]]] = {}
    for run_id, day, kind, symbol, amount in flows.select(
        "run_id", "date", "kind", "symbol", "amount"
    ).iter_rows():
        when = read.get(run_id)
        place = bisect_left(at, when if when is not None else f"{day}T99")
        if place < len(at) and amount:
            named = f"{kind} of {symbol}" if symbol else str(kind)
            found.setdefault(place, []).append((date.fromisoformat(day), amount, named))
    return found


def _closes_before(days: Sequence[date]) -> list[date]:
    """Give the session before each of these."""
    known = sessions(days[0] - LONGEST_BREAK, days[-1])
    return [known[max(bisect_left(known, day) - 1, 0)] for day in days]


def within(whole: Curve, first: date) -> Curve | None:
    """Give the part of a curve from a date on, beginning at 1 again; None below two sessions."""
    rows = whole.sessions >= np.datetime64(first, "D")
    if np.count_nonzero(rows) < 2:  # noqa: PLR2004 - a curve has two ends
        return None
    begin = int(np.argmax(rows))
    marks = tuple(mark for mark in whole.flows if mark[0] > whole.sessions[begin])
    part = whole.index[rows]
    return Curve(whole.sessions[rows], whole.equity[rows], part / part[0], marks)


def history(names: Sequence[tuple[str, str]], bars_of: Callable[[str, str], Bars | None]) -> Bars | None:
    """Give the bars that runs saw as one table, back from the newest as far as they overlap; None: no bars.

    `names` are the runs, oldest first, by session and id; few of them are asked for, at most `MOST_FILES`.
    Prices are chained: only their ratios mean something.
    """
    found: list[Bars] = []
    at = len(names)
    while len(found) < MOST_FILES:
        reached = _overlapping(names, bars_of, at, found)
        if reached is None:
            break
        at, bars = reached
        found.insert(0, bars)
    if not found:
        return None
    symbols = tuple(sorted({symbol for bars in found for symbol in bars.symbols}))
    return chained([Day(bars.sessions[-1], bars=bars) for bars in found], symbols)


def _overlapping(
    names: Sequence[tuple[str, str]],
    bars_of: Callable[[str, str], Bars | None],
    at: int,
    found: Sequence[Bars],
) -> tuple[int, Bars] | None:
    """Give the earliest run before the `at`-th whose bars meet those found, and its bars."""
    if not found:
        tries = range(at - 1, max(at - 1 - MOST_TRIES, -1), -1)
    else:
        first = str(found[0].sessions[0])
        begin = bisect_right(names, (first, "~")) + 1
        tries = range(begin, min(begin + MOST_TRIES, at))
    for i in tries:
        bars = bars_of(*names[i])
        if bars is None or not len(bars.sessions):
            continue
        if not found or bars.sessions[0] < found[0].sessions[0] <= bars.sessions[-1]:
            return i, bars
    return None


def beside(own: Curve, days: Days, values: Numbers) -> Numbers | None:
    """Give another curve's level (n,) at one's own closes, 1 at the first that both have; NaN before.

    None where they share fewer than two. A close that it lacks has the level of the one before.
    """
    place = np.searchsorted(days, own.sessions, side="right") - 1
    level = np.where(place >= 0, values[np.maximum(place, 0)], np.nan)
    known = np.isfinite(level) & (level > 0)
    if np.count_nonzero(known) < 2 or own.sessions[-1] > days[-1] + np.timedelta64(7, "D"):  # noqa: PLR2004 - as above
        return None
    first = int(np.argmax(known))
    beside_it: Numbers = level / level[first] * own.index[first]
    return beside_it


def deciding(bars: Bars, start: date, interval: str) -> list[date]:
    """Give the closes at which a backtest beside the account decides, from a date on.

    The first, for the bot decides at its first run, whatever the day; then each period's last.

    Raises:
        Misconfigured: fewer than two sessions are left.
    """
    first, last = span(bars, start, None)
    rows = np.union1d([first], decisions(bars.sessions, interval, first, last))
    found: list[date] = bars.sessions[rows].tolist()
    return found


def thinned(count: int, most: int) -> NDArray[np.int64]:
    """Give the rows of `count` to draw, at most `most` and one: evenly apart, both ends among them."""
    step = max(-(-count // most), 1)
    rows = np.arange(count - 1, -1, -step)[::-1]
    return rows if rows[0] == 0 else np.concatenate([[0], rows])


def statistics(own: Curve, other: Numbers | None) -> dict[str, Stat]:
    """Give the figures of a curve, and those against another one where that covers it.

    They are annualised by 252 where its points are daily, else by as many as there were a year.
    """
    against = None
    if other is not None and np.isfinite(other).all():
        steps = np.concatenate([[0.0], other[1:] / other[:-1] - 1])
        against = Track(own.sessions, steps, other)
    return of_track(own.track, against, a_year=points_a_year(own.sessions))


def months(own: Curve) -> pl.DataFrame:
    """Give each calendar month's return: year, month, return_pct."""
    rows = [(int(name[:4]), int(name[5:]), move) for name, move in own.track.periods("M")]
    return pl.DataFrame(
        rows, schema={"year": pl.Int32, "month": pl.Int32, "return_pct": pl.Float64}, orient="row"
    )
