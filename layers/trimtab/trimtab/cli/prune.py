"""Prune: the verb that takes old inputs out of the store; it lists them unless it is told to remove them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from trimtab.adapters.applog import AppLog
from trimtab.adapters.clock import SystemClock
from trimtab.adapters.stores import open_store
from trimtab.cli.opened import options_of, person, program, settings_of
from trimtab.evidence import prune as pruning
from trimtab.settings import redactor
from trimtab.show.prune import prune_text
from trimtab.stations.evidence import stamp

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from trimtab.cli.terminal import Terminal
    from trimtab.core.record import Document
    from trimtab.evidence.prune import Old
    from trimtab.ports import Store
    from trimtab.settings import Settings

__all__ = ["prune"]


def prune(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """List the old inputs of a portfolio, or with --no-dry-run remove them.

    Raises:
        Misconfigured: the configuration is not usable.
        OSError: the store can't be read or written.
    """
    settings = settings_of(arguments)
    store, _ = open_store(settings.store_url)
    folders = pruning.old_folders(
        store, settings.portfolio, older_than=arguments.older_than, keep=arguments.keep_sessions
    )
    found = [old for folder in folders if (old := pruning.look(store, folder)) is not None]
    if not arguments.dry_run:
        _remove(store, [old for old in found if not old.fault], settings)
    document = _document(found, settings, dry_run=arguments.dry_run)
    asked = (
        f"--older-than {arguments.older_than}d"
        if arguments.older_than is not None
        else f"--keep-sessions {arguments.keep_sessions}"
    )
    command = f"{program()} prune {asked} --no-dry-run{options_of(arguments)}"
    terminal.say(prune_text(document, command, terminal.page))
    terminal.document(document)
    return 0


def _remove(store: Store, olds: list[Old], settings: Settings) -> None:
    """Remove what was listed, and log it once."""
    if not olds:
        return
    at, who = stamp(SystemClock().now()), person()
    for old in olds:
        pruning.remove(store, old, at=at, who=who)
    log = AppLog(settings.log_file, written=redactor(os.environ).line)
    size = sum(old.size for old in olds)
    log.line("prune", portfolio=settings.portfolio, who=who, runs=len(olds), bytes=size)
    log.close()


def _document(found: list[Old], settings: Settings, *, dry_run: bool) -> Document:
    rows = list(_rows(found, dry_run=dry_run))
    return {
        "portfolio": settings.portfolio,
        "store": settings.store_url,
        "dry_run": dry_run,
        "bytes": sum(row["bytes"] for row in rows if row["fault"] is None),
        "runs": rows,
    }


def _rows(found: list[Old], *, dry_run: bool) -> Iterator[Document]:
    for old in found:
        yield {
            "run_id": old.run_id,
            "session": old.session,
            "bytes": old.size,
            "removed": not (dry_run or old.fault),
            "fault": old.fault or None,
        }
