"""Clock: virtual UTC time, frozen or running at a multiple of the machine's.

Frozen (speed 0), it moves only when told: `advance` for waiting, `move` for going elsewhere. A run in the
same process hands its own waiting to `advance`, so that a poll-and-sleep loop sees fills in virtual time
without spending real time. Running, it is anchored at the instant it was set to, and `speed` virtual
seconds pass in each second of the machine.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.adapters.exchange.exchange import Exchange

__all__ = ["ExchangeClock", "VirtualClock"]


class VirtualClock:
    """Virtual time; never runs backwards."""

    def __init__(
        self, start: datetime, speed: float = 0.0, wall: Callable[[], float] = time.monotonic
    ) -> None:
        self._anchor = start
        self._speed = speed
        self._wall = wall
        self._since = wall()

    @property
    def speed(self) -> float:
        """Virtual seconds a second; 0 is frozen."""
        return self._speed

    @property
    def frozen(self) -> bool:
        """Whether time stands still until told."""
        return self._speed == 0

    def now(self) -> datetime:
        """Give the virtual time (UTC)."""
        if self.frozen:
            return self._anchor
        return self._anchor + timedelta(seconds=(self._wall() - self._since) * self._speed)

    def advance(self, seconds: float) -> None:
        """Let so many virtual seconds pass at once.

        Raises:
            ValueError: `seconds` is negative.
        """
        if not seconds >= 0:
            raise ValueError(f"time can't be advanced by {seconds} seconds")
        self.move(self.now() + timedelta(seconds=seconds))

    def move(self, instant: datetime) -> None:
        """Go to a later instant (UTC); an earlier one leaves the clock alone."""
        now = self.now()
        self._anchor = max(instant, now)
        self._since = self._wall()

    def run(self, speed: float) -> None:
        """Run at `speed` virtual seconds a second from here on; 0 freezes.

        Raises:
            ValueError: the speed is negative or not a number.
        """
        if not 0 <= speed < float("inf"):
            raise ValueError(f"the speed must be 0 or more, not {speed}")
        self.move(self.now())
        self._speed = speed


class ExchangeClock:
    """The clock of a run inside the simulation: waiting passes virtual time only."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def now(self) -> datetime:
        """Give the virtual time (UTC)."""
        return self._exchange.now()

    def monotonic(self) -> float:
        """Give virtual seconds that never run backwards."""
        return self._exchange.now().timestamp()

    def sleep(self, seconds: float) -> None:
        """Let so many virtual seconds pass."""
        self._exchange.advance(max(seconds, 0.0))
