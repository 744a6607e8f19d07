"""Prices: what a symbol costs at any instant, from a tape of daily bars.

Within a session the price is the open for the first hour, then moves in a straight line to the close: a
run at 10:00 trades at the open, which is what a backtest that fills at the next open assumes. The quote
lies half the spread to each side of it, rounded outward to cents where there is a spread. Outside
sessions, and where a symbol has no bar, there is no quote to trade at, only the last trade.

At 02:30 New York on a session's date its splits take effect (Alpaca, "Mandatory corporate actions":
beginning-of-day sync); from then on the last trade is told in new shares.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trimtab.adapters.exchange.hours import Calendar, at, hours_of, new_york_date
from trimtab.core.fill import fill_price

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from trimtab.adapters.exchange.tape import Tape

__all__ = ["Bar", "Boundary", "Prices", "Quote", "Trade"]

ROLL = time(2, 30)
FLAT = timedelta(hours=1)
CENT = Decimal("0.01")
NOISE = Fraction(1, 100_000)
STALE_SESSIONS = 5
"""A symbol without a bar in so many sessions counts as no longer listed."""


class Trade(NamedTuple):
    """A price in USD a share and when it was made (UTC)."""

    price: Decimal
    at: datetime


class Quote(NamedTuple):
    """Bid and ask in USD a share, 0 where there is none, and when (UTC)."""

    bid: Decimal
    ask: Decimal
    at: datetime


class Boundary(NamedTuple):
    """An instant at which the market changes: `roll`, `open` or `close` of a session."""

    at: datetime
    kind: str
    session: date


class Bar(NamedTuple):
    """A session's bar, perhaps of a part of it: raw USD a share, shares."""

    open: float
    high: float
    low: float
    close: float
    volume: float


def _decimal(price: float) -> Decimal:
    return Decimal(repr(round(price, 4)))


def split_ratio(ratio: float) -> Fraction:
    """Give a split's ratio as the small fraction that it stands for: some vendors print 7.000007 for 7:1."""
    simple = Fraction(ratio).limit_denominator(100)
    return simple if abs(simple - Fraction(ratio)) <= NOISE * Fraction(ratio) else Fraction(repr(ratio))


class Prices:
    """The prices of a tape as functions of the instant."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.dates: list[date] = [day.item() for day in tape.sessions]
        self.calendar = Calendar.of(self.dates)
        self.column = {symbol: j for j, symbol in enumerate(tape.symbols)}
        self._rows: dict[int, NDArray[np.int64]] = {}

    def _row_by(self, instant: datetime) -> int:
        """Give the last row whose New York date is not after that of `instant`."""
        return bisect_right(self.dates, new_york_date(instant)) - 1

    def opened(self, instant: datetime) -> int:
        """Give the row of the last session that had opened at an instant; -1 before the first."""
        row = self._row_by(instant)
        return row - 1 if row >= 0 and instant < hours_of(self.dates[row]).opens else row

    def rolled(self, instant: datetime) -> int:
        """Give the row of the last session whose splits had taken effect; -1 before the first."""
        row = self._row_by(instant)
        return row - 1 if row >= 0 and instant < at(self.dates[row], ROLL) else row

    def last_bar(self, symbol: str, row: int) -> int:
        """Give the last row up to `row` in which the symbol has a bar; -1 if none."""
        j = self.column[symbol]
        if j not in self._rows:
            present = ~np.isnan(self.tape.close[:, j])
            self._rows[j] = np.maximum.accumulate(np.where(present, np.arange(len(present)), -1))
        return int(self._rows[j][row]) if row >= 0 else -1

    def known(self, symbol: str, instant: datetime) -> bool:
        """Say whether the symbol exists by then: it has a bar in the session of that day, or had one."""
        return symbol in self.column and self.last_bar(symbol, self.rolled(instant)) >= 0

    def listed(self, symbol: str, instant: datetime) -> bool:
        """Say whether it had a bar lately."""
        row = self.rolled(instant)
        return self.known(symbol, instant) and self.last_bar(symbol, row) > row - STALE_SESSIONS

    def so_far(
        self, row: int, columns: NDArray[np.int64], instant: datetime
    ) -> dict[str, NDArray[np.float64]]:
        """Give open, high, low, close, volume (k,) of a session up to an instant, raw; whole at the close."""
        tape, hours = self.tape, hours_of(self.dates[row])
        last, total = tape.close[row, columns], tape.volume[row, columns]
        first = np.where(np.isnan(tape.open[row, columns]), last, tape.open[row, columns])
        high, low = tape.high[row, columns], tape.low[row, columns]
        if instant >= hours.closes:
            return {"open": first, "high": high, "low": low, "close": last, "volume": total}
        share = max((instant - hours.opens) / (hours.closes - hours.opens), 0.0)
        moved = max((instant - hours.opens - FLAT) / (hours.closes - hours.opens - FLAT), 0.0)
        now = first + (last - first) * moved
        return {
            "open": first,
            "high": np.maximum(first, now) + (high - np.maximum(first, last)) * share,
            "low": np.minimum(first, now) - (np.minimum(first, last) - low) * share,
            "close": now,
            "volume": np.floor(total * share),
        }

    def bar(self, symbol: str, row: int, instant: datetime) -> Bar:
        """Give a symbol's bar of a session up to an instant, raw."""
        columns = np.asarray([self.column[symbol]])
        return Bar(**{name: float(value[0]) for name, value in self.so_far(row, columns, instant).items()})

    def _split_since(self, symbol: str, row: int, instant: datetime) -> float:
        """Give new shares for one of `row`, as of an instant."""
        ratios = self.tape.split[row + 1 : self.rolled(instant) + 1, self.column[symbol]]
        return float(np.prod(ratios))

    def last_trade(self, symbol: str, instant: datetime) -> Trade | None:
        """Give the last trade up to an instant, in the shares of that instant; None before the first."""
        row = self.last_bar(symbol, self.opened(instant))
        if row < 0:
            return None
        price = self.bar(symbol, row, instant).close / self._split_since(symbol, row, instant)
        return Trade(_decimal(price), min(instant, hours_of(self.dates[row]).closes))

    def quote(self, symbol: str, instant: datetime, spread_bps: float = 0.0) -> Quote | None:
        """Give the quote around the last trade; None before the first trade."""
        trade = self.last_trade(symbol, instant)
        if trade is None or spread_bps <= 0:
            return trade and Quote(trade.price, trade.price, trade.at)
        half = trade.price * Decimal(repr(spread_bps)) / 20_000
        bid = (trade.price - half).quantize(CENT, ROUND_FLOOR)
        ask = (trade.price + half).quantize(CENT, ROUND_CEILING)
        return Quote(bid, ask, trade.at)

    def trades_at(self, symbol: str, instant: datetime) -> bool:
        """Say whether the symbol trades at an instant: a session runs and has a bar of it."""
        row = self.opened(instant)
        return (
            self.calendar.is_open(instant)
            and row >= 0
            and self.dates[row] == new_york_date(instant)
            and self.last_bar(symbol, row) == row
        )

    def fill(
        self, symbol: str, side: str, limit: Decimal | None, instant: datetime, spread_bps: float
    ) -> Decimal | None:
        """Give the price at which an order fills at an instant, or None."""
        quote = self.quote(symbol, instant, spread_bps) if self.trades_at(symbol, instant) else None
        return None if quote is None else fill_price(side, quote.bid, quote.ask, limit)

    def crossing(
        self, symbol: str, side: str, limit: Decimal | None, since: datetime, spread_bps: float
    ) -> datetime | None:
        """Give the first instant of today's session, from `since`, at which the order fills; to the second.

        The price moves one way only, so a fill that is neither at `since` nor at the close is nowhere.
        """
        if self.fill(symbol, side, limit, since, spread_bps) is not None:
            return since
        left = int((hours_of(new_york_date(since)).closes - since).total_seconds())
        misses, fills = 0, left - 1

        def filled(seconds: int) -> bool:
            instant = since + timedelta(seconds=seconds)
            return self.fill(symbol, side, limit, instant, spread_bps) is not None

        if fills <= 0 or not filled(fills):
            return None
        while fills - misses > 1:
            middle = (misses + fills) // 2
            misses, fills = (misses, middle) if filled(middle) else (middle, fills)
        return since + timedelta(seconds=fills)

    def previous_close(self, symbol: str, instant: datetime) -> Trade | None:
        """Give the close before the session of the instant's date (its roll past), in today's shares."""
        today = self.rolled(instant)
        row = self.last_bar(symbol, today - 1) if today > 0 else -1
        if row < 0:
            return None
        closes = hours_of(self.dates[row]).closes
        close = self.bar(symbol, row, closes).close / self._split_since(symbol, row, instant)
        return Trade(_decimal(close), closes)

    def boundaries(self, after: datetime) -> Iterator[Boundary]:
        """Give the rolls, openings and closings after an instant, oldest first, without end."""
        day = self.calendar.on_or_after(new_york_date(after))
        while True:
            hours = hours_of(day)
            for instant, kind in ((at(day, ROLL), "roll"), (hours.opens, "open"), (hours.closes, "close")):
                if instant > after:
                    yield Boundary(instant.astimezone(UTC), kind, day)
            day = self.calendar.after(day)

    def actions(self, session: date) -> dict[str, tuple[Fraction, float]]:
        """Give the split ratio and the dividend (USD a share) of each symbol with either on a session."""
        row = bisect_right(self.dates, session) - 1
        if row < 0 or self.dates[row] != session:
            return {}
        split, dividend = self.tape.split[row], self.tape.dividend[row]
        acting = np.flatnonzero((split != 1.0) | (dividend != 0.0))
        return {self.tape.symbols[j]: (split_ratio(float(split[j])), float(dividend[j])) for j in acting}
