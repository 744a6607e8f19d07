"""Backtesting: the same stations over history, at the speed of arrays.

`backtest` asks a strategy at each decision with what it could have known, trades, and values every close.
With `plan="live"` it plans and reviews as the bot does; with `"exact"` it trades to the weights as given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from trimtab.backtesting import exact
from trimtab.backtesting.ledger import Ledger
from trimtab.backtesting.limits import limits_of
from trimtab.backtesting.live import Walk
from trimtab.backtesting.result import Result
from trimtab.backtesting.scene import Scene
from trimtab.backtesting.terms import Costs, Fill, Terms, decisions, flows, growth, span
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from trimtab.backtesting.docket import Entry
    from trimtab.core.bars import Bars
    from trimtab.core.limits import Execution, Risk
    from trimtab.core.mandate import Rule

__all__ = ["Result", "backtest"]

LOOKBACK_SESSIONS = 400
"""History that the live plan shows to a strategy that does not say what it needs."""


def backtest(  # noqa: PLR0913, PLR0917 - the contract's names, then what else a backtest can be told
    strategy: Rule,
    bars: Bars,
    start: object = None,
    end: object = None,
    rebalance: object = "monthly",
    fill: str = "close",
    cost_bps: float = 10.0,
    cash: float = 100_000.0,
    plan: str = "exact",
    *,
    config: object = None,
    cost_per_share: float = 0.0,
    cost_minimum: float = 0.0,
    fractional: bool = True,
    interest: object = None,
    contributions: object = None,
    benchmark: str | None = None,
    progress: Callable[[float], None] | None = None,
) -> Result:
    """Play a strategy over history; `docs/backtest.md` says what is simulated, and how.

    Args:
        strategy: a pure function of `History` (bars up to the decision) and equity (USD) to weights.
        bars: daily bars; NaN where a symbol is not listed yet, or no more. A strategy with `symbols` is shown
            those of them alone, any other all.
        start: the first session, a New York date, inclusive; history always begins with the data.
        end: the last session, inclusive; it never decides.
        rebalance: `daily`, `weekly`, `monthly`, `quarterly` (at a period's last close), or sessions.
        fill: at the `close` that decides, or at the `next_open`.
        cost_bps: basis points of an order's value, from cash.
        cash: USD to begin with.
        plan: `exact` trades to the weights as given, `live` plans and reviews as the bot does.
        config: the live plan's `execution` and `risk`, as in config.json, or settings; None: defaults.
        cost_per_share: USD a share besides.
        cost_minimum: least cost of an order, USD.
        fractional: False trades whole shares only.
        interest: on cash: an annual rate (0.03 is 3 %), or a table with `session` and `rate`.
        contributions: USD at every decision but the first, or by session; negative goes out.
        benchmark: a symbol of `bars` in which all the cash is, to compare with.
        progress: is told the part done, 0 to 1.

    Raises:
        Misconfigured: a parameter is not usable.
        Halted: the strategy's weights are not acceptable.
    """
    costs = Costs(cost_bps, cost_per_share, cost_minimum)
    terms = Terms(rebalance, fill, plan, costs, cash, fractional, interest, contributions, benchmark)
    return _play(strategy, bars, span(bars, start, end), terms, limits_of(config), progress)


def _play(
    strategy: Rule,
    bars: Bars,
    rows: tuple[int, int],
    terms: Terms,
    limits: tuple[Execution, Risk],
    progress: Callable[[float], None] | None,
) -> Result:
    """Play the sessions of `rows`, first to last."""
    first, last = rows
    deciding = decisions(bars.sessions, terms.rebalance, first, last)
    scene = _scene(strategy, bars, deciding, terms, progress)
    ledger = Ledger.open(
        scene.bars.close,
        terms.costs,
        terms.cash,
        rows,
        growth(bars.sessions, terms.interest),
        flows(bars.sessions, terms.contributions, deciding),
    )
    planned: tuple[Entry, ...] = ()
    if terms.plan == "live":
        walk = Walk(scene, ledger, *limits)
        walk.play()
        planned = tuple(walk.docket.passed)
    else:
        exact.walk(scene, ledger)
    name = terms.benchmark
    return Result(
        bars=scene.bars,
        first=first,
        value=ledger.equity,
        cash=ledger.cash_path,
        flow=None if ledger.flows is None else ledger.flows[first : last + 1],
        made=ledger.trades,
        costs=terms.costs,
        asked=scene.asked,
        terms=_document(terms, scene.bars, rows, limits),
        notes=tuple(scene.notes),
        benchmark=None if name is None else _benchmark(bars, name, first, last, terms.cash),
        benchmark_name=name or "",
        planned=planned,
    )


def _scene(
    strategy: Rule,
    bars: Bars,
    rows: NDArray[np.int64],
    terms: Terms,
    progress: Callable[[float], None] | None,
) -> Scene:
    """Set the scene: a strategy's own symbols, and under the live plan as much history as a run shows."""
    fill, shown = cast("Fill", terms.fill), _universe(strategy, bars)
    if terms.plan != "live":
        return Scene(shown, strategy, rows, fill, terms.fractional, progress=progress)
    lookback = getattr(strategy, "lookback_sessions", None)
    least = getattr(strategy, "least_history", lookback) or 0
    seen = lookback or LOOKBACK_SESSIONS
    return Scene(shown, strategy, rows, fill, terms.fractional, seen, least, progress)


def _universe(strategy: Rule, bars: Bars) -> Bars:
    """Give the bars of what the strategy says it may weight, as a run shows them; else all.

    Raises:
        Misconfigured: one of its symbols has no bars.
    """
    symbols = tuple(getattr(strategy, "symbols", ()))
    missing = sorted(set(symbols) - set(bars.symbols))
    if missing:
        raise Misconfigured(
            "missing_symbol",
            "the strategy names symbols that have no bars",
            seen=", ".join(missing),
            allowed=", ".join(bars.symbols[:20]),
            hint="check the spelling, or give the data that holds them",
        )
    return bars.select(symbols) if symbols and set(symbols) != set(bars.symbols) else bars


def _benchmark(bars: Bars, symbol: str, first: int, last: int, cash: float) -> NDArray[np.float64]:
    """Give what the cash would have become in one symbol, bought at its first close, USD (n,)."""
    if symbol not in bars.symbols:
        raise Misconfigured(
            "missing_symbol",
            "the benchmark has no bars",
            seen=symbol,
            allowed=", ".join(bars.symbols[:20]),
            hint="name a symbol of the data",
        )
    close = bars.close[first : last + 1, bars.symbols.index(symbol)]
    known = np.maximum.accumulate(np.where(np.isnan(close), -1, np.arange(len(close))))
    listed = known >= 0
    if not listed.any():
        raise Misconfigured(
            "missing_symbol",
            "the benchmark has no bar between start and end",
            seen=symbol,
            allowed="a symbol with a bar there",
            hint="name another benchmark, or dates that have its bars",
        )
    price = close[np.maximum(known, 0)]
    return np.where(listed, cash * price / price[listed][0], cash)


def _document(
    terms: Terms, bars: Bars, rows: tuple[int, int], limits: tuple[Execution, Risk]
) -> dict[str, object]:
    """Give what the backtest was told, as JSON holds it."""
    first, last = (str(bars.sessions[row]) for row in rows)
    document = {"start": first, "end": last} | terms.document()
    if terms.plan == "live":
        execution, risk = (model.model_dump(mode="json", exclude_none=True) for model in limits)
        document |= {"execution": execution, "risk": risk}
    return document
