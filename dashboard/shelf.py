"""Shelf: one portfolio's part of the store, read as a guest and kept in memory until trades.db changes.

This is the one module of the dashboard that opens a store: a directory, or a bucket. What it keeps is keyed
by the store's stamp; where trades.db can't be read, its tables are made of the newest records, in a folder of
their own.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import tempfile
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import streamlit as st

from trimtab.adapters.inputs import read_inputs
from trimtab.adapters.sqlite import SqliteTrades
from trimtab.adapters.stores import open_guest
from trimtab.core.record import rows
from trimtab.errors import Halted
from trimtab.evidence.board import reading
from trimtab.evidence.taxes import lots_document
from trimtab.stations.past import folders, read_record
from trimtab.switch import kill_switch

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.adapters.guest import Guest, Stamp
    from trimtab.core.bars import Bars
    from trimtab.core.record import Document
    from trimtab.ports import Store, Trades

__all__ = ["Shelf", "Trouble", "open_shelf", "portfolios"]

SALVAGED = 250
"""Records, the newest, that stand in for a trades.db which can't be read."""
KEPT_S = 3600.0
SALVAGE_S = 120.0
"""How long what was read is kept, seconds; of salvaged records, whose coming nothing tells, less."""
SAID_S = 10.0
"""The same of what people said, and of the portfolios that are bound."""
BUCKET_S = 3.0
"""A bucket is not asked again for so long, seconds, whether trades.db has changed."""
MISSING = "database_missing"
REMADE = "the next run that is not dry makes it anew from the records"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why trades.db is not what is shown: what is wrong, what to do, and how many records stand in for it."""

    code: str
    message: str
    hint: str
    records: int
    damaged: int


@dataclass(frozen=True, slots=True)
class Shelf:
    """What the dashboard can ask of one portfolio. Frames are shared between visitors: never changed.

    `url` is where the store is, `base` where the trades.db that is read is: there, or where it was salvaged.
    """

    url: str
    portfolio: str
    base: str
    stamp: Stamp
    trouble: Trouble | None

    @property
    def store(self) -> Store:
        """The store's files, to be read."""
        return _opened(self.url)[0]

    def frame(self, read: Callable[..., Any], *more: object) -> Any:  # noqa: ANN401 - what `read` gives
        """Give what a function of `reading` gives, asked once for each state of trades.db."""
        try:
            return _frame(self.base, self.stamp, read.__name__, self.portfolio, more)
        except (Halted, sqlite3.Error) as error:  # damaged deeper than its first page: the next look knows
            if self.trouble is not None:
                raise
            _broken()[self.base, self.stamp[:3]] = error if isinstance(error, Halted) else _odd(error)
            st.rerun()
        except OSError as error:
            st.error("trades.db can't be read just now. The page tries again when it is loaded.")
            st.text(str(error))
            st.stop()

    def record(self, session: object, run_id: str) -> Document | None:
        """Give a run's record; None where it is missing or damaged.

        Raises:
            OSError: the store can't be read; so do `bars`, `flag` and `said`.
        """
        with suppress(_OddError):
            return _record(self.url, self.folder(session, run_id))
        return None

    def bars(self, session: object, run_id: str) -> Bars | None:
        """Give the bars that a run saw; None where they are not there, or damaged.

        Raises:
            OSError: as above.
        """
        with suppress(_OddError):
            return _bars(self.url, self.folder(session, run_id))
        return None

    def folder(self, session: object, run_id: str) -> str:
        """Give the place of a run's files."""
        return f"runs/{self.portfolio}/{session or 'none'}/{run_id}"

    def lots(self) -> Document:
        """Give the tax lots, and what was realised.

        Raises:
            Halted: a record, or trades.db, is damaged, or older than what tells of lots.
            OSError: the store can't be read.
        """
        try:
            return _lots(self.url, self.base, self.stamp, self.portfolio)
        except sqlite3.Error as error:
            raise _odd(error) from error

    def flag(self) -> tuple[str, str] | None:
        """Give the halt flag that is set, and what it says; None where none is.

        Raises:
            OSError: as above: then nobody can tell.
        """
        return kill_switch(self.store, self.portfolio)

    def said(self) -> list[Document]:
        """Give what people and the latch said outside of runs, newest first.

        Raises:
            OSError: as above.
        """
        return _said(self.url, self.portfolio)


def open_shelf(url: str, portfolio: str) -> Shelf:
    """Open a portfolio's part of the store, whatever state it is in.

    Raises:
        Misconfigured: what speaks to S3 is not installed.
        OSError: the store can't be read at all.
    """
    stamp = _stamp(url)
    error = _broken().get((url, stamp[:3])) or _probed(url, stamp)
    if error is None:
        return Shelf(url, portfolio, url, stamp, None)
    base, count, damaged = _salvaged(url, portfolio, stamp[:3])
    if error.code == MISSING and not count:
        return Shelf(url, portfolio, url, stamp, None)  # nothing has run here yet
    trouble = Trouble(error.code, error.message, error.hint, count, damaged)
    return Shelf(url, portfolio, base, (0,), trouble)


def portfolios(url: str, own: str) -> list[str]:
    """Give the store's portfolios, and the configuration's own first.

    Raises:
        Misconfigured, OSError: as `open_shelf`.
    """
    found: list[str] = []
    with suppress(Halted):  # a damaged trades.db is told of by what opens the shelf
        found = _names(url, _stamp(url))
    return list(dict.fromkeys([own, *sorted([*found, *_bound(url)])]))


@st.cache_resource(show_spinner=False)
def _opened(url: str) -> tuple[Store, Guest]:
    return open_guest(url, Path(_scratch().name) / "copies" / secrets.token_hex(8))


def _stamp(url: str) -> Stamp:
    return _bucket_stamp(url) if "://" in url else _opened(url)[1].stamp()


@st.cache_resource(show_spinner=False, ttl=BUCKET_S)
def _bucket_stamp(url: str) -> Stamp:
    return _opened(url)[1].stamp()


@st.cache_resource(show_spinner=False, ttl=SAID_S)
def _bound(url: str) -> list[str]:
    keys = _opened(url)[0].list("portfolios/")
    return [key.removeprefix("portfolios/").removesuffix(".json") for key in keys]


def _odd(error: sqlite3.Error) -> Halted:
    message = "trades.db can't be read as the store's database"
    return Halted("database_odd", message, seen=error, hint=f"move it away: {REMADE}")


@st.cache_resource(show_spinner=False)
def _broken() -> dict[tuple[str, Stamp], Halted]:
    """Keep which states of trades.db proved damaged while they were read."""
    return {}


@st.cache_resource(show_spinner=False, max_entries=64, ttl=KEPT_S)
def _probed(url: str, stamp: Stamp) -> Halted | None:
    """Say what is wrong with trades.db at a first look; None where nothing is."""
    if not stamp:
        return Halted(MISSING, "there is no trades.db in the store", hint=REMADE)
    try:
        with _opened(url)[1].sight() as view:
            if view is None or not view.columns("runs"):
                return Halted(MISSING, "trades.db holds no tables yet", hint=REMADE)
    except Halted as error:
        return error
    return None


@st.cache_resource(show_spinner=False, max_entries=16, ttl=KEPT_S)
def _names(url: str, stamp: Stamp) -> list[str]:
    del stamp  # it is in the key
    with _opened(url)[1].sight() as view:
        return [] if view is None else reading.portfolios(view)


@st.cache_resource(show_spinner=False, max_entries=128, ttl=KEPT_S)
def _frame(base: str, stamp: Stamp, name: str, portfolio: str, more: tuple[object, ...]) -> Any:  # noqa: ANN401 - any table
    del stamp  # it is in the key
    read = getattr(reading, name)
    with _opened(base)[1].sight() as view:
        return read(_Empty() if view is None else view, portfolio, *more)


@st.cache_resource(show_spinner="Following every share …", max_entries=4, ttl=KEPT_S)
def _lots(url: str, base: str, stamp: Stamp, portfolio: str) -> Document:
    del stamp  # it is in the key
    with _opened(base)[1].sight() as view:
        return lots_document(_opened(url)[0], cast("Trades", view or _Empty()), portfolio)


class _Empty:
    """A trades.db that is not there: it has no tables."""

    def rows(self, sql: str, parameters: object = ()) -> list[tuple[object, ...]]:
        """Give nothing."""
        del sql, parameters
        return []

    def query(self, sql: str, parameters: object = ()) -> list[dict[str, object]]:
        """Give nothing."""
        del sql, parameters
        return []

    def columns(self, table: str) -> frozenset[str]:
        """Give nothing."""
        del table
        return frozenset()


@st.cache_resource(show_spinner="Reading the records …", max_entries=4, ttl=SALVAGE_S)
def _salvaged(url: str, portfolio: str, stamp: Stamp) -> tuple[str, int, int]:
    """Make the tables of the newest records: where, of how many, and how many more were damaged."""
    del stamp  # it is in the key
    store, damaged = _opened(url)[0], 0
    batch: dict[str, list[dict[str, object]]] = defaultdict(list)
    newest = folders(store, f"runs/{portfolio}/")[-SALVAGED:]
    for folder in newest:
        try:
            for table, some in rows(read_record(store, folder)).items():
                batch[table] += some
        except (Halted, KeyError, TypeError, ValueError):
            damaged += 1
    place = Path(_scratch().name) / "salvaged" / secrets.token_hex(8)
    SqliteTrades(place / "trades.db").add(batch)
    return str(place), len(newest) - damaged, damaged


@st.cache_resource(show_spinner=False, on_release=tempfile.TemporaryDirectory.cleanup)
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """Keep a folder of this process's own, which goes with it."""
    return tempfile.TemporaryDirectory(prefix="trimtab-dashboard-")


class _OddError(ValueError):
    """A file is missing, or is not what it should be. What raises is not kept: the file may be mended."""


@st.cache_resource(show_spinner=False, max_entries=256, ttl=KEPT_S)
def _record(url: str, folder: str) -> Document:
    blob = _opened(url)[0].get(f"{folder}/record.json")
    try:
        found = json.loads(blob or b"null")
    except ValueError as error:
        raise _OddError(folder) from error
    if not isinstance(found, dict):
        raise _OddError(folder)
    return found


@st.cache_resource(show_spinner=False, max_entries=64, ttl=KEPT_S)
def _bars(url: str, folder: str) -> Bars | None:
    """Give the bars of a run; None where it kept none: those of a run that did not get to them never come."""
    blob = _opened(url)[0].get(f"{folder}/inputs.parquet")
    if blob is None:
        return None
    try:
        return read_inputs(blob)
    except ValueError as error:
        raise _OddError(folder) from error


@st.cache_resource(show_spinner=False, ttl=SAID_S)
def _said(url: str, portfolio: str) -> list[Document]:
    found = []
    for key in _opened(url)[0].list("events/"):
        event = _event(url, key)
        if isinstance(event, dict) and event.get("portfolio") in {None, portfolio}:
            found.append(event)
    return sorted(found, key=lambda event: str(event.get("at")), reverse=True)


@st.cache_resource(show_spinner=False, max_entries=1024, ttl=KEPT_S)
def _event(url: str, key: str) -> Document | None:
    """Give what was said once: it is never written again."""
    try:
        found = json.loads(_opened(url)[0].get(key) or b"null")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
