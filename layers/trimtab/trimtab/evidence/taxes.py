"""Taxes: the tax lots of a portfolio, read from trades.db and the records, and what a plan would realise.

Shares are exact, money is USD, days are New York dates. It is an aid to the owner's own reckoning, and no tax
advice: what the broker reports counts.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from trimtab.core.lots import plain
from trimtab.core.schedule import session_of
from trimtab.core.taxlots import NONE, Count, Split, Trade, ledger, term
from trimtab.evidence.ledger import found as holdings_found
from trimtab.stations.past import read_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trimtab.core.record import Document
    from trimtab.core.taxlots import Closed, Event, Ledger, Lot
    from trimtab.ports import Store, Trades

__all__ = ["estimates", "ledger_of", "lots_document"]

FILLS = """
SELECT fill_id, fills.symbol, fills.side, fills.qty, fills.price, at
FROM fills JOIN orders USING (client_order_id) WHERE portfolio = ?
"""
COUNTED = """
SELECT run_id, runs.session, started_at FROM runs JOIN equity USING (run_id)
WHERE runs.portfolio = ? AND dry_run = 0 AND account_equity IS NOT NULL
ORDER BY started_at DESC, run_id DESC
"""
"""The runs that read the holdings before they planned, newest first."""
HELD = """
SELECT run_id, symbol, positions.qty FROM positions JOIN runs USING (run_id)
WHERE portfolio = ? AND dry_run = 0 AND phase = 'before'
"""
MONTHLY = """
SELECT MAX(run_id) AS run_id, session FROM runs
WHERE portfolio = ? AND inputs_digest IS NOT NULL
GROUP BY substr(session, 1, 7), config_digest ORDER BY session, run_id
"""
"""One run a month and configuration: a record tells the actions of its sessions, and two weeks before."""
NOT_ADVICE = "first in, first out; an aid and no tax advice: what the broker reports counts"


def ledger_of(store: Store, trades: Trades, portfolio: str, until: str | None = None) -> Ledger:
    """Give what became of every share that the runs saw, up to an instant (ISO 8601) where one is given.

    Raises:
        Halted: a record, or trades.db, is damaged.
        OSError: the store can't be read.
    """
    limit = None if until is None else datetime.fromisoformat(until)
    timed: list[tuple[datetime, Trade | Count]] = [
        *_fills(trades, portfolio),
        *_counts(trades, portfolio),
    ]
    known = [(at, event) for at, event in timed if limit is None or at <= limit]
    if not known:
        return ledger(())
    splits = _splits(store, trades, portfolio)
    last = max(event.day for _, event in known) if limit is None else session_of(limit)
    order: list[tuple[date, int, str, str, Event]] = [
        (split.day, 0, "", split.symbol, split) for split in splits if split.day <= last
    ]
    order += [
        (event.day, 1, at.isoformat(), event.name if isinstance(event, Trade) else "", event)
        for at, event in known
    ]
    return ledger(row[-1] for row in sorted(order, key=lambda row: row[:4]))


def _fills(trades: Trades, portfolio: str) -> Iterable[tuple[datetime, Trade]]:
    for row in trades.query(FILLS, (portfolio,)):
        at = datetime.fromisoformat(str(row["at"]))
        qty, price = Decimal(str(row["qty"])), Decimal(str(row["price"]))
        name, symbol, side = (str(row[key]) for key in ("fill_id", "symbol", "side"))
        yield at, Trade(name, symbol, side, qty, price, session_of(at))


def _counts(trades: Trades, portfolio: str) -> Iterable[tuple[datetime, Count]]:
    """Give what each session's first run that planned was shown: no order of the session was sent before.

    Lots are long: where a foreign symbol is short, none of it is held.
    """
    held: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for row in trades.query(HELD, (portfolio,)):
        held[str(row["run_id"])][str(row["symbol"])] = max(Decimal(str(row["qty"])), NONE)
    first = {str(row["session"]): row for row in trades.query(COUNTED, (portfolio,))}
    for row in first.values():
        at = datetime.fromisoformat(str(row["started_at"]))
        yield at, Count(session_of(at), held[str(row["run_id"])])


def _splits(store: Store, trades: Trades, portfolio: str) -> list[Split]:
    """Give the splits that the records tell of; of one that was corrected the newest word counts."""
    found: dict[tuple[str, str], Split] = {}
    for run in trades.query(MONTHLY, (portfolio,)):
        record = read_record(store, f"runs/{portfolio}/{run['session']}/{run['run_id']}")
        for action in record["actions"]:
            if action["kind"] == "split":
                day = date.fromisoformat(action["session"])
                split = Split(action["symbol"], day, float(action["ratio"]))
                found[split.symbol, action["session"]] = split
    return list(found.values())


def lots_document(
    store: Store, trades: Trades, portfolio: str, symbol: str | None = None, year: int | None = None
) -> Document:
    """Give the lots that are held, what was realised, by year, and the sales (of a year), as JSON.

    Lots are worth what the last run that read them saw; their age counts to the last run's session.

    Raises:
        Halted, OSError: as `ledger_of`.
    """
    found = ledger_of(store, trades, portfolio)
    seen = holdings_found(trades, portfolio)
    held = [] if seen is None else seen.rows
    price = {str(row["symbol"]): Decimal(str(row["price"])) for row in held if row["price"] is not None}
    as_of = None if seen is None else seen.session
    lots = [lot for name in sorted(found.held) for lot in found.held[name] if symbol in {None, name}]
    closed = [one for one in found.closed if symbol in {None, one.symbol}]
    moved = [one for one in found.moved if symbol in {None, one.symbol}]
    return {
        "portfolio": portfolio,
        "method": NOT_ADVICE,
        "as_of": as_of,
        "lots": [_lot(lot, price.get(lot.symbol), as_of) for lot in lots],
        "years": _years(closed),
        "sales": [_sale(one) for one in closed if year in {None, one.sold.year}],
        "moved": [{"symbol": m.symbol, "session": str(m.day), "qty": plain(m.qty)} for m in moved],
    }


def _lot(lot: Lot, price: Decimal | None, as_of: str | None) -> Document:
    """Give a lot: what it cost and is worth, USD; null where that is unknown."""
    value = None if price is None else lot.qty * price
    gain = None if value is None or lot.cost is None else value - lot.cost
    today = None if as_of is None else date.fromisoformat(as_of)
    return {
        "symbol": lot.symbol,
        "acquired": None if lot.acquired is None else str(lot.acquired),
        "qty": plain(lot.qty),
        "cost": _usd(lot.cost),
        "price": None if price is None else plain(price),
        "value": _usd(value),
        "gain": _usd(gain),
        "days": None if lot.acquired is None or today is None else (today - lot.acquired).days,
        "term": "unknown" if lot.acquired is None or today is None else term(lot.acquired, today),
    }


def _sale(one: Closed) -> Document:
    """Give what was sold of one lot, USD."""
    return {
        "symbol": one.symbol,
        "qty": plain(one.qty),
        "acquired": None if one.acquired is None else str(one.acquired),
        "sold": str(one.sold),
        "proceeds": _usd(one.proceeds),
        "cost": _usd(one.cost),
        "gain": _usd(one.gain),
        "term": one.term,
        "wash_qty": plain(one.washed),
        "wash_loss": _usd(one.disallowed),
        "fill_id": one.name,
    }


def _years(closed: Iterable[Closed]) -> list[Document]:
    """Add up what was realised by year and term, USD; of an unknown basis only what was received."""
    parts: dict[tuple[int, str], list[Closed]] = defaultdict(list)
    for one in closed:
        parts[one.sold.year, one.term].append(one)
    return [
        {
            "year": year,
            "term": kind,
            "sales": len(some),
            "proceeds": _usd(_sum(one.proceeds for one in some)),
            "cost": None if kind == "unknown" else _usd(_sum(one.cost or NONE for one in some)),
            "gain": None if kind == "unknown" else _usd(_sum(one.gain or NONE for one in some)),
            "wash_loss": _usd(_sum(one.disallowed for one in some)),
        }
        for (year, kind), some in sorted(parts.items())
    ]


def _sum(values: Iterable[Decimal]) -> Decimal:
    return sum(values, NONE)


def _usd(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def estimates(store: Store, trades: Trades, record: Document) -> dict[str, str]:
    """Say of each planned order what it would realise at the last closes, or which loss it may take away.

    Sells have a text always, buys where a sale at a loss is at most 30 days ago.

    Raises:
        Halted, OSError: as `ledger_of`.
    """
    if not record["planned"] or record["session"] is None:
        return {}
    found = ledger_of(store, trades, record["portfolio"], record["started_at"])
    day = date.fromisoformat(record["session"])
    if record["positions_before"]:
        seen = {str(row["symbol"]): max(Decimal(row["qty"]), NONE) for row in record["positions_before"]}
        found.take(Count(day, seen))
    prices = (record["plan"] or {}).get("prices") or record["closes"]
    said = {}
    for order in record["planned"]:
        symbol, side = order["symbol"], order["side"]
        price = Decimal(str(prices.get(symbol) or order["limit_price"]))
        trade = Trade("", symbol, side, Decimal(order["qty"]), price, day)
        said[symbol] = _of_sale(found.estimate(trade)) if side == "sell" else _of_buy(found, trade)
    return {symbol: text for symbol, text in said.items() if text}


def _of_sale(closed: Sequence[Closed]) -> str:
    """Say what a sale would realise, by term, and what of a loss may be disallowed."""
    gains: Mapping[str, list[Decimal]] = {
        kind: [one.gain for one in closed if one.term == kind and one.gain is not None]
        for kind in ("short", "long")
    }
    parts = [f"{_made(sum(some, NONE))} {kind} term" for kind, some in gains.items() if some]
    unknown = _sum(one.qty for one in closed if one.gain is None)
    if unknown:
        parts.append(f"{_shares(unknown)} of unknown basis")
    text = ", ".join(parts)
    lost = _sum(one.disallowed for one in closed)
    if lost:
        washed = _shares(_sum(one.washed for one in closed))
        text += f"; wash sale: {lost:,.2f} USD of loss may be disallowed, {washed} were bought within 30 days"
    return text


def _of_buy(found: Ledger, trade: Trade) -> str:
    """Say which loss a purchase may take away."""
    losses = found.losses(trade.symbol, trade.day)
    if not losses:
        return ""
    days = ", ".join(dict.fromkeys(str(one.sold) for one in losses))
    return f"wash sale: it was sold at a loss within 30 days ({days}), which buying it again may disallow"


def _made(amount: Decimal) -> str:
    return f"{'loses' if amount < 0 else 'gains'} {abs(amount):,.2f} USD"


def _shares(qty: Decimal) -> str:
    return f"{plain(qty)} share{'s' * (qty != 1)}"
