"""Sqlrows: rows of trades.db as they are written: the same whichever of two runs is written first."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["transaction", "write"]


def write(database: sqlite3.Connection, rows: Mapping[str, Sequence[Mapping[str, object]]]) -> None:
    """Write rows, by table name, in one transaction, as `SqliteTrades.add` says.

    Raises:
        ValueError: a table or a column is unknown, or a time has no zone.
        sqlite3.Error: as SQLite says; `translate` tells what it means.
    """
    with transaction(database):
        for table, some in rows.items():
            columns, statement = _upsert(database, table)
            database.executemany(statement, (_values(table, columns, row) for row in some))


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Do what the block does to the database, whole or not at all."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _upsert(database: sqlite3.Connection, table: str) -> tuple[tuple[str, ...], str]:
    """Give a table's columns, and the statement that writes one row of it."""
    described = database.execute(
        "SELECT name, pk FROM pragma_table_info(?) WHERE EXISTS"
        " (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?)",
        (table, table),
    ).fetchall()
    if not described:
        raise ValueError(f"trades.db has no table {table!r}")
    columns = tuple(str(row["name"]) for row in described)
    key = ", ".join(row["name"] for row in described if row["pk"])
    names = [str(row["name"]) for row in described if not row["pk"]]
    changed = ", ".join(f"{name} = {_merged(table, name)}" for name in names)
    marks = ", ".join("?" * len(columns))
    update = f"UPDATE SET {changed}" if changed else "NOTHING"
    # Every name in it is the schema's own.
    into = f"INSERT INTO {table} ({', '.join(columns)})"
    return columns, f"{into} VALUES ({marks}) ON CONFLICT ({key}) DO {update}"


def _merged(table: str, column: str) -> str:
    """Say what a row's column becomes, whichever of two runs side by side is written first.

    An order, a flow and an account's value at one moment are of the run that ended first; an arrival price
    stays, which only one run can know; an order that has ended is not replaced by an earlier view of it.
    """
    old, new = f"{table}.{column}", f"excluded.{column}"
    ended = "(SELECT finished_at || run_id FROM runs WHERE run_id = {}.run_id)"
    first, second = ended.format(table), ended.format("excluded")
    if table == "equity":
        return f"CASE WHEN {first} < {second} THEN {old} ELSE {new} END"
    if column == "run_id" and table in {"orders", "flows"}:
        return f"CASE WHEN {second} < {first} THEN {new} ELSE {old} END"
    if table != "orders":
        return new
    if column.startswith("arrival_"):
        old, new = f"COALESCE({old}, {new})", f"COALESCE({new}, {old})"
    older = "orders.finished_at IS NOT NULL AND excluded.finished_at IS NULL"
    return f"CASE WHEN {older} THEN {old} ELSE {new} END"


def _values(table: str, columns: tuple[str, ...], row: Mapping[str, object]) -> tuple[object, ...]:
    if unknown := row.keys() - set(columns):
        raise ValueError(f"the table {table} has no column {', '.join(sorted(unknown))}")
    return tuple(_value(row.get(column)) for column in columns)


def _value(value: object) -> object:
    """Give what is stored for a value: exact text for numbers and times, 0 or 1 for flags."""
    match value:
        case bool():
            return int(value)
        case Decimal():
            return format(value, "f")
        case float():
            return repr(value)
        case datetime():
            if value.tzinfo is None:
                raise ValueError(f"a time without a zone: {value}")
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case _:  # SQLite takes no half of a surrogate pair, and a vendor's text may hold one
            return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
