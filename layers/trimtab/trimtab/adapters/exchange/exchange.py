"""Exchange: a broker and its market in one object, on a virtual clock, replaying a tape.

It is deterministic: the same tape, seed and calls at the same virtual instants give the same history. One
lock, and one transaction of its file, is held around each piece of work. While the clock is frozen, each
piece of work costs `Behaviour.tick_s` virtual seconds, so that a client that only polls sees its orders
fill; waiting is told with `advance`.
"""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_right
from collections import deque
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from trimtab.adapters.exchange import admission
from trimtab.adapters.exchange.book import Book, View
from trimtab.adapters.exchange.clock import VirtualClock
from trimtab.adapters.exchange.engine import World, reschedule, settle
from trimtab.adapters.exchange.hours import at, new_york_date
from trimtab.adapters.exchange.prices import Prices
from trimtab.adapters.exchange.records import Behaviour, Order, Refusal
from trimtab.adapters.exchange.state import Saved, StateFile
from trimtab.errors import Halted, Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from trimtab.adapters.exchange.tape import Tape

__all__ = ["RUN_TIME", "Exchange"]

RUN_TIME = time(10, 0)
"""The New York time of day to which the clock steps when none is given."""

WARM_UP = 260
"""Sessions left before the start when none is given: a year of history and a little."""


class Exchange:
    """The simulated exchange. Make it with `open`."""

    def __init__(
        self, prices: Prices, saved: Saved, clock: VirtualClock, state: StateFile | None = None
    ) -> None:
        self.prices = prices
        self.clock = clock
        self._saved = saved
        self._state = state
        self._lock = threading.RLock()
        self._views: deque[View] = deque([saved.book.view()])
        self._depth = 0

    @classmethod
    def open(
        cls,
        tape: Tape,
        start: date | None = None,
        cash: Decimal = Decimal(100_000),
        seed: int = 0,
        *,
        behaviour: Behaviour | None = None,
        path: Path | None = None,
        prices: Prices | None = None,
    ) -> Self:
        """Open the exchange kept at `path`, or a new one that starts with `cash` USD.

        A new one begins at 10:00 New York of the first session that is not before `start` (None: the first
        with a year of history before it, or half-way). A kept one goes on where it was: `start`, `cash`
        and `seed` are its own, and `behaviour` too unless one is given. `prices` are the tape's, where they
        are made already: many exchanges may share them.

        Raises:
            Misconfigured: `start` lies outside the tape, or the kept one replays another tape.
        """
        prices = prices or Prices(tape)
        state = None if path is None else StateFile(path)
        saved = None if state is None else state.load()
        if saved is None:
            saved = _fresh(prices, start, cash, seed)
        elif state is not None and saved.tape != tape.name:
            state.close()
            raise Misconfigured(
                "exchange_tape",
                "this simulated account lives on other prices than these symbols need",
                seen=tape.name,
                allowed=saved.tape,
                hint="choose symbols of that data, or begin anew under another portfolio name or store.url",
            )
        if behaviour is not None:
            saved = replace(saved, behaviour=behaviour)
        exchange = cls(prices, saved, VirtualClock(saved.book.time), state)
        with exchange.work():
            saved.book.dirty = True
        return exchange

    @property
    def tape(self) -> Tape:
        """What it replays."""
        return self.prices.tape

    @property
    def account_number(self) -> str:
        """The account's number, from the seed."""
        digest = hashlib.sha256(f"account/{self._saved.book.seed}".encode()).hexdigest()
        return f"SIM{digest[:9].upper()}"

    @property
    def world(self) -> World:
        """The book, prices and behaviour. Only to be used within `work`."""
        return World(self._saved.book, self.prices, self._saved.behaviour)

    @property
    def behaviour(self) -> Behaviour:
        """How it behaves."""
        return self._saved.behaviour

    @contextmanager
    def work(self, *, tick: bool = False) -> Iterator[World]:
        """Hold the exchange for one piece of work, with time passed up to now; keep what it changed.

        `tick` lets a frozen clock move by `Behaviour.tick_s` first. An error other than a `Refusal`
        undoes the work where a file keeps the exchange.
        """
        with self._lock:
            if self._depth:
                yield self.world
                return
            self._take()
            self._depth = 1
            try:
                if tick and self.clock.frozen:
                    self.clock.advance(self.behaviour.tick_s)
                self._pass_time()
                yield self.world
            except Refusal:
                self._keep()
                raise
            except BaseException:
                self._forget()
                raise
            else:
                self._keep()
            finally:
                self._depth = 0

    def _take(self) -> None:
        """Take the file, and what another process wrote to it."""
        if self._state is None:
            return
        self._state.begin()
        if self._state.version() not in {0, self._saved.version}:
            self._reload()

    def _reload(self) -> None:
        """Read the kept state; the clock follows where another process moved it."""
        saved = self._state.load() if self._state is not None else None
        if saved is None:
            return
        self._saved = saved
        self._views = deque([saved.book.view()])
        if saved.book.time > self.clock.now():
            self.clock.move(saved.book.time)

    def _pass_time(self) -> None:
        observe = self._observe if self.behaviour.delays else None
        settle(self.world, self.clock.now(), observe)

    def _observe(self, book: Book) -> None:
        """Remember what was to be seen, for delayed views."""
        self._views.append(book.view())
        horizon = book.time - timedelta(seconds=max(self.behaviour.delays.values(), default=0.0))
        while len(self._views) > 1 and self._views[1].at <= horizon:
            self._views.popleft()

    def _keep(self) -> None:
        """Write what changed, and release the file."""
        book = self._saved.book
        if book.dirty and self.behaviour.delays:
            self._observe(book)
        if self._state is not None:
            try:
                if book.dirty:
                    self._saved = replace(self._saved, version=self._state.version() + 1)
                    self._state.save(self._saved)
                self._state.commit()
            except BaseException:
                self._forget()
                raise
        book.settled()

    def _forget(self) -> None:
        """Go back to the kept state, and release the file."""
        if self._state is not None:
            self._state.rollback()
            self._reload()

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._state is not None:
            self._state.close()

    def now(self) -> datetime:
        """Give the virtual time (UTC)."""
        return self.clock.now()

    def view(self, kind: str) -> View | Book:
        """Give what is to be seen of `orders`, `positions` or `account` now: the book, or as it was."""
        delay = self.behaviour.delays.get(kind, 0.0)
        if not delay:
            return self._saved.book
        horizon = self._saved.book.time - timedelta(seconds=delay)
        seen = bisect_right(self._views, horizon, key=lambda view: view.at)
        return self._views[max(seen - 1, 0)]

    def advance(self, seconds: float) -> None:
        """Let so many virtual seconds pass.

        Raises:
            ValueError: `seconds` is negative.
        """
        with self.work() as world:
            self.clock.advance(seconds)
            self._pass_time()
            world.book.dirty = True

    def move(self, instant: datetime) -> None:
        """Set the clock to a later instant (UTC).

        Raises:
            ValueError: the instant is earlier, or has no time zone.
        """
        if instant.tzinfo is None:
            raise ValueError(f"{instant} has no time zone")
        with self.work() as world:
            if instant < world.book.time:
                raise ValueError(f"the clock only moves forward: it is {world.book.time.isoformat()}")
            self.clock.move(instant)
            self._pass_time()
            world.book.dirty = True

    def go(self, session: date, clock: time = RUN_TIME) -> None:
        """Set the clock to a New York time of day of a session.

        Raises:
            ValueError: the day has no session, or lies in the past.
            Halted: the tape ends before it.
        """
        if not self.prices.calendar.is_session(session):
            raise ValueError(f"{session} has no session")
        self._within(session)
        self.move(at(session, clock))

    def step(self, sessions: int = 1, clock: time = RUN_TIME) -> date:
        """Go to the same or another time of day, so many sessions on; give the session's date.

        Raises:
            ValueError: `sessions` is not at least 1.
            Halted: the tape ends before.
        """
        if sessions < 1:
            raise ValueError(f"a step is of at least 1 session, not {sessions}")
        session = self.prices.calendar.after(new_york_date(self.now()), sessions)
        self.go(session, clock)
        return session

    def _within(self, session: date) -> None:
        last = self.prices.dates[-1]
        if session > last:
            raise Halted(
                "tape_ended",
                f"the tape {self.tape.name} has no prices of that session",
                seen=session,
                allowed=f"up to {last}",
                hint="begin again from an earlier start, with a new store",
            )

    def behave(self, **changes: Any) -> None:  # noqa: ANN401 - the fields of Behaviour, by name
        """Change fields of the behaviour from now on.

        Raises:
            TypeError: there is no such field.
        """
        with self.work() as world:
            book = world.book
            self._saved = replace(self._saved, behaviour=replace(self.behaviour, **changes))
            reschedule(self.world)
            self._views = deque([book.view()])
            book.dirty = True

    def submit(self, body: Mapping[str, Any]) -> Order:
        """Take an order in, from the fields of its JSON body.

        Raises:
            Refusal: the broker does not take it.
        """
        with self.work() as world:
            return admission.submit(world, body)

    def cancel(self, order_id: str) -> Order:
        """Ask for an order's end.

        Raises:
            Refusal: there is no such order, or it has ended.
        """
        with self.work() as world:
            order = world.book.orders.get(order_id)
            if order is None:
                raise Refusal(404, 40410000, f"order not found for {order_id}")
            is_open = world.prices.calendar.is_open(world.book.time)
            return world.book.cancel(order, world.behaviour.cancel_latency_s, is_open=is_open)

    def journal(self, symbol: str = "", shares: Decimal = Decimal(0), amount: Decimal = Decimal(0)) -> None:
        """Bring cash (USD) or shares in from outside, or take them out: what a person or another bot did."""
        with self.work() as world:
            world.book.journal(symbol, shares, amount)


def _fresh(prices: Prices, start: date | None, cash: Decimal, seed: int) -> Saved:
    """Give a new book at 10:00 of its first session.

    Raises:
        Misconfigured: `start` lies outside the tape.
    """
    dates = prices.dates
    if start is None:
        start = dates[min(WARM_UP, len(dates) // 2)]
    if not dates[0] <= start <= dates[-1]:
        raise Misconfigured(
            "exchange_start",
            f"the tape {prices.tape.name} has no session from that day on",
            seen=start,
            allowed=f"{dates[0]} to {dates[-1]}",
            hint="begin within the tape",
        )
    time_ = at(prices.calendar.on_or_after(start), RUN_TIME)
    book = Book(seed, time_, cash, cash, cash)
    return Saved(book, Behaviour(), prices.tape.name, version=0)
