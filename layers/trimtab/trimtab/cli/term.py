"""Term: how long a command may still take; SIGTERM leaves it the time to end well, and none to trade."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["ENDING_S", "Term", "ending_well"]

ENDING_S = 25.0
"""Seconds that a run has left after SIGTERM: fewer than any order may begin in (30), enough to read what
became of its orders and to write its record."""


class Term:
    """How long the command may still take, on the machine's clock."""

    def __init__(self, seconds: float) -> None:
        self._due = time.monotonic() + seconds
        self.ending = False

    def __call__(self) -> float:
        """Give the seconds left."""
        return self._due - time.monotonic()

    def end(self) -> None:
        """Leave no more than the time to end well."""
        self._due = min(self._due, time.monotonic() + ENDING_S)
        self.ending = True


@contextmanager
def ending_well(term: Term) -> Iterator[None]:
    """Take SIGTERM as the wish to end well, within a block; only a process's main thread can be told so."""

    def end(_number: int, _frame: FrameType | None) -> None:
        term.end()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
