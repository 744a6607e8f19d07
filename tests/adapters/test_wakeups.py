"""Wake-ups: three a day, by the clock on the wall, whatever that clock does."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.adapters.wakeups import Wakeups
from trimtab.core.schedule import NEW_YORK

DAY = timedelta(days=1)
ZONES = ("America/New_York", "Europe/Berlin", "Asia/Tokyo", "Australia/Lord_Howe", "UTC", "America/Sao_Paulo")
START = datetime(2000, 1, 1, tzinfo=UTC)
moments = st.integers(0, 40 * 365 * 86_400).map(lambda seconds: START + timedelta(seconds=seconds))
clocks = st.times().map(lambda at: f"{at:%H:%M}")


def between(wakeups: Wakeups, first: datetime, last: datetime) -> list[datetime]:
    """Give the wake-ups from one moment to another, both ends included."""
    found = []
    moment = wakeups.after(first - timedelta(microseconds=1))
    while moment <= last:
        found.append(moment)
        moment = wakeups.after(moment)
    return found


@pytest.mark.parametrize(
    ("first", "hours"),
    [(date(2026, 3, 7), [15, 14, 14]), (date(2026, 10, 31), [14, 15, 15])],
    ids=["spring", "autumn"],
)
def test_three_days_over_a_clock_change(first: date, hours: list[int]) -> None:
    """At 10:00, 10:30 and 15:00 in New York each day; in UTC the hour moves with the change."""
    start = datetime.combine(first, time(0), NEW_YORK)
    found = between(Wakeups("10:00", "America/New_York"), start, start + 3 * DAY)
    local = [(moment.astimezone(NEW_YORK).date(), f"{moment.astimezone(NEW_YORK):%H:%M}") for moment in found]
    assert local == [(first + n * DAY, at) for n in range(3) for at in ("10:00", "10:30", "15:00")]
    assert [moment.hour for moment in found[::3]] == hours


def test_the_later_ones_follow_run_time_and_its_zone() -> None:
    """Half an hour after it in its zone, over midnight too; 15:00 stays New York's; equal ones are one."""
    start = datetime(2026, 6, 1, tzinfo=UTC)
    berlin = between(Wakeups("16:15", "Europe/Berlin"), start, start + DAY)
    assert [f"{moment:%H:%M}" for moment in berlin] == ["14:15", "14:45", "19:00"]
    late = between(Wakeups("23:45", "UTC"), start, start + DAY - timedelta(seconds=1))
    assert [f"{moment:%H:%M}" for moment in late] == ["00:15", "19:00", "23:45"]
    assert len(between(Wakeups("15:00", "America/New_York"), start, start + DAY)) == 2


@given(moment=moments, run_time=clocks, zone=st.sampled_from(ZONES))
def test_each_moment_lies_between_two_wake_ups(moment: datetime, run_time: str, zone: str) -> None:
    """The newest is at or before a moment, the next one after it, and none lies between."""
    wakeups = Wakeups(run_time, zone)
    newest, following = wakeups.newest(moment), wakeups.after(moment)
    assert newest <= moment < following
    assert wakeups.after(newest) == following
    assert following - newest <= timedelta(hours=25)


@given(day=st.dates(date(2000, 1, 3), date(2039, 12, 1)), run_time=clocks, zone=st.sampled_from(ZONES))
def test_run_time_comes_each_day_by_the_clock_on_the_wall(day: date, run_time: str, zone: str) -> None:
    """Once on a day that has it once; where a change skips or repeats it, at least once all the same."""
    where = ZoneInfo(zone)
    at = datetime.combine(day, time.fromisoformat(run_time), where)
    plain = at.astimezone(UTC).astimezone(where) == at and at.utcoffset() == at.replace(fold=1).utcoffset()
    start = datetime.combine(day, time(0), where).astimezone(UTC)
    found = between(Wakeups(run_time, zone), start, start + timedelta(hours=30))
    if plain:
        assert found.count(at.astimezone(UTC)) == 1
    else:
        assert any(abs(moment - at.astimezone(UTC)) <= timedelta(hours=1) for moment in found)
