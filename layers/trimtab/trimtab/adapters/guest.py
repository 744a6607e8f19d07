"""Guest: trades.db as a guest reads it: nothing is written or mended, and no lock outlives one short read.

A guest meets the file in any state: absent, of an older or newer schema, half written by a run that died,
damaged. It tells which, and never opens the file for writing, as `SqliteTrades` does to see to such things.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from trimtab.errors import Halted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = ["Guest", "GuestTrades", "Sight", "Stamp"]

Stamp = tuple[int | str, ...]
"""What changes whenever trades.db does."""

BUSY_TIMEOUT_MS = 20_000
"""How long a read waits for a run that is writing, milliseconds."""
CACHE_KIB = 65_536
"""Of pages kept while one view is read: ten years of orders are joined within it."""
SETTLED_NS = 2_000_000_000
"""A file changed more lately may change again within the grain of its time; its stamp is used once."""

UNREADABLE = "Could not decode to UTF-8"
"""Opens what Python says of a text that is none, where it does not raise `UnicodeDecodeError`."""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNFINISHED = frozenset({sqlite3.SQLITE_READONLY_ROLLBACK, sqlite3.SQLITE_READONLY_RECOVERY})


@dataclass(frozen=True, slots=True)
class Sight:
    """One consistent view of trades.db, as of one moment."""

    _database: sqlite3.Connection
    _path: Path

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Give the rows of a query.

        Raises:
            Halted: the file is damaged.
            sqlite3.Error: the SQL is wrong.
        """
        with _told(self._path):
            return self._database.execute(sql, tuple(parameters)).fetchall()

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, object]]:
        """Give the rows of a query as dicts.

        Raises:
            Halted, sqlite3.Error: as above.
        """
        with _told(self._path):
            cursor = self._database.execute(sql, tuple(parameters))
            names = [str(column[0]) for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def columns(self, table: str) -> frozenset[str]:
        """Give the columns of a table or view; none where there is no such table.

        Raises:
            Halted: the file is damaged.
        """
        return frozenset(str(row[0]) for row in self.rows("SELECT name FROM pragma_table_info(?)", (table,)))


class Guest(Protocol):
    """trades.db as a guest reads it, wherever it lies."""

    def stamp(self) -> Stamp:
        """Give what changes whenever the database does; empty where there is none.

        Raises:
            OSError: the store can't be read.
        """

    def sight(self) -> AbstractContextManager[Sight | None]:
        """Give one consistent view of the database; None where there is none.

        Raises:
            Halted: it is damaged, or a run died while it wrote and no run has mended that yet.
            OSError: it can't be read.
        """


class GuestTrades:
    """trades.db at `path`, for reading only."""

    def __init__(self, path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        self.path = path
        self._busy_timeout_ms = busy_timeout_ms

    def stamp(self) -> Stamp:
        """Give what changes whenever the file does; empty without a file.

        The file's facts are asked for and it is never opened: in this process, closing it would drop the
        locks of a read that goes on (source: sqlite.org/howtocorrupt.html, 2.2).

        Raises:
            OSError: the folder can't be read.
        """
        try:
            facts = self.path.stat()
        except FileNotFoundError:
            return ()
        stamp = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        now = time.time_ns()
        return (*stamp, now) if now - facts.st_mtime_ns < SETTLED_NS else stamp

    @contextmanager
    def sight(self) -> Iterator[Sight | None]:
        """Give one consistent view of the file; None without a file.

        Raises:
            Halted: the file is damaged, or a run died while it wrote and no run has mended that yet.
            OSError: it can't be read, or is locked for longer than the timeout.
        """
        if not self.path.exists():
            yield None
            return
        uri = f"{self.path.absolute().as_uri()}?mode=ro"
        with _told(self.path), closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as database:
            database.execute(f"PRAGMA busy_timeout = {self._busy_timeout_ms:d}")
            database.execute("PRAGMA query_only = ON")
            database.execute("PRAGMA mmap_size = 0")
            database.execute(f"PRAGMA cache_size = -{CACHE_KIB:d}")
            database.execute("BEGIN")
            database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()  # the read begins here
            yield Sight(database, self.path)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what SQLite's errors mean to a guest.

    Raises:
        Halted, OSError: as `GuestTrades.sight`.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        raise _damaged(path, error) from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if code & 0xFF in _DAMAGED or str(error).startswith(UNREADABLE):
            raise _damaged(path, error) from error
        if code in _UNFINISHED:
            raise Halted(
                "database_unfinished",
                f"a run died while it wrote {path.name}",
                seen=error,
                allowed="a run that wrote to its end",
                hint="the next run mends it",
            ) from error
        if code & 0xFF in {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE}:
            raise
        raise OSError(f"{path}: {error}") from error


def _damaged(path: Path, seen: object) -> Halted:
    return Halted(
        "database_damaged",
        f"{path.name} is not a sound SQLite database",
        seen=seen,
        allowed="a sound database",
        hint="the next run that is not dry makes it anew from the records, as `trimtab rebuild` does",
    )
