"""Tape: daily prices as traded, with their splits and dividends, to replay.

A tape gives bars adjusted as they were known at any of its sessions, so that a replayed bot sees
what it would have seen then: the last bar's adjusted price is its raw price, and what happens to a
share after the last session asked for changes nothing.

Factors (CRSP, "Data Definitions: cumulative factor to adjust price"; Yahoo, "What is the adjusted close?"):

- a split of s shares for one on its ex-date divides earlier prices by s and multiplies earlier volumes by s;
- a dividend of D on its ex-date multiplies earlier prices by 1 - D / C, where C is the raw close before it,
  divided by s where the share also splits that day: D is paid on the new share.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from trimtab.core.bars import FIELDS, Bars, grid_cells

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    import polars as pl
    from numpy.typing import NDArray

__all__ = ["ADJUSTMENTS", "Tape", "parse_adjustment"]

ADJUSTMENTS = ("raw", "split", "dividend", "spin-off", "all")
"""What may be asked for, alone or joined by commas, as Alpaca spells it."""

PRICES = ("open", "high", "low", "close")


def parse_adjustment(adjustment: str) -> tuple[bool, bool]:
    """Give whether splits and whether dividends are adjusted for. `spin-off` changes nothing here.

    Raises:
        ValueError: a part is none of `ADJUSTMENTS`.
    """
    parts = {part.strip() for part in adjustment.split(",")}
    unknown = sorted(parts.difference(ADJUSTMENTS))
    if unknown:
        raise ValueError(
            f"unknown adjustment {', '.join(map(repr, unknown))}; allowed: {', '.join(ADJUSTMENTS)}"
        )
    return bool(parts & {"split", "all"}), bool(parts & {"dividend", "all"})


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """Daily prices of m symbols over n sessions as traded, oldest first; NaN where a symbol did not trade.

    `sessions` is (n,) datetime64[D], strictly ascending; `symbols` m names in ascending order; the rest
    (n, m) float64: `open`, `high`, `low`, `close` in USD a share as traded, `volume` in shares, `split`
    new shares for one old on the ex-date (else 1), `dividend` USD a share as it is on the ex-date (else 0).
    `total_factor` is adjusted close / close where only that is known of dividends (else None): it then
    rules every adjustment for dividends. `caveats` says in words what the tape cannot serve.
    `kept` is derived: 1 - D / C on each ex-date, else 1.
    """

    name: str
    sessions: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    split: NDArray[np.float64]
    dividend: NDArray[np.float64]
    total_factor: NDArray[np.float64] | None = None
    caveats: tuple[str, ...] = ()
    kept: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the shapes and work the dividend factors out, once.

        A dividend at or above the price it was paid from can't be a factor: it is left out and named
        in `caveats`.

        Raises:
            ValueError: an array is not of shape (sessions, symbols), or sessions or symbols do not ascend.
        """
        shape = (len(self.sessions), len(self.symbols))
        for name in (*FIELDS, "split", "dividend"):
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, expected {shape}")
        if list(self.symbols) != sorted(set(self.symbols)) or np.any(np.diff(self.sessions.astype(int)) <= 0):
            raise ValueError("sessions and symbols must ascend, each named once")
        kept, refused = _kept(self.close, self.split, self.dividend)
        object.__setattr__(self, "kept", kept)
        notes = tuple(
            f"not adjusted for the payout of {self.symbols[j]} on {self.sessions[i]}: not below the price"
            for i, j in refused
        )
        object.__setattr__(self, "caveats", self.caveats + notes)

    @classmethod
    def from_frame(cls, frame: pl.DataFrame, name: str) -> Self:
        """Make a tape of a polars frame: symbol, session (or date), open, high, low, close, volume.

        `split` (0, null and 1 mean none), `dividend` and `adj_close` are read where they are there. With
        a `dividend` column, `adj_close` is not needed and not used. Without `split`, prices are taken as
        they come. Where the prices do not move at their splits they were adjusted already, so the
        column is left out. Each of these is told in `caveats`.

        Raises:
            ValueError: a column is missing, or two rows are of one symbol and session.
        """
        import polars as pl  # noqa: PLC0415 - a synthetic tape does not pay for polars

        day = "session" if "session" in frame.columns else "date"
        missing = [name for name in ("symbol", day, *FIELDS) if name not in frame.columns]
        if missing:
            raise ValueError(
                f"the data has no column {', '.join(missing)}; it has {', '.join(frame.columns)}"
            )
        sessions, symbols, cell = grid_cells(
            frame["symbol"].cast(pl.String).to_list(), frame[day].cast(pl.Date).to_numpy()
        )
        shape = (len(sessions), len(symbols))
        grids = {
            column: _grid(_floats(frame, column), cell, shape)
            for column in (*FIELDS, "split", "dividend", "adj_close")
            if column in frame.columns
        }
        split, dividend, total_factor, caveats = _actions(grids)
        return cls(
            name,
            sessions,
            symbols,
            open=grids["open"],
            high=grids["high"],
            low=grids["low"],
            close=grids["close"],
            volume=grids["volume"],
            split=split,
            dividend=dividend,
            total_factor=total_factor,
            caveats=caveats,
        )

    def bars(self, symbols: Sequence[str], first: date, last: date, adjustment: str) -> Bars:
        """Give the bars of `symbols` from session `first` to `last`, adjusted as known at `last`.

        `adjustment` is of `ADJUSTMENTS`, or several joined by commas. Symbols without a bar in the
        window, and sessions without a bar of any of them, are absent. `raw_close` is as traded.

        Raises:
            ValueError: the adjustment is unknown.
        """
        splits, dividends = parse_adjustment(adjustment)
        start, stop = np.searchsorted(
            self.sessions, [np.datetime64(first, "D"), np.datetime64(last, "D") + np.timedelta64(1, "D")]
        )
        rows = slice(int(start), int(stop))
        columns = self._columns(symbols, rows)
        traded: NDArray[np.bool_] = np.any(~np.isnan(self.close[rows, columns]), axis=1)
        split = _later(self.split[rows, columns]) if splits or self.total_factor is not None else None
        scale = self._dividend_scale(rows, columns, split) if dividends else 1.0
        raw = {name: getattr(self, name)[rows, columns][traded] for name in FIELDS}
        if splits and split is not None:
            scale = scale / split
        arrays = dict(raw)
        if splits or dividends:
            factor = np.broadcast_to(scale, (len(traded), len(columns)))[traded]
            arrays |= {name: raw[name] * factor for name in PRICES}
        if splits and split is not None:
            arrays["volume"] = raw["volume"] * split[traded]
        names = tuple(self.symbols[j] for j in columns)
        return Bars(self.sessions[rows][traded], names, **arrays, raw_close=raw["close"])

    def _columns(self, symbols: Sequence[str], rows: slice) -> NDArray[np.int64]:
        """Give the columns, ascending, of those `symbols` that have a bar within `rows`."""
        column_of = {symbol: j for j, symbol in enumerate(self.symbols)}
        columns = np.asarray(sorted({column_of[s] for s in symbols if s in column_of}), dtype=np.int64)
        return columns[~np.isnan(self.close[rows, columns]).all(axis=0)]

    def _dividend_scale(
        self, rows: slice, columns: NDArray[np.int64], split: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        """Give what dividends after each row multiply its price by, as known at the last row."""
        if self.total_factor is None or split is None:
            return _later(self.kept[rows, columns])
        total = _filled_forward(self.total_factor[rows, columns])
        scale: NDArray[np.float64] = total / total[-1:] * split
        return scale


def _later(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give for each row the product of the rows after it, column by column; the last row is 1."""
    product = np.ones_like(ratio)
    if len(ratio) > 1 and np.any(ratio != 1.0):
        product[:-1] = np.cumprod(ratio[:0:-1], axis=0)[::-1]
    return product


def _filled_forward(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give `grid` with each NaN replaced by the last value above it in its column."""
    row = np.where(np.isnan(grid), 0, np.arange(len(grid))[:, None])
    filled: NDArray[np.float64] = np.take_along_axis(grid, np.maximum.accumulate(row, axis=0), axis=0)
    return filled


def _kept(
    close: NDArray[np.float64], split: NDArray[np.float64], dividend: NDArray[np.float64]
) -> tuple[NDArray[np.float64], list[tuple[int, int]]]:
    """Give 1 - D / C on each ex-date (else 1), and the cells whose dividend can't be a factor."""
    kept = np.ones_like(close)
    i, j = np.nonzero(dividend)
    if len(i) == 0:
        return kept, []
    before = _filled_forward(close)[np.maximum(i - 1, 0), j] / split[i, j]
    ratio = 1.0 - dividend[i, j] / before
    ratio[(i == 0) | np.isnan(ratio)] = 1.0  # no close before it: no price to adjust
    sound = (ratio > 0.0) & (ratio <= 1.0)
    kept[i[sound], j[sound]] = ratio[sound]
    return kept, [(int(a), int(b)) for a, b in zip(i[~sound], j[~sound], strict=True)]


def _floats(frame: pl.DataFrame, column: str) -> NDArray[np.float64]:
    """Give a column as float64, NaN for null; float32 prices without their noise past 1/10,000 USD."""
    import polars as pl  # noqa: PLC0415 - as above

    values = frame[column].cast(pl.Float64).to_numpy()
    return np.round(values, 4) if frame[column].dtype == pl.Float32 and column in PRICES else values


def _grid(
    values: NDArray[np.float64], cell: NDArray[np.int64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    grid = np.full(shape[0] * shape[1], np.nan)
    grid[cell] = values
    return grid.reshape(shape)


def _actions(
    grids: Mapping[str, NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None, tuple[str, ...]]:
    """Decide what is known of splits and dividends, and say what is not."""
    close = grids["close"]
    caveats = []
    split = np.nan_to_num(grids["split"], nan=1.0) if "split" in grids else np.ones_like(close)
    split[split <= 0.0] = 1.0
    if "split" not in grids:
        caveats.append("no split column: prices are served as they come, raw is what the source calls close")
    elif _adjusted_already(close, split):
        split = np.ones_like(close)
        caveats.append(
            "prices do not move at their splits, so they are split-adjusted: raw prices are not known"
        )
    dividend = np.nan_to_num(grids["dividend"]) if "dividend" in grids else np.zeros_like(close)
    total = None
    if "dividend" not in grids and "adj_close" in grids:
        total = grids["adj_close"] / close
        caveats.append(
            "no dividend column: adjusted for dividends by adj_close, cash dividends are not known"
        )
    elif "dividend" not in grids:
        caveats.append("no dividend column and no adj_close: not adjusted for dividends")
    return split, dividend, total, tuple(caveats)


def _adjusted_already(close: NDArray[np.float64], split: NDArray[np.float64]) -> bool:
    """Say whether, at most of the large splits, the price moved less with the split left out than with it."""
    i, j = np.nonzero(np.abs(np.log(split)) > np.log(1.4))
    i, j = i[i > 0], j[i > 0]
    move = np.log(close[i, j] / _filled_forward(close)[i - 1, j])
    known = ~np.isnan(move)
    unmoved = np.abs(move[known]) < np.abs(move[known] + np.log(split[i, j][known]))
    return bool(len(unmoved) and np.mean(unmoved) > 0.5)  # noqa: PLR2004 - most
