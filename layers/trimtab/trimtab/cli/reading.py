"""Reading: the verbs that read the store and never write it: status, history, show."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from trimtab.adapters.stores import open_store
from trimtab.cli.opened import options_of, settings_of
from trimtab.errors import TrimtabError
from trimtab.show.ledger import (
    find_run,
    holdings_of,
    read_record,
    recent_portfolios,
    recent_runs,
    run_keys,
    warnings_of,
    weighed,
)
from trimtab.show.page import number
from trimtab.show.run import Facts
from trimtab.show.status import flag_document, fleet_text, history_text, record_text, status_text
from trimtab.switch import kill_switch

if TYPE_CHECKING:
    import argparse

    from trimtab.cli.terminal import Terminal
    from trimtab.core.record import Document
    from trimtab.ports import Store, Trades
    from trimtab.settings import Settings

__all__ = ["history", "show", "status"]


def status(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Say how the portfolio stands.

    Raises:
        Misconfigured: the configuration is not usable.
    """
    if arguments.all:
        return _all(settings_of(arguments), terminal)
    document = _status(settings_of(arguments))
    terminal.say(status_text(document, options_of(arguments), terminal.page))
    terminal.document(document)
    return 0


def _all(settings: Settings, terminal: Terminal) -> int:
    """Say how every portfolio of the store stands: each with a configuration, a run or a halt flag there."""
    from trimtab.fleet import portfolios  # noqa: PLC0415 - only --all pays for it

    store, trades = _opened(settings)
    halts = (key.removeprefix("halts/") for key in store.list("halts/"))
    names = sorted({*portfolios(store), *(row["portfolio"] for row in recent_portfolios(trades)), *halts})
    found = [_standing(store, trades, name) for name in names]
    terminal.say(fleet_text(found, settings.store_url, terminal.page))
    terminal.document({"store": settings.store_url, "portfolios": found})
    return 0


def _standing(store: Store, trades: Trades, name: str) -> Document:
    runs, (_rows, cash) = recent_runs(trades, name, 1), holdings_of(trades, name)
    return {
        "portfolio": name,
        "halt": flag_document(kill_switch(store, name)),
        "last_run": runs[0] if runs else None,
        "equity": cash and cash["equity"],
    }


def _status(settings: Settings) -> Document:
    store, trades = _opened(settings)
    runs = recent_runs(trades, settings.portfolio, 1)
    rows, cash = holdings_of(trades, settings.portfolio)
    heard = [run["run_id"] for run in (runs[:1] + rows[:1])]
    return {
        "portfolio": settings.portfolio,
        "mode": settings.mode,
        "store": settings.store_url,
        "halt": flag_document(kill_switch(store, settings.portfolio)),
        "last_run": runs[0] if runs else None,
        "as_of": cash and cash["session"],
        "equity": cash and cash["equity"],
        "cash": cash and cash["cash"],
        "holdings": weighed(rows, number(cash and cash["cash"]) or 0.0, _universe(store, settings, rows)),
        "warnings": warnings_of(trades, heard[0], heard[-1]) if heard else [],
    }


def _opened(settings: Settings) -> tuple[Store, Trades]:
    """Open the store and trades.db; a store that is a file is told of rather than called empty.

    Raises:
        NotADirectoryError: the store is no folder.
    """
    if "://" not in settings.store_url and settings.store_path.exists() and not settings.store_path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), settings.store_url)
    return open_store(settings.store_url)


def _universe(store: Store, settings: Settings, rows: list[Document]) -> set[str] | None:
    """Give what the run that found these holdings might trade; None where its record can't say."""
    if rows:
        folder = f"runs/{settings.portfolio}/{rows[0]['session']}/{rows[0]['run_id']}"
        with suppress(TrimtabError):
            return set(read_record(store, folder)[0]["universe"])
    return None


def history(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """List past runs, the newest last.

    Raises:
        Misconfigured: the configuration is not usable.
    """
    settings = settings_of(arguments)
    runs = recent_runs(_opened(settings)[1], settings.portfolio, arguments.limit)
    empty = f"no run of {settings.portfolio} is recorded in {settings.store_url} yet"
    terminal.say(history_text(runs, terminal.page) or empty)
    terminal.document({"runs": list(reversed(runs))})
    return 0


def _latest(trades: Trades, portfolio: str) -> str | None:
    """Give the id of the last run that trades.db knows; None where it can't be read."""
    with suppress(TrimtabError, OSError):
        runs = recent_runs(trades, portfolio, 1)
        return str(runs[0]["run_id"]) if runs else None
    return None


def show(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Show everything that is recorded of a run.

    Raises:
        Misconfigured: the configuration is not usable, or there is no such run.
    """
    settings = settings_of(arguments)
    store, trades = open_store(settings.store_url)
    keys = run_keys(store, settings.portfolio)
    if not keys and arguments.run == "last":
        terminal.say(f"no run of {settings.portfolio} is recorded in {settings.store_url} yet")
        terminal.document(None)
        return 0
    folder = keys[find_run(keys, arguments.run, _latest(trades, settings.portfolio))]
    record, whole = read_record(store, folder)
    facts = Facts(f"config {record['config_digest'][:12]}", f"{settings.store_url}/{folder}", past=True)
    terminal.say(record_text(record, facts, terminal.page, whole=whole))
    terminal.document(record)
    return 0
