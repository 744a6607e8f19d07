"""Simulation: the real line, with every port driven step by step by one seeded scheduler.

Processes are coroutines (greenlets) in this process: before and after every request, store call and
database call a process hands control back, and the scheduler decides who goes on, who dies, what happens
meanwhile. Time is the exchange's: a process that waits is woken when virtual time has come that far. No
real time passes and nothing is random but the seed, so a history replays byte for byte.

Faults strike below the broker's adapter, in the transport under its session, and in the store.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import shutil
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import requests
from greenlet import getcurrent, greenlet

from faults.laws import Laws
from faults.outside import (
    Clock,
    KeptTrades,
    QuickSession,
    Transport,
    WatchedReceiver,
    WatchedStore,
    WatchedTrades,
)
from line_kit import HOST, Killed
from telling_kit import CHECK, URLS, Receiver
from trimtab.adapters.alpaca import AlpacaBroker, AlpacaHost, AlpacaMarket, Keys
from trimtab.adapters.directory import DirectoryStore
from trimtab.adapters.inputs import inputs_file, read_inputs
from trimtab.adapters.sandbox import Face
from trimtab.adapters.sqlite import SqliteTrades
from trimtab.core.record import account_hash
from trimtab.errors import TrimtabError
from trimtab.ports import World
from trimtab.rebalance import rebalance
from trimtab.settings import Redactor
from trimtab.stations.arrive import Arrival

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime
    from pathlib import Path

    from trimtab.adapters.exchange import Exchange
    from trimtab.core.mandate import Mandate
    from trimtab.core.record import Document

KEY, SECRET = "AKCANARYKEYOFTHESIMULATION", "canary-secret-of-the-simulation-5d1f"
REDACT = Redactor.of([KEY, SECRET, *URLS, CHECK]).value
MOST_STEPS = 6_000
LAMBDA_S = 900.0
"""Seconds after which a process is ended from outside, unless a schedule says otherwise."""


@dataclass(slots=True)
class StoreFault:
    """Calls from the `nth` on fail, so many `times`: `what` opens their names; `after` they took effect."""

    what: str
    nth: int
    times: int = 1
    after: bool = False
    error: str = "No space left on device"
    seen: int = 0

    def strikes(self, name: str) -> bool:
        """Count a call; say whether it fails."""
        if not name.startswith(self.what):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


class Bug(RuntimeError):  # noqa: N818 - what it stands for
    """An error that nobody expected, thrown into a process on purpose."""


class Process:
    """One run (or another program of the owner's) with its own world, clock and end."""

    def __init__(  # noqa: PLR0913 - what makes one process differ from another
        self,
        simulation: Simulation,
        name: str,
        mandate: Mandate,
        arrival: Arrival | None = None,
        *,
        kill_at: int = 0,
        bug_at: int = 0,
        deadline_s: float = LAMBDA_S,
        skew_s: float = 0.0,
        start_at: int = 0,
        urgent: bool = False,
        fate: Callable[[Process, int, bool], object] | None = None,
        work: Callable[[World], Any] | None = None,
    ) -> None:
        """Make a process that has not begun.

        It ends at pause `kill_at`, or meets an error there with `bug_at`; it begins at step `start_at`, and
        goes before all others where it is `urgent`; `fate` is asked before and after each of its calls.
        """
        self.simulation, self.name, self.mandate = simulation, name, mandate
        self.arrival = arrival or Arrival()
        self.kill_at, self.bug_at, self.start_at = kill_at, bug_at, start_at
        self.deadline_s, self.skew_s = deadline_s, skew_s
        self.urgent, self.fate = urgent, fate
        self.calls: list[tuple[str, int]] = []
        self.steps = 0
        self.sends = 0
        self.saw_flag = False
        self.dead = False
        self.wake: float = -math.inf
        self.began: float | None = None
        self.ended_at = math.inf
        self.ended = ""
        self.document: Document | None = None
        self.error: TrimtabError | None = None
        self.bug: Exception | None = None
        self.posted: list[str] = []
        self.unlooked: set[str] = set()
        self.created: set[str] = set()
        self._work = work or (lambda world: rebalance(world, self.mandate, self.arrival))
        self.coroutine = greenlet(self._live)

    @property
    def outcome(self) -> str:
        """How it ended: an outcome of the contract, an error's code, `killed` or `bug`."""
        if self.document is not None:
            return str(self.document["outcome"])
        return self.error.code if self.error is not None else self.ended

    @property
    def code(self) -> str:
        """The stable code of its end."""
        if self.document is not None:
            return str(self.document["code"])
        return self.error.code if self.error is not None else self.ended

    def seconds_left(self) -> float:
        """Give the seconds that the process may still take."""
        if self.began is None:
            return self.deadline_s
        return self.deadline_s - (self.simulation.time - self.began)

    def pause(self) -> None:
        """Hand control back; come back when the scheduler says so, or never.

        Raises:
            Killed: the process ends here.
            Bug: something unforeseen happens here.
        """
        self.steps += 1
        self.simulation.steps += 1
        if not self.dead:
            self.simulation.hub.switch()
        if self.dead or self.steps == self.kill_at or self.seconds_left() <= 0:
            self.dead = True
            raise Killed
        if self.steps == self.bug_at:
            raise Bug(self.simulation.whisper("an error that nobody expected"))

    def step(self, name: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the call gives
        """Take one step at a port, with a pause before and after it."""
        index = len(self.calls)
        self.calls.append((name, self.simulation.steps))
        if self.fate is not None:
            self.fate(self, index, False)
        self.pause()
        try:
            return call()
        finally:
            self.simulation.laws.look()
            self.simulation.trigger(self, name)
            if self.fate is not None:
                self.fate(self, index, True)
            self.pause()

    def wait(self, seconds: float) -> None:
        """Sleep until virtual time has come so far."""
        self.wake = self.simulation.time + max(seconds, 0.0)
        self.pause()
        while self.simulation.time < self.wake:
            self.pause()

    def _live(self) -> None:
        self.began = self.simulation.time
        try:
            found = self._work(self.simulation.world(self))
            self.document = found if isinstance(found, dict) else None
            self.ended = "done"
        except Killed:
            self.ended = "killed"
        except TrimtabError as error:
            self.error, self.ended = error, "error"
        except Bug:
            self.ended = "bug"
        except Exception as error:  # noqa: BLE001 - what it is is told as a violation
            self.bug, self.ended = error, "escaped"
        finally:
            self.ended_at = self.simulation.time


class Ablation:
    """A safeguard taken away, to see that the campaign notices; this one takes none."""

    name = "none"

    def face(self, face: Face, process: Process) -> Any:  # noqa: ANN401, ARG002 - a Face, or what stands before it
        """Give what the process talks to."""
        return face

    def overwrites(self, key: str) -> bool:  # noqa: ARG002 - overridden
        """Say whether a put replaces what is there."""
        return False

    def got(self, process: Process, key: str, found: bytes | None) -> bytes | None:  # noqa: ARG002 - overridden
        """Give what a process gets to see of a blob."""
        return found


@dataclass(slots=True)
class Simulation:
    """One exchange, one store, and the processes on them.

    `quick` leaves away what costs time and decides nothing: the file of inputs, the making of an empty
    database, the session's handling of redirects and cookies. Where there is a `receiver`, it is told and
    pinged, each time as one step. `redact` takes the secrets out, and `whisper` gives an error's text as the
    world words it.
    """

    root: Path
    exchange: Exchange
    rng: random.Random
    ablation: Ablation | None = None
    quick: bool = False
    face: Face = field(init=False)
    store: DirectoryStore = field(init=False)
    trades: SqliteTrades = field(init=False)
    laws: Laws = field(init=False)
    hub: greenlet = field(default_factory=getcurrent)
    steps: int = 0
    sticky: float = 0.5
    store_faults: list[StoreFault] = field(default_factory=list)
    happenings: list[tuple[int, Callable[[], object]]] = field(default_factory=list)
    triggers: list[tuple[str, Callable[[Process], object]]] = field(default_factory=list)
    planted: set[str] = field(default_factory=set)
    paths: Counter[str] = field(default_factory=Counter)
    processes: list[Process] = field(default_factory=list)
    receiver: Receiver | None = None
    warned: list[str] = field(default_factory=list)
    redact: Callable[[Document], Document] = REDACT
    whisper: Callable[[str], str] = str
    _ids: int = 0

    def __post_init__(self) -> None:
        """Put Alpaca's face on the exchange, and a store beside it."""
        self.face = Face(self.exchange, rate_limit=None)
        self.store = DirectoryStore(self.root)
        self.trades = SqliteTrades(self.root / "trades.db")
        if self.quick:
            self.root.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_empty_database(self.root.parent), self.trades.path)
            self.trades = KeptTrades(self.trades.path)
        self.laws = Laws(self)

    @property
    def time(self) -> float:
        """Virtual seconds."""
        return self.exchange.now().timestamp()

    @property
    def session(self) -> date:
        """Today in New York."""
        return self.exchange.prices.calendar and _new_york(self.exchange.now())

    def h8(self, portfolio: str = "main") -> str:
        """Give the account's hash."""
        return account_hash(self.exchange.account_number, portfolio)

    def new_id(self) -> str:
        """Give the next name; a process takes its run id and nonces from here."""
        self._ids += 1
        return f"{self.exchange.now():%Y%m%dT%H%M%SZ}-{self._ids:08x}"

    def world(self, process: Process) -> World:
        """Wire a world for one process."""
        transport, clock = Transport(process), Clock(process)
        web = QuickSession(transport) if self.quick else requests.Session()
        web.mount(HOST, transport)
        hosts = [
            AlpacaHost(
                HOST,
                kind,  # type: ignore[arg-type]  # one of the two
                Keys(KEY, SECRET),
                clock,
                rng=random.Random(process.name),
                deadline=process.seconds_left,
                session=web,
            )
            for kind in ("trading", "data")
        ]
        broker, market = AlpacaBroker(hosts[0]), AlpacaMarket(hosts[1])
        return World(
            broker,
            market,
            WatchedStore(process),
            WatchedTrades(process),
            clock,
            _no_inputs if self.quick else inputs_file,
            read_inputs,
            self.new_id,
            process.seconds_left,
            *((), None) if self.receiver is None else WatchedReceiver(process, self.receiver).outlets(clock),
            redact=self.redact,
            warn=self.warned.append,
        )

    def struck(self, name: str, call: Callable[[], Any]) -> Callable[[], Any]:
        """Give the call as the store's faults leave it."""

        def attempt() -> Any:  # noqa: ANN401 - whatever the call gives
            found = [fault for fault in self.store_faults if fault.strikes(name)]
            if found and not found[0].after:
                raise OSError(self.whisper(found[0].error))
            given = call()
            if found:
                raise OSError(self.whisper(found[0].error))
            return given

        return attempt

    def play(self, *processes: Process) -> None:
        """Let processes live, interleaved by the seed, until each has ended."""
        self.processes += processes
        waiting, first, last = list(processes), self.steps, None
        while waiting:
            self._happen()
            if self.steps - first > MOST_STEPS:
                self.laws.broken("endless", "a schedule took too many steps")
                for process in waiting:
                    process.dead = True
            last = self._next(waiting, last, self.steps - first)
            last.coroutine.switch()
            waiting = [process for process in waiting if not process.coroutine.dead]
        for process in processes:
            self.laws.after_process(process)

    def trigger(self, process: Process, name: str) -> None:
        """Let happen what waited for the first step of that name, right after it."""
        for pair in [pair for pair in self.triggers if name.startswith(pair[0])]:
            self.triggers.remove(pair)
            pair[1](process)

    def _happen(self) -> None:
        due = [happening for happening in self.happenings if happening[0] <= self.steps]
        for happening in due:
            self.happenings.remove(happening)
            happening[1]()

    def _next(self, waiting: list[Process], last: Process | None, steps: int) -> Process:
        """Choose who goes on; where all sleep, time passes until the first wakes."""
        started = [process for process in waiting if process.start_at <= steps] or waiting[:1]
        ready = [process for process in started if process.dead or process.wake <= self.time]
        if not ready:
            first = min(started, key=lambda process: process.wake)
            self.exchange.advance(first.wake - self.time + 1e-6)
            self.laws.look()
            return first
        if urgent := [process for process in ready if process.urgent]:
            return urgent[0]
        if last in ready and (len(ready) == 1 or self.rng.random() < self.sticky):
            return last  # type: ignore[return-value]  # it is in ready
        return ready[0] if len(ready) == 1 else self.rng.choice(ready)

    def close(self) -> None:
        """Close what was opened."""
        if isinstance(self.trades, KeptTrades):
            self.trades.close()

    def digest(self) -> str:
        """Give the digest of all that happened: requests, orders, files, rows."""
        whole = hashlib.sha256()
        for seen in self.face.log.seen:
            whole.update(repr(seen).encode())
        for path in sorted(self.root.rglob("*")):
            if path.is_file() and not path.name.startswith("trades.db"):
                name = path.relative_to(self.root).as_posix()
                whole.update(name.encode() + hashlib.sha256(path.read_bytes()).digest())
        for table in ("runs", "orders", "fills", "events", "verdicts", "positions", "equity"):
            rows = self.trades.query(f"SELECT * FROM {table}")  # noqa: S608 - names of our own
            whole.update(json.dumps(rows, sort_keys=True, default=str).encode())
        return whole.hexdigest()


def _no_inputs(_bars: object) -> bytes:
    """Give the inputs of a run whose inputs nobody reads."""
    return b"inputs"


@cache
def _empty_database(folder: Path) -> Path:
    """Give a database with every table and no row; to copy it is quicker than to make it."""
    path = folder / "empty.db"
    SqliteTrades(path).add({})
    return path


def _new_york(instant: datetime) -> date:
    from trimtab.adapters.exchange.hours import new_york_date  # noqa: PLC0415 - one use

    return new_york_date(instant)
