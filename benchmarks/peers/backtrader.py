"""Backtrader: its event loop, with orders executed at the close that decided them.

It takes the cost with the execution, one session later; the equity of a session that decides is told after
its cost here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import backtrader
import numpy as np
import pandas as pd
from work import CASH_USD, COST_RATE, Rule, Task, choose, filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from work import Run


class Targets(backtrader.Strategy):
    """On the sessions that decide, trades every symbol to its weight, sales first."""

    params = (("task", None), ("rule", None))

    def __init__(self) -> None:
        self.decisions = set(self.p.task.decisions().tolist())
        self.equity: list[float] = []

    def next(self) -> None:
        """Trade where this session decides, and note the equity."""
        row, equity = len(self.equity), self.broker.getvalue()
        self.equity.append(equity)
        if row not in self.decisions:
            return
        columns, weights = choose(self.p.rule, self.p.task.close, row)
        wanted = dict(zip(columns.tolist(), weights.tolist(), strict=True))
        trades = []
        for column, data in enumerate(self.datas):
            held = self.broker.getposition(data).size
            if held or column in wanted:
                price = data.close[0]
                trades.append((wanted.get(column, 0.0) * equity / price - held, price, data))
        for quantity, price, data in sorted(trades, key=lambda trade: trade[0] * trade[1]):
            order = self.buy if quantity > 0 else self.sell
            order(data, size=abs(quantity), exectype=backtrader.Order.Market)
            self.equity[row] -= abs(quantity) * price * COST_RATE


def contender(task: Task, _kind: str) -> Run:
    """Give what measures it; the prices are already frames without gaps, one a symbol."""
    prices, index = filled(task.close), pd.DatetimeIndex(task.sessions)
    frames = [pd.DataFrame({"close": prices[:, i]}, index=index) for i in range(len(task.symbols))]
    columns = {"open": 0, "high": 0, "low": 0, "close": 0, "volume": None, "openinterest": None}

    def equity(rule: Rule) -> NDArray[np.float64]:
        cerebro = backtrader.Cerebro(stdstats=False)
        for name, frame in zip(task.symbols, frames, strict=True):
            cerebro.adddata(backtrader.feeds.PandasData(dataname=frame, **columns), name=name)
        cerebro.broker.set_cash(CASH_USD)
        cerebro.broker.setcommission(commission=COST_RATE)
        cerebro.broker.set_coc(True)
        cerebro.broker.set_checksubmit(False)
        cerebro.addstrategy(Targets, task=task, rule=rule)
        [strategy] = cerebro.run()
        return np.array(strategy.equity)

    def run(rules: Sequence[Rule]) -> list[NDArray[np.float64]]:
        return [equity(rule) for rule in rules]

    return run
