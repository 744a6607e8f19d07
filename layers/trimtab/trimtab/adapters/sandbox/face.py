"""Face: Alpaca's HTTP interface as a function from request to response, over an exchange.

The same object is mounted in this process (`transport`) and served on loopback (`server`). It checks keys
and the rate, lets faults strike, keeps a log without keys in it, and hands the request to its endpoint
while it holds the exchange.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from trimtab.adapters.exchange.records import Refusal
from trimtab.adapters.sandbox import control, marketdata, trading
from trimtab.adapters.sandbox.faults import Fault, Faults, spoil
from trimtab.adapters.sandbox.wire import Request, Response, answer, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.adapters.exchange.exchange import Exchange

__all__ = ["Face", "Log"]

KEY, SECRET = "apca-api-key-id", "apca-api-secret-key"
MINUTE = 60
LOG_LENGTH = 100_000
CARRIED = frozenset({"delay", "drip", "duplicate", "truncated", "alter", "cut"})
"""Faults that strike the answer alone: the request was processed."""
DATA_PATHS = ("/v2/stocks/", "/v1/")


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as the log keeps it; `at` is virtual (UTC)."""

    at: datetime
    method: str
    path: str
    client_order_id: str | None
    status: int
    fault: str | None

    def document(self) -> dict[str, object]:
        """Give it as JSON."""
        return {
            "at": self.at.isoformat(),
            "method": self.method,
            "path": self.path,
            "client_order_id": self.client_order_id,
            "status": self.status,
            "fault": self.fault,
        }


class Log:
    """The requests seen, oldest first; the last 100,000 of them."""

    def __init__(self) -> None:
        self.seen: deque[Seen] = deque(maxlen=LOG_LENGTH)

    def document(self) -> dict[str, object]:
        """Give the requests, and how many there were of each method and path, as JSON."""
        counts = Counter(f"{seen.method} {seen.path}" for seen in self.seen)
        return {"counts": dict(sorted(counts.items())), "requests": [seen.document() for seen in self.seen]}


class Face:
    """The HTTP interface of one exchange.

    `keys` are the one pair accepted (None: any that is not empty); `rate_limit` the requests a minute for
    each of the trading and the data side (None: unlimited), counted in the machine's time or, with
    `rate_clock="virtual"`, in the exchange's.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        keys: tuple[str, str] | None = None,
        rate_limit: int | None = 200,
        rate_clock: Literal["wall", "virtual"] = "wall",
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.exchange = exchange
        self.faults = Faults()
        self.log = Log()
        self._keys = keys
        self._rate_limit = rate_limit
        self._time = wall if rate_clock == "wall" else (lambda: exchange.now().timestamp())
        self._used: dict[str, tuple[int, int]] = {}
        self._data = marketdata.MarketData()
        self._late: list[tuple[datetime, Request]] = []
        self._lock = threading.RLock()

    def handle(self, request: Request) -> Response:
        """Answer a request; one at a time."""
        with self._lock:
            if request.path.startswith("/sandbox"):
                return self._control(request)
            self._deliver_late()
            fault = self.faults.strike(request)
            response = self._answer(request) if fault is None else self._struck(fault, request)
            self._note(request, response, fault)
            return response

    def _control(self, request: Request) -> Response:
        for method, pattern, handler in control.ROUTES:
            if method == request.method and pattern.fullmatch(request.path):
                try:
                    return handler(self, request)
                except Refusal as refusal:
                    return refused(refusal)
        return answer({"message": "endpoint not found."}, 404)

    def _deliver_late(self) -> None:
        """Process the requests that were held back until now."""
        now = self.exchange.now()
        due = [request for at, request in self._late if at <= now]
        self._late = [(at, request) for at, request in self._late if at > now]
        for request in due:
            self._note(request, self._answer(request), None)

    def deliver_held(self) -> None:
        """Let time pass until every request that was held back has arrived, each at its own time."""
        with self._lock:
            while self._late:
                self.exchange.move(max(self.exchange.now(), min(at for at, _ in self._late)))
                self._deliver_late()

    def _struck(self, fault: Fault, request: Request) -> Response:
        """Answer a request that a fault strikes."""
        if fault.action == "late":
            due = self.exchange.now() + timedelta(seconds=fault.seconds)
            self._late.append((due, request))
            return spoil(fault, Response(504))
        if fault.action == "duplicate":
            self._answer(request)
        processed = fault.when == "after" or fault.action in CARRIED
        return spoil(fault, self._answer(request) if processed else Response(504))

    def _answer(self, request: Request) -> Response:
        """Answer a request that arrived."""
        if not self._known(request):
            return answer({"message": "unauthorized."}, 401)
        data = request.path.startswith(DATA_PATHS)
        allowed, headers = self._spend("data" if data else "trading")
        if not allowed:
            code: dict[str, object] = {} if data else {"code": 42910000}
            message = "too many requests." if data else "rate limit exceeded"
            response = answer({**code, "message": message}, 429)
        else:
            response = self._serve(request, data=data)
        return replace(response, headers={**response.headers, **headers})

    def _known(self, request: Request) -> bool:
        given = (request.headers.get(KEY, ""), request.headers.get(SECRET, ""))
        return all(given) and self._keys in {None, given}

    def _spend(self, kind: str) -> tuple[bool, dict[str, str]]:
        """Count a request against its minute, and give the headers that tell of it."""
        if self._rate_limit is None:
            return True, {}
        minute = int(self._time() // MINUTE)
        counted, used = self._used.get(kind, (minute, 0))
        used = used + 1 if counted == minute else 1
        self._used[kind] = (minute, used)
        headers = {
            "X-RateLimit-Limit": str(self._rate_limit),
            "X-RateLimit-Remaining": str(max(self._rate_limit - used, 0)),
            "X-RateLimit-Reset": str((minute + 1) * MINUTE),
        }
        return used <= self._rate_limit, headers

    def _serve(self, request: Request, *, data: bool) -> Response:
        """Hand a request to its endpoint, holding the exchange."""
        try:
            with self.exchange.work(tick=True) as world:
                if data:
                    for method, pattern, handler in marketdata.ROUTES:
                        found = pattern.fullmatch(request.path)
                        if found and method == request.method:
                            return handler(self._data, world, request, _name(found.groupdict()))
                else:
                    for method, pattern, endpoint in trading.ROUTES:
                        found = pattern.fullmatch(request.path)
                        if found and method == request.method:
                            return endpoint(self.exchange, world, request, _name(found.groupdict()))
        except Refusal as refusal:
            return refused(refusal)
        return answer({"message": "endpoint not found."}, 404)

    def _note(self, request: Request, response: Response, fault: Fault | None) -> None:
        """Put a request into the log: never its headers."""
        client_id = _client_order_id(request)
        struck = None if fault is None else f"{fault.when} {fault.action}"
        self.log.seen.append(
            Seen(self.exchange.now(), request.method, request.path, client_id, response.status, struck)
        )


def _name(groups: dict[str, Any]) -> str:
    return groups.get("name") or ""


def _client_order_id(request: Request) -> str | None:
    """Give the client_order_id that a request speaks of, if any."""
    if "client_order_id" in request.query:
        return request.query["client_order_id"]
    if request.method != "POST":
        return None
    try:
        document = json.loads(request.body)
    except ValueError:
        return None
    found = document.get("client_order_id") if isinstance(document, dict) else None
    return found if isinstance(found, str) else None
