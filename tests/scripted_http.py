"""Scripted HTTP: a server on loopback that answers as told, well or badly, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self, cast
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived; `client` is the port it came from, `target` the path and query as sent."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    target: str
    client: int


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: `body` is bytes as they are, or anything else as JSON.

    `fault`: "drop" closes without a byte, "truncate" stops half-way through the body, "hang" says nothing
    until the server stops, "drip" sends a byte of the body every 20 ms.
    """

    status: int = 200
    body: object = b""
    headers: dict[str, str] = field(default_factory=dict)
    fault: str = ""

    def payload(self) -> bytes:
        """Give the body's bytes."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Script = Reply | list[Reply] | Callable[[Asked], Reply]


class ScriptedServer:
    """A server with one script for each method and path. The last reply of a list is given for ever."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._scripts: dict[tuple[str, str], Script] = {}
        self._stopped = threading.Event()
        self._server = _Listener(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The server's origin, without a path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def on(self, method: str, path: str, script: Script) -> None:
        """Say how to answer `method path` from now on."""
        self._scripts[method, path] = script

    def count(self, method: str, path: str | None = None) -> int:
        """Count the requests that arrived."""
        return sum(a.method == method and path in {None, a.path} for a in self.asked)

    def reply(self, asked: Asked) -> Reply:
        """Note a request and give its answer."""
        self.asked.append(asked)
        script = self._scripts.get((asked.method, asked.path), Reply(404, b"<html>no such page</html>"))
        if isinstance(script, list):
            return script.pop(0) if len(script) > 1 else script[0]
        return script if isinstance(script, Reply) else script(asked)

    def wait_stopped(self, seconds: float) -> bool:
        """Wait, but not longer than the server runs; say whether it stopped."""
        return self._stopped.wait(seconds)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    disable_nagle_algorithm = True

    @property
    def scripted(self) -> ScriptedServer:
        """The server whose script is played."""
        return cast("_Listener", self.server).scripted

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        asked = Asked(
            self.command,
            unquote(parts.path),
            dict(parse_qsl(parts.query)),
            dict(self.headers.items()),
            self.rfile.read(length),
            self.path,
            self.client_address[1],
        )
        self._send(self.scripted.reply(asked))

    do_GET = do_POST = do_DELETE = do_PATCH = _answer  # noqa: N815 - the base class's names

    def _send(self, reply: Reply) -> None:
        if reply.fault in {"drop", "hang"}:
            if reply.fault == "hang":
                self.scripted.wait_stopped(5)
            self.close_connection = True
            return
        payload = reply.payload()
        self.send_response_only(reply.status)  # without a Date of its own
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self._send_body(payload, reply.fault)

    def _send_body(self, payload: bytes, fault: str) -> None:
        if fault == "truncate":
            payload, self.close_connection = payload[: len(payload) // 2], True
        if fault != "drip":
            self.wfile.write(payload)
            return
        try:
            for byte in payload:
                self.wfile.write(bytes([byte]))
                if self.scripted.wait_stopped(0.02):
                    break
        except OSError:
            self.close_connection = True


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, scripted: ScriptedServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scripted = scripted
