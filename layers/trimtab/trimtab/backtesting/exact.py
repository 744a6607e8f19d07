"""Exact: a backtest that trades to the weights as given: no band, no cap, no staging, no buffer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.lots import round_down

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.backtesting.ledger import Ledger
    from trimtab.backtesting.scene import Scene

__all__ = ["walk"]

ROUNDING = 1e-9
"""As a fraction of the equity, no shortage."""


def walk(scene: Scene, ledger: Ledger) -> None:
    """Play every decision of a scene, in their order: value, ask, trade."""
    for row in scene.rows.tolist():
        equity = ledger.mark(row)
        weights = scene.ask(row, equity)
        price = scene.bars.close[row]
        target = weights * equity / price
        if math.isnan(target.dot(target)):
            target = _target(scene, ledger, row, weights, equity)
        if not scene.fractional:
            target = round_down(target, np.ones(len(target), dtype=np.bool_))
        _trade(scene, ledger, row, target - ledger.shares, price)
    ledger.mark(ledger.last)


def _target(
    scene: Scene, ledger: Ledger, row: int, weights: NDArray[np.float64], equity: float
) -> NDArray[np.float64]:
    """Give the shares (m,) that the weights stand for at the closes of `row`, where some have no bar there.

    Without a bar a symbol can't be bought. One that is held keeps its shares if it trades again later, wanted
    or not, and else is sold. What stays so, at its last close, is not there for the others: where the equity
    does not suffice, they share what is left.
    """
    target = np.zeros(len(weights))
    held = ledger.held
    paused = [
        column
        for column in held[np.isnan(scene.bars.close[row].take(held))].tolist()
        if scene.trades_after(column, row)
    ]
    target[paused] = ledger.shares[paused]
    goal = weights.nonzero()[0]
    price = scene.bars.close[row].take(goal)
    missing = np.isnan(price)
    for column in goal[missing].tolist():
        scene.note_missing(row, column)
    goal, price = goal[~missing], price[~missing]
    target[goal] = weights.take(goal) * equity / price
    if not paused:
        return target
    stays = np.asarray(paused)
    left = equity - float(target[stays].dot(ledger.last_close(row, stays)))
    wanted = float(weights.take(goal).sum()) * equity
    if wanted - left > ROUNDING * equity:
        target[goal] *= max(0.0, left) / wanted
        for column in paused:
            scene.note_missing(row, column, "was kept at the cost of others")
    return target


def _trade(
    scene: Scene, ledger: Ledger, row: int, change: NDArray[np.float64], price: NDArray[np.float64]
) -> None:
    """Trade signed shares (m,) at the closes of `row`, `price` (m,), or at the next opens.

    What has no bar from `row` on is sold at its last close; what has no open on the next is not traded.
    """
    columns = change.nonzero()[0]
    if len(columns) < len(change):
        change, price = change.take(columns), price.take(columns)
    if math.isnan(price.dot(price)):
        gone = np.isnan(price)
        ledger.trade(row, columns[gone], change[gone], ledger.last_close(row, columns[gone]))
        columns, change, price = columns[~gone], change[~gone], price[~gone]
    if scene.fill == "next_open":
        row += 1
        price = scene.bars.open[row].take(columns)
        there = price > 0
        columns, change, price = columns[there], change[there], price[there]
    if len(columns):
        ledger.trade(row, columns, change, price)
