"""Files of bars: parquet and csv give the same; what can't be read is told plainly."""

from __future__ import annotations

import gzip
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from trimtab.adapters.files import read_bars, read_frame, read_tape
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

FRAME = pl.DataFrame(
    {
        "symbol": ["A", "A", "B"],
        "date": [date(2020, 1, 2), date(2020, 1, 3), date(2020, 1, 3)],
        "open": [1.0, 2.0, 3.0],
        "high": [1.0, 2.0, 3.0],
        "low": [1.0, 2.0, 3.0],
        "close": [1.0, 2.0, 3.0],
        "volume": [10, 20, 30],
        "adj_close": [0.5, 2.0, 3.0],
    }
)


def written(folder: Path, suffix: str, frame: pl.DataFrame = FRAME) -> Path:
    """Write the frame in the form that the suffix names."""
    path = folder / f"bars{suffix}"
    if suffix == ".parquet":
        frame.write_parquet(path)
    else:
        text = frame.write_csv().encode()
        path.write_bytes(gzip.compress(text) if suffix.endswith(".gz") else text)
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz"])
def test_every_form_gives_the_same(tmp_path: Path, suffix: str) -> None:
    """The form of a file does not change its bars."""
    path = written(tmp_path, suffix)
    bars = read_bars(path)
    assert (bars.symbols, bars.sessions.tolist()) == (("A", "B"), [date(2020, 1, 2), date(2020, 1, 3)])
    np.testing.assert_array_equal(bars.close, [[0.5, np.nan], [2.0, 3.0]])
    np.testing.assert_array_equal(read_bars(str(path), adjusted=False).close, [[1.0, np.nan], [2.0, 3.0]])
    tape = read_tape(path)
    assert tape.name == path.name
    assert tape.bars(["A"], date(2020, 1, 2), date(2020, 1, 3), "all").close[:, 0].tolist() == [0.5, 2.0]


def test_spelling_of_columns(tmp_path: Path) -> None:
    """Capitals, blanks and `Ticker` are understood."""
    frame = FRAME.rename({"symbol": "Ticker", "date": "Date", "adj_close": "Adj Close"})
    assert read_frame(written(tmp_path, ".csv", frame)).columns == FRAME.columns


@pytest.mark.parametrize("suffix", [".parquet", ".csv.gz"])
def test_unreadable_files(tmp_path: Path, suffix: str) -> None:
    """Garbage is a misconfiguration that names the file."""
    path = tmp_path / f"bars{suffix}"
    path.write_bytes(b"\x1f\x8bthis is neither")
    with pytest.raises(Misconfigured, match=f"bars{suffix}") as error:
        read_bars(path)
    assert error.value.hint


def test_missing_file_and_unknown_suffix(tmp_path: Path) -> None:
    """A file that is not there, or is of no known form, is told as such."""
    with pytest.raises(Misconfigured, match="there is no such file"):
        read_bars(tmp_path / "none.parquet")
    with pytest.raises(Misconfigured, match=r"bars\.xlsx.*allowed: \.parquet, \.csv"):
        read_tape(tmp_path / "bars.xlsx")


def test_missing_columns(tmp_path: Path) -> None:
    """A table without a needed column names it, what it has, and what is allowed."""
    with pytest.raises(Misconfigured, match="no column low, volume") as error:
        read_bars(written(tmp_path, ".csv", FRAME.drop("low", "volume")))
    assert "adj_close" in str(error.value.seen)
    assert "volume" in str(error.value.allowed)


@pytest.mark.parametrize("column", ["date", "close"])
def test_values_of_another_kind(tmp_path: Path, column: str) -> None:
    """Words where dates or prices belong are a misconfiguration, not a crash."""
    path = written(tmp_path, ".csv", FRAME.with_columns(pl.lit("soon").alias(column)))
    with pytest.raises(Misconfigured, match="does not hold daily bars"):
        read_bars(path)
    with pytest.raises(Misconfigured, match="does not hold daily bars"):
        read_tape(path)


def test_duplicates(tmp_path: Path) -> None:
    """Two bars of one symbol and session are refused."""
    with pytest.raises(Misconfigured, match="two bars of A on 2020-01-02"):
        read_tape(written(tmp_path, ".csv", pl.concat([FRAME, FRAME.head(1)])))
