"""Witness: what the live side left of each session, and the prices that it saw, as one table.

Adjusted prices change whenever a split or a dividend comes. Here they are chained to those of the first day:
what a share of that day became. An account's shares are counted in shares of that day, too.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.bars import FIELDS, Bars
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from trimtab.core.record import Document

    Numbers = NDArray[np.float64]

__all__ = ["Day", "chained", "days_of", "row_seen", "scaled", "stretch", "unbroken"]

SIGNS = {"buy": 1.0, "sell": -1.0}


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """What the live side left of one session, as recorded.

    Where a run read the account before it traded: `cash` (USD), `held` (shares), and the `closes` (USD a
    share, as adjusted then) of `seen_on`, the last session before (None: whichever that is); else None and
    empty. `planned` are the stored plan's signed shares, None without a plan; `filled` signed shares and
    signed USD by symbol; `flow` the USD that came in since the run before, `flow_in_kind` the USD of shares
    that did. `decided`: its weights are of this session. `bars` is what a run saw; `outcome` its last run's.
    """

    session: np.datetime64
    cash: float | None = None
    held: Mapping[str, float] = field(default_factory=dict)
    closes: Mapping[str, float] = field(default_factory=dict)
    seen_on: np.datetime64 | None = None
    planned: Mapping[str, float] | None = None
    filled: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    flow: float = 0.0
    flow_in_kind: float = 0.0
    decided: bool = False
    bars: Bars | None = None
    outcome: str = ""

    @property
    def observed(self) -> bool:
        """Whether a run read the account and its prices."""
        return self.cash is not None and bool(self.closes)


def days_of(runs: Iterable[tuple[Document, Bars | None]], plans: Mapping[str, Document]) -> list[Day]:
    """Give a day for each session with a run that was not dry, or a stored plan, oldest first.

    `runs` are complete records, each with the bars that it saw, oldest first; `plans` are by session.
    """
    records: dict[str, list[Document]] = defaultdict(list)
    bars: dict[str, Bars] = {}
    for record, seen in runs:
        if record["session"] is not None and not record["dry_run"]:
            records[record["session"]].append(record)
            if seen is not None and len(seen.sessions):
                bars.setdefault(record["session"], seen)
    filled = _filled([record for some in records.values() for record in some])
    return [
        _day(session, records[session], plans.get(session), filled[session], bars.get(session))
        for session in sorted({*records, *plans})
    ]


def _day(
    session: str,
    records: Sequence[Document],
    plan: Document | None,
    filled: Mapping[str, tuple[float, float]],
    bars: Bars | None,
) -> Day:
    cash, held, closes = _account(records, plan)
    decisions = [record["decision"] for record in records] + ([plan["decision"]] if plan else [])
    flows = [(bool(flow["symbol"]), float(flow["amount"])) for r in records for flow in r.get("flows", [])]
    return Day(
        np.datetime64(session, "D"),
        cash,
        held,
        closes,
        None if bars is None else bars.sessions[-1],
        None if plan is None else _planned(plan),
        filled,
        sum(amount for in_kind, amount in flows if not in_kind),
        sum(amount for in_kind, amount in flows if in_kind),
        any(decision and decision["session"] == session for decision in decisions),
        bars,
        records[-1]["outcome"] if records else "",
    )


def _account(
    records: Sequence[Document], plan: Document | None
) -> tuple[float | None, dict[str, float], dict[str, float]]:
    """Give cash (USD), shares and closes as they were before the session's first order.

    A stored plan says what it was made from; a run may have died after its orders, without a record.
    """
    looked = [r for r in records if r["account"] and r.get("closes")]
    first = looked[0] if looked else None
    held = {row["symbol"]: float(row["qty"]) for row in first["positions_before"]} if first else {}
    if plan is not None:
        base = {symbol: float(shares) for symbol, shares in plan["base"].items()}
        closes = {symbol: float(price) for symbol, price in plan["prices"].items()}
        return float(plan["cash"]), held | base, closes
    if first is None:
        return None, {}, {}
    return float(first["cash"]), held, {symbol: float(price) for symbol, price in first["closes"].items()}


def _planned(plan: Document) -> dict[str, float]:
    return {order["symbol"]: SIGNS[order["side"]] * float(order["qty"]) for order in plan["orders"]}


def _filled(records: Sequence[Document]) -> dict[str, dict[str, tuple[float, float]]]:
    """Give each session's signed shares and signed USD by symbol; a later run may have found them."""
    orders: dict[str, tuple[str, Document]] = {}
    paid: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    for record in records:
        for order in record["orders"]:
            known = orders.get(order["client_order_id"])
            if known is None or float(order["filled_qty"]) >= float(known[1]["filled_qty"]):
                orders[order["client_order_id"]] = (order.get("session") or record["session"], order)
        for fill in record["fills"]:
            paid[fill["client_order_id"]][fill["fill_id"]] = (float(fill["qty"]), float(fill["price"]))
    filled: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    for name, (session, order) in orders.items():
        shares, usd = _executed(order, list(paid[name].values()))
        before = filled[session].get(order["symbol"], (0.0, 0.0))
        if shares:
            filled[session][order["symbol"]] = (before[0] + shares, before[1] + usd)
    return filled


def _executed(order: Document, fills: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Give an order's signed shares and USD: its fills', where they are complete; its average is rounded."""
    sign, shares = SIGNS[order["side"]], float(order["filled_qty"])
    if abs(sum(qty for qty, _ in fills) - shares) < 1e-9:  # noqa: PLR2004 - the broker's smallest part of a share
        return sign * shares, sign * sum(qty * price for qty, price in fills)
    return sign * shares, sign * shares * float(order["filled_avg_price"] or 0.0)


def stretch(days: Sequence[Day], *, bars_needed: bool = True) -> list[Day]:
    """Give the days from the first that decided to the last that read the account.

    `bars_needed`: the first must hold the prices that it saw.

    Raises:
        Misconfigured: there are not two of them.
    """
    looked = [i for i, day in enumerate(days) if day.observed]
    starts = [i for i in looked if days[i].decided and (days[i].bars is not None or not bars_needed)]
    if not starts or looked[-1] <= starts[0]:
        raise Misconfigured(
            "nothing_to_compare",
            "a comparison needs a session that decided, and a later one that shows what came of it",
            seen=f"{len(looked)} sessions with a run, not dry, that read the account",
            allowed="2 or more",
            hint="trimtab history lists the runs; name a longer range, or come back after the next session",
        )
    return list(days[starts[0] : looked[-1] + 1])


def unbroken(days: Sequence[Day]) -> bool:
    """Say whether each run that saw prices looked back to the last session of the one before."""
    seen = [day.bars.sessions for day in days if day.bars is not None]
    return all(before[-1] in after for before, after in pairwise(seen))


def chained(days: Sequence[Day], symbols: tuple[str, ...]) -> Bars:
    """Give the bars that the days' runs saw, `unbroken`, as one table: in shares and prices of the first."""
    seen = [_laid_out(day.bars, symbols) for day in days if day.bars is not None]
    whole = seen[0]
    for bars in seen[1:]:
        if bars.sessions[-1] > whole.sessions[-1]:
            whole = _extended(whole, bars)
    return whole


def _laid_out(bars: Bars, symbols: tuple[str, ...]) -> Bars:
    """Give the bars with exactly these columns, NaN where there are none."""
    place = {symbol: i for i, symbol in enumerate(bars.symbols)}
    index = [place.get(symbol, len(place)) for symbol in symbols]
    missing = np.full((len(bars.sessions), 1), np.nan)
    grids = {name: np.hstack([getattr(bars, name), missing])[:, index] for name in (*FIELDS, "raw_close")}
    return Bars(bars.sessions, symbols, **grids)


def _extended(whole: Bars, bars: Bars) -> Bars:
    """Add the later rows of `bars`, scaled to the prices that are there."""
    before = whole.close[np.isin(whole.sessions, bars.sessions)]
    scale = _last_known(before / bars.close[np.isin(bars.sessions, whole.sessions)])
    new = _times(bars, scale, bars.sessions > whole.sessions[-1])
    grids = {n: np.vstack([getattr(whole, n), getattr(new, n)]) for n in (*FIELDS, "raw_close")}
    return Bars(np.concatenate([whole.sessions, new.sessions]), whole.symbols, **grids)


def _last_known(ratios: Numbers) -> Numbers:
    """Give the last ratio (m,) of each column that is a number; 1 where none is."""
    known = np.isfinite(ratios)
    last = len(ratios) - 1 - np.argmax(known[::-1], axis=0)
    return np.where(known.any(axis=0), ratios[last, np.arange(ratios.shape[1])], 1.0)


def _times(bars: Bars, scale: Numbers, rows: NDArray[np.bool_]) -> Bars:
    """Give some rows with prices times `scale` (m,), and volumes in as many fewer shares."""
    grids = {name: getattr(bars, name)[rows] * scale for name in FIELDS if name != "volume"}
    volume, raw = bars.volume[rows] / scale, bars.raw_close[rows]
    return Bars(bars.sessions[rows], bars.symbols, **grids, volume=volume, raw_close=raw)


def scaled(bars: Bars, first: Day, symbols: tuple[str, ...]) -> Bars:
    """Give other bars of the same symbols, scaled to the closes that the first day saw.

    Raises:
        Misconfigured: they hold not every symbol, or not that session.
    """
    missing = sorted(set(symbols) - set(bars.symbols))
    if missing:
        raise Misconfigured(
            "missing_symbol",
            "the data lacks symbols of the portfolio",
            seen=", ".join(missing),
            allowed=", ".join(bars.symbols[:20]),
            hint="give daily bars of every symbol",
        )
    chosen = bars.select(symbols)
    row = row_seen(chosen, first)
    seen = np.array([first.closes.get(symbol, np.nan) for symbol in symbols])
    scale = np.nan_to_num(seen / chosen.close[row], nan=1.0)
    return _times(chosen, scale, np.ones(len(chosen.sessions), dtype=np.bool_))


def row_seen(bars: Bars, day: Day) -> int:
    """Give the row whose closes a day saw.

    Raises:
        Misconfigured: there is none.
    """
    row = int(np.searchsorted(bars.sessions, day.session)) - 1
    if day.seen_on is not None:
        row = int(np.searchsorted(bars.sessions, day.seen_on, side="right")) - 1
    if row < 0 or day.seen_on not in {None, bars.sessions[row]}:
        raise Misconfigured(
            "prices_gap",
            f"the prices lack what the run of {day.session} saw",
            seen=f"{bars.sessions[0]} to {bars.sessions[-1]}",
            allowed=f"{day.seen_on or day.session} among them",
            hint="give prices of the whole range with --data FILE",
        )
    return row
