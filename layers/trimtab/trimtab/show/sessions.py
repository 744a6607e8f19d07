"""Sessions: many runs in a row, one line each, written while they go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.show.page import cut_to, percent, usd
from trimtab.show.run import turnover

if TYPE_CHECKING:
    from trimtab.core.record import Document
    from trimtab.show.page import Page

__all__ = ["note", "session_head", "session_line"]

LAYOUT = "  {:<10}  {:<11}  {:>6}  {:>8}  {:>14}  {}"


def session_head(page: Page) -> str:
    """Give the heading of the lines."""
    return page.paint(LAYOUT.format("session", "outcome", "orders", "turnover", "equity USD", "note"), "dim")


def session_line(record: Document, page: Page) -> str:
    """Give one run's line; the note says what did not go as planned, cut to the page."""
    moved = turnover(record)
    sent = sum(1 for order in record["orders"] if order["sent"])
    line = LAYOUT.format(
        record["session"] or "-",
        record["outcome"],
        sent,
        percent(moved) if moved else "-",
        usd(record["equity"]),
        "",
    )
    return (line + cut_to(note(record["outcome"], record["reason"]), page.width - len(line))).rstrip()


def note(outcome: str, reason: object) -> str:
    """Give what a reason tells beyond its outcome and the number of its orders."""
    text = str(reason or "")
    if outcome == "traded":
        return text.partition("; ")[2]
    return "" if text.startswith("in_band:") else text.removeprefix(f"{outcome}: ")
