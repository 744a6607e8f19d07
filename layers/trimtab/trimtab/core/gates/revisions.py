"""Revisions: whether the past is still what it was when it was last looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.finding import Finding
from trimtab.core.gates.factors import half_unit

if TYPE_CHECKING:
    from trimtab.core.bars import Bars
    from trimtab.core.gates.exhibit import Exhibit

__all__ = ["revised"]

DETAIL = "the history changed since the last run"


def revised(exhibit: Exhibit, earlier: Bars) -> list[Finding]:
    """Give the bars that changed since `earlier` was fetched, of the sessions and symbols in both.

    A new dividend or split moves all of an adjusted history by one factor, and raw prices not at all. What
    departs from its symbol's factor is a revision; so is a raw close that differs, and a factor without an
    action since.
    """
    bars, slack = exhibit.bars, exhibit.limits.revision_tolerance
    _, rows, old_rows = np.intersect1d(bars.sessions, earlier.sessions, return_indices=True)
    symbols, columns, old_columns = np.intersect1d(bars.symbols, earlier.symbols, return_indices=True)
    if not len(rows) or not len(symbols):
        return []
    new, old = np.ix_(rows, columns), np.ix_(old_rows, old_columns)
    close, was, raw, raw_was = (
        bars.close[new],
        earlier.close[old],
        bars.raw_close[new],
        earlier.raw_close[old],
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = close / was
        rounding = half_unit(close) / close + half_unit(was) / was
        usual = np.nanmedian(np.where((factor > 0) & np.isfinite(factor), factor, np.nan), axis=0)
        odd = (np.abs(factor / usual - 1) > slack + rounding) | (np.abs(raw / raw_was - 1) > slack)
    odd |= np.isnan(close) != np.isnan(was)
    where, before = np.zeros_like(exhibit.present), np.full(bars.close.shape, np.nan)
    where[new], before[new] = odd, was
    found = exhibit.findings(
        "revised",
        where,
        lambda row, column: f"close {bars.close[row, column]:g}, was {before[row, column]:g}",
        f"as at the last run, within {slack:g}, but for one factor a symbol",
        DETAIL,
        halts=False,
    )
    since = slice(int(np.searchsorted(bars.sessions, earlier.sessions[-1], side="right")), None)
    acted = (exhibit.split[since] != 1) | (exhibit.dividend[since] != 0) | exhibit.other[since]
    moved = (np.abs(usual - 1) > slack + np.nanmedian(rounding)) & ~acted.any(axis=0)[columns]
    return found + [
        Finding(
            "revised",
            str(symbols[place]),
            None,
            f"its whole history by {usual[place]:.6g}",
            "unchanged without a corporate action since",
            DETAIL,
            halts=False,
        )
        for place in np.flatnonzero(moved).tolist()
    ]
