"""Vectorbt: target weights as a matrix of orders, with one shared pot of cash.

`plain` is what its documentation shows. `rust` is what an expert would do: the Rust engine, and only the
columns that are ever held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import vectorbt as vbt
from work import CASH_USD, COST_RATE, Rule, Task, choose, filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from work import Run


def contender(task: Task, kind: str) -> Run:
    """Give what measures it; the prices are already a frame without gaps."""
    prices = pd.DataFrame(filled(task.close), index=pd.DatetimeIndex(task.sessions), columns=task.symbols)

    def run(rules: Sequence[Rule]) -> list[NDArray[np.float64]]:
        return [_equity(prices, _orders(task, rule), kind) for rule in rules]

    return run


def _orders(task: Task, rule: Rule) -> NDArray[np.float64]:
    """Give target weights, NaN (no order) on the sessions that decide nothing."""
    orders = np.full(task.close.shape, np.nan)
    for row in task.decisions():
        columns, weights = choose(rule, task.close, row)
        orders[row] = 0.0
        orders[row, columns] = weights
    return orders


def _equity(prices: pd.DataFrame, orders: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    if kind == "rust":
        held = np.flatnonzero(np.nansum(orders, axis=0))
        prices, orders = prices.iloc[:, held], orders[:, held]
    portfolio = vbt.Portfolio.from_orders(
        prices,
        size=orders,
        size_type="targetpercent",
        fees=COST_RATE,
        init_cash=CASH_USD,
        group_by=True,
        cash_sharing=True,
        call_seq="auto",
        freq="1D",
        engine="rust" if kind == "rust" else "numba",
    )
    equity: NDArray[np.float64] = portfolio.value().to_numpy()
    return equity
