"""Holding: what is held, against its target and the band about it; for the status and the dashboard alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from trimtab.show.page import number

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from trimtab.core.record import Document

    Held: TypeAlias = tuple[str, float | None, float | None, float | None, float | None]
    """Symbol, shares, price and value (USD), target weight."""

__all__ = ["Holding", "goals", "held_against", "holding_documents"]


class Holding(NamedTuple):
    """One line of the holdings: shares, USD; weights, target and band as fractions of cash and holdings.

    `goal` is the target as the plan has it, after the cash buffer; `low` to `high` is the band around it, in
    which a holding is left alone. All are None without a target.
    """

    symbol: str
    shares: float | None
    price: float | None
    value: float
    weight: float | None = None
    target: float | None = None
    goal: float | None = None
    low: float | None = None
    high: float | None = None
    foreign: bool = False

    @property
    def outside(self) -> bool:
        """Whether the weight is out of its band."""
        if self.weight is None or self.low is None or self.high is None:
            return False
        return not self.low <= self.weight <= self.high

    def document(self) -> Document:
        """Give what it adds to a row of the holdings, fractions as strings."""
        parts = {name: getattr(self, name) for name in ("weight", "low", "high")}
        told = {name: None if part is None else f"{part:.6f}" for name, part in parts.items()}
        return told | {"foreign": self.foreign, "outside": self.outside}


def held_against(
    held: Sequence[Held], cash: float, execution: Mapping[str, object], universe: Collection[str] | None
) -> list[Holding]:
    """Give a line for each of what is `held`, in its order; `cash` is in USD.

    `execution` holds the bands and the cash buffer; `universe` None: nothing is known to be foreign, and a
    foreign holding has no weight and counts in none. Without any target the run stopped before its strategy
    answered: then nothing is known of targets, else what has none is to be sold.
    """
    ours = [universe is None or symbol in universe for symbol, *_ in held]
    whole = cash + sum(value or 0.0 for (*_, value, _), own in zip(held, ours, strict=True) if own)
    answered = universe is not None and any(target is not None for *_, target in held)
    wanted = [target or 0.0 if own else 0.0 for (*_, target), own in zip(held, ours, strict=True)]
    aims, lines = goals(wanted, execution), []
    for (symbol, shares, price, value, asked), own, goal in zip(held, ours, aims, strict=True):
        line = Holding(symbol, shares, price, value or 0.0, foreign=not own)
        if own:
            line = line._replace(weight=value / whole if whole and value is not None else None)
            target = 0.0 if asked is None and answered else asked
            line = line if target is None else _aimed(line, target, goal, execution)
        lines.append(line)
    return lines


def _aimed(line: Holding, target: float, goal: float, execution: Mapping[str, object]) -> Holding:
    """Give a line its target and the band about it; no band where the widths are not known."""
    narrow, relative = (number(execution.get(name)) for name in ("band", "band_relative"))
    line = line._replace(target=target, goal=goal)
    if narrow is None or relative is None:
        return line
    width = min(narrow, relative * goal)
    return line._replace(low=max(goal - width, 0.0), high=goal + width)


def goals(targets: Sequence[float], execution: Mapping[str, object]) -> list[float]:
    """Give all targets of a run as its plan has them: scaled down where they leave less than the buffer."""
    most, total = 1 - (number(execution.get("cash_buffer")) or 0.0), sum(targets)
    return [target * most / total for target in targets] if total > most else list(targets)


def holding_documents(
    rows: Sequence[Document], cash: float, execution: Mapping[str, object], universe: Collection[str] | None
) -> list[Document]:
    """Give rows of the store (symbol, qty, price, market_value, target) with weight, target and band each."""
    names = ("qty", "price", "market_value", "target")
    held: list[Held] = [(row["symbol"], *(number(row[name]) for name in names)) for row in rows]
    lines = held_against(held, cash, execution, universe)
    return [
        row | line.document() | {"target": None if line.target is None else row["target"] or "0"}
        for row, line in zip(rows, lines, strict=True)
    ]
