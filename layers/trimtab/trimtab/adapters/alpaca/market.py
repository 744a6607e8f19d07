"""Market: daily bars, corporate actions and latest quotes from Alpaca's data host."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from trimtab.adapters.alpaca import parse
from trimtab.adapters.alpaca.announced import (
    PROCESSED_AFTER,
    PROCESSED_BEFORE,
    Announced,
    read_announcements,
)
from trimtab.adapters.alpaca.columns import read_page
from trimtab.adapters.alpaca.pages import chunks, walk
from trimtab.adapters.alpaca.series import Question, Series, joined
from trimtab.core.bars import FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from trimtab.adapters.alpaca.http import AlpacaHost
    from trimtab.core.actions import Action
    from trimtab.core.bars import Bars
    from trimtab.core.portfolio import Quote

_BARS_A_PAGE = 10_000
_ACTIONS_A_PAGE = 1_000


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
        last = end.astimezone(parse.NEW_YORK).date()
        question = Question(tuple(sorted(set(symbols))), start, last)
        adjusted = self._series(question, end, self._adjustment)
        if self._adjustment == "raw":
            return joined(adjusted, adjusted)
        return joined(adjusted, self._series(question, end, "raw", ("close",)))

    def actions(self, symbols: Sequence[str], start: date, end: date) -> tuple[Action, ...]:
        """Give the corporate actions of `symbols` with an ex-date from `start` to `end`, New York, inclusive.

        Each once, by ex-date, then symbol. The host selects by the date on which the broker processes an
        action, so a wider range is asked for: from 60 days before `start` to 200 after `end`.

        Raises:
            Unreachable: a page could not be read, or was not what a page is.
            Unauthorized: the keys are not accepted.
        """
        told = Announced()
        for some in chunks(symbols):
            params = {
                "symbols": ",".join(some),
                "start": (start - PROCESSED_BEFORE).isoformat(),
                "end": (end + PROCESSED_AFTER).isoformat(),
                "limit": str(_ACTIONS_A_PAGE),
                "sort": "asc",
            }
            for page in walk(self._host, "/corporate-actions", params, read_announcements, version="v1"):
                told.add(page)
        return told.actions(frozenset(symbols), start, end)

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Give the latest quote of each symbol that has one, with its last trade where known.

        A symbol with a trade but no quote has bid and ask 0.

        Raises:
            Unreachable: an answer could not be read.
            Unauthorized: the keys are not accepted.
        """
        found: dict[str, Quote] = {}
        for some in chunks(symbols):
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

    def _series(
        self, question: Question, end: datetime, adjustment: str, wanted: Sequence[str] = FIELDS
    ) -> Series:
        """Make one pass over the bars, all pages."""
        series = Series(question, adjustment, wanted)
        for some in chunks(question.symbols):
            params = {
                "symbols": ",".join(some),
                "timeframe": "1Day",
                "start": question.first.isoformat(),
                "end": end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "limit": str(_BARS_A_PAGE),
                "adjustment": adjustment,
                "feed": self._feed,
                "sort": "asc",
            }
            asked = frozenset(some)
            for page in walk(self._host, "/stocks/bars", params, read_page):
                series.add(page, asked)
        return series
