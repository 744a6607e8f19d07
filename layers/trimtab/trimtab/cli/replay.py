"""Replay: the verbs that work from the records alone: replay, verify, rebuild."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from trimtab.adapters.inputs import read_inputs
from trimtab.adapters.sqlite import SqliteTrades
from trimtab.adapters.stores import open_store
from trimtab.adapters.strategy_loader import resolve
from trimtab.cli.opened import settings_of
from trimtab.desk import code_digest, on_loopback
from trimtab.errors import Misconfigured
from trimtab.evidence.books import audited, loose
from trimtab.evidence.ledger import find_run, run_keys
from trimtab.evidence.replay import PRUNED, Decider, Replayer
from trimtab.show.replay import replay_text
from trimtab.stations import past
from trimtab.strategies import BUILT_IN

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from trimtab.cli.terminal import Terminal
    from trimtab.core.record import Document
    from trimtab.evidence.replay import Replayed
    from trimtab.settings import Settings

__all__ = ["rebuild", "replay", "verify"]

DIFFERS = 3


def replay(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Work one recorded run out again, or all of them; exit 3 unless every plan is byte-equal.

    Runs whose inputs were pruned count as standing only where the owner says so.

    Raises:
        Misconfigured: the configuration is not usable, or there is no such run.
    """
    settings = settings_of(arguments)
    replayer, keys = _replayer(settings)
    wanted = keys.values() if arguments.all else [keys[find_run(keys, arguments.run)]]
    replays = (replayer.replay(folder) for folder in wanted)
    return _told(replays, settings, terminal, pruned=arguments.allow_pruned)


def verify(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Hold every recorded file against its sums and digests, and trades.db against the records.

    The exit status is 3 where one is not as it was written.

    Raises:
        Misconfigured: the configuration is not usable.
    """
    settings = settings_of(arguments)
    replayer, keys = _replayer(settings)
    runs = [replayer.verify(folder) for folder in keys.values()]
    files = loose(replayer.store, settings.portfolio, replayer.witnessed)
    with TemporaryDirectory() as folder:
        made = SqliteTrades(Path(folder) / "trades.db")
        books = audited(replayer.store, open_store(settings.store_url)[1], made)
    more = {"files": files, "database": books.document()}
    return _told(runs, settings, terminal, more, stands=books.stands and not files, pruned=True)


def rebuild(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Make trades.db anew from the records of every portfolio of the store; the old one is set aside.

    Raises:
        Misconfigured: the configuration is not usable, or there is no record.
        Halted: a record is damaged; trades.db stays as it is.
    """
    settings = settings_of(arguments)
    store, trades = open_store(settings.store_url)
    if not past.folders(store, "runs/"):
        raise Misconfigured(
            "no_records",
            "there is no record to make trades.db from",
            seen=f"no whole run in {settings.store_url}",
            allowed="a store with recorded runs",
            hint="look at store.url and --config",
        )
    before = _aside(settings)
    runs = past.rebuild(store, trades)
    aside = sorted(_aside(settings) - before)
    kept = f"; the one before is {aside[0]}" if aside else ""
    path = f"{settings.store_url}/trades.db"
    terminal.say(f"{path} is made anew from the records of {runs} run{'s' * (runs != 1)}{kept}")
    terminal.document({"database": path, "runs": runs, "set_aside": aside[0] if aside else None})
    return 0


def _aside(settings: Settings) -> set[str]:
    """Give the databases that stand aside in a directory; in a bucket nobody lists them."""
    if "://" in settings.store_url:
        return set()
    return {str(path) for path in settings.store_path.glob("trades.db.aside-*")}


def _replayer(settings: Settings) -> tuple[Replayer, dict[str, str]]:
    """Give what replays, and the folder of every run by its id, oldest first."""
    store, _ = open_store(settings.store_url)
    decider = _Deciders(settings.folder)
    return Replayer(store, read_inputs, decider, on_loopback), run_keys(store, settings.portfolio)


class _Deciders:
    """Finds the strategy that a record names, as it is here now, and the digest of the code around it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, config: Document) -> Decider:
        """Give it; without a rule where it can't be loaded."""
        named = config["strategy"]
        try:
            loaded = resolve(named["name"], named.get("params"), self._folder, BUILT_IN)
        except Misconfigured:
            return Decider(None, "")
        return Decider(loaded, code_digest(loaded.file))


def _told(
    replays: Iterable[Replayed],
    settings: Settings,
    terminal: Terminal,
    more: Document | None = None,
    *,
    stands: bool = True,
    pruned: bool = False,
) -> int:
    """Tell what came of the runs, and of `more` than them, and give the exit status.

    `pruned`: runs whose inputs were pruned stand.
    """
    runs = [
        replayed.document() | {"stands": replayed.stands or (pruned and replayed.result == PRUNED)}
        for replayed in replays
    ]
    stands = stands and all(run["stands"] for run in runs)
    document = {
        "portfolio": settings.portfolio,
        "store": settings.store_url,
        "stands": stands,
        "runs": runs,
    } | (more or {})
    terminal.say(replay_text(document, terminal.page))
    terminal.document(document)
    return 0 if stands else DIFFERS
