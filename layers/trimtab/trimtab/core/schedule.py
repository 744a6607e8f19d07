"""Schedule: which session it is, whether it is time to trade, and when a decision is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from trimtab.core.portfolio import SessionHours

NEW_YORK = ZoneInfo("America/New_York")

BAR_DELAY = timedelta(minutes=16)
"""A daily bar is complete this long after the close: the free plan gives no SIP data of the last 15 minutes
(Alpaca, market data FAQ).
"""

Interval = Literal["daily", "weekly", "monthly"]


def session_of(moment: datetime) -> date:
    """Give the New York date of an instant (aware)."""
    return moment.astimezone(NEW_YORK).date()


def period(session: date, interval: Interval) -> tuple[int, ...]:
    """Name the period a session belongs to: the day, the ISO week or the calendar month."""
    if interval == "daily":
        return (session.toordinal(),)
    if interval == "weekly":
        week = session.isocalendar()
        return (week.year, week.week)
    return (session.year, session.month)


@dataclass(frozen=True, slots=True)
class Window:
    """When orders may be sent: from `opens` to `closes` (UTC), New York session `session`."""

    session: date
    opens: datetime
    closes: datetime

    def holds(self, moment: datetime) -> bool:
        """Say whether `moment` lies within the window, both ends included."""
        return self.opens <= moment <= self.closes


def window(hours: SessionHours, minutes: tuple[int, int]) -> Window:
    """Give the trading window of a session: `minutes` after the open and before the close."""
    after_open, before_close = minutes
    return Window(
        hours.session,
        hours.opens + timedelta(minutes=after_open),
        hours.closes - timedelta(minutes=before_close),
    )


def hours_of(calendar: Sequence[SessionHours], session: date) -> SessionHours | None:
    """Give the hours of a session; None on a day without one."""
    return next((hours for hours in calendar if hours.session == session), None)


def sessions_before(calendar: Sequence[SessionHours], session: date) -> list[date]:
    """Give the sessions before a date, oldest first."""
    return [hours.session for hours in calendar if hours.session < session]


def complete_sessions(calendar: Sequence[SessionHours], session: date, now: datetime) -> list[date]:
    """Give the sessions before a date whose daily bar is complete by `now` (UTC), oldest first."""
    past = (hours for hours in calendar if hours.session < session)
    return [hours.session for hours in past if hours.closes + BAR_DELAY <= now]


def earlier_in_period(calendar: Sequence[SessionHours], session: date, interval: Interval) -> list[date]:
    """Give the sessions of the same period before `session`, newest first."""
    name = period(session, interval)
    past = sessions_before(calendar, session)
    return [day for day in reversed(past) if period(day, interval) == name]
