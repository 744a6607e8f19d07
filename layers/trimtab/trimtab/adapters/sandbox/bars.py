"""Bars: daily bars as Alpaca pages them, written to JSON straight from arrays.

A page holds up to `limit` bars in all, sorted by symbol, then time. What a query gives is laid out once and
kept for its next pages; the token carries the instant of the first page, so that all of them show one
moment while the clock moves on.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trimtab.adapters.exchange.hours import at, hours_of
from trimtab.adapters.exchange.records import Refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trimtab.adapters.exchange.prices import Prices

__all__ = ["Layout", "Query", "midnight", "page", "read_token", "write_token"]

DECIMALS = 6
"""Adjusted prices are rounded to so many decimals, USD."""

KEPT = 4


class Query(NamedTuple):
    """What bars are asked for: NY dates inclusive, and the instant (UTC) whose knowledge they show."""

    symbols: tuple[str, ...]
    first: date
    last: date
    adjustment: str
    as_of: datetime
    newest_first: bool


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Bars in the order of their pages: k rows, each with the numbers of its symbol and session."""

    symbols: tuple[str, ...]
    stamps: tuple[str, ...]
    symbol: NDArray[np.int64]
    session: NDArray[np.int64]
    columns: dict[str, NDArray[np.float64]]


@lru_cache(maxsize=16384)
def midnight(day: date) -> str:
    """Write the start of a New York day in UTC, as bars are stamped: 04:00Z or 05:00Z."""
    return f"{at(day, time(0)):%Y-%m-%dT%H:%M:%SZ}"


def lay_out(prices: Prices, query: Query) -> Layout:
    """Give the bars of a query, as known at its instant; a session in progress as far as it got.

    Raises:
        Refusal: the adjustment is unknown.
    """
    row = prices.opened(query.as_of)
    newest = prices.dates[max(row, 0)]
    if row < 0 or query.first > min(query.last, newest):
        return Layout((), (), np.empty(0, np.int64), np.empty(0, np.int64), {})
    try:
        bars = prices.tape.bars(query.symbols, query.first, newest, query.adjustment)
    except ValueError as error:
        raise Refusal(400, None, str(error)) from None
    columns = {name: np.array(getattr(bars, name)) for name in ("open", "high", "low", "close", "volume")}
    if len(bars.sessions) and bars.sessions[-1] == np.datetime64(newest, "D"):
        _curtail(prices, row, bars.symbols, query.as_of, columns)
    wanted = bars.sessions <= np.datetime64(query.last, "D")
    order = slice(None, None, -1) if query.newest_first else slice(None)
    columns = {name: grid[wanted][order] for name, grid in columns.items()}
    days = [day.item() for day in bars.sessions[wanted][order]]
    return _flatten(bars.symbols, days, columns)


def _curtail(
    prices: Prices,
    row: int,
    symbols: tuple[str, ...],
    instant: datetime,
    columns: dict[str, NDArray[np.float64]],
) -> None:
    """Put the part of the newest session up to an instant in the place of the whole of it."""
    if instant >= hours_of(prices.dates[row]).closes:
        return
    numbers = np.asarray([prices.column[symbol] for symbol in symbols])
    for name, values in prices.so_far(row, numbers, instant).items():
        columns[name][-1] = values


def _flatten(symbols: tuple[str, ...], days: list[date], columns: dict[str, NDArray[np.float64]]) -> Layout:
    """Lay (n, m) grids out symbol by symbol, without what did not trade."""
    n, m = columns["close"].shape
    flat = {name: grid.T.reshape(-1) for name, grid in columns.items()}
    present = np.flatnonzero(~np.isnan(flat["close"]))
    close = flat["close"][present]
    chosen = {name: values[present] for name, values in flat.items()}
    for name in ("open", "high", "low"):
        chosen[name] = np.where(np.isnan(chosen[name]), close, chosen[name])
    chosen["volume"] = np.nan_to_num(chosen["volume"])
    rounded = {name: np.round(values, DECIMALS) for name, values in chosen.items()}
    symbol, session = np.repeat(np.arange(m), n)[present], np.tile(np.arange(n), m)[present]
    return Layout(symbols, tuple(midnight(day) for day in days), symbol, session, rounded)


@dataclass(slots=True)
class Shelf:
    """The layouts of the last few queries."""

    kept: dict[Query, Layout]

    def get(self, prices: Prices, query: Query) -> Layout:
        """Give the layout of a query, made anew or kept.

        Raises:
            Refusal: the adjustment is unknown.
        """
        if query not in self.kept:
            while len(self.kept) >= KEPT:
                self.kept.pop(next(iter(self.kept)))
            self.kept[query] = lay_out(prices, query)
        return self.kept[query]


def page(layout: Layout, start: int, limit: int) -> dict[str, str]:
    """Write the rows from `start` on, at most `limit`, as JSON arrays by symbol."""
    stop = min(start + limit, len(layout.symbol))
    if stop <= start:
        return {}
    rows = slice(start, stop)
    texts = _rows(layout, rows)
    numbers = layout.symbol[rows]
    edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(texts)]
    return {layout.symbols[int(numbers[a])]: f"[{','.join(texts[a:b])}]" for a, b in pairwise(edges)}


def _rows(layout: Layout, rows: slice) -> list[str]:
    """Write bars as JSON objects; the trade count and the average price are made up from the rest."""
    import polars as pl  # noqa: PLC0415 - an exchange that is asked for no bars does not pay for polars

    columns = layout.columns
    open_, high, low, close = (columns[name][rows] for name in ("open", "high", "low", "close"))
    average = np.round((open_ + high + low + close) / 4, DECIMALS)
    volume = np.round(columns["volume"][rows]).astype(np.int64)
    stamps = pl.Series(layout.stamps).gather(layout.session[rows])
    prices = {"o": open_, "h": high, "l": low, "c": close}
    return (
        pl.DataFrame({"t": stamps, **prices, "v": volume, "n": volume // 100 + 1, "vw": average})
        .write_ndjson()
        .splitlines()
    )


def write_token(start: int, as_of: datetime) -> str:
    """Write where the next page starts, and the instant that it shows."""
    return base64.urlsafe_b64encode(f"{start}|{as_of.isoformat()}".encode()).decode()


def read_token(token: str) -> tuple[int, datetime]:
    """Read a token.

    Raises:
        Refusal: it is none of ours.
    """
    try:
        start, _, instant = base64.urlsafe_b64decode(token.encode()).decode().partition("|")
        return int(start), datetime.fromisoformat(instant)
    except ValueError:
        raise Refusal(400, None, "invalid page_token") from None
