"""Reference: the backtest as a plain numpy loop, one decision at a time; every other result must equal it.

At each decision: what is held is worth its close, or its last close where it trades no more; the target of a
symbol is its weight of the equity before trading; the difference is traded in fractional shares at that
close, and its cost leaves cash. Between decisions, equity is cash and holdings at every close.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from work import CASH_USD, Rule, Task, Terms, choose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from work import Run


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`equity` (n,) in USD at every session, and the k trades, each an entry of the other arrays.

    A trade has its row and column, its quantity (shares, negative where sold), price and cost (USD).
    """

    equity: NDArray[np.float64]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    quantity: NDArray[np.float64]
    price: NDArray[np.float64]
    cost: NDArray[np.float64]


def backtest(close: NDArray[np.float64], rule: Rule, terms: Terms) -> Result:
    """Backtest a rule on (n, m) closes."""
    n, m = close.shape
    last = last_closes(close)
    cash, shares = CASH_USD, np.zeros(m)
    equity = np.full(n, CASH_USD)
    trades: list[tuple[NDArray[np.float64], ...]] = []
    for row, next_row in zip(terms.decisions, [*terms.decisions[1:], n], strict=True):
        price = np.where(np.isnan(close[row]), last, close[row])
        before = cash + shares @ price

        columns, weights = choose(rule, close, row)
        target = np.zeros(m)
        target[columns] = weights * before / price[columns]

        traded = np.flatnonzero(target != shares)
        quantity = (target - shares)[traded]
        value = quantity * price[traded]
        cost = np.where(value > 0, terms.buy_rate, terms.sell_rate) * np.abs(value)
        trades.append((np.full(len(traded), row), traded, quantity, price[traded], cost))
        cash -= value.sum() + cost.sum()
        shares = target

        held = np.flatnonzero(shares)
        prices = close[row:next_row, held]
        prices = np.where(np.isnan(prices), last[held], prices)
        equity[row:next_row] = cash + prices @ shares[held]
    return Result(equity, *(np.concatenate(parts) for parts in zip(*trades, strict=True)))


def last_closes(close: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give each symbol's last close, at which it is valued and sold once it trades no more."""
    last = close[-1].copy()
    for column in np.flatnonzero(np.isnan(last)):
        last[column] = close[np.flatnonzero(~np.isnan(close[:, column]))[-1], column]
    return last


def contender(task: Task, _kind: str) -> Run:
    """Give what measures the loop itself."""

    def run(rules: Sequence[Rule]) -> list[NDArray[np.float64]]:
        return [backtest(task.close, rule, Terms(task.decisions())).equity for rule in rules]

    return run
