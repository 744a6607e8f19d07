"""Sweep: the verb that plays a grid of backtests, and sets what was best beside what came after."""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from trimtab.adapters.sweep.workers import warm_up
from trimtab.cli.opened import settings_of
from trimtab.cli.progress import Progress
from trimtab.cli.writing import writing
from trimtab.desk import source
from trimtab.errors import Misconfigured
from trimtab.show.sweep import sweep_text
from trimtab.sweep import MODULE, planned, play, read_grid
from trimtab.sweeping.judged import summary

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from trimtab.cli.terminal import Terminal
    from trimtab.core.bars import Bars
    from trimtab.core.record import Document
    from trimtab.farm import Field
    from trimtab.settings import Settings
    from trimtab.sweep import Swept, Work

__all__ = ["sweep"]

FAILED, STOPPED = 3, 130
"""Exit statuses: a cell has no result; stopped by Ctrl-C or SIGTERM."""


def sweep(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Play the cells of a grid that have no result yet, and tell what came of all.

    Raises:
        Misconfigured: the configuration, the grid, the data, a flag or the place for files is not usable.
    """
    if arguments.on == "here":
        warm_up(MODULE)  # it imports on another core while the prices are read on this one
    settings = settings_of(arguments)
    grid_file = Path(arguments.grid)

    def bars(symbols: Sequence[str]) -> tuple[Bars, str]:
        history = source(settings, symbols, arguments.data)
        return history.bars(symbols), history.name

    work = planned(settings, read_grid(grid_file), bars)
    out = Path(arguments.out or grid_file.with_name(f"{grid_file.stem}-sweep"))
    with writing("the results", "name another folder with --out"):
        out.mkdir(parents=True, exist_ok=True)
    terminal.say(f"{len(work.cells):,} cells, {work.source}")
    try:
        with _stoppable(), Progress("sweep") as progress:
            done = _done(arguments, settings, work, out, terminal, progress)
    except KeyboardInterrupt:
        hint = "what is finished is kept: the same command goes on from there"
        terminal.fail({"code": "stopped", "message": "the sweep was stopped", "hint": hint})
        return STOPPED
    document = _document(work, done, _written(arguments, work, done, out))
    terminal.say(sweep_text(document, terminal.page))
    terminal.document(document)
    return FAILED if document["failed"] else 0


def _done(
    arguments: argparse.Namespace,
    settings: Settings,
    work: Work,
    out: Path,
    terminal: Terminal,
    progress: Progress,
) -> Swept:
    if arguments.on == "here":
        return play(work, out, arguments.workers or cores(), progress=progress.tell)
    from trimtab.farm import farmed  # noqa: PLC0415 - only there it is paid for

    return farmed(work, out, _field(arguments, settings), say=terminal.say, progress=progress.tell)


def _field(arguments: argparse.Namespace, settings: Settings) -> Field:
    """Give where a sweep is farmed.

    Raises:
        Misconfigured: no state machine or no bucket is named.
    """
    from trimtab.adapters.stepfunctions import StateMachine  # noqa: PLC0415 - as above
    from trimtab.adapters.stores import open_store  # noqa: PLC0415 - as above
    from trimtab.farm import Field  # noqa: PLC0415 - as above

    url = arguments.to or (f"{settings.store_url}/sweeps" if settings.store_url.startswith("s3://") else "")
    lacking = [flag for flag, value in (("--machine", arguments.machine), ("--to", url)) if not value]
    if lacking or not url.startswith("s3://"):
        raise Misconfigured(
            "usage",
            "a sweep on AWS needs a state machine and a bucket",
            seen=f"no {' and no '.join(lacking)}" if lacking else url,
            allowed="--machine arn:aws:states:… --to s3://bucket/prefix",
            hint="the template's outputs name both: docs/sweep.md",
        )
    url = url.rstrip("/")
    machine = StateMachine(arguments.machine)
    return Field(open_store(url)[0], url, machine, arguments.memory, arguments.cost_limit)


def cores() -> int:
    """Give how many cores this process may use."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM stop a sweep as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _document(work: Work, done: Swept, written: Sequence[Path]) -> Document:
    return {
        "data": work.source,
        "played": done.played,
        **summary(done.outcomes),
        "written": [str(path) for path in written],
    }


def _written(arguments: argparse.Namespace, work: Work, done: Swept, out: Path) -> list[Path]:
    """Write the table, the page and the summary, and name them.

    Raises:
        Misconfigured: a file can't be written.
    """
    from trimtab.evidence.sweep import sweep_html  # noqa: PLC0415 - what is played needs no page
    from trimtab.sweeping.table import frame  # noqa: PLC0415 - as above

    command = " ".join(["trimtab", *map(quote, arguments.words)])
    page = sweep_html(done.outcomes, title=work.cells[0].strategy, source=work.source, command=command)
    table, html, text = out / "results.parquet", out / "sweep.html", out / "summary.json"
    with writing("the results", "name another with --out; what was played is kept in this one"):
        frame(done.outcomes).write_parquet(table)
        html.write_text(page, encoding="utf-8")
        text.write_text(json.dumps(summary(done.outcomes), indent=2) + "\n", encoding="utf-8")
    return [table, html, text]
