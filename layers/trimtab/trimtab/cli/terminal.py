"""Terminal: where a command's words go: people's to stdout, or with --json to stderr; documents to stdout."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from io import TextIOWrapper
from typing import TYPE_CHECKING

from trimtab.show.errors import error_text
from trimtab.show.page import Page, harmless

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from trimtab.settings import Redactor

__all__ = ["Terminal", "forgive"]

NARROW, USUAL, WIDE = 80, 100, 120
"""A page's least, unknown and greatest width, characters."""
SEAL = "".join(chr(0xE000 + byte) for byte in os.urandom(4))
"""What nobody can have written into a store: signs for private use, of this process alone."""


def forgive() -> None:
    """Let stdout and stderr write a question mark for a sign that their encoding lacks.

    A run that has traded must not end as a bug because Latin-1 has no check mark.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


@dataclass(frozen=True, slots=True)
class Terminal:
    """One command's way to talk. With `json`, stdout carries one JSON document and nothing else.

    No secret of the environment passes, and no control sequence but the page's own colours: others wrote the
    symbols, reasons and messages.
    """

    json: bool

    @classmethod
    def of(cls, *, json: bool) -> Terminal:
        """Make one."""
        return cls(json)

    @property
    def page(self) -> Page:
        """The page that people's text is laid out on."""
        return _page(sys.stderr if self.json else sys.stdout)

    def say(self, text: str) -> None:
        """Tell people something."""
        print(_clean(text), file=sys.stderr if self.json else sys.stdout, flush=True)

    def complain(self, text: str) -> None:
        """Tell people what is wrong."""
        print(_clean(text), file=sys.stderr, flush=True)  # noqa: T201 - the command line speaks here

    def fail(self, error: Mapping[str, object]) -> None:
        """Give an error: in three lines to people, with --json as the one document."""
        whole = dict.fromkeys(("code", "message", "seen", "allowed", "hint")) | dict(error)
        self.explain(whole)
        self.document({"error": whole})

    def explain(self, error: Mapping[str, object]) -> None:
        """Tell people of an error, in three lines on stderr."""
        self.complain(error_text(error, _page(sys.stderr)))

    def document(self, document: object, *, indent: int | None = 2) -> None:
        """Give the one JSON document, where --json asks for it."""
        if self.json:
            print(json.dumps(_redactor().value(document), indent=indent), flush=True)  # noqa: T201 - as above

    def detach(self) -> None:
        """Give stdout up: its reader has gone."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _clean(text: str) -> str:
    return harmless(_redactor().text(text), SEAL)


def _redactor() -> Redactor:
    from trimtab.settings import redactor  # noqa: PLC0415 - `--help` and `--version` need no settings

    return redactor(os.environ)


def _page(stream: TextIO) -> Page:
    columns = shutil.get_terminal_size((USUAL, 24)).columns
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return Page(min(max(columns, NARROW), WIDE), stream.isatty() and not plain, SEAL)
