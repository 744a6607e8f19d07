"""Prices: bars as plain arrays in files that every process maps read-only: they are in memory once.

The files are mapped, not copied, so what many workers read is one set of pages of the system's cache; unlike
shared memory it needs no segment that a kill would leave behind, and no room in /dev/shm.
"""

from __future__ import annotations

import os
import secrets
import shutil
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.bars import FIELDS, Bars

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["map_prices", "prices_file", "read_prices_file", "write_prices"]

GRIDS = (*FIELDS, "raw_close")


def write_prices(bars: Bars, folder: Path) -> None:
    """Write bars into a folder, unless it is there; it appears whole or not at all.

    A grid that equals one before it is the same file once more, under another name.

    Raises:
        OSError: it can't be written.
    """
    if folder.is_dir():
        return
    temporary = folder.parent / f".tmp-{os.getpid()}-{secrets.token_hex(8)}"
    temporary.mkdir(parents=True)
    try:
        np.save(temporary / "sessions.npy", bars.sessions)
        np.save(temporary / "symbols.npy", np.asarray(bars.symbols, dtype=np.str_))
        _write_grids(bars, temporary)
        temporary.rename(folder)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        if not folder.is_dir():  # another sweep may have been first
            raise


def _write_grids(bars: Bars, folder: Path) -> None:
    written: list[str] = []
    for name in GRIDS:
        grid = getattr(bars, name)
        same = next((old for old in written if _equal(getattr(bars, old), grid)), None)
        if same is None:
            np.save(folder / f"{name}.npy", np.ascontiguousarray(grid, dtype="<f8"))
        else:
            os.link(folder / f"{same}.npy", folder / f"{name}.npy")
        written.append(name)


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    first_rows = slice(0, 1)  # most pairs differ here already
    if not np.array_equal(one[first_rows], other[first_rows], equal_nan=True):
        return False
    return np.array_equal(one, other, equal_nan=True)


def map_prices(folder: Path) -> Bars:
    """Give the bars of a folder, mapped read-only.

    Raises:
        OSError: it can't be read.
    """
    grids = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in GRIDS}
    symbols = tuple(np.load(folder / "symbols.npy").tolist())
    return Bars(np.load(folder / "sessions.npy"), symbols, **grids)


def prices_file(bars: Bars) -> bytes:
    """Give bars as parquet, every cell of their grids, so that they come back as they were."""
    import polars as pl  # noqa: PLC0415 - what is mapped needs no frame

    n, m = bars.close.shape
    columns: dict[str, object] = {
        "symbol": np.repeat(np.asarray(bars.symbols, dtype=np.str_), n),
        "session": np.tile(bars.sessions, m),
    }
    columns |= {name: getattr(bars, name).T.reshape(-1) for name in GRIDS}
    buffer = BytesIO()
    frame = pl.DataFrame(columns, schema_overrides={"symbol": pl.String, "session": pl.Date})
    frame.write_parquet(buffer, compression="zstd", statistics=False)
    return buffer.getvalue()


def read_prices_file(data: bytes) -> Bars:
    """Read what `prices_file` wrote.

    Raises:
        ValueError: it is not that.
    """
    import polars as pl  # noqa: PLC0415 - as above

    try:
        frame = pl.read_parquet(BytesIO(data))
        columns = {name: frame[name].to_numpy() for name in GRIDS}
        return Bars.from_columns(frame["symbol"].to_numpy(), frame["session"].to_numpy(), columns)
    except (pl.exceptions.PolarsError, OSError, TypeError) as error:
        raise ValueError(f"no prices: {error}") from error
