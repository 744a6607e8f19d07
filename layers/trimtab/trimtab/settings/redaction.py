"""Redaction: every secret of the environment, taken out of whatever leaves the program.

One redactor stands before every way out: records, logs, errors, alerts, pings, and what the command line
prints. It knows a secret in the shapes in which libraries quote it: whole, its path alone, percent-encoded,
in JSON, and cut short.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, unquote, urlsplit

from trimtab.settings.secret import PARAMETER, SECRET_NAMES, split_urls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["MASK", "Redactor", "redactor"]

MASK = "***"
SHORTEST = 8
"""Characters of the shortest secret that is looked for: a shorter one would tear words apart."""
HEAD = 12
"""A token that is cut short is still known by so many characters of its beginning."""
_REST = r"[\w%.~+/=-]*"
_WORDS = frozenset({"webhooks", "services", "workflows", "triggers", "incoming", "discordapp"})
"""Parts of a webhook's path that are nobody's secret."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Redactor:
    """Takes secrets out of texts and documents; made by `redactor` or `Redactor.of`."""

    pattern: re.Pattern[str] | None

    @classmethod
    def of(cls, secrets: Iterable[str]) -> Redactor:
        """Make one for these secrets: keys, or URLs."""
        found = {shape for secret in secrets for shape in _shapes(secret.strip())}
        expressions = sorted(found, key=lambda shape: (-len(shape), shape))
        return cls(re.compile("|".join(expressions), re.IGNORECASE) if expressions else None)

    def text(self, text: str) -> str:
        """Give the text with every secret masked."""
        return text if self.pattern is None else self.pattern.sub(MASK, text)

    def value(self, value: Value) -> Value:
        """Give a JSON value with every secret masked, in keys and texts alike."""
        if self.pattern is None:
            return value
        return self._masked(value)  # type: ignore[return-value]  # of the same shape

    def _masked(self, value: object) -> object:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self._masked(key): self._masked(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self._masked(inner) for inner in value)
        return value


def redactor(environ: Mapping[str, str]) -> Redactor:
    """Give the redactor of an environment: of every secret in it, and of what names one in AWS."""
    names = [name for base in SECRET_NAMES for name in (base, base + PARAMETER)]
    given = [environ[name] for name in names if environ.get(name)]
    return Redactor.of([*given, *(url for text in given for url in split_urls(text))])


def _shapes(secret: str) -> Iterator[str]:
    """Give the patterns of a secret, of which each is long enough to be nothing else."""
    for token in {secret, *_parts(secret)}:
        for shape in {token, unquote(token), quote(token, safe=""), quote(token)}:
            for written in {shape, json.dumps(shape)[1:-1], html.escape(shape)}:
                if len(written) >= SHORTEST:
                    yield re.escape(written)
        if len(token) >= HEAD + SHORTEST // 2 and "://" not in token and not token.startswith("/"):
            yield re.escape(token[:HEAD]) + _REST


def _parts(secret: str) -> Iterator[str]:
    """Give what is secret in a URL: its path with the query, and each part of them; nothing of a key."""
    if "://" not in secret:
        return
    try:
        parts = urlsplit(secret)
    except ValueError:
        return
    yield f"{parts.path}?{parts.query}" if parts.query else parts.path
    whole = f"{parts.netloc.rpartition('@')[0]}/{parts.path}/{parts.query}/{parts.fragment}"
    pieces = re.split(r"[/:?&=#,;]", whole)
    if parts.scheme not in {"http", "https"}:
        pieces.append(parts.hostname or "")  # an Apprise URL may hold its token there
    yield from (piece for piece in pieces if piece.lower() not in _WORDS)
