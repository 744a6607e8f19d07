"""Finding: one doubt about one bar, and whether it stops a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date


@dataclass(frozen=True, slots=True)
class Finding:
    """What a gate saw of one symbol in one session (None: of the symbol as a whole), and what it allows.

    `halts` says whether a run stops for it, or only warns.
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
