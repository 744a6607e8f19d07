"""Webhook: one POST to a URL of the owner's, bounded in every way, with no word of the URL in any error.

The whole request runs in a thread of its own that is left behind when its seconds are over: neither a name
server that hangs, nor a server that drips, can hold a run. No redirect is followed and no proxy of the
environment is used. Where the request really goes is judged once it is connected, before anything is sent,
so that no name can be made to point somewhere else.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from trimtab.errors import Misconfigured
from trimtab.ports import Undelivered

if TYPE_CHECKING:
    import socket

    from trimtab.ports import Clock

__all__ = ["Answer", "Send", "Wire", "check_url", "deliver", "judge_address"]

ATTEMPT_S = 4.0
"""Longest time for one attempt, seconds."""
PAUSES_S = (0.5, 1.5)
"""Seconds between attempts: three at most."""
_OK, _REDIRECT, _CLIENT_ERROR, _TOO_MANY, _SERVER_ERROR = 200, 300, 400, 429, 500
_METADATA = ip_address("fd00:ec2::254")
"""The address at which AWS tells a machine its own credentials, over IPv6; over IPv4 it is link-local."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, and for how long the server asked to wait, seconds. None: no answer.

    `sent` says that the request may have arrived all the same.
    """

    status: int | None
    wait_s: float | None = None
    sent: bool = False
    detail: str = ""


class Send(Protocol):
    """Posts `body` to `url` within so many seconds, and gives what came back.

    Raises:
        Undelivered: the URL leads where nothing may be sent.
    """

    def __call__(self, url: str, body: bytes, kind: str, seconds: float) -> Answer:
        """Post once."""


def deliver(send: Send, clock: Clock, url: str, body: bytes, kind: str, seconds: float) -> None:
    """Post until it is taken, three times at most, within so many seconds.

    What was sent but not answered in time is not sent again: it may have arrived.

    Raises:
        Undelivered: it was not taken, or nobody said so.
    """
    ends = clock.monotonic() + seconds
    for pause in (*PAUSES_S, None):
        left = ends - clock.monotonic()
        answer = send(url, body, kind, max(0.1, min(left, ATTEMPT_S)))
        if answer.status is not None and _OK <= answer.status < _REDIRECT:
            return
        wait = None if pause is None else pause if answer.wait_s is None else answer.wait_s
        if wait is None or not _again(answer) or clock.monotonic() + wait >= ends:
            raise Undelivered(_said(answer))
        clock.sleep(wait)


def _again(answer: Answer) -> bool:
    if answer.status is None:
        return not answer.sent
    return answer.status == _TOO_MANY or answer.status >= _SERVER_ERROR


def _said(answer: Answer) -> str:
    if answer.status is None:
        return answer.detail or "no answer"
    if _REDIRECT <= answer.status < _CLIENT_ERROR:
        return f"answered {answer.status}; redirects are not followed"
    return f"answered {answer.status}"


class Wire:
    """The real way out: `Send` over HTTP. `allow_private` lets it reach private networks."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    def __call__(self, url: str, body: bytes, kind: str, seconds: float) -> Answer:
        """Post once; what takes longer is left behind.

        Raises:
            Undelivered: the URL leads where nothing may be sent.
        """
        found: list[Answer | Undelivered] = []

        def work() -> None:
            try:
                found.append(self._post(url, body, kind, seconds))
            except Undelivered as refused:
                found.append(refused)
            except Exception as error:  # noqa: BLE001 - left to the thread it would print the URL
                found.append(Answer(None, sent=True, detail=f"no answer ({type(error).__name__})"))

        thread = threading.Thread(target=work, daemon=True, name="webhook")
        thread.start()
        thread.join(seconds)
        if not found:
            return Answer(None, sent=True, detail=f"no answer within {seconds:.1f} s")
        if isinstance(found[0], Undelivered):
            raise found[0]
        return found[0]

    def _post(self, url: str, body: bytes, kind: str, seconds: float) -> Answer:
        loopback = _is_loopback(urlsplit(url).hostname or "")
        with requests.Session() as session:
            session.trust_env = False  # no proxy, and no credentials of a .netrc
            guard = _Guarded(allow_private=self._allow_private, loopback=loopback)
            for scheme in ("https://", "http://"):
                session.mount(scheme, guard)
            try:
                with session.post(
                    url,
                    data=body,
                    headers={"Content-Type": kind, "User-Agent": "trimtab"},
                    timeout=(min(seconds, 3.0), seconds),
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    return Answer(response.status_code, _number(response.headers.get("Retry-After")))
            except (requests.RequestException, OSError, ValueError) as error:
                # Only its name goes on: the error quotes the URL.
                late = isinstance(error, requests.exceptions.ReadTimeout)
                return Answer(None, sent=late, detail=f"no answer ({type(error).__name__})")


class _Guarded(HTTPAdapter):
    """An adapter whose connections are judged by the address that they really reached."""

    def __init__(self, *, allow_private: bool, loopback: bool) -> None:
        self._allow_private, self._loopback = allow_private, loopback
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:  # noqa: ANN401 - the base class's
        """Make the pools, of guarded connections."""
        super().init_poolmanager(*args, **more)
        private, loopback = self._allow_private, self._loopback

        def judged(reached: socket.socket) -> socket.socket:
            try:
                judge_address(reached.getpeername()[0], allow_private=private, loopback=loopback)
            except Undelivered:
                reached.close()
                raise
            return reached

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return judged(super()._new_conn())

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return judged(super()._new_conn())

        pools: dict[str, type[HTTPConnectionPool]] = {
            "http": type("Plains", (HTTPConnectionPool,), {"ConnectionCls": Plain}),
            "https": type("Secures", (HTTPSConnectionPool,), {"ConnectionCls": Secure}),
        }
        self.poolmanager.pool_classes_by_scheme = pools


def judge_address(address: str, *, allow_private: bool, loopback: bool) -> None:
    """Refuse an address that nothing of ours may be sent to.

    Raises:
        Undelivered: it is link-local or no single machine's; or private, or loopback under another name,
            and that is not allowed.
    """
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found.sixtofour or found
    refused = _never(found)
    if refused or (not found.is_global and not (allow_private or (loopback and found.is_loopback))):
        kind = refused or "private"
        hint = "" if refused else "; alerts.allow_private lets it"
        raise Undelivered(f"its host is at a {kind} address, where nothing is sent{hint}")


def _never(address: IPv4Address | IPv6Address) -> str:
    """Name what makes an address one that nothing is ever sent to; empty for all others."""
    if address.is_link_local or address == _METADATA:
        return "link-local"
    if address.is_multicast or address.is_unspecified:
        return "multicast or unspecified"
    return ""


def check_url(url: str, where: str, *, allow_private: bool) -> None:
    """Refuse a URL that nothing may be sent to; `where` names it in the error, which quotes nothing of it.

    Raises:
        Misconfigured: it is not https (or http on loopback), or its address is refused.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise _refused(where, "a URL that can't be read") from None
    if not host or any(c.isspace() or not c.isprintable() or c == "\\" for c in url):
        raise _refused(where, "a URL without a host, or with blanks")
    loopback = _is_loopback(host)
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise _refused(where, f"{parts.scheme}:// to a host that is not this machine")
    if parts.username or parts.password:
        raise _refused(where, "credentials before the host")
    try:
        judge_address(host, allow_private=allow_private, loopback=loopback)
    except Undelivered as error:
        raise _refused(where, str(error)) from None
    except ValueError:
        return  # a name: judged where it leads, once it is connected


def _refused(where: str, seen: str) -> Misconfigured:
    return Misconfigured(
        "url_not_allowed",
        f"{where} is not a URL that is told anything",
        seen=seen,
        allowed="https:// to a public host, or http:// on loopback; a private one with alerts.allow_private",
        hint="copy it again from the service; see docs/alerts.md",
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _number(text: str | None) -> float | None:
    try:
        return max(0.0, float(text or ""))
    except ValueError:
        return None
