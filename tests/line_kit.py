"""Line kit: a laboratory for the line: one exchange mounted in this process, one store, no real time.

The exchange's clock stands still but for requests and the run's own waiting, so a run of minutes takes
milliseconds. Faults strike below the broker's adapter, a kill anywhere at a request or a store call.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import requests

from trimtab.adapters.alpaca import AlpacaBroker, AlpacaHost, AlpacaMarket, Keys
from trimtab.adapters.directory import DirectoryStore
from trimtab.adapters.exchange import Behaviour, Exchange, ExchangeClock
from trimtab.adapters.exchange.tape import Tape
from trimtab.adapters.inputs import inputs_file, read_inputs
from trimtab.adapters.sandbox import Face, SandboxTransport
from trimtab.adapters.sandbox.faults import Fault
from trimtab.adapters.sqlite import SqliteTrades
from trimtab.core.limits import Execution, Gates, Risk
from trimtab.core.mandate import Mandate
from trimtab.core.nyse import sessions
from trimtab.core.portfolio import TERMINAL
from trimtab.core.record import account_hash, canonical, digest
from trimtab.desk import on_loopback
from trimtab.evidence.replay import Decider, Replayer
from trimtab.ports import World
from trimtab.rebalance import rebalance
from trimtab.settings import Redactor
from trimtab.stations.arrive import Arrival
from trimtab.stations.halting import Word, event_of, resume
from trimtab.stations.history import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from telling_kit import Receiver
    from trimtab.adapters.exchange.records import Order
    from trimtab.adapters.sandbox.face import Seen
    from trimtab.core.record import Document
    from trimtab.ports import Store

HOST = "http://localhost"
FIRST, LAST = date(2021, 2, 1), date(2021, 7, 30)
START = date(2021, 3, 1)
"""A Monday, and the first session of its month."""
PRICE = {"AAA": 100.0, "BBB": 50.0, "CCC": 20.0}
SEND = ("POST", "/v2/orders")
KEY, SECRET = "key-of-tests", "secret-of-tests"


class Killed(BaseException):
    """The process ends here; nothing of ours may catch it."""


@dataclass(slots=True)
class Kill:
    """Where a process dies: at the `at`-th step (from 1), before or after it happened. `seen` counts them.

    `only` counts the steps of one name: a request's method, a store's verb. With `meanwhile` it does not die:
    that happens there, and it goes on.
    """

    at: int = 0
    after: bool = False
    only: str = ""
    meanwhile: Callable[[], object] | None = None
    seen: int = 0

    def around(self, name: str, step: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the step gives
        """Take a step, or die.

        Raises:
            Killed: this was the one.
        """
        if self.only not in {"", name}:
            return step()
        self.seen += 1
        here = self.seen == self.at
        if here and not self.after:
            self._strike()
        given = step()
        if here and self.after:
            self._strike()
        return given

    def _strike(self) -> None:
        if self.meanwhile is None:
            raise Killed
        self.meanwhile()


class MortalTransport(SandboxTransport):
    """The exchange's transport, in which the process may die at any request."""

    def __init__(self, face: Face, kill: Kill) -> None:
        super().__init__(face)
        self._kill = kill

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:  # noqa: ANN401 - the base class's
        """Answer, or die before or after the exchange saw the request."""
        send = SandboxTransport.send
        answer = self._kill.around(request.method or "", lambda: send(self, request, *args, **more))
        return cast("requests.Response", answer)


class MortalStore:
    """A store in which the process may die at any call, or which a test watches: `seen` names the calls."""

    def __init__(self, store: Store, kill: Kill, watch: Callable[[str, str], None] | None = None) -> None:
        self.url = store.url
        self._store, self._kill, self._watch = store, kill, watch

    def get(self, key: str) -> bytes | None:
        """Give the blob."""
        return cast("bytes | None", self._call("get", key, lambda: self._store.get(key)))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Store the blob."""
        return bool(self._call("put", key, lambda: self._store.put_if_absent(key, data)))

    def list(self, prefix: str) -> tuple[str, ...]:
        """Give the keys."""
        return cast("tuple[str, ...]", self._call("list", prefix, lambda: self._store.list(prefix)))

    def delete(self, key: str) -> None:
        """Remove the blob."""
        self._call("delete", key, lambda: self._store.delete(key))

    def _call(self, name: str, key: str, step: Callable[[], object]) -> object:
        if self._watch is not None:
            self._watch(name, key)
        return self._kill.around(name, step)


def make_tape(
    prices: Mapping[str, float] | None = None,
    walk: float = 0.0,
    seed: int = 0,
    *,
    first: date = FIRST,
    last: date = LAST,
) -> Tape:
    """Give a tape of `prices` that stand still, or walk by `walk` (standard deviation of a return)."""
    prices = prices or PRICE
    days = sessions(first, last)
    rng = np.random.default_rng(seed)
    steps = np.exp(rng.normal(0.0, walk, (len(days), len(prices))).cumsum(axis=0)) if walk else 1.0
    close = np.round(np.broadcast_to(np.array(list(prices.values())) * steps, (len(days), len(prices))), 2)
    opens = np.vstack([close[:1], close[:-1]])
    return Tape(
        "a tape of tests",
        np.array(days, dtype="datetime64[D]"),
        tuple(prices),
        open=opens,
        high=np.maximum(opens, close) + 0.01,
        low=np.minimum(opens, close) - 0.01,
        close=close,
        volume=np.full(close.shape, 50_000_000.0),
        split=np.ones(close.shape),
        dividend=np.zeros(close.shape),
    )


def make_mandate(weights: Mapping[str, float], **changes: Any) -> Mandate:  # noqa: ANN401 - fields
    """Give a mandate that always wants `weights`; `changes` are of it, `execution` and `risk`."""
    execution = {k: changes.pop(k) for k in list(changes) if k in Execution.model_fields}
    risk = {k: changes.pop(k) for k in list(changes) if k in Risk.model_fields}
    fields: dict[str, Any] = {
        "portfolio": "main",
        "mode": "paper",
        "dry_run": False,
        "universe": tuple(sorted(weights)),
        "rule": lambda _history, _equity: dict(weights),
        "lookback": 10,
        "interval": "daily",
        "feed": "sip",
        "gates": Gates(max_jump=1.0),  # prices jump at a test's will; the gates have tests of their own
        "execution": Execution(**execution),
        "risk": Risk(**risk),
        "host": "localhost",
        "loopback": True,
        "config": {"weights": dict(weights)},
        "config_digest": "c" * 64,
        "code_digest": "d" * 64,
        "version": "0",
    }
    return Mandate(**{**fields, **changes})


@dataclass(slots=True)
class Lab:
    """One exchange with its store; `run` is a fresh process each time, on whatever is there."""

    root: Path
    exchange: Exchange
    mandate: Mandate
    face: Face = field(init=False)
    ids: count[int] = field(default_factory=count)
    seconds_left: Callable[[], float] = lambda: math.inf
    watch: Callable[[str, str], None] | None = None
    receiver: Receiver | None = None
    secrets: tuple[str, ...] = (KEY, SECRET)
    warned: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Put Alpaca's face on the exchange."""
        self.face = Face(self.exchange, rate_limit=None)

    @property
    def store(self) -> DirectoryStore:
        """The store, without anything between."""
        return DirectoryStore(self.root)

    @property
    def trades(self) -> SqliteTrades:
        """The store's trades.db."""
        return SqliteTrades(self.root / "trades.db")

    @property
    def session(self) -> date:
        """Today in New York, of the exchange."""
        return self.exchange.now().date()

    @property
    def h8(self) -> str:
        """The account's hash."""
        return account_hash(self.exchange.account_number, self.mandate.portfolio)

    def world(self, requests_: Kill | None = None, store: Kill | None = None) -> World:
        """Wire a world as a fresh process would, which dies where told."""
        clock = ExchangeClock(self.exchange)
        web = requests.Session()
        web.mount(HOST, MortalTransport(self.face, requests_ or Kill()))
        keys = Keys(KEY, SECRET)
        trading, data = (
            AlpacaHost(HOST, kind, keys, clock, rng=random.Random(0), deadline=self.seconds_left, session=web)
            for kind in ("trading", "data")
        )
        return World(
            AlpacaBroker(trading),
            AlpacaMarket(data),
            MortalStore(self.store, store or Kill(), self.watch),
            self.trades,
            clock,
            inputs_file,
            read_inputs,
            lambda: f"{self.exchange.now():%Y%m%dT%H%M%SZ}-{next(self.ids):08x}",
            self.seconds_left,
            *((), None) if self.receiver is None else self.receiver.outlets(clock),
            redact=Redactor.of(self.secrets).value,
            warn=self.warned.append,
        )

    def run(
        self,
        mandate: Mandate | None = None,
        arrival: Arrival | None = None,
        *,
        requests_: Kill | None = None,
        store: Kill | None = None,
    ) -> Document:
        """Run the line once and give its record."""
        world = self.world(requests_, store)
        return rebalance(world, mandate or self.mandate, arrival or Arrival())

    def changed(self, **changes: Any) -> Mandate:  # noqa: ANN401 - fields
        """Give the mandate with other fields."""
        return replace(self.mandate, **changes)

    def fault(self, action: str, method: str = "POST", path: str = "/v2/orders$", **more: Any) -> None:  # noqa: ANN401 - fields of Fault
        """Put a fault in force."""
        self.face.faults.add(Fault(cast("Any", action), method, path, **more))

    def sends(self) -> list[Seen]:
        """Give every request so far that may have changed something, oldest first."""
        return [seen for seen in self.face.log.seen if seen.method != "GET"]

    def posts(self) -> list[str]:
        """Give the ids of all orders posted so far, as often as they were, oldest first."""
        return [str(seen.client_order_id) for seen in self.sends() if (seen.method, seen.path) == SEND]

    def order_id(self, symbol: str, slot: int = 0) -> str:
        """Give today's id of a symbol's slot."""
        return f"tt1-{self.h8}-{self.session:%Y%m%d}-{symbol}-{slot}"

    def orders(self) -> dict[str, Order]:
        """Give every order of the exchange by its client id, oldest first."""
        with self.exchange.work() as world:
            return {order.client_order_id: order for order in world.book.orders.values()}

    def held(self) -> dict[str, Decimal]:
        """Give the shares held."""
        with self.exchange.work() as world:
            return {h.symbol: h.qty for h in world.book.holdings.values()}

    def cash(self) -> Decimal:
        """Give the cash, USD."""
        with self.exchange.work() as world:
            return world.book.cash

    def weights(self, prices: Mapping[str, float] | None = None) -> dict[str, float]:
        """Give each holding's part of equity at `prices`."""
        values = {symbol: float(qty) * (prices or PRICE)[symbol] for symbol, qty in self.held().items()}
        equity = float(self.cash()) + sum(values.values())
        return {symbol: value / equity for symbol, value in values.items()}

    def records(self, session: date | None = None) -> list[Document]:
        """Give the complete records (of a session), oldest first."""
        prefix = f"runs/{self.mandate.portfolio}/" + (f"{session}/" if session else "")
        folders = [key[: -len("SHA256SUMS")] for key in self.store.list(prefix) if key.endswith("SHA256SUMS")]
        blobs = [self.store.get(f"{folder}record.json") for folder in folders]
        records = [json.loads(blob) for blob in blobs if blob is not None]
        return sorted(records, key=lambda record: str(record["finished_at"]))

    def plan(self, session: date | None = None) -> Document | None:
        """Give the stored plan of a session."""
        blob = self.store.get(f"plans/{self.mandate.portfolio}/{session or self.session}.json")
        return None if blob is None else cast("Document", json.loads(blob))

    def halted(self) -> bytes | None:
        """Give what is in the portfolio's own flag."""
        return self.store.get(f"halts/{self.mandate.portfolio}")

    def resume(self) -> None:
        """Say as a person does that it may trade again, and approve what waits, flag or no flag."""
        name = f"20990101T000000Z-{next(self.ids):08x}"
        waits = waiting(self.store, self.trades, self.mandate.portfolio)
        word = Word(name, "owner", self.exchange.now(), "", self.mandate.portfolio, False, waits)
        if not resume(self.store, word) and waits is None:
            event = event_of(word, "resume") | {"portfolio": word.portfolio, "flag": word.key}
            self.store.put_if_absent(f"events/{name}.json", canonical(event))

    def at(self, hour: int, minute: int) -> None:
        """Set the clock to an hour (UTC) of today."""
        now = self.exchange.now()
        self.exchange.move(datetime.combine(now.date(), now.timetz()).replace(hour=hour, minute=minute))

    def check_books(self) -> None:
        """Hold trades.db against the exchange: order by order, fill by fill; no short, no debt."""
        orders = {row["client_order_id"]: row for row in self.trades.query("SELECT * FROM orders")}
        ours = {key: order for key, order in self.orders().items() if key.startswith("tt1-")}
        assert set(orders) == set(ours)
        for key, order in ours.items():
            row = orders[key]
            assert (row["symbol"], row["side"], row["status"]) == (order.symbol, order.side, order.status)
            assert Decimal(str(row["qty"])) == order.qty
            assert Decimal(str(row["filled_qty"])) == order.filled_qty
            assert order.status in TERMINAL
            assert row["session"] == order.submitted_at.date().isoformat()
        fills = {row["fill_id"]: row for row in self.trades.query("SELECT * FROM fills")}
        with self.exchange.work() as world:
            done = {a.id: a for a in world.book.activities if a.kind == "FILL"}
            client_ids = {order.id: order.client_order_id for order in world.book.orders.values()}
            shares = [holding.qty for holding in world.book.holdings.values()]
        done = {key: a for key, a in done.items() if client_ids[a.order_id] in ours}
        assert set(fills) == set(done)
        for key, activity in done.items():
            row = fills[key]
            assert row["client_order_id"] == client_ids[activity.order_id]
            assert (Decimal(str(row["qty"])), Decimal(str(row["price"]))) == (activity.qty, activity.price)
        assert all(qty > 0 for qty in shares)
        assert self.cash() >= 0


def make_lab(
    root: Path,
    weights: Mapping[str, float] | None = None,
    *,
    held: Mapping[str, int] | None = None,
    cash: int = 100_000,
    tape: Tape | None = None,
    start: date = START,
    behaviour: Mapping[str, Any] | None = None,
    **changes: Any,  # noqa: ANN401 - fields of the mandate, of execution and of risk
) -> Lab:
    """Give a laboratory at 10:00 of `start`; `held` shares were there before."""
    exchange = Exchange.open(
        tape or make_tape(), start, cash=Decimal(cash), behaviour=Behaviour(**(behaviour or {}))
    )
    for symbol, shares in (held or {}).items():
        exchange.journal(symbol, Decimal(shares))
    weights = weights or {"AAA": 0.2, "BBB": 0.15, "CCC": 0.1}
    return Lab(root, exchange, make_mandate(weights, **changes))


def make_switch(root: Path, **changes: Any) -> Lab:  # noqa: ANN401 - as in `make_lab`
    """Give a laboratory with one sell and two buys to do, the buys paid by the sell.

    80,000 USD of AAA at 100 and 5,000 USD; wanted 65 % AAA, 17 % BBB at 50, 17 % CCC at 20.
    """
    weights = {"AAA": 0.65, "BBB": 0.17, "CCC": 0.17}
    return make_lab(root, weights, held={"AAA": 800}, cash=5_000, **changes)


def replayed(lab: Lab, record: Document) -> str:
    """Work a recorded run out again, and say what came of it."""
    decider = Decider(lab.mandate.rule, lab.mandate.code_digest)
    found = Replayer(lab.store, read_inputs, lambda _config: decider, on_loopback)
    kept = f"runs/main/{record['session']}/{record['run_id']}"
    return found.replay(kept).result


def full(lab: Lab) -> Mandate:
    """Give the laboratory's mandate with a configuration that a replay can read."""
    config = {
        "strategy": {"name": "tests"},
        "data": {"feed": "sip"},
        "execution": lab.mandate.execution.model_dump(mode="json", exclude_none=True),
        "risk": lab.mandate.risk.model_dump(mode="json", exclude_none=True),
    }
    return lab.changed(config=config, config_digest=digest(config))


def codes(verdicts: Sequence[Mapping[str, Any]]) -> set[str]:
    """Give the rules that refused."""
    return {str(verdict["rule"]) for verdict in verdicts if not verdict["passed"]}
