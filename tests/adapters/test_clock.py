from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from trimtab.adapters.clock import SystemClock


def test_now_is_utc() -> None:
    """The machine's time, with its zone."""
    before, now, after = datetime.now(UTC), SystemClock().now(), datetime.now(UTC)
    assert before <= now <= after
    assert now.utcoffset() == timedelta(0)


def test_sleep_takes_as_long_as_it_says_by_the_same_clock() -> None:
    """A wait is seen by `monotonic`; a negative one is none."""
    clock = SystemClock()
    start, other = clock.monotonic(), time.monotonic()
    clock.sleep(0.02)
    assert clock.monotonic() - start >= 0.02
    assert abs(start - other) < 1
    clock.sleep(-1)
