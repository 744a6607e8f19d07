"""Sweep: the composition root of a sweep: what the grid asks for, the strategy, the prices, who plays."""

from __future__ import annotations

import functools
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trimtab.adapters.modules import as_loaded
from trimtab.adapters.strategy_loader import factory_of
from trimtab.adapters.sweep import Kept, Lost, Workers, map_prices, write_prices
from trimtab.core.record import canonical, digest, inputs_digest
from trimtab.desk import code_digest, decider
from trimtab.errors import Misconfigured, TrimtabError
from trimtab.settings import Settings, Strategy
from trimtab.settings.loading import parse
from trimtab.strategies import BUILT_IN
from trimtab.sweeping.cells import Cell, cells_of, windows
from trimtab.sweeping.grid import CODE, Grid
from trimtab.sweeping.judged import Outcome
from trimtab.sweeping.trial import Common, trial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from trimtab.core.bars import Bars
    from trimtab.core.record import Document

__all__ = [
    "Job",
    "Swept",
    "Work",
    "code_of",
    "failure",
    "is_failure",
    "planned",
    "play",
    "player",
    "read_grid",
    "swept",
]

MODULE = "trimtab.sweep"
LOST = "worker_died"
MOST_REFUSED = 200
"""If the params of so many cells are refused, the strategy or the grid is wrong."""


@dataclass(frozen=True, slots=True)
class Job:
    """What all cells of a sweep share, as JSON holds it, so that it can be sent to whoever plays them.

    `settings` is the part of the configuration that decides what a backtest trades; `universes` the symbols
    by name; `gives_symbols` whether the factory takes them; `prices` the digest of each one's bars.
    """

    settings: Document
    plan: str
    cash: float
    universes: Mapping[str, Sequence[str]]
    gives_symbols: bool
    prices: Mapping[str, str]
    code: str

    def document(self) -> Document:
        """Give it as JSON holds it."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def common(self) -> str:
        """The digest of what all cells share, beside their prices and the code."""
        return digest({"settings": self.settings, "plan": self.plan, "cash": self.cash})

    def digest(self, cell: Cell) -> str:
        """Give what names a cell's result."""
        return cell.digest(self.common, self.prices[cell.universe], self.code)

    def settings_of(self, settings: Settings, cell: Cell) -> Settings:
        """Give the settings that a cell is played with."""
        symbols = tuple(self.universes[cell.universe])
        params = {**cell.params, **({"symbols": list(symbols)} if self.gives_symbols else {})}
        own = Strategy(name=cell.strategy, params=params)
        return settings.model_copy(update={"strategy": own, "universe": symbols})


@dataclass(frozen=True, slots=True)
class Work:
    """A sweep before it begins: its job, its cells and their digests, and the bars of each universe."""

    job: Job
    folder: Path
    cells: tuple[Cell, ...]
    digests: tuple[str, ...]
    bars: dict[str, Bars]
    source: str


@dataclass(frozen=True, slots=True)
class Swept:
    """What came of a sweep: an outcome a cell, in the order of the grid, and how many were played now."""

    outcomes: tuple[Outcome, ...]
    played: int


def read_grid(path: Path) -> Grid:
    """Give the grid of a file.

    Raises:
        Misconfigured: it can't be read, is no JSON, names a key twice, or holds what no grid has.
    """
    try:
        document = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Misconfigured(
            CODE,
            f"{path.name} is no grid that can be read: {getattr(error, 'strerror', None) or error}",
            seen=path,
            allowed="a JSON object",
            hint="docs/sweep.md shows a grid with every key",
        ) from error
    return Grid.of(document)


# Before: what is to be played


def planned(settings: Settings, grid: Grid, bars: Callable[[Sequence[str]], tuple[Bars, str]]) -> Work:
    """Plan a sweep: its cells, and the digest of each.

    `bars` gives the bars of symbols, and where they are from.

    Raises:
        Misconfigured: the grid names a strategy, symbols or dates that are not there, or too many cells.
    """
    own = grid.strategy in {None, settings.strategy.name}
    strategy = settings.strategy.name if own else str(grid.strategy)
    base = dict(settings.strategy.params) if own else {}
    gives_symbols = "symbols" in factory_of(strategy, settings.folder, BUILT_IN)[0]
    _demand_universes(grid, gives_symbols=gives_symbols)
    grid = grid.model_copy(update={"rebalance": grid.rebalance or (settings.schedule.job_interval,)})
    universes = _universes(settings, grid, strategy, base)
    if gives_symbols:
        base.pop("symbols", None)
    everything, source = bars(sorted({symbol for symbols in universes.values() for symbol in symbols}))
    _demand_bars(universes, everything)
    found = {
        name: everything if tuple(symbols) == everything.symbols else everything.select(symbols)
        for name, symbols in universes.items()
    }
    spans, names = windows(grid, everything), sorted(universes)
    cells = tuple(cells_of(grid, spans, strategy=strategy, base=base, universes=names))
    prices = {name: inputs_digest(each) for name, each in found.items()}
    job = Job(
        _shared(settings),
        grid.plan,
        grid.cash,
        universes,
        gives_symbols,
        prices,
        code_of(strategy, settings.folder),
    )
    _demand_one(settings, job, cells)
    return Work(job, settings.folder, cells, tuple(map(job.digest, cells)), found, source)


def _demand_universes(grid: Grid, *, gives_symbols: bool) -> None:
    if gives_symbols and "symbols" in grid.params:
        raise Misconfigured(
            CODE,
            "params.symbols: the strategy is given the symbols of each universe",
            seen="symbols",
            allowed="universes",
            hint='name them there: "universes": {"large": ["AAPL", "MSFT"]}',
        )


def _universes(
    settings: Settings, grid: Grid, strategy: str, base: Mapping[str, Any]
) -> dict[str, tuple[str, ...]]:
    """Give the universes: the grid's, else the configuration's own under the name `config`."""
    if grid.universes is not None:
        return dict(grid.universes)
    if settings.universe is not None:
        return {"config": tuple(sorted(settings.universe))}
    first = {**base, **{name: values[0] for name, values in grid.params.items()}}
    one = settings.model_copy(update={"strategy": Strategy(name=strategy, params=first)})
    return {"config": decider(one).symbols}


def _demand_bars(universes: Mapping[str, Sequence[str]], bars: Bars) -> None:
    missing = sorted({symbol for symbols in universes.values() for symbol in symbols} - set(bars.symbols))
    if missing:
        raise Misconfigured(
            "missing_symbol",
            "a universe of the grid names symbols that have no bars",
            seen=", ".join(missing[:20]),
            allowed=", ".join(bars.symbols[:20]),
            hint="check the spelling, or give the data that holds them",
        )


def _shared(settings: Settings) -> Document:
    """Give the settings that decide what a backtest trades; nothing else leaves this machine."""
    document = settings.document()
    lookback = settings.data.lookback_sessions
    data = {} if lookback is None else {"data": {"lookback_sessions": lookback}}
    return {**data, "execution": document["execution"], "risk": document["risk"]}


def _demand_one(settings: Settings, job: Job, cells: Sequence[Cell]) -> None:
    """Refuse a grid of whose first cells not one can be made: its strategy's params are wrong.

    Raises:
        Misconfigured: what the first one is refused with.
    """
    refused: Misconfigured | None = None
    for cell in cells[:MOST_REFUSED]:
        try:
            decider(job.settings_of(settings, cell))
        except Misconfigured as error:
            refused = refused or error
        else:
            return
    if refused is not None:
        raise refused


# Meanwhile: who plays


@dataclass(frozen=True, slots=True)
class Player:
    """Plays cells of a job, with the prices that `bars` gives of a universe by its name."""

    job: Job
    settings: Settings
    bars: Callable[[str], Bars]

    def play(self, cell: Cell) -> bytes:
        """Give a cell's result as canonical JSON: its figures, or what failed; the same bytes wherever."""
        try:
            return canonical(self._figures(cell))
        except Exception as error:  # noqa: BLE001 - a strategy may raise anything, and the others go on
            return canonical(failure(error))

    def _figures(self, cell: Cell) -> Document:
        settings = self.job.settings_of(self.settings, cell)
        common = Common(self.job.plan, self.job.cash, settings.execution.fractional, settings)
        with as_loaded():  # the job's code, though its file may be written while it is played
            strategy = decider(settings)
        return trial(cell, strategy, self.bars(cell.universe), common)


def failure(error: Exception) -> Document:
    """Give the result of a cell that failed: a code and a message."""
    if isinstance(error, TrimtabError):
        seen = "" if error.seen is None else f" (seen: {error.seen})"
        return {"failed": {"code": error.code, "message": f"{error.message}{seen}"}}
    return {"failed": {"code": "strategy_failed", "message": f"{type(error).__name__}: {error}"}}


def player(job: Job, folder: Path, bars: Callable[[str], Bars]) -> Player:
    """Give who plays a job's cells; `folder` is where the strategy's modules lie."""
    first = next(iter(job.universes.values()))
    nobody: Any = {"name": "equal_weight", "params": {"symbols": list(first)}}
    settings = Settings.of({**job.settings, "strategy": nobody}, folder=folder)
    return Player(job, settings, bars)


def code_of(strategy: str, folder: Path) -> str:
    """Give the digest of the code that plays a strategy here.

    Raises:
        Misconfigured: there is no such strategy.
    """
    return code_digest(factory_of(strategy, folder, BUILT_IN)[1])


def prepare(job: Job, folder: Path, prices: Path) -> Callable[[Cell], bytes]:
    """Give what plays a cell in a worker."""
    mapped = functools.cache(lambda universe: map_prices(prices / job.prices[universe]))
    return player(job, folder, mapped).play


def play(
    work: Work, out: Path, workers: int, *, progress: Callable[[float], None] = lambda _part: None
) -> Swept:
    """Play the cells that have no result yet in `out`, on so many cores, and give what came of all.

    Raises:
        Misconfigured: the kept results can't be used.
        OSError: `out` can't be written.
    """
    prices = out / "prices"
    with Kept(out / "cells.db") as kept:
        known = kept.found(work.digests)
        missing = [i for i, name in enumerate(work.digests) if name not in known]
        if missing:
            while work.bars:  # each goes as it is written: the workers map them, nobody copies them
                name, bars = work.bars.popitem()
                write_prices(bars, prices / work.job.prices[name])
                del bars
            known |= _played(work, missing, kept, prices, workers, progress)
    shutil.rmtree(prices, ignore_errors=True)
    return swept(work, known, len(missing))


def _played(
    work: Work,
    missing: Sequence[int],
    kept: Kept,
    prices: Path,
    workers: int,
    progress: Callable[[float], None],
) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    make = functools.partial(prepare, work.job, work.folder, prices)
    with Workers(min(workers, len(missing)), make, preload=MODULE) as pool:
        for place, result in pool.play([work.cells[i] for i in missing]):
            name = work.digests[missing[place]]
            found[name] = _lost(result) if isinstance(result, Lost) else result
            if not is_failure(found[name]):
                kept.add({name: found[name]})
            progress(len(found) / len(missing))
    return found


def is_failure(result: bytes) -> bool:
    """Say whether a result tells of a failure: such a cell is played again the next time."""
    return result.startswith(b'{"failed":')


def _lost(lost: Lost) -> bytes:
    message = f"every process that played it died (exit status {lost.args[0]}): out of memory, or killed"
    return canonical({"failed": {"code": LOST, "message": message}})


def swept(work: Work, results: Mapping[str, bytes], played: int) -> Swept:
    """Give the outcomes, in the order of the grid, of results by digest."""
    none: Document = {"failed": {"code": "no_result", "message": "it was not played"}}
    outcomes = []
    for cell, name in zip(work.cells, work.digests, strict=True):
        document = json.loads(results[name]) if name in results else none
        outcomes.append(Outcome.of(cell, name, document))
    return Swept(tuple(outcomes), played)
