"""State: the simulated exchange in a SQLite file, whole after any kill.

Every change is one transaction over a rollback journal, so a killed process leaves the state before or
after it. A process takes the file for the length of one request (`BEGIN IMMEDIATE`), and reads it anew if
another has written since: two runs at once meet one exchange, not two copies.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from trimtab.adapters.exchange.book import Book
from trimtab.adapters.exchange.records import Activity, Behaviour, Holding, Order
from trimtab.core.portfolio import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["Saved", "StateFile"]

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE orders (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, client_order_id TEXT NOT NULL UNIQUE,
  document TEXT NOT NULL
);
CREATE TABLE holdings (symbol TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE activities (seq INTEGER PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE closes (session TEXT PRIMARY KEY, equity TEXT NOT NULL) WITHOUT ROWID;
"""

Record = TypeVar("Record", Order, Holding, Activity)


@dataclass(frozen=True, slots=True)
class Saved:
    """What the file holds: the book, the behaviour, the tape's name, and how often it was written."""

    book: Book
    behaviour: Behaviour
    tape: str
    version: int


def _text(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, datetime) else value


def _encode(record: Order | Holding | Activity) -> str:
    document = {name: _text(value) for name, value in asdict(record).items()}
    return json.dumps(document, separators=(",", ":"))


_READERS: dict[str, Callable[[str], object]] = {"Decimal": Decimal, "datetime": datetime.fromisoformat}


def _decode(kind: type[Record], text: str) -> Record:
    document = json.loads(text)
    for field in fields(kind):
        reader = _READERS.get(str(field.type).removesuffix(" | None"))
        if reader is not None and document[field.name] is not None:
            document[field.name] = reader(document[field.name])
    return kind(**document)


def _behaviour(document: Mapping[str, Any]) -> Behaviour:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
    return Behaviour(**values)


class StateFile:
    """The file of one exchange."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = DELETE")
        self.begin()
        if self._db.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self.commit()

    def begin(self) -> None:
        """Take the file for writing; waits for another process, at most 30 seconds."""
        self._db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make the changes since `begin` permanent, and release the file."""
        self._db.execute("COMMIT")

    def rollback(self) -> None:
        """Forget the changes since `begin`, and release the file."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def version(self) -> int:
        """Give how often the file was written; 0 when it is empty."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
        return 0 if row is None else int(row[0])

    def load(self) -> Saved | None:
        """Give what the file holds, or None when it is empty."""
        meta = dict(self._db.execute("SELECT key, value FROM meta"))
        if not meta:
            return None
        behaviour = _behaviour(json.loads(meta["behaviour"]))
        return Saved(self._load_book(meta), behaviour, meta["tape"], int(meta["version"]))

    def _records(self, kind: type[Record], table: str, key: str) -> list[Record]:
        rows = self._db.execute(f"SELECT document FROM {table} ORDER BY {key}")  # noqa: S608 - our own names
        return [_decode(kind, document) for (document,) in rows]

    def _load_book(self, meta: Mapping[str, str]) -> Book:
        orders = self._records(Order, "orders", "seq")
        activities = self._records(Activity, "activities", "seq")
        closes = dict(self._db.execute("SELECT session, equity FROM closes ORDER BY session"))
        return Book(
            seed=int(meta["seed"]),
            time=datetime.fromisoformat(meta["time"]),
            cash=Decimal(meta["cash"]),
            start_cash=Decimal(meta["start_cash"]),
            last_equity=Decimal(meta["last_equity"]),
            orders={o.id: o for o in orders},
            by_client_id={o.client_order_id: o.id for o in orders},
            live={o.id: o for o in orders if o.status not in TERMINAL},
            holdings={h.symbol: h for h in self._records(Holding, "holdings", "symbol")},
            activities=activities,
            closes={session: Decimal(equity) for session, equity in closes.items()},
            stored_activities=len(activities),
            stored_closes=len(closes),
        )

    def save(self, saved: Saved) -> None:
        """Write what changed in the book since it was last saved, and the rest of `saved`."""
        book = saved.book
        changed = [book.orders[order_id] for order_id in sorted(book.dirty_orders)]
        self._db.executemany(
            "INSERT INTO orders VALUES (?, ?, ?, ?)"
            " ON CONFLICT (seq) DO UPDATE SET document = excluded.document",
            [(o.seq, o.id, o.client_order_id, _encode(o)) for o in changed],
        )
        self._save_holdings(book)
        fresh = book.activities[book.stored_activities :]
        self._db.executemany("INSERT INTO activities VALUES (?, ?)", [(a.seq, _encode(a)) for a in fresh])
        closes = [(day, str(usd)) for day, usd in book.closes.items()][book.stored_closes :]
        self._db.executemany("INSERT INTO closes VALUES (?, ?)", closes)
        meta = {
            "seed": book.seed,
            "time": book.time.isoformat(),
            "cash": book.cash,
            "start_cash": book.start_cash,
            "last_equity": book.last_equity,
            "tape": saved.tape,
            "behaviour": json.dumps(asdict(saved.behaviour), sort_keys=True),
            "version": saved.version,
        }
        rows = [(key, str(value)) for key, value in meta.items()]
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def _save_holdings(self, book: Book) -> None:
        for symbol in sorted(book.dirty_holdings):
            self._db.execute("DELETE FROM holdings WHERE symbol = ?", (symbol,))
            if symbol in book.holdings:
                document = _encode(book.holdings[symbol])
                self._db.execute("INSERT INTO holdings VALUES (?, ?)", (symbol, document))


def kept_symbols(path: Path) -> tuple[str, ...]:
    """Give every symbol that the exchange kept at `path` holds or had orders of: its tape needs them all."""
    if not path.exists():
        return ()
    with closing(StateFile(path)) as state:
        saved = state.load()
    if saved is None:
        return ()
    return tuple(sorted({*saved.book.holdings, *(order.symbol for order in saved.book.orders.values())}))
