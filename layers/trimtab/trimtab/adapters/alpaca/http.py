"""Host: one of Alpaca's servers, reached through alpaca-py's RESTClient with bounded time and exact bodies.

`RESTClient` gives authentication, URLs and a session. Its own handling of an answer is replaced in one
method, `_one_request`, because it replays POSTs on 429 and 504, has no timeout, hides the status and
headers (so neither X-RateLimit-Reset nor a 3xx can be seen), and turns every decimal into a float.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast
from urllib.parse import urlsplit

import requests
from alpaca.common.rest import RESTClient
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from urllib3.exceptions import HTTPError

from trimtab.adapters.alpaca.hosts import Keys, Kind, check_host
from trimtab.adapters.alpaca.parse import NotJSON, load_json
from trimtab.adapters.loopback import is_loopback
from trimtab.ports import Unauthorized, Unreachable

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from trimtab.ports import Clock

T = TypeVar("T")

NOT_FOUND_CODE = "40410000"
"""In a 404's JSON: the broker itself says that there is no such thing. Without it a 404 proves nothing."""

_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _UNPROCESSABLE, _TOO_MANY = 200, 401, 403, 404, 422, 429
_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_WINDOW_S = 60.0
_KEPT_S = 10.0
"""Seconds of a run that no request may take: they are for writing its record."""
_CHUNK_BYTES = 1 << 16
_LARGEST_BODY_BYTES = 1 << 26
_LONGEST_TEXT = 200
_SHORTEST_SECRET = 8


class Lost(Exception):  # noqa: N818 - a state of the world, not a fault of ours
    """A request that has no whole answer: refused, dropped, timed out. What became of it is unknown."""


class NotFound(Unreachable):
    """The broker says, in its own JSON with code 40410000, that there is no such thing."""


class _Transient(Exception):  # noqa: N818 - as above
    """A read worth trying again, after `wait_s` seconds where the server said so; `refused` is a 401."""

    def __init__(self, detail: str, wait_s: float | None = None, *, refused: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.wait_s = wait_s
        self.refused = refused


@dataclass(frozen=True, slots=True)
class ReadPolicy:
    """How long to try: attempts and seconds a read, seconds a connection and a silence, reads a minute."""

    attempts: int = 8
    budget_s: float = 60.0
    connect_s: float = 3.0
    silence_s: float = 10.0
    answer_s: float = 30.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 16.0
    per_minute: int = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: status, headers, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def error(self) -> tuple[str, str] | None:
        """Give code and message if the body is the broker's own error JSON, else None."""
        try:
            document = load_json(self.body)
        except NotJSON:
            return None
        if not isinstance(document, dict) or not isinstance(document.get("message"), str):
            return None
        code = document.get("code")
        return "" if code is None else str(code), str(document["message"])


class AlpacaHost(RESTClient):
    """One host. `read` retries within its budget; `once` makes one attempt, whatever comes back."""

    def __init__(  # noqa: PLR0913 - a composition root names each part it injects
        self,
        url: str,
        kind: Kind,
        keys: Keys,
        clock: Clock,
        *,
        rng: random.Random,
        policy: ReadPolicy | None = None,
        deadline: Callable[[], float] | None = None,
        session: requests.Session | None = None,
    ) -> None:
        """Prepare the host; nothing is sent yet.

        `deadline` gives the seconds left to the run; `session` may carry mounted transports.

        Raises:
            Misconfigured: the URL is not a host that may see the keys.
        """
        url = check_host(url, kind)
        key_id, secret = keys.plain()
        super().__init__(url, api_key=key_id, secret_key=secret, api_version="v2", raw_data=True)
        self._retry, self._retry_codes = 0, []
        self._session = session or self._session
        # Keys travel in headers only: a .netrc entry would add Basic credentials beside them.
        self._session.auth = _no_further_auth
        if is_loopback(urlsplit(url).hostname or ""):
            self._session.trust_env = False  # a proxy of the environment has no place on loopback
        self.kind: Kind = kind
        self._clock = clock
        self._rng = rng
        self._policy = policy or ReadPolicy(per_minute=100 if kind == "trading" else 180)
        self._deadline = deadline
        self._sent: deque[float] = deque()

    def __repr__(self) -> str:
        return f"AlpacaHost({self.kind})"

    def left(self) -> float:
        """Give the seconds that requests may still take of the run; infinite without a deadline."""
        return math.inf if self._deadline is None else self._deadline() - _KEPT_S

    def read(
        self, path: str, params: Mapping[str, str] | None = None, *, exact: bool = True, version: str = "v2"
    ) -> object:
        """Give the JSON of a GET, retried within the budget; numbers as Decimal, or float if not `exact`.

        Raises:
            NotFound, Unreachable, Unauthorized: as `fetch`.
        """
        return self.fetch(path, params, partial(load_json, exact=exact), version=version)

    def fetch(
        self,
        path: str,
        params: Mapping[str, str] | None,
        decode: Callable[[bytes], T],
        *,
        version: str = "v2",
    ) -> T:
        """Give what `decode` makes of the body of a GET, retried within the budget.

        A body of which `decode` says, by `NotJSON`, that it is none counts as not arrived.

        Raises:
            NotFound: 404 with the broker's code for it.
            Unreachable: no usable answer within attempts, budget and deadline, or a refusal (4xx).
            Unauthorized: the keys are not accepted, as the broker says or a 401 that stays.
        """
        self._pace()
        began = self._clock.monotonic()
        budget = min(self._policy.budget_s, self.left())
        if budget <= 0:
            raise Unreachable(f"{self._name(path)}: no time left in this run")

        def spent(state: RetryCallState) -> bool:
            elapsed = self._clock.monotonic() - began
            return state.attempt_number >= self._policy.attempts or elapsed + state.upcoming_sleep >= budget

        retrying = Retrying(
            sleep=self._clock.sleep,
            wait=self._pause,
            stop=spent,
            retry=retry_if_exception_type(_Transient),
            reraise=True,
        )
        try:
            return cast("T", retrying(self._attempt, path, params, decode, version))
        except _Transient as failed:
            detail, refused = failed.detail, failed.refused
        # Raised outside the handler: nothing that holds a request, and so the keys, hangs on it.
        tries = retrying.statistics.get("attempt_number", 1)
        elapsed = self._clock.monotonic() - began
        detail = f"{detail} ({tries} attempts in {elapsed:.0f} s)"
        if refused:
            raise Unauthorized(f"the {self.kind} host does not accept the keys: {detail}")
        raise Unreachable(f"{self._name(path)}: {detail}")

    def once(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Answer:
        """Give the answer to exactly one request.

        Raises:
            Lost: there was no whole answer.
        """
        return cast("Answer", self._request(method, path, None if body is None else dict(body)))

    def clean(self, text: str) -> str:
        """Give a server's text fit to be shown: one line, short, without the keys."""
        for secret in (self._api_key, self._secret_key):
            if secret and len(secret) >= _SHORTEST_SECRET:  # a toy key would tear words apart
                text = text.replace(secret, "***")
        text = " ".join(text.split())
        return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"

    def said(self, answer: Answer) -> str:
        """Give an answer's status and the broker's message, fit to be shown."""
        error = answer.error()
        return (
            f"{answer.status} {self.clean(error[1])}"
            if error
            else f"{answer.status} not in the broker's JSON"
        )

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _attempt(
        self, path: str, params: Mapping[str, str] | None, decode: Callable[[bytes], T], version: str
    ) -> T:
        self._pace()
        try:
            answer = cast("Answer", self.get(path, dict(params) if params else None, api_version=version))
        except Lost as lost:
            raise _Transient(str(lost)) from None
        if answer.status != _OK:
            self._judge(path, answer)
        try:
            return decode(answer.body)
        except NotJSON as error:
            reason = self.clean(str(error))
        raise _Transient(f"200 without JSON: {reason}")

    def _judge(self, path: str, answer: Answer) -> NoReturn:
        """Raise what an answer other than 200 to a GET means."""
        status, error, said = answer.status, answer.error(), self.said(answer)
        if status == _TOO_MANY or status >= _SERVER_ERROR:
            raise _Transient(said, wait_s(answer.headers, self._clock.now()))
        if status == _NOT_FOUND and error and error[0] == NOT_FOUND_CODE:
            raise NotFound(f"{self._name(path)}: {said}")
        if status == _NOT_FOUND:
            raise _Transient(said)
        if status in {_FORBIDDEN, _UNPROCESSABLE} and error and "subscription" in error[1]:
            raise Unreachable(f"{self._name(path)}: {said}; use the feed iex, or an end that is older")
        if status in {_UNAUTHORIZED, _FORBIDDEN} and error is None:
            # A firewall's or a proxy's page; but what stands before the data host says so of wrong keys, too.
            raise _Transient(said, refused=status == _UNAUTHORIZED)
        if status in {_UNAUTHORIZED, _FORBIDDEN}:
            raise Unauthorized(f"the {self.kind} host does not accept the keys: {said}")
        if status < _CLIENT_ERROR:
            raise Unreachable(f"{self._name(path)}: {status} where 200 was due; redirects are not followed")
        raise Unreachable(f"{self._name(path)}: {said}")

    def _pause(self, state: RetryCallState) -> float:
        """Give the seconds to wait: full jitter, on top of what the server asked for."""
        ceiling = self._policy.first_pause_s * 2.0 ** (state.attempt_number - 1)
        jitter = self._rng.uniform(0.0, min(ceiling, self._policy.longest_pause_s))
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait_s if isinstance(error, _Transient) else None
        return jitter if asked is None else asked + min(jitter, 1.0)

    def _pace(self) -> None:
        """Wait until one more read keeps within the requests a minute. An order never waits here."""
        while True:
            now = self._clock.monotonic()
            while self._sent and self._sent[0] <= now - _WINDOW_S:
                self._sent.popleft()
            if len(self._sent) < self._policy.per_minute:
                return
            wait = self._sent[-self._policy.per_minute] + _WINDOW_S - now
            if wait >= self.left():
                most = f"{self._policy.per_minute} requests a minute"
                raise Unreachable(f"the {self.kind} host's {most} are used up, and there is no time to wait")
            self._clock.sleep(wait)

    def _name(self, path: str) -> str:
        return f"{self.kind} host, {path}"

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Answer:  # type: ignore[override]  # noqa: ARG002 - replaces RESTClient's: see the module's docstring
        self._sent.append(self._clock.monotonic())
        silence_s = max(0.1, min(self._policy.silence_s, self.left()))
        try:
            with self._session.request(
                method, url, stream=True, timeout=(self._policy.connect_s, silence_s), **opts
            ) as response:
                return Answer(response.status_code, response.headers, self._body(response))
        except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
            # Only its name goes on: the error holds the request, and that the keys.
            lost = type(error).__name__
        raise Lost(f"no answer ({lost})")

    def _body(self, response: requests.Response) -> bytes:
        """Give the body, read piece by piece so that a slow drip cannot outlast the time for one answer."""
        read1 = getattr(response.raw, "read1", None)
        if read1 is None or not hasattr(response.raw, "decode_content"):
            return response.content
        ends = self._clock.monotonic() + min(self._policy.answer_s, max(0.1, self.left()))
        body = bytearray()
        while piece := read1(_CHUNK_BYTES, decode_content=True):
            body += piece
            if len(body) > _LARGEST_BODY_BYTES or self._clock.monotonic() > ends:
                raise requests.exceptions.ReadTimeout
        return bytes(body)


def _no_further_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def wait_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Give the seconds that a server asks to wait, from X-RateLimit-Reset or Retry-After, or None.

    The server's own Date counts as the time, where it is given; else `now` (UTC).
    """
    today = _http_date(headers.get("Date")) or now.timestamp()
    reset = _number(headers.get("X-RateLimit-Reset"))
    after = _number(headers.get("Retry-After"))
    if after is None and (until := _http_date(headers.get("Retry-After"))) is not None:
        after = until - today
    # One second more than the reset: it is given in whole seconds.
    waits = [wait for wait in (after, None if reset is None else reset - today + 1.0) if wait is not None]
    longest = max(waits, default=0.0)
    return longest if longest > 0 else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _http_date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
