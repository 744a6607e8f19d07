"""NYSE calendar: which days have a session, and which of them end at 13:00 New York time, by rule.

The rules are those of 1998 on (NYSE Rule 7.2, "Holidays", and the exchange's list of holidays and
trading hours), with the days that no rule foretells in `CLOSED_BY_EVENT`. It serves simulations, which have
no broker to ask; a run against a broker believes the broker's calendar.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

__all__ = ["CLOSED_BY_EVENT", "half_day", "holidays", "is_session", "sessions"]

CLOSED_BY_EVENT = frozenset(
    date.fromisoformat(day)
    for day in (
        "1994-04-27",  # funeral of Richard Nixon
        "2001-09-11",  # attacks of September 11
        "2001-09-12",
        "2001-09-13",
        "2001-09-14",
        "2004-06-11",  # mourning of Ronald Reagan
        "2007-01-02",  # mourning of Gerald Ford
        "2012-10-29",  # Hurricane Sandy
        "2012-10-30",
        "2018-12-05",  # mourning of George H. W. Bush
        "2025-01-09",  # mourning of Jimmy Carter
    )
)
"""Weekdays on which the exchange stayed closed for an event."""

HALF_BY_EVENT = frozenset({date(2003, 12, 26)})
"""Sessions that ended at 13:00 by a decision of the exchange and no rule."""

MONDAY, THURSDAY, SATURDAY, SUNDAY = 0, 3, 5, 6
ONE_DAY = timedelta(days=1)


def sessions(first: date, last: date) -> list[date]:
    """Give the days with a session from `first` to `last`, inclusive, oldest first."""
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if is_session(day)]


def is_session(day: date) -> bool:
    """Say whether the exchange opens on a New York date."""
    return day.weekday() < SATURDAY and day not in CLOSED_BY_EVENT and day not in holidays(day.year)


def half_day(day: date) -> bool:
    """Say whether `day` is a session that ends at 13:00.

    The eves of Independence Day and Christmas do, the Friday after Thanksgiving, and `HALF_BY_EVENT`.
    The eve of Independence Day counts when both it and the 4th are weekdays; before 2013 not on a
    Wednesday, when the half day was the Friday after the 4th instead.
    """
    if not is_session(day):
        return False
    if (day.month, day.day) == (12, 24) or day in HALF_BY_EVENT:
        return True
    if day.month == 11:  # noqa: PLR2004 - November
        return day == _nth(day.year, 11, THURSDAY, 4) + ONE_DAY
    return day == _independence_half_day(day.year)


@lru_cache(maxsize=256)
def holidays(year: int) -> frozenset[date]:
    """Give the weekdays of a year on which the exchange keeps a holiday.

    A holiday on a Sunday is kept on the Monday after it, on a Saturday on the Friday before it, but
    New Year's Day on a Saturday is not kept: that Friday ends the accounting year.
    """
    days = {
        _nth(year, 2, MONDAY, 3),  # Washington's Birthday
        easter(year) - 2 * ONE_DAY,  # Good Friday
        _last_monday_of_may(year),  # Memorial Day
        _observed(date(year, 7, 4)),
        _nth(year, 9, MONDAY, 1),  # Labor Day
        _nth(year, 11, THURSDAY, 4),  # Thanksgiving
        _observed(date(year, 12, 25)),
    }
    if date(year, 1, 1).weekday() != SATURDAY:
        days.add(_observed(date(year, 1, 1)))
    if year >= 1998:  # noqa: PLR2004 - the first year it was kept
        days.add(_nth(year, 1, MONDAY, 3))  # Martin Luther King Jr. Day
    if year >= 2022:  # noqa: PLR2004 - the first year it was kept
        days.add(_observed(date(year, 6, 19)))  # Juneteenth
    return frozenset(days)


def easter(year: int) -> date:
    """Give Easter Sunday (Gregorian; the anonymous algorithm of Nature, 1876, as in Meeus, chapter 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def _nth(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _last_monday_of_may(year: int) -> date:
    end = date(year, 5, 31)
    return end - timedelta(days=end.weekday())


def _observed(day: date) -> date:
    return day + {SATURDAY: -ONE_DAY, SUNDAY: ONE_DAY}.get(day.weekday(), timedelta(0))


def _independence_half_day(year: int) -> date | None:
    fourth = date(year, 7, 4)
    if fourth.weekday() in {MONDAY, SATURDAY, SUNDAY}:
        return None
    if fourth.weekday() == THURSDAY and year < 2013:  # noqa: PLR2004 - the year the custom changed
        return fourth + ONE_DAY
    return fourth - ONE_DAY
