"""Errors: what stopped a command, in three lines: what, seen and allowed, hint."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.show.page import Page

__all__ = ["BUG", "bug_document", "error_text"]

BUG = "bug"
"""The code of an error that nobody foresaw."""


def error_text(error: Mapping[str, object], page: Page) -> str:
    """Say what stopped a command, from its JSON object."""
    what = page.wrap(f"{error['code']}: {error['message']}", "  ")
    seen, allowed = error.get("seen"), error.get("allowed")
    values = [f"{name}: {value}" for name, value in (("seen", seen), ("allowed", allowed)) if value]
    hint = error.get("hint")
    return "\n".join(
        [
            page.paint("error: ", "bold", "red") + what,
            *([page.wrap("  " + "; ".join(values), "    ")] if values else []),
            *([page.wrap(f"  hint: {hint}", "    ")] if hint else []),
        ]
    )


def bug_document(error: BaseException) -> dict[str, str | None]:
    """Give an unforeseen error the contract's shape."""
    return {
        "code": BUG,
        "message": f"{type(error).__name__}: {error}",
        "seen": None,
        "allowed": None,
        "hint": "this is a fault in trimtab, or in a strategy of yours; the traceback is on stderr",
    }
