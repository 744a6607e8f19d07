"""Compare: the verb that sets recorded runs beside the backtest of the same sessions."""

from __future__ import annotations

import json
import os
from datetime import date, timedelta
from typing import TYPE_CHECKING

from trimtab.adapters.inputs import read_inputs
from trimtab.adapters.sources import FeedSource, TapeSource
from trimtab.adapters.stores import open_store
from trimtab.backtesting.terms import Costs
from trimtab.cli.opened import settings_of
from trimtab.cli.progress import Progress
from trimtab.desk import decider, feed, replayed, source
from trimtab.errors import Halted
from trimtab.evidence.compare import Player
from trimtab.evidence.compare import compare as set_beside
from trimtab.evidence.ledger import REPAIR, find_run, run_keys
from trimtab.evidence.witness import chained, days_of, scaled, stretch, unbroken
from trimtab.ports import Unauthorized, Unreachable
from trimtab.show.compare import compare_text
from trimtab.stations.past import folders, read_record

if TYPE_CHECKING:
    import argparse

    from trimtab.adapters.strategy_loader import Loaded
    from trimtab.cli.terminal import Terminal
    from trimtab.core.bars import Bars
    from trimtab.core.record import Document
    from trimtab.evidence.witness import Day
    from trimtab.ports import Store
    from trimtab.settings import Settings

__all__ = ["compare"]


def compare(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Say by how much the account and its backtest differ, and why.

    Raises:
        Misconfigured: the configuration, a run's name or a file is not usable, or there are too few runs.
        Halted: a record is damaged, the feed can't be read, or the strategy's weights are not acceptable.
    """
    settings = settings_of(arguments)
    (store, _), strategy = open_store(settings.store_url), decider(settings)
    first, last = _range(arguments, store, settings.portfolio)
    runs = _runs(store, settings.portfolio, first, last)
    days = stretch(
        days_of(runs, _plans(store, settings.portfolio, first, last)), bars_needed=not arguments.data
    )
    bars, source = _prices(arguments, settings, strategy.symbols, days)
    found = set_beside(days, bars, _player(arguments, settings, strategy))
    document = _head(settings, runs, days) | {"prices": source} | found.document()
    terminal.say(compare_text(document, terminal.page))
    terminal.document(document)
    return 0


def _player(arguments: argparse.Namespace, settings: Settings, strategy: Loaded) -> Player:
    return Player(
        strategy,
        strategy.lookback_sessions,
        strategy.least_history,
        settings.schedule.job_interval,
        settings.execution,
        settings.risk,
        Costs(arguments.cost_bps),
    )


def _prices(
    arguments: argparse.Namespace, settings: Settings, symbols: tuple[str, ...], days: list[Day]
) -> tuple[Bars, str]:
    """Give the prices to compare at, and where they are from.

    Raises:
        Misconfigured: the file is not usable.
        Halted: the feed can't be read.
    """
    if arguments.data:
        history = source(settings, symbols, arguments.data)
        return scaled(history.bars(symbols), days[0], symbols), history.name
    if unbroken(days):
        return chained(days, symbols), "the runs' own"
    first = min(day.bars.sessions[0] for day in days if day.bars is not None).item()
    last = date.fromisoformat(str(days[-1].session)) - timedelta(days=1)
    bars = _again(settings, symbols, first, last)
    return scaled(bars, days[0], symbols), "fetched anew: the runs looked back too little"


def _again(settings: Settings, symbols: tuple[str, ...], first: date, last: date) -> Bars:
    """Ask for bars anew, of what the runs asked: the exchange that is replayed, or the feed.

    Raises:
        Halted: it can't be read.
    """
    if settings.mode == "simulated":
        tape = TapeSource(replayed(settings, symbols), settings.data.adjustment)
        return tape.bars(symbols, first, last)
    try:
        with feed(settings, os.environ) as (market, _):
            return FeedSource(market, settings.data.feed, last).bars(symbols, first)
    except (Unreachable, Unauthorized) as error:
        raise Halted(
            "unreachable",
            "the runs looked back too little to compare them, and the feed can't be read",
            seen=error,
            allowed="a clear answer, or a file",
            hint="try again when it answers, or give --data FILE (`trimtab data fetch` makes one)",
        ) from error


def _range(arguments: argparse.Namespace, store: Store, portfolio: str) -> tuple[str, str]:
    """Give the first and the last session that may be compared: as dated, and as the named runs span.

    Raises:
        Misconfigured: a name stands for no run, or for several.
    """
    keys = run_keys(store, portfolio) if arguments.run else {}
    named = sorted(keys[find_run(keys, name)].split("/")[2] for name in arguments.run)
    first, last = str(arguments.start or ""), str(arguments.end or "9999")
    if named:
        first = max(first, named[0])
    if len(named) > 1:
        last = min(last, named[-1])
    return first, last


def _runs(store: Store, portfolio: str, first: str, last: str) -> list[tuple[Document, Bars | None]]:
    """Give the complete records of these sessions, each with the bars that it saw, oldest first; no dry ones.

    Raises:
        Halted: one is damaged.
    """
    within = [f for f in folders(store, f"runs/{portfolio}/") if first <= f.split("/")[2] <= last]
    runs = []
    with Progress("reading runs") as progress:
        for i, folder in enumerate(within):
            progress.tell(i / len(within))
            record = read_record(store, folder)
            if not record["dry_run"]:
                runs.append((record, _bars(store, folder)))
    return runs


def _bars(store: Store, folder: str) -> Bars | None:
    """Give the bars that a run saw; None where it saw none.

    Raises:
        Halted: they are damaged.
    """
    key = f"{folder}/inputs.parquet"
    blob = store.get(key)
    try:
        return None if blob is None else read_inputs(blob)
    except ValueError as error:
        raise Halted(
            "record_damaged",
            f"{key} is not what was written",
            seen=error,
            allowed="the bars that the run saw",
            hint=REPAIR,
        ) from error


def _plans(store: Store, portfolio: str, first: str, last: str) -> dict[str, Document]:
    """Give the stored plans of these sessions, by session."""
    plans = {}
    for key in store.list(f"plans/{portfolio}/"):
        session = key.rsplit("/", 1)[1].removesuffix(".json")
        if first <= session <= last:
            plans[session] = json.loads(store.get(key) or b"null")
    return plans


def _head(settings: Settings, runs: list[tuple[Document, Bars | None]], days: list[Day]) -> Document:
    """Say what is compared."""
    within = {str(day.session) for day in days}
    digests = [record["config_digest"] for record, _ in runs if record["session"] in within]
    return {
        "portfolio": settings.portfolio,
        "mode": settings.mode,
        "strategy": settings.strategy.name,
        "runs": len(digests),
        "runs_of_another_config": sum(1 for digest in digests if digest != settings.digest()),
    }
