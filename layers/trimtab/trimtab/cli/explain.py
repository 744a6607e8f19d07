"""Explain: the verb that says why a run ordered what it did, and left the rest alone."""

from __future__ import annotations

import difflib
from contextlib import suppress
from typing import TYPE_CHECKING

from trimtab.adapters.stores import open_store
from trimtab.cli.opened import settings_of
from trimtab.errors import Misconfigured, TrimtabError
from trimtab.evidence.explain import explain as explained
from trimtab.evidence.ledger import find_run, run_keys
from trimtab.evidence.taxes import estimates
from trimtab.show.explain import explain_text
from trimtab.stations.past import read_record

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from trimtab.cli.terminal import Terminal
    from trimtab.evidence.explain import Explained

__all__ = ["explain"]


def explain(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Say of every symbol of a run, or of one, what led to its order or its hold.

    Raises:
        Misconfigured: the configuration is not usable, or there is no such run or symbol.
        Halted: the record is damaged.
    """
    settings = settings_of(arguments)
    store, trades = open_store(settings.store_url)
    keys = run_keys(store, settings.portfolio)
    record = read_record(store, keys[find_run(keys, arguments.run)])
    taxes = None
    with suppress(TrimtabError, OSError):  # the chain is told also where trades.db, or another record, is not
        taxes = estimates(store, trades, record)
    chains = _chosen(explained(record, taxes), arguments.symbol)
    document = {name: record[name] for name in ("run_id", "session", "outcome", "reason")}
    document["symbols"] = [chain.document() for chain in chains]
    terminal.say(explain_text(document, terminal.page))
    terminal.document(document)
    return 0


def _chosen(chains: Sequence[Explained], symbol: str | None) -> Sequence[Explained]:
    """Give the chain of a symbol, or all where none is asked for.

    Raises:
        Misconfigured: the run's plan does not know it.
    """
    found = [chain for chain in chains if symbol in {None, chain.symbol}]
    if found or symbol is None:
        return found
    names = [chain.symbol for chain in chains]
    near = difflib.get_close_matches(symbol.upper(), names, n=1)
    raise Misconfigured(
        "unknown_symbol",
        "the run's plan does not know that symbol",
        seen=symbol,
        allowed=", ".join(names) or "none: the run ended before its plan",
        hint=f"did you mean {near[0]}?" if near else "symbols are those of the run's universe",
    )
