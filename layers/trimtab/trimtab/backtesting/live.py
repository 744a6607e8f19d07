"""Live: a backtest that plans, reviews and trades as the bot does, with the bot's own plan and rules.

A decision is taken at the close of its row; what staging, turnover, quotes or cash leave short goes on at
the next sessions, as in a run of the line. A plan that a rule refuses trades nothing, and the next session
decides anew; three refused sessions in a row, or a fall beyond `max_drawdown`, latch the portfolio. Nobody
resumes it here: from then on nothing is traded.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trimtab.backtesting.docket import FULL, Docket, Entry, verdicts
from trimtab.core.flows import growth
from trimtab.core.lots import round_down
from trimtab.core.mandate import ADV_SESSIONS
from trimtab.core.sizing import LEFT_SHORT, Book, Sized, Why, size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.backtesting.ledger import Ledger
    from trimtab.backtesting.scene import Scene
    from trimtab.core.limits import Execution, Risk

__all__ = ["BAD_SESSIONS", "Walk"]

BAD_SESSIONS = 3
"""So many refused sessions in a row latch the portfolio."""
FEW = 64
"""Up to so many symbols all of them are planned; of more, only those that are held or wanted."""
LEAST_SHARES = 1e-6
"""The smallest part of a share that is still owed."""
_NOISE = 1 + 1e-9
"""110 / 100 - 1 is more than 0.1 by float noise alone."""
_CLEAN = 2
"""A plan has so many marks where nothing was shortened, held back by its quote, or too small."""


class State(NamedTuple):
    """How a portfolio stands between two sessions.

    `weights` (m,) as decided, None before; `pending` (m,) what is still short of them, None where nothing is;
    `due`: a decision waits to be carried out. `equity` (USD), `row`, `wealth` and `peak` are of the last
    plan; `refused` sessions in a row.
    """

    weights: NDArray[np.float64] | None = None
    pending: NDArray[np.bool_] | None = None
    due: bool = False
    equity: float | None = None
    row: int = -1
    wealth: float = 1.0
    peak: float = 1.0
    refused: int = 0


class Walk:
    """A walk over a scene's sessions under the bot's limits; `docket` holds its plans in the end."""

    def __init__(self, scene: Scene, ledger: Ledger, execution: Execution, risk: Risk) -> None:
        self.scene, self.ledger, self.execution, self.risk = scene, ledger, execution, risk
        self.docket, self.state, self.latched = Docket(risk), State(), False
        m = len(scene.bars.symbols)
        self._columns, self._active = np.arange(m), np.ones(m, dtype=np.bool_)
        self._whole = np.full(m, not (execution.fractional and scene.fractional))
        self._names = np.array(scene.bars.symbols, dtype=object)
        self._each = bool(risk.max_order_size_by_symbol) or m <= FEW

    def play(self) -> None:
        """Play every session that has something to do, and value all of them."""
        rows, last = self.scene.rows.tolist(), self.ledger.last
        deciding, row = set(rows), rows[0] if rows else last
        while not self.latched:
            while row < last and len(self.docket.waiting) < FULL:
                if row in deciding and not self.state.due:
                    self.state = self.state._replace(due=True)
                self._session(row)
                row = self._next(rows, row)
            back = self._review()
            if back is not None:
                row = self._next(rows, back)
            elif row >= last:
                break
        self.ledger.mark(last)

    def _next(self, rows: list[int], row: int) -> int:
        """Give the next row with something to do."""
        if self.state.due or self.state.pending is not None:
            return row + 1
        i = bisect_right(rows, row)
        return rows[i] if i < len(rows) else self.ledger.last

    def _review(self) -> int | None:
        """Have the waiting plans judged; where one is refused, go back to it, and give its row."""
        bad = self.docket.refused()
        if bad is None:
            return None
        standing, state, asked = bad.undo
        self.ledger.restore(standing)
        del self.scene.asked[asked:]
        self.state = state._replace(refused=state.refused + 1)
        first = next(v for v in verdicts(bad, self.risk) if not v.passed)
        said = f"{first.rule} refuses {first.subject}: seen {first.seen}, allowed {first.allowed}"
        self.scene.note(bad.row, "refused", said)
        self.latched = first.rule == "max_drawdown" or self.state.refused >= BAD_SESSIONS
        if self.latched:
            self.scene.note(bad.row, "latched", f"{first.rule}: nothing is traded from here on")
        return bad.row

    def _session(self, row: int) -> None:
        """Plan and trade one session."""
        ledger, state, scene = self.ledger, self.state, self.scene
        equity = ledger.mark(row)
        undo = (ledger.standing(), state, len(scene.asked))
        if not state.due:
            weights, active = state.weights, state.pending
        elif row + 1 >= scene.least:
            weights, active = scene.ask(row, equity), None
        else:  # too short a history: the bot halts at its gate
            self.state = state._replace(due=False)
            return
        if scene.fill == "close":
            now, before, came_in = equity, ledger.equity_before(row), self._flow(row, row)
        else:
            now, before, came_in = self._worth_at_open(row + 1), equity, 0.0
        columns, book = self._book(row, weights, active)  # type: ignore[arg-type]  # a pending one was decided
        quotes, guard = self._quotes(row, columns, book)
        sized = size(book, self.execution, self.risk, guard)
        move = 0.0 if before is None else abs(growth(before, now, came_in) - 1)
        wealth, peak = state.wealth, state.peak
        if state.equity is not None:
            wealth *= growth(state.equity, now, self._flow(state.row + 1, row))
            peak = max(peak, wealth)
        self.docket.waiting.append(Entry(row, columns, book, sized, 1 - wealth / peak, move, undo))
        pending = self._trade(row, columns, sized, book, quotes)
        self.state = State(weights, pending, False, now, row, wealth, peak, 0)

    def _flow(self, begin: int, row: int) -> float:
        """Give what came in at the closes from row `begin` to `row`, USD."""
        return 0.0 if self.ledger.flows is None else float(self.ledger.flows[begin : row + 1].sum())

    def _worth_at_open(self, row: int) -> float:
        """Give the equity at the opens of a row, USD; what does not open is worth its last close."""
        held = self.ledger.held
        price = self.scene.bars.open[row].take(held)
        if math.isnan(price.dot(price)):
            price = np.where(np.isnan(price), self.ledger.last_close(row - 1, held), price)
        return self.ledger.cash + float(price.dot(self.ledger.shares.take(held)))

    def _book(
        self, row: int, weights: NDArray[np.float64], active: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], Book]:
        """Lay out what the plan is made from, and give the columns (k,) that are in it."""
        ledger, columns = self.ledger, self._columns
        if not self._each:
            columns = ((weights != 0) | (ledger.shares != 0)).nonzero()[0]
        price = self.scene.bars.close[row].take(columns)
        if math.isnan(price.dot(price)):
            columns, price = self._with_bars(row, columns, price, weights)
        volume = self.scene.bars.volume[max(row + 1 - ADV_SESSIONS, 0) : row + 1]
        if len(columns) == len(weights):
            symbols, held, whole = self.scene.bars.symbols, ledger.shares, self._whole
            now = self._active if active is None else active
        else:
            symbols, held = tuple(self._names[columns].tolist()), ledger.shares.take(columns)
            weights, volume = weights.take(columns), volume.take(columns, axis=1)
            whole = self._whole[: len(columns)]
            now = self._active[: len(columns)] if active is None else active.take(columns)
        average = np.add.reduce(volume, axis=0) / len(volume)
        if math.isnan(average.dot(average)):
            average = _mean_of_known(volume)
        equity = float(ledger.equity[row - ledger.first])
        breadth = len(self._columns)
        return columns, Book(
            symbols, weights, held, price, whole, now, average, ledger.cash, equity, 0.0, breadth
        )

    def _with_bars(
        self,
        row: int,
        columns: NDArray[np.int64],
        price: NDArray[np.float64],
        weights: NDArray[np.float64],
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Leave the symbols out that have no bar today; sell at its last close what never has one again."""
        gone = np.isnan(price)
        for column in columns[gone].tolist():
            if self.ledger.shares[column] > 0 and not self.scene.trades_after(column, row):
                one = np.array([column])
                self.ledger.trade(row, one, -self.ledger.shares[one], self.ledger.last_close(row, one))
            if weights[column] > 0:
                self.scene.note_missing(row, column)
        return columns[~gone], price[~gone]

    def _quotes(
        self, row: int, columns: NDArray[np.int64], book: Book
    ) -> tuple[NDArray[np.float64], NDArray[np.int32] | None]:
        """Give the price (k,) at which orders meet the market, and what the quote guard holds back."""
        if self.scene.fill == "close":
            return book.price, None
        price = self.scene.bars.open[row + 1].take(columns)
        with np.errstate(invalid="ignore"):
            far = np.abs(price / book.price - 1) > self.risk.max_gap * _NOISE
        guard = np.where(price > 0, np.where(far, int(Why.MAX_GAP), 0), int(Why.NO_QUOTE))
        return price, guard.astype(np.int32)

    def _trade(
        self,
        row: int,
        columns: NDArray[np.int64],
        sized: Sized,
        book: Book,
        quotes: NDArray[np.float64],
    ) -> NDArray[np.bool_] | None:
        """Trade a plan, and give the symbols (m,) that stay short of the decision; None where none does."""
        ledger, quantity = self.ledger, sized.quantity
        orders = quantity.nonzero()[0]
        short = sized.marked(LEFT_SHORT) if len(sized.marks) > _CLEAN else None
        if len(orders):
            price, wish = quotes.take(orders), quantity.take(orders)
            bought = wish
            if ledger.costs.total(wish, price) + float(wish.dot(price)) > ledger.cash:
                bought = self._affordable(wish, price)
                owed = wish - bought
                least = np.maximum(LEAST_SHARES, self.execution.min_order_usd / book.price.take(orders))
                short = np.zeros(len(quantity), dtype=np.bool_) if short is None else short
                short[orders[owed >= least]] = True
            done = bought.nonzero()[0]
            where = columns.take(orders.take(done))
            ledger.trade(row + (self.scene.fill == "next_open"), where, bought.take(done), price.take(done))
        if short is None or not short.any():
            return None
        pending = np.zeros(len(self._columns), dtype=np.bool_)
        pending[columns[short]] = True
        return pending

    def _affordable(self, wish: NDArray[np.float64], price: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shrink the buys by one factor to the cash that is there after the sells, as execute does."""
        sells, buys = np.minimum(wish, 0.0), np.maximum(wish, 0.0)
        costs = self.ledger.costs
        funds = self.ledger.cash - float(sells.dot(price)) - costs.total(sells, price)
        need = float(buys.dot(price)) + costs.total(buys, price)
        lots = round_down(buys * max(funds / need, 0.0), np.floor(buys) == buys)
        return sells + np.where(lots * price < self.execution.min_order_usd, 0.0, lots)


def _mean_of_known(volume: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the mean (k,) of the volumes (20, k) that are known; 0 where none is."""
    known = ~np.isnan(volume)
    total = np.where(known, volume, 0.0).sum(axis=0)
    return np.asarray(total / np.maximum(known.sum(axis=0), 1))
