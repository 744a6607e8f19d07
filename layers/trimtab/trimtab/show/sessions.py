"""Sessions: many runs in a row, one line each, written while they go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.show.page import percent, usd
from trimtab.show.run import turnover

if TYPE_CHECKING:
    from trimtab.core.record import Document
    from trimtab.show.page import Page

__all__ = ["session_head", "session_line"]

LAYOUT = "  {:<10}  {:<11}  {:>6}  {:>8}  {:>14}  {}"


def session_head(page: Page) -> str:
    """Give the heading of the lines."""
    return page.paint(LAYOUT.format("session", "outcome", "orders", "turnover", "equity USD", "note"), "dim")


def session_line(record: Document) -> str:
    """Give one run's line; the note says what did not go as planned."""
    moved = turnover(record)
    sent = sum(1 for order in record["orders"] if order["sent"])
    return LAYOUT.format(
        record["session"] or "-",
        record["outcome"],
        sent,
        percent(moved) if moved else "-",
        usd(record["equity"]),
        _note(record),
    ).rstrip()


def _note(record: Document) -> str:
    reason = str(record["reason"])
    if record["outcome"] == "traded":
        return reason.partition("; ")[2]
    if record["outcome"] == "in_band":
        return ""
    return reason
