"""Market: daily bars and latest quotes from Alpaca's data host."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING, cast

import numpy as np

from trimtab.adapters.alpaca import parse
from trimtab.core.bars import FIELDS, Bars
from trimtab.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime

    from numpy.typing import NDArray

    from trimtab.adapters.alpaca.http import AlpacaHost
    from trimtab.core.portfolio import Quote

_BARS_A_PAGE = 10_000
_MOST_PAGES = 2_000
_MOST_SYMBOLS = 500
_LONGEST_LIST = 6_000
_KEYS = ("o", "h", "l", "c", "v")
_BAR = itemgetter("t", *_KEYS)
_MIDNIGHTS = frozenset({"T04:00:00Z", "T05:00:00Z"})
"""00:00 in New York, in summer and in winter: the UTC date is the session."""
_DAY_BITS = 20


class AlpacaMarket:
    """The `Market` port over one data host.

    Bars come from `feed`, adjusted as `adjustment` says. Quotes come from `iex`, which every plan has in
    real time, unless `entitled` says that the account's plan has `feed` in real time too.
    """

    def __init__(
        self, host: AlpacaHost, *, feed: str = "sip", adjustment: str = "all", entitled: bool = False
    ) -> None:
        self._host = host
        self._feed = feed
        self._adjustment = adjustment
        self._quote_feed = feed if entitled else "iex"

    def bars(self, symbols: Sequence[str], start: date, end: datetime) -> Bars:
        """Give the daily bars of `symbols` from session `start` to the UTC instant `end`, all pages.

        Prices in USD as adjusted, volume in shares as adjusted; `raw_close` as traded, NaN where the
        raw series has no such bar. A symbol without any bar is absent.

        Raises:
            Unreachable: a page could not be read, or was not what a page is.
            Unauthorized: the keys are not accepted.
        """
        adjusted = self._series(symbols, start, end, self._adjustment)
        columns = adjusted.columns()
        if self._adjustment != "raw":
            raw = self._series(symbols, start, end, "raw")
            columns["raw_close"] = _matched(adjusted, raw)
        try:
            return Bars.from_columns(adjusted.symbols, adjusted.sessions(), columns)
        except ValueError as error:
            raise Unreachable(f"bars: {error}") from None

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Give the latest quote of each symbol that has one, with its last trade where known.

        A symbol with a trade but no quote has bid and ask 0.

        Raises:
            Unreachable: an answer could not be read.
            Unauthorized: the keys are not accepted.
        """
        found: dict[str, Quote] = {}
        for some in _chunks(symbols):
            quotes, trades = (self._latest(kind, some) for kind in ("quotes", "trades"))
            for symbol in some:
                quoted, traded = quotes.get(symbol), trades.get(symbol)
                if quoted is not None or traded is not None:
                    found[symbol] = parse.quote(symbol, quoted, traded)
        return found

    def _latest(self, kind: str, symbols: Sequence[str]) -> Mapping[str, object]:
        params = {"symbols": ",".join(symbols), "feed": self._quote_feed}
        answer = parse.mapping(self._host.read(f"/stocks/{kind}/latest", params), kind)
        return parse.mapping(answer.get(kind) or {}, kind)

    def _series(self, symbols: Sequence[str], start: date, end: datetime, adjustment: str) -> _Series:
        series = _Series(adjustment)
        for some in _chunks(symbols):
            params = {
                "symbols": ",".join(some),
                "timeframe": "1Day",
                "start": start.isoformat(),
                "end": end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "limit": str(_BARS_A_PAGE),
                "adjustment": adjustment,
                "feed": self._feed,
                "sort": "asc",
            }
            for page in self._pages(params):
                series.add(page, frozenset(some))
        return series

    def _pages(self, params: dict[str, str]) -> Iterator[Mapping[str, object]]:
        """Give the `bars` of each page until the token is null."""
        seen: set[str] = set()
        for _ in range(_MOST_PAGES):
            page = parse.mapping(self._host.read("/stocks/bars", params, exact=False), "bars")
            if "bars" not in page:
                raise Unreachable("bars: a page without bars")
            yield parse.mapping(page["bars"] or {}, "bars")
            token = page.get("next_page_token", "")
            if token is None:
                return
            if not isinstance(token, str) or not token or token in seen:
                raise Unreachable(
                    f"bars: next_page_token is {str(token)[:40]!r}, which is empty or was there before"
                )
            seen.add(token)
            params = {**params, "page_token": token}
        raise Unreachable(f"bars: more than {_MOST_PAGES} pages")


@dataclass(slots=True)
class _Series:
    """One pass over the bars as long columns, a row a bar."""

    adjustment: str
    symbols: list[str] = field(default_factory=list)
    days: list[str] = field(default_factory=list)
    values: tuple[list[object], ...] = field(default_factory=lambda: tuple([] for _ in _KEYS))

    def add(self, page: Mapping[str, object], asked: frozenset[str]) -> None:
        """Append a page's bars.

        Raises:
            Unreachable: a bar of a symbol not asked for, without time or close, or of no New York day.
        """
        for symbol, bars in page.items():
            if symbol not in asked:
                raise Unreachable(f"bars: {symbol[:40]!r} was not asked for")
            if bars is not None:
                self._append(symbol, bars)

    def _append(self, symbol: str, bars: object) -> None:
        if not isinstance(bars, list):
            raise Unreachable(f"bars: {type(bars).__name__} where the array of {symbol} was due")
        if not bars:
            return
        try:
            times, *values = zip(*map(_BAR, bars), strict=True)
        except (KeyError, TypeError):
            times, *values = _tolerant(bars, symbol)
        if None in values[_KEYS.index("c")]:
            at = times[values[_KEYS.index("c")].index(None)]
            raise Unreachable(f"bars: a bar without close: {symbol} {str(at)[:10]} ({self.adjustment})")
        self.symbols.extend(repeat(symbol, len(bars)))
        self.days.extend(_days(times, symbol))
        for column, new in zip(self.values, values, strict=True):
            column.extend(new)

    def sessions(self) -> NDArray[np.datetime64]:
        """Give the session of each row, datetime64[D]."""
        return np.array(self.days, dtype="datetime64[D]")

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """Give the columns by name; a null is NaN.

        Raises:
            Unreachable: a value is no number, or infinite.
        """
        try:
            arrays = [np.array(column, dtype=np.float64) for column in self.values]
        except (TypeError, ValueError, OverflowError):
            raise Unreachable(f"bars: a value that is no number ({self.adjustment})") from None
        if any(np.isinf(array).any() for array in arrays):
            raise Unreachable(f"bars: an infinite value ({self.adjustment})")
        return dict(zip(FIELDS, arrays, strict=True))


def _tolerant(bars: list[object], symbol: str) -> list[tuple[object, ...]]:
    """Give the columns of bars that lack a field: None where it is not."""
    rows = [parse.mapping(bar, f"bar of {symbol}") for bar in bars]
    return [tuple(row.get(key) for row in rows) for key in ("t", *_KEYS)]


def _days(times: Sequence[object], symbol: str) -> list[str]:
    """Give the New York dates of bars' times, as text.

    Raises:
        Unreachable: a time is none, or is not 00:00 in New York.
    """
    if all(isinstance(at, str) for at in times):
        texts = cast("Sequence[str]", times)
        if {at[10:] for at in texts} <= _MIDNIGHTS:
            return [at[:10] for at in texts]
    local = [parse.moment(at, f"bar of {symbol}: t").astimezone(parse.NEW_YORK) for at in times]
    if any((at.hour, at.minute, at.second) != (0, 0, 0) for at in local):
        raise Unreachable(f"bars: a bar of {symbol} that is not of a whole New York day")
    return [at.date().isoformat() for at in local]


def _matched(adjusted: _Series, raw: _Series) -> NDArray[np.float64]:
    """Give the raw close of each adjusted bar, NaN where the raw series has none."""
    index = {symbol: i for i, symbol in enumerate(dict.fromkeys([*adjusted.symbols, *raw.symbols]))}

    def keys(series: _Series) -> NDArray[np.int64]:
        column = np.fromiter(
            map(index.__getitem__, series.symbols), dtype=np.int64, count=len(series.symbols)
        )
        return (column << _DAY_BITS) + series.sessions().astype(np.int64)

    closes = raw.columns()["close"]
    raw_keys, wanted = keys(raw), keys(adjusted)
    if not len(raw_keys):
        return np.full(len(wanted), np.nan)
    order = np.argsort(raw_keys, kind="stable")
    where = np.minimum(np.searchsorted(raw_keys, wanted, sorter=order), len(raw_keys) - 1)
    found = order[where]
    return np.where(raw_keys[found] == wanted, closes[found], np.nan)


def _chunks(symbols: Sequence[str]) -> Iterator[list[str]]:
    """Give the symbols in groups whose list fits into a URL, each once."""
    chunk: list[str] = []
    length = 0
    for symbol in dict.fromkeys(symbols):
        room = len(symbol) + 3  # a comma is %2C on the wire
        if chunk and (length + room > _LONGEST_LIST or len(chunk) == _MOST_SYMBOLS):
            yield chunk
            chunk, length = [], 0
        chunk.append(symbol)
        length += room
    if chunk:
        yield chunk
