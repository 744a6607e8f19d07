"""Secrets: the broker's keys and hosts, and whom to tell, from the environment only and never shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import SecretStr

from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.settings.model import Settings

KEYS = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")
ALERT_URLS, HEARTBEAT_URL = "TRIMTAB_ALERT_URLS", "TRIMTAB_HEARTBEAT_URL"
BROKER = (*KEYS, "APCA_API_BASE_URL", "APCA_API_DATA_URL")
"""What leads to the broker."""
SECRET_NAMES = (*KEYS, ALERT_URLS, HEARTBEAT_URL)
"""The variables that hold a secret."""
PARAMETER = "_PARAMETER"
"""After a variable's name: another that names the SSM parameter with its value."""

_TRADING_URL = {
    "paper": "https://paper-api.alpaca.markets",
    "live": "https://api.alpaca.markets",
    "simulated": "",
}
_DATA_URL = "https://data.alpaca.markets"


@dataclass(frozen=True, slots=True)
class Secrets:
    """The broker's keys, and its trading and data hosts; empty in simulated mode, which asks no broker."""

    key_id: SecretStr
    secret_key: SecretStr
    base_url: str
    data_url: str


@dataclass(frozen=True, slots=True)
class Receivers:
    """Whom to tell: the URLs that take alerts, and the one that is pinged; None where there is none."""

    alert_urls: tuple[SecretStr, ...]
    heartbeat_url: SecretStr | None


def receivers(environ: Mapping[str, str]) -> Receivers:
    """Read where alerts and pings go.

    Raises:
        Misconfigured: one is still the name of an SSM parameter.
    """
    refuse_parameters(environ, (ALERT_URLS, HEARTBEAT_URL))
    urls = split_urls(environ.get(ALERT_URLS, ""))
    heartbeat = environ.get(HEARTBEAT_URL, "").strip()
    return Receivers(tuple(map(SecretStr, urls)), SecretStr(heartbeat) if heartbeat else None)


def split_urls(text: str) -> tuple[str, ...]:
    """Split a list of URLs at its commas; one that no URL follows belongs to the URL before it."""
    parts = re.split(r",\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)", text.strip().rstrip(","))
    return tuple(part.strip() for part in parts if part.strip())


def secrets(settings: Settings, environ: Mapping[str, str]) -> Secrets:
    """Read the keys and hosts that the mode needs.

    Raises:
        Misconfigured: a key is missing, or still the name of an SSM parameter.
    """
    if settings.mode == "simulated":
        return Secrets(SecretStr(""), SecretStr(""), "", "")
    refuse_parameters(environ, BROKER)
    missing = [name for name in KEYS if not environ.get(name, "").strip()]
    if missing:
        raise Misconfigured(
            "keys_missing",
            f"{settings.mode} mode needs the broker's API keys",
            seen=f"no {' and no '.join(missing)} in the environment",
            allowed=" and ".join(KEYS),
            hint=f"make keys for the {settings.mode} account at alpaca.markets and export both",
        )
    key_id, secret_key = (SecretStr(environ[name].strip()) for name in KEYS)
    base_url = environ.get("APCA_API_BASE_URL", "").strip() or _TRADING_URL[settings.mode]
    data_url = environ.get("APCA_API_DATA_URL", "").strip() or _DATA_URL
    return Secrets(key_id, secret_key, base_url.rstrip("/"), data_url.rstrip("/"))


def named_parameters(environ: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Give the SSM parameter of each of `names` that has one, by that name.

    Raises:
        Misconfigured: a value is given, too.
    """
    found = {name: parameter for name in names if (parameter := environ.get(name + PARAMETER, "").strip())}
    for name in found:
        if environ.get(name, "").strip():
            raise Misconfigured(
                "parameter_twice",
                f"{name} is given both as a value and as the name of an SSM parameter",
                seen=f"{name} and {name}{PARAMETER}",
                allowed="one of them",
                hint="unset the one that does not count",
            )
    return found


def with_values(environ: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Give the environment with these values in place of the parameters that held them."""
    gone = {name + PARAMETER for name in values}
    return {name: value for name, value in environ.items() if name not in gone} | dict(values)


def refuse_parameters(environ: Mapping[str, str], names: tuple[str, ...]) -> None:
    """Refuse the name of an SSM parameter where only its value is of use: what is unread is not absent.

    Raises:
        Misconfigured: one of `names` is set with `_PARAMETER`.
    """
    for name in names:
        if environ.get(name + PARAMETER, "").strip():
            raise Misconfigured(
                "parameter_unread",
                f"{name}{PARAMETER}: no SSM parameter is read for it here",
                seen=name + PARAMETER,
                allowed=name,
                hint=f"put the value itself into {name}",
            )
