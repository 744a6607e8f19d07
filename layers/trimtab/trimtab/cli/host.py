"""Host: what the server needs of its machine: the time, waiting that a signal ends, and runs as processes.

A run is a process of its own. So the server stays small while it waits, a run's leaks, crashes and hangs end
with it, and every run has the code and the strategy as they lie on the disk, which is what its record says.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, Self

from trimtab.settings import redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType, TracebackType

    from trimtab.core.record import Document

__all__ = ["Ended", "Host", "Machine"]

RUN_S = 1500.0
"""Seconds after which a run sends nothing more: the next wake-up is half an hour after the first."""
OVERDUE_S = 300.0
"""Seconds more after which a run that has not ended is asked to."""
KILL_S = 120.0
"""Seconds after being asked, after which it is killed; running again goes on with the same plan."""
SLICE_S = 30.0
"""Longest wait between two looks at the clock: a machine that slept, or was set, is noticed then."""
SAID_BYTES = 4000


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run's process ended: exit status (below 0: by which signal), document, and what it said last."""

    status: int
    document: Document
    said: str
    seconds: float


class Host(Protocol):
    """The machine, as the server sees it."""

    stopping: bool

    def now(self) -> datetime:
        """Give the time, UTC."""

    def wait(self, seconds: float) -> None:
        """Wait, at most so long; a signal, and any reason to look at the clock again, ends it sooner."""

    def run(self, words: Sequence[str], beat: Callable[[], None]) -> Ended:
        """Run one process of the program to its end, calling `beat` now and then."""


class Machine:
    """The real one. As a context it takes SIGTERM and SIGINT as the wish to stop."""

    def __init__(self) -> None:
        self.stopping = False
        self._stack = ExitStack()
        self._reader = -1

    def __enter__(self) -> Self:
        # A byte in a pipe wakes the wait: an Event that a handler sets could deadlock with it.
        self._reader, writer = os.pipe()
        for end in (self._reader, writer):
            os.set_blocking(end, False)
            self._stack.callback(os.close, end)
        before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._stack.callback(signal.set_wakeup_fd, before)
        for number, handler in (
            (signal.SIGTERM, self._stop),
            (signal.SIGINT, self._stop),
            (signal.SIGCHLD, _heard),
        ):
            self._stack.callback(signal.signal, number, signal.signal(number, handler))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def now(self) -> datetime:
        """Give the time, UTC."""
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        """Wait, at most so long and no longer than a slice; a signal or a process's end ends it sooner."""
        if self.stopping:
            return
        select.select([self._reader], [], [], max(0.0, min(seconds, SLICE_S)))
        with suppress(BlockingIOError):
            os.read(self._reader, 1024)

    def run(self, words: Sequence[str], beat: Callable[[], None]) -> Ended:
        """Run `trimtab WORD …` to its end; asked to stop, ask it to, and wait for it."""
        began = time.monotonic()
        try:
            return self._run(words, began, beat)
        except OSError as error:  # no memory, no room for what it says: the next wake-up may find some
            return Ended(1, {}, f"no process could be started: {error}", time.monotonic() - began)

    def _run(self, words: Sequence[str], began: float, beat: Callable[[], None]) -> Ended:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-P", "-m", "trimtab", *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,  # Ctrl-C is for the server, which then asks its run to end
            )
            self._await(child, began, beat)
            out.seek(0)
            err.seek(max(0, err.seek(0, os.SEEK_END) - SAID_BYTES))
            said = redactor(os.environ).text(err.read().decode("utf-8", "replace"))
            return Ended(child.returncode, _document(out.read()), said, time.monotonic() - began)

    def _await(self, child: subprocess.Popen[bytes], began: float, beat: Callable[[], None]) -> None:
        asked: float | None = None
        while child.poll() is None:
            beat()
            now = time.monotonic()
            if asked is None and (self.stopping or now - began > RUN_S + OVERDUE_S):
                child.terminate()
                asked = now
            if asked is not None and now - asked > KILL_S:
                child.kill()
            if asked is None:
                self.wait(SLICE_S)
            else:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(1.0)


def _heard(_number: int, _frame: FrameType | None) -> None:
    """Hear that a child ended: the byte in the pipe is all that is needed."""


def _document(out: bytes) -> Document:
    """Give the document that a run printed; nothing where it printed none."""
    with suppress(ValueError):
        document = json.loads(out)
        return document if isinstance(document, dict) else {}
    return {}
