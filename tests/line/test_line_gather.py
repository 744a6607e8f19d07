"""Gather: a file that grew is the file that one fetch would have made, whatever was adjusted in between."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.adapters.cache import cache_file
from trimtab.adapters.exchange.tape import Tape
from trimtab.core.nyse import sessions
from trimtab.errors import Halted
from trimtab.stations.gather import OVERLAP, Wanted, gather

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from trimtab.core.append import Archive
    from trimtab.core.bars import Bars

DAYS = sessions(date(2020, 1, 2), date(2020, 4, 30))
NAMES = ("AAA", "BBB", "CCC")


@dataclass
class TapeMarket:
    """A market that knows a tape up to the session `now`, and adjusts everything as of then."""

    tape: Tape
    now: int
    adjustment: str = "all"
    asked: list[tuple[tuple[str, ...], date]] = field(default_factory=list)

    def bars(self, symbols: Sequence[str], start: date, end: datetime) -> Bars:
        """Give what is known."""
        self.asked.append((tuple(symbols), start))
        known = self.tape.bars(symbols, start, DAYS[self.now], self.adjustment)
        return known.up_to(end.date() - timedelta(days=1))

    def actions(self, symbols: Sequence[str], start: date, end: date) -> NoReturn:
        """Refuse: no fetch asks for them."""
        raise NotImplementedError

    quotes = actions


@st.composite
def tapes(draw: st.DrawFn) -> Tape:
    """Draw prices of three symbols that begin, stop, pause, split and pay when they like."""
    shape = (len(DAYS), len(NAMES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    close = np.round(100 * np.exp(rng.normal(0, 0.02, shape).cumsum(axis=0)), 2)
    split, dividend = np.ones(shape), np.zeros(shape)
    rows, columns = st.integers(1, len(DAYS) - 1), st.integers(0, len(NAMES) - 1)
    for row, column in draw(st.lists(st.tuples(rows, columns), max_size=4)):
        split[row, column] = draw(st.sampled_from([2.0, 0.5, 3.0]))
    for row, column in draw(st.lists(st.tuples(rows, columns), max_size=6)):
        dividend[row, column] = draw(st.sampled_from([0.01, 0.5, 2.0]))
    for row, column, stop in draw(st.lists(st.tuples(rows, columns, rows), max_size=4)):
        close[min(row, stop) : max(row, stop), column] = np.nan
    volume = np.where(np.isnan(close), np.nan, 1e6)
    return Tape(
        "drawn", np.array(DAYS, "datetime64[D]"), NAMES, close, close, close, close, volume, split, dividend
    )


def wanted(row: int, symbols: tuple[str, ...] = NAMES, first: int = 0) -> Wanted:
    """Ask for symbols from one session to the one before another."""
    return Wanted("sip", "all", symbols, DAYS[first], DAYS[row - 1])


def fetched(
    tape: Tape, kept: Archive | None, row: int, *, symbols: tuple[str, ...] = NAMES, first: int = 0
) -> Archive:
    """Fetch on the morning of a session."""
    return gather(TapeMarket(tape, row), kept, wanted(row, symbols, first)).archive


@settings(max_examples=25, deadline=None)
@given(tapes(), st.lists(st.integers(1, len(DAYS) - 1), min_size=2, max_size=4), st.integers(0, 20))
def test_a_file_that_grew_is_as_if_fetched_at_once(tape: Tape, mornings: list[int], first: int) -> None:
    """Byte for byte, over any mornings, however the first fetch began and whoever it named."""
    rows = sorted(mornings)
    begin = min(first, rows[0] - 1)
    kept = fetched(tape, None, rows[0], symbols=NAMES[:2], first=begin)
    for row in rows[1:]:
        kept = fetched(tape, kept, row, first=begin)
    assert cache_file(kept) == cache_file(fetched(tape, None, rows[-1], first=begin))
    again = gather(TapeMarket(tape, rows[-1]), kept, wanted(rows[-1], first=begin))
    assert (dict(again.whole), cache_file(again.archive)) == ({}, cache_file(kept))


def steady(**cells: tuple[int, int, float]) -> Tape:
    """Give three symbols at 100 USD; `cells` sets a cell of a column of the tape: row, symbol, value."""
    shape = (len(DAYS), len(NAMES))
    grids = {name: np.full(shape, 100.0) for name in ("open", "high", "low", "close", "volume")}
    grids |= {"split": np.ones(shape), "dividend": np.zeros(shape)}
    for name, (row, column, value) in cells.items():
        grids[name][row, column] = value
    return Tape("steady", np.array(DAYS, "datetime64[D]"), NAMES, **grids)


def test_a_late_correction_far_back_is_noticed() -> None:
    """A dividend that the vendor adds long after, before all the sessions that are read again."""
    kept = fetched(steady(), None, 60)
    corrected = steady(dividend=(20, 1, 0.5))
    assert OVERLAP < 60 - 20
    found = gather(TapeMarket(corrected, 61), kept, wanted(61))
    assert found.whole == {"BBB": f"adjusted close of {DAYS[0]} was 100, is 99.5"}
    assert cache_file(found.archive) == cache_file(fetched(corrected, None, 61))


def test_an_append_asks_for_the_last_sessions_and_the_first_alone() -> None:
    """A history that stands is not read again."""
    kept = fetched(steady(), None, 60)
    market = TapeMarket(steady(), 62)
    gather(market, kept, wanted(62))
    assert market.asked == [(NAMES, DAYS[60 - OVERLAP]), (NAMES, DAYS[0])]


def test_a_raw_price_that_was_mended_is_noticed() -> None:
    """Also where no adjustment would show it."""
    kept = fetched(steady(), None, 60)
    mended = steady(close=(58, 2, 101.0))
    assert dict(gather(TapeMarket(mended, 61), kept, wanted(61)).whole) == {
        "CCC": f"adjusted close of {DAYS[58]} was 100, is 101"
    }


class Moving(TapeMarket):
    """A market whose vendor adjusts between two calls: each call knows a session more."""

    def bars(self, symbols: Sequence[str], start: date, end: datetime) -> Bars:
        """Give what is known, and learn."""
        found = super().bars(symbols, start, end)
        self.now = min(self.now + 1, len(DAYS) - 1)
        return found


def test_a_history_that_moves_while_it_is_read_is_read_again() -> None:
    """The file stands on one basis, the later one."""
    tape = steady(split=(31, 0, 2.0), dividend=(32, 1, 5.0))
    market = Moving(tape, 30)
    found = gather(market, None, wanted(30))
    assert cache_file(found.archive) == cache_file(gather(TapeMarket(tape, 40), None, wanted(30)).archive)


def test_a_history_that_never_rests_halts() -> None:
    """Nothing is believed that was not read the same twice."""
    paying = steady()
    with pytest.raises(Halted, match="history_moves"):
        gather(Moving(replace(paying, dividend=np.full_like(paying.close, 0.1)), 30), None, wanted(30))
