"""Factors: whether adjusted and raw prices tell the same story as the announced corporate actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from trimtab.core.gates.moves import RATIOS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.core.finding import Finding
    from trimtab.core.gates.exhibit import Exhibit

__all__ = ["dividends_too_large", "dividends_unseen", "factors", "half_unit", "repeated_dividends"]

SLACK = 0.15
"""Vendors divide by the close before or after: a dividend's factor differs by that day's move."""

PRINTED = (2, 3, 4)
"""Decimals to which vendors round adjusted prices; others keep more than matter here."""

EXACT = 1e-9
"""Relative error of a decimal number held as float64, generously."""

ENOUGH_TO_TELL = 2_000
"""So many prices tell to how many decimals all of them are rounded."""

LARGE_DIVIDEND = 0.05
"""A dividend above this fraction of the price must be seen in it."""

HUGE_DIVIDEND = 0.20
"""No ordinary dividend is larger, fraction of the price; a spin-off's worth may be."""

UNUSUAL = 4.0
"""So many standard deviations of a symbol's daily moves are unusual."""

REPEAT_SESSIONS, ALIKE = 5, 0.25
"""Two dividends within so many sessions, their amounts within this fraction of each other, may be one."""


def factors(exhibit: Exhibit) -> list[Finding]:
    """Give the sessions where adjusted / raw close moves otherwise than the announced actions say.

    A split of R for 1 multiplies it by R, a dividend D after a close C by 1 / (1 - D / C), as CRSP and the
    vendors that follow it do. Not judged on the day of a spin-off or merger, whose worth is not announced,
    nor where nobody says what the prices are adjusted for.
    """
    if exhibit.adjustment in {None, "raw"}:
        return []
    close, raw, before = exhibit.bars.close, exhibit.bars.raw_close, exhibit.previous_raw
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = (close / raw) / (exhibit.previous / before)
        slack = half_unit(close) * (1 / close + 1 / exhibit.previous) + exhibit.limits.factor_tolerance
    due = (
        exhibit.split.copy()
        if exhibit.adjusted_for("split") and exhibit.raw_holds_splits
        else np.ones_like(raw)
    )
    if exhibit.adjusted_for("dividend"):
        paid = _Paid.of(exhibit)
        left = np.maximum(
            1 - paid.share, 0.0
        )  # nothing is left by a dividend above the price: no factor is due
        with np.errstate(divide="ignore"):
            due[paid.rows, paid.columns] /= left
            slack[paid.rows, paid.columns] += SLACK * np.abs(np.log(left))
    with np.errstate(invalid="ignore"):
        wrong = ~(np.abs(moved / due - 1) <= slack)
    judged = exhibit.present & np.isfinite(exhibit.previous) & np.isfinite(raw) & np.isfinite(before)
    return exhibit.findings(
        "factor",
        judged & (wrong | ~np.isfinite(due)) & ~exhibit.other,
        lambda row, column: f"moved by {moved[row, column]:.5g}, announced {due[row, column]:.5g}",
        f"the announced actions, within {exhibit.limits.factor_tolerance:g}",
        "adjusted and raw prices differ otherwise than splits and dividends say",
        halts=True,
    )


def dividends_unseen(exhibit: Exhibit) -> list[Finding]:
    """Give the large dividends that the traded price did not fall for: likely of another currency or unit.

    It counts as not fallen where less than half of the dividend is seen, and what is missing is more than
    four of the symbol's usual daily moves.
    """
    paid = _Paid.of(exhibit)
    unseen = (paid.share > LARGE_DIVIDEND) & (paid.fell < paid.share / 2)
    for place in np.flatnonzero(unseen):
        usual = _usual_move(exhibit, int(paid.columns[place]))
        unseen[place] = paid.share[place] - paid.fell[place] > UNUSUAL * usual
    return exhibit.findings(
        "dividend",
        paid.marked(exhibit, unseen),
        paid.worded,
        f"above {LARGE_DIVIDEND:.0%}, the price falls by half of it or more",
        "the price does not know of this dividend",
        halts=True,
    )


def dividends_too_large(exhibit: Exhibit) -> list[Finding]:
    """Give the dividends beyond a fifth of the price: spin-offs told as cash, or, where halved or so, splits.

    The adjusted price may be right, but the number of shares held is another after a split than after a
    dividend: what leaves the price at a usual split's ratio halts.
    """
    paid = _Paid.of(exhibit)
    huge, like_split = paid.share > HUGE_DIVIDEND, np.zeros(len(paid.share), dtype=np.bool_)
    for ratio in RATIOS:
        like_split |= np.abs((1 - paid.share) * ratio - 1) <= exhibit.limits.split_tolerance
    found = []
    for halts, chosen, detail in (
        (True, huge & like_split, "a split told as a dividend?"),
        (False, huge & ~like_split, "a spin-off told as a dividend?"),
    ):
        found += exhibit.findings(
            "huge_dividend",
            paid.marked(exhibit, chosen),
            paid.worded,
            f"up to {HUGE_DIVIDEND:.0%} of the price",
            detail,
            halts=halts,
        )
    return found


def repeated_dividends(exhibit: Exhibit) -> list[Finding]:
    """Give the dividends that stand within a few sessions after one of about the same amount."""
    paid = _Paid.of(exhibit)
    amount = exhibit.dividend[paid.rows, paid.columns]
    again = np.zeros(len(amount), dtype=np.bool_)
    by_symbol = np.lexsort((paid.rows, paid.columns))
    earlier, later = by_symbol[:-1], by_symbol[1:]
    near = (paid.columns[earlier] == paid.columns[later]) & (
        paid.rows[later] - paid.rows[earlier] <= REPEAT_SESSIONS
    )
    again[later] = near & (np.abs(amount[later] - amount[earlier]) <= ALIKE * amount[earlier])
    return exhibit.findings(
        "repeated_dividend",
        paid.marked(exhibit, again),
        lambda row, column: f"{exhibit.dividend[row, column]:g} USD a share",
        f"none of about the same amount within {REPEAT_SESSIONS} sessions",
        "may be one dividend told twice",
        halts=False,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Paid:
    """The k dividends of bars that follow another: row, column, and two fractions of the raw close before.

    `share` is what was paid; `fell` is by how much the raw close fell, a split taken out.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    share: NDArray[np.float64]
    fell: NDArray[np.float64]

    @classmethod
    def of(cls, exhibit: Exhibit) -> Self:
        """Give the dividends of an exhibit, by session, then symbol."""
        known = exhibit.present & (exhibit.dividend > 0) & np.isfinite(exhibit.previous_raw)
        at = rows, columns = np.nonzero(known)
        held = exhibit.split[at] if exhibit.raw_holds_splits else 1.0
        before = exhibit.previous_raw[at]
        fell = 1.0 - exhibit.bars.raw_close[at] * held / before
        return cls(rows, columns, exhibit.dividend[at] / before, fell)

    def marked(self, exhibit: Exhibit, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Give the chosen ones as marks on the grid, (n, m)."""
        grid = np.zeros_like(exhibit.present)
        grid[self.rows[chosen], self.columns[chosen]] = True
        return grid

    def worded(self, row: int, column: int) -> str:
        """Word what was paid and what was seen of it."""
        place = int(np.flatnonzero((self.rows == row) & (self.columns == column))[0])
        return f"{self.share[place]:.1%} of the price paid, which fell by {self.fell[place]:.1%}"


def _usual_move(exhibit: Exhibit, column: int) -> float:
    """Give the standard deviation of a symbol's daily moves, told from their median size (1.4826 MAD)."""
    steps = exhibit.step[:, column]
    return 1.4826 * float(np.median(np.abs(steps[np.isfinite(steps)])))


def half_unit(prices: NDArray[np.float64]) -> float:
    """Give what rounding takes from these prices at most, USD: half of their last decimal, 0 beyond four.

    Told from some thousand of the prices. Traded prices are not rounded; adjusted ones may be.
    """
    known = prices.reshape(-1)[:: max(1, prices.size // ENOUGH_TO_TELL)]
    known = known[np.isfinite(known)]
    for decimals in PRINTED:
        if (np.abs(known - np.round(known, decimals)) <= EXACT * np.abs(known)).all():
            return float(0.5 * 10.0**-decimals)
    return 0.0
