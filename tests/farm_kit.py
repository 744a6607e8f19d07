"""Farm kit: moto's interpreter of state machines, with a Lambda before it that runs our handlers.

The interpreter reads the definition as AWS does and calls Lambda over HTTP at the port of `MOTO_PORT`. There
stands a server that answers invocations with a handler of ours, and passes everything else on to moto.
"""

from __future__ import annotations

import json
import os
import re
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

import botocore.session

from lambda_kit import Context
from s3_kit import BUCKET, ENVIRONMENT, HOPS, make_bucket, moto_s3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MACHINES = Path(__file__).resolve().parents[1] / "statemachines"
INVOKE = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
ROLE = "arn:aws:iam::123456789012:role/states"


@dataclass(slots=True)
class Cloud:
    """A region on loopback: its origin, its functions by name, and each call's event.

    `faults` answers the next invocations in the functions' place: each an HTTP status and an error's type.
    """

    origin: str
    functions: dict[str, Callable[[Any, Any], Any]]
    calls: list[Any] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    one_by_one: bool = True
    turn: threading.Lock = field(default_factory=threading.Lock)

    def machine(self, name: str, **substitutions: str) -> str:
        """Make a state machine of one of the project's definitions, and give its ARN."""
        text = (MACHINES / f"{name}.asl.json").read_text()
        for key, value in substitutions.items():
            text = text.replace(f"${{{key}}}", value)
        made = self.client("stepfunctions").create_state_machine(name=name, definition=text, roleArn=ROLE)
        return str(made["stateMachineArn"])

    def client(self, service: str) -> Any:  # noqa: ANN401 - botocore makes it of a description
        """Give a client of a service of this region."""
        session = botocore.session.get_session()
        return session.create_client(service, endpoint_url=self.origin)

    def invoked(self, name: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Answer an invocation as Lambda does: `one_by_one` as in one function's process, or side by side."""
        with self.turn if self.one_by_one else nullcontext():
            event = json.loads(body)
            self.calls.append(event)
            if self.faults:
                status, kind = self.faults.pop(0)
                answer = json.dumps(
                    {"Type": "Service", "Message": "no", "errorType": kind, "errorMessage": "no"}
                )
                unhandled = (
                    {"X-Amz-Function-Error": "Unhandled"} if status == 200 else {"x-amzn-ErrorType": kind}
                )
                return status, unhandled, answer.encode()
            try:
                return 200, {}, json.dumps(self.functions[name](event, Context())).encode()
            except Exception as error:  # noqa: BLE001 - what the runtime makes of any
                told = {"errorType": type(error).__name__, "errorMessage": str(error)}
                return 200, {"X-Amz-Function-Error": "Unhandled"}, json.dumps(told).encode()


@contextmanager
def cloud(**functions: Callable[[Any, Any], Any]) -> Iterator[Cloud]:
    """Give a region with a bucket and these functions; the environment leads there."""
    before = dict(os.environ)
    with moto_s3() as moto:
        made = Cloud("", functions)
        front = ThreadingHTTPServer(("127.0.0.1", 0), _face(made, moto))
        made.origin = f"http://localhost:{front.server_port}"
        thread = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        named = {"MOTO_PORT": str(front.server_port), "AWS_ENDPOINT_URL": made.origin}
        os.environ.update(ENVIRONMENT | named)
        try:
            _configure(moto)
            make_bucket(moto, BUCKET)
            yield made
        finally:
            os.environ.clear()
            os.environ.update(before)
            front.shutdown()
            thread.join()
            front.server_close()


def _configure(moto: str) -> None:
    """Let moto interpret state machines rather than pretend."""
    body = json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode()
    urlopen(Request(f"{moto}/moto-api/config", body), timeout=30).close()  # noqa: S310 - loopback


def _face(made: Cloud, moto: str) -> type[BaseHTTPRequestHandler]:
    class Face(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments: object) -> None:
            pass

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            called = INVOKE.match(self.path)
            if called:
                status, headers, data = made.invoked(unquote(called[1]).rsplit(":")[-1], body)
            else:
                status, headers, data = self._passed_on(body)
            self.send_response(status)
            headers.setdefault("x-amzn-RequestId", "00000000-0000-0000-0000-000000000000")
            for name, value in headers.items():
                self.send_header(name, value)
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _passed_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            there = HTTPConnection(urlsplit(moto).netloc, timeout=60)
            try:
                headers = {k: v for k, v in self.headers.items() if k.lower() not in HOPS}
                there.request(self.command, self.path, body, headers)
                answer = there.getresponse()
                data = answer.read()
            finally:
                there.close()
            kept = {k: v for k, v in answer.getheaders() if k.lower() not in HOPS}
            return answer.status, kept, data

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer  # noqa: N815 - http.server's names

    return Face
