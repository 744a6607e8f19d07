"""Wire: a loopback HTTP proxy between a real run and the sandbox, which may act at any request.

A process is known by its key: each is given a key of its own, so that several may share one proxy, and the
trading host that a stored plan names stays the same for all. Every request of a sender has a number, from 1;
the hook is called `before` it is passed on and `after` it was answered but before the answer goes back.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    Hook = Callable[["Passing"], None]

KEY = "APCA-API-KEY-ID"
UPSTREAM_S = 90.0
IDLE_S = 120.0
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})
WITHOUT_BODY = 204
BEFORE, AFTER = "before", "after"


class Severed(Exception):  # noqa: N818 - what became of the connection, not a fault
    """Raised by a hook: the connection ends here, and nothing goes further."""


@dataclass(slots=True)
class Passing:
    """One request on its way: whose, its number among the sender's, and when (seconds, monotonic)."""

    sender: str
    number: int
    method: str
    path: str
    body: bytes
    at: float
    moment: str = BEFORE
    status: int | None = None

    @property
    def changes(self) -> bool:
        """Whether it asks for a change: a new order, or an order's end."""
        return self.method != "GET"

    @property
    def orders(self) -> bool:
        """Whether it sends an order."""
        return self.method == "POST" and self.path == "/v2/orders"

    def document(self) -> dict[str, Any]:
        """The JSON it carries."""
        sent: dict[str, Any] = json.loads(self.body)
        return sent


@dataclass(slots=True)
class _Log:
    """The requests seen, and the one hook in force."""

    hook: Hook | None = None
    seen: list[Passing] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, sender: str, method: str, path: str, body: bytes) -> Passing:
        """Number a request and keep it."""
        with self.lock:
            number = 1 + sum(passed.sender == sender for passed in self.seen)
            passing = Passing(sender, number, method, urlsplit(path).path, body, time.monotonic())
            self.seen.append(passing)
        return passing


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    log: _Log
    upstream: str

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet: a client that was killed leaves a broken connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout: ClassVar[float] = IDLE_S
    server: _Server

    def _handle(self) -> None:
        """Pass one request on, and its answer back."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        log = self.server.log
        passing = log.note(self.headers.get(KEY, ""), self.command, self.path, body)
        try:
            self._tell(passing)
            status, headers, answer = self._forward(body)
            passing.moment, passing.status = AFTER, status
            self._tell(passing)
        except (Severed, OSError):
            self.close_connection = True
            return
        self._answer(status, headers, answer)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _handle  # noqa: N815 - http.server's names

    def _tell(self, passing: Passing) -> None:
        log = self.server.log
        try:
            if log.hook is not None:
                log.hook(passing)
        except Severed:
            raise
        except Exception as error:
            log.faults.append(f"{passing.method} {passing.path}: {error!r}")
            raise Severed from error

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = HTTPConnection(self.server.upstream, timeout=UPSTREAM_S)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in {"host", "connection"}}
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        with suppress(OSError):  # nobody may be left to hear it
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            if status != WITHOUT_BODY:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.close_connection = True

    def log_message(self, *_args: Any) -> None:  # noqa: ANN401 - the base class's signature
        """Keep quiet: the proxy has its own log."""


class Proxy:
    """A running proxy in front of `upstream` (host:port); closes at the end of a `with` block."""

    def __init__(self, upstream: str) -> None:
        self._log = _Log()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.log, self._server.upstream = self._log, upstream
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def at(self, hook: Hook | None) -> None:
        """Call `hook` at every request from now on, before and after it; None ends that."""
        self._log.hook = hook

    def seen(self, sender: str | None = None) -> list[Passing]:
        """Give the requests of a sender, or all, oldest first."""
        with self._log.lock:
            return [passed for passed in self._log.seen if sender in {None, passed.sender}]

    def sent(self, sender: str | None = None) -> list[Passing]:
        """Give those that ask for a change."""
        return [passed for passed in self.seen(sender) if passed.changes]

    @property
    def faults(self) -> list[str]:
        """What hooks raised: a test that could not do what it meant to."""
        return self._log.faults

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
