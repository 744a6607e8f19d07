"""Bars: daily prices of some symbols as float64 arrays, sessions x symbols.

`Bars` is what a source gives and the gates judge; `History` is the read-only view of it
that a strategy sees, ending at its decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

FIELDS = ("open", "high", "low", "close", "volume")
"""The price and volume columns, in the order in which they are stored."""


def _frozen(array: NDArray[np.float64]) -> NDArray[np.float64]:
    view = array.view()
    view.flags.writeable = False
    return view


def grid_cells(
    symbols: Sequence[str] | NDArray[np.generic],
    sessions: Sequence[object] | NDArray[np.datetime64],
    order: Sequence[str] | None = None,
) -> tuple[NDArray[np.datetime64], tuple[str, ...], NDArray[np.int64]]:
    """Place k long rows on a sessions x symbols grid: its sessions, its symbols, the flat cell of each row.

    Both axes ascend. `order` names the symbols to give a column to, also those without a row. Counts
    days and looks names up instead of sorting the rows: millions of them take a fraction of a second.

    Raises:
        ValueError: two rows are of one symbol and session, or a row's symbol is not in `order`.
    """
    listed = symbols.tolist() if isinstance(symbols, np.ndarray) else list(symbols)
    names = tuple(sorted(set(listed if order is None else order)))
    column_of = {name: i for i, name in enumerate(names)}
    try:
        column = np.fromiter(map(column_of.__getitem__, listed), dtype=np.int64, count=len(listed))
    except KeyError as unknown:
        raise ValueError(f"a bar is of {unknown.args[0]}, which is not among the symbols asked for") from None
    days, cell = _cells(np.asarray(sessions, dtype="datetime64[D]"), names, column)
    return days, names, cell


def _cells(
    sessions: NDArray[np.datetime64], names: Sequence[str], column: NDArray[np.int64]
) -> tuple[NDArray[np.datetime64], NDArray[np.int64]]:
    """Give the distinct sessions, ascending, and the flat cell of each row, whose column is known.

    Raises:
        ValueError: two rows are of one symbol and session.
    """
    days, row = _ranked_days(sessions)
    cell = row * len(names) + column
    taken = np.zeros(len(days) * len(names), dtype=np.bool_)
    taken[cell] = True
    if np.count_nonzero(taken) != len(cell):
        repeated = np.flatnonzero(np.bincount(cell) > 1)[0]
        raise ValueError(f"two bars of {names[repeated % len(names)]} on {days[repeated // len(names)]}")
    return days, cell


def _ranked_days(
    day: NDArray[np.datetime64],
) -> tuple[NDArray[np.datetime64], NDArray[np.int64]]:
    """Give the distinct days, ascending, and the rank of each row's day among them."""
    number = day.astype(np.int64)
    if len(number) == 0:
        return day, number
    if np.isnat(day).any():
        raise ValueError("a bar has no session date")
    first = number.min()
    present = np.zeros(number.max() - first + 1, dtype=np.bool_)
    present[number - first] = True
    rank = np.cumsum(present) - 1
    return (np.flatnonzero(present) + first).astype("datetime64[D]"), rank[number - first]


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Daily bars of m symbols over n sessions, oldest first; NaN where a symbol did not trade.

    `sessions` is (n,) datetime64[D], strictly ascending; `symbols` m names in ascending order; `open`,
    `high`, `low`, `close` (USD a share, as adjusted), `volume` (shares) and `raw_close` (USD as traded)
    are (n, m) float64, read-only.
    """

    sessions: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    raw_close: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Freeze every array and check that the shapes agree.

        Raises:
            ValueError: an array is not of shape (sessions, symbols).
        """
        shape = (len(self.sessions), len(self.symbols))
        for name in (*FIELDS, "raw_close"):
            array = np.asarray(getattr(self, name), dtype=np.float64)
            if array.shape != shape:
                msg = (
                    f"{name} has shape {array.shape}, but {shape[0]} sessions x {shape[1]} symbols were given"
                )
                raise ValueError(msg)
            object.__setattr__(self, name, _frozen(array))

    @classmethod
    def from_columns(
        cls,
        symbols: Sequence[str] | NDArray[np.generic],
        sessions: Sequence[object] | NDArray[np.datetime64],
        columns: Mapping[str, NDArray[np.float64]],
        order: Sequence[str] | None = None,
    ) -> Self:
        """Make bars from long columns of k rows: a symbol, a session and its prices each.

        `columns` holds `open, high, low, close, volume` and perhaps `raw_close` (else `close`), each (k,).
        `order` names the symbols to give a column to, also those without a row (all NaN).

        Raises:
            ValueError: two rows are of one symbol and session, or a row's symbol is not in `order`.
        """
        return cls._placed(*grid_cells(symbols, sessions, order), columns)

    @classmethod
    def _placed(
        cls,
        days: NDArray[np.datetime64],
        names: tuple[str, ...],
        cell: NDArray[np.int64],
        columns: Mapping[str, NDArray[np.float64]],
    ) -> Self:
        """Make bars of columns whose rows' cells are known; raw closes that are the closes are kept once."""

        def placed(column: NDArray[np.float64]) -> NDArray[np.float64]:
            grid = np.full(len(days) * len(names), np.nan)
            grid[cell] = column
            return grid.reshape(len(days), len(names))

        arrays = {name: placed(columns[name]) for name in FIELDS}
        raw = columns.get("raw_close", columns["close"])
        raw_close = arrays["close"] if raw is columns["close"] else placed(raw)
        return cls(days, names, raw_close=raw_close, **arrays)

    @classmethod
    def from_frame(cls, frame: pl.DataFrame, *, adjusted: bool = True) -> Self:
        """Make bars from a polars frame: symbol, session (or date), open, high, low, close, volume.

        Where `adj_close` is there, prices are scaled by adj_close / close unless `adjusted` is False.
        Rows whose close is null are no bars.

        Raises:
            ValueError: a column is missing, a row has no symbol or no session, or two are of the same.
        """
        import polars as pl  # noqa: PLC0415 - a run that needs no frame does not pay for polars

        day = "session" if "session" in frame.columns else "date"
        missing = [name for name in ("symbol", day, *FIELDS) if name not in frame.columns]
        if missing:
            msg = f"the data has no column {', '.join(missing)}; it has {', '.join(frame.columns)}"
            raise ValueError(msg)
        frame = frame.filter(pl.col("close").cast(pl.Float64).is_not_nan())
        columns = {name: frame[name].cast(pl.Float64).to_numpy() for name in FIELDS}
        columns["raw_close"] = columns["close"]
        if "raw_close" in frame.columns:
            columns["raw_close"] = frame["raw_close"].cast(pl.Float64).to_numpy()
        elif adjusted and "adj_close" in frame.columns:
            factor = frame["adj_close"].cast(pl.Float64).to_numpy() / columns["close"]
            for name in ("open", "high", "low", "close"):
                columns[name] = columns[name] * factor
        symbol = frame["symbol"].cast(pl.String)
        if symbol.null_count():
            raise ValueError("a bar has no symbol")
        names = tuple(sorted(symbol.unique().to_list()))
        column = symbol.cast(pl.Enum(names)).to_physical().to_numpy()
        days, cell = _cells(frame[day].cast(pl.Date).to_numpy(), names, column.astype(np.int64))
        return cls._placed(days, names, cell, columns)

    def frame(self) -> pl.DataFrame:
        """Give the bars as a long frame, sorted by symbol and session: one row a bar, none where NaN."""
        return _long_frame(self, (*FIELDS, "raw_close"))

    def history(self, stop: int | None = None, lookback: int | None = None) -> History:
        """Give what a strategy may see: the `lookback` sessions before row `stop` (None: all of them)."""
        stop = len(self.sessions) if stop is None else stop
        start = 0 if lookback is None else max(0, stop - lookback)
        window = slice(start, stop)
        return History(
            self.sessions[window],
            self.symbols,
            self.open[window],
            self.high[window],
            self.low[window],
            self.close[window],
            self.volume[window],
        )

    def up_to(self, session: object) -> Self:
        """Give the bars of the sessions up to a New York date, inclusive."""
        rows = int(np.searchsorted(self.sessions, np.datetime64(str(session), "D"), side="right"))
        arrays = {name: getattr(self, name)[:rows] for name in (*FIELDS, "raw_close")}
        return type(self)(self.sessions[:rows], self.symbols, **arrays)

    def select(self, symbols: Sequence[str]) -> Self:
        """Give the bars of these symbols alone, in ascending order.

        Raises:
            KeyError: a symbol has no column.
        """
        wanted = sorted(symbols)
        where = {symbol: i for i, symbol in enumerate(self.symbols)}
        index = [where[symbol] for symbol in wanted]
        arrays = {name: getattr(self, name)[:, index] for name in (*FIELDS, "raw_close")}
        return type(self)(self.sessions, tuple(wanted), **arrays)


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What a strategy sees: past bars up to its decision, as read-only (n, m) views, oldest first.

    `sessions` (n,) datetime64[D]; `symbols` (m,); prices in USD a share as adjusted; NaN where a
    symbol did not trade.
    """

    sessions: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def frame(self) -> pl.DataFrame:
        """Give the same as a long polars frame: symbol, session, open, high, low, close, volume."""
        return _long_frame(self, FIELDS)


class Strategy(Protocol):
    """Past bars and equity in, target weights out: a pure function that says what it needs."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Give the symbols it may weight; none where it does not say."""

    @property
    def lookback_sessions(self) -> int:
        """Give how many sessions of history it needs."""

    def __call__(self, history: History, equity: float, /) -> dict[str, float]:
        """Give the weight of each symbol, a fraction of equity (USD); a symbol left out has weight 0."""


def _long_frame(bars: Bars | History, fields: Sequence[str]) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 - a run that needs no frame does not pay for polars

    present = ~np.isnan(bars.close.T.reshape(-1))
    n, m = bars.close.shape
    columns: dict[str, object] = {
        "symbol": np.repeat(np.asarray(bars.symbols, dtype=np.str_), n)[present],
        "session": np.tile(bars.sessions, m)[present],
    }
    columns |= {name: getattr(bars, name).T.reshape(-1)[present] for name in fields}
    return pl.DataFrame(columns, schema_overrides={"symbol": pl.String, "session": pl.Date})
