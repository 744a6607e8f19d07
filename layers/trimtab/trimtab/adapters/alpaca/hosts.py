"""Hosts: which servers may see the keys, and the keys themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, Protocol
from urllib.parse import urlsplit

from trimtab.adapters.loopback import is_loopback
from trimtab.errors import Misconfigured

Kind = Literal["trading", "data"]

PAPER_HOST = "paper-api.alpaca.markets"
LIVE_HOST = "api.alpaca.markets"
DATA_HOST = "data.alpaca.markets"
"""Source: Alpaca's OpenAPI documents, `servers`."""

_ALLOWED: dict[Kind, frozenset[str]] = {
    "trading": frozenset({PAPER_HOST, LIVE_HOST}),
    "data": frozenset({DATA_HOST}),
}
_PLAIN = re.compile(r"[!-~]+")
_KEY = re.compile(r"[!#-&(-~]+")
"""What a key is made of: no blank, no quote."""


class HasSecret(Protocol):
    """A wrapped secret, such as pydantic's `SecretStr`."""

    def get_secret_value(self) -> str:
        """Give the secret."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The pair of API keys; plain or wrapped going in, never shown by `repr`."""

    key_id: str | HasSecret = field(repr=False)
    secret: str | HasSecret = field(repr=False)

    def __post_init__(self) -> None:
        """Check that both can stand in a header.

        Raises:
            Misconfigured: a key is empty, or has blanks or other characters that no key has.
        """
        for name, text in zip(("key id", "secret key"), self.plain(), strict=True):
            if not _KEY.fullmatch(text):
                raise Misconfigured(
                    "keys_malformed",
                    f"the {name} is empty or has a blank, a quote or a character that no key has",
                    hint="copy it again, without quotes or line ends",
                )

    def plain(self) -> tuple[str, str]:
        """Give key id and secret key as text."""
        return _text(self.key_id), _text(self.secret)


def _text(value: str | HasSecret) -> str:
    return value if isinstance(value, str) else value.get_secret_value()


def check_host(url: str, kind: Kind) -> str:
    """Give the URL, tidied, if the keys may be sent there: https to Alpaca's own host, or loopback.

    Raises:
        Misconfigured: any other scheme or host, a path, a query, or credentials in the URL.
    """
    allowed = f"https://{' or https://'.join(sorted(_ALLOWED[kind]))}, or a loopback host"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refused(kind, "a URL that cannot be read", allowed) from None
    if not _PLAIN.fullmatch(url) or "\\" in url or "@" in parts.netloc:
        raise _refused(kind, "a URL with credentials or blanks", allowed)
    if parts.path not in {"", "/"} or "?" in url or "#" in url:
        raise _refused(kind, f"{host} with a path or query", allowed)
    if is_loopback(host) and parts.scheme in {"http", "https"}:
        return _origin(parts.scheme, host, port)
    if parts.scheme == "https" and host in _ALLOWED[kind] and port in {None, 443}:
        return f"https://{host}"
    raise _refused(kind, f"{parts.scheme}://{host}", allowed)


def declared_mode(url: str) -> Literal["paper", "live"]:
    """Say which account a checked trading URL belongs to; loopback counts as paper."""
    return "live" if urlsplit(url).hostname == LIVE_HOST else "paper"


def _origin(scheme: str, host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}" if port is None else f"{scheme}://{name}:{port}"


def _refused(kind: Kind, seen: str, allowed: str) -> Misconfigured:
    return Misconfigured(
        "host_not_allowed",
        f"the {kind} host is not one that may see the keys",
        seen=seen,
        allowed=allowed,
        hint="set APCA_API_BASE_URL and APCA_API_DATA_URL to Alpaca's hosts, without a path",
    )
