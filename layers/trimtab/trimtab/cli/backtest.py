"""Backtest: the verb that plays the configured strategy over history."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from trimtab.backtesting import backtest as play
from trimtab.cli.opened import settings_of
from trimtab.cli.progress import Progress
from trimtab.cli.writing import writing
from trimtab.desk import decider, source
from trimtab.show.backtest import Played, backtest_text

if TYPE_CHECKING:
    import argparse

    from trimtab.adapters.strategy_loader import Loaded
    from trimtab.backtesting import Result
    from trimtab.cli.terminal import Terminal
    from trimtab.core.bars import Bars
    from trimtab.core.record import Document
    from trimtab.settings import Settings

__all__ = ["backtest"]

NOT_PROVEN = 3
"""The exit status where the strategy is no pure function of what it is shown."""


def backtest(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Play the strategy, tell what came of it, and write what was asked for.

    Raises:
        Misconfigured: the configuration, the data or a flag is not usable, or a file can't be written.
        Halted: the strategy's weights are not acceptable.
    """
    settings = settings_of(arguments)
    strategy = decider(settings)
    bars, source = _bars(arguments, settings, strategy)
    result = _play(arguments, settings, strategy, bars)
    proof = _proof(strategy, bars, result) if arguments.prove else None
    written = _written(arguments, settings, result)
    years = result.yearly.to_dicts()
    played = Played(settings.strategy.name, source, result.stats, years, result.told(), written)
    terminal.say(backtest_text(played, terminal.page))
    if proof is not None:
        terminal.say("\n" + _proof_text(proof, terminal))
    terminal.document(_document(played, result, proof))
    return NOT_PROVEN if proof is not None and proof["findings"] else 0


def _play(arguments: argparse.Namespace, settings: Settings, strategy: Loaded, bars: Bars) -> Result:
    with Progress("backtest") as progress:
        return play(
            strategy,
            bars,
            start=arguments.start,
            end=arguments.end,
            rebalance=arguments.rebalance or settings.schedule.job_interval,
            fill=arguments.fill,
            cost_bps=arguments.cost_bps,
            cash=arguments.cash,
            plan=arguments.plan,
            config=settings,
            cost_per_share=arguments.cost_per_share,
            cost_minimum=arguments.cost_minimum,
            fractional=settings.execution.fractional,
            interest=arguments.interest,
            contributions=arguments.contribution,
            benchmark=arguments.benchmark,
            progress=progress.tell,
        )


def _bars(arguments: argparse.Namespace, settings: Settings, strategy: Loaded) -> tuple[Bars, str]:
    """Give the bars of the universe and the benchmark, and where they are from.

    Raises:
        Misconfigured: there are none, or a file is not usable.
    """
    wanted = sorted({*strategy.symbols, *([arguments.benchmark] if arguments.benchmark else ())})
    history = source(settings, wanted, arguments.data)
    return history.bars(wanted), history.name


def _proof(strategy: Loaded, bars: Bars, result: Result) -> Document:
    from trimtab.evidence.prove import prove  # noqa: PLC0415 - only --prove pays for it

    rows, lookback = [row for row, _, _ in result.asked], strategy.lookback_sessions
    with Progress("proof") as progress:
        shown = bars.select(strategy.symbols)
        return prove(strategy, shown, rows, lookback=lookback, progress=progress.tell).document()


def _proof_text(proof: Document, terminal: Terminal) -> str:
    from trimtab.show.proof import proof_text  # noqa: PLC0415 - as above

    return proof_text(proof, terminal.page)


def _written(arguments: argparse.Namespace, settings: Settings, result: Result) -> tuple[str, ...]:
    """Write the page and the tables that were asked for, and name them.

    Raises:
        Misconfigured: a file can't be written.
    """
    with writing("the result", "name another with --report or --out"):
        page = [_page(arguments, settings, result)] if arguments.report else []
        tables = _tables(Path(arguments.out), result) if arguments.out else []
    return tuple(str(path) for path in page + tables)


def _page(arguments: argparse.Namespace, settings: Settings, result: Result) -> Path:
    from trimtab.evidence.report import report_html  # noqa: PLC0415 - only --report pays for it

    path, command = Path(arguments.report), " ".join(["trimtab", *map(quote, arguments.words)])
    config = {"strategy": settings.strategy.model_dump(mode="json"), **result.terms}
    page = report_html(result, title=settings.strategy.name, config=config, command=command)
    path.write_text(page, encoding="utf-8")
    return path


def _tables(folder: Path, result: Result) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    frames = {"equity": result.equity, "trades": result.trades, "weights": result.weights}
    if result.planned:
        frames["reasons"] = result.reasons
    written = []
    for name, frame in frames.items():
        written.append(folder / f"{name}.parquet")
        frame.write_parquet(written[-1])
    stats = folder / "stats.json"
    stats.write_text(json.dumps({"terms": result.terms, "stats": dict(result.stats)}, indent=2) + "\n")
    return [*written, stats]


def _document(played: Played, result: Result, proof: Document | None) -> Document:
    document: Document = {
        "strategy": played.strategy,
        "data": played.source,
        "terms": dict(result.terms),
        "stats": played.stats,
        "yearly": [dict(year) for year in played.yearly],
        "notes": [dict(zip(("session", "code", "message"), note, strict=True)) for note in played.notes],
        "written": list(played.written),
    }
    return document if proof is None else document | {"proof": proof}
