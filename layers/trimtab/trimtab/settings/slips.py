"""Settings slips: what people write where JSON wants something else, and how to say it."""

from __future__ import annotations

import re

_SHOWN = 40

_AT = (
    (r"(//|/\*|#)", "JSON has no comments: take them out"),
    (r"'", "texts and names stand in double quotes"),
    (
        "[\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\N{DOUBLE LOW-9 QUOTATION MARK}]",
        "use plain double quotes, not typographic ones",
    ),
    (r"(True|False)\b", "JSON writes true and false in small letters"),
    (r"None\b", "leave out a key that has no value: it takes its default"),
    (r"\.\d", "a number begins with a digit: 0.5"),
    (r"[\d.]*%", "write a percentage as a fraction: 60 % is 0.6"),
    (r",?\s*[}\]]", "no comma after the last item, and a value after each name"),
    (r"[A-Za-z_]", "texts and names stand in double quotes"),
    (r'"', "a comma is missing before it"),
    (r"\Z", "it ends too early: a bracket or a quote is not closed"),
)
"""What stands where JSON wants something else, and what to say of it; the first that fits."""


def slip(text: str, place: int) -> str:
    """Give what to do about text that is no JSON from `place` (an index) on."""
    if not text.strip():
        return "the file is empty: `trimtab init --force` writes one to start from"
    rest = text[place:].lstrip()
    return next((hint for pattern, hint in _AT if re.match(pattern, rest)), _ELSE)


_ELSE = "look at that place, and at the one before it; an editor that knows JSON marks it"


def line_of(text: str, place: int) -> str:
    """Give the line of `text` at `place`, cut where it is long."""
    line = next(iter(text[text.rfind("\n", 0, place) + 1 :].splitlines()), "").strip()
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "…"
