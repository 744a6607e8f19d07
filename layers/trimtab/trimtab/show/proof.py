"""Proof: what a proof tried and found, as a page: a line a check, and what to do where one fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.record import Document
    from trimtab.show.page import Page

__all__ = ["proof_text"]

LAWS = {
    "future": "no later price changes a weight",
    "state": "the same question has the same answer, in any order",
    "clock": "no clock is read",
    "chance": "no chance is asked",
    "outside": "no file, setting or network is read",
}
"""What each check holds where it passes."""
INDENT = " " * 16
"""Under the words of a check."""


def proof_text(proof: Document, page: Page) -> str:
    """Say what a proof tried and found, from its document."""
    findings: dict[str, list[Mapping[str, Any]]] = {check["code"]: [] for check in proof["checks"]}
    for finding in proof["findings"]:
        findings[finding["code"]].append(finding)
    tried = f"{proof['decisions']} decisions, {proof['futures']} of them with other later prices"
    lines = [page.wrap(f"{page.paint('Proof', 'bold')} {tried}", "  ")]
    lines += [_check_text(check["check"], findings[check["code"]], page) for check in proof["checks"]]
    lines += [page.wrap(f"  untried {name}", INDENT) for name in proof["unchecked"]]
    return "\n".join(lines)


def _check_text(name: str, found: list[Mapping[str, Any]], page: Page) -> str:
    """Give a check's line; where it fails, the first finding and how many more there are."""
    if not found:
        return page.wrap(f"  {page.paint('ok  ', 'green')}  {name:<7} {LAWS[name]}", INDENT)
    first, more = found[0], f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    told = f"  {page.paint('FAIL', 'bold', 'red')}  {name:<7} {first['session']}: {first['message']}{more}"
    below = (f"{INDENT}seen: {first['seen']}", f"{INDENT}Next: {first['hint']}")
    return "\n".join([page.wrap(told, INDENT), *(page.wrap(line, f"{INDENT}  ") for line in below)])
