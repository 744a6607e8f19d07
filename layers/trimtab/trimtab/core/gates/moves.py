"""Moves: whether the way from one close to the next can be believed.

Prices may jump for a reason that adjusting took out (a split), for one that is announced (a spin-off), or
because the market moved. What is left is a vendor's mistake, or looks like one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from trimtab.core.finding import Finding
    from trimtab.core.gates.exhibit import Exhibit
    from trimtab.core.portfolio import Quote

__all__ = ["jumps", "splits", "trades_apart", "unexplained"]

RATIOS = (2.0, 3.0, 4.0, 5.0, 7.0, 8.0, 10.0, 20.0)
"""The usual splits: so many new shares for one old, or the inverse."""

USUAL_SESSIONS = 20
"""Sessions whose median volume, or turnover, counts as usual."""

CONFIRMING_TURNOVER = 2.0
"""A jump is believed only if so many times the usual USD changed hands."""

ENOUGH_FOR_MEDIAN = 5
"""Fewer symbols than this have no median that speaks for the market."""


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """The bars whose close moved too far, by row and column, and what speaks for them.

    `step` is the move that no action explains, a fraction of the close before; `volume` and `turnover` are
    that day's as multiples of the usual, and `recent` is the move as a multiple of those before it, NaN where
    nothing is usual yet.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    step: NDArray[np.float64]
    volume: NDArray[np.float64]
    turnover: NDArray[np.float64]
    recent: NDArray[np.float64]


def unexplained(exhibit: Exhibit) -> NDArray[np.float64]:
    """Give each bar's move since the one before that its corporate actions leave unexplained; (n, m).

    A split explains a move only in prices that are not adjusted for it. A spin-off or a merger explains any:
    its move is 0.
    """
    explained = np.ones_like(exhibit.step)
    if exhibit.adjustment is not None and not exhibit.adjusted_for("split"):
        explained /= exhibit.split
    if exhibit.adjustment is not None and not exhibit.adjusted_for("dividend"):
        with np.errstate(divide="ignore", invalid="ignore"):
            paid = np.where(exhibit.dividend > 0, exhibit.dividend / exhibit.previous, 0.0)
        explained *= np.where(paid < 1, 1.0 - paid, 1.0)
    return np.where(exhibit.other, 0.0, (1.0 + exhibit.step) / explained - 1.0)


def jumps(exhibit: Exhibit) -> list[Finding]:
    """Give the moves beyond `max_jump` and away from the market's; those on heavy trading only warn.

    The market's move is the median of the symbols', 0 where there are fewer than five. Heavy is a volume of
    `confirming_volume` times the median of the 20 bars before, and a turnover of twice its median: a wrong
    split factor makes more shares, but not more USD. (That gap and range cover the move follows from a close
    between low and high, which another gate judges.) In a storm volume has been heavy for days: a move of up
    to `stormy` times the root mean square of the 20 before it only warns, too.
    """
    limits = exhibit.limits
    moves = _moves(exhibit)
    heavy = (moves.volume >= limits.confirming_volume) & (moves.turnover >= CONFIRMING_TURNOVER)
    heavy |= moves.recent <= limits.stormy
    found = []
    for halts, chosen in ((True, ~heavy), (False, heavy)):
        where = np.zeros_like(exhibit.present)
        where[moves.rows[chosen], moves.columns[chosen]] = True
        allowed = f"{limits.max_jump:.0%}, unless on {limits.confirming_volume:g} times the usual volume"
        found += exhibit.findings(
            "jump",
            where,
            lambda row, column: _worded(moves, row, column),
            allowed,
            "moved further than the market, and no corporate action explains it",
            halts=halts,
        )
    return found


def splits(exhibit: Exhibit) -> list[Finding]:
    """Give the moves that look like a split which was not applied, or applied twice.

    Close to close within `split_tolerance` of a usual ratio; or the day's range covers such a ratio while the
    turnover in USD is not `confirming_volume` times the usual: a split changes the number of shares traded,
    but not their worth, so that a real crash shows in turnover.
    """
    limits, bars = exhibit.limits, exhibit.bars
    moves = _moves(exhibit)
    at = (moves.rows, moves.columns)
    ratio = 1.0 + moves.step
    with np.errstate(divide="ignore", invalid="ignore"):
        base = bars.close[at] / ratio  # the close before, as actions leave it
        low, high = bars.low[at] / base, bars.high[at] / base
    suspect = np.zeros(len(moves.rows), dtype=np.bool_)
    for usual in (*RATIOS, *(1 / ratio for ratio in RATIOS)):
        near, far = usual * (1 - limits.split_tolerance), usual * (1 + limits.split_tolerance)
        suspect |= (ratio >= near) & (ratio <= far)
        covered = (low <= far) & (high >= near)
        suspect |= covered & ~(moves.turnover >= limits.confirming_volume)
    where = np.zeros_like(exhibit.present)
    where[moves.rows[suspect], moves.columns[suspect]] = True
    return exhibit.findings(
        "split",
        where,
        lambda row, column: f"{1 + moves.step[_place(moves, row, column)]:.4g} times the close before",
        "no move like a split of 2, 3, 4, 5, 7, 8, 10 or 20 for 1",
        "looks like a split that was not applied, or was applied twice",
        halts=True,
    )


def trades_apart(exhibit: Exhibit, moved: Sequence[Finding], quotes: Mapping[str, Quote]) -> list[Finding]:
    """Give the symbols that jumped, and whose last trade is not within `max_trade_gap` of their last close.

    `moved` are the jumps that volume speaks for. Without a trade nothing speaks for the close.
    """
    most = exhibit.limits.max_trade_gap
    symbols = {finding.symbol for finding in moved}
    close = dict(zip(exhibit.bars.symbols, exhibit.bars.close[-1].tolist(), strict=True))
    far = np.zeros_like(exhibit.present)
    seen: dict[int, str] = {}
    for column, symbol in enumerate(exhibit.bars.symbols):
        quote = quotes.get(symbol)
        last = None if quote is None or quote.last is None else float(quote.last)
        if symbol in symbols and (last is None or abs(last / close[symbol] - 1) > most):
            far[-1, column] = True
            seen[column] = "no trade" if last is None else f"last trade {last:g}, close {close[symbol]:g}"
    return exhibit.findings(
        "trade_apart",
        far,
        lambda _row, column: seen[column],
        f"a last trade within {most:.0%} of the last close",
        "it jumped, and the market is not where the bars say",
        halts=True,
    )


def _moves(exhibit: Exhibit) -> Moves:
    """Give the moves that are too far, and away from the market's."""
    step = unexplained(exhibit)
    with np.errstate(invalid="ignore"):
        rows, columns = np.nonzero(np.abs(step) > exhibit.limits.max_jump)
    market = {row: _market(step[row]) for row in set(rows.tolist())}
    chosen = [
        place
        for place, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True))
        if not abs(step[row, column] - market[row]) <= exhibit.limits.max_jump_from_median
    ]
    rows, columns = rows[chosen], columns[chosen]
    places = list(zip(rows.tolist(), columns.tolist(), strict=True))
    volume = [_of_usual(exhibit, row, column, worth=False) for row, column in places]
    turnover = [_of_usual(exhibit, row, column, worth=True) for row, column in places]
    recent = [_of_recent(step[: row + 1, column]) for row, column in places]
    return Moves(rows, columns, step[rows, columns], np.array(volume), np.array(turnover), np.array(recent))


def _market(steps: NDArray[np.float64]) -> float:
    """Give the market's move in one session: the median of five or more symbols, else 0."""
    known = steps[np.isfinite(steps)]
    return float(np.median(known)) if len(known) >= ENOUGH_FOR_MEDIAN else 0.0


def _of_usual(exhibit: Exhibit, row: int, column: int, *, worth: bool) -> float:
    """Give a day's volume, or its worth in USD, as a multiple of the median of the 20 bars before.

    Where the prices are not adjusted for splits, neither is the volume, and a split's day is measured in the
    shares of the days before it.
    """
    bars = exhibit.bars
    rows = [*np.flatnonzero(exhibit.present[:row, column])[-USUAL_SESSIONS:].tolist(), row]
    traded = bars.volume[rows, column]
    if worth:
        with np.errstate(invalid="ignore"):  # a price that is none is another gate's
            traded = traded * bars.close[rows, column]
    usual = float(np.median(traded[:-1])) if len(rows) > 1 else 0.0
    scale = 1.0 if worth or exhibit.adjusted_for("split") else float(exhibit.split[row, column])
    return float(traded[-1]) / scale / usual if usual > 0 else np.nan


def _of_recent(steps: NDArray[np.float64]) -> float:
    """Give the size of the last move as a multiple of the root mean square of the 20 before it."""
    earlier = steps[:-1][np.isfinite(steps[:-1])][-USUAL_SESSIONS:]
    if len(earlier) < USUAL_SESSIONS:
        return np.nan
    usual = float(np.sqrt(np.mean(earlier**2)))
    return abs(float(steps[-1])) / usual if usual > 0 else np.nan


def _place(moves: Moves, row: int, column: int) -> int:
    return int(np.flatnonzero((moves.rows == row) & (moves.columns == column))[0])


def _worded(moves: Moves, row: int, column: int) -> str:
    place = _place(moves, row, column)
    volume = moves.volume[place]
    usual = "no usual volume to compare" if np.isnan(volume) else f"volume {volume:.1f} times the usual"
    return f"{moves.step[place]:+.1%}, {usual}"
