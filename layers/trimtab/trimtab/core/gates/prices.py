"""Prices: whether a bar could be one at all, taken by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.core.finding import Finding
    from trimtab.core.gates.exhibit import Exhibit

__all__ = ["bad_prices", "impossible_bars", "opens_outside", "quiet", "wild_ranges"]


def bad_prices(exhibit: Exhibit) -> list[Finding]:
    """Give the bars with a price that is no finite number above 0, or a volume that is none from 0 on."""
    bars = exhibit.bars
    priced = np.ones_like(exhibit.present)
    for prices in (bars.open, bars.high, bars.low, bars.close):
        priced &= np.isfinite(prices) & (prices > 0)
    counted = np.isfinite(bars.volume) & (bars.volume >= 0)
    return exhibit.findings(
        "bad_price",
        exhibit.present & ~(priced & counted),
        lambda row, column: _ohlc(exhibit, row, column),
        "finite prices above 0, volume from 0",
        "a price or volume that can't be one",
        halts=True,
    )


def impossible_bars(exhibit: Exhibit) -> list[Finding]:
    """Give the bars whose high is below the low, or whose close lies outside of both."""
    bars, slack = exhibit.bars, exhibit.limits.close_tolerance
    outside = (bars.close > bars.high * (1 + slack)) | (bars.close < bars.low * (1 - slack))
    return exhibit.findings(
        "impossible_bar",
        exhibit.present & ((bars.high < bars.low) | outside),
        lambda row, column: _ohlc(exhibit, row, column),
        f"low <= close <= high, within {slack:g}",
        "the bar contradicts itself",
        halts=True,
    )


def opens_outside(exhibit: Exhibit) -> list[Finding]:
    """Give the bars that open outside of their low and high: at Alpaca an open may be a late print."""
    bars, slack = exhibit.bars, exhibit.limits.close_tolerance
    outside = (bars.open > bars.high * (1 + slack)) | (bars.open < bars.low * (1 - slack))
    return exhibit.findings(
        "open_outside",
        exhibit.present & outside,
        lambda row, column: _ohlc(exhibit, row, column),
        "low <= open <= high",
        "opened outside of the day's range",
        halts=False,
    )


def wild_ranges(exhibit: Exhibit) -> list[Finding]:
    """Give the bars whose low or high is far from the close: often a bad print, sometimes a wild day."""
    bars, limits = exhibit.bars, exhibit.limits
    wild = (bars.low < limits.wild_low * bars.close) | (bars.high > limits.wild_high * bars.close)
    return exhibit.findings(
        "wild_range",
        exhibit.present & wild,
        lambda row, column: _ohlc(exhibit, row, column),
        f"low from {limits.wild_low:g}, high up to {limits.wild_high:g} of the close",
        "a low or high far from the close",
        halts=False,
    )


def quiet(exhibit: Exhibit) -> list[Finding]:
    """Give the bars without volume or movement; `quiet_sessions` in a row halt, fewer warn."""
    bars = exhibit.bars
    flat = (bars.open == bars.high) & (bars.high == bars.low) & (bars.low == bars.close)
    still = exhibit.present & ((bars.volume == 0) | flat)
    most = exhibit.limits.quiet_sessions
    last = _last_of_runs(still)
    length = _run_lengths(still)
    found = []
    for halts, where in ((True, last & (length >= most)), (False, last & (length < most))):
        found += exhibit.findings(
            "quiet",
            where,
            lambda row, column: f"{length[row, column]} in a row, up to this one",
            f"fewer than {most} in a row",
            "no volume, or one price all day",
            halts=halts,
        )
    return found


def _run_lengths(marks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Give how many marks in a row, down each column, end at each place; (n, m)."""
    rows = np.arange(1, len(marks) + 1)[:, None]
    broken = np.maximum.accumulate(np.where(marks, 0, rows), axis=0) if len(marks) else rows * marks
    return np.where(marks, rows - broken, 0)


def _last_of_runs(marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Give the last mark of each run of them, down each column; (n, m)."""
    following = np.zeros_like(marks)
    following[:-1] = marks[1:]
    return marks & ~following


def _ohlc(exhibit: Exhibit, row: int, column: int) -> str:
    bars = exhibit.bars
    cells = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    shown = [f"{name} {grid[row, column]:g}" for name, grid in zip("ohlcv", cells, strict=True)]
    return " ".join(shown)
