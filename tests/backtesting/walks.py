"""Walks: a year of the real line on the simulated exchange, and the backtest of the same dates beside it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

import trimtab as tt
from line_kit import Lab, make_mandate
from trimtab.adapters.exchange import Exchange
from trimtab.adapters.exchange.tape import Tape
from trimtab.core.bars import Bars
from trimtab.core.nyse import sessions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from trimtab.backtesting import Result
    from trimtab.core.record import Document

Trade = tuple["date", str, float, float]
"""A session, a symbol, signed shares, USD a share."""


def market(symbols: Sequence[str], first: date, last: date, *, seed: int, walk: float, gap: float) -> Tape:
    """Give a market whose closes walk, and whose opens lie off the close before (both: deviations)."""
    days = sessions(first, last)
    rng = np.random.default_rng(seed)
    shape = (len(days), len(symbols))
    close = np.round(100 * np.exp(rng.normal(0.0003, walk, shape).cumsum(axis=0)), 2)
    before = np.vstack([np.full((1, len(symbols)), 100.0), close[:-1]])
    opened = np.round(before * np.exp(rng.normal(0.0, gap, shape)), 2)
    return Tape(
        "a made-up market",
        np.array(days, dtype="datetime64[D]"),
        tuple(sorted(symbols)),
        open=opened,
        high=np.maximum(opened, close),
        low=np.minimum(opened, close),
        close=close,
        volume=rng.integers(100_000, 50_000_000, shape).astype(float),
        split=np.ones(shape),
        dividend=np.zeros(shape),
    )


def bars_of(tape: Tape) -> Bars:
    """Give the tape's raw prices as bars."""
    prices = (tape.open, tape.high, tape.low, tape.close)
    return Bars(tape.sessions, tape.symbols, *prices, tape.volume, tape.close)


def live(root: Path, tape: Tape, start: date, end: date, mandate: Any) -> tuple[Lab, list[Document]]:  # noqa: ANN401 - a mandate
    """Run the line once a session from `start` to `end`, at 10:00."""
    exchange = Exchange.open(tape, start=start, cash=Decimal(100_000))
    lab = Lab(root, exchange, mandate)
    records = []
    while True:
        records.append(lab.run())
        if lab.session >= end:
            return lab, records
        exchange.step()


def fills(lab: Lab) -> list[Trade]:
    """Give what filled at the exchange, in the order of session, side and symbol."""
    rows = lab.trades.query(
        "SELECT orders.session AS session, fills.symbol AS symbol, fills.side AS side, fills.qty AS qty,"
        " fills.price AS price FROM fills JOIN orders USING (client_order_id)"
        " ORDER BY orders.session, fills.side DESC, fills.symbol"
    )
    return [
        (
            np.datetime64(str(row["session"])).item(),
            str(row["symbol"]),
            float(str(row["qty"])) * (1 if row["side"] == "buy" else -1),
            float(str(row["price"])),
        )
        for row in rows
    ]


def trades(result: Result) -> list[Trade]:
    """Give what the backtest traded."""
    return [
        (row["session"], row["symbol"], row["qty"] * (1 if row["side"] == "buy" else -1), row["price"])
        for row in result.trades.iter_rows(named=True)
    ]


def same_dates(tape: Tape, start: date, end: date, mandate: Any, **more: Any) -> Result:  # noqa: ANN401 - as above
    """Backtest the mandate's rule with its own limits: it decides at the close before each run."""
    bars = bars_of(tape)
    before = bars.sessions[np.searchsorted(bars.sessions, np.datetime64(start)) - 1]
    rule = mandate.rule
    return tt.backtest(
        rule,
        bars,
        start=before,
        end=end,
        rebalance=mandate.interval,
        fill="next_open",
        cost_bps=0.0,
        cash=100_000.0,
        plan="live",
        config=mandate,
        **more,
    )


def owner(strategy: Any, **changes: Any) -> Any:  # noqa: ANN401 - as above
    """Give the mandate of a strategy of the package."""
    symbols = strategy.symbols
    made = make_mandate(dict.fromkeys(symbols, 1 / len(symbols)), **changes)
    return replace(
        made, rule=strategy, lookback=strategy.lookback_sessions, least_history=strategy.lookback_sessions
    )
