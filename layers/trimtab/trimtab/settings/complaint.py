"""Settings complaints: what can be wrong with a key, each as one `Misconfigured`."""

from __future__ import annotations

import difflib
import json
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import BaseModel, ValidationError

from trimtab.errors import Misconfigured
from trimtab.settings.document import describe
from trimtab.settings.model import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
            raise _misplaced(here) or unknown(
                ".".join(here), [".".join((*path, name)) for name in model.model_fields], "key"
            )
        if value is None:
            raise _null(here)
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            if not isinstance(value, dict):
                raise Misconfigured(
                    "invalid_value",
                    f"{key} is a section",
                    seen=shown(value),
                    allowed="an object: { … }",
                    hint=_EXAMPLE if key == "strategy" else f'write "{key}": {{"…": …}}',
                )
            check(value, inner, here)


def _misplaced(path: tuple[str, ...]) -> Misconfigured | None:
    """Give the error for a key that stands in another section than its own; None where it has none."""
    name = ".".join(path)
    flat = path[-1] if "." in path[-1] and path[-1] in _paths() else None
    home = flat or _homes().get(path[-1])
    if home is None:
        return None
    section, _, key = home.rpartition(".")
    inner = f'"{key}": …' if not section else f'"{section}": {{"{key}": …}}'
    return Misconfigured(
        "unknown_key",
        f"no key is called {shown(name)}",
        seen=shown(name),
        allowed=home,
        hint=f"write {inner}",
    )


@cache
def _paths() -> tuple[str, ...]:
    """Give the dotted name of every key of config.json."""
    return tuple(_below(Settings, ""))


def _below(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _below(field.annotation, f"{prefix}{name}.")


def _homes() -> dict[str, str]:
    """Give where each key belongs whose last name no other has."""
    last = [path.rsplit(".", 1)[-1] for path in _paths()]
    return {name: path for name, path in zip(last, _paths(), strict=True) if last.count(name) == 1}


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
        hint=_advice(path, first["type"], first["input"]),
    )


def _advice(path: tuple[str | int, ...], kind: str, value: object) -> str:
    """Say what to write instead of a value that is not allowed; empty where the bounds say it all."""
    if kind == "literal_error" and isinstance(value, str):
        words = describe(path).removeprefix("one of ").split(", ")
        near = difflib.get_close_matches(value.lower(), words, n=1, cutoff=0.5)
        return f"did you mean '{near[0]}'?" if near else ""
    if kind in {"less_than", "less_than_equal"} and isinstance(value, float | int):
        return "it is a fraction: 20 % is 0.2"
    if kind in {"float_type", "int_type", "bool_type"} and isinstance(value, str):
        return "write it without quotes" + ("; 20 % is 0.2" if "%" in value else "")
    return next((form for key, form in _FORMS.items() if key in path), "")


_FORMS = {
    "universe": 'a list of symbols in capitals, as Alpaca spells them: ["SPY", "BRK.B"]',
    "portfolio": "take small letters, digits and hyphens, 24 at most: my-portfolio",
    "run_time": 'write hours and minutes: "10:00", "15:30"',
    "accept": 'write symbol and date: ["AAPL 2020-08-31"]',
}
"""What a key's text looks like, where its pattern says it to programs only."""


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
