"""Page: the width, colours and tables that every text is laid out with."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Column", "Page", "advice", "cut_to", "harmless", "number", "percent", "table", "usd"]

CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
"""Select Graphic Rendition parameters (ECMA-48, 8.3.117)."""
ESCAPE = "\x1b"
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys and does not show: the C0 and C1 controls but tab and newline (ECMA-48, 5.2 and 5.3),
marks that turn a text's direction; and halves of surrogate pairs, which no stream takes."""
NARROWEST = 24
"""Characters that a wrapped last column keeps, however narrow the page."""
GAP = "  "


@dataclass(frozen=True, slots=True)
class Page:
    """How wide a text may be, in characters, and whether it may be coloured.

    `seal` stands in the page's own colours, so that `harmless` can tell them from whatever is shown.
    """

    width: int = 100
    colour: bool = False
    seal: str = ""

    def paint(self, text: str, *names: str) -> str:
        """Colour a text, where colours are wanted."""
        if not self.colour or not names:
            return text
        start = f"{ESCAPE}{self.seal}["
        return f"{start}{';'.join(CODES[name] for name in names)}m{text}{start}0m"

    def wrap(self, text: str, indent: str = "") -> str:
        """Break a text into lines of the page; all but the first are indented."""
        lines = textwrap.wrap(
            text, self.width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
        )
        return "\n".join(lines) or text


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column: its title, and whether it is set to the right."""

    title: str
    right: bool = False


def table(
    page: Page, title: str, columns: Sequence[Column], rows: Iterable[Sequence[str]], *, cut: bool = False
) -> str:
    """Lay rows out under a title; the last column is wrapped to the page, or cut. Empty without rows."""
    cells = [tuple(row) for row in rows]
    if not cells:
        return ""
    head = tuple(column.title for column in columns)
    widths = [max(len(row[i]) for row in (head, *cells)) for i in range(len(columns))]
    before = sum(widths[:-1]) + len(GAP) * len(widths)
    widths[-1] = min(widths[-1], max(page.width - before, NARROWEST))
    if cut:
        cells = [(*row[:-1], cut_to(row[-1], widths[-1])) for row in cells]
    heading = _row(head, columns, widths)[0]
    body = (line for row in cells for line in _row(row, columns, widths))
    return "\n".join([page.paint(title, "bold"), page.paint(heading, "dim"), *body])


def _row(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> list[str]:
    """Set one row; its last cell may take several lines."""
    *first, last = cells
    wrapped = textwrap.wrap(last, widths[-1], break_on_hyphens=False) or [""]
    fixed = [
        cell.rjust(width) if column.right else cell.ljust(width)
        for cell, column, width in zip(first, columns, widths, strict=False)
    ]
    if columns[-1].right:
        wrapped = [line.rjust(widths[-1]) for line in wrapped]
    lead = GAP + "".join(cell + GAP for cell in fixed)
    return [((lead if i == 0 else " " * len(lead)) + line).rstrip() for i, line in enumerate(wrapped)]


def harmless(text: str, seal: str) -> str:
    """Give a text as a terminal may have it: colours under the seal stay, other controls are made visible."""
    parts = text.split(f"{ESCAPE}{seal}[")
    return f"{ESCAPE}[".join(CONTROLS.sub("\N{REPLACEMENT CHARACTER}", part) for part in parts)


def cut_to(text: str, width: int) -> str:
    """Cut a text between words to so many characters, and mark where."""
    return textwrap.shorten(text, width, placeholder=" …", break_on_hyphens=False)


def advice(words: str, command: str = "") -> str:
    """Say what to do next; the command stands on a line of its own, unbroken, to be copied whole."""
    return f"Next, {words}:\n  {command}" if command else f"Next: {words}"


def usd(value: object) -> str:
    """Write an amount of USD with cents; a dash where it is unknown."""
    amount = number(value)
    return "-" if amount is None else f"{amount:,.2f}"


def percent(value: object) -> str:
    """Write a fraction as a percentage with two decimals; a dash where it is unknown."""
    fraction = number(value)
    return "-" if fraction is None else f"{fraction:.2%}"


def number(value: object) -> float | None:
    """Give a document's decimal as a float; None where there is none, or it is not finite."""
    if value is None or value == "":
        return None
    found = float(str(value))
    return found if abs(found) < float("inf") else None
