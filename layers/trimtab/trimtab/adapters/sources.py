"""Sources: what the `Source` port is made of: a file of bars, a tape that is replayed, a data feed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import numpy as np

from trimtab.adapters.cache import cache_facts
from trimtab.adapters.files import read_bars
from trimtab.core.append import join, nothing
from trimtab.core.bars import FIELDS, Bars
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trimtab.adapters.exchange.tape import Tape
    from trimtab.ports import Market

__all__ = ["HISTORY_FROM", "FeedSource", "FileSource", "TapeSource"]

HISTORY_FROM = date(2016, 1, 1)
"""Where Alpaca's daily bars begin (market data FAQ)."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """A parquet or csv file of daily bars, or a cache of `trimtab data fetch`, read under one adjustment."""

    path: Path
    adjustment: str

    @property
    def name(self) -> str:
        """The file's name, and of a cache what it holds."""
        facts = cache_facts(self.path) if self.path.is_file() else None
        if facts is None:
            return self.path.name
        return f"{self.path.name} ({facts['feed']}, adjusted: {facts['adjustment']}, to {facts['through']})"

    def bars(self, symbols: Sequence[str], start: date | None = None, end: date | None = None) -> Bars:
        """Give the bars of `symbols`; prices are scaled by adj_close where all adjustments are asked for.

        Raises:
            Misconfigured: the file is not usable, or a cache of another adjustment.
        """
        if self.path.is_file() and (facts := cache_facts(self.path)) is not None:
            self._judge(facts)
        bars = read_bars(self.path, adjusted=self.adjustment == "all")
        wanted = sorted({*symbols}.intersection(bars.symbols))
        if start is None and end is None and wanted == list(bars.symbols):
            return bars  # every symbol and session of a file has a bar: nothing is cut, nothing copied
        return _cut(bars.select(wanted), start, end)

    def _judge(self, facts: Mapping[str, str]) -> None:
        if facts["adjustment"] == self.adjustment:
            return
        raise Misconfigured(
            "data_adjustment",
            f"{self.path.name} was fetched with another adjustment than the configuration's",
            seen=f"adjusted: {facts['adjustment']}",
            allowed=f"data.adjustment: {self.adjustment}",
            hint="set data.adjustment to the file's, or fetch another with `trimtab data fetch --out FILE`",
        )


@dataclass(frozen=True, slots=True)
class TapeSource:
    """What the simulated exchange replays, under one adjustment."""

    tape: Tape
    adjustment: str

    @property
    def name(self) -> str:
        """The tape's name and what it can't serve."""
        return "; ".join([self.tape.name, *self.tape.caveats])

    def bars(self, symbols: Sequence[str], start: date | None = None, end: date | None = None) -> Bars:
        """Give the bars of `symbols`, adjusted as known at `end`."""
        first, last = (self.tape.sessions[i].item() for i in (0, -1))
        return self.tape.bars(symbols, start or first, end or last, self.adjustment)


@dataclass(frozen=True, slots=True)
class FeedSource:
    """A data feed that is asked anew, up to session `through` (New York date)."""

    market: Market
    name: str
    through: date

    def bars(self, symbols: Sequence[str], start: date | None = None, end: date | None = None) -> Bars:
        """Give the bars of `symbols`.

        Raises:
            Unreachable, Unauthorized: the feed can't be read.
        """
        last = self.through if end is None else min(self.through, end)
        after = datetime.combine(last + timedelta(days=1), time(), UTC)
        return self.market.bars(symbols, start or HISTORY_FROM, after)


def _cut(bars: Bars, start: date | None, end: date | None) -> Bars:
    """Give the sessions from `start` to `end`, without the symbols that have no bar in them."""
    first = 0 if start is None else int(np.searchsorted(bars.sessions, np.datetime64(start, "D")))
    bars = bars if end is None else bars.up_to(end)
    rows = {name: getattr(bars, name)[first:] for name in (*FIELDS, "raw_close")}
    return join(nothing(), Bars(bars.sessions[first:], bars.symbols, **rows))
