"""Exhibit: bars laid out for judgement, with what every gate needs of them worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from trimtab.core.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from numpy.typing import NDArray

    from trimtab.core.actions import Action
    from trimtab.core.bars import Bars
    from trimtab.core.limits import Gates

Adjustment = Literal["raw", "split", "dividend", "all"]
"""What the prices of bars are adjusted for."""


@dataclass(frozen=True, slots=True, eq=False)
class Exhibit:
    """Bars of n sessions x m symbols with what is known of them.

    `expected` are the sessions that should be there, (k,) datetime64[D], ascending. All grids are (n, m):
    `present` marks the bars; `previous` is the close of the bar before each (USD, NaN where there is none),
    `previous_raw` its raw close, and `step` close / previous - 1; `split` (new shares for one old),
    `dividend` (USD a share) and `other` lay the corporate actions out. `adjustment` is None where nobody says
    what the prices are adjusted for. `raw_holds_splits` says that `raw_close` jumps at a split, as traded
    prices do; some vendors' do not. Bars before row `first` are context, by which later ones are judged.
    """

    bars: Bars
    expected: NDArray[np.datetime64]
    limits: Gates
    feed: str
    adjustment: Adjustment | None
    raw_holds_splits: bool
    first: int
    present: NDArray[np.bool_]
    previous: NDArray[np.float64]
    previous_raw: NDArray[np.float64]
    step: NDArray[np.float64]
    split: NDArray[np.float64]
    dividend: NDArray[np.float64]
    other: NDArray[np.bool_]

    @classmethod
    def of(  # noqa: PLR0913 - each is a fact of its own about the bars
        cls,
        bars: Bars,
        expected: Sequence[date] | NDArray[np.datetime64],
        limits: Gates,
        actions: Sequence[Action] = (),
        *,
        feed: str = "sip",
        adjustment: Adjustment | None = "all",
        raw_holds_splits: bool = True,
        context: int = 0,
    ) -> Self:
        """Lay bars out beside the sessions expected of them (ascending) and their corporate actions.

        The first `context` of the expected sessions are not judged themselves.
        """
        due = np.asarray(expected, dtype="datetime64[D]")
        present = ~np.isnan(bars.close)
        rows = np.where(present, np.arange(len(bars.sessions))[:, None], -1)
        before = np.full_like(rows, -1)
        if len(rows):
            before[1:] = np.maximum.accumulate(rows, axis=0)[:-1]
        previous, previous_raw = (
            np.where(before >= 0, np.take_along_axis(prices, np.maximum(before, 0), 0), np.nan)
            for prices in (bars.close, bars.raw_close)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            step = bars.close / previous - 1.0
        return cls(
            bars,
            due,
            limits,
            feed,
            adjustment,
            raw_holds_splits,
            int(np.searchsorted(bars.sessions, due[context])) if context < len(due) else 0,
            present,
            previous,
            previous_raw,
            step,
            *_laid_out(bars, actions),
        )

    def adjusted_for(self, what: Literal["split", "dividend"]) -> bool:
        """Say whether the prices are known to be adjusted for splits or for dividends."""
        return self.adjustment in {what, "all"}

    def findings(
        self,
        rule: str,
        where: NDArray[np.bool_],
        seen: Callable[[int, int], str],
        allowed: str,
        detail: str,
        *,
        halts: bool,
    ) -> list[Finding]:
        """Give a finding for each marked bar that is judged and not accepted, by session, then symbol.

        `where` is (n, m); `seen` words what was seen at a row and a column.
        """
        found = []
        for row, column in zip(*(index.tolist() for index in np.nonzero(where)), strict=True):
            day: date = self.bars.sessions[row].item()
            finding = Finding(
                rule, self.bars.symbols[column], day, seen(row, column), allowed, detail, halts=halts
            )
            if row >= self.first and finding.name not in self.limits.accept:
                found.append(finding)
        return found


def _laid_out(
    bars: Bars, actions: Sequence[Action]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Give splits, dividends and other actions on the grid: at the first session from their ex-date on."""
    shape = bars.close.shape
    split, dividend, other = np.ones(shape), np.zeros(shape), np.zeros(shape, dtype=np.bool_)
    column = {symbol: i for i, symbol in enumerate(bars.symbols)}
    known = [action for action in actions if action.symbol in column and len(bars.sessions)]
    days = np.array([action.session for action in known], dtype="datetime64[D]")
    rows = np.searchsorted(bars.sessions, days)
    for action, row, begun in zip(known, rows.tolist(), (days >= bars.sessions[:1]).tolist(), strict=True):
        if begun and row < len(bars.sessions):
            cell = (row, column[action.symbol])
            split[cell] *= action.ratio
            dividend[cell] += action.amount
            other[cell] |= action.kind == "other"
    return split, dividend, other
