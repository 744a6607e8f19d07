"""Ledger: cash and shares of a backtest, what they were worth at every close, and every trade."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.backtesting.terms import Costs

Trade = tuple[int, "NDArray[np.int64]", "NDArray[np.float64]", "NDArray[np.float64]"]
"""Trades of one row: the row, columns (k,), signed shares, USD a share."""


class Standing(NamedTuple):
    """Where a ledger stands: what `restore` brings it back to."""

    cash: float
    shares: NDArray[np.float64]
    held: NDArray[np.int64]
    marked: int
    trades: int
    equity: float


@dataclass(slots=True, eq=False)
class Ledger:
    """Cash (USD) and shares (m,) as they stand, valued at closes (n, m), from row `first` to `last`.

    A symbol that did not trade is worth its last close. `growth` (n,) is what a USD of cash becomes from the
    session before, `flows` (n,) USD that come in at each close; both None where there is nothing of it.
    `equity` and `cash_path` hold one value a row from `first` on.
    """

    close: NDArray[np.float64]
    costs: Costs
    cash: float
    first: int
    last: int
    growth: NDArray[np.float64] | None
    flows: NDArray[np.float64] | None
    shares: NDArray[np.float64]
    held: NDArray[np.int64]
    equity: NDArray[np.float64]
    cash_path: NDArray[np.float64]
    trades: list[Trade]
    marked: int
    """The last row whose close was taken into `equity`."""

    @classmethod
    def open(
        cls,
        close: NDArray[np.float64],
        costs: Costs,
        cash: float,
        rows: tuple[int, int],
        growth: NDArray[np.float64] | None,
        flows: NDArray[np.float64] | None,
    ) -> Ledger:
        """Open it with cash alone, before the first of `rows` (first, last)."""
        first, last = rows
        nothing, count = np.zeros(close.shape[1]), last - first + 1
        return cls(
            close,
            costs,
            cash,
            first,
            last,
            growth,
            flows,
            nothing,
            np.empty(0, dtype=np.int64),
            np.empty(count),
            np.empty(count),
            [],
            first - 1,
        )

    def mark(self, row: int) -> float:
        """Value every session up to `row` with what is held now; give the equity at its close, USD."""
        begin = self.marked + 1
        if begin <= row:
            window = slice(begin - self.first, row + 1 - self.first)
            if self.growth is None and self.flows is None:
                cash: float | NDArray[np.float64] = self.cash
            else:
                cash = self._cash_until(begin, row)
            self.cash_path[window] = cash
            self.equity[window] = self._holdings(begin, row) + cash if len(self.held) else cash
            self.marked = row
        return float(self.equity[row - self.first])

    def _cash_until(self, begin: int, row: int) -> NDArray[np.float64]:
        """Let cash grow and flow from row `begin` to `row`: its value at each close."""
        grown = np.ones(row + 1 - begin) if self.growth is None else self.growth[begin : row + 1].copy()
        grown[0] = 1.0 if begin == self.first else grown[0]
        factor = np.cumprod(grown)
        path = self.cash * factor
        if self.flows is not None:
            path += factor * np.cumsum(self.flows[begin : row + 1] / factor)
        self.cash = float(path[-1])
        return np.asarray(path, dtype=np.float64)

    def _holdings(self, begin: int, row: int) -> NDArray[np.float64]:
        """Give the value of the holdings at the closes from row `begin` to `row`, USD."""
        block = self.close[begin : row + 1]
        shares = self.shares
        if len(self.held) < len(shares):
            block, shares = block.take(self.held, axis=1), shares.take(self.held)
        value: NDArray[np.float64] = block.dot(shares)
        if math.isnan(value.dot(value)):
            value = self._filled(block, begin).dot(shares)
        return value

    def _filled(self, block: NDArray[np.float64], begin: int) -> NDArray[np.float64]:
        """Fill a block of closes (rows, held) forward, from the last closes before it."""
        whole = np.vstack([self.last_close(begin - 1, self.held), block])
        known = np.where(np.isnan(whole), 0, np.arange(len(whole))[:, None])
        filled = np.take_along_axis(whole, np.maximum.accumulate(known, axis=0), axis=0)
        return np.asarray(filled[1:])

    def last_close(self, row: int, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give the close (k,) of each column at `row`, or the last one before it; NaN where there is none."""
        price: NDArray[np.float64] = self.close[row].take(columns)
        for i in np.flatnonzero(np.isnan(price)).tolist():
            before = self.close[:row, columns[i]]
            there = np.flatnonzero(~np.isnan(before))
            if len(there):
                price[i] = before[there[-1]]
        return price

    def trade(
        self, row: int, columns: NDArray[np.int64], quantity: NDArray[np.float64], price: NDArray[np.float64]
    ) -> float:
        """Trade signed shares (k,) at `price` (k,) on a row, and give what it cost, USD.

        On a row that is marked already the trade is at its close: its equity then falls by the cost.
        """
        total = self.costs.total(quantity, price)
        self.cash -= float(quantity.dot(price)) + total
        self.shares = self.shares.copy()
        self.shares[columns] += quantity
        self.held = self.shares.nonzero()[0]
        self.trades.append((row, columns, quantity, price))
        if row == self.marked:
            self.equity[row - self.first] -= total
            self.cash_path[row - self.first] = self.cash
        return total

    def equity_before(self, row: int) -> float | None:
        """Give the equity at the close before a row, USD; None before the first."""
        return float(self.equity[row - 1 - self.first]) if row > self.first else None

    def standing(self) -> Standing:
        """Give where it stands at the close of the row that was marked last."""
        equity = float(self.equity[self.marked - self.first])
        return Standing(self.cash, self.shares, self.held, self.marked, len(self.trades), equity)

    def restore(self, standing: Standing) -> None:
        """Go back to an earlier standing."""
        self.cash, self.shares, self.held, self.marked, trades, equity = standing
        del self.trades[trades:]
        self.equity[self.marked - self.first] = equity
        self.cash_path[self.marked - self.first] = self.cash
