"""Apprise: every service that Apprise knows, where it is installed (`pip install 'trimtab[alerts]'`).

Apprise sends by itself, so its URLs are held to the same rules before: what it speaks to over plain http is
on this machine, what is private needs `alerts.allow_private`, and it follows no redirect. It works in a
thread that is left behind when its seconds are over, and its own log is switched off: it quotes URLs.
"""

from __future__ import annotations

import logging
import socket
import threading
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from trimtab.adapters.notify.plain import plain_text
from trimtab.adapters.notify.text import cut, flat
from trimtab.adapters.webhook import judge_address
from trimtab.errors import Misconfigured
from trimtab.ports import Undelivered

if TYPE_CHECKING:
    from trimtab.core.message import Message

__all__ = ["AppriseChannel"]

BODY = 20_000
SILENT = logging.CRITICAL + 1
LOCAL = frozenset({"dbus", "file", "syslog", "macosx", "windows", "gnome", "glib", "qt", "kde"})
"""Schemes that reach no service but this machine; none tells an owner who is away."""
_TYPES = {"good": "success", "warning": "warning", "bad": "failure"}


class AppriseChannel:
    """One Apprise URL."""

    def __init__(self, url: str, where: str, *, allow_private: bool) -> None:
        """Take the URL in; nothing is sent yet.

        Raises:
            Misconfigured: Apprise is not installed or does not know it, or it is not allowed.
        """
        self._allow_private = allow_private
        self._service = _service(url, where)
        scheme = url.partition("://")[0].lower()
        self.name = f"apprise {scheme}"
        # Where a scheme has no form without encryption, it is of one service, and its host is a token.
        own = getattr(self._service, "protocol", None) is not None
        self._host = str(getattr(self._service, "host", "") or "") if own else ""
        plain = bool(self._host) and not getattr(self._service, "secure", False)
        self._loopback = self._host in {"localhost", "127.0.0.1", "::1"}
        if scheme in LOCAL or (plain and not self._loopback):
            raise Misconfigured(
                "url_not_allowed",
                f"{where} is not a URL that is told anything",
                seen=f"{scheme}:// {'on this machine' if scheme in LOCAL else 'without encryption'}",
                allowed="a service reached over https; plain http on loopback only",
                hint="use the scheme's encrypted form, often with an s at its end (jsons, gotifys, ntfys)",
            )

    def tell(self, message: Message, seconds: float) -> None:
        """Deliver a message within so many seconds.

        Raises:
            Undelivered: it was not taken, or nobody said so.
        """
        taken: list[bool | Undelivered] = []

        def work() -> None:
            try:
                self._judge_host()
                taken.append(self._send(message))
            except Undelivered as refused:
                taken.append(refused)
            except Exception as error:  # noqa: BLE001 - of any of some hundred services; only its name goes on
                taken.append(Undelivered(f"failed ({type(error).__name__})"))

        thread = threading.Thread(target=work, daemon=True, name="apprise")
        thread.start()
        thread.join(seconds)
        if not taken:
            raise Undelivered(f"no answer within {seconds:.1f} s")
        if isinstance(taken[0], Undelivered):
            raise taken[0]
        if not taken[0]:
            raise Undelivered("the service did not take it")

    def _send(self, message: Message) -> bool:
        body = cut(plain_text(message), BODY)
        return bool(self._service.notify(body, title=flat(message.title), notify_type=_TYPES[message.tone]))

    def _judge_host(self) -> None:
        """Refuse a host that leads where nothing may be sent.

        Raises:
            Undelivered: it does.
        """
        if not self._host:
            return
        try:
            found = {str(entry[4][0]) for entry in socket.getaddrinfo(self._host, None)}
        except OSError:
            return  # no address: nothing can be reached there
        for address in found:
            judge_address(address, allow_private=self._allow_private, loopback=self._loopback)


def _service(url: str, where: str) -> Any:  # noqa: ANN401 - Apprise is not typed
    """Give the service that a URL names.

    Raises:
        Misconfigured: Apprise is not installed, or knows no such service.
    """
    try:
        service = _instance(url)
    except ImportError:
        raise Misconfigured(
            "apprise_missing",
            f"{where} is a URL for Apprise, which is not installed",
            seen=f"{urlsplit(url).scheme}://",
            allowed="https:// of a webhook; any scheme of Apprise's, where it is installed",
            hint="pip install 'trimtab[alerts]'",
        ) from None
    if service is None:
        raise Misconfigured(
            "url_not_allowed",
            f"{where} is no URL that Apprise understands",
            seen=f"{urlsplit(url).scheme}://",
            allowed="a URL as Apprise's documentation gives it for the service",
            hint="copy it again; a blank or a missing part is enough to spoil it",
        )
    return service


def _instance(url: str) -> Any:  # noqa: ANN401 - as above
    """Give Apprise's service for a URL, or None.

    Raises:
        ImportError: Apprise is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # what it imports that is old is its own matter
        apprise: Any = import_module("apprise")  # only who has such a URL pays for it, or needs it
        logging.getLogger("apprise").setLevel(SILENT)
        asset = apprise.AppriseAsset(http_redirects=False, storage_mode="memory", async_mode=False)
        return apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
