"""Settings loading: file, environment and flags, read as layers, checked, and made into settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, cast, get_origin

from pydantic import BaseModel, ValidationError

from trimtab.errors import Misconfigured
from trimtab.settings.complaint import check, complain, shown, unknown
from trimtab.settings.model import BUCKET_URL, Document, Settings
from trimtab.settings.secret import PARAMETER, refuse_parameters
from trimtab.settings.slips import line_of, slip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Fetch = Callable[[str, int], bytes]
    """Gives the object at an `s3://` URL, or its first so many bytes; raises OSError where it can't."""

PREFIX = "TRIMTAB_"
CONFIG = "TRIMTAB_CONFIG"
OTHERS = (CONFIG, "TRIMTAB_ALERT_URLS", "TRIMTAB_HEARTBEAT_URL", "TRIMTAB_LIVE")
"""Environment variables of the contract that are not keys of config.json."""

DEFAULT_FILE = "config.json"
_READABLE = "let the user that runs Trimtab read it"
LONGEST = 1_000_000
"""Bytes of the longest configuration that is read."""


def load(
    path: str | Path | None,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    *,
    fetch: Fetch | None = None,
    sends: bool = True,
) -> Settings:
    """Make the settings of a file, the environment and flags; a flag beats the environment, that the file.

    `path` None means TRIMTAB_CONFIG, else config.json in the working folder; `fetch` reads it where it is in
    S3. `flags` are by dotted key (`risk.max_order_size`); one that is None was not given. `sends` False is
    for who sends no order, whatever the settings say: mode live then needs no flag of its own.

    Raises:
        Misconfigured: anything about them is wrong.
    """
    refuse_parameters(environ, ("TRIMTAB_LIVE", *(() if path else (CONFIG,))))
    name = str(path or environ.get(CONFIG) or DEFAULT_FILE)
    folder = None if "://" in name else Path(name).parent
    layers = (_from_flags(flags), _from_environment(environ), _from_file(name, fetch))
    for layer in layers:
        check(layer, Settings, ())
    try:
        settings = Settings.of(*layers, folder=folder)
    except ValidationError as error:
        complain(error)
    if sends:
        _refuse_live(settings, environ)
    settings.store_url  # noqa: B018 - raises where no store can be there
    return settings


def _refuse_live(settings: Settings, environ: Mapping[str, str]) -> None:
    if settings.mode == "live" and environ.get("TRIMTAB_LIVE") != "yes":
        raise Misconfigured(
            "live_flag",
            "mode live trades real money and needs its own flag",
            seen=f"TRIMTAB_LIVE={environ.get('TRIMTAB_LIVE', '')}",
            allowed="TRIMTAB_LIVE=yes",
            hint='set it in the environment, or set "mode": "paper"',
        )


# The file


def _from_file(name: str, fetch: Fetch | None) -> Document:
    try:
        text = read(name, fetch).decode("utf-8-sig")
    except FileNotFoundError:
        hint = "put it there, or name another" if "://" in name else "`trimtab init` writes one to start from"
        raise Misconfigured("no_config", f"there is no {name}", seen=name, hint=hint) from None
    except OSError as error:
        told, _, hint = str(error.strerror).partition("; ")
        if not hint:
            inside = f"name the file in it: --config {Path(name) / DEFAULT_FILE}"
            hint = inside if Path(name).is_dir() else _READABLE
        raise Misconfigured("no_config", f"{name} can't be read: {told}", seen=told, hint=hint) from None
    except UnicodeDecodeError as error:
        raise Misconfigured(
            "bad_json",
            f"{name} is not UTF-8",
            seen=f"byte {error.start}",
            allowed="UTF-8 text",
            hint="save it as UTF-8: Windows editors offer it under Save as, Encoding",
        ) from None
    try:
        document = parse(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        seen, hint = f"{where}: {line_of(text, error.pos)}", slip(text, error.pos)
        raise Misconfigured(
            "bad_json", f"{name} is not JSON at {where}: {error.msg}", seen=seen, allowed="JSON", hint=hint
        ) from None
    except (ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Misconfigured(
            "bad_json",
            f"{name} is not JSON that can be taken: {what}",
            seen=what,
            allowed="JSON",
            hint="each key once, each number finite" if isinstance(error, ValueError) else "",
        ) from None
    if not isinstance(document, dict):
        raise Misconfigured(
            "bad_json",
            f"{name} holds no JSON object",
            seen=shown(document),
            allowed="{ … }",
            hint="put braces around it all; `trimtab init` writes an example",
        )
    return {key: value for key, value in document.items() if key != "$schema"}


def read(name: str, fetch: Fetch | None) -> bytes:
    """Give the bytes of a configuration.

    Raises:
        Misconfigured: its URL is none, or it is longer than any configuration.
        OSError: it can't be read.
    """
    if "://" not in name:
        with Path(name).open("rb") as file:
            data = file.read(LONGEST + 1)
    elif fetch is not None and BUCKET_URL.fullmatch(name) and name.count("/") > 2 and name[-1] != "/":  # noqa: PLR2004 - s3://bucket/key
        data = fetch(name, LONGEST + 1)
    else:
        raise Misconfigured(
            "no_config",
            "no configuration can have such an address",
            seen=shown(name),
            allowed="a file, or s3://bucket/config/main.json",
            hint="mend --config or TRIMTAB_CONFIG",
        )
    if len(data) > LONGEST:
        raise Misconfigured(
            "config_too_long",
            f"{name} is longer than any configuration",
            seen=f"more than {LONGEST} bytes",
            allowed=f"at most {LONGEST} bytes",
            hint="name the configuration itself; data and strategies are files of their own",
        )
    return data


def parse(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Parse JSON as its standard has it: no NaN, no infinity, no key twice, no half of a character.

    Raises:
        ValueError, RecursionError: it is something else.
    """
    document = json.loads(
        text, object_pairs_hook=_once, parse_constant=_refuse_constant, parse_float=_finite_float
    )
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a text in it holds half of a character (a lone surrogate)") from None
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands there twice")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON, and no limit")


def _finite_float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{shown(text)} is too large for a number")
    return value


# The environment and the flags


def _from_environment(environ: Mapping[str, str]) -> Document:
    layer: Document = {}
    known = {*OTHERS, *(name + PARAMETER for name in OTHERS)}
    names = [name for name in environ if name.startswith(PREFIX) and name not in known]
    for name in sorted(names, key=lambda name: (name.count("__"), name)):
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        annotation = _annotation(path)
        if annotation is None or name != name.upper():
            allowed = [*OTHERS, *(PREFIX + "__".join(key).upper() for key in _keys(Settings, ()))]
            raise unknown(name, allowed, "environment variable")
        _put(layer, path, _decode(environ[name], annotation))
    return layer


def _from_flags(flags: Mapping[str, object]) -> Document:
    layer: Document = {}
    for name, value in flags.items():
        if value is not None:
            _put(layer, tuple(name.split(".")), cast("Any", value))
    return layer


def _put(layer: Document, path: tuple[str, ...], value: Any) -> None:  # noqa: ANN401 - any JSON
    *sections, key = path
    for section in sections:
        inner = layer.setdefault(section, {})
        if not isinstance(inner, dict):
            return  # the section itself was given as something else, which the check refuses
        layer = inner
    layer[key] = value


def _decode(text: str, annotation: object) -> Any:  # noqa: ANN401 - any JSON
    """Read a variable as JSON where it is JSON; a key that takes text takes it as it stands."""
    if annotation is str or get_origin(annotation) is Literal:
        return text
    try:
        return parse(text)
    except (ValueError, RecursionError):
        return text


def _annotation(path: tuple[str, ...]) -> object:
    """Give the type of the key at `path`, or None if there is none."""
    annotation: object = Settings
    for part in path:
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return None
        field = annotation.model_fields.get(part)
        annotation = field.annotation if field else None
    return annotation


def _keys(model: type[BaseModel], path: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _keys(inner, (*path, name))
        else:
            yield (*path, name)
