"""Allocation: the weights that a strategy asked for, judged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.errors import Halted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SUM_TOLERANCE = 1e-9
"""Weights may sum to this much above 1: the noise of adding floats."""


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """Target weights, fractions of equity: (m,) float64 in the order of `symbols`, 0 where none was given."""

    symbols: tuple[str, ...]
    weights: NDArray[np.float64]

    def as_dict(self) -> dict[str, float]:
        """Give the weights by symbol, zeros included."""
        return dict(zip(self.symbols, self.weights.tolist(), strict=True))


def allocate(asked: object, universe: Sequence[str]) -> Allocation:
    """Judge what a strategy returned, and order it by `universe`.

    Raises:
        Halted: as `weigh` says.
    """
    places = {symbol: i for i, symbol in enumerate(universe)}
    return Allocation(tuple(universe), weigh(asked, universe, places))


def weigh(asked: object, universe: Sequence[str], places: Mapping[str, int]) -> NDArray[np.float64]:
    """Judge what a strategy returned, and give the weights (m,) in the order of `universe`.

    `places` is each symbol's place in it: who asks often makes it once.

    Raises:
        Halted: not a mapping, a symbol outside the universe, a weight that is not a finite number at least 0,
            or a sum above 1 + 1e-9.
    """
    if type(asked) is not dict and not isinstance(asked, Mapping):
        raise Halted(
            "weights_not_a_mapping",
            "the strategy did not return weights by symbol",
            seen=type(asked).__name__,
            allowed="a dict of symbol to weight",
            hint="return {} to hold cash",
        )
    weights = np.zeros(len(places))
    if asked:
        weights[_places(asked, universe, places)] = _values(asked)
    return weights


def _places(asked: Mapping[object, object], universe: Sequence[str], places: Mapping[str, int]) -> list[int]:
    try:
        return [places[symbol] for symbol in asked]  # type: ignore[index]  # what is no text is not found
    except (KeyError, TypeError):
        symbol = next(symbol for symbol in asked if symbol not in universe)
        raise Halted(
            "weight_outside_universe",
            f"the strategy gave a weight to {symbol}, which is not in the universe",
            seen=symbol,
            allowed=", ".join(universe),
            hint="add it to universe in config.json, or leave it out of the strategy",
        ) from None


_PLAIN = {float, np.float64}
"""What needs no closer look; a backtest asks a million times."""


def _values(asked: Mapping[object, object]) -> NDArray[np.float64]:
    """Give the weights as floats; each is looked at by itself where not all are plainly in order."""
    given: list[Any] = list(asked.values())
    if _PLAIN.issuperset(map(type, given)) and min(given) >= 0 and sum(given) <= 1:  # never where one is NaN
        return np.array(given)
    values = np.array([_judged(str(symbol), weight) for symbol, weight in asked.items()])
    total = sum(values.tolist())  # fsum would raise where the sum passes all floats
    if total > 1 + SUM_TOLERANCE:
        raise Halted(
            "weights_above_one",
            "the weights sum to more than the portfolio",
            seen=repr(total),
            allowed="at most 1",
            hint="scale them down; Trimtab neither borrows nor guesses which to cut",
        )
    return values


def _judged(symbol: str, weight: object) -> float:
    if isinstance(weight, bool) or not isinstance(weight, int | float | np.floating | np.integer):
        raise Halted(
            "weight_not_a_number",
            f"the weight of {symbol} is no number",
            seen=repr(weight),
            allowed="a number from 0 to 1",
            hint="look at the strategy",
        )
    value = float(weight)
    if not math.isfinite(value):
        raise Halted(
            "weight_not_finite",
            f"the weight of {symbol} is not a finite number",
            seen=repr(value),
            allowed="a number from 0 to 1",
            hint="look for missing prices or a division by zero in the strategy",
        )
    if value < 0:
        raise Halted(
            "weight_negative",
            f"the weight of {symbol} is negative",
            seen=repr(value),
            allowed="a number from 0 to 1",
            hint="Trimtab never sells short",
        )
    return value
