"""Sheets: tables as HTML, a column each told by its title, how it is written, and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from dashboard.charts import meter
from trimtab.core.schedule import NEW_YORK
from trimtab.evidence.markup import Element, node
from trimtab.evidence.words import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from trimtab.evidence.markup import Node

__all__ = ["Column", "amount", "clock", "part", "sheet", "text"]

MANY_ROWS = 12
"""A table of more has a height of its own, and scrolls."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title, how a value is written, whether to the right, its meaning, whether it wraps."""

    title: str
    write: Callable[[Any], Node] = str
    right: bool = False
    meaning: str = ""
    wide: bool = False

    @property
    def look(self) -> str | None:
        """The class of its cells."""
        return "right" if self.right else "wide" if self.wide else None


def text(title: str, meaning: str = "", *, wide: bool = False) -> Column:
    """Give a column of words."""
    return Column(title, _words, meaning=meaning, wide=wide)


def amount(title: str, places: int = 2, meaning: str = "", *, signed: bool = False) -> Column:
    """Give a column of numbers."""

    def write(value: float) -> str:
        plus = "+" if signed and value > 0 else ""
        return plus + number(float(value), places)

    return Column(title, write, right=True, meaning=meaning)


def clock(title: str, meaning: str = "", form: str = "%Y-%m-%d %H:%M") -> Column:
    """Give a column of instants (UTC, ISO 8601) as New York times; what is none stays as it is."""

    def write(value: str) -> str:
        try:
            return f"{datetime.fromisoformat(value).astimezone(NEW_YORK):{form}}"
        except ValueError:
            return str(value)

    return Column(title, write, meaning=meaning)


def part(title: str, meaning: str = "") -> Column:
    """Give a column of percentages, each drawn as a part of 100."""
    return Column(
        title, lambda value: node("div", meter(float(value), 100.0), title=f"{value:.0f} %"), meaning=meaning
    )


def sheet(rows: Iterable[Sequence[Any]], columns: Mapping[str, Column], caption: str) -> Element:
    """Lay rows out; a cell without a value is empty, one that is an element stands as it is."""
    body = [
        node(
            "tr",
            [
                _cell(value, column, i)
                for i, (value, column) in enumerate(zip(row, columns.values(), strict=True))
            ],
        )
        for row in rows
    ]
    head = node("tr", [_head(column) for column in columns.values()])
    made = node(
        "table",
        node("caption", caption, class_="unseen"),
        node("thead", head),
        node("tbody", body),
    )
    tall = "box tall" if len(body) > MANY_ROWS else "box"
    box = node("div", made, class_=tall, tabindex="0", role="region", aria_label=caption)
    return node("div", box, class_="tt")


def _cell(value: object, column: Column, i: int) -> Element:
    shown: Node = "" if value is None else value if isinstance(value, Element) else column.write(value)
    if i == 0:
        return node("th", shown, scope="row", class_=column.look)
    return node("td", shown, class_=column.look)


def _head(column: Column) -> Element:
    title: Node = node("abbr", column.title, title=column.meaning) if column.meaning else column.title
    return node("th", title, scope="col", class_="right" if column.right else None)


def _words(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
