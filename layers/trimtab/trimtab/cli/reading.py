"""Reading: the verbs that read the store and never write it: status, history, show."""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from datetime import date, timedelta
from typing import TYPE_CHECKING

from trimtab.adapters.clock import SystemClock
from trimtab.adapters.stores import open_store
from trimtab.cli.opened import options_of, settings_of
from trimtab.core.nyse import sessions
from trimtab.core.schedule import NEW_YORK, session_of
from trimtab.errors import TrimtabError
from trimtab.evidence.board.standing import next_run
from trimtab.evidence.holding import holding_documents
from trimtab.evidence.ledger import (
    Wanted,
    equity_of,
    find_run,
    found,
    read_unsealed,
    recent_portfolios,
    recent_runs,
    run_keys,
    warnings_of,
)
from trimtab.evidence.returns import returns
from trimtab.settings.model import PORTFOLIO
from trimtab.show.page import number
from trimtab.show.run import Facts
from trimtab.show.status import flag_document, fleet_text, history_text, record_text, status_text
from trimtab.switch import kill_switch

if TYPE_CHECKING:
    import argparse

    from trimtab.cli.terminal import Terminal
    from trimtab.core.record import Document
    from trimtab.evidence.ledger import Found
    from trimtab.ports import Store, Trades
    from trimtab.settings import Settings

__all__ = ["history", "show", "status"]

ONE_DAY, LOOK_AHEAD = timedelta(days=1), timedelta(days=12)
"""The exchange never stays closed for longer than the second by rule."""


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
    flags = (key.removeprefix("halts/") for key in store.list("halts/"))
    halts = filter(re.compile(PORTFOLIO).fullmatch, flags)  # doctor tries the store with a flag of its own
    names = sorted({*portfolios(store), *(row["portfolio"] for row in recent_portfolios(trades)), *halts})
    found = [_standing(store, trades, name) for name in names]
    terminal.say(fleet_text(found, settings.store_url, terminal.page))
    terminal.document({"store": settings.store_url, "portfolios": found})
    return 0


def _standing(store: Store, trades: Trades, name: str) -> Document:
    runs = recent_runs(trades, name, 1)
    return {
        "portfolio": name,
        "halt": flag_document(kill_switch(store, name)),
        "last_run": runs[0] if runs else None,
        "equity": equity_of(trades, name),
    }


def _status(settings: Settings) -> Document:
    store, trades = _opened(settings)
    runs = recent_runs(trades, settings.portfolio, 1)
    seen = found(trades, settings.portfolio)
    heard = [run["run_id"] for run in runs] + ([] if seen is None else [seen.run_id])
    record = None if seen is None else _record(store, settings, seen)
    universe = None if record is None else record["universe"]
    execution = settings.execution.model_dump() if record is None else record["config"]["execution"]
    cash, rows = (0.0, []) if seen is None else (number(seen.cash) or 0.0, seen.rows)
    due, missed = _due(settings, runs[0]) if runs else (None, 0)
    return {
        "portfolio": settings.portfolio,
        "mode": settings.mode,
        "store": settings.store_url,
        "halt": flag_document(kill_switch(store, settings.portfolio)),
        "last_run": runs[0] if runs else None,
        "next_run": due,
        "missed_sessions": missed,
        "as_of": seen and seen.session,
        "equity": equity_of(trades, settings.portfolio),
        "cash": seen and seen.cash,
        "holdings": holding_documents(rows, cash, execution, universe),
        "returns": returns(trades, settings.portfolio),
        "warnings": warnings_of(trades, heard[0], heard[-1]) if heard else [],
    }


def _due(settings: Settings, last: Document) -> tuple[str | None, int]:
    """Give when the next run is due (New York), and how many sessions went by since the last one.

    Simulated mode has a clock of its own, on which nothing is due.
    """
    after = None if last["session"] is None else date.fromisoformat(last["session"]) + ONE_DAY
    if settings.mode == "simulated":
        return (None if after is None else str(sessions(after, after + LOOK_AHEAD)[0])), 0
    now, schedule = SystemClock().now(), settings.schedule
    due = next_run(now, schedule.run_time, schedule.timezone)
    text = None if due is None else f"{due.astimezone(NEW_YORK):%Y-%m-%d %H:%M}"
    return text, 0 if after is None else len(sessions(after, session_of(now) - ONE_DAY))


def _opened(settings: Settings) -> tuple[Store, Trades]:
    """Open the store and trades.db; a store that is a file is told of rather than called empty.

    Raises:
        NotADirectoryError: the store is no folder.
    """
    if "://" not in settings.store_url and settings.store_path.exists() and not settings.store_path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), settings.store_url)
    return open_store(settings.store_url)


def _record(store: Store, settings: Settings, seen: Found) -> Document | None:
    """Give the record of the run that found these holdings; None where it is missing or damaged."""
    with suppress(TrimtabError):
        return read_unsealed(store, f"runs/{settings.portfolio}/{seen.session}/{seen.run_id}")[0]
    return None


def history(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """List past runs, or those of them that are asked for, the newest last.

    Raises:
        Misconfigured: the configuration is not usable.
    """
    settings = settings_of(arguments)
    wanted = Wanted(arguments.since, arguments.until, tuple(arguments.outcome), arguments.symbol)
    runs = recent_runs(_opened(settings)[1], settings.portfolio, arguments.limit, wanted)
    kind = "such run" if wanted != Wanted() else "run"
    empty = f"no {kind} of {settings.portfolio} is recorded in {settings.store_url}"
    terminal.say(history_text(runs, terminal.page) or empty + " yet" * (kind == "run"))
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
    record, whole = read_unsealed(store, folder)
    facts = Facts(f"config {record['config_digest'][:12]}", f"{settings.store_url}/{folder}", past=True)
    terminal.say(record_text(record, facts, terminal.page, whole=whole))
    terminal.document(record)
    return 0
