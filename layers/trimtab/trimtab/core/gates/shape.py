"""Shape: whether the bars are those of the universe and of the exchange's sessions, all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.finding import Finding
from trimtab.core.verdict import Verdict, named, subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from trimtab.core.bars import Bars
    from trimtab.core.gates.exhibit import Exhibit

__all__ = ["calendar", "complete", "fresh", "long_enough", "missing_sessions"]

THIN_FEED = "iex"
"""One exchange, about 2.5 % of the volume: a thin symbol has no trade there on some days."""


def complete(bars: Bars, universe: Sequence[str]) -> Verdict:
    """Judge that every symbol of the universe has bars, and no other: prices go to symbols by their place."""
    missing = sorted(set(universe) - set(bars.symbols))
    others = sorted(set(bars.symbols) - set(universe))
    seen = f"{len(universe) - len(missing)} of {len(universe)} symbols, {len(others)} others"
    detail = "no bars at all: is the symbol spelt as the broker does, and listed?"
    odd = missing or others
    return Verdict("missing_symbol", subject(odd), not odd, seen, "every symbol, no other", detail)


def calendar(bars: Bars, expected: NDArray[np.datetime64]) -> Verdict:
    """Judge that the bars' sessions are the calendar's, from the bars' first on to the last complete one."""
    due = expected[expected >= bars.sessions[0]] if len(bars.sessions) else expected
    odd, lost = np.setdiff1d(bars.sessions, expected), np.setdiff1d(due, bars.sessions)
    wrong = np.union1d(odd, lost)
    passed = len(due) > 0 and np.array_equal(bars.sessions, due)
    seen = f"{len(lost)} missing, {len(odd)} unexpected" + (f", first {wrong[0]}" if len(wrong) else "")
    detail = "against the calendar, ascending, each once"
    return Verdict("sessions", "portfolio", passed, seen, "the exchange's sessions", detail)


def long_enough(bars: Bars, least: int) -> Verdict:
    """Judge that there is the history without which a strategy would take every symbol for unfit."""
    seen, allowed = f"{len(bars.sessions)} sessions", f"at least {least}"
    detail = "the strategy needs more history than the feed gave"
    return Verdict("short_history", "portfolio", len(bars.sessions) >= least, seen, allowed, detail)


def fresh(bars: Bars) -> Verdict:
    """Judge that every symbol has a bar of the last complete session."""
    stale = np.flatnonzero(np.isnan(bars.close[-1]))
    names = [bars.symbols[i] for i in stale]
    seen = f"{len(bars.symbols) - len(names)} of {len(bars.symbols)} symbols"
    allowed = f"a bar of {bars.sessions[-1]}"
    return Verdict("stale", subject(names), not names, seen, allowed, "last session's bar is missing")


def missing_sessions(exhibit: Exhibit) -> list[Finding]:
    """Give the symbols that lack a session between two bars; on `iex` a single one only warns.

    After the last bar nothing is missing: the symbol is stale, or was delisted.
    """
    begun = np.maximum.accumulate(exhibit.present, axis=0)
    goes_on = np.maximum.accumulate(exhibit.present[::-1], axis=0)[::-1]
    holes = begun & goes_on & ~exhibit.present
    counts = holes.sum(axis=0)
    tolerated = 1 if exhibit.feed == THIN_FEED else 0
    found = []
    for column in np.flatnonzero(counts).tolist():
        days = [str(day) for day in exhibit.bars.sessions[holes[:, column]]]
        halts = len(days) > tolerated
        found.append(
            Finding(
                "missing_session",
                exhibit.bars.symbols[column],
                exhibit.bars.sessions[holes[:, column]][0].item(),
                f"{len(days)} missing: {named(days)}",
                str(tolerated),
                "sessions without a bar",
                halts=halts,
            )
        )
    return found
