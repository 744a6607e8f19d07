"""Diff: the verb that says what changed between two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.adapters.stores import open_store
from trimtab.cli.opened import settings_of
from trimtab.evidence.diff import diff as differences
from trimtab.evidence.ledger import find_run, run_keys
from trimtab.show.diff import diff_text
from trimtab.stations.past import folders, read_record

if TYPE_CHECKING:
    import argparse

    from trimtab.cli.terminal import Terminal

__all__ = ["diff"]


def diff(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Say what changed from the earlier of two runs to the later, and what made their plans differ.

    Raises:
        Misconfigured: the configuration is not usable, or there is no such run.
        Halted: a record is damaged.
    """
    settings = settings_of(arguments)
    store, _ = open_store(settings.store_url)
    keys = run_keys(store, settings.portfolio)
    first, second = sorted(find_run(keys, wanted) for wanted in (arguments.run, arguments.other))
    whole = set(folders(store, f"runs/{settings.portfolio}/"))
    between = [keys[run_id] for run_id in keys if first < run_id < second and keys[run_id] in whole]
    wanted = dict.fromkeys((keys[first], *between, keys[second]))
    document = differences([read_record(store, folder) for folder in wanted])
    terminal.say(diff_text(document, terminal.page))
    terminal.document(document)
    return 0
