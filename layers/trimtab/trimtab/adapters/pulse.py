"""Pulse: the small file by which a server shows that it lives, and remembers what it did last.

It is no evidence: without it a server wakes once more, which is harmless.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.core.record import Document

__all__ = ["Pulse"]


class Pulse:
    """The file `path`; each writing replaces it whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, document: Document) -> None:
        """Replace what the file says.

        Raises:
            OSError: it can't be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            draft.write_text(json.dumps(document) + "\n")
            draft.replace(self.path)
        except OSError:
            with suppress(OSError):
                draft.unlink()
            raise

    def read(self) -> Document:
        """Give what the file says; nothing where there is none, or it is not readable."""
        with suppress(OSError, ValueError):
            document = json.loads(self.path.read_text())
            return document if isinstance(document, dict) else {}
        return {}
