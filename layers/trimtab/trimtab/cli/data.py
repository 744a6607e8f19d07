"""Data: the verb that fetches daily bars into a file, and checks a file of them."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from trimtab.adapters.cache import read_cache, write_cache
from trimtab.adapters.files import read_rows_of
from trimtab.adapters.sources import HISTORY_FROM
from trimtab.cli.opened import options_of, program, settings_of
from trimtab.cli.progress import Progress
from trimtab.cli.writing import writing
from trimtab.core.gates import judge_file
from trimtab.core.limits import Gates
from trimtab.desk import decider, feed
from trimtab.errors import Halted, Misconfigured
from trimtab.ports import Unauthorized, Unreachable
from trimtab.show.data import check_document, check_text, fetch_document, fetch_text
from trimtab.stations.gather import Wanted, gather, last_complete

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from datetime import date

    from trimtab.cli.terminal import Terminal
    from trimtab.core.append import Archive, Gathered
    from trimtab.settings import Settings

__all__ = ["data"]

WOULD_HALT = 3
"""The exit status where a run on such bars would send nothing."""


def data(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Do the part of the verb that was asked for.

    Raises:
        Misconfigured: the configuration, a file or a flag is not usable.
        Halted: Alpaca can't be read.
    """
    return _fetch(arguments, terminal) if arguments.part == "fetch" else _check(arguments, terminal)


def _fetch(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Fetch bars into a file, or bring it up to date, and say what came.

    Raises:
        Misconfigured: the configuration, the file or a flag is not usable.
        Halted: Alpaca can't be read, or has no bar of any symbol.
    """
    settings = settings_of(arguments)
    path = _target(arguments, settings)
    kept = read_cache(path)
    if kept is not None and not arguments.anew:
        _same_series(kept, settings, path)
    symbols = tuple(arguments.symbol) or decider(settings).symbols
    gathered = _gathered(arguments, settings, None if arguments.anew else kept, symbols)
    written = _write(path, gathered.archive)
    document = fetch_document(gathered, str(path), kept, written=written)
    command = f"{program()} backtest --data {quote(str(path))}{options_of(arguments)}"
    terminal.say(fetch_text(document, command, terminal.page))
    terminal.document(document)
    return 0


def _target(arguments: argparse.Namespace, settings: Settings) -> Path:
    """Give the file to write.

    Raises:
        Misconfigured: the dates cross, or it is no parquet file's name.
    """
    if arguments.start and arguments.end and arguments.end < arguments.start:
        raise Misconfigured(
            "usage", "--end lies before --start", seen=arguments.end, allowed=f"{arguments.start} or later"
        )
    path = Path(arguments.out) if arguments.out else settings.data_file
    if path.suffix.lower() != ".parquet":
        raise Misconfigured(
            "data_file",
            "bars are fetched into a parquet file",
            seen=path.name,
            allowed=".parquet",
            hint="name one with --out",
        )
    return path


def _same_series(kept: Archive, settings: Settings, path: Path) -> None:
    """Refuse to put bars of another feed or adjustment beside those of a file.

    Raises:
        Misconfigured: the configuration names another.
    """
    asked = {"feed": settings.data.feed, "adjustment": settings.data.adjustment}
    there = {"feed": kept.feed, "adjustment": kept.adjustment}
    if asked != there:
        raise Misconfigured(
            "another_series",
            f"{path.name} holds another series than the configuration asks for, and is left as it is",
            seen=", ".join(f"data.{name} {asked[name]}" for name in asked if asked[name] != there[name]),
            allowed=", ".join(f"{there[name]}" for name in asked if asked[name] != there[name]),
            hint="fetch into another file with --out, replace this one with --anew, or set data.* to it",
        )


def _gathered(
    arguments: argparse.Namespace, settings: Settings, kept: Archive | None, symbols: tuple[str, ...]
) -> Gathered:
    """Ask Alpaca.

    Raises:
        Misconfigured: keys or hosts are not usable, or the dates cross.
        Halted: it can't be read, or has no bar of any symbol.
    """
    with _telling(), feed(settings, os.environ) as (market, broker), Progress("fetching bars") as progress:
        through = last_complete(broker, arguments.end)
        start = arguments.start or (kept.start if kept else HISTORY_FROM)
        _judge_span(start, through)
        wanted = Wanted(settings.data.feed, settings.data.adjustment, symbols, start, through)
        gathered = gather(market, kept, wanted, progress.tell)
    if not set(gathered.archive.bars.symbols) - set(gathered.gone):
        raise Halted(
            "no_bars",
            "the feed has no bar of any of these symbols, so nothing is written",
            seen=", ".join([*gathered.absent, *gathered.gone][:20]),
            allowed="symbols as Alpaca spells them (BRK.B)",
            hint="check the spelling, and --start and --end",
        )
    return gathered


def _judge_span(start: date, through: date) -> None:
    """Refuse a span without a whole session.

    Raises:
        Misconfigured: it begins after the last whole session.
    """
    if start > through:
        raise Misconfigured(
            "usage",
            "there is no whole session to fetch",
            seen=f"--start {start}",
            allowed=f"{through} or before",
            hint="a session counts once its New York day is over",
        )


@contextmanager
def _telling() -> Iterator[None]:
    """Tell a person why Alpaca could not be read.

    Raises:
        Halted: it could not.
    """
    try:
        yield
    except Unauthorized as error:
        raise Halted(
            "unauthorized",
            "Alpaca does not accept the keys",
            seen=error,
            allowed="keys of this host",
            hint="check APCA_API_KEY_ID and APCA_API_SECRET_KEY; of a live account, set APCA_API_BASE_URL",
        ) from error
    except Unreachable as error:
        raise Halted(
            "unreachable",
            "Alpaca's data can't be read; the file is as it was",
            seen=error,
            allowed="clear answers within the retry budget",
            hint="fetch again when it answers",
        ) from error


def _write(path: Path, archive: Archive) -> bool:
    """Write the file; say whether it changed.

    Raises:
        Misconfigured: it can't be written.
    """
    with writing("the bars", "the file is as it was: name another with --out"):
        return write_cache(path, archive)


def _gates(arguments: argparse.Namespace) -> Gates:
    """Give the configuration's thresholds where there is one, else the usual ones.

    Raises:
        Misconfigured: there is one, and it is not usable.
    """
    there = arguments.config is not None or Path("config.json").is_file()
    return settings_of(arguments).data.gates if there else Gates()


def _check(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Say what is wrong with a file of bars; exit status 3 where a run would halt on them.

    Raises:
        Misconfigured: there is no such file, it can't be read, or it lacks a column.
    """
    file = Path(arguments.file) if arguments.file else settings_of(arguments).data_file
    rows = read_rows_of(file)
    told = {(finding.symbol, finding.session) for finding in rows.findings if finding.rule == "bad_number"}
    doubts = judge_file(rows.bars, rows.actions, _gates(arguments))
    doubts = [
        doubt for doubt in doubts if doubt.rule != "bad_price" or (doubt.symbol, doubt.session) not in told
    ]
    findings = [*rows.findings, *doubts]
    document = check_document(file.name, rows.bars, rows.actions, findings)
    terminal.say(check_text(document, terminal.page))
    terminal.document(document)
    return WOULD_HALT if document["halts"] else 0
