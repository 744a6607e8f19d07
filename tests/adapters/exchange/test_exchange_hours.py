"""Hours: sessions and their instants."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from trimtab.adapters.exchange.hours import Calendar, hours_of

WEEK = Calendar.of([date(2020, 11, 24), date(2020, 11, 25), date(2020, 11, 27)])


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        (date(2020, 3, 6), (14, 30), (21, 0)),
        (date(2020, 3, 9), (13, 30), (20, 0)),
        (date(2020, 10, 30), (13, 30), (20, 0)),
        (date(2020, 11, 2), (14, 30), (21, 0)),
        (date(2020, 11, 27), (14, 30), (18, 0)),
        (date(2020, 12, 24), (14, 30), (18, 0)),
        (date(2019, 7, 3), (13, 30), (17, 0)),
    ],
)
def test_hours_follow_new_york(day: date, opens: tuple[int, int], closes: tuple[int, int]) -> None:
    """09:30 and 16:00 (13:00 on half days) New York, in UTC on both sides of each clock change."""
    hours = hours_of(day)
    assert (hours.opens.hour, hours.opens.minute) == opens
    assert (hours.closes.hour, hours.closes.minute) == closes


def test_within_the_tape_its_sessions_are_the_sessions() -> None:
    """A weekday that the tape leaves out is closed, whatever the rules say; after it the rules say."""
    gap = Calendar.of([date(2020, 3, 2), date(2020, 3, 4)])
    assert not gap.is_session(date(2020, 3, 3))
    assert gap.is_session(date(2020, 3, 5))
    assert not gap.is_session(date(2020, 4, 10))


@pytest.mark.parametrize(
    ("instant", "is_open"),
    [
        (datetime(2020, 11, 27, 14, 29, 59, tzinfo=UTC), False),
        (datetime(2020, 11, 27, 14, 30, tzinfo=UTC), True),
        (datetime(2020, 11, 27, 17, 59, 59, tzinfo=UTC), True),
        (datetime(2020, 11, 27, 18, 0, tzinfo=UTC), False),
        (datetime(2020, 11, 26, 16, 0, tzinfo=UTC), False),
        (datetime(2020, 11, 28, 16, 0, tzinfo=UTC), False),
    ],
)
def test_open_from_the_open_to_just_before_the_close(instant: datetime, is_open: bool) -> None:  # noqa: FBT001 - an example
    """The close itself is closed; holidays and weekends are."""
    assert WEEK.is_open(instant) is is_open


def test_next_open_and_close() -> None:
    """From the evening, both are the next session's; within a session the close is today's."""
    evening, noon = datetime(2020, 11, 25, 23, tzinfo=UTC), datetime(2020, 11, 27, 17, tzinfo=UTC)
    assert WEEK.next_open(evening) == hours_of(date(2020, 11, 27)).opens
    assert WEEK.next_close(evening) == hours_of(date(2020, 11, 27)).closes
    assert WEEK.next_open(noon) == hours_of(date(2020, 11, 30)).opens
    assert WEEK.next_close(noon) == hours_of(date(2020, 11, 27)).closes


def test_stepping_over_a_holiday() -> None:
    """`after`, `before` and `on_or_after` skip Thanksgiving."""
    assert WEEK.after(date(2020, 11, 25)) == date(2020, 11, 27)
    assert WEEK.after(date(2020, 11, 24), 3) == date(2020, 11, 30)
    assert WEEK.before(date(2020, 11, 27)) == date(2020, 11, 25)
    assert WEEK.on_or_after(date(2020, 11, 26)) == date(2020, 11, 27)
