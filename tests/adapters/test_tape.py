"""Tapes: adjusted prices as they were known at a session, no earlier and no later."""

from __future__ import annotations

import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.adapters.exchange.tape import Tape, parse_adjustment

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
DAY = date(2020, 1, 1)
ADJUSTMENTS = ["raw", "split", "dividend", "all", "split,dividend", "split,spin-off"]


def day(n: int) -> date:
    """Give the n-th session."""
    return DAY + timedelta(days=n)


def one_symbol(close: list[float | None], **columns: list[float | None]) -> pl.DataFrame:
    """Give a frame of symbol A whose prices are `close`, volume 100."""
    prices = {name: pl.Series(close, dtype=pl.Float64) for name in ("open", "high", "low", "close")}
    dates = [day(i) for i in range(len(close))]
    return pl.DataFrame({"symbol": ["A"] * len(close), "date": dates, **prices, "volume": 100.0, **columns})


def closes(tape: Tape, adjustment: str, last: int, first: int = 0) -> list[float]:
    """Give A's adjusted closes from session `first` to `last`."""
    result: list[float] = tape.bars(["A"], day(first), day(last), adjustment).close[:, 0].tolist()
    return result


def split_and_dividend() -> Tape:
    """Give closes 100, 102, 50 (2:1), 51, 49 (a dividend of 1)."""
    frame = one_symbol(
        [100.0, 102.0, 50.0, 51.0, 49.0], split=[1.0, 1.0, 2.0, 1.0, 1.0], dividend=[0.0, 0.0, 0.0, 0.0, 1.0]
    )
    return Tape.from_frame(frame, "made")


def test_a_split_divides_earlier_prices_and_multiplies_earlier_volumes() -> None:
    """2:1 on its ex-date: earlier prices halve, earlier volumes double, the raw close stays."""
    bars = split_and_dividend().bars(["A"], day(0), day(2), "split")
    assert bars.close[:, 0].tolist() == [50.0, 51.0, 50.0]
    assert bars.volume[:, 0].tolist() == [200.0, 200.0, 100.0]
    assert bars.raw_close[:, 0].tolist() == [100.0, 102.0, 50.0]


def test_a_dividend_scales_earlier_prices_by_what_it_left() -> None:
    """A dividend of 1 after a close of 51 multiplies earlier prices by 50/51; volumes stay."""
    bars = split_and_dividend().bars(["A"], day(2), day(4), "dividend")
    np.testing.assert_allclose(bars.close[:, 0], [50.0 * 50 / 51, 50.0, 49.0])
    assert bars.volume[:, 0].tolist() == [100.0] * 3


def test_all_is_split_and_dividend() -> None:
    """`all` is both factors at once, and so is the comma combination."""
    tape = split_and_dividend()
    np.testing.assert_allclose(
        closes(tape, "all", 4), np.array([50.0, 51.0, 50.0, 51.0, 51.0 * 49 / 50]) * 50 / 51
    )
    assert closes(tape, "all", 4) == closes(tape, "split,dividend", 4)
    assert closes(tape, "raw", 4) == [100.0, 102.0, 50.0, 51.0, 49.0]


def test_what_is_not_known_yet_has_no_effect() -> None:
    """A split or dividend whose ex-date is after the last session asked for changes nothing."""
    tape = split_and_dividend()
    assert closes(tape, "all", 1) == [100.0, 102.0]
    assert closes(tape, "all", 3) == [50.0, 51.0, 50.0, 51.0]


def test_a_dividend_on_a_split_day_is_paid_on_the_new_share() -> None:
    """2:1 and 1 USD at once after a close of 100: the factor is (1 - 1/50) / 2."""
    frame = one_symbol([100.0, 49.0], split=[1.0, 2.0], dividend=[0.0, 1.0])
    np.testing.assert_allclose(closes(Tape.from_frame(frame, "made"), "all", 1), [49.0, 49.0])


@given(
    price=st.lists(st.floats(1.0, 1000.0), min_size=2, max_size=12),
    split=st.lists(st.sampled_from([1.0, 1.0, 2.0, 0.1, 1.5]), min_size=12, max_size=12),
    paid=st.lists(st.sampled_from([0.0, 0.0, 0.3]), min_size=12, max_size=12),
    adjustment=st.sampled_from(ADJUSTMENTS),
)
@settings(max_examples=80, deadline=None)
def test_as_known_then(price: list[float], split: list[float], paid: list[float], adjustment: str) -> None:
    """Bars to a session are those of a tape that ends there, whatever comes later; the last is raw."""
    n = len(price)
    grids = [np.array(price)[:, None]] * 4 + [np.full((n, 1), 100.0)]
    events = [np.array(split[:n])[:, None], np.array(paid[:n])[:, None]]
    sessions = np.array([day(i) for i in range(n)], dtype="datetime64[D]")
    whole = Tape("whole", sessions, ("A",), *grids, *events)
    for last in range(n):
        cut = Tape("cut", sessions[: last + 1], ("A",), *(grid[: last + 1] for grid in [*grids, *events]))
        assert closes(whole, adjustment, last) == closes(cut, adjustment, last)
        assert closes(whole, adjustment, last)[-1] == price[last]
        middle = last // 2
        assert closes(whole, adjustment, last, first=middle) == closes(whole, adjustment, last)[middle:]


def test_only_adj_close_serves_dividends_by_its_ratio() -> None:
    """Without split and dividend columns, `all` has adj_close's returns and `raw` the prices as they come."""
    tape = Tape.from_frame(one_symbol([10.0, 11.0, 12.0], adj_close=[5.0, 5.5, 12.0]), "made")
    np.testing.assert_allclose(closes(tape, "all", 2), [5.0, 5.5, 12.0])
    np.testing.assert_allclose(closes(tape, "all", 1), [10.0, 11.0])
    assert closes(tape, "split", 2) == closes(tape, "raw", 2) == [10.0, 11.0, 12.0]
    assert [caveat.split(":")[0] for caveat in tape.caveats] == ["no split column", "no dividend column"]


def test_adj_close_with_splits_leaves_the_dividend_part() -> None:
    """With splits known beside adj_close, `dividend` is the ratio with the splits taken out of it."""
    frame = one_symbol([100.0, 50.0, 50.0], split=[1.0, 2.0, 1.0], adj_close=[40.0, 40.0, 50.0])
    tape = Tape.from_frame(frame, "made")
    np.testing.assert_allclose(closes(tape, "dividend", 2), [80.0, 40.0, 50.0])
    np.testing.assert_allclose(closes(tape, "split", 2), [50.0, 50.0, 50.0])
    np.testing.assert_allclose(closes(tape, "all", 2), [40.0, 40.0, 50.0])


def test_nothing_known_is_said() -> None:
    """Without actions and adj_close every adjustment is raw, and the caveats say so."""
    tape = Tape.from_frame(one_symbol([10.0, 11.0]), "made")
    assert closes(tape, "all", 1) == [10.0, 11.0]
    assert any("not adjusted for dividends" in caveat for caveat in tape.caveats)


def test_prices_that_do_not_move_at_their_splits_are_not_split_again() -> None:
    """A split column beside prices that are split-adjusted already is left out, and told."""
    tape = Tape.from_frame(one_symbol([50.0, 51.0, 50.5], split=[0.0, 2.0, 0.0], dividend=[0.0] * 3), "made")
    assert closes(tape, "all", 2) == [50.0, 51.0, 50.5]
    assert any("split-adjusted" in caveat for caveat in tape.caveats)


def test_an_impossible_dividend_is_left_out_and_told() -> None:
    """A dividend not below the price before it makes no negative price."""
    tape = Tape.from_frame(one_symbol([10.0, 9.0], split=[1.0, 1.0], dividend=[0.0, 10.0]), "made")
    assert closes(tape, "all", 1) == [10.0, 9.0]
    assert any("A on 2020-01-02" in caveat for caveat in tape.caveats)


def test_a_split_on_a_day_without_trade_still_counts() -> None:
    """A row without prices makes no bar, but its split and dividend hold."""
    frame = one_symbol([100.0, None, 50.0], split=[1.0, 2.0, 1.0], dividend=[None, None, None])
    bars = Tape.from_frame(frame, "made").bars(["A"], day(0), day(2), "all")
    assert bars.close[:, 0].tolist() == [50.0, 50.0]
    assert bars.sessions.tolist() == [day(0), day(2)]


def test_symbols_without_a_bar_in_the_window_are_absent() -> None:
    """Unknown symbols, and those not yet listed, have no column; order and repeats do not matter."""
    late = one_symbol([7.0]).with_columns(symbol=pl.lit("B"), date=pl.lit(day(2)))
    tape = Tape.from_frame(pl.concat([one_symbol([1.0, 2.0, 3.0]), late]), "made")
    assert tape.bars(["Z", "B", "A"], day(0), day(1), "raw").symbols == ("A",)
    assert tape.bars(["B", "A", "B"], day(0), day(2), "raw").symbols == ("A", "B")
    assert tape.bars(["Z"], day(0), day(2), "all").close.shape == (0, 0)
    assert tape.bars(["A"], day(5), day(9), "all").close.shape == (0, 0)


def test_unknown_adjustments_are_refused() -> None:
    """An adjustment that is none is named, with what is allowed."""
    with pytest.raises(ValueError, match="unknown adjustment 'splits'; allowed: raw"):
        parse_adjustment("dividend,splits")
    assert parse_adjustment("dividend, spin-off") == (False, True)


def test_ragged_or_unordered_tapes_are_refused() -> None:
    """Shapes agree and both axes ascend, or there is no tape."""
    grid = np.ones((2, 1))
    days = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]")
    with pytest.raises(ValueError, match="ascend"):
        Tape("x", days[::-1], ("A",), *[grid] * 7)
    with pytest.raises(ValueError, match="volume has shape"):
        Tape("x", days, ("A",), *[grid] * 4, grid[:1], grid, grid)


def test_three_thousand_symbols_are_quick() -> None:
    """3,000 symbols x 300 sessions, fully adjusted, take under a second; ten symbols a few milliseconds."""
    rng = np.random.default_rng(1)
    n, m = 300, 3000
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, (n, m)), axis=0))
    split, paid = (
        np.where(rng.random((n, m)) < 0.001, 2.0, 1.0),
        np.where(rng.random((n, m)) < 0.01, 0.5, 0.0),
    )
    days = np.array([day(i) for i in range(n)], dtype="datetime64[D]")
    names = tuple(f"S{j:04d}" for j in range(m))
    tape = Tape("large", days, names, close, close, close, close, close, split, paid)
    started = time.process_time()
    assert tape.bars(names, day(0), day(n), "all").close.shape == (n, m)
    assert time.process_time() - started < 1.0
    started = time.process_time()
    for last in range(n):
        tape.bars(names[:10], day(0), day(last), "all")
    assert time.process_time() - started < 3.0


@pytest.mark.parametrize(
    ("file", "tolerance"),
    [("canonical_etf_daily", 2e-5), ("us_raw_alphavantage_1999_2020", 5e-3), ("etf_tiingo_2003_2021", 5e-3)],
)
def test_the_vendors_adjusted_close_comes_out(file: str, tolerance: float) -> None:
    """Over years of real splits and dividends, `all` has the returns of the vendor's own adj_close."""
    path = DATA / f"{file}.parquet"
    if not path.is_file():
        pytest.skip(f"no {path.name}: the market data beside the repository is not here")
    frame = pl.read_parquet(path).filter(pl.col("symbol").is_in(["SPY", "EFA", "TLT"]))
    tape = Tape.from_frame(frame, file)
    for symbol in ("SPY", "EFA", "TLT"):
        rows = frame.filter((pl.col("symbol") == symbol) & (pl.col("date") >= date(2004, 1, 1))).sort("date")
        theirs = rows["adj_close"].cast(pl.Float64).to_numpy()
        ours = tape.bars([symbol], rows["date"][0], rows["date"][-1], "all").close[:, 0]
        np.testing.assert_allclose(ours / ours[-1], theirs / theirs[-1], rtol=tolerance)
