"""Wake-ups: when the bot is woken, every day: at `run_time`, half an hour later, and at 15:00 in New York.

APScheduler's cron triggers know the calendar and the clock changes; what is done at a wake-up is not theirs.
A run is safe to repeat, so the later two heal what kept the first one from its end, and a day without a
session only shows the watcher that the schedule lives.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

from trimtab.errors import Misconfigured

__all__ = ["LAST", "Wakeups"]

AGAIN = timedelta(minutes=30)
"""How long after `run_time` the second wake-up is."""
LAST = (time(15, 0), "America/New_York")
"""The third one: late, and with time left to trade, on a half day none."""
LONGEST_GAP = timedelta(hours=26)
"""There is a wake-up in any so many hours: a day has 25 when clocks go back."""
TICK = timedelta(microseconds=1)


class Wakeups:
    """The wake-ups of one schedule: `run_time` is HH:MM in the IANA zone `timezone`."""

    def __init__(self, run_time: str, timezone: str) -> None:
        first = datetime.fromisoformat(f"2000-01-01T{run_time}Z")  # any day: half an hour may pass midnight
        self.times = ((first.time(), timezone), ((first + AGAIN).time(), timezone), LAST)
        self._trigger = _trigger(self.times)

    def after(self, moment: datetime) -> datetime:
        """Give the first wake-up after a moment (aware), UTC."""
        found: datetime = self._trigger.get_next_fire_time(None, moment.astimezone(UTC) + TICK)
        return found.astimezone(UTC)

    def newest(self, moment: datetime) -> datetime:
        """Give the last wake-up at or before a moment (aware), UTC."""
        newest = found = self.after(moment - LONGEST_GAP)
        while found <= moment:
            newest, found = found, self.after(found)
        return newest


def _trigger(times: tuple[tuple[time, str], ...]) -> Any:  # noqa: ANN401 - the library has no types
    """Give the library's trigger for some times of every day.

    Raises:
        Misconfigured: the library is not installed.
    """
    try:
        combining = import_module("apscheduler.triggers.combining")  # of an extra
        cron = import_module("apscheduler.triggers.cron")
    except ImportError as error:
        raise Misconfigured(
            "no_apscheduler",
            "the schedule needs APScheduler, which is not installed",
            seen=f"no {error.name}",
            allowed="the extra `serve`",
            hint='pip install "trimtab[serve]"',
        ) from None
    each = [cron.CronTrigger(hour=t.hour, minute=t.minute, timezone=ZoneInfo(zone)) for t, zone in times]
    return combining.OrTrigger(each)
