"""Bars and History: arrays that can't be written, frames that come back as they went in."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.bars import FIELDS, Bars, grid_cells

FIRST = date(2020, 1, 1)
KEYS = st.sets(st.tuples(st.sampled_from("DACB"), st.dates(FIRST, date(2020, 2, 1))), min_size=1, max_size=40)


def frame_of(rows: list[tuple[str, date, float]], **columns: list[float]) -> pl.DataFrame:
    """Give a long frame whose prices are all the row's value, and whatever other columns."""
    names, days, values = zip(*rows, strict=True)
    prices = {name: list(values) for name in FIELDS}
    return pl.DataFrame({"symbol": list(names), "session": list(days), **prices, **columns})


def two_by_two() -> pl.DataFrame:
    """Give A on two sessions and B on the second alone."""
    return frame_of([("B", date(2020, 1, 3), 7.0), ("A", FIRST, 1.0), ("A", date(2020, 1, 3), 2.0)])


def test_axes_ascend_and_missing_bars_are_nan() -> None:
    """Sessions and symbols ascend whatever the order of the rows; no row, no price."""
    bars = Bars.from_frame(two_by_two())
    assert bars.symbols == ("A", "B")
    assert bars.sessions.tolist() == [FIRST, date(2020, 1, 3)]
    np.testing.assert_array_equal(bars.close, [[1.0, np.nan], [2.0, 7.0]])


@pytest.mark.parametrize("name", [*FIELDS, "raw_close"])
def test_bars_are_read_only(name: str) -> None:
    """No array of the bars can be written."""
    bars = Bars.from_frame(two_by_two())
    with pytest.raises(ValueError, match="read-only"):
        getattr(bars, name)[0, 0] = 1.0


@pytest.mark.parametrize("name", FIELDS)
def test_history_is_a_read_only_view(name: str) -> None:
    """A strategy sees the bars' own memory and can't write it."""
    bars = Bars.from_frame(two_by_two())
    view = getattr(bars.history(), name)
    assert np.shares_memory(view, getattr(bars, name))
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0] = 1.0


def test_history_ends_at_its_decision() -> None:
    """History holds the `lookback` sessions before `stop` and nothing later."""
    rows = [("A", date(2020, 1, day), float(day)) for day in range(1, 11)]
    bars = Bars.from_frame(frame_of(rows))
    assert bars.history(stop=6, lookback=3).close[:, 0].tolist() == [4.0, 5.0, 6.0]
    assert bars.history(stop=2, lookback=3).close[:, 0].tolist() == [1.0, 2.0]
    assert len(bars.history().sessions) == 10


def test_up_to_takes_the_session_in() -> None:
    """`up_to` a session gives it and those that came earlier, also where that day has no bar."""
    bars = Bars.from_frame(two_by_two())
    assert bars.up_to(date(2020, 1, 2)).close.tolist()[0][0] == 1.0
    assert [len(bars.up_to(date(2020, 1, day)).sessions) for day in (1, 2, 3, 4)] == [1, 1, 2, 2]


@given(keys=KEYS, data=st.data())
@settings(max_examples=60, deadline=None)
def test_frame_round_trip(keys: set[tuple[str, date]], data: st.DataObject) -> None:
    """A frame made of bars makes the same bars, and holds one row a bar, sorted by symbol and session."""
    order = data.draw(st.permutations(sorted(keys)))
    bars = Bars.from_frame(frame_of([(name, day, float(i + 1)) for i, (name, day) in enumerate(order)]))
    frame = bars.frame()
    assert frame.select("symbol", "session").rows() == sorted(keys)
    again = Bars.from_frame(frame)
    assert (again.symbols, again.sessions.tolist()) == (bars.symbols, bars.sessions.tolist())
    for name in (*FIELDS, "raw_close"):
        np.testing.assert_array_equal(getattr(again, name), getattr(bars, name))


@given(keys=KEYS)
@settings(max_examples=60, deadline=None)
def test_grid_puts_each_row_in_its_own_cell(keys: set[tuple[str, date]]) -> None:
    """The flat cell of a row is its session's rank x m + its symbol's rank."""
    names, days = zip(*keys, strict=True)
    sessions, symbols, cell = grid_cells(names, np.asarray(days, dtype="datetime64[D]"))
    assert symbols == tuple(sorted(set(names)))
    assert sessions.tolist() == sorted(set(days))
    placed = [(symbols[i % len(symbols)], sessions[i // len(symbols)].item()) for i in cell.tolist()]
    assert placed == list(zip(names, days, strict=True))


def test_history_frame_has_no_raw_close() -> None:
    """What a strategy sees as a frame are the same fields as it sees as arrays."""
    assert Bars.from_frame(two_by_two()).history().frame().columns == ["symbol", "session", *FIELDS]


def test_duplicates_are_refused() -> None:
    """Two bars of one symbol and session are an error that names both."""
    rows = [("A", FIRST, 1.0), ("B", FIRST, 1.0), ("B", FIRST, 2.0)]
    with pytest.raises(ValueError, match="two bars of B on 2020-01-01"):
        Bars.from_frame(frame_of(rows))


def test_adjusted_prices_are_scaled_and_volume_is_not() -> None:
    """Prices are scaled by adj_close / close; volume and raw_close stay."""
    bars = Bars.from_frame(frame_of([("A", FIRST, 10.0)], adj_close=[5.0]))
    assert [getattr(bars, name)[0, 0] for name in ("open", "high", "low", "close")] == [5.0] * 4
    assert (bars.volume[0, 0], bars.raw_close[0, 0]) == (10.0, 10.0)
    assert (
        Bars.from_frame(frame_of([("A", FIRST, 10.0)], adj_close=[5.0]), adjusted=False).close[0, 0] == 10.0
    )


@pytest.mark.parametrize("empty", [None, float("nan")])
def test_a_row_without_close_is_no_bar(empty: float | None) -> None:
    """A null or NaN close makes no session and no symbol."""
    frame = two_by_two().with_columns(
        close=pl.when(pl.col("symbol") == "B").then(pl.lit(empty, pl.Float64)).otherwise("close")
    )
    assert Bars.from_frame(frame).symbols == ("A",)


def test_missing_columns_are_named() -> None:
    """A frame without a needed column is refused by the column's name."""
    with pytest.raises(ValueError, match="no column volume"):
        Bars.from_frame(two_by_two().drop("volume"))


def test_order_gives_columns_to_symbols_without_rows() -> None:
    """`order` adds an all-NaN column, and a row outside it is refused instead of landing elsewhere."""
    columns = {name: np.array([1.0]) for name in FIELDS}
    bars = Bars.from_columns(["B"], [FIRST], columns, order=["C", "A", "B"])
    np.testing.assert_array_equal(bars.close, [[np.nan, 1.0, np.nan]])
    with pytest.raises(ValueError, match="a bar is of B"):
        Bars.from_columns(["B"], [FIRST], columns, order=["A", "C"])


def test_no_rows_are_empty_bars() -> None:
    """No rows give no sessions; the symbols asked for still have their columns."""
    empty = {name: np.array([]) for name in FIELDS}
    assert Bars.from_columns([], [], empty, order=["A"]).close.shape == (0, 1)
    assert Bars.from_columns([], [], empty).close.shape == (0, 0)


@pytest.mark.parametrize("symbols", [["A", None], [None, None]])
def test_a_row_without_a_symbol_is_refused(symbols: list[str | None]) -> None:
    """A bar is of something."""
    frame = two_by_two().head(2).with_columns(pl.Series("symbol", symbols, pl.String))
    with pytest.raises(ValueError, match="no symbol"):
        Bars.from_frame(frame)


def test_a_row_without_a_date_is_refused() -> None:
    """A bar belongs to a session."""
    columns = {name: np.array([1.0]) for name in FIELDS}
    with pytest.raises(ValueError, match="no session date"):
        Bars.from_columns(["A"], np.array(["NaT"], dtype="datetime64[D]"), columns)


def test_select_orders_and_refuses() -> None:
    """`select` gives ascending columns, and an unknown symbol is an error."""
    bars = Bars.from_frame(two_by_two())
    assert bars.select(["B", "A"]).symbols == ("A", "B")
    np.testing.assert_array_equal(bars.select(["B"]).close, [[np.nan], [7.0]])
    with pytest.raises(KeyError):
        bars.select(["Z"])


def test_shapes_must_agree() -> None:
    """An array of another shape than sessions x symbols is refused by name."""
    bars = Bars.from_frame(two_by_two())
    arrays = {name: getattr(bars, name) for name in (*FIELDS, "raw_close")} | {"low": bars.low[:1]}
    with pytest.raises(ValueError, match="low has shape"):
        Bars(bars.sessions, bars.symbols, **arrays)
