"""Keyring: one portfolio's keys, hosts and alert URLs, below a path of AWS's parameter store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.adapters.aws import client, demand_library
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ON_RING", "with_ring"]

KEYS = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")
ON_RING = (
    *KEYS,
    *("APCA_API_BASE_URL", "APCA_API_DATA_URL", "TRIMTAB_ALERT_URLS", "TRIMTAB_HEARTBEAT_URL"),
)
"""What may lie there, each under its variable's name."""


def with_ring(path: str | None, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Give the environment with what lies below a path in its place; as it is where there is none.

    The environment's own keys and hosts are another account's then, and count for nothing.

    Raises:
        Misconfigured: the path can't be read, or holds no keys.
    """
    if path is None:
        return environ
    found = _read(path)
    missing = [name for name in KEYS if not found.get(name, "").strip()]
    if missing:
        raise Misconfigured(
            "keys_missing",
            "broker.parameters: the path holds no keys of the broker",
            seen=f"no {' and no '.join(missing)} below {path}",
            allowed=" and ".join(f"{path}/{name}" for name in KEYS),
            hint="put both there as SecureStrings",
        )
    others = {name: value for name, value in environ.items() if not name.startswith("APCA_API_")}
    return others | {name: value.strip() for name, value in found.items()}


def _read(path: str) -> dict[str, str]:
    demand_library("broker.parameters is kept by AWS", "keys in the environment")
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - demanded above

    try:
        answer = client("ssm").get_parameters_by_path(Path=path, WithDecryption=True)
    except ClientError as error:
        raise _unreadable(path, str(error.response.get("Error", {}).get("Code"))) from None
    except (BotoCoreError, ValueError) as error:
        raise _unreadable(path, type(error).__name__) from None  # its text may quote a proxy's password
    named = {each["Name"].rsplit("/", 1)[1]: str(each["Value"]) for each in answer["Parameters"]}
    return {name: value for name, value in named.items() if name in ON_RING}


def _unreadable(path: str, code: str) -> Misconfigured:
    return Misconfigured(
        "parameters_unreadable",
        f"broker.parameters: the path can't be read: {code}",
        seen=path,
        allowed="a path of the parameter store that may be read",
        hint="allow ssm:GetParametersByPath on it, and kms:Decrypt on its key",
    )
