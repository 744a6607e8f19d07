"""Finding: one doubt about daily bars, where, and whether it stops a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule saw of one symbol in one session (New York; None: of the symbol as a whole).

    `seen` and `allowed` are texts for people; `halts` says whether a run on such bars sends nothing.
    """

    rule: str
    symbol: str
    session: date | None
    seen: str
    allowed: str
    detail: str
    halts: bool

    @property
    def name(self) -> str:
        """Name it as `data.gates.accept` does: symbol and session."""
        return self.symbol if self.session is None else f"{self.symbol} {self.session}"

    def document(self) -> dict[str, str | bool | None]:
        """Give the finding as JSON holds it."""
        return {
            "rule": self.rule,
            "symbol": self.symbol,
            "session": None if self.session is None else self.session.isoformat(),
            "seen": self.seen,
            "allowed": self.allowed,
            "detail": self.detail,
            "halts": self.halts,
        }
