"""Bt: its loop over sessions, with an algo that trades to target weights of the equity before trading.

Its own `Rebalance` takes costs out of the amount to allocate, which would be other trades.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import bt
import pandas as pd
from work import CASH_USD, COST_RATE, Rule, Task, choose, filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from work import Run


class Targets(bt.Algo):
    """On the sessions that decide, trades every symbol to its weight."""

    def __init__(self, task: Task, rule: Rule) -> None:
        super().__init__()
        self.task, self.rule = task, rule
        self.rows = {pd.Timestamp(task.sessions[row]): row for row in task.decisions()}

    def __deepcopy__(self, memo: object) -> Targets:
        """Give itself: a backtest copies its strategy, and the prices need no copy."""
        return self

    def __call__(self, target: bt.Strategy) -> bool:
        """Trade where `target` is at a session that decides."""
        row = self.rows.get(target.now)
        if row is None:
            return True
        columns, weights = choose(self.rule, self.task.close, row)
        wanted = {self.task.symbols[i]: w for i, w in zip(columns, weights.tolist(), strict=True)}
        equity = target.value
        for symbol, security in list(target.children.items()):
            if symbol not in wanted and security.position:
                security.transact(-security.position, update=False)
        for symbol, weight in wanted.items():
            if symbol not in target.children:
                target._create_child_if_needed(symbol)  # noqa: SLF001 - as its own Rebalance does
            security = target.children[symbol]
            quantity = weight * equity / target.universe[symbol].loc[target.now] - security.position
            security.transact(quantity, update=False)
        target.root.stale = True
        return True


def _fee(quantity: float, price: float) -> float:
    return abs(quantity * price) * COST_RATE


def contender(task: Task, _kind: str) -> Run:
    """Give what measures it; the prices are already a frame without gaps."""
    prices = pd.DataFrame(filled(task.close), index=pd.DatetimeIndex(task.sessions), columns=task.symbols)

    def equity(rule: Rule) -> NDArray[np.float64]:
        strategy = bt.Strategy("targets", [Targets(task, rule)])
        test = bt.Backtest(
            strategy, prices, initial_capital=CASH_USD, commissions=_fee, integer_positions=False
        )
        test.run()
        values: NDArray[np.float64] = test.strategy.values.to_numpy()[1:]  # noqa: PD011 - bt's, no frame's
        return values

    def run(rules: Sequence[Rule]) -> list[NDArray[np.float64]]:
        return [equity(rule) for rule in rules]

    return run
