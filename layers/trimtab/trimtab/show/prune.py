"""Prune: what old inputs there are, or were, session by session, and what they take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.show.page import Column, advice, table

if TYPE_CHECKING:
    from trimtab.core.record import Document
    from trimtab.show.page import Page

__all__ = ["prune_text"]

MOST = 20
"""Runs that are listed."""
KILO = 1000


def prune_text(document: Document, command: str, page: Page) -> str:
    """Lay out what would be removed, or was; `command` is what removes it."""
    whole = [run for run in document["runs"] if run["fault"] is None]
    wrong = [run for run in document["runs"] if run["fault"] is not None]
    name, dry = document["portfolio"], document["dry_run"]
    if not document["runs"]:
        return f"{name}: no inputs are that old; nothing to remove."
    what = f"inputs of {len(whole)} run{'s' * (len(whole) != 1)}, {_size(document['bytes'])}"
    head = f"{name}: {'would remove' if dry else 'removed'} {what}; records, plans and sums stay."
    columns = (Column("session"), Column("run"), Column("size", right=True))
    rows = [(run["session"], run["run_id"], _size(run["bytes"])) for run in whole[:MOST]]
    more = f"\n  and {len(whole) - MOST} more, up to {whole[-1]['session']}" if len(whole) > MOST else ""
    odd = (Column("session"), Column("run"), Column("what is wrong"))
    kept = [(run["session"], run["run_id"], run["fault"]) for run in wrong[:MOST]]
    parts = [
        page.paint(head, "bold"),
        table(page, "Inputs", columns, rows) + more,
        table(page, "Kept, for they are not as they were written", odd, kept),
        advice("remove them", command) if dry and whole else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _size(count: int) -> str:
    """Write a number of bytes for people."""
    if count < KILO * KILO:
        return f"{count / KILO:,.1f} kB"
    return f"{count / KILO / KILO:,.1f} MB"
