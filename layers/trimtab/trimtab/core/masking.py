"""Masking: which parts of a document are texts, which may hide a secret, and which are names and figures.

A document is read again: keys, names, dates and numbers that were masked would leave a record that no later
run understands. So they stay, whatever a secret looks like, unless a name holds a whole key that is no word.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MASK = "***"
SHORTEST = 8
"""Characters of the shortest secret that is looked for: a shorter one would tear words apart."""

NAMES = frozenset(
    {
        *(
            "portfolio",
            "session",
            "mode",
            "run_id",
            "id",
            "nonce",
            "h8",
            "host",
            "resumed",
            "version",
            "code_version",
        ),
        *(
            "outcome",
            "stage",
            "code",
            "level",
            "ended",
            "kind",
            "rule",
            "subject",
            "interval",
            "job_interval",
        ),
        *("symbol", "universe", "pending", "short", "side", "type", "status", "currency"),
        *("client_order_id", "fill_id", "order_ids", "open_orders", "agreed", "config"),
        *("digest", "plan_digest", "inputs_digest", "prices_digest", "config_digest", "code_digest"),
        *("name", "feed", "adjustment", "require_approval"),
    }
)
"""The keys whose texts are names: of a run, an order, a symbol, a rule, a digest, a choice among few."""
_NAME = re.compile(r"\S{1,128}")
_WORD = re.compile(r"(?=.{1,32}$)([._-]|(?<![A-Za-z])([A-Z]?[a-z]+|[A-Z]+)(?![A-Za-z]))+")
_FIGURE = re.compile(
    r"[-+]?\d{1,15}(\.\d+)?(e[-+]?\d+)?|\d{4}-\d\d-\d\d([T ][\d:.]+(Z|[-+]\d\d:\d\d)?)?", re.IGNORECASE
)


def is_plain(text: str) -> bool:
    """Say whether a text is a word or a figure.

    A word is made of at most 32 letters, dots, lines and dashes, as are all keys of ours and all symbols of
    shares; between these its letters are all small, all capitals, or small after one capital: what mixes them
    may be a random token. A figure is a number of at most 15 digits before the point, a date or an instant.
    """
    return _WORD.fullmatch(text) is not None or _FIGURE.fullmatch(text) is not None


def masked(value: object, text: Callable[[str], str], holds: Callable[[str], bool], name: str = "") -> object:
    """Give a JSON value with its texts masked by `text`; `holds` says whether a name holds a secret.

    `name` is the key that leads to the value. Plain keys, names and figures stay as they are; what a strategy
    is given by its owner has no names of ours.
    """
    if isinstance(value, str):
        stays = _FIGURE.fullmatch(value) or (name in NAMES and _NAME.fullmatch(value) and not holds(value))
        return value if stays else text(value)
    if isinstance(value, dict):
        return {
            _key(key, text): masked(inner, text, holds, _within(name, key)) for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return type(value)(masked(inner, text, holds, name) for inner in value)
    return value


def blanked(document: dict[str, object]) -> dict[str, object]:
    """Give a document without any text in it: keys, names and figures alone."""
    return masked(document, lambda _text: MASK, lambda _name: False)  # type: ignore[return-value]  # the same shape


def lost(before: object, after: object, name: str = "") -> str:
    """Name what masking took besides texts: the key of a changed name, or what held a key; empty: nothing."""
    if isinstance(before, dict) and isinstance(after, dict):
        if before.keys() != after.keys():
            return f"a key of {name or 'the document'}"
        found = (lost(inner, after[key], _within(name, key)) for key, inner in before.items())
        return next(filter(None, found), "")
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        return next(filter(None, (lost(*pair, name) for pair in zip(before, after, strict=True))), "")
    return name if name in NAMES and before != after else ""


def touched(before: object, after: object, at: str) -> str:
    """Name what masking changed first, with the keys that lead to it after `at`; empty: nothing.

    Of a key that was itself masked, what held it is named; of a list, the list.
    """
    if before == after:
        return ""
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        found = (touched(inner, after[key], f"{at}.{key}") for key, inner in before.items())
        return next(filter(None, found), "")
    return at


def maimed(document: object, name: str = "") -> bool:
    """Say whether a key of ours was masked once: no reader finds its way in such a document."""
    if name == "params":
        return False
    if isinstance(document, dict):
        return any(MASK in key or maimed(inner, key) for key, inner in document.items())
    return isinstance(document, list) and any(maimed(inner, name) for inner in document)


def _within(name: str, key: str) -> str:
    """Give the name of what lies under a key: all that lies in a strategy's params is the owner's."""
    return name if name == "params" else key


def _key(key: object, text: Callable[[str], str]) -> object:
    """Give a key: a plain one is ours, or as good as; another is the owner's, and may be a secret."""
    if not isinstance(key, str) or len(key) < SHORTEST or is_plain(key):
        return key
    return text(key)
