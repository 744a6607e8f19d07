"""Verdict: what one rule saw, what it allows, and whether that passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's judgement of one subject; `seen` and `allowed` are texts for people and records."""

    rule: str
    subject: str
    passed: bool
    seen: str
    allowed: str
    detail: str = ""

    def document(self) -> dict[str, str | bool]:
        """Give the contract's shape."""
        return {
            "rule": self.rule,
            "subject": self.subject,
            "passed": self.passed,
            "seen": self.seen,
            "allowed": self.allowed,
            "detail": self.detail,
        }


def named(names: Iterable[str]) -> str:
    """Name up to five of them, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""  # noqa: PLR2004 - enough to recognise
    return ", ".join(listed[:5]) + more if listed else "none"


def subject(names: Sequence[str]) -> str:
    """Name whom a verdict is about: up to five symbols, or the portfolio where there are none."""
    return named(names) if names else "portfolio"
