"""Scene: what a backtest plays on: bars, a strategy, the rows that decide, and how orders fill."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.allocation import weigh
from trimtab.errors import Halted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from trimtab.backtesting.terms import Fill
    from trimtab.core.bars import Bars
    from trimtab.core.mandate import Rule

Asked = tuple[int, "NDArray[np.int64]", "NDArray[np.float64]"]
"""A decision: its row, and the columns and weights (k,) that are not 0."""
Note = tuple[int, str, str]
"""Something a person may want to know: the row, a stable code, a message."""


@dataclass(slots=True, eq=False)
class Scene:
    """What a backtest plays on.

    `rows` (d,) are those that decide, ascending; `lookback` the sessions that the strategy sees (None: all
    from the first on), `least` those without which it is not asked. `asked` collects the decisions, `notes`
    what went otherwise than a reader may think.
    """

    bars: Bars
    strategy: Rule
    rows: NDArray[np.int64]
    fill: Fill
    fractional: bool
    lookback: int | None = None
    least: int = 0
    progress: Callable[[float], None] | None = None
    asked: list[Asked] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    _missed: set[int] = field(default_factory=set)
    _places: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._places = {symbol: i for i, symbol in enumerate(self.bars.symbols)}

    def ask(self, row: int, equity: float) -> NDArray[np.float64]:
        """Ask the strategy after the close of `row`, and give its weights (m,), judged.

        Raises:
            Halted: the weights are not acceptable; the session is in what was seen.
        """
        if self.progress is not None:
            self.progress(len(self.asked) / len(self.rows))
        history = self.bars.history(row + 1, self.lookback)
        try:
            weights = weigh(self.strategy(history, equity), self.bars.symbols, self._places)
        except Halted as stop:
            session = self.bars.sessions[row]
            raise Halted(
                stop.code,
                stop.message,
                seen=f"{stop.seen} on {session}",
                allowed=stop.allowed,
                hint=stop.hint,
            ) from None
        except Exception as error:
            error.add_note(f"the strategy was deciding at the close of {self.bars.sessions[row]}")
            raise
        columns = weights.nonzero()[0]
        self.asked.append((row, columns, weights.take(columns)))
        return weights

    def trades_after(self, column: int, row: int) -> bool:
        """Say whether a symbol has a bar after `row`: it has only paused."""
        return bool((~np.isnan(self.bars.close[row + 1 :, column])).any())

    def note(self, row: int, code: str, message: str) -> None:
        """Note what went otherwise than a reader may think."""
        self.notes.append((row, code, message))

    def note_missing(self, row: int, column: int, how: str = "was wanted") -> None:
        """Note, once a symbol, how it mattered on a row without a bar of it."""
        if column not in self._missed:
            self._missed.add(column)
            self.note(row, "no_bar", f"{self.bars.symbols[column]} {how} on a session without its bar")
