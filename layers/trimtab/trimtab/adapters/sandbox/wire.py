"""Wire: HTTP requests and responses as values, and the words that the face shares."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from trimtab.adapters.exchange.hours import at
from trimtab.adapters.exchange.records import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DRIPS",
    "Request",
    "Response",
    "answer",
    "read_count",
    "read_date",
    "read_instant",
    "read_list",
    "refused",
]

DRIPS = 10
"""Parts in which a dripping body arrives."""

_DATE_LENGTH = len("2020-03-16")


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request: path without query, query's last value a name, header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def parse(cls, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Request:
        """Make a request of a target (path and query, or a whole URL)."""
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        names = {name.lower(): value for name, value in headers.items()}
        return cls(method.upper(), unquote(parts.path), query, names, body)

    def json(self) -> dict[str, Any]:
        """Give the body's JSON object, numbers with a point as Decimal; an empty body is an empty object.

        Raises:
            Refusal: the body is no JSON object.
        """
        try:
            document = json.loads(self.body or b"{}", parse_float=Decimal)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise Refusal(400, 40010000, "request body format is invalid")
        return document


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response, after `wait_s` seconds; `broken` means that the connection ends without it.

    Of a `cut` response only half the body arrives; with `drip_s` its parts take so many seconds in all.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    wait_s: float = 0.0
    broken: bool = False
    cut: bool = False
    drip_s: float = 0.0

    @property
    def sent(self) -> bytes:
        """The body as far as it arrives."""
        return self.body[: len(self.body) // 2] if self.cut else self.body

    @property
    def part(self) -> int:
        """The bytes that arrive at a time where the body drips: a tenth."""
        return len(self.body) // DRIPS + 1


def answer(document: object, status: int = 200) -> Response:
    """Give a JSON response."""
    return Response(status, json.dumps(document, separators=(",", ":")).encode())


def refused(refusal: Refusal) -> Response:
    """Give a refusal's response."""
    return answer(refusal.body, refusal.status)


def read_instant(text: str) -> datetime:
    """Read a time: RFC 3339 (without a zone: UTC), or a date, which is New York's midnight.

    Raises:
        Refusal: it is neither.
    """
    try:
        if len(text) == _DATE_LENGTH:
            return at(date.fromisoformat(text), time(0))
        instant = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise Refusal(400, None, f"invalid time {text!r}: expected RFC 3339 or YYYY-MM-DD") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def read_date(text: str) -> date:
    """Read a date; of a time, its date as written.

    Raises:
        Refusal: it is none.
    """
    try:
        return date.fromisoformat(text[:_DATE_LENGTH])
    except ValueError:
        raise Refusal(400, None, f"invalid date {text!r}: expected YYYY-MM-DD") from None


def read_count(request: Request, name: str, default: int, most: int) -> int:
    """Read a count of at least 1 and at most `most`.

    Raises:
        Refusal: it is none.
    """
    text = request.query.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise Refusal(422, 40010001, f"{name} must be between 1 and {most}, not {text}")
    return int(text)


def read_list(request: Request, name: str) -> list[str]:
    """Read values joined by commas."""
    return [part for part in request.query.get(name, "").split(",") if part]
