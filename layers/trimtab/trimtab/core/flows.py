"""Flows: deposits and withdrawals, and what the account made of its money without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from decimal import Decimal

    from trimtab.core.portfolio import Flow

Dated = tuple["date", float]
"""A flow by its New York date, USD."""


@dataclass(frozen=True, slots=True)
class Point:
    """The account's equity (USD) as one run of a session read it, and the flows which that run saw first."""

    session: date
    equity: float
    flows: tuple[Dated, ...] = ()


def worth(flow: Flow, price: Mapping[str, float]) -> float | None:
    """Give a flow's value in USD, shares at `price` (USD a share); None where shares have no price."""
    if flow.qty == 0 or not flow.symbol:
        return float(flow.amount)
    if flow.symbol in price:
        return float(flow.qty) * price[flow.symbol]
    return float(flow.amount) if flow.amount else None


def growth(before: float, after: float, flow: float) -> float:
    """Give what one USD of `before` became, the flow of the time between taken out; 1 from nothing.

    The flow counts as of the end, unless it is above all that was there: then what was there is too little
    to measure by, and the flow counts as of the beginning.
    """
    if before <= 0:
        return 1.0
    if flow > before:
        return max(after / (before + flow), 0.0)
    return max((after - flow) / before, 0.0)


def index(points: Sequence[Point]) -> list[float]:
    """Give what 1 USD at the first point has become at each, oldest first, flows taken out."""
    flows = _placed(points)
    levels = [1.0] * len(points)
    for i in range(1, len(points)):
        levels[i] = levels[i - 1] * growth(points[i - 1].equity, points[i].equity, flows[i])
    return levels


def drawdown(points: Sequence[Point]) -> float:
    """Give the fall of the last point from the highest one, oldest first, flows taken out; a fraction."""
    levels = index(points) or [1.0]
    return 1 - levels[-1] / max(levels)


def _placed(points: Sequence[Point]) -> list[float]:
    """Give the flow that stands between each point and the one before it, USD.

    A flow dated no later than the point before it may have been in that one's equity already: activities
    lag behind the account. It stands where the account moves less.
    """
    flows = [sum(amount for _, amount in point.flows) for point in points]
    for i in range(1, len(points)):
        late = sum(amount for on, amount in points[i].flows if on <= points[i - 1].session)
        if not late:
            continue
        moved = [*flows]
        moved[i - 1] += late
        moved[i] -= late
        if _unrest(points, moved, i) < _unrest(points, flows, i):
            flows = moved
    return flows


def _unrest(points: Sequence[Point], flows: Sequence[float], i: int) -> float:
    """Give how much the account moved to the i-th point and to the one before it."""
    steps = range(max(i - 1, 1), i + 1)
    return sum(abs(growth(points[n - 1].equity, points[n].equity, flows[n]) - 1) for n in steps)


def equity_move(
    last: Decimal | None, equity: Decimal, flows: Sequence[Dated], previous: date | None
) -> float | None:
    """Give how far equity moved from `last`, at the `previous` session's end: a fraction, flows taken out.

    A flow dated on the previous session may have come before its close or after it: the smaller reading
    counts. None where there is no `last` to measure by.
    """
    if last is None or last <= 0 or previous is None:
        return None
    since = sum(amount for on, amount in flows if on > previous)
    around = sum(amount for on, amount in flows if on == previous)
    return min(abs(growth(float(last), float(equity), flow) - 1) for flow in (since, since + around))
