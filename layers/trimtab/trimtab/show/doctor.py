"""Doctor: what a visit found, a line a check, each that is not well with what to do."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.record import Document
    from trimtab.show.page import Page

__all__ = ["doctor_document", "doctor_text"]

COLOURS = {"ok": ("green",), "warn": ("yellow",), "FAIL": ("bold", "red"), "skipped": ("dim",)}
MARK, GAP = 7, "  "
"""Characters of the longest mark, and what stands between columns."""


def doctor_document(rows: Sequence[tuple[str, str, str, str, str]]) -> Document:
    """Give what was found as JSON; rows are name, status, what was seen, what to do, what was looked at."""
    names = ("name", "status", "seen", "hint", "looks_at")
    checks = [dict(zip(names, row, strict=True)) for row in rows]
    statuses = [row["status"] for row in checks]
    return {
        "checks": checks,
        "failed": statuses.count("FAIL"),
        "warned": statuses.count("warn"),
        "skipped": statuses.count("skipped"),
    }


def doctor_text(document: Document, page: Page) -> str:
    """Lay a visit out for people."""
    checks = document["checks"]
    wide = max(len(check["name"]) for check in checks)
    lines = [line for check in checks for line in _lines(check, wide, page)]
    counts = [f"{document['failed']} FAIL", f"{document['warned']} warn", f"{document['skipped']} skipped"]
    well = "Nothing is in the way of a run."
    ill = "A run would halt, or end otherwise than it should: mend what FAILs first."
    verdict = page.paint(ill, "bold", "red") if document["failed"] else page.paint(well, "bold", "green")
    return "\n".join([*lines, "", f"{len(checks)} checks: {', '.join(counts)}. {verdict}"])


def _lines(check: Document, wide: int, page: Page) -> list[str]:
    """Give a check's lines: how it is, its name, what was seen; below it what to do."""
    lead = " " * (MARK + len(GAP) + wide + len(GAP))
    seen = textwrap.wrap(check["seen"], page.width - len(lead), break_on_hyphens=False) or [""]
    mark = page.paint(check["status"], *COLOURS[check["status"]]) + " " * (MARK - len(check["status"]))
    lines = [f"{mark}{GAP}{check['name'].ljust(wide)}{GAP}{seen[0]}".rstrip()]
    lines += [lead + line for line in seen[1:]]
    if check["hint"]:
        hint = textwrap.wrap(f"→ {check['hint']}", page.width - len(lead), subsequent_indent="  ")
        lines += [lead + line for line in hint]
    return lines
