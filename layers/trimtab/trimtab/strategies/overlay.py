"""Overlay: a strategy over another, whose weights it lowers; how the other is named in config.json.

In Python an overlay takes a strategy. In config.json it takes the name and params of a built-in one:
`{"name": "volatility_target", "params": {"strategy": {"name": "equal_weight", "params": {...}}, ...}}`.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from trimtab.core.allocation import allocate
from trimtab.core.bars import FIELDS, History, Strategy
from trimtab.strategies.checks import carrying

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Rule: TypeAlias = Callable[[History, float], dict[str, float]]
"""A strategy, whether or not it says what it needs."""

Inner: TypeAlias = Rule | Mapping[str, object]
"""What an overlay may be given: a strategy, or a built-in's name and params."""

Change: TypeAlias = "Callable[[History, tuple[str, ...], NDArray[np.float64]], NDArray[np.float64]]"
"""From history, the n symbols held and their weights (n,), each above 0, to their new weights (n,)."""

UNSAID_LOOKBACK = 400
"""Sessions that a strategy is taken to need which does not say."""


def overlay_over(inner: Inner, lookback_sessions: int, change: Change) -> Strategy:
    """Make the strategy that asks `inner` and then `change`s the weights of what it holds.

    `inner` sees as many sessions as it says it needs, as it would alone. It carries `inner`'s symbols, and
    the longer of both lookbacks; `inner` counts as 400 sessions where it does not say.

    Raises:
        ValueError: `inner` is no strategy and names no built-in one, or its params are refused.
    """
    asked = checked_strategy(inner)
    said = getattr(asked, "lookback_sessions", None)

    def strategy(history: History, equity: float) -> dict[str, float]:
        given = allocate(asked(_recent(history, said), equity), history.symbols).weights
        held = np.flatnonzero(given)
        if len(held) == 0:
            return {}
        names = tuple(history.symbols[i] for i in held)
        weights = change(history, names, given[held]).tolist()
        return {name: weight for name, weight in zip(names, weights, strict=True) if weight > 0.0}

    symbols = tuple(getattr(asked, "symbols", ()))
    return carrying(strategy, symbols, max(lookback_sessions, said or UNSAID_LOOKBACK))


def _recent(history: History, rows: int | None) -> History:
    """Give the last `rows` sessions of a history; None: all of it."""
    if rows is None or len(history.sessions) <= rows:
        return history
    return History(
        history.sessions[-rows:], history.symbols, *(getattr(history, field)[-rows:] for field in FIELDS)
    )


def checked_strategy(strategy: Inner) -> Rule:
    """Give the strategy itself, or the one that {"name": ..., "params": {...}} means.

    Raises:
        ValueError: it is neither, there is no such built-in, or its params do not fit or are refused.
    """
    if callable(strategy):
        return strategy
    if not isinstance(strategy, Mapping) or not {"name"} <= set(strategy) <= {"name", "params"}:
        example = '{"name": "equal_weight", "params": {"symbols": ["SPY", "TLT"]}}'
        raise ValueError(f"strategy: seen {strategy!r}, allowed a strategy, or such as {example}")
    factory = _built_in(strategy["name"])
    params = strategy.get("params", {})
    if not isinstance(params, Mapping):
        allowed = "its parameters by name"
        raise ValueError(f"strategy.params: seen {params!r}, allowed {allowed}")  # noqa: TRY004 - as every refusal
    signature = inspect.signature(factory)
    try:
        signature.bind(**params)
    except TypeError as cause:
        allowed = ", ".join(signature.parameters)
        raise ValueError(f"strategy.params: seen {_listed(params)} ({cause}), allowed {allowed}") from cause
    try:
        return factory(**params)
    except ValueError as cause:
        raise ValueError(f"strategy.params.{cause}") from cause


def _built_in(name: object) -> Callable[..., Strategy]:
    from trimtab.strategies import BUILT_IN  # noqa: PLC0415 - it lists the overlays, so they can't import it first

    if isinstance(name, str) and name in BUILT_IN:
        return BUILT_IN[name]
    if isinstance(name, str) and ":" in name:
        raise ValueError(
            f"strategy.name: seen {name!r}, allowed a built-in strategy; compose your own in Python"
        )
    near = difflib.get_close_matches(str(name), BUILT_IN, n=1, cutoff=0.5)
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    raise ValueError(f"strategy.name: seen {name!r}{meant}, allowed {_listed(BUILT_IN)}")


def _listed(names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(sorted(names)) or "none"
