"""Parameters: secrets that AWS Systems Manager keeps, read by name, all in one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.adapters.aws import client, demand_library, hint_of
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_parameters"]

_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
_POLICY = "allow ssm:GetParameters on it, and kms:Decrypt where its key is one of your own: docs/lambda.md"
_HINT = "check the network and the region, and run again"


def read_parameters(named: Mapping[str, str]) -> dict[str, str]:
    """Give the value of each SSM parameter, decrypted; `named` has its name by the variable it stands for.

    At most ten, as one request takes. Nothing is kept: a changed value is what the next call gives.

    Raises:
        Misconfigured: one is absent, forbidden, empty or can't be read; no value is ever in the message.
    """
    if not named:
        return {}
    told = ", ".join(f"{variable}_PARAMETER" for variable in named)
    demand_library(f"{told} is kept by AWS", f"{' and '.join(named)} in the environment")
    found = _asked(named)
    absent = {variable: name for variable, name in named.items() if name not in found}
    if absent:
        raise _unusable("parameter_missing", "is not there", absent, hint="make it, or mend the name")
    empty = {variable: name for variable, name in named.items() if not found[name].strip()}
    if empty:
        raise _unusable("parameter_empty", "holds nothing", empty, hint="put the secret into it")
    return {variable: found[name].strip() for variable, name in named.items()}


def _asked(named: Mapping[str, str]) -> dict[str, str]:
    """Give the values that SSM has, by the name that was asked for.

    Raises:
        Misconfigured: it does not answer, or refuses.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - demanded by the caller

    try:
        answer = client("ssm").get_parameters(Names=sorted(set(named.values())), WithDecryption=True)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
    except (BotoCoreError, ValueError) as error:
        code = type(error).__name__  # its text may quote a proxy's URL, with a password in it
    else:
        return _by_name(answer["Parameters"])
    if code in _DENIED:
        raise _unusable("parameter_denied", "may not be read", named, seen=code, hint=_POLICY)
    raise _unusable(
        "parameter_unreadable", "can't be read", named, seen=code, hint=hint_of("ssm", code, _HINT)
    )


def _by_name(parameters: list[dict[str, Any]]) -> dict[str, str]:
    """Give each value by every name it may be asked for by: plain or ARN, with or without a version."""
    return {
        name + selector: parameter["Value"]
        for parameter in parameters
        for name in (parameter["Name"], parameter.get("ARN", parameter["Name"]))
        for selector in ("", parameter.get("Selector", ""))
    }


def _unusable(code: str, what: str, named: Mapping[str, str], *, hint: str, seen: str = "") -> Misconfigured:
    names = ", ".join(sorted(set(named.values())))
    return Misconfigured(
        code,
        f"the SSM parameter {names} {what}",
        seen=f"{seen or names}, for {', '.join(f'{variable}_PARAMETER' for variable in named)}",
        allowed="a parameter of this account and region that may be read",
        hint=hint,
    )
