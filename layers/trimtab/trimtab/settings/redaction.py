"""Redaction: every secret of the environment, taken out of whatever leaves the program.

One redactor stands before every way out: records, logs, errors, alerts, pings, and what the command line
prints. It knows a secret in the shapes in which libraries quote it: whole, its path alone, percent-encoded,
in JSON, and cut short.

Of a URL, these are secrets by themselves: the whole, its path with its query, each part that looks like a
token, and what stands where credentials do. A plain word or a date in its path is none: a portfolio's name,
the slug of a check or the version of an API may stand there, and in every record, too. Where one such word is
all of its path, it is a secret with the line before it, as a library quotes it, and not as a part of another.
"""

from __future__ import annotations

import html
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import SplitResult, quote, unquote, urlsplit

from trimtab.core.masking import MASK, SHORTEST, is_plain, masked
from trimtab.core.record import json_line
from trimtab.errors import TrimtabError
from trimtab.settings.secret import SECRET_NAMES, split_urls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from trimtab.core.record import Document

__all__ = ["MASK", "Redactor", "error_document", "learn", "log_line", "redactor"]

HEAD = 12
"""A token that is cut short is still known by so many characters of its beginning."""
_CLOUD = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""Where AWS's tools, and its functions, find what a store in S3 is opened with."""
_REST = r"[\w%.~+/=-]*"
_ALONE = r"(?<![\w.~-])"
"""Before a short path, where nothing precedes that would make it the end of another."""
_CREDENTIAL = re.compile(r"[^=&;]*(?:token|key|secret|sig|auth|pass|code)[^=&;]*=([^&;]+)", re.IGNORECASE)
"""A parameter of a URL that is a secret by its name, be its value a word."""
_LONG = 16
"""Of so many characters, a part of a URL is a token, even if it is made of words."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Redactor:
    """Takes secrets out of texts and documents; made by `redactor` or `Redactor.of`.

    `heads` are how the secrets begin: a text without any of them, as nearly all are, is looked at no further.
    `wholes` are the keys and URLs themselves that are no words, in small letters: no name may hold one.
    """

    pattern: re.Pattern[str] | None
    heads: tuple[str, ...] = ()
    wholes: tuple[str, ...] = ()

    @classmethod
    def of(cls, secrets: Iterable[str]) -> Redactor:
        """Make one for these secrets: keys, or URLs."""
        given = {secret.strip() for secret in secrets}
        found = {shape for secret in given for shape in _shapes(secret)}
        if not found:
            return cls(None)
        longest = sorted(found, key=lambda shape: (-len(shape[1] + shape[2]), shape))
        expressions = [before + re.escape(text) + rest for before, text, rest in longest]
        heads = {text[:SHORTEST].lower() if text.isascii() else "" for _, text, _ in found}
        wholes = {text.lower() for secret in given for text in _written(secret) if not is_plain(text)}
        return cls(
            re.compile("|".join(expressions), re.IGNORECASE), tuple(sorted(heads)), tuple(sorted(wholes))
        )

    def text(self, text: str) -> str:
        """Give the text with every secret masked."""
        if self.pattern is None:
            return text
        lowered = text.lower()
        return self.pattern.sub(MASK, text) if any(head in lowered for head in self.heads) else text

    def value(self, value: Value) -> Value:
        """Give a JSON value with every secret masked in its texts; its names, figures and own keys stay."""
        if self.pattern is None:
            return value
        return masked(value, self.text, self.holds)  # type: ignore[return-value]  # of the same shape

    def line(self, entry: Document) -> str:
        """Give a log's entry as one line of JSON with every secret masked in its texts."""
        return json_line(self.value(json.loads(json_line(entry))))

    def error(self, error: Exception) -> Exception:
        """Give an error without any secret in what it says, for whoever prints it: itself where it can be."""
        if isinstance(error, TrimtabError):
            error.mask(self.value)
            return error
        text = str(error)
        masked_text = self.text(text)
        return error if masked_text == text else RuntimeError(f"{type(error).__name__}: {masked_text}")

    def holds(self, name: str) -> bool:
        """Say whether a whole key or URL stands in a name."""
        lowered = name.lower()
        return any(whole in lowered for whole in self.wholes)


_learnt: set[str] = set()
"""Secrets that this process read from elsewhere than its environment. Each way out makes its redactor of the
environment anew, so what was read once is known to all of them, a key that was replaced meanwhile, too."""


def learn(secrets: Iterable[str]) -> None:
    """Let every redactor that is made from now on know these secrets, keys or URLs, too."""
    _learnt.update(secrets)


def redactor(environ: Mapping[str, str]) -> Redactor:
    """Give the redactor of every secret of an environment, and of those that were learnt."""
    texts = [*(environ.get(name, "") for name in (*SECRET_NAMES, *_CLOUD)), *sorted(_learnt)]
    return Redactor.of(url for text in texts for url in split_urls(text))


def error_document(error: Exception) -> Document:
    """Give an error as a log is to hold it, as yet with its secrets; one that is not Trimtab's is a bug."""
    return error.document() if isinstance(error, TrimtabError) else {"code": "bug", "message": repr(error)}


def log_line(entry: Document) -> str:
    """Give a log's entry as one line of JSON without any secret of this process's environment."""
    return redactor(os.environ).line(entry)


def _shapes(secret: str) -> Iterator[tuple[str, str, str]]:
    """Give how a secret may be written, each long enough to be nothing else, and what is before and after."""
    tokens = set(_pieces(secret))
    for token in {secret, *_paths(secret), *tokens}:
        for written in _written(token):
            yield "", written, ""
    for token in tokens:
        if len(token) >= HEAD + SHORTEST // 2:
            yield "", token[:HEAD], _REST
    parts = _split(secret)
    if parts is not None and not any(len(token) >= SHORTEST for token in tokens):
        yield from ((_ALONE, written, "") for written in _written(_topic(parts)))


def _written(token: str) -> Iterator[str]:
    """Give a token as it is, percent-encoded, in JSON and in HTML, where that is long enough."""
    for shape in {token, unquote(token), quote(token, safe=""), quote(token)}:
        for written in {shape, json.dumps(shape)[1:-1], html.escape(shape)}:
            if len(written) >= SHORTEST:
                yield written


def _paths(secret: str) -> Iterator[str]:
    """Give what a library quotes of a URL without its host: its path, with the query; nothing of a key."""
    parts = _split(secret)
    path = "" if parts is None else f"{parts.path}?{parts.query}".rstrip("?")
    if len(path) >= HEAD:  # a shorter one may be part of any other path
        yield path


def _topic(parts: SplitResult) -> str:
    """Give the path of a URL where it is one short word, the only thing of it that others don't know."""
    whole = not (parts.path.strip("/").count("/") or parts.query or parts.fragment)
    return parts.path if whole and len(parts.path) < HEAD else ""


def _pieces(secret: str) -> Iterator[str]:
    """Give each part of a URL that is a secret by itself; of a key, the whole."""
    parts = _split(secret)
    if parts is None:
        yield secret
        return
    before, _, host = parts.netloc.rpartition("@")
    yield from (before, *before.split(":"), *_CREDENTIAL.findall(parts.query))
    path, query = (re.split(r"[/?&=#,;]", text) for text in (parts.path, f"{parts.query}/{parts.fragment}"))
    if parts.scheme not in {
        "http",
        "https",
    }:  # Apprise keeps tokens where others keep a host, and in its paths
        yield from (piece for piece in host.split(":") if "." not in piece)
        yield from path
    yield from (piece for piece in (*path, *query) if len(piece) >= _LONG or not is_plain(piece))


def _split(secret: str) -> SplitResult | None:
    """Split a URL; None for what is none."""
    try:
        return urlsplit(secret) if "://" in secret else None
    except ValueError:
        return None
