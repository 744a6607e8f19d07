"""Gather: the steps that bring a history of daily bars up to its last complete session.

The bars of a symbol are appended to where its history still stands on the basis on which it was fetched, and
fetched whole where it does not. What was fetched whole is read again at both ends before it is believed: a
split may have been taken in between two of its pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from trimtab.core.append import Archive, Gathered, Grown, first_sessions, grow, join, nothing
from trimtab.core.schedule import complete_sessions, session_of
from trimtab.errors import Halted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trimtab.core.bars import Bars
    from trimtab.ports import Broker, Market

__all__ = ["Wanted", "gather", "last_complete"]

OVERLAP = 10
"""The last sessions that are fetched again, to be compared with those that are kept."""
AT_ONCE = 20
"""Symbols whose whole history one call asks for: 2,500 sessions of each are 5 pages."""
ROUNDS = 3
"""How often a history is fetched whole that moves while it is read."""
LONGEST_CLOSURE = timedelta(days=14)
"""Within so many days there was a session (the longest closure since 1933 was that of September 2001)."""

NEW, EARLIER = "new", "asked for from an earlier session"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: symbols of one feed and adjustment, from session `start` to `through`."""

    feed: str
    adjustment: str
    symbols: tuple[str, ...]
    start: date
    through: date


def last_complete(broker: Broker, end: date | None) -> date:
    """Give the last session, up to `end`, whose New York day is over: its bar and volume are whole.

    Raises:
        Unreachable, Unauthorized: the broker's clock or calendar can't be read.
        Halted: the calendar has no session there.
    """
    now = broker.now()
    after = session_of(now) if end is None else min(session_of(now), end + timedelta(days=1))
    complete = complete_sessions(broker.calendar(after - LONGEST_CLOSURE, after), after, now)
    if not complete:
        raise Halted(
            "no_calendar",
            "the broker's calendar has no complete session there",
            seen=f"none in the {LONGEST_CLOSURE.days} days before {after}",
            allowed="a session",
            hint="check --end, or try again later",
        )
    return complete[-1]


def gather(
    market: Market, kept: Archive | None, wanted: Wanted, tell: Callable[[float], None] = lambda _: None
) -> Gathered:
    """Bring an archive up to what is wanted, or begin one; `tell` is told which part, 0 to 1, is done.

    Every symbol of an archive reaches from one session to one other: kept symbols that are not wanted are
    brought up as well, and what is kept beyond the wanted sessions stays.

    Raises:
        Unreachable, Unauthorized: the feed can't be read.
        Halted: a history moved while it was read, each time.
    """
    old = nothing() if kept is None else kept.bars
    start = wanted.start if kept is None else min(wanted.start, kept.start)
    through = wanted.through if kept is None else max(wanted.through, kept.through)
    known = old if kept is not None and start == kept.start else nothing()
    names = {*wanted.symbols, *old.symbols} - set(known.symbols)
    whole = {symbol: EARLIER if symbol in old.symbols else NEW for symbol in names}
    grown = _appended(market, known, through if kept is None else kept.through, through)
    whole |= grown.moved
    fresh = _settled(market, sorted(whole), start, through, tell)
    gone = sorted(symbol for symbol in whole if symbol in old.symbols and symbol not in fresh.symbols)
    bars = join(join(old.select(gone), grown.bars), fresh)
    return Gathered(
        Archive(wanted.feed, wanted.adjustment, start, through, bars),
        {symbol: whole[symbol] for symbol in fresh.symbols},
        {symbol: whole[symbol] for symbol in gone},
        tuple(sorted(whole.keys() - set(bars.symbols))),
    )


def _appended(market: Market, bars: Bars, through: date, last: date) -> Grown:
    """Append the sessions after `through` up to `last` where the history stands.

    The first sessions are read after the last ones: a basis that moves in between shows in the first.
    """
    if not bars.symbols:
        return Grown(bars, {})
    tail_from = bars.sessions[-min(OVERLAP, len(bars.sessions))].item()
    tail, head = _between(market, bars.symbols, tail_from, last), nothing()
    for session, symbols in first_sessions(bars).items():
        head = join(head, _between(market, symbols, session, session))
    return grow(bars, head, tail, tail_from, through)


def _settled(
    market: Market, symbols: Sequence[str], start: date, last: date, tell: Callable[[float], None]
) -> Bars:
    """Fetch whole histories, and again those that moved while they were read.

    Raises:
        Halted: one moved each time.
    """
    settled, moving = nothing(), dict.fromkeys(symbols, "")
    for _ in range(ROUNDS):
        read = _appended(market, _whole(market, list(moving), start, last, tell), last, last)
        settled, moving = join(settled, read.bars), dict(read.moved)
        if not moving:
            return settled
    raise Halted(
        "history_moves",
        f"the history of {next(iter(moving))} moves while it is read",
        seen=next(iter(moving.values())),
        allowed=f"the same closes twice, in {ROUNDS} attempts",
        hint="the vendor is adjusting it now: fetch again in an hour",
    )


def _whole(
    market: Market, symbols: Sequence[str], start: date, last: date, tell: Callable[[float], None]
) -> Bars:
    bars = nothing()
    for i in range(0, len(symbols), AT_ONCE):
        tell(i / len(symbols))
        bars = join(bars, _between(market, symbols[i : i + AT_ONCE], start, last))
    return bars


def _between(market: Market, symbols: Sequence[str], first: date, last: date) -> Bars:
    """Ask for the bars of two sessions and those between them."""
    return market.bars(symbols, first, datetime.combine(last + timedelta(days=1), time(), UTC)).up_to(last)
