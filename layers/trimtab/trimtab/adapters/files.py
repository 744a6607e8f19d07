"""Files: daily bars read from a parquet or csv file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.adapters.exchange.tape import Tape
from trimtab.core.bars import Bars
from trimtab.core.rows import read_rows
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    import polars as pl

    from trimtab.core.rows import Rows

    Made = TypeVar("Made")

__all__ = ["read_bars", "read_frame", "read_rows_of", "read_tape"]

SUFFIXES = (".parquet", ".csv", ".csv.gz")
NEEDED = "symbol, session (or date), open, high, low, close, volume"
HINT = f"give a long table, one row a symbol and session, with the columns {NEEDED}"


def read_bars(path: str | Path, *, adjusted: bool = True) -> Bars:
    """Give the bars of a file.

    Where adj_close is there, prices are scaled by adj_close / close unless `adjusted` is False.

    Raises:
        Misconfigured: there is no such file, it can't be read, or it does not hold daily bars.
    """
    return _made(path, lambda frame: Bars.from_frame(frame, adjusted=adjusted))


def read_tape(path: str | Path) -> Tape:
    """Give the tape of a file, for the simulated exchange to replay.

    Raises:
        Misconfigured: there is no such file, it can't be read, or it does not hold daily bars.
    """
    return _made(path, lambda frame: Tape.from_frame(frame, Path(path).name))


def read_rows_of(path: str | Path) -> Rows:
    """Give a file's bars and actions and what is wrong with its rows, also where `read_bars` refuses it.

    Raises:
        Misconfigured: there is no such file, it can't be read, or it lacks a column.
    """
    return _made(path, read_rows, text=True)


def read_frame(path: str | Path, *, text: bool = False) -> pl.DataFrame:
    """Give a file's table with its column names in lower case, blanks as `_`, and `ticker` as `symbol`.

    With `text` the values of a csv file stay text, so that one that is no number spoils no column.

    Raises:
        Misconfigured: there is no such file, its suffix is not of `SUFFIXES`, or it can't be read.
    """
    import polars as pl  # noqa: PLC0415 - a run that reads no file does not pay for polars

    file = Path(path)
    if not file.name.lower().endswith(SUFFIXES):
        raise Misconfigured("data_file", "not a file of bars", seen=file.name, allowed=", ".join(SUFFIXES))
    if not file.is_file():
        raise Misconfigured("data_file", "there is no such file", seen=file, hint="check the path")
    try:
        parquet = file.suffix.lower() == ".parquet"
        if parquet:
            frame = pl.read_parquet(file)
        else:
            frame = pl.read_csv(file, try_parse_dates=not text, infer_schema=not text)
    except (pl.exceptions.PolarsError, OSError) as cause:
        raise Misconfigured(
            "data_file", f"{file.name} can't be read: {_first_line(cause)}", seen=file, hint=HINT
        ) from cause
    return _renamed(frame)


def _renamed(frame: pl.DataFrame) -> pl.DataFrame:
    names = {name: name.strip().lower().replace(" ", "_") for name in frame.columns}
    if "symbol" not in names.values():
        names = {old: "symbol" if new == "ticker" else new for old, new in names.items()}
    return frame.rename(names)


def _made(path: str | Path, make: Callable[[pl.DataFrame], Made], *, text: bool = False) -> Made:
    import polars as pl  # noqa: PLC0415 - as above

    frame = read_frame(path, text=text)
    try:
        return make(frame)
    except (ValueError, TypeError, pl.exceptions.PolarsError) as cause:
        raise Misconfigured(
            "data_file",
            f"{Path(path).name} does not hold daily bars: {_first_line(cause)}",
            seen=", ".join(frame.columns),
            allowed=NEEDED,
            hint=HINT,
        ) from cause


def _first_line(cause: Exception) -> str:
    return (str(cause).strip() or type(cause).__name__).splitlines()[0]
