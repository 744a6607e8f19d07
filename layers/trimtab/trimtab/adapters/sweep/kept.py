"""Kept: the results of finished cells, by their digest, in one SQLite file that outlives a kill.

Each result is its own transaction in a write-ahead log: a killed process loses none that was added, without
a wait for the disk at each. A power cut may lose the last few, which are then played again.
"""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

__all__ = ["Kept"]

BUSY_S = 30.0
_SCHEMA = "CREATE TABLE IF NOT EXISTS results (digest TEXT PRIMARY KEY, result BLOB NOT NULL) WITHOUT ROWID"
_BATCH = 500
"""Digests asked for in one query."""


class Kept:
    """The results in a file, which is made where it is not there. Close it, or use it as a context."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._told(), ExitStack() as undo:
            self._file = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
            undo.callback(self._file.close)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=NORMAL")
            self._file.execute(_SCHEMA)
            undo.pop_all()

    def add(self, results: Mapping[str, bytes]) -> None:
        """Keep results; one that is there already stays as it is.

        Raises:
            Misconfigured: the file is damaged or can't be written.
        """
        with self._told():
            self._file.execute("BEGIN IMMEDIATE")
            self._file.executemany("INSERT OR IGNORE INTO results VALUES (?, ?)", list(results.items()))
            self._file.execute("COMMIT")

    def found(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Give the results of those digests that have one.

        Raises:
            Misconfigured: the file is damaged.
        """
        wanted = list(digests)
        found: dict[str, bytes] = {}
        with self._told():
            for begin in range(0, len(wanted), _BATCH):
                part = wanted[begin : begin + _BATCH]
                marks = ",".join("?" * len(part))
                query = f"SELECT digest, result FROM results WHERE digest IN ({marks})"  # noqa: S608 - question marks alone
                found.update(self._file.execute(query, part).fetchall())
        return found

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise Misconfigured(
                "sweep_results",
                f"the kept results can't be used: {error}",
                seen=self._path,
                allowed="a file that this sweep wrote, in a folder that can be written",
                hint="delete it to play every cell again, or name another folder with --out",
            ) from error
