"""Ablations: safeguards taken away one at a time, to show that the campaign sees what they are for.

Each stands at a port, between the untouched line and the world, and makes the line behave as a program
without that safeguard would.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from faults.simulation import Ablation
from trimtab.core.portfolio import TERMINAL

if TYPE_CHECKING:
    from faults.simulation import Process
    from trimtab.adapters.exchange import Exchange
    from trimtab.adapters.sandbox import Face
    from trimtab.adapters.sandbox.wire import Request, Response

RETRIED = frozenset({429, 500, 502, 503, 504})
ATTEMPTS = 4
PAUSE_S = 3.0


@dataclass(slots=True)
class Between:
    """Stands where the face stood: hands requests on, perhaps changed, and answers back."""

    face: Face
    process: Process
    exchange: Exchange = field(init=False)

    def __post_init__(self) -> None:
        """Be an exchange's face as the transport knows it."""
        self.exchange = self.face.exchange

    def handle(self, request: Request) -> Response:
        """Hand a request on."""
        return self.face.handle(request)


def is_order(request: Request) -> bool:
    """Say whether a request sends an order."""
    return request.method == "POST" and request.path == "/v2/orders"


class Retrying(Between):
    """Sends an order again whenever its answer is lost or an error, as some clients do."""

    def handle(self, request: Request) -> Response:
        """Hand a request on, an order up to four times."""
        answer = self.face.handle(request)
        for _ in range(ATTEMPTS - 1):
            if not is_order(request) or not (
                answer.broken or answer.wait_s > PAUSE_S or answer.status in RETRIED
            ):
                break
            self.exchange.advance(PAUSE_S)
            self.process.simulation.laws.before_send(self.process, request.method, request.body)
            answer = self.face.handle(self.fresh(request))
        return answer

    def fresh(self, request: Request) -> Request:
        """Give the request as it is sent again."""
        return request


@dataclass(slots=True)
class ChanceIds(Between):
    """Gives each order a new id of its own; only this process knows which of them was meant by which."""

    names: dict[str, str] = field(default_factory=dict)

    def handle(self, request: Request) -> Response:
        """Rename on the way out, and back on the way in."""
        if is_order(request):
            request = self._renamed(request)
        elif "client_order_id" in request.query:
            wanted = request.query["client_order_id"]
            query = {**request.query, "client_order_id": self._theirs(wanted)}
            request = replace(request, query=query)
        answer = self.face.handle(request)
        body = answer.body
        for theirs, ours in self.names.items():
            body = body.replace(theirs.encode(), ours.encode())
        return replace(answer, body=body)

    def _renamed(self, request: Request) -> Request:
        body = json.loads(request.body)
        theirs = f"chance-{self.process.simulation.new_id()}"
        self.names[theirs] = body["client_order_id"]
        return replace(request, body=json.dumps({**body, "client_order_id": theirs}).encode())

    def _theirs(self, ours: str) -> str:
        return next((name for name, meant in reversed(self.names.items()) if meant == ours), ours)


class ChanceIdsRetried(ChanceIds):
    """The same below a client that sends an order again, each time under a new id."""

    def handle(self, request: Request) -> Response:
        """Hand an order on until it is answered."""
        answer = ChanceIds.handle(self, request)
        for _ in range(ATTEMPTS - 1):
            if not is_order(request) or not (
                answer.broken or answer.wait_s > PAUSE_S or answer.status in RETRIED
            ):
                break
            self.exchange.advance(PAUSE_S)
            answer = ChanceIds.handle(self, request)
        return answer


class Changed(Between):
    """Shows orders otherwise than they are."""

    def handle(self, request: Request) -> Response:
        """Change every order in an answer."""
        answer = self.face.handle(request)
        if not request.path.startswith("/v2/orders") or not answer.body:
            return answer
        try:
            document = json.loads(answer.body)
        except ValueError:
            return answer
        rows = document if isinstance(document, list) else [document]
        for row in rows:
            if isinstance(row, dict) and "client_order_id" in row:
                self.change(row)
        return replace(answer, body=json.dumps(document).encode())

    def change(self, row: dict[str, Any]) -> None:
        """Change one order."""


class NoPartialFills(Changed):
    """An order that did not fill to its end filled nothing."""

    def change(self, row: dict[str, Any]) -> None:
        """Hide the part."""
        if row.get("status") != "filled":
            row["filled_qty"], row["filled_avg_price"] = "0", None


class SellsAreDone(Changed):
    """A sell that was taken counts as filled."""

    def change(self, row: dict[str, Any]) -> None:
        """Show it as filled."""
        if row.get("side") == "sell" and row.get("status") not in TERMINAL:
            row["status"], row["filled_qty"], row["filled_avg_price"] = "filled", row["qty"], "1"


class AtTheFace(Ablation):
    """An ablation that stands before the broker."""

    def __init__(self, name: str, kind: type[Between]) -> None:
        self.name, self._kind = name, kind

    def face(self, face: Face, process: Process) -> Any:  # noqa: ANN401 - what the transport takes for a face
        """Give what the process talks to."""
        return self._kind(face, process)


class LastWriterWins(Ablation):
    """A plan is written over whatever is there."""

    name = "last-writer-wins plans"

    def overwrites(self, key: str) -> bool:
        """Plans are."""
        return key.startswith("plans/")


class Replanning(LastWriterWins):
    """A run does not look for a stored plan: it plans from the positions it finds, and writes that."""

    name = "re-planning on a re-run"

    def __init__(self) -> None:
        self._looked: set[int] = set()

    def got(self, process: Process, key: str, found: bytes | None) -> bytes | None:
        """Hide an earlier run's plan from the first look of each run."""
        if not key.startswith("plans/") or id(process) in self._looked:
            return found
        self._looked.add(id(process))
        return None


ABLATIONS = {
    "chance ids": lambda: AtTheFace("chance ids", ChanceIds),
    "chance ids, retried": lambda: AtTheFace("chance ids, retried", ChanceIdsRetried),
    "retried orders": lambda: AtTheFace("retried orders", Retrying),
    "re-planning on a re-run": Replanning,
    "last-writer-wins plans": LastWriterWins,
    "partial fills ignored": lambda: AtTheFace("partial fills ignored", NoPartialFills),
    "buys before sells end": lambda: AtTheFace("buys before sells end", SellsAreDone),
}
"""Each safeguard that can be taken away, and how."""
