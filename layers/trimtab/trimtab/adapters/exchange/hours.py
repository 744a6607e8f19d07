"""Hours: which days have a session, and when it opens and closes, in New York and in UTC.

Where a tape has prices, its sessions are the sessions; before and after it the exchange's rules say
(`core.nyse`). Which of them close at 13:00 the same rules say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo

from trimtab.core.nyse import half_day, is_session
from trimtab.core.portfolio import SessionHours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "DAY",
    "NEW_YORK",
    "Calendar",
    "at",
    "closes_at",
    "hours_of",
    "new_york_date",
]

NEW_YORK = ZoneInfo("America/New_York")
OPENS = time(9, 30)
CLOSES = time(16, 0)
CLOSES_EARLY = time(13, 0)
DAY = timedelta(days=1)


def at(day: date, clock: time) -> datetime:
    """Give the UTC instant of a New York date and time of day."""
    return datetime.combine(day, clock, NEW_YORK).astimezone(UTC)


def new_york_date(instant: datetime) -> date:
    """Give the New York date of an instant."""
    return instant.astimezone(NEW_YORK).date()


def closes_at(day: date) -> time:
    """Give the New York time of day at which the session of `day` closes."""
    return CLOSES_EARLY if half_day(day) else CLOSES


@lru_cache(maxsize=16384)
def hours_of(day: date) -> SessionHours:
    """Give the opening and closing instants (UTC) of the session of `day`."""
    return SessionHours(day, at(day, OPENS), at(day, closes_at(day)))


@dataclass(frozen=True, slots=True)
class Calendar:
    """The sessions: those named from `first` to `last`, and by rule before and after."""

    named: frozenset[date]
    first: date
    last: date

    @classmethod
    def of(cls, sessions: Iterable[date]) -> Self:
        """Make the calendar of a tape's sessions (at least one)."""
        named = frozenset(sessions)
        return cls(named, min(named), max(named))

    def is_session(self, day: date) -> bool:
        """Say whether `day` has a session."""
        if self.first <= day <= self.last:
            return day in self.named
        return is_session(day)

    def between(self, start: date, end: date) -> Iterator[date]:
        """Give the sessions from `start` to `end`, inclusive, oldest first."""
        day = start
        while day <= end:
            if self.is_session(day):
                yield day
            day += DAY

    def on_or_after(self, day: date) -> date:
        """Give the first session that is not before `day`."""
        while not self.is_session(day):
            day += DAY
        return day

    def before(self, day: date) -> date:
        """Give the last session before `day`."""
        day -= DAY
        while not self.is_session(day):
            day -= DAY
        return day

    def after(self, day: date, sessions: int = 1) -> date:
        """Give the session that is so many sessions after `day`."""
        for _ in range(sessions):
            day = self.on_or_after(day + DAY)
        return day

    def is_open(self, instant: datetime) -> bool:
        """Say whether the regular session runs at an instant: from the open, until just before the close."""
        day = new_york_date(instant)
        hours = hours_of(day)
        return self.is_session(day) and hours.opens <= instant < hours.closes

    def next_open(self, instant: datetime) -> datetime:
        """Give the first opening after an instant."""
        day = self.on_or_after(new_york_date(instant))
        opens = hours_of(day).opens
        return opens if opens > instant else hours_of(self.after(day)).opens

    def next_close(self, instant: datetime) -> datetime:
        """Give the first closing after an instant."""
        day = self.on_or_after(new_york_date(instant))
        closes = hours_of(day).closes
        return closes if closes > instant else hours_of(self.after(day)).closes
