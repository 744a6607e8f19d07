"""Actions: what a company did to its shares, as far as prices and quantities move by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import date

Kind = Literal["split", "dividend", "other"]


@dataclass(frozen=True, slots=True)
class Action:
    """A corporate action of one symbol; it acts at the open of its ex-date, `session` (New York).

    `split`: `ratio` new shares stand for one old (a stock dividend is one, too). `dividend`: `amount`, USD a
    share as it stood before that session, is paid. `other` (spin-off, merger, rights): the price may move by
    an amount that is not told. `name` is the broker's own word, such as `forward_split`.
    """

    symbol: str
    session: date
    kind: Kind
    name: str
    ratio: float = 1.0
    amount: float = 0.0

    def document(self) -> dict[str, str]:
        """Give what a record keeps of it."""
        return {
            "symbol": self.symbol,
            "session": self.session.isoformat(),
            "kind": self.kind,
            "name": self.name,
            "ratio": repr(self.ratio),
            "amount": repr(self.amount),
        }
