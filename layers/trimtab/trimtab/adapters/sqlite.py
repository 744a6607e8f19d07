"""SQLite trades: trades.db, what people and the dashboard query, made of the records.

The database is opened and closed inside every call, with a rollback journal: it may lie on a network file
system (EFS), where a write-ahead log is not safe (source: sqlite.org/wal.html, "All processes using a
database must be on the same host computer").
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING

from trimtab.adapters.sqlrows import transaction, write
from trimtab.errors import Halted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["MIGRATIONS", "SqliteTrades", "damaged", "migrate", "read_through", "translate"]

BUSY_TIMEOUT_MS = 120_000
"""How long a call waits for another process's transaction, milliseconds."""

MIGRATIONS = (
    """
-- Decimals are TEXT as the broker printed them: CAST(... AS REAL) to compute. Times are UTC, ISO 8601.
-- Sessions are New York dates. Flags are 0 or 1.

-- One row a run, whatever came of it.
CREATE TABLE runs (
  run_id TEXT NOT NULL PRIMARY KEY, portfolio TEXT, session TEXT, mode TEXT, dry_run INTEGER, outcome TEXT,
  stage TEXT, reason TEXT, started_at TEXT, finished_at TEXT, equity TEXT, cash TEXT, plan_digest TEXT,
  inputs_digest TEXT, config_digest TEXT, version TEXT);
CREATE INDEX runs_session ON runs (portfolio, session);

-- The weights that the strategy asked for, fractions of equity.
CREATE TABLE targets (run_id TEXT NOT NULL, symbol TEXT NOT NULL, weight TEXT, PRIMARY KEY (run_id, symbol));

-- The holdings when the run read them first ("before") and last ("after"): shares and USD.
CREATE TABLE positions (
  run_id TEXT NOT NULL, phase TEXT NOT NULL, symbol TEXT NOT NULL, qty TEXT, price TEXT, market_value TEXT,
  PRIMARY KEY (run_id, phase, symbol));

-- One row an order, as it was seen last; run_id is the run that recorded it first.
CREATE TABLE orders (
  client_order_id TEXT NOT NULL PRIMARY KEY, run_id TEXT, portfolio TEXT, session TEXT, symbol TEXT,
  side TEXT, type TEXT, qty TEXT, limit_price TEXT, status TEXT, filled_qty TEXT, filled_avg_price TEXT,
  submitted_at TEXT, finished_at TEXT, reason TEXT);
CREATE INDEX orders_session ON orders (portfolio, session);

-- One row an execution: shares at USD a share.
CREATE TABLE fills (
  fill_id TEXT NOT NULL PRIMARY KEY, client_order_id TEXT, symbol TEXT, side TEXT, qty TEXT, price TEXT,
  at TEXT);
CREATE INDEX fills_order ON fills (client_order_id);

-- What each risk rule and gate said of its subject (a symbol, or the plan as a whole).
CREATE TABLE verdicts (
  run_id TEXT NOT NULL, rule TEXT NOT NULL, subject TEXT NOT NULL, passed INTEGER, seen TEXT, allowed TEXT,
  detail TEXT,
  PRIMARY KEY (run_id, rule, subject));

-- The account's value over time, USD.
CREATE TABLE equity (
  portfolio TEXT NOT NULL, session TEXT NOT NULL, at TEXT NOT NULL, equity TEXT, cash TEXT,
  PRIMARY KEY (portfolio, session, at));

-- What happened, inside a run (run_id) or outside one: halt, resume, latch.
CREATE TABLE events (
  id TEXT NOT NULL PRIMARY KEY, at TEXT, run_id TEXT, level TEXT, stage TEXT, code TEXT, message TEXT);

-- The last run of every portfolio.
CREATE VIEW latest_run AS
  SELECT * FROM runs AS run WHERE run_id = (
    SELECT run_id FROM runs WHERE portfolio = run.portfolio ORDER BY started_at DESC, run_id DESC LIMIT 1);

-- What every portfolio held at the end of its last run that read its positions again.
CREATE VIEW holdings AS
  SELECT run.portfolio, run.session, run.run_id, symbol, qty, price, market_value
  FROM positions JOIN runs AS run USING (run_id)
  WHERE phase = 'after' AND CAST(qty AS REAL) <> 0 AND run_id = (
    SELECT last.run_id FROM runs AS last JOIN positions AS held USING (run_id)
    WHERE held.phase = 'after' AND last.portfolio = run.portfolio
    ORDER BY last.started_at DESC, last.run_id DESC LIMIT 1)
  ORDER BY run.portfolio, symbol;

-- Every order beside the sum of its fills: shares and USD as floating point, so for reading only.
CREATE VIEW order_fills AS
  SELECT orders.*, COUNT(fill_id) AS fills, COALESCE(SUM(CAST(fills.qty AS REAL)), 0.0) AS fills_qty,
    SUM(CAST(fills.qty AS REAL) * CAST(fills.price AS REAL)) AS fills_value_usd
  FROM orders LEFT JOIN fills USING (client_order_id) GROUP BY client_order_id;
""",
    """
-- Why the run ended so, what code it ran, and the last resume that it knew of.
ALTER TABLE runs ADD COLUMN code TEXT;
ALTER TABLE runs ADD COLUMN code_digest TEXT;
ALTER TABLE runs ADD COLUMN resumed TEXT;

-- The run that read it, and the whole account's equity, foreign holdings too, as the broker gave it.
ALTER TABLE equity ADD COLUMN run_id TEXT;
ALTER TABLE equity ADD COLUMN account_equity TEXT;

-- Deposits and withdrawals: New York date, shares, USD (shares at their price when they were first seen);
-- run_id is the run that saw it first.
CREATE TABLE flows (
  id TEXT NOT NULL PRIMARY KEY, portfolio TEXT, run_id TEXT, date TEXT, kind TEXT, symbol TEXT, qty TEXT,
  amount TEXT);
""",
    """
-- Seconds from the close of the last bar that the run saw to its start.
ALTER TABLE runs ADD COLUMN data_age_s REAL;

-- The quote that the order was sent on, USD a share: bid, ask, and their mid; null where no record tells.
ALTER TABLE orders ADD COLUMN arrival_bid TEXT;
ALTER TABLE orders ADD COLUMN arrival_ask TEXT;
ALTER TABLE orders ADD COLUMN arrival_price TEXT;

-- How long a run was in each station it passed, seconds.
CREATE TABLE timings (
  run_id TEXT NOT NULL, station TEXT NOT NULL, seconds REAL, PRIMARY KEY (run_id, station));
""",
)
"""The SQL script that leads from each schema version to the next; the version is `PRAGMA user_version`."""

ASKED = ("runs", "orders", "fills", "equity", "flows")
"""The tables that rules and stations read."""
UNREADABLE = "Could not decode to UTF-8"
"""Opens what Python says of a text that is none, where it does not raise `UnicodeDecodeError`."""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_OUTSIDE = frozenset(
    {
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM),
        *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_PROTOCOL),
    }
)


class SqliteTrades:
    """trades.db at `path`; the first `add` makes it, and its folder.

    Every call raises `Halted` when the file is damaged, of a newer version or can't have a rollback journal,
    and `OSError` when it can't be opened, locked (within `busy_timeout_ms`), read or written.
    """

    def __init__(self, path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        self.path = path
        self._busy_timeout_ms = busy_timeout_ms

    def add(self, rows: Mapping[str, Sequence[Mapping[str, object]]]) -> None:
        """Write a record's rows, by table name, in one transaction; a row that is there already is replaced.

        A column that a row leaves out is null. An order, and a flow, is of the run that recorded it first, by
        the time of its end; an order that has ended is not replaced by an earlier view of it. Of two runs
        side by side it makes no difference which is written first.

        Raises:
            ValueError: a table or a column is unknown, or a time has no zone.
            Halted, OSError: as above.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._writer() as database:
            write(database, rows)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, object]]:
        """Give the rows of a read-only query as dicts. Where there is no file yet, every table is empty.

        Raises:
            sqlite3.Error: the SQL is wrong, or would write.
            Halted, OSError: as above.
        """
        try:
            return self._ask(sql, parameters)
        except _NeedsWriter:
            with self._writer():
                pass  # its opening rolls a killed writer's journal back, leaves WAL mode, migrates
        return self._ask(sql, parameters)

    def damage(self) -> str | None:
        """Say what is wrong with the file, all of it looked at; None where it is sound, or not there.

        SQLite does not look into texts: those that a run decides by are read, too.

        Raises:
            Halted, OSError: as above, but for damage.
        """
        try:
            said = [str(row["integrity_check"]) for row in self.query("PRAGMA integrity_check(1)")]
            if said == ["ok"]:
                with self._reader() as database:
                    read_through(database)
        except Halted as error:
            if error.code != "database_damaged":
                raise
            return str(error.seen)
        return None if said == ["ok"] else "; ".join(said)

    @contextmanager
    def anew(self) -> Iterator[SqliteTrades]:
        """Give an empty trades.db that takes this one's place when the block ends well.

        This one is set aside. Until then nobody sees the new one, so that a kill leaves the old file, or
        none, and never a half one.

        Raises:
            Halted, OSError: as above.
        """
        place = self.path.with_name(f"{self.path.name}.new-{os.getpid()}")
        draft = SqliteTrades(place, busy_timeout_ms=self._busy_timeout_ms)
        for left in (draft.path, _journal(draft.path)):
            left.unlink(missing_ok=True)
        draft.add({})
        yield draft
        self._set_aside()
        draft.path.replace(self.path)

    def _set_aside(self) -> None:
        """Move the file to a free name beside it, its journal first: no other database may meet that."""
        names = (self.path.with_name(f"{self.path.name}.aside-{n}") for n in count(1))
        aside = next(name for name in names if not name.exists() and not _journal(name).exists())
        for old, new in ((_journal(self.path), _journal(aside)), (self.path, aside)):
            with suppress(FileNotFoundError):
                old.rename(new)

    def _ask(self, sql: str, parameters: Sequence[object]) -> list[dict[str, object]]:
        with self._reader() as database:
            return [dict(row) for row in database.execute(sql, tuple(parameters))]

    @contextmanager
    def _writer(self) -> Iterator[sqlite3.Connection]:
        with self._connection("rwc") as database:
            _demand_rollback_journal(database, self.path)
            migrate(database, self.path)
            yield database

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        if not self.path.exists():
            with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
                database.row_factory = sqlite3.Row
                migrate(database, self.path)
                database.execute("PRAGMA query_only = ON")
                yield database
            return
        with self._connection("ro") as database:
            database.execute("PRAGMA query_only = ON")
            mode = database.execute("PRAGMA journal_mode").fetchone()[0]
            if mode != "delete" or _version(database, self.path) < len(MIGRATIONS):
                raise _NeedsWriter
            yield database

    @contextmanager
    def _connection(self, mode: str) -> Iterator[sqlite3.Connection]:
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        try:
            with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as database:
                database.row_factory = sqlite3.Row
                database.execute(f"PRAGMA busy_timeout = {self._busy_timeout_ms:d}")
                database.execute("PRAGMA synchronous = FULL")
                database.execute("PRAGMA mmap_size = 0")
                yield database
        except UnicodeDecodeError as error:  # a byte changed in a text, which SQLite does not look at
            raise damaged(self.path, error) from error
        except sqlite3.DatabaseError as error:
            translate(error, self.path, writing=mode == "rwc")
            raise


def read_through(database: sqlite3.Connection) -> None:
    """Read every text of the tables that runs ask, so that one which is none is met here.

    Raises:
        UnicodeDecodeError, sqlite3.OperationalError: there is one.
    """
    for table in ASKED:
        for _ in database.execute(f"SELECT * FROM {table}"):  # noqa: S608 - names of our own
            pass


def _journal(path: Path) -> Path:
    """Give the rollback journal's place (source: sqlite.org/tempfiles.html, 2.1)."""
    return path.with_name(f"{path.name}-journal")


class _NeedsWriter(Exception):  # noqa: N818 - a state of the file, not an error
    """A reader met a file that a writer must see to first."""


def _demand_rollback_journal(database: sqlite3.Connection, path: Path) -> None:
    mode = database.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
    if mode != "delete":
        raise Halted(
            "journal_mode",
            f"{path} does not take a rollback journal",
            seen=mode,
            allowed="delete",
            hint="close the program that holds the database open, then run again",
        )


def _version(database: sqlite3.Connection, path: Path | str) -> int:
    """Give the schema version of the file, refusing one that is newer than this program."""
    version = int(database.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise Halted(
            "database_newer",
            f"{path} was written by a newer trimtab",
            seen=f"schema version {version}",
            allowed=f"up to {len(MIGRATIONS)}",
            hint="install that trimtab, or move the file away and run `trimtab rebuild`",
        )
    return version


def migrate(database: sqlite3.Connection, path: Path | str) -> None:
    """Bring a database to this version's schema, in one transaction; `path` is its name in errors.

    Raises:
        Halted: it is of a newer version.
        sqlite3.Error: as above.
    """
    if _version(database, path) == len(MIGRATIONS):
        return
    with transaction(database):
        for script in MIGRATIONS[_version(database, path) :]:
            for statement in _statements(script):
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _statements(script: str) -> Iterator[str]:
    # executescript would commit the transaction that makes a migration whole
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def damaged(path: Path | str, seen: object) -> Halted:
    """Give the error that says that a database can't be believed."""
    return Halted(
        "database_damaged",
        f"{path} is not a sound SQLite database",
        seen=str(seen),
        hint="move the file away and run `trimtab rebuild`: the records hold all of it",
    )


def translate(error: sqlite3.DatabaseError, path: Path | str, *, writing: bool) -> None:
    """Raise what SQLite's error means to a run; return where it is about the statement.

    Raises:
        Halted: the database is damaged.
        OSError: it can't be read or written.
    """
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code in (sqlite3.SQLITE_READONLY_ROLLBACK, sqlite3.SQLITE_READONLY_RECOVERY):
        raise _NeedsWriter from error
    if code & 0xFF in _DAMAGED or str(error).startswith(UNREADABLE):
        raise damaged(path, error) from error
    if code & 0xFF in _OUTSIDE and (writing or code & 0xFF != sqlite3.SQLITE_READONLY):
        raise OSError(f"{path}: {error}") from error
