"""Raptorbt: its rebalance simulation, which decides every so many sessions and knows Indian costs only.

So it decides every 21 sessions instead of monthly and every 5 instead of weekly, and is compared with a
reference on the same terms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import raptorbt
from work import CASH_USD, Rule, Task, Terms, choose, filled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from work import Run

EVERY = {"month": 21, "week": 5}
"""Sessions from one decision to the next."""
SEGMENT = "equity_delivery"


def terms(task: Task, _kind: str) -> Terms:
    """Give its decisions and its costs: a tax on every trade, fees with a tax on them, a stamp on buying."""
    rates = raptorbt.indian_cost_schedule(SEGMENT)
    fees = (rates["exchange_txn_rate"] + rates["sebi_turnover_rate"]) * (1 + rates["gst_rate"])
    sell = rates["stt_rate"] + fees
    return Terms(_decisions(task), sell + rates["stamp_duty_rate"], sell)


def _decisions(task: Task) -> NDArray[np.intp]:
    rows = np.arange(0, len(task.sessions) - 1, EVERY[task.item.period])
    return rows[rows >= task.item.first_decision]


def contender(task: Task, _kind: str) -> Run:
    """Give what measures it; the prices are already without gaps."""
    prices = filled(task.close)

    def equity(rule: Rule) -> NDArray[np.float64]:
        weights = np.zeros(prices.shape)
        for row in _decisions(task):
            columns, chosen = choose(rule, task.close, row)
            weights[row, columns] = chosen
        every = float(EVERY[task.item.period])
        found = raptorbt.simulate_rebalance_policy(
            prices, weights, CASH_USD, "calendar", every, SEGMENT, 0.0, 0.0
        )
        curve: NDArray[np.float64] = found.equity_curve()
        return curve

    def run(rules: Sequence[Rule]) -> list[NDArray[np.float64]]:
        return [equity(rule) for rule in rules]

    return run
