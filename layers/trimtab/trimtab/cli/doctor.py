"""Doctor: the verb that looks at everything a run stands on, and says what to do about it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from trimtab.adapters.clock import SystemClock
from trimtab.doctor import CHECKS, Visit, examine
from trimtab.show.doctor import doctor_document, doctor_text

if TYPE_CHECKING:
    import argparse

    from trimtab.cli.terminal import Terminal

__all__ = ["doctor"]

FAILED = 3
"""The exit status where something fails."""


def doctor(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Make every check, whatever fails on the way; exit status 3 where one does."""
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # ends as Ctrl-C does: what it sent is cancelled
    visit = Visit(
        arguments.config,
        os.environ,
        SystemClock(),
        send=arguments.send,
        orders=not arguments.no_order,
    )
    results = examine(visit, CHECKS)
    rows = [(check.name, check.looks_at, results[check.name]) for check in CHECKS]
    document = doctor_document([(name, r.status, r.seen, r.hint, about) for name, about, r in rows])
    terminal.say(doctor_text(document, terminal.page))
    terminal.document(document)
    return FAILED if document["failed"] else 0
