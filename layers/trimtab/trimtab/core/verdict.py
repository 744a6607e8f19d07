"""Verdict: what one rule saw, what it allows, and whether that passes."""

from __future__ import annotations

from dataclasses import dataclass


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
