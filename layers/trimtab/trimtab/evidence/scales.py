"""Scales: where a value or a day stands in a chart, which marks are labelled, which points are drawn.

Places are fractions: 0 is left or bottom, 1 right or top.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trimtab.evidence.words import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Days = NDArray[np.datetime64]

__all__ = [
    "Scale",
    "Tick",
    "compact",
    "linear",
    "logarithmic",
    "numbered",
    "spread",
    "telling_rows",
    "time_ticks",
]

POINTS = 1_200
"""About so many points a curve: more than a screen has columns for."""
MARKS = 12
"""At most so many labels along the time axis of a wide chart; a phone shows every other one."""
NARROW = 6
"""At most so many of them on a phone."""
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
CALENDAR = (
    ("D", 1),
    ("D", 7),
    ("M", 1),
    ("M", 3),
    ("M", 6),
    ("Y", 1),
    ("Y", 2),
    ("Y", 5),
    ("Y", 10),
    ("Y", 25),
)
EPOCH_YEAR = 1970
_LABEL = {"D": 10, "M": 7, "Y": 4}


class Tick(NamedTuple):
    """A mark of an axis: its place, its label, and whether a phone leaves the label out."""

    at: float
    label: str
    minor: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """A vertical scale from `low` to `high`, with the values that are labelled."""

    low: float
    high: float
    marks: tuple[float, ...]
    log: bool = False

    def at(self, values: Numbers) -> Numbers:
        """Give the places of values."""
        if self.log:
            return (np.log(values) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (values - self.low) / (self.high - self.low)

    def ticks(self, suffix: str = "") -> list[Tick]:
        """Give the labelled marks."""
        places = self.at(np.array(self.marks)).tolist()
        return [Tick(at, compact(mark) + suffix) for at, mark in zip(places, self.marks, strict=True)]


def linear(*values: Numbers, zero: bool = False, count: int = 5) -> Scale:
    """Give a scale over all values whose ends are round; `zero` keeps 0 in it."""
    low, high = _range(values)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # a flat curve stands in the middle
        low, high = low - (abs(low) * 0.05 or 1.0), high + (abs(high) * 0.05 or 1.0)
    step = _step((high - low) / count)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    marks = tuple(round(i * step, 10) for i in range(first, last + 1))
    return Scale(marks[0], marks[-1], marks)


def logarithmic(*values: Numbers) -> Scale | None:
    """Give a logarithmic scale with marks at 1, 2 and 5 times powers of ten.

    None where a value is not above zero, or the range too small for it to differ from a linear one.
    """
    low, high = _range(values)
    if low <= 0 or high < 2 * low:
        return None
    low, high = low / 1.05, high * 1.05
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    wide = high / low > 10**4
    marks = [step * 10.0**power for power in powers for step in ((1,) if wide else (1, 2, 5))]
    return Scale(low, high, tuple(mark for mark in marks if low <= mark <= high), log=True)


def compact(value: float) -> str:
    """Write a mark's value shortly: 2M, 500k, 1,000, 0.25."""
    for scale, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= scale and (abs(value) >= 1e4 or letter != "k"):  # noqa: PLR2004 - 1,000 to 9,999 stay
            return _short(value / scale) + letter
    return _short(value)


def spread(days: Days) -> Numbers:
    """Give the place of each day between the first and the last."""
    since: Numbers = (days - days[0]).astype(np.float64)
    return np.divide(since, since[-1] or 1.0)


def time_ticks(days: Days) -> list[Tick]:
    """Give the marks of a time axis: days, months or years, as many as fit."""
    first, last = days[0].astype("datetime64[D]"), days[-1].astype("datetime64[D]")
    length = float((last - first).astype(int)) or 1.0
    for unit, step in CALENDAR:
        dates = _calendar(first, last, unit, step)
        if len(dates) <= MARKS:
            break
    places = ((dates - first).astype(np.float64) / length).tolist()
    labels = [str(date)[: _LABEL[unit]] for date in dates]
    return _thinned(places, labels)


def numbered(names: Sequence[str]) -> list[Tick]:
    """Give the marks of equal slots, one a name, in the middle of each."""
    return _thinned([(i + 0.5) / len(names) for i in range(len(names))], list(names))


def telling_rows(curves: Sequence[Numbers], points: int = POINTS) -> NDArray[np.int64]:
    """Give rows that draw the curves as all would: each stretch's lowest and highest, the first, the last."""
    n = len(curves[0])
    stretch = math.ceil(n * 2 * len(curves) / points)
    if stretch <= 1 or n <= points:
        return np.arange(n)
    begin = np.arange(0, n, stretch)
    rows = [np.array([0, n - 1])]
    for curve in curves:
        padded = np.concatenate([curve, np.full(len(begin) * stretch - n, curve[-1])]).reshape(-1, stretch)
        rows += [begin + padded.argmin(axis=1), begin + padded.argmax(axis=1)]
    return np.unique(np.minimum(np.concatenate(rows), n - 1))


def _range(values: Sequence[Numbers]) -> tuple[float, float]:
    known = np.concatenate([part[np.isfinite(part)] for part in values])
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step for step in STEPS if step * power >= rough * (1 - 1e-9)) * power


def _short(value: float) -> str:
    places = 0 if abs(value) >= 1_000 else 2  # noqa: PLR2004 - four digits need no more
    text = number(value, places)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _calendar(first: np.datetime64, last: np.datetime64, unit: str, step: int) -> Days:
    """Give the first days of periods within a span, every `step`-th, counted from a round one."""
    begin, end = (int(day.astype(f"datetime64[{unit}]").astype(np.int64)) for day in (first, last))
    from_round = {"Y": EPOCH_YEAR, "M": 0, "D": -begin}[unit]
    numbers = np.arange(begin, end + 1)
    chosen = numbers[(numbers + from_round) % step == 0]
    dates: Days = chosen.astype(f"datetime64[{unit}]").astype("datetime64[D]")
    return dates.compress((dates >= first) & (dates <= last))


def _thinned(places: list[float], labels: list[str]) -> list[Tick]:
    every = math.ceil(len(places) / NARROW)
    return [
        Tick(at, label, minor=i % every != 0)
        for i, (at, label) in enumerate(zip(places, labels, strict=True))
    ]
