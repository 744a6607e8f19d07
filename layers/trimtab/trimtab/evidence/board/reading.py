"""Reading: the tables of trades.db as frames, whatever schema version wrote them.

A column that the file does not have is null; a table that it does not have is empty. Numbers are float64:
they are looked at, and nothing is traded by them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import polars as pl

from trimtab.evidence.ledger import Found, found

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "View",
    "checks",
    "dealt",
    "equity",
    "events",
    "flows",
    "held",
    "held_frame",
    "portfolios",
    "runs",
    "short",
    "slips",
]

TEXT, NUMBER, FLAG = pl.String(), pl.Float64(), pl.Int64()
RUNS: Mapping[str, pl.DataType] = {
    **dict.fromkeys(("run_id", "session", "mode"), TEXT),
    "dry_run": FLAG,
    **dict.fromkeys(("outcome", "stage", "code", "reason", "started_at", "finished_at"), TEXT),
    **dict.fromkeys(("equity", "cash"), NUMBER),
    **dict.fromkeys(("config_digest", "code_digest", "version"), TEXT),
}
EQUITY: Mapping[str, pl.DataType] = {
    **dict.fromkeys(("session", "at", "run_id"), TEXT),
    **dict.fromkeys(("equity", "cash", "account_equity"), NUMBER),
}
FOREIGN: Mapping[str, pl.DataType] = {"run_id": TEXT, "foreign": NUMBER, "unsure": FLAG}
ORDERS: Mapping[str, pl.DataType] = {
    **dict.fromkeys(("session", "symbol", "side", "type"), TEXT),
    **dict.fromkeys(("qty", "filled_qty", "filled_avg_price"), NUMBER),
    **dict.fromkeys(("status", "reason", "run_id"), TEXT),
}
DEALT: Mapping[str, pl.DataType] = {
    **dict.fromkeys(("month", "symbol"), TEXT),
    **dict.fromkeys(("orders", "filled", "partial", "unfilled"), FLAG),
    **dict.fromkeys(("value", "against_close", "of_close", "against_arrival", "of_arrival"), NUMBER),
}
HELD: Mapping[str, pl.DataType] = {
    "symbol": TEXT,
    **dict.fromkeys(("qty", "price", "value", "target"), NUMBER),
}
SLIPS: Mapping[str, pl.DataType] = {"bps": NUMBER, "orders": FLAG, "of": TEXT}
ARRIVAL = "arrival_price"
"""The column of `orders` with the price at which an order met the market, USD a share, where it is kept."""
FLOWS: Mapping[str, pl.DataType] = {
    **dict.fromkeys(("run_id", "date", "kind", "symbol"), TEXT),
    "amount": NUMBER,
}
EVENTS: Mapping[str, pl.DataType] = {
    **dict.fromkeys(("at", "level", "stage", "code", "message", "run_id"), TEXT),
}
NEWEST_EVENTS = 500
"""Warnings and errors that are read, newest first."""
NEWEST_ORDERS = 300
"""Orders that ended short which are read, newest first."""


class View(Protocol):
    """One consistent view of trades.db."""

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Give the rows of a query."""

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, object]]:
        """Give the rows of a query as dicts."""

    def columns(self, table: str) -> frozenset[str]:
        """Give the columns of a table; none where there is no such table."""


def portfolios(view: View) -> list[str]:
    """Give the portfolios that have runs, in ascending order."""
    if "portfolio" not in view.columns("runs"):
        return []
    rows = view.rows("SELECT DISTINCT portfolio FROM runs WHERE portfolio IS NOT NULL ORDER BY portfolio")
    return [str(row[0]) for row in rows]


def runs(view: View, portfolio: str) -> pl.DataFrame:
    """Give a portfolio's runs, oldest first.

    The order is that of the times in their ids: a run that could not read the broker's clock has no other.
    """
    order = "ORDER BY substr(run_id, 1, 16), rowid"
    return _table(view, "runs", RUNS, f"WHERE portfolio = ? {order}", (portfolio,))


def equity(view: View, portfolio: str) -> pl.DataFrame:
    """Give what the runs that were not dry read of the account, USD, oldest first; one row a run.

    `equity` is what a run was sized with, `worth` all of the account: foreign holdings, too, at the broker's
    prices. So a symbol that joins or leaves the universe is neither a gain nor a loss of it. Where a run does
    not say which holdings are foreign, `worth` is the broker's own figure, of that moment's prices.
    """
    wet = "run_id IN (SELECT run_id FROM runs WHERE portfolio = ? AND dry_run = 0)"
    if "run_id" not in view.columns("equity"):  # an older schema: no run is named, dry ones count, too
        read = _table(view, "equity", EQUITY, "WHERE portfolio = ? ORDER BY at", (portfolio,))
        return read.with_columns(pl.col("equity").alias("worth"))
    where = f"WHERE portfolio = ? AND (run_id IS NULL OR {wet}) ORDER BY at"
    read = _table(view, "equity", EQUITY, where, (portfolio, portfolio))
    read = read.join(_foreign(view, portfolio), on="run_id", how="left", maintain_order="left")
    known = pl.col("equity") + pl.col("foreign").fill_null(0.0)
    worth = pl.when(pl.col("unsure") == 1).then(pl.coalesce("account_equity", "equity")).otherwise(known)
    return read.select(*EQUITY, worth.alias("worth"))


def _foreign(view: View, portfolio: str) -> pl.DataFrame:
    """Give the value of what a run held outside its universe, USD, and whether that is unsure.

    A run's targets name its whole universe; one that ended before its strategy answered has none.
    """
    sql = (
        "SELECT run_id, SUM(CAST(market_value AS REAL)), COUNT(market_value) < COUNT(*)"
        " OR NOT EXISTS (SELECT 1 FROM targets AS t WHERE t.run_id = p.run_id)"
        " FROM positions AS p JOIN runs USING (run_id)"
        " WHERE portfolio = ? AND dry_run = 0 AND phase = 'before' AND NOT EXISTS"
        " (SELECT 1 FROM targets AS t WHERE t.run_id = p.run_id AND t.symbol = p.symbol) GROUP BY run_id"
    )
    return _frame(view.rows(sql, (portfolio,)) if view.columns("positions") else [], FOREIGN)


def flows(view: View, portfolio: str) -> pl.DataFrame:
    """Give a portfolio's deposits and withdrawals, USD, by date."""
    return _table(view, "flows", FLOWS, "WHERE portfolio = ? ORDER BY date, id", (portfolio,))


def dealt(view: View, portfolio: str) -> pl.DataFrame:
    """Give what was traded by month and symbol: orders, how they ended, USD.

    `value` was bought and sold; `against_close` is what it cost beyond the closes that sized it, `of_close`
    the value of those orders at these closes; the same of `arrival`, null where the file keeps none. A cost
    is positive.
    """
    worse = "CASE side WHEN 'buy' THEN done * (paid - {0}) ELSE done * ({0} - paid) END"
    sums = (
        "COUNT(*), SUM(done >= qty), SUM(done > 0 AND done < qty), SUM(done = 0), SUM(done * paid),"
        f" SUM({worse.format('close')}), SUM(done * close),"
        f" SUM({worse.format('arrival')}), SUM(done * arrival)"
    )
    there = view.columns("orders")
    if not there:
        return pl.DataFrame(schema=dict(DEALT))
    sql = f"SELECT substr(session, 1, 7), symbol, {sums} FROM ({_orders(there)}) GROUP BY 1, 2"  # noqa: S608 - the names are ours
    return _frame(view.rows(sql, (portfolio, "")), DEALT)


def slips(view: View, portfolio: str, since: str = "") -> pl.DataFrame:
    """Give how many orders filled how far from their reference, in bins of 2 basis points: bps, orders, of.

    `of` is `arrival` where the file keeps such prices of then, else `close`. Above zero is a cost; beyond
    100 basis points orders count in the last bin.
    """
    there = view.columns("orders")
    if not there:
        return pl.DataFrame(schema=dict(SLIPS))
    of = "arrival" if ARRIVAL in there and _arrivals(view, portfolio, since) else "close"
    bps = f"1e4 * (paid / {of} - 1) * CASE side WHEN 'buy' THEN 1 ELSE -1 END"
    sql = (
        f"SELECT 2.0 * ROUND(MAX(-100, MIN(100, {bps})) / 2), COUNT(*), '{of}'"  # noqa: S608 - the names are ours
        f" FROM ({_orders(there)}) WHERE done > 0 AND {of} > 0 GROUP BY 1 ORDER BY 1"
    )
    return _frame(view.rows(sql, (portfolio, since)), SLIPS)


def _arrivals(view: View, portfolio: str, since: str) -> bool:
    """Say whether any order of a portfolio since a session has an arrival price."""
    sql = f"SELECT 1 FROM orders WHERE portfolio = ? AND session >= ? AND {ARRIVAL} IS NOT NULL LIMIT 1"  # noqa: S608 - the name is ours
    return bool(view.rows(sql, (portfolio, since)))


def short(view: View, portfolio: str, since: str = "") -> pl.DataFrame:
    """Give the newest orders that ended without all their shares, newest first."""
    where = (
        "WHERE portfolio = ? AND session >= ? AND finished_at IS NOT NULL"
        " AND CAST(COALESCE(filled_qty, 0) AS REAL) < CAST(qty AS REAL)"
        f" ORDER BY session DESC, client_order_id LIMIT {NEWEST_ORDERS}"
    )
    return _table(view, "orders", ORDERS, where, (portfolio, since))


def _orders(there: frozenset[str]) -> str:
    """Give the query of a portfolio's orders since a session, with the prices that they are held against."""
    arrival = f"CAST(o.{ARRIVAL} AS REAL)" if ARRIVAL in there else "NULL"
    held = " LEFT JOIN positions AS {0} ON {0}.run_id = o.run_id AND {0}.symbol = o.symbol AND {0}.phase = "
    before = "CASE WHEN a.price IS NULL THEN 'before' END"  # looked for only where it is needed
    return (
        "SELECT o.session, o.symbol, side, CAST(o.qty AS REAL) AS qty,"  # noqa: S608 - the names are ours
        " CAST(COALESCE(filled_qty, 0) AS REAL) AS done, CAST(filled_avg_price AS REAL) AS paid,"
        f" CAST(COALESCE(a.price, b.price) AS REAL) AS close, {arrival} AS arrival"
        f" FROM orders AS o{held.format('a')}'after'{held.format('b')}{before}"
        " WHERE o.portfolio = ? AND o.session >= ?"
    )


def checks(view: View, portfolio: str) -> pl.DataFrame:
    """Give each check's record: rule, asked and refused (times), last_refused (session)."""
    schema = {"rule": TEXT, "asked": FLAG, "refused": FLAG, "last_refused": TEXT}
    if not view.columns("verdicts"):
        return pl.DataFrame(schema=schema)
    sql = (
        "SELECT rule, COUNT(*), SUM(passed = 0), MAX(CASE WHEN passed = 0 THEN session END)"
        " FROM verdicts JOIN runs USING (run_id) WHERE portfolio = ? GROUP BY rule ORDER BY rule"
    )
    return _frame(view.rows(sql, (portfolio,)), schema)


def events(view: View, portfolio: str) -> pl.DataFrame:
    """Give the newest warnings and errors of a portfolio's runs, newest first."""
    where = (
        "WHERE level IN ('warning', 'error') AND run_id IN"  # noqa: S608 - a number of ours is put in
        f" (SELECT run_id FROM runs WHERE portfolio = ?) ORDER BY run_id DESC, id DESC LIMIT {NEWEST_EVENTS}"
    )
    return _table(view, "events", EVENTS, where, (portfolio,))


def _table(
    view: View, table: str, columns: Mapping[str, pl.DataType], where: str, parameters: Sequence[object]
) -> pl.DataFrame:
    there = view.columns(table)
    if not there:
        return pl.DataFrame(schema=dict(columns))
    chosen = ", ".join(_column(name, kind, there) for name, kind in columns.items())
    sql = f"SELECT {chosen} FROM {table} {where}"  # noqa: S608 - every name in it is ours
    return _frame(view.rows(sql, parameters), columns)


def _column(name: str, kind: pl.DataType, there: frozenset[str]) -> str:
    """Give what selects a column; numbers are stored as text."""
    if name not in there:
        return f"NULL AS {name}"
    return f"CAST({name} AS REAL) AS {name}" if kind == NUMBER else name


def _frame(rows: list[tuple[object, ...]], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict(schema), orient="row", strict=False)


def held(view: View, portfolio: str) -> tuple[Found | None, pl.DataFrame]:
    """Give what the newest run that read the holdings left held; None where no run has.

    Columns: symbol, qty (shares), price (USD a share), value (USD), target (fraction of equity).
    """
    seen = found(view, portfolio) if view.columns("positions") else None
    names = ("symbol", "qty", "price", "market_value", "target")
    return seen, held_frame([] if seen is None else [tuple(row[name] for name in names) for row in seen.rows])


def held_frame(rows: Sequence[tuple[str | None, ...]]) -> pl.DataFrame:
    """Give the columns of `held` as numbers, of the texts that the ledger gives in this order."""
    told = pl.DataFrame(rows, schema=dict.fromkeys(HELD, TEXT), orient="row")
    return told.select(pl.col(name).cast(kind, strict=False) for name, kind in HELD.items())
