"""Salvage: the store and the portfolio of settings that can't be loaded, so that a halt still finds its flag.

Taken is only what stands there once and plainly: a guess would set a flag that no run reads. Whatever else is
wrong keeps nobody from halting.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trimtab.errors import Misconfigured
from trimtab.settings.loading import PREFIX, parse, read
from trimtab.settings.model import BUCKET_URL, DEFAULT_STORE, PORTFOLIO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.settings.loading import Fetch

_TEXT = r'("(?:[^"\\\n]|\\.)*")'
_PORTFOLIO, _MODE = (re.compile(rf'"{key}"\s*:\s*{_TEXT}') for key in ("portfolio", "mode"))
_URL = re.compile(r'"store"\s*:\s*\{[^{}]*?"url"\s*:\s*' + _TEXT)
_NAME = re.compile(PORTFOLIO)


@dataclass(frozen=True, slots=True)
class Salvaged:
    """Where the store is (a directory that is there, or an S3 URL), and the portfolio; None if not known."""

    store_url: str | None
    portfolio: str | None


class _Raw(NamedTuple):
    """What a configuration says; None what can't be told, and an empty `url` where it names none."""

    url: str | None
    portfolio: str | None
    mode: str | None


def salvage(name: str | None, environ: Mapping[str, str], *, fetch: Fetch | None = None) -> Salvaged:
    """Give what the environment and the configuration `name` say of store and portfolio, whatever is wrong.

    `name` None is a configuration whose place is not known; `fetch` reads one in S3.
    """
    raw = _raw("" if name is None else _text(name, fetch))
    mode = environ.get(f"{PREFIX}MODE") or raw.mode
    default = DEFAULT_STORE.get(str(mode)) if raw.url == "" else None
    section = _raw(f'{{"store": {environ.get(f"{PREFIX}STORE", "{}")}}}').url
    url = environ.get(f"{PREFIX}STORE__URL") or (None if section is None else section or raw.url or default)
    folder = None if name is None or "://" in name else Path(name).parent
    portfolio = environ.get(f"{PREFIX}PORTFOLIO") or raw.portfolio
    return Salvaged(
        None if url is None else _place(url, folder),
        portfolio if portfolio is not None and _NAME.fullmatch(portfolio) else None,
    )


def _text(name: str, fetch: Fetch | None) -> str:
    """Give what a configuration holds; empty where it can't be read."""
    with suppress(OSError, Misconfigured):
        return read(name, fetch).decode("utf-8-sig", "replace")
    return ""


def _raw(text: str) -> _Raw:
    """Give what a configuration says, as JSON where it is JSON."""
    try:
        document = parse(text)
    except (ValueError, RecursionError):
        cut_short = text.count("{") != text.count("}")  # what it lacks may be the store
        url = _once(_URL, text) if '"store"' in text or cut_short else ""
        return _Raw(url, _once(_PORTFOLIO, text), _once(_MODE, text))
    if not isinstance(document, dict):
        return _Raw(None, None, None)
    store = document.get("store", {})
    url = (store.get("url") or "") if isinstance(store, dict) else None
    parts = (url, document.get("portfolio", "main"), document.get("mode", "simulated"))
    return _Raw(*(part if isinstance(part, str) else None for part in parts))


def _once(pattern: re.Pattern[str], text: str) -> str | None:
    """Give the text that a pattern finds, if it finds just one."""
    found = set(pattern.findall(text))
    with suppress(ValueError):
        return str(json.loads(found.pop())) if len(found) == 1 else None
    return None


def _place(url: str, folder: Path | None) -> str | None:
    """Give where a store is; None where there is none: a flag in an empty folder would halt nothing."""
    if "://" in url:
        return url.rstrip("/") if BUCKET_URL.fullmatch(url) else None
    if folder is None and not Path(url).is_absolute():
        return None
    path = (folder or Path()) / url
    with suppress(OSError, ValueError):
        return str(path) if path.is_dir() else None
    return None
