"""Configuration: settings and secrets from wherever the owner keeps them: files, the environment, S3, SSM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab import settings
from trimtab.errors import Misconfigured
from trimtab.settings.loading import CONFIG, DEFAULT_FILE
from trimtab.settings.redaction import learn
from trimtab.settings.secret import SECRET_NAMES, named_parameters, with_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from trimtab.settings import Salvaged, Settings

__all__ = ["load", "located", "salvage", "with_parameters"]


def load(
    path: str | Path | None, flags: Mapping[str, object], environ: Mapping[str, str], *, sends: bool = True
) -> Settings:
    """Make the settings of a file or an object in S3, the environment and flags, as `settings.load` does.

    Who sends no order says so: `sends` False. Then mode live needs no TRIMTAB_LIVE.

    Raises:
        Misconfigured: anything about them is wrong.
    """
    return settings.load(located(path, environ), flags, environ, fetch=_object, sends=sends)


def salvage(path: str | Path | None, environ: Mapping[str, str]) -> Salvaged:
    """Read store and portfolio out of a configuration that can't be loaded, as `settings.salvage` does."""
    try:
        name = located(path, environ)
    except Misconfigured:  # its place is in a parameter that can't be read
        name = None
    return settings.salvage(name, environ, fetch=_object)


def located(path: str | Path | None, environ: Mapping[str, str]) -> str:
    """Give the path or URL of the configuration: `path`, else TRIMTAB_CONFIG, else config.json.

    Raises:
        Misconfigured: an SSM parameter that holds it can't be read.
    """
    found = path or with_parameters(environ, (CONFIG,)).get(CONFIG)
    return str(found or DEFAULT_FILE)


def with_parameters(environ: Mapping[str, str], names: Iterable[str]) -> Mapping[str, str]:
    """Give the environment with the values of those SSM parameters that stand in it for `names`.

    They are read each time, in one request; every redactor knows them from then on.

    Raises:
        Misconfigured: a parameter can't be read, or is given beside its value.
    """
    named = named_parameters(environ, names)
    if not named:
        return environ
    from trimtab.adapters.parameters import read_parameters  # noqa: PLC0415 - only who names one pays for it

    values = read_parameters(named)
    learn(value for name, value in values.items() if name in SECRET_NAMES)
    return with_values(environ, values)


def _object(url: str, most: int) -> bytes:
    """Give an object in S3.

    Raises:
        OSError, Misconfigured: as `read_document` says.
    """
    from trimtab.adapters.s3 import read_document  # noqa: PLC0415 - only such a configuration pays for it

    return read_document(url, most)
