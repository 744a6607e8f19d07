"""Transport: serves `requests` from the face in this process, without a socket.

Mounted on a session in the place of the network, it lets the one broker adapter, or any other client over
`requests`, trade in the simulated exchange. Waiting for an answer passes virtual time; where a fault holds
the answer back beyond the client's timeout, the client gets the timeout at once.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from trimtab.adapters.sandbox.face import Face
from trimtab.adapters.sandbox.wire import DRIPS, Request, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.adapters.exchange.exchange import Exchange

__all__ = ["SandboxTransport"]


class SandboxTransport(HTTPAdapter):
    """A `requests` adapter over a face; of an exchange, over a face of its own without a rate limit."""

    def __init__(self, served: Exchange | Face) -> None:
        super().__init__()
        self._face = served if isinstance(served, Face) else Face(served, rate_limit=None)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002 - the base class's signature
        timeout: float | tuple[float | None, float | None] | None = None,
        verify: bool | str = True,  # noqa: ARG002, FBT001, FBT002 - the base class's signature
        cert: object = None,  # noqa: ARG002 - the base class's signature
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002 - the base class's signature
    ) -> requests.Response:
        """Answer a request.

        Raises:
            requests.ConnectionError, requests.Timeout: a fault struck it.
        """
        body = request.body or b""
        data = body.encode() if isinstance(body, str) else body
        parsed = Request.parse(request.method or "GET", request.url or "/", dict(request.headers), data)
        response = self._face.handle(parsed)
        self._wait(response, request, timeout)
        if response.broken:
            raise requests.ConnectionError("the connection was closed without an answer", request=request)
        return self.build_response(request, self._arrived(response, request.method or "GET"))

    def _wait(
        self,
        response: Response,
        request: requests.PreparedRequest,
        timeout: float | tuple[float | None, float | None] | None,
    ) -> None:
        """Let the seconds pass that an answer takes, up to the client's patience.

        Raises:
            requests.ReadTimeout: it takes longer.
        """
        patience = timeout[1] if isinstance(timeout, tuple) else timeout
        late = patience is not None and response.wait_s > patience
        waited = patience if late and patience is not None else response.wait_s
        if waited and self._face.exchange.clock.frozen:
            self._face.exchange.advance(waited)
        if late:
            raise requests.ReadTimeout("no answer in time", request=request)

    def _arrived(self, response: Response, method: str) -> HTTPResponse:
        """Give a response as the connection would have: a cut body is shorter than it says."""
        return HTTPResponse(
            body=_Drip(response, self._face.exchange) if response.drip_s else io.BytesIO(response.sent),
            headers={**response.headers, "Content-Length": str(len(response.body))},
            status=response.status,
            preload_content=False,
            request_method=method,
            enforce_content_length=True,
        )


class _Drip(io.BytesIO):
    """A body whose parts take virtual time."""

    def __init__(self, response: Response, exchange: Exchange) -> None:
        super().__init__(response.sent)
        self._part = response.part
        self._pause_s = response.drip_s / DRIPS
        self._exchange = exchange

    def read1(self, size: int | None = -1, /) -> bytes:
        """Give the next part, once it is there."""
        self._exchange.advance(self._pause_s)
        return super().read1(self._part if size is None or size < 0 else min(size, self._part))

    def read(self, size: int | None = -1, /) -> bytes:
        """Give what is asked for, once it is there."""
        found = b""
        while (size is None or size < 0 or len(found) < size) and (part := self.read1()):
            found += part
        return found
