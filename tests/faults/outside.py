"""Outside: what one simulated process reaches the world through, a pause around each call."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

import requests

from line_kit import HOST
from telling_kit import Receiver
from trimtab.adapters.sandbox import SandboxTransport
from trimtab.adapters.sandbox.wire import Request
from trimtab.adapters.sqlite import SqliteTrades

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from faults.simulation import Process
    from trimtab.adapters.sandbox.wire import Response
    from trimtab.adapters.webhook import Answer as Told
    from trimtab.ports import Trades


class Transport(SandboxTransport):
    """The transport under one process's session."""

    def __init__(self, process: Process) -> None:
        super().__init__(process.simulation.face)
        self._process = process
        if (crooked := process.simulation.ablation) is not None:
            self._face = crooked.face(self._face, process)

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:  # noqa: ANN401 - the base class's
        """Answer a request, as one step of the process."""

        def call() -> requests.Response:
            self._judge(request.method or "", request.body)
            self._process.unlooked.discard((request.url or "").rpartition("client_order_id=")[2])
            return SandboxTransport.send(self, request, *args, **more)

        answer: requests.Response = self._process.step(f"{request.method} {request.path_url}", call)
        return answer

    def swift(self, request: Request, url: str, timeout: Any) -> Any:  # noqa: ANN401 - as a session gives
        """Answer a request; an answer that nothing befell is given without the making of a real one."""

        def call() -> Any:  # noqa: ANN401 - as above
            self._judge(request.method, request.body)
            orders = self._process.simulation.exchange.world.book.orders
            before = len(orders)
            answer = self._face.handle(request)
            if request.method == "POST" and len(orders) > before:  # also where its answer says otherwise
                self._process.created.add(str(request.json().get("client_order_id")))
            self._process.unlooked.discard(request.query.get("client_order_id", ""))
            if not (answer.broken or answer.wait_s or answer.cut or answer.drip_s):
                return Answer(answer.status, answer.headers, answer.body)
            return self._befallen(answer, requests.Request(request.method, url).prepare(), timeout)

        return self._process.step(f"{request.method} {request.path}", call)

    def _befallen(self, answer: Response, sent: requests.PreparedRequest, timeout: Any) -> Any:  # noqa: ANN401 - as above
        """Give what arrives of an answer that something befell; errors say what the world has them say."""
        whisper = self._process.simulation.whisper
        try:
            self._wait(answer, sent, timeout)
        except requests.RequestException as error:
            raise type(error)(whisper(str(error)), request=sent) from None
        if answer.broken:
            raise requests.ConnectionError(whisper("the connection was closed without an answer"))
        return self.build_response(sent, self._arrived(answer, sent.method or ""))

    def _judge(self, method: str, body: bytes | str | None) -> None:
        if method != "GET":
            self._process.sends += 1
            self._process.simulation.laws.before_send(self._process, method, body or b"{}")


@dataclass(slots=True)
class Answer:
    """An answer as the adapter reads it."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes
    raw: None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class QuickSession(requests.Session):
    """A session without what no request of ours needs (redirects, cookies, hooks): far quicker."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport

    def request(self, method: str, url: str, **more: Any) -> Any:  # type: ignore[override]  # noqa: ANN401 - the base class's
        """Send one request."""
        headers = {name.lower(): value for name, value in (more.get("headers") or {}).items()}
        query = {name: str(value) for name, value in (more.get("params") or {}).items()}
        body = b"" if more.get("json") is None else json.dumps(more["json"]).encode()
        path = unquote(url.removeprefix(HOST))
        return self._transport.swift(Request(method, path, query, headers, body), url, more.get("timeout"))


class Clock:
    """One process's clock: virtual time, and its machine's skew."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def now(self) -> datetime:
        """Give the machine's time."""
        process = self._process
        return process.simulation.exchange.now() + timedelta(seconds=process.skew_s)

    def monotonic(self) -> float:
        """Give virtual seconds."""
        return self._process.simulation.time

    def sleep(self, seconds: float) -> None:
        """Wait, as one or more steps."""
        self._process.wait(seconds)


class WatchedReceiver(Receiver):
    """The receivers of alerts and pings, with a pause around each request."""

    def __init__(self, process: Process, shared: Receiver) -> None:
        super().__init__(shared.posts, shared.answer)
        self._process = process

    def __call__(self, url: str, body: bytes, kind: str, seconds: float) -> Told:
        """Take a request, as one step of the process."""
        take = Receiver.__call__
        told: Told = self._process.step("POST told", lambda: take(self, url, body, kind, seconds))
        return told


class WatchedStore:
    """The directory store, with a pause around each call and faults in them."""

    def __init__(self, process: Process) -> None:
        self._process, self._store = process, process.simulation.store
        self.url = self._store.url

    def get(self, key: str) -> bytes | None:
        """Give the blob; note where it is a flag."""
        found: bytes | None = self._call("get", key, lambda: self._store.get(key))
        if found is not None and (key == "HALT" or key.startswith("halts/")):
            self._process.saw_flag = True
        crooked = self._process.simulation.ablation
        return found if crooked is None else crooked.got(self._process, key, found)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Store the blob; the laws take note."""

        def call() -> bool:
            simulation = self._process.simulation
            if simulation.ablation is not None and simulation.ablation.overwrites(key):
                self._store.delete(key)
            fresh = self._store.put_if_absent(key, data)
            simulation.laws.stored(self._process, key, data, fresh=fresh)
            return fresh

        return bool(self._call("put", key, call))

    def list(self, prefix: str) -> tuple[str, ...]:
        """Give the keys."""
        found: tuple[str, ...] = self._call("list", prefix, lambda: self._store.list(prefix))
        return found

    def delete(self, key: str) -> None:
        """Remove the blob."""
        self._call("delete", key, lambda: self._store.delete(key))

    def _call(self, verb: str, key: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the call gives
        return self._process.step(
            f"{verb} {key}", self._process.simulation.struck(f"store {verb} {key}", call)
        )


class KeptTrades(SqliteTrades):
    """trades.db over one connection that stays open: no time for opening it anew with each call."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._kept = sqlite3.connect(path, isolation_level=None)
        self._kept.row_factory = sqlite3.Row
        self._kept.execute("PRAGMA synchronous = OFF")

    @contextmanager
    def _connection(self, mode: str) -> Iterator[sqlite3.Connection]:
        self._kept.execute(f"PRAGMA query_only = {mode == 'ro'}")
        yield self._kept

    def close(self) -> None:
        """Close the connection."""
        self._kept.close()


class WatchedTrades:
    """trades.db, with a pause around each call and faults in them."""

    def __init__(self, process: Process) -> None:
        self._process, self._trades = process, process.simulation.trades

    def add(self, rows: Mapping[str, Sequence[Mapping[str, object]]]) -> None:
        """Write rows."""
        call = self._process.simulation.struck("database add", lambda: self._trades.add(rows))
        self._process.step("database add", call)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, object]]:
        """Give rows."""
        call = self._process.simulation.struck("database query", lambda: self._trades.query(sql, parameters))
        found: list[dict[str, object]] = self._process.step("database query", call)
        return found

    def damage(self) -> str | None:
        """Say that it is sound: no fault here damages it."""
        return None

    def anew(self) -> AbstractContextManager[Trades]:
        """Give an empty one in its place; nothing here asks for it."""
        return self._trades.anew()
