"""Docket: the plans of a backtest that wait for their review; they are judged many at once.

A plan that `size` made seldom breaks a rule, so a backtest plays on, and has its plans judged a few dozen
at a time by the same rules as a live run's. At the first one that is refused it goes back to that session.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trimtab.core.plan import Hold, Order, Plan
from trimtab.core.risk import OF_A_DAY, Conditions, judge, passes
from trimtab.core.sizing import GUARDED, Book, Sized, Why

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.core.limits import Risk
    from trimtab.core.verdict import Verdict

FULL = 64
"""So many plans are judged at once."""


class Entry(NamedTuple):
    """A session's plan: the row whose closes sized it, what was before, and where to go back to.

    `columns` are those of its book among all; `drawdown` and `move` fractions as in `Conditions`.
    """

    row: int
    columns: NDArray[np.int64]
    book: Book
    sized: Sized
    drawdown: float
    move: float
    undo: Any

    def plan(self) -> Plan:
        """Give the plan, its orders and holds made on demand."""
        return Plan(self.book, self.sized)

    def told(self) -> list[tuple[Order | Hold, float]]:
        """Give every order and hold, each with its signed shares."""
        plan = self.plan()
        orders = [(o, float(o.qty) * (1 if o.side == "buy" else -1)) for o in plan.orders()]
        return [*orders, *((hold, 0.0) for hold in plan.holds())]


@dataclass(slots=True)
class Docket:
    """The plans that passed, and those that wait for their review."""

    risk: Risk
    passed: list[Entry] = field(default_factory=list)
    waiting: list[Entry] = field(default_factory=list)

    def refused(self) -> Entry | None:
        """Judge what waits; give the first plan that a rule refuses, and forget those after it."""
        if not self.waiting:
            return None
        fine = np.concatenate([passes(*_stacked(part), self.risk) for part in self._parts()])
        bad = len(fine) if fine.all() else int(np.argmin(fine))
        first = self.waiting[bad] if bad < len(fine) else None
        self.passed += [entry._replace(undo=None) for entry in self.waiting[:bad]]
        self.waiting = []
        return first

    def _parts(self) -> list[list[Entry]]:
        """Split what waits into what can be stacked: a limit of a symbol's own stands in one column alone."""
        if not self.risk.max_order_size_by_symbol:
            return [self.waiting]
        return [list(alike) for _, alike in groupby(self.waiting, key=lambda entry: entry.book.symbols)]


def verdicts(entry: Entry, risk: Risk) -> tuple[Verdict, ...]:
    """Give the verdict of every rule that measures something on one plan."""
    conditions = Conditions({}, drawdown=entry.drawdown, equity_move=entry.move)
    left_out = {rule.__name__ for rule in OF_A_DAY}
    return tuple(v for v in judge(entry.plan(), conditions, risk) if v.rule not in left_out)


def _stacked(entries: list[Entry]) -> tuple[Plan, Conditions]:
    """Put k plans into one of arrays (k, w); a shorter one is filled up with nothing at a price of 1.

    Where symbols have limits of their own, all must be of the same symbols.
    """
    k, width = len(entries), max(len(entry.columns) for entry in entries)
    weights, held, quantity, asked = (np.zeros((k, width)) for _ in range(4))
    price, volume = np.ones((k, width)), np.full((k, width), np.inf)
    guarded = np.zeros((k, width), dtype=np.bool_)
    totals = np.zeros((k, 4))
    for i, (_row, columns, book, sized, drawdown, move, _undo) in enumerate(entries):
        n = len(columns)
        weights[i, :n], asked[i, :n] = sized.weights, book.weights
        held[i, :n], quantity[i, :n] = book.held, sized.quantity
        price[i, :n], volume[i, :n] = book.price, book.volume
        if len(sized.marks) > 2:  # noqa: PLR2004 - more than band and rest
            guarded[i, :n] = sized.marked(GUARDED)
        totals[i] = book.cash, book.equity, drawdown, move
    none = np.zeros(0, dtype=np.bool_)
    cash, equity, fall, moved = (totals[:, j : j + 1] for j in range(4))
    symbols, breadth = entries[0].book.symbols, entries[0].book.breadth
    book = Book(symbols, asked, held, price, none, none, volume, cash, equity, 0.0, breadth)  # type: ignore[arg-type]  # columns of k
    sized = Sized(weights, held, held, quantity, none, ((Why.NO_QUOTE, guarded),))
    return Plan(book, sized), Conditions({}, drawdown=fall, equity_move=moved)  # type: ignore[arg-type]  # as above
