"""Frame: what every page begins with and is laid out by. Data never becomes Markdown, markup or a link."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import guard, sheets
from dashboard.looks import inks, style
from dashboard.shelf import Shelf, open_shelf, portfolios
from trimtab.configuration import load
from trimtab.core.schedule import NEW_YORK
from trimtab.errors import Misconfigured
from trimtab.evidence.markup import fragment, node
from trimtab.evidence.words import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl

    from dashboard.looks import Inks
    from dashboard.sheets import Column
    from trimtab.evidence.markup import Element
    from trimtab.settings import Settings

__all__ = [
    "Look",
    "begin",
    "figures",
    "listed",
    "literal",
    "look",
    "moment",
    "nothing_yet",
    "preformatted",
    "show",
    "table",
    "told",
]

PORTFOLIO = "portfolio"
"""The key of the chosen portfolio, in the session and in the page's address."""
PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
WORD_JOINER = "\N{WORD JOINER}"
AT_FIRST = 60
"""Rows of a long table that are shown before all are asked for."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a page shows: the settings, the store's portfolios, one's shelf, the time, and its colours."""

    settings: Settings
    names: Sequence[str]
    shelf: Shelf
    now: datetime
    ink: Inks

    @property
    def own(self) -> bool:
        """Whether the portfolio is the one that the configuration is of."""
        return self.shelf.portfolio == self.settings.portfolio


def look() -> Look:
    """Give what the page shows, or say what is wrong and stop."""
    try:
        settings = load(None, {}, os.environ, sends=False)
        url = settings.store_url
        names = portfolios(url, settings.portfolio)
        shelf = open_shelf(url, _chosen(names))
    except Misconfigured as error:
        st.error(f"**The configuration is not usable.** {literal(error)}")
        st.caption(literal(error.hint))
        st.stop()
    except OSError as error:
        st.error(f"**The store can't be read.** {literal(error)}")
        st.caption("Mend that, or name another as store.url; the page tries again when it is loaded.")
        st.stop()
    return Look(settings, names, shelf, datetime.now(UTC), inks(dark=st.context.theme.type == "dark"))


def _chosen(names: Sequence[str]) -> str:
    wanted = st.session_state.get(PORTFOLIO) or st.query_params.get(PORTFOLIO)
    return str(wanted) if wanted in names else names[0]


def begin(title: str, about: str) -> Look:
    """Open a page, for those who may look: its title, whose it is, and what is wrong with the store."""
    guard.keep()
    seen = look()
    names = seen.names
    st.html(style(seen.ink))
    head = st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute")
    head.title(title, help=about, anchor=False, width="content")
    if len(names) > 1:
        index = names.index(seen.shelf.portfolio)
        st.session_state[PORTFOLIO] = head.selectbox("Portfolio", names, index=index, width=200)
        if st.session_state[PORTFOLIO] != seen.shelf.portfolio:
            st.rerun()
    _trouble(seen.shelf)
    return seen


def _trouble(shelf: Shelf) -> None:
    trouble = shelf.trouble
    if trouble is None:
        return
    shown = f"Shown is what the newest {trouble.records} records hold." if trouble.records else ""
    lost = f" {trouble.damaged} more are damaged." if trouble.damaged else ""
    hint = literal(trouble.hint[:1].upper() + trouble.hint[1:])
    st.warning(f"**{literal(trouble.message[:1].upper() + trouble.message[1:])}.** {hint}. {shown}{lost}")


@contextmanager
def told() -> Iterator[None]:
    """Say what of the store can't be read just now, in the place of what was to be shown."""
    try:
        yield
    except OSError as error:
        st.warning(f"**A part of the store can't be read just now.** {literal(error)}")
        st.caption("What is missing here is not known. The page tries again when it is loaded.")


def nothing_yet(seen: Look) -> None:
    """Say that nothing has run here yet, and what makes the first run; stop."""
    st.info(f"No run of the portfolio {literal(seen.shelf.portfolio)} is recorded yet.")
    st.write("The first run makes the first record:")
    st.code("trimtab run --no-dry-run", language=None)
    st.caption(f"Store: {literal(seen.shelf.url)}")
    st.stop()


def literal(text: object) -> str:
    """Give a text that Markdown shows as it stands: no emphasis, image, link, colour, formula or HTML."""
    escaped = PUNCTUATION.sub(r"\\\1", " ".join(str(text).split()))
    # addresses are linked whatever is escaped, unless they are broken where nobody sees it
    return re.sub(r"(?i)(http|www|mailto|@)", rf"\1{WORD_JOINER}", escaped)


def moment(at: object, *, day: bool = True) -> str:
    """Write an instant (UTC, ISO 8601) as New York time; a dash where there is none."""
    try:
        when = datetime.fromisoformat(str(at)).astimezone(NEW_YORK)
    except ValueError:
        return NOTHING
    return f"{when:%Y-%m-%d %H:%M}" if day else f"{when:%H:%M:%S}"


def figures(items: Sequence[tuple[str, str, str]]) -> None:
    """Show a row of figures that wraps on a narrow screen: label, value, what it means."""
    row = st.container(horizontal=True, gap="medium")
    for label, value, meaning in items:
        row.metric(label, value, help=meaning or None, width="content")


def show(element: Element) -> None:
    """Show what was drawn: its texts were escaped when it was written."""
    st.html(fragment(element))


def preformatted(text: str) -> None:
    """Show a text in letters of one width, line by line as it stands."""
    show(node("div", node("pre", text, tabindex="0"), class_="tt"))


def table(rows: pl.DataFrame | Sequence[Sequence[Any]], columns: Mapping[str, Column], caption: str) -> None:
    """Show rows, or of a frame the columns that are named, in their order."""
    some = rows if isinstance(rows, list | tuple) else rows.select(list(columns)).iter_rows()  # type: ignore[union-attr]  # a frame
    show(sheets.sheet(some, columns, caption))


@st.fragment
def listed(rows: pl.DataFrame, columns: Mapping[str, Column], caption: str) -> None:
    """Show the first rows of a long table, and all of them when that is asked for."""
    count = len(rows)
    whole = count <= AT_FIRST or st.toggle(f"All {count:,}", key=f"all of {caption}")
    table(rows if whole else rows.head(AT_FIRST), columns, caption)
