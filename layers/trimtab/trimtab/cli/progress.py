"""Progress: how far a long command is, on one line of a terminal; nothing where it is short or piped."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Progress"]

PATIENCE_S = 1.0
"""A command that takes less says nothing."""
PAUSE_S = 0.2
CLEAR = "\r\x1b[K"
"""To the line's start, and erase it (ECMA-48, 8.3.41)."""


class Progress:
    """A line on stderr that says how much of something is done, and about how long the rest takes."""

    def __init__(self, what: str) -> None:
        self._what, self._began, self._shown = what, time.monotonic(), 0.0
        self._visible = sys.stderr.isatty()

    def tell(self, part: float) -> None:
        """Say that a part, 0 to 1, is done."""
        now = time.monotonic()
        if not self._visible or now - self._began < PATIENCE_S or now - self._shown < PAUSE_S or part <= 0:
            return
        left = (now - self._began) * (1 / part - 1)
        self._shown = now
        sys.stderr.write(f"{CLEAR}{self._what}: {part:4.0%}, {left:.0f} s left")
        sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            sys.stderr.write(CLEAR)
            sys.stderr.flush()
