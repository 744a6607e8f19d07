"""Errors: what stops a run, split by the one question that matters to the owner.

Did this run send an order?

```
TrimtabError            code, message, seen, allowed, hint
├── Misconfigured       the owner's settings, files or flags are wrong; nothing began       exit 2
├── Halted              this run sent nothing; the portfolio is as it was                    exit 3
└── Interrupted         it sent, or may have sent, an order and did not finish;              exit 4
                        running again in the same session resumes it
```

Anything else that escapes is a bug and exits 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Halted", "Interrupted", "Misconfigured", "TrimtabError"]


class TrimtabError(Exception):
    """The common shape: a stable code, what was seen, what was allowed, what to do."""

    exit_status: ClassVar[int] = 1

    def __init__(
        self, code: str, message: str, *, seen: object = None, allowed: object = None, hint: str = ""
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.seen = seen
        self.allowed = allowed
        self.hint = hint
        self.stage: str | None = None
        self.unrecorded: dict[str, Any] | None = None
        """What the run's record would have held, where it could not be written."""

    def document(self) -> dict[str, str | None]:
        """Give the error as the contract's JSON object: code, message, seen, allowed, hint."""
        return {
            "code": self.code,
            "message": self.message,
            "seen": None if self.seen is None else str(self.seen),
            "allowed": None if self.allowed is None else str(self.allowed),
            "hint": self.hint,
        }

    def mask(self, redact: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Take what `redact` takes out of documents out of all that the error says, in place."""
        clean = redact(self.document())
        self.message, self.hint = str(clean["message"]), str(clean["hint"])
        self.seen, self.allowed = clean["seen"], clean["allowed"]
        self.args = (self.message,)
        self.unrecorded = None if self.unrecorded is None else redact(self.unrecorded)

    def __str__(self) -> str:
        parts = [f"{self.code}: {self.message}"]
        if self.seen is not None:
            parts.append(f"seen: {self.seen}")
        if self.allowed is not None:
            parts.append(f"allowed: {self.allowed}")
        return "; ".join(parts)


class Misconfigured(TrimtabError):  # noqa: N818 - the name says what became of the run
    """The owner's settings, files or flags are wrong; nothing began."""

    exit_status = 2


class Halted(TrimtabError):  # noqa: N818 - the name says what became of the run
    """This run sent nothing; the portfolio is as it was."""

    exit_status = 3


class Interrupted(TrimtabError):  # noqa: N818 - the name says what became of the run
    """This run sent or may have sent an order and did not finish; run again to resume."""

    exit_status = 4
