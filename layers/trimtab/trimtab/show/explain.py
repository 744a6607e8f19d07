"""Explain: each symbol's chain as a paragraph, headed by what was done and what bound it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.core.record import Document
    from trimtab.show.page import Page

__all__ = ["explain_text"]

INDENT = 12
"""Characters before what a step says."""


def explain_text(document: Document, page: Page) -> str:
    """Lay the chains out, one under the other."""
    head = page.paint(f"run {document['run_id']}, session {document['session'] or 'unknown'}", "bold")
    symbols: list[Document] = document["symbols"]
    if not symbols:
        said = f"No plan to explain: {document['reason']}"
        return f"{head}\n{page.wrap(said)}"
    return "\n\n".join([f"{head}\n{page.wrap(document['reason'])}", *(_chain(row, page) for row in symbols)])


def _chain(row: Document, page: Page) -> str:
    first = f"{row['symbol']}: {row['action']}, {row['binding']}"
    lines = [page.paint(first, "bold"), page.wrap(f"  {row['means']}", "  ")]
    for step in row["steps"]:
        lines += textwrap.wrap(
            step["says"],
            page.width,
            initial_indent=f"  {step['step']:<{INDENT - 2}}",
            subsequent_indent=" " * INDENT,
            break_on_hyphens=False,
            break_long_words=False,
        )
    return "\n".join(lines)
