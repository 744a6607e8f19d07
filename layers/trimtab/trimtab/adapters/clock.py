"""System clock: the machine's own time."""

from __future__ import annotations

import time
from datetime import UTC, datetime

__all__ = ["SystemClock"]


class SystemClock:
    """The machine's time, for durations, waiting and the skew against the broker's clock."""

    def now(self) -> datetime:
        """Give the machine's UTC time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Give seconds that never run backwards, from an arbitrary start."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait that many seconds; none when negative."""
        time.sleep(max(0.0, seconds))
