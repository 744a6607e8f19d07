"""S3 kit: moto's S3 on loopback, and a wire before it that loses, refuses and garbles what passes."""

from __future__ import annotations

import http.client
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, cast
from urllib.request import Request, urlopen

import botocore.session
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUCKET = "records"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIACANARYCANARY0000",
    "AWS_SECRET_ACCESS_KEY": "canaryAwsSecret/with+odd=characters0000",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}
"""What a process needs to speak to the server, besides AWS_ENDPOINT_URL_S3."""
HOPS = frozenset({"connection", "content-length", "expect", "transfer-encoding"})
"""Headers of one connection, which are made anew on the next."""


@contextmanager
def moto_s3() -> Iterator[str]:
    """Give the origin of an S3 in memory."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def make_bucket(origin: str, name: str) -> None:
    """Make a bucket; one that is there is fine."""
    urlopen(Request(f"{origin}/{name}", method="PUT"), timeout=30).close()  # noqa: S310 - loopback


def put_raw(url: str, key: str, data: bytes) -> None:
    """Put an object as somebody else would, whatever stands there."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    client = botocore.session.get_session().create_client("s3")
    client.put_object(Bucket=bucket, Key=f"{prefix}/{key}", Body=data)


def error_body(code: str) -> bytes:
    """Give an error as S3 words one, with what it might repeat of a secret."""
    key = ENVIRONMENT["AWS_ACCESS_KEY_ID"]
    return f"<Error><Code>{code}</Code><Message>no, {key}</Message></Error>".encode()


@dataclass(slots=True)
class Passed:
    """One request on the wire; what may be done to it."""

    method: str
    target: str
    number: int


@dataclass(slots=True)
class Fault:
    """What happens to a request: `status` and `code` answer it in S3's place.

    `lost` drops the answer of a request that S3 carried out, `cut` stops half-way through the answer's body,
    `garbled` changes a byte of it.
    """

    status: int = 0
    code: str = ""
    lost: bool = False
    cut: bool = False
    garbled: bool = False


@dataclass(slots=True)
class Wire:
    """Passes requests on to `upstream`; `judge` says, of each, what happens to it; `seen` keeps them."""

    upstream: str
    judge: Callable[[Passed], Fault | None] = lambda _: None
    after: Callable[[Passed], object] = lambda _: None
    seen: list[Passed] = field(default_factory=list)
    url: str = ""

    def once(self, method: str, *faults: Fault, key: str = "") -> None:
        """Let these faults happen to the next requests of a method (to a key), one each, and then none."""
        left = list(faults)

        def judge(passed: Passed) -> Fault | None:
            fits = passed.method == method and key in passed.target
            return left.pop(0) if fits and left else None

        self.judge = judge

    def methods(self) -> list[str]:
        """Give the methods of all requests so far."""
        return [passed.method for passed in self.seen]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        """Pass a request on, or do to it what the wire's judge says."""
        wire = cast("_Server", self.server).wire
        passed = Passed(self.command, self.path, len(wire.seen))
        wire.seen.append(passed)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = wire.judge(passed) or Fault()
        if fault.status:
            self._answer(fault.status, {"Content-Type": "application/xml"}, error_body(fault.code))
            return
        status, headers, answer = self._forward(wire.upstream, body)
        wire.after(passed)
        if fault.lost:
            self.close_connection = True
            return
        if fault.garbled:
            answer = bytes([answer[0] ^ 1]) + answer[1:]
        self._answer(status, headers, answer, cut=fault.cut)

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = handle_any  # noqa: N815 - the base class's names

    def _forward(self, upstream: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOPS}
        with closing(http.client.HTTPConnection(upstream.removeprefix("http://"), timeout=30)) as connection:
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()

    def _answer(self, status: int, headers: dict[str, str], body: bytes, *, cut: bool = False) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in HOPS:
                self.send_header(name, value)
        if status not in {204, 304}:
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, wire: Wire) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.wire = wire


@contextmanager
def wire_to(upstream: str) -> Iterator[Wire]:
    """Give a wire that stands before an S3."""
    wire = Wire(upstream)
    with _Server(wire) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        wire.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield wire
        finally:
            server.shutdown()
            thread.join()
