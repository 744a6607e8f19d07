"""App log: what the program did, as rotating JSON lines in a file beside the store.

It is for operators; the records are the evidence. A log that can't be written never stops a run.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

from trimtab.core.record import json_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trimtab.core.record import Document

__all__ = ["AppLog"]

MAX_BYTES = 1_000_000
BACKUPS = 5


class AppLog:
    """The log file `path`, made by its first line; at most `MAX_BYTES` long, `BACKUPS` older ones kept.

    `written` gives a line's JSON, without secrets.
    """

    def __init__(
        self, path: Path, *, written: Callable[[Document], str] = json_line, max_bytes: int = MAX_BYTES
    ) -> None:
        self._handler = _Quiet(path, maxBytes=max_bytes, backupCount=BACKUPS, encoding="utf-8", delay=True)
        self._handler.setFormatter(_JsonLines(written))
        self._folder = path.parent

    def line(self, event: str, *, level: int = logging.INFO, **fields: object) -> None:
        """Write one line: the machine's UTC time, level, event and fields."""
        record = logging.LogRecord("trimtab", level, "", 0, event, None, None)
        record.fields = fields
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._handler.handle(record)

    def close(self) -> None:
        """Close the file; what a full disk did not take is let go, or the run's exit status would be lost."""
        with suppress(OSError):
            self._handler.close()


class _Quiet(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base class's name
        """Let it go: the run matters more than its log."""


class _JsonLines(logging.Formatter):
    def __init__(self, written: Callable[[Document], str]) -> None:
        super().__init__()
        self._written = written

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        head = {
            "at": f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}",
            "level": record.levelname.lower(),
            "event": record.msg,
        }
        return self._written(head | vars(record)["fields"])
