"""Kit: a portfolio on a sandbox behind a proxy, and real processes of the program that trade it.

The market is made up and its clock stands still but for `tick_s` a request, so that an undisturbed run makes
the same requests each time. The account holds two symbols from the session before; one run sells of both,
waits for the cash, and buys two others.

The programs run from a copy of the sources taken at the start: an edit in the middle would otherwise look
like what it is, another code between two runs of a session, which a run refuses.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from process.wire import Proxy
from trimtab.adapters.exchange import Behaviour, Exchange
from trimtab.adapters.sample import synthetic
from trimtab.adapters.sandbox import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from process.wire import Passing
    from trimtab.adapters.exchange.tape import Tape
    from trimtab.adapters.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]
SOURCES = Path(os.environ.get("PROCESS_SOURCES") or ROOT / "layers/trimtab/trimtab")
"""The package that is tried; another one where the environment says so."""
_ONE = threading.Lock()
PROCESS_S = 120.0
"""Longest time for one process, seconds; most take under two."""
SOLD, BOUGHT = ("AAA", "BBB"), ("CCC", "DDD")
HELD, LESS, MORE = 0.40, 0.25, 0.23
"""Weights: of what is sold before and after, and of what is bought. The cash before pays for one buy only."""
CALM = Behaviour(tick_s=0.1)
"""Each request costs 0.1 s and a fill takes 0.2 s: an order is seen open once or twice."""
CASH = Decimal(100_000)
DAY = date(2020, 3, 4)
RISK = {"max_turnover": 1.0, "max_order_size": 0.25, "max_gap": 0.2}
NAME = "tt1-"
"""How the ids of our orders begin."""


@cache
def tape() -> Tape:
    """A made-up market, half a year long."""
    return synthetic((*SOLD, *BOUGHT), seed=11, first=date(2020, 1, 2), last=date(2020, 6, 30))


@cache
def _snapshot() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="sources-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(SOURCES, folder / "trimtab", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def snapshot() -> Path:
    """Copy the sources once, for all programs of this process."""
    with _ONE:
        return _snapshot()


@dataclass(frozen=True)
class Done:
    """What a process left: its exit status (below 0: the signal that ended it), and what it printed."""

    name: str
    status: int
    out: str
    err: str
    seconds: float

    @property
    def document(self) -> Any:  # noqa: ANN401 - any JSON
        """The one document on stdout; fails where stdout holds anything else."""
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"{self.name}: exit {self.status} after {self.seconds:.1f} s\n{self.out}\n{self.err}"


@dataclass
class Started:
    """A process under way."""

    name: str
    process: subprocess.Popen[str]
    began: float

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal, unless it has ended."""
        self.process.send_signal(number)

    def wait(self) -> Done:
        """Wait for its end; one that outlasts its time is killed and fails."""
        try:
            out, err = self.process.communicate(timeout=PROCESS_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate(timeout=10)
            raise AssertionError(f"{self.name} took more than {PROCESS_S} s: {out}\n{err}") from None
        return Done(self.name, self.process.returncode, out, err, time.monotonic() - self.began)


@dataclass
class Place:
    """A folder with a configuration, an account at a sandbox, and a proxy before it."""

    folder: Path
    exchange: Exchange
    sandbox: Sandbox
    proxy: Proxy
    started: list[Started] = field(default_factory=list)
    more: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        """Where the store is."""
        return self.folder / "trimtab-paper"

    def start(self, name: str, *arguments: str) -> Started:
        """Start a verb; its requests, and those of what it starts, are known by `name`."""
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "trimtab", *arguments, "--json"],
            cwd=self.folder,
            env=self._environment(name),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started = Started(name, process, time.monotonic())
        self.started.append(started)
        return started

    def begin(self, name: str, *flags: str) -> Started:
        """Start a run that trades."""
        return self.start(name, "run", "--no-dry-run", *flags)

    def run(self, name: str, *flags: str) -> Done:
        """Run once, to the end."""
        return self.begin(name, *flags).wait()

    def verb(self, name: str, *arguments: str) -> Done:
        """Run another verb, to the end."""
        return self.start(name, *arguments).wait()

    def _environment(self, name: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TRIMTAB_", "APCA_", "PYTHON"))}
        hosts = dict.fromkeys(("APCA_API_BASE_URL", "APCA_API_DATA_URL"), self.proxy.url)
        keys = {"APCA_API_KEY_ID": name, "APCA_API_SECRET_KEY": "secret-of-tests"}
        python = {"PYTHONPATH": str(snapshot()), "PYTHONDONTWRITEBYTECODE": "1"}
        return kept | hosts | keys | python | self.more

    def broker(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - any JSON
        """Ask the sandbox itself, past the proxy."""
        keys = {"APCA-API-KEY-ID": "the-test", "APCA-API-SECRET-KEY": "the-test"}
        answer = requests.get(self.sandbox.url + path, parameters, headers=keys, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def control(self, path: str, /, **wish: object) -> None:
        """Tell the sandbox how to behave."""
        requests.post(f"{self.sandbox.url}/sandbox/{path}", json=wish, timeout=30).raise_for_status()

    def calm(self) -> None:
        """Take every fault back."""
        requests.delete(f"{self.sandbox.url}/sandbox/faults", timeout=30).raise_for_status()

    def orders(self) -> dict[str, dict[str, Any]]:
        """Give our orders as the exchange prints them, by client order id."""
        every = self.broker("/v2/orders", status="all", limit="500")
        return {o["client_order_id"]: o for o in every if o["client_order_id"].startswith(NAME)}

    def open_orders(self) -> list[str]:
        """Give the ids of our orders in flight."""
        every = self.broker("/v2/orders", status="open", limit="500")
        return [o["client_order_id"] for o in every if o["client_order_id"].startswith(NAME)]

    def fills(self) -> dict[str, dict[str, Any]]:
        """Give the executions of our orders as the exchange prints them, by id."""
        ours = {order["id"]: name for name, order in self.orders().items()}
        every = self.broker("/v2/account/activities/FILL", date=str(DAY), page_size="100")
        return {f["id"]: f | {"client_order_id": ours[f["order_id"]]} for f in every if f["order_id"] in ours}

    def plan(self) -> dict[str, Any] | None:
        """Give the session's stored plan, if there is one."""
        path = self.store / f"plans/main/{DAY}.json"
        return json.loads(path.read_bytes()) if path.is_file() else None

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Give the rows of a table of trades.db; none where there is no such file."""
        path = self.store / "trades.db"
        if not path.is_file() or not path.stat().st_size:
            return []
        with closing(sqlite3.connect(path)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(f"SELECT * FROM {table}")]  # noqa: S608 - ours

    def records(self) -> list[dict[str, Any]]:
        """Give every complete record, oldest first."""
        sums = sorted((self.store / "runs").rglob("SHA256SUMS"))
        return [json.loads((path.parent / "record.json").read_bytes()) for path in sums]

    def end_all(self) -> None:
        """End what still runs, each by its own id."""
        for started in self.started:
            if started.process.poll() is None:
                started.process.kill()
            with contextlib.suppress(ValueError):  # its pipes were read to their end already
                started.process.communicate(timeout=10)


def write_config(folder: Path, **changes: object) -> None:
    """Write a paper portfolio's config.json: it sells of two symbols and buys two others."""
    weights = dict.fromkeys(SOLD, LESS) | dict.fromkeys(BOUGHT, MORE)
    config = {
        "mode": "paper",
        "strategy": {"name": "fixed_weights", "params": {"weights": weights}},
        "risk": RISK,
    }
    (folder / "config.json").write_text(json.dumps(config | changes))


def invested(behaviour: Behaviour = CALM) -> Exchange:
    """Open an exchange whose account bought what it holds in the session before `DAY`."""
    exchange = Exchange.open(tape(), date(2020, 3, 3), CASH, seed=5)
    for symbol in SOLD:
        with exchange.work() as world:
            quote = world.prices.quote(symbol, world.book.time, 0.0)
        assert quote is not None
        shares = (CASH * Decimal(str(HELD)) / quote.ask).quantize(Decimal("0.001"))
        body = {"symbol": symbol, "side": "buy", "type": "market", "time_in_force": "day"}
        exchange.submit(body | {"qty": str(shares), "client_order_id": f"bought-{symbol}"})
    exchange.step()
    assert exchange.now().date() == DAY
    exchange.behave(**{field.name: getattr(behaviour, field.name) for field in fields(behaviour)})
    return exchange


@contextmanager
def place(folder: Path, behaviour: Behaviour = CALM, speed: float = 0.0, **config: object) -> Iterator[Place]:
    """Give a place to trade in; at its end every process that it started has ended."""
    folder.mkdir(parents=True, exist_ok=True)
    write_config(folder, **config)
    exchange = invested(behaviour)
    with (
        closing(exchange),
        serve(exchange, speed=speed, rate_limit=None) as sandbox,
        Proxy(sandbox.url.removeprefix("http://")) as proxy,
    ):
        made = Place(folder, exchange, sandbox, proxy)
        try:
            yield made
        finally:
            made.end_all()
        assert not proxy.faults, proxy.faults


ORDER = ("symbol", "side", "type", "qty", "limit_price", "status", "filled_qty", "filled_avg_price")


def unlike(there: Place) -> list[str]:
    """Name every difference between trades.db and the exchange: orders by field, fills by id."""
    orders, fills = there.orders(), there.fills()
    rows = {row["client_order_id"]: row for row in there.rows("orders")}
    kept = {row["fill_id"]: row for row in there.rows("fills")}
    wrong = [f"order only on one side: {name}" for name in orders.keys() ^ rows.keys()]
    wrong += [f"fill only on one side: {name}" for name in fills.keys() ^ kept.keys()]
    for name in orders.keys() & rows.keys():
        wrong += _unlike_order(orders[name], rows[name])
    for name in fills.keys() & kept.keys():
        theirs = fills[name] | {"at": _instant(fills[name]["transaction_time"])}
        ours = kept[name] | {"at": _instant(kept[name]["at"])}
        names = ("client_order_id", "symbol", "side", "qty", "price", "at")
        wrong += [f"fill {name}: {n} {ours[n]} for {theirs[n]}" for n in names if ours[n] != theirs[n]]
    return wrong


def _unlike_order(theirs: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    name = ours["client_order_id"]
    ended = next((theirs[key] for key in ("filled_at", "canceled_at", "expired_at") if theirs[key]), None)
    pairs = [(key, theirs[key], ours[key]) for key in ORDER]
    pairs += [("submitted_at", _instant(theirs["submitted_at"]), _instant(ours["submitted_at"]))]
    pairs += [("finished_at", _instant(ended), _instant(ours["finished_at"]))]
    pairs += [("session", str(DAY), ours["session"]), ("portfolio", "main", ours["portfolio"])]
    return [f"order {name}: {key} {found} for {due}" for key, due, found in pairs if found != due]


def _instant(text: str | None) -> datetime | None:
    """Read a time, to microseconds."""
    return None if text is None else datetime.fromisoformat(f"{text[:26].rstrip('Z'):0<26}+00:00")


def filled(there: Place) -> dict[str, Decimal]:
    """Give the shares that our orders filled at the exchange, by symbol; sold ones below 0."""
    shares: dict[str, Decimal] = {}
    for fill in there.fills().values():
        signed = Decimal(fill["qty"]) * (-1 if fill["side"] == "sell" else 1)
        shares[fill["symbol"]] = shares.get(fill["symbol"], Decimal(0)) + signed
    return shares


def planned(there: Place) -> dict[str, Decimal]:
    """Give the shares that the stored plan wants, by symbol; sold ones below 0."""
    plan = there.plan()
    assert plan is not None, "no plan is stored"
    return {o["symbol"]: Decimal(o["qty"]) * (-1 if o["side"] == "sell" else 1) for o in plan["orders"]}


@dataclass
class Watch:
    """What must hold whenever an order is sent: a hook, around another one."""

    there: Place
    inner: Callable[[Passing], None] | None = None
    wrong: list[str] = field(default_factory=list)

    def __call__(self, passing: Passing) -> None:
        """Judge an order on its way, then do what else is due."""
        if passing.orders and passing.moment == "before":
            self._judge(passing)
        if self.inner is not None:
            self.inner(passing)

    def _judge(self, passing: Passing) -> None:
        sent = passing.document()
        if self.there.plan() is None:
            self.wrong.append(f"{sent['client_order_id']} was sent without a stored plan")
        with self.there.exchange.work() as world:
            selling = [o.client_order_id for o in world.book.live.values() if o.side == "sell"]
        if sent["side"] == "buy" and selling:
            self.wrong.append(f"{sent['client_order_id']} was sent while {selling} were open")
