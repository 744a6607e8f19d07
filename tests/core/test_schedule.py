from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.nyse import sessions
from trimtab.core.portfolio import SessionHours
from trimtab.core.schedule import (
    NEW_YORK,
    complete_sessions,
    earlier_in_period,
    hours_of,
    period,
    session_of,
    sessions_before,
    window,
)

if TYPE_CHECKING:
    from trimtab.core.schedule import Interval


def hours(day: str, closes: str = "16:00") -> SessionHours:
    session = date.fromisoformat(day)
    first = datetime.combine(session, time(9, 30), NEW_YORK).astimezone(UTC)
    last = datetime.combine(session, time.fromisoformat(closes), NEW_YORK).astimezone(UTC)
    return SessionHours(session, first, last)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-01-15T04:59:59", "2026-01-14"),
        ("2026-01-15T05:00:00", "2026-01-15"),
        ("2026-07-15T03:59:59", "2026-07-14"),  # summer time
        ("2026-07-15T04:00:00", "2026-07-15"),
        ("2026-12-31T23:30:00", "2026-12-31"),
        ("2027-01-01T02:00:00", "2026-12-31"),
    ],
)
def test_the_session_is_new_yorks_date(moment: str, expected: str) -> None:
    """UTC midnight is no border; New York's is, summer and winter."""
    assert session_of(utc(moment)) == date.fromisoformat(expected)


@pytest.mark.parametrize(
    ("first", "second", "interval", "same"),
    [
        ("2026-01-30", "2026-02-02", "monthly", False),
        ("2025-01-31", "2026-01-02", "monthly", False),
        ("2026-03-02", "2026-03-31", "monthly", True),
        ("2020-12-28", "2021-01-01", "weekly", True),  # ISO week 53 of 2020 runs over the year's end
        ("2020-12-31", "2021-01-04", "weekly", False),
        ("2024-12-30", "2025-01-03", "weekly", True),  # ISO week 1 of 2025 begins in 2024
        ("2024-01-02", "2024-12-31", "weekly", False),  # week 1 of 2024 and week 1 of 2025
        ("2026-03-06", "2026-03-09", "weekly", False),
        ("2026-03-09", "2026-03-10", "daily", False),
    ],
)
def test_periods(first: str, second: str, interval: Interval, same: bool) -> None:  # noqa: FBT001 - a parameter of the example
    """A week is Monday to Friday over any year's end; a month is the calendar's; a day is itself."""
    a, b = date.fromisoformat(first), date.fromisoformat(second)
    assert (period(a, interval) == period(b, interval)) is same


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_a_week_is_seven_days_from_monday(day: date) -> None:
    monday = day - timedelta(days=day.weekday())
    names = {period(monday + timedelta(days=n), "weekly") for n in range(7)}
    assert len(names) == 1
    assert period(monday - timedelta(days=1), "weekly") not in names
    assert period(monday + timedelta(days=7), "weekly") not in names


@pytest.mark.parametrize(
    ("day", "closes", "opens_utc", "closes_utc"),
    [
        ("2026-03-06", "16:00", "14:35", "20:50"),  # the Friday before summer time
        ("2026-03-09", "16:00", "13:35", "19:50"),  # the Monday after
        ("2026-10-30", "16:00", "13:35", "19:50"),
        ("2026-11-02", "16:00", "14:35", "20:50"),
        ("2026-11-27", "13:00", "14:35", "17:50"),  # half day
    ],
)
def test_the_window_follows_the_sessions_own_hours(
    day: str, closes: str, opens_utc: str, closes_utc: str
) -> None:
    """5 minutes after the open to 10 before the close, on summer, winter and half days, ends included."""
    times = window(hours(day, closes), (5, 10))
    first, last = utc(f"{day}T{opens_utc}"), utc(f"{day}T{closes_utc}")
    second = timedelta(microseconds=1)
    assert times.holds(first)
    assert times.holds(last)
    assert not times.holds(first - second)
    assert not times.holds(last + second)
    assert times.session == date.fromisoformat(day)


def test_a_window_wider_than_the_session_holds_nothing() -> None:
    """Minutes that leave no time to trade leave none: nothing turns round."""
    times = window(hours("2026-11-27", "13:00"), (200, 200))
    assert not any(times.holds(times.opens + timedelta(minutes=n)) for n in range(-300, 300))


CALENDAR = [hours(str(day)) for day in sessions(date(2020, 12, 1), date(2021, 1, 31))]


def test_a_day_without_session_has_no_hours() -> None:
    assert hours_of(CALENDAR, date(2020, 12, 25)) is None
    found = hours_of(CALENDAR, date(2020, 12, 24))
    assert found is not None
    assert found.session == date(2020, 12, 24)


@pytest.mark.parametrize(
    ("session", "interval", "expected"),
    [
        ("2021-01-04", "monthly", []),
        ("2021-01-06", "monthly", ["2021-01-05", "2021-01-04"]),
        ("2021-01-04", "weekly", []),
        ("2020-12-31", "weekly", ["2020-12-30", "2020-12-29", "2020-12-28"]),
        ("2021-01-19", "weekly", []),  # the Monday was a holiday
        ("2021-01-20", "weekly", ["2021-01-19"]),
        ("2021-01-20", "daily", []),
    ],
)
def test_the_earlier_sessions_of_a_period(session: str, interval: Interval, expected: list[str]) -> None:
    """The first session of a period has none before it; the others have all of them, newest first."""
    found = earlier_in_period(CALENDAR, date.fromisoformat(session), interval)
    assert [str(day) for day in found] == expected


def test_sessions_before_leave_today_out() -> None:
    """Today is not before today."""
    assert sessions_before(CALENDAR, date(2020, 12, 3)) == [date(2020, 12, 1), date(2020, 12, 2)]


def test_a_bar_is_complete_16_minutes_after_the_close() -> None:
    """In the evening a plan for the next session waits until today's bar is whole."""
    tomorrow, close = date(2020, 12, 2), utc("2020-12-01T21:00")
    assert complete_sessions(CALENDAR, tomorrow, close + timedelta(minutes=15, seconds=59)) == []
    assert complete_sessions(CALENDAR, tomorrow, close + timedelta(minutes=16)) == [date(2020, 12, 1)]
    assert complete_sessions(CALENDAR, date(2020, 12, 1), close + timedelta(days=30)) == []
