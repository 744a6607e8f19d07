"""Faults: what goes wrong between a client and the exchange, on request.

A rule picks requests by method and path and strikes from its nth match on, so many times. `before` the
request reached the exchange, or `after` it was processed and kept; that is the difference between an
order that does not exist and one that does while its sender does not know.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from trimtab.adapters.exchange.records import Refusal
from trimtab.adapters.sandbox.wire import Request, Response, answer

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Action", "Fault", "Faults", "spoil"]

_Lost = Literal["drop", "hang", "late"]
_Spoilt = Literal["status", "html", "truncated", "garbage", "empty", "alter", "cut"]
_Odd = Literal["delay", "drip", "duplicate"]
Action = Literal[_Lost, _Spoilt, _Odd]
HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"
MESSAGES = {500: "internal server error", 503: "service unavailable", 504: "gateway timeout"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule. `path` is a regular expression; `nth` counts matches from 1; `times` 0 is for ever.

    drop: the connection ends · hang: no answer for `seconds`, then it ends · status: `status` with the
    broker's JSON · html: 502 from a proxy · truncated: half the body · garbage: 200 that is no JSON ·
    empty: 200 without a body · delay: the answer comes `seconds` later · drip: its parts take `seconds` ·
    duplicate: the request arrives twice, the second answer counts · late: no answer, and the request
    arrives `seconds` later · alter: the answer's JSON, with each of `fields`, wherever it stands, as given
    here · cut: the answer's JSON with only the first half of every list.
    """

    action: Action
    method: str = "*"
    path: str = ".*"
    nth: int = 1
    times: int = 1
    when: Literal["before", "after"] = "before"
    status: int = 500
    seconds: float = 60.0
    headers: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the words.

        Raises:
            ValueError: action, when or path are not what they may be.
        """
        if self.action not in get_args(Action) or self.when not in {"before", "after"}:
            raise ValueError(
                f"unknown fault {self.when} {self.action}; actions: {', '.join(get_args(Action))}"
            )
        re.compile(self.path)

    def matches(self, request: Request) -> bool:
        """Say whether a request is of those it picks."""
        return self.method in {"*", request.method} and re.search(self.path, request.path) is not None

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Fault:
        """Make a rule of its JSON.

        Raises:
            Refusal: it is none.
        """
        try:
            return cls(**document)
        except (TypeError, ValueError, re.error) as error:
            raise Refusal(422, None, f"no fault: {error}") from None


class Faults:
    """The rules in force, each with the number of requests that it has matched."""

    def __init__(self) -> None:
        self._rules: list[tuple[Fault, int]] = []

    def add(self, fault: Fault) -> None:
        """Put a rule in force."""
        self._rules.append((fault, 0))

    def clear(self) -> None:
        """Take all rules back."""
        self._rules.clear()

    def document(self) -> list[dict[str, Any]]:
        """Give the rules and their matches as JSON."""
        return [{**asdict(rule), "matched": matched} for rule, matched in self._rules]

    def strike(self, request: Request) -> Fault | None:
        """Count a request, and give the first rule that strikes it."""
        struck = None
        for i, (rule, matched) in enumerate(self._rules):
            if not rule.matches(request):
                continue
            self._rules[i] = (rule, matched + 1)
            over = rule.times and matched + 1 >= rule.nth + rule.times
            if struck is None and matched + 1 >= rule.nth and not over:
                struck = rule
        return struck


def spoil(fault: Fault, response: Response) -> Response:
    """Give what is left of a response after a fault."""
    fixed = {
        "html": Response(502, HTML, {"Content-Type": "text/html"}),
        "garbage": Response(200, b"\x00\xff{not json"),
        "empty": Response(200, b""),
    }
    if fault.action == "status":
        return _failed(fault)
    if fault.action in {"alter", "cut"}:
        return _changed(fault, response)
    broken = fault.action in {"drop", "hang", "late"}
    waits = fault.action in {"hang", "late", "delay"}
    return replace(
        fixed.get(fault.action, response),
        broken=broken,
        cut=fault.action == "truncated",
        wait_s=fault.seconds if waits else 0.0,
        drip_s=fault.seconds if fault.action == "drip" else 0.0,
    )


def _failed(fault: Fault) -> Response:
    """Give the broker's own JSON for a status."""
    message = MESSAGES.get(fault.status, "sandbox fault")
    response = answer({"code": fault.status * 100_000 + 10_000, "message": message}, fault.status)
    return replace(response, headers={**response.headers, **fault.headers})


def _changed(fault: Fault, response: Response) -> Response:
    """Give a response whose JSON says something else; one without JSON stays as it is."""
    try:
        document = json.loads(response.body)
    except ValueError:
        return response
    return replace(response, body=json.dumps(_twisted(fault, document), separators=(",", ":")).encode())


def _twisted(fault: Fault, document: Any) -> Any:  # noqa: ANN401 - any JSON
    """Give JSON with the fault's fields in the place of its own, or with half of every list."""
    if isinstance(document, dict):
        return {
            key: fault.fields[key] if key in fault.fields else _twisted(fault, value)
            for key, value in document.items()
        }
    if isinstance(document, list):
        kept = document[: len(document) // 2] if fault.action == "cut" else document
        return [_twisted(fault, item) for item in kept]
    return document
