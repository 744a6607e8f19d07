"""Healthchecks: the pings of a dead man's switch in the form of healthchecks.io, hosted or one's own.

`/start` and `/fail` are put after the URL's path, a run's pings share one `rid`, and a few lines for people
are the body (Healthchecks, "Pinging API").
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import NAMESPACE_OID, uuid5

from trimtab.adapters.webhook import check_url, deliver

if TYPE_CHECKING:
    from trimtab.adapters.webhook import Send
    from trimtab.ports import Clock

__all__ = ["Healthchecks"]

BODY_BYTES = 10_000
"""What the service keeps of a body, hosted: 100 kB; others keep less."""


class Healthchecks:
    """One check, by its ping URL."""

    def __init__(self, url: str, clock: Clock, send: Send, *, where: str, allow_private: bool) -> None:
        """Take the URL in; nothing is sent yet.

        Raises:
            Misconfigured: it is not allowed.
        """
        check_url(url, where, allow_private=allow_private)
        self._url, self._clock, self._send = urlsplit(url), clock, send

    def start(self, run: str, seconds: float) -> None:
        """Say that a run begins.

        Raises:
            Undelivered: nobody said that it arrived; so do the others.
        """
        self._ping("/start", run, "", seconds)

    def success(self, run: str, text: str, seconds: float) -> None:
        """Say that a run did what it should."""
        self._ping("", run, text, seconds)

    def fail(self, run: str, text: str, seconds: float) -> None:
        """Say that a run did not."""
        self._ping("/fail", run, text, seconds)

    def _ping(self, verb: str, run: str, text: str, seconds: float) -> None:
        name = urlencode({"rid": str(uuid5(NAMESPACE_OID, run))})
        query = f"{self._url.query}&{name}" if self._url.query else name
        url = urlunsplit(self._url._replace(path=self._url.path.rstrip("/") + verb, query=query, fragment=""))
        body = text.encode(errors="replace")[:BODY_BYTES]
        deliver(self._send, self._clock, url, body, "text/plain; charset=utf-8", seconds)
