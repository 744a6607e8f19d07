"""Trades: trades.db as one object that is swapped whole."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from trimtab.adapters.s3.bucket import PATIENCE_S, Blob, Bucket, Crossed, tries
from trimtab.adapters.sqlite import damaged, migrate, read_through, translate
from trimtab.adapters.sqlrows import write
from trimtab.errors import Halted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from trimtab.ports import Trades

__all__ = ["S3Trades"]

_TRADES = "trades.db"
_WAL = b"\x02\x02"
"""Bytes 18 and 19 of a database in WAL mode (source: sqlite.org/fileformat.html, 1.3)."""


class S3Trades:
    """trades.db as one object, read whole, changed in memory, and swapped for the version that was read.

    Every call raises `Halted` when the database is damaged, of a newer version or in WAL mode, and `OSError`
    when the object can't be read or written. What was read is kept and asked for again by its ETag.
    """

    def __init__(self, url: str, *, patience_s: float = PATIENCE_S) -> None:
        self._bucket = Bucket(url)
        self._name = f"{self._bucket.url}/{_TRADES}"
        self._patience_s = patience_s
        self._kept: Blob | None = None

    def add(self, rows: Mapping[str, Sequence[Mapping[str, object]]]) -> None:
        """Write a record's rows, by table name, whole or not at all; a row that is there already is replaced.

        Where another writer was first, its version is read and the rows are written into that.

        Raises:
            ValueError: a table or a column is unknown, or a time has no zone.
            Halted, OSError: as above.
        """
        mark = secrets.token_hex(16)
        try:
            for attempt in tries(self._patience_s):
                with attempt:
                    self._swap(rows, mark)
        except Crossed:
            raise self._bucket.crossed(_TRADES) from None

    def _swap(self, rows: Mapping[str, Sequence[Mapping[str, object]]], mark: str) -> None:
        seen = self._newest()
        if seen is not None and seen.mark == mark:
            return  # an earlier try was stored, and its answer lost
        with self._opened(seen) as database:
            write(database, rows)
            data = database.serialize()
        self._kept = self._bucket.put(_TRADES, data, mark, over=seen)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, object]]:
        """Give the rows of a read-only query as dicts. Where there is no object yet, every table is empty.

        Raises:
            sqlite3.Error: the SQL is wrong, or would write.
            Halted, OSError: as above.
        """
        with self._opened(self._newest()) as database:
            database.execute("PRAGMA query_only = ON")
            return [dict(row) for row in database.execute(sql, tuple(parameters))]

    def damage(self) -> str | None:
        """Say what is wrong with the object, all of it looked at; None where it is sound, or not there.

        Raises:
            Halted, OSError: as above, but for damage.
        """
        try:
            with self._opened(self._newest()) as database:
                said = [str(row[0]) for row in database.execute("PRAGMA integrity_check(1)")]
                if said == ["ok"]:
                    read_through(database)
        except Halted as error:
            if error.code != "database_damaged":
                raise
            return str(error.seen)
        return None if said == ["ok"] else "; ".join(said)

    @contextmanager
    def anew(self) -> Iterator[Trades]:
        """Give an empty trades.db that takes this one's place when the block ends well.

        This one is kept beside it. Where another writer changed it meanwhile, it stays as that one left it.

        Raises:
            OSError: the object can't be read or written, or was changed meanwhile.
        """
        old = self._bucket.get(_TRADES)
        with _loaded(b"") as database:
            database.row_factory = sqlite3.Row
            migrate(database, self._name)
            yield _Draft(database)
            data = database.serialize()
        mark = secrets.token_hex(16)
        try:
            if old is not None:
                self._set_aside(old, mark)
            self._kept = self._bucket.put(_TRADES, data, mark, over=old)
        except Crossed:
            raise self._bucket.crossed(_TRADES) from None

    def _set_aside(self, old: Blob, mark: str) -> None:
        """Keep a copy under the first free name."""
        for number in count(1):
            with suppress(Crossed):
                self._bucket.put(f"{_TRADES}.aside-{number}", old.data, mark, over=None)
                return

    def _newest(self) -> Blob | None:
        """Give the object as it is now, which was found whole; None where there is none."""
        found = self._bucket.get(_TRADES, self._kept)
        if found is not self._kept and found is not None:
            self._judge(found.data)
        self._kept = found
        return found

    def _judge(self, data: bytes) -> None:
        """Refuse what no version of ours left there.

        Raises:
            Halted: the database is damaged, or in a mode that needs a second file.
        """
        if data[18:20] == _WAL:
            raise Halted(
                "journal_mode",
                f"{self._name} was put there in WAL mode, so a part of it may be missing",
                seen="wal",
                allowed="delete",
                hint="move it away: the next run that is not dry makes it anew from the records",
            )
        with self._told(), _loaded(data) as database:
            (said,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            raise damaged(self._name, said)

    @contextmanager
    def _opened(self, blob: Blob | None) -> Iterator[sqlite3.Connection]:
        with self._told(), _loaded(b"" if blob is None else blob.data) as database:
            database.row_factory = sqlite3.Row
            migrate(database, self._name)
            yield database

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except UnicodeDecodeError as error:
            raise damaged(self._name, error) from error
        except sqlite3.DatabaseError as error:
            translate(error, self._name, writing=False)
            raise


@dataclass(frozen=True, slots=True)
class _Draft:
    """A trades.db in memory, that nobody sees yet."""

    database: sqlite3.Connection

    def add(self, rows: Mapping[str, Sequence[Mapping[str, object]]]) -> None:
        """Write rows, whole or not at all."""
        write(self.database, rows)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, object]]:
        """Give the rows of a query as dicts."""
        return [dict(row) for row in self.database.execute(sql, tuple(parameters))]

    def damage(self) -> str | None:
        """Give None: it was made just now."""
        return None

    def anew(self) -> AbstractContextManager[Trades]:
        """Give itself: it is new."""
        return nullcontext(self)


@contextmanager
def _loaded(data: bytes) -> Iterator[sqlite3.Connection]:
    """Give a database in memory that holds `data`; an empty one of nothing."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        if data:
            database.deserialize(data)
        yield database
