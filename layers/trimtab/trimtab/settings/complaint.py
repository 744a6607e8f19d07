"""Settings complaints: what can be wrong with a key, each as one `Misconfigured`."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import BaseModel, ValidationError

from trimtab.errors import Misconfigured
from trimtab.settings.document import describe
from trimtab.settings.model import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN = 120
_MANY = 20
_EXAMPLE = 'for example "strategy": {"name": "equal_weight", "params": {"symbols": ["SPY", "TLT"]}}'
_LIMITS = ("execution", "risk")
_BEYOND = frozenset({"greater_than", "greater_than_equal", "finite_number"})


def check(layer: Mapping[str, Any], model: type[BaseModel], path: tuple[str, ...]) -> None:
    """Refuse unknown keys, nulls, and a section that is no object, in one layer.

    Raises:
        Misconfigured: there is one.
    """
    for key, value in layer.items():
        here = (*path, key)
        field = model.model_fields.get(key)
        if field is None:
            raise unknown(".".join(here), [".".join((*path, name)) for name in model.model_fields], "key")
        if value is None:
            raise _null(here)
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            if not isinstance(value, dict):
                raise Misconfigured(
                    "invalid_value", f"{key} is a section", seen=shown(value), allowed="an object: { … }"
                )
            check(value, inner, here)


def unknown(name: str, allowed: list[str], kind: str) -> Misconfigured:
    """Give the error for a name that is not one of `allowed`, with the one that was probably meant."""
    near = difflib.get_close_matches(name, allowed, n=3, cutoff=0.5)
    wanted = near[0].rsplit(".", 1)[-1] if near else ""
    return Misconfigured(
        "unknown_key",
        f"no {kind} is called {shown(name)}",
        seen=shown(name),
        allowed=", ".join(allowed if len(allowed) <= _MANY or not near else near),
        hint=f"did you mean '{wanted}'?" if wanted else "`trimtab schema` prints every key",
    )


def _null(path: tuple[str | int, ...]) -> Misconfigured:
    limit = path[0] in _LIMITS
    return Misconfigured(
        "no_limit" if limit else "invalid_value",
        f"{_dotted(path)}: null is no {'limit' if limit else 'value'}",
        seen="null",
        allowed=describe(path),
        hint="leave the key out to take its default",
    )


def complain(error: ValidationError) -> NoReturn:
    """Raise one error for all that pydantic found: the first, and how many more there are.

    Raises:
        Misconfigured: always.
    """
    found = error.errors(include_url=False)
    first = found[0]
    path = _real_path(first["loc"])
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    if first["type"] == "missing":
        raise Misconfigured(
            "missing_key",
            f"{_dotted(path)} is missing{more}",
            allowed=describe(path),
            hint=_EXAMPLE if path[0] == "strategy" else "",
        )
    if first["input"] is None:
        raise _null(path)
    if first["type"] == "value_error":
        raise _in_own_words(path, first["input"], first["msg"].removeprefix("Value error, "), more)
    unlimited = path[0] == "risk" and first["type"] in _BEYOND
    raise Misconfigured(
        "no_limit" if unlimited else "invalid_value",
        f"{_dotted(path)}: {first['msg']}{more}",
        seen=shown(first["input"]),
        allowed=describe(path),
    )


def _in_own_words(path: tuple[str | int, ...], value: object, message: str, more: str) -> Misconfigured:
    """Give what a validator of ours said: "[key: ]what is wrong[; what is allowed]"."""
    key, separator, rest = message.partition(": ")
    if separator and isinstance(value, dict) and key in value:
        path, value, message = (*path, key), value[key], rest
    wrong, _, allowed = message.partition("; ")
    return Misconfigured(
        "invalid_value",
        f"{_dotted(path)}: {wrong}{more}",
        seen=shown(value),
        allowed=allowed or describe(path),
    )


def _real_path(location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Give pydantic's location without what it adds for the branch of a union or the key of a dictionary."""
    annotation: Any = Settings
    path: list[str | int] = []
    for part in location:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            field = annotation.model_fields.get(str(part))
            annotation = field.annotation if field else None
            path.append(part)
        elif isinstance(part, int) or path[-1] == "max_order_size_by_symbol":
            path.append(part)
    return tuple(path)


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in path)


def shown(value: object) -> str:
    """Give a value as JSON, or a text as it is, cut where it is long; printable whatever it holds."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        text = "something nested very deeply"
    text = text.encode(errors="backslashreplace").decode()
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
