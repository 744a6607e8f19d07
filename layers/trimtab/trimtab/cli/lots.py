"""Lots: the verb that says which shares are held since when, and what was realised on those sold."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.adapters.stores import open_store
from trimtab.cli.opened import settings_of
from trimtab.cli.writing import writing
from trimtab.errors import Misconfigured
from trimtab.evidence.taxes import lots_document
from trimtab.show.taxes import lots_text, sales_csv

if TYPE_CHECKING:
    import argparse

    from trimtab.cli.terminal import Terminal
    from trimtab.core.record import Document

__all__ = ["lots"]


def lots(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Show the tax lots of the portfolio, or of one symbol, and what was realised.

    Raises:
        Misconfigured: the configuration is not usable, no share of the symbol was ever held, or the file of
            sales can't be written.
        Halted: a record, or trades.db, is damaged.
        OSError: the store can't be read.
    """
    settings = settings_of(arguments)
    store, trades = open_store(settings.store_url)
    document = lots_document(store, trades, settings.portfolio, arguments.symbol, arguments.year)
    if arguments.symbol is not None and not (document["lots"] or document["years"]):
        raise _unknown(arguments.symbol, lots_document(store, trades, settings.portfolio))
    if arguments.csv is not None:
        with writing("the sales", "name another with --csv"):
            Path(arguments.csv).write_text(sales_csv(document), encoding="utf-8")
    terminal.say(lots_text(document, arguments.symbol, arguments.year, terminal.page))
    if arguments.csv is not None:
        terminal.say(f"\nwrote {len(document['sales'])} lines of sales to {arguments.csv}")
    terminal.document(document)
    return 0


def _unknown(symbol: str, every: Document) -> Misconfigured:
    names = sorted({row["symbol"] for row in (*every["lots"], *every["sales"])})
    near = difflib.get_close_matches(symbol.upper(), names, n=1)
    return Misconfigured(
        "unknown_symbol",
        "no share of that symbol is recorded as held or sold",
        seen=symbol,
        allowed=", ".join(names) or "none: nothing was traded yet",
        hint=f"did you mean {near[0]}?" if near else "trimtab lots shows all of them",
    )
