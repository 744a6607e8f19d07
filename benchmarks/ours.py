"""Ours: Trimtab's own backtest, from a plain Python function.

`exact` trades to the weights as given, like every other contender; `live` plans as the bot does, with bands,
caps and risk rules, so it has no equal to compare with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from work import CASH_USD, COST_RATE, INVESTED, MONTH, VOLATILITY_RETURNS, YEAR, Fixed, Rule, Task

import trimtab as tt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from work import Run

    from trimtab.backtesting import Result

    Strategy = Callable[[tt.History, float], dict[str, float]]

REBALANCE = {"month": "monthly", "week": "weekly"}


def bars(task: Task) -> tt.Bars:
    """Give the closes as bars, all four prices being views of one array, and the volume of one number."""
    volume = np.broadcast_to(1e6, task.close.shape)
    prices = (task.close,) * 4
    return tt.Bars(task.sessions, task.symbols, *prices, volume, task.close)


def strategy(rule: Rule) -> Strategy:
    """Give the rule as a strategy."""
    return fixed(rule.weights) if isinstance(rule, Fixed) else momentum(rule.lookback, rule.top)


def fixed(weights: tuple[float, ...]) -> Strategy:
    """Hold the same weights, by column."""

    def decide(history: tt.History, _equity: float) -> dict[str, float]:
        return dict(zip(history.symbols, weights, strict=True))

    decide.lookback_sessions = 1
    return decide


def momentum(lookback: int, top: int) -> Strategy:
    """Hold the symbols that rose most from `lookback` sessions ago until a month ago, the calm ones more."""

    def decide(history: tt.History, _equity: float) -> dict[str, float]:
        close = history.close
        if len(close) <= YEAR:
            return {}
        eligible = np.flatnonzero(~np.isnan(close[-1]) & ~np.isnan(close[-1 - YEAR]))
        rise = close[-1 - MONTH, eligible] / close[-1 - lookback, eligible] - 1
        chosen = eligible[np.argsort(-rise, kind="stable")[:top]]
        recent = close[-1 - VOLATILITY_RETURNS :, chosen]
        calm = 1 / np.std(recent[1:] / recent[:-1] - 1, axis=0, ddof=1)
        weights = calm / calm.sum() * INVESTED
        return {history.symbols[i]: weight for i, weight in zip(chosen, weights.tolist(), strict=True)}

    decide.lookback_sessions = YEAR + 1
    return decide


def play(task: Task, market: tt.Bars, rule: Rule, kind: str) -> Result:
    """Backtest a rule on the item's terms."""
    return tt.backtest(
        strategy(rule),
        market,
        rebalance=REBALANCE[task.item.period],
        fill="close",
        cost_bps=COST_RATE * 10_000,
        cash=CASH_USD,
        plan=kind,
    )


def contender(task: Task, kind: str) -> Run:
    """Give what measures it; the bars are made already."""
    market = bars(task)

    def run(rules: Sequence[Rule]) -> list[NDArray[np.float64]]:
        return [play(task, market, rule, kind).equity["equity"].to_numpy() for rule in rules]

    return run
