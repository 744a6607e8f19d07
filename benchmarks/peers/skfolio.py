"""Skfolio: one drifting portfolio a decision; its adapter carries cash, costs and the equity between them.

Skfolio spreads a cost over the sessions of a portfolio, so costs are taken here, where they fall.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skfolio import Portfolio
from work import CASH_USD, COST_RATE, Rule, Task, choose, filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from work import Run


def contender(task: Task, _kind: str) -> Run:
    """Give what measures it; the returns of prices without gaps are there already."""
    prices = filled(task.close)
    returns = np.zeros(prices.shape)
    np.divide(prices[1:], prices[:-1], out=returns[1:])
    returns[1:] -= 1

    def run(rules: Sequence[Rule]) -> list[NDArray[np.float64]]:
        return [_equity(task, rule, returns) for rule in rules]

    return run


def _equity(task: Task, rule: Rule, returns: NDArray[np.float64]) -> NDArray[np.float64]:
    n, m = returns.shape
    equity, drifted = np.full(n, CASH_USD), np.zeros(m)
    decisions = task.decisions()
    before = CASH_USD
    for row, next_row in zip(decisions, [*decisions[1:], n - 1], strict=True):
        columns, chosen = choose(rule, task.close, row)
        weights = np.zeros(m)
        weights[columns] = chosen
        cost = COST_RATE * np.abs(weights - drifted).sum()
        held = Portfolio(X=returns[row + 1 : next_row + 1, columns], weights=chosen, weight_drift=True)
        wealth = np.cumprod(1 + held.returns)
        equity[row] = before * (1 - cost)
        equity[row + 1 : next_row + 1] = before * (wealth - cost)
        before = equity[next_row]
        drifted = np.zeros(m)
        drifted[columns] = held.ending_weights * wealth[-1] / (wealth[-1] - cost)
    return equity
