"""Playing: the benchmark and the backtest beside the account's curve, of the prices that the runs saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st

from trimtab.backtesting import backtest as play
from trimtab.desk import decider
from trimtab.errors import TrimtabError
from trimtab.evidence.board import curve, reading

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from dashboard.frame import Look
    from trimtab.adapters.guest import Stamp
    from trimtab.core.bars import Bars
    from trimtab.evidence.board.curve import Curve

    Numbers = NDArray[np.float64]

Made = TypeVar("Made")

__all__ = ["backtest", "benchmark", "curve_of", "symbols"]

COST_BPS = 0.0
"""Of the backtest: what trading cost the account is what its page Trading shows."""


def curve_of(seen: Look) -> Curve | None:
    """Give the account's whole curve."""
    return _kept(seen, "curve", lambda: _curve(seen))


def _curve(seen: Look) -> Curve | None:
    return curve.curve(seen.shelf.frame(reading.equity), seen.shelf.frame(reading.flows))


def symbols(seen: Look) -> list[str]:
    """Give the symbols that the last run with prices saw."""
    bars = _history(seen)
    return [] if bars is None else list(bars.symbols)


def benchmark(seen: Look, own: Curve, symbol: str) -> Numbers | None:
    """Give a symbol's level at the curve's closes; None where its prices do not reach over them."""
    bars = _history(seen)
    if bars is None or symbol not in bars.symbols:
        return None
    return curve.beside(own, bars.sessions, bars.close[:, bars.symbols.index(symbol)])


def backtest(seen: Look, own: Curve) -> Numbers | str:
    """Give the backtest's level at the curve's closes, or why there is none."""
    played = _kept(seen, f"backtest {seen.settings.digest()}", lambda: _played(seen))
    if isinstance(played, str):
        return played
    level = curve.beside(own, *played)
    return "it does not reach over these closes" if level is None else level


def _played(seen: Look) -> tuple[NDArray[np.datetime64], Numbers] | str:
    """Play the configured strategy from the curve's first close on."""
    bars, whole = _history(seen), curve_of(seen)
    if bars is None or whole is None:
        return "the runs kept too few prices"
    try:
        strategy = decider(seen.settings)
        missing = sorted(set(strategy.symbols) - set(bars.symbols))
        if missing:
            return f"the runs saw no prices of {', '.join(missing)}"
        start = max(whole.sessions[0], bars.sessions[0]).item()
        result = play(
            strategy,
            bars.select(strategy.symbols),
            start=start,
            rebalance=curve.deciding(bars, start, seen.settings.schedule.job_interval),
            fill="next_open",
            cost_bps=COST_BPS,
            cash=float(whole.equity[0]),
            plan="live",
            config=seen.settings,
        )
    except TrimtabError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - the owner's strategy may raise anything
        return f"the strategy raised {type(error).__name__}: {error}"
    return result.sessions, result.value


def _history(seen: Look) -> Bars | None:
    return _kept(seen, "history", lambda: _put_together(seen))


def _put_together(seen: Look) -> Bars | None:
    """Give the bars that the runs saw as one table, as far back as they reach without a gap."""
    runs = seen.shelf.frame(reading.runs)
    return curve.history(runs.select("session", "run_id").drop_nulls().rows(), seen.shelf.bars)


def _kept(seen: Look, what: str, make: Callable[[], Made]) -> Made:
    """Keep what was made for this state of trades.db."""
    shelf = seen.shelf
    kept = _shelf()
    key = (shelf.base, shelf.portfolio, what)
    if key not in kept or kept[key][0] != shelf.stamp[:3]:
        kept[key] = (shelf.stamp[:3], make())
    made: Made = kept[key][1]
    return made


@st.cache_resource(show_spinner=False, ttl=3600.0)
def _shelf() -> dict[tuple[str, str, str], tuple[Stamp, Any]]:
    return {}
