"""Ports: what a run needs from outside, in our words. Adapters keep these promises.

Every call either gives what its docstring says or raises. `Unreachable` means the other side could not
be read within the retry budget; no port turns "unknown" into "none".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import date, datetime

    from trimtab.core.actions import Action
    from trimtab.core.bars import Bars
    from trimtab.core.message import Message
    from trimtab.core.portfolio import (
        Account,
        Asset,
        BrokerOrder,
        Fill,
        Flow,
        OrderRequest,
        Position,
        Quote,
        SessionHours,
    )
    from trimtab.core.record import Document

__all__ = [
    "Accepted",
    "Broker",
    "Clock",
    "Heartbeat",
    "Market",
    "Notifier",
    "Refused",
    "Source",
    "Store",
    "Submitted",
    "Trades",
    "Unauthorized",
    "Undelivered",
    "Unknown",
    "Unreachable",
    "World",
]


class Unreachable(Exception):  # noqa: N818 - a state of the world, not a fault of ours
    """The other side could not be read within the retry budget, or answered with garbage."""


class Unauthorized(Exception):  # noqa: N818 - a state of the world, not a fault of ours
    """The broker does not accept the keys on this host (401, or 403 on a read)."""


class Undelivered(Exception):  # noqa: N818 - a state of the world, not a fault of ours
    """A message did not arrive, or nobody said that it did. Its text holds no part of the address."""


class Clock(Protocol):
    """The machine's time: for durations, waiting, and the skew against the broker's clock."""

    def now(self) -> datetime:
        """Give the machine's UTC time."""

    def monotonic(self) -> float:
        """Give seconds that never run backwards."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Market(Protocol):
    """Prices."""

    def bars(self, symbols: Sequence[str], start: date, end: datetime) -> Bars:
        """Give the daily bars of `symbols` from session `start` (New York date) to `end` (UTC instant).

        All pages. Prices are adjusted as configured; `raw_close` is as traded. A symbol without any bar is
        absent from `Bars.symbols`: the gates judge that.

        Raises:
            Unreachable: a page could not be read, or was not what a page is.
            Unauthorized: the keys are not accepted.
        """

    def actions(self, symbols: Sequence[str], start: date, end: date) -> tuple[Action, ...]:
        """Give the corporate actions of `symbols` with an ex-date from `start` to `end`, New York, inclusive.

        All pages, by ex-date, then symbol. What the vendor has not told yet is not among them.

        Raises:
            Unreachable, Unauthorized: as above.
        """

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Give the latest quote of each symbol that has one, with its last trade where known.

        Raises:
            Unreachable, Unauthorized: as above.
        """


class Source(Protocol):
    """Daily history to look back on: a file, a cache, the sample, a data feed. No run trades on it."""

    @property
    def name(self) -> str:
        """Say where its bars are from, and what a reader should know of them."""

    def bars(self, symbols: Sequence[str], start: date | None = None, end: date | None = None) -> Bars:
        """Give the daily bars of `symbols` from session `start` to `end`, inclusive (None: all there are).

        Sessions are New York dates; prices are adjusted as configured. A symbol without any bar is absent.

        Raises:
            Misconfigured: a file is not usable.
            Unreachable, Unauthorized: a feed can't be read.
        """


@dataclass(frozen=True, slots=True)
class Accepted:
    """The broker took the order and showed it, matching what was sent."""

    order: BrokerOrder


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker, in its own JSON (400, 401, 403 or 422), refused; not about the id."""

    status: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Anything else: the order may exist. Only looking its id up can tell."""

    detail: str


Submitted = Accepted | Refused | Unknown
"""The outcome of one attempt to send one order."""


class Broker(Protocol):
    """The account and its orders. Reads are retried within a budget; a submit is one attempt."""

    def now(self) -> datetime:
        """Give the broker's clock, UTC."""

    def calendar(self, start: date, end: date) -> tuple[SessionHours, ...]:
        """Give the sessions from `start` to `end`, inclusive, oldest first."""

    def account(self) -> Account:
        """Give the account."""

    def positions(self) -> tuple[Position, ...]:
        """Give every holding, all asset classes."""

    def assets(self, symbols: Sequence[str]) -> Mapping[str, Asset]:
        """Give what is known of each symbol; an unknown one is absent."""

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Give every order in flight, all pages."""

    def orders_since(self, start: datetime) -> tuple[BrokerOrder, ...]:
        """Give every order submitted at or after `start` (UTC), open or ended, all pages."""

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """Look one order up by its client order id.

        None only if the broker says in so many words that it is unknown (404 with code 40410000).

        Raises:
            Unreachable: anything less clear.
        """

    def submit(self, order: OrderRequest) -> Submitted:
        """Send one order, one attempt, with timeouts."""

    def cancel(self, order_id: str) -> None:
        """Ask for an order to be cancelled, by the broker's id. Already ended is fine.

        Raises:
            Unreachable: whether it was asked is unknown; asking again is harmless.
        """

    def fills(self, session: date) -> tuple[Fill, ...]:
        """Give every execution of the account on a New York date, all pages, oldest first."""

    def flows(self, after: date) -> tuple[Flow, ...]:
        """Give every deposit and withdrawal, of cash or shares, made after a New York date, oldest first.

        Dividends, interest, fees and trades are none.
        """


class Store(Protocol):
    """Named blobs. Keys are relative paths with `/`; a blob is whole or absent, whatever is killed when.

    Raises on every call: `OSError` (or a subclass) when the store can't be reached or written.
    """

    url: str

    def get(self, key: str) -> bytes | None:
        """Give the blob, or None if there is none."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Store `data` unless the key exists; say whether this call stored it. Atomic among all writers."""

    def list(self, prefix: str) -> tuple[str, ...]:
        """Give every key that starts with `prefix` (which ends in `/`), in ascending order."""

    def delete(self, key: str) -> None:
        """Remove a blob; absent is fine.

        Only flags (`HALT`, `halts/…`) are ever removed, and by `trimtab prune` old inputs.
        """


class Trades(Protocol):
    """trades.db: what people and the dashboard query, made of the records and never believed over them."""

    def add(self, rows: Mapping[str, Sequence[Mapping[str, object]]]) -> None:
        """Write a record's rows, by table name, in one transaction; a row already there is replaced."""

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, object]]:
        """Give the rows of a read-only query as dicts."""

    def damage(self) -> str | None:
        """Say what is wrong with it, all of it looked at; None where it is sound, or not there."""

    def anew(self) -> AbstractContextManager[Trades]:
        """Give an empty one that takes its place when the block ends well; the old one is set aside."""


class Notifier(Protocol):
    """One place where the owner reads messages; `name` says which kind it is, never where."""

    name: str

    def tell(self, message: Message, seconds: float) -> None:
        """Deliver a message within so many seconds.

        Raises:
            Undelivered: it was not taken; or that is unknown.
        """


class Heartbeat(Protocol):
    """A watcher outside that raises the alarm when no run reports success in time.

    `run` is the name that start and end of one run have in common; `text` a few lines for people.
    """

    def start(self, run: str, seconds: float) -> None:
        """Say that a run begins.

        Raises:
            Undelivered: as `Notifier.tell`; so do the others.
        """

    def success(self, run: str, text: str, seconds: float) -> None:
        """Say that a run did what it should."""

    def fail(self, run: str, text: str, seconds: float) -> None:
        """Say that a run did not, which is the alarm at once."""


def _as_it_is(document: Document) -> Document:
    return document


def _unheard(_text: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside that one run may touch, wired by the composition root.

    `inputs_file` writes bars as the bytes of inputs.parquet, `read_inputs` reads them (ValueError: they are
    none); `new_id` gives a fresh random name; `seconds_left` says how long this run may still take.
    `notifiers` and `heartbeat` are told how it ended; `redact` takes every secret out of a document; `warn`
    is told what could not be told.
    """

    broker: Broker
    market: Market
    store: Store
    trades: Trades
    clock: Clock
    inputs_file: Callable[[Bars], bytes]
    read_inputs: Callable[[bytes], Bars]
    new_id: Callable[[], str]
    seconds_left: Callable[[], float]
    notifiers: tuple[Notifier, ...] = ()
    heartbeat: Heartbeat | None = None
    redact: Callable[[Document], Document] = _as_it_is
    warn: Callable[[str], None] = _unheard
