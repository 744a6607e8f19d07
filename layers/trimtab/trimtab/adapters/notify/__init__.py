"""Notify: the services that take alerts, each behind the port `Notifier`; chosen by the URL alone.

Slack's and Discord's webhooks are known by their hosts (on loopback by their paths, for a stand-in), other
http(s) URLs get plain JSON, every other scheme is Apprise's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from trimtab.adapters.notify.apprise import AppriseChannel
from trimtab.adapters.notify.discord import discord_payload
from trimtab.adapters.notify.plain import plain_payload
from trimtab.adapters.notify.slack import slack_payload
from trimtab.adapters.webhook import check_url, deliver
from trimtab.errors import Misconfigured
from trimtab.ports import Undelivered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trimtab.adapters.webhook import Send
    from trimtab.core.message import Message
    from trimtab.core.record import Document
    from trimtab.ports import Clock, Notifier

__all__ = ["Channel", "fit_notifiers", "kind_of", "notifiers"]

Kind = Literal["slack", "discord", "plain", "apprise"]

_SLACK = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
_DISCORD = frozenset({"discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PAYLOADS: dict[str, Callable[[Message], Document]] = {
    "slack": slack_payload,
    "discord": discord_payload,
    "plain": plain_payload,
}


def kind_of(url: str) -> Kind:
    """Say which form a URL is told in."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        return "apprise"
    host, local = parts.hostname or "", parts.hostname in _LOOPBACK
    if (host in _SLACK or local) and parts.path.startswith("/services/"):
        return "slack"
    if (host in _DISCORD or local) and parts.path.startswith("/api/") and "/webhooks/" in parts.path:
        return "discord"
    return "plain"


def notifiers(
    urls: Sequence[str], clock: Clock, send: Send, *, where: str, allow_private: bool
) -> tuple[Notifier, ...]:
    """Give a notifier for each URL; `where` names the setting that they are of.

    Raises:
        Misconfigured: one is not allowed, or needs Apprise, which is not installed or does not know it.
    """
    return tuple(
        _notifier(url, clock, send, f"{where}, entry {number}", allow_private=allow_private)
        for number, url in enumerate(urls, start=1)
    )


def fit_notifiers(
    urls: Sequence[str], clock: Clock, send: Send, *, where: str, allow_private: bool
) -> tuple[Notifier, ...]:
    """Give a notifier for each URL, as `notifiers`; one that is not usable takes no message, and says why.

    It is for those who tell of failures: the URL that keeps a run from beginning must not silence them, too.

    Raises:
        Misconfigured: there are URLs, and none is usable; it is the first one's.
    """
    made: list[Notifier] = []
    refusals: list[Misconfigured] = []
    for number, url in enumerate(urls, start=1):
        entry = f"{where}, entry {number}"
        try:
            made.append(_notifier(url, clock, send, entry, allow_private=allow_private))
        except Misconfigured as error:
            refusals.append(error)
            made.append(_Unfit(entry, error))
    if refusals and len(refusals) == len(made):
        raise refusals[0]
    return tuple(made)


def _notifier(url: str, clock: Clock, send: Send, where: str, *, allow_private: bool) -> Notifier:
    try:
        kind = kind_of(url)
    except ValueError:
        kind = "plain"  # it can't be read, and is refused below
    if kind == "apprise" and "://" in url:
        return AppriseChannel(url, where, allow_private=allow_private)
    check_url(url, where, allow_private=allow_private)
    return Channel(kind, url, clock, send)


class Channel:
    """A webhook that takes JSON in one service's form."""

    def __init__(self, name: str, url: str, clock: Clock, send: Send) -> None:
        self.name = name
        self._url, self._clock, self._send = url, clock, send

    def tell(self, message: Message, seconds: float) -> None:
        """Deliver a message within so many seconds.

        Raises:
            Undelivered: it was not taken, or nobody said so.
        """
        body = json.dumps(_PAYLOADS[self.name](message)).encode()
        deliver(self._send, self._clock, self._url, body, "application/json", seconds)


class _Unfit:
    """A receiver whose URL is not usable: each message to it is undelivered, for the reason why."""

    def __init__(self, name: str, error: Misconfigured) -> None:
        self.name = name
        self._why = f"{error.code}: {error.seen}"

    def tell(self, message: Message, seconds: float) -> None:
        """Deliver nothing.

        Raises:
            Undelivered: always.
        """
        del message, seconds
        raise Undelivered(self._why)
