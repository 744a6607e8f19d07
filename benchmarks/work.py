"""Work: what each contender of the backtest benchmark computes, and what it computes it from.

Needs numpy alone, so that it also serves the environment of the peers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Run = Callable[[Sequence["Rule"]], list[NDArray[np.float64]]]
    """Backtests each rule, and gives its equity (USD) at every session."""

CASH_USD = 1_000_000.0
COST_RATE = 0.001
"""Cost as a fraction of the traded value, paid from cash."""
INVESTED = 0.99
"""The sum of the target weights; the rest stays in cash and pays for costs."""

YEAR, MONTH = 252, 21
"""Sessions. A symbol is eligible with a bar now and a year ago; momentum leaves the last month out."""
VOLATILITY_RETURNS = 63

LOOKBACKS = tuple(range(63, YEAR + 1, 21))
TOPS = (5, 10, 20, 30, 40, 50, 60, 75, 100, 150)


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same weights at every decision, by column."""

    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Momentum:
    """The `top` symbols by momentum over `lookback` sessions, weighted by inverse volatility."""

    lookback: int
    top: int


Rule = Fixed | Momentum


@dataclass(frozen=True, slots=True)
class Item:
    """A work item: one rule or many, on one universe, deciding at the last session of each period."""

    name: str
    universe: str
    period: str
    first_decision: int
    rules: tuple[Rule, ...]


ITEMS = {
    item.name: item
    for item in (
        Item("W1", "etfs", "month", 0, (Fixed(tuple(w * INVESTED for w in (0.4, 0.2, 0.2, 0.05, 0.15))),)),
        Item("W2", "stocks500", "month", YEAR, (Momentum(YEAR, 50),)),
        Item("W3", "stocks3000", "week", YEAR, (Momentum(YEAR, 50),)),
        Item("W4", "stocks500", "month", YEAR, tuple(Momentum(b, n) for b in LOOKBACKS for n in TOPS)),
    )
}


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A work item with its data: `sessions` (n,), `symbols` (m,) ascending, `close` (n, m) in USD.

    `close` is NaN before a symbol's first bar and after its last, and nowhere between.
    """

    item: Item
    sessions: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    close: NDArray[np.float64]

    @classmethod
    def load(cls, item: Item, folder: Path) -> Task:
        """Read the item's universe from the folder that `market.write` filled."""
        where = Path(folder) / item.universe
        symbols = tuple(np.load(where / "symbols.npy").tolist())
        return cls(item, np.load(where / "sessions.npy"), symbols, np.load(where / "close.npy"))

    def decisions(self) -> NDArray[np.intp]:
        """Give the rows at whose close the item decides."""
        ends = period_ends(self.sessions, self.item.period)
        return ends[ends >= self.item.first_decision]


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """When a backtest decides (rows), and what buying and selling costs (fractions of the value)."""

    decisions: NDArray[np.intp]
    buy_rate: float = COST_RATE
    sell_rate: float = COST_RATE


def period_ends(sessions: NDArray[np.datetime64], period: str) -> NDArray[np.intp]:
    """Give the rows that end a month or an ISO week: those whose next session is of another one.

    The last row ends none, since its next session is unknown.
    """
    if period == "month":
        number = sessions.astype("datetime64[M]").astype(np.int64)
    else:  # day 0 is a Thursday, so three days later weeks begin at multiples of seven
        number = (sessions.astype("datetime64[D]").astype(np.int64) + 3) // 7
    return np.flatnonzero(np.diff(number))


def choose(rule: Rule, close: NDArray[np.float64], row: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Give the columns that the rule selects at a row's close, and their weights (fractions of equity)."""
    if isinstance(rule, Fixed):
        return np.arange(len(rule.weights)), np.array(rule.weights)
    eligible = np.flatnonzero(~np.isnan(close[row]) & ~np.isnan(close[row - YEAR]))
    momentum = close[row - MONTH, eligible] / close[row - rule.lookback, eligible] - 1
    columns = eligible[np.argsort(-momentum, kind="stable")[: rule.top]]
    window = close[row - VOLATILITY_RETURNS : row + 1, columns]
    volatility = np.std(window[1:] / window[:-1] - 1, axis=0, ddof=1)
    weights = 1 / volatility
    return columns, weights / weights.sum() * INVESTED


def filled(close: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give a copy without NaN, for tools that bear none: a symbol keeps its last close, and had its first."""
    whole = close.copy()
    for column in np.flatnonzero(np.isnan(close).any(axis=0)):
        listed = np.flatnonzero(~np.isnan(close[:, column]))
        whole[: listed[0], column] = close[listed[0], column]
        whole[listed[-1] + 1 :, column] = close[listed[-1], column]
    return whole
