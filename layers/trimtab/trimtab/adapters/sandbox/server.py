"""Server: the sandbox on loopback: one port for trading, data and control, HTTP/1.1 with keep-alive.

The standard library's threading server is enough: the clients are a bot and its tests on the same
machine, one request at a time holds the exchange anyway, and nothing is added to what a Lambda must load.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from trimtab.adapters.sandbox.face import Face
from trimtab.adapters.sandbox.wire import DRIPS, Request, Response

if TYPE_CHECKING:
    from types import TracebackType

    from trimtab.adapters.exchange.exchange import Exchange

__all__ = ["Sandbox", "serve"]

IDLE_S = 120.0
NO_CONTENT = 204
REASONS = {200: "OK", NO_CONTENT: "No Content", 207: "Multi-Status"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    face: Face
    closing: threading.Event


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout: ClassVar[float] = IDLE_S
    server: _Server

    def _handle(self) -> None:
        """Answer the request that was read."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        request = Request.parse(self.command, self.path, dict(self.headers.items()), body)
        self._send(self.server.face.handle(request))

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _handle  # noqa: N815 - http.server's names

    def _send(self, response: Response) -> None:
        """Send a response as it is to arrive: late, cut, or not at all."""
        if response.wait_s:
            self.server.closing.wait(response.wait_s)
        if response.broken:
            self.close_connection = True
            return
        self.send_response_only(response.status, REASONS.get(response.status))
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != NO_CONTENT:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self._send_body(response)
        if response.cut:
            self.close_connection = True

    def _send_body(self, response: Response) -> None:
        """Send the body, in parts where it drips."""
        if not response.drip_s:
            self.wfile.write(response.sent)
            return
        for start in range(0, len(response.sent), response.part):
            self.server.closing.wait(response.drip_s / DRIPS)
            self.wfile.write(response.sent[start : start + response.part])
            self.wfile.flush()

    def log_message(self, *_args: Any) -> None:  # noqa: ANN401 - the base class's signature
        """Keep quiet: the sandbox has its own log."""


class Sandbox:
    """A running sandbox; closes at the end of a `with` block."""

    def __init__(self, face: Face, host: str, port: int) -> None:
        self.face = face
        self._server = _Server((host, port), _Handler)
        self._server.face = face
        self._server.closing = threading.Event()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def exchange(self) -> Exchange:
        """What it serves."""
        return self.face.exchange

    @property
    def url(self) -> str:
        """Where it listens: scheme, host and port, for the trading and the data host alike."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def close(self) -> None:
        """Stop listening; requests that wait are dropped."""
        self._server.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(
    exchange: Exchange,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    speed: float | None = 1.0,
    keys: tuple[str, str] | None = None,
    rate_limit: int | None = 200,
    rate_clock: Literal["wall", "virtual"] = "wall",
) -> Sandbox:
    """Serve an exchange on loopback, from now on, in threads of its own.

    `port` 0 takes a free one. The clock runs at `speed` virtual seconds a second from the instant at
    which it stands (0: frozen, each request then costs `Behaviour.tick_s`; None: left as it is).

    Raises:
        OSError: the port is taken.
    """
    if speed is not None:
        exchange.clock.run(speed)
    return Sandbox(Face(exchange, keys=keys, rate_limit=rate_limit, rate_clock=rate_clock), host, port)
