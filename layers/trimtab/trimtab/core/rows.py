"""Rows: a table of daily bars as somebody's file holds it, read row by row: bars, actions, and what is wrong.

`Bars` refuses a table that it can't hold; this reading takes what can be taken and names the rest, so that a
person learns of every fault at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from trimtab.core.actions import Action
from trimtab.core.bars import FIELDS, Bars
from trimtab.core.finding import Finding
from trimtab.core.nyse import is_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

__all__ = ["Rows", "read_rows"]

PRICES = ("open", "high", "low", "close")
OPTIONAL = ("adj_close", "raw_close", "split", "dividend")
HALTING = frozenset({*PRICES, "adj_close"})
"""Columns in which a run needs a finite number above 0."""
POSITIVE = HALTING | {"raw_close"}
RULES_FROM = date(1998, 1, 1)
"""From here on the calendar knows the exchange's holidays; before, only its weekends are judged."""
SATURDAY = 5
WHERE = ("symbol", "session")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What a table holds: its bars, its corporate actions by symbol and session, what is wrong with its rows.

    Left out of the bars are rows without a symbol, a session or any price, and of several rows of one symbol
    and session all but the first. Prices that can't be are left in, for the gates to judge too.
    """

    bars: Bars
    actions: tuple[Action, ...]
    findings: tuple[Finding, ...]


def read_rows(frame: pl.DataFrame, *, adjusted: bool = True) -> Rows:
    """Read a table: symbol, session (or date), open, high, low, close, volume.

    Read where they are there: `adj_close`, `raw_close`, `split` (new shares for one old; null, 0 and 1: none)
    and `dividend` (USD a share as it is on the ex-date). Prices are scaled by adj_close / close unless
    `adjusted` is False, or there is a raw_close.

    Raises:
        ValueError: a column is missing.
    """
    import polars as pl  # noqa: PLC0415 - a run that needs no frame does not pay for polars

    table = _typed(frame)
    findings = [*_unplaced(table), *_unsorted(table)]
    table = table.filter(pl.col("symbol").is_not_null() & pl.col("session").is_not_null())
    repeated = list(_repeated(table))
    findings += [*repeated, *_numbers(table), *_unlisted(table)]
    if repeated:
        table = table.unique(WHERE, keep="first", maintain_order=True)
    table = table.filter(~_empty())
    actions = tuple(sorted(_actions(table), key=lambda action: (action.symbol, action.session)))
    bars = Bars.from_frame(table.drop("split", "dividend", strict=False), adjusted=adjusted)
    return Rows(bars, actions, tuple(findings))


def _typed(frame: pl.DataFrame) -> pl.DataFrame:
    """Give the table with every column of its kind, null where a value is of another, and the text beside it.

    Raises:
        ValueError: a column is missing.
    """
    import polars as pl  # noqa: PLC0415 - as above

    day = "session" if "session" in frame.columns else "date"
    missing = [name for name in ("symbol", day, *FIELDS) if name not in frame.columns]
    if missing:
        raise ValueError(f"the data has no column {', '.join(missing)}; it has {', '.join(frame.columns)}")
    symbol = pl.col("symbol").cast(pl.String).str.strip_chars()
    numbers = [name for name in (*FIELDS, *OPTIONAL) if name in frame.columns]
    return frame.select(
        pl.when(symbol != "").then(symbol).alias("symbol"),
        _day(frame, day).alias("session"),
        *(_number(frame, name) for name in numbers),
        *(pl.col(name).alias(_told(name)) for name in (*numbers, day)),
        pl.int_range(1, pl.len() + 1).alias("row"),
    )


def _number(frame: pl.DataFrame, name: str) -> pl.Expr:
    import polars as pl  # noqa: PLC0415 - as above

    column = pl.col(name)
    column = column.str.strip_chars() if frame[name].dtype == pl.String else column
    return column.cast(pl.Float64, strict=False).fill_nan(None)


def _told(name: str) -> str:
    """Give the name of the column that holds what the table itself says."""
    return f"{'session' if name == 'date' else name} as told"


def _day(frame: pl.DataFrame, name: str) -> pl.Expr:
    import polars as pl  # noqa: PLC0415 - as above

    column = pl.col(name)
    if frame[name].dtype == pl.String:
        return column.str.strip_chars().str.head(10).str.to_date("%Y-%m-%d", strict=False)
    if frame[name].dtype == pl.Date or isinstance(frame[name].dtype, pl.Datetime):
        return column.cast(pl.Date)
    return pl.lit(None, dtype=pl.Date)


def _empty() -> pl.Expr:
    import polars as pl  # noqa: PLC0415 - as above

    return pl.all_horizontal(pl.col(*PRICES).is_null())


def _unplaced(table: pl.DataFrame) -> Iterator[Finding]:
    """Find rows that say no symbol or no session."""
    import polars as pl  # noqa: PLC0415 - as above

    lost = table.filter(pl.col("symbol").is_null() | pl.col("session").is_null())
    told_day = pl.col(_told("session")).cast(pl.String, strict=False)
    for symbol, session, told, row in lost.select("symbol", "session", told_day, "row").iter_rows():
        if symbol is None:
            yield Finding("no_symbol", "", session, "none", "a symbol", f"row {row}, left out", halts=True)
        else:
            seen = "none" if told is None else repr(told)
            yield Finding(
                "no_date", symbol, None, seen, "a date, YYYY-MM-DD", f"row {row}, left out", halts=True
            )


def _unsorted(table: pl.DataFrame) -> Iterator[Finding]:
    """Find the symbols whose sessions do not ascend."""
    import polars as pl  # noqa: PLC0415 - as above

    back = table.drop_nulls(list(WHERE)).filter(
        (pl.col("session") < pl.col("session").shift(1).over("symbol")).fill_null(value=False)
    )
    for symbol, session in back.unique("symbol", keep="first", maintain_order=True).select(WHERE).iter_rows():
        detail = "rows are put into order before they are used"
        yield Finding(
            "unsorted", symbol, session, "after a later one", "sessions ascend", detail, halts=False
        )


def _repeated(table: pl.DataFrame) -> Iterator[Finding]:
    """Find the sessions of which a symbol has several rows."""
    import polars as pl  # noqa: PLC0415 - as above

    values = [name for name in table.columns if not name.endswith(_told("")) and name != "row"]
    keys = table.group_by(WHERE).len().filter(pl.col("len") > 1)
    several = (
        table.join(keys, on=WHERE, how="semi")
        .group_by(WHERE, maintain_order=True)
        .agg(pl.len().alias("rows"), pl.struct(values).n_unique().alias("different"))
    )
    for symbol, session, rows, different in several.iter_rows():
        detail = "all say the same" if different == 1 else "they differ; the first is taken"
        yield Finding("duplicate", symbol, session, f"{rows} rows", "1 row", detail, halts=True)


def _numbers(table: pl.DataFrame) -> Iterator[Finding]:
    """Find values that are no numbers, or none that a price, a volume or an action can have."""
    import polars as pl  # noqa: PLC0415 - as above

    for symbol, session in table.filter(_empty()).select(WHERE).iter_rows():
        detail = "a row without any price is no bar"
        yield Finding("empty", symbol, session, "no price", "open, high, low, close", detail, halts=False)
    for name in (*FIELDS, *OPTIONAL):
        if name not in table.columns:
            continue
        allowed = "a finite number above 0" if name in POSITIVE else "a finite number, 0 or above"
        told_value = pl.col(_told(name)).cast(pl.String, strict=False)
        wrong = table.filter(~_empty() & _wrong(name)).select(*WHERE, told_value)
        for symbol, session, told in wrong.iter_rows():
            seen = f"{name} {'none' if told is None else told}"
            yield Finding("bad_number", symbol, session, seen, allowed, name, halts=name in HALTING)


def _wrong(name: str) -> pl.Expr:
    """Say of which rows a column's value can't be: an action may be left out, a price may not."""
    import polars as pl  # noqa: PLC0415 - as above

    value = pl.col(name)
    low = value <= 0 if name in POSITIVE else value < 0
    told = pl.col(_told(name)).is_not_null() if name in {"split", "dividend"} else True
    return (value.is_null() & told) | value.is_infinite().fill_null(value=False) | low.fill_null(value=False)


def _unlisted(table: pl.DataFrame) -> Iterator[Finding]:
    """Find bars of days on which the exchange was closed."""
    import polars as pl  # noqa: PLC0415 - as above

    closed = [day for day in table["session"].unique().to_list() if not _open(day)]
    rows = table.filter(pl.col("session").is_in(closed) & ~_empty()).unique(WHERE, maintain_order=True)
    for symbol, session in rows.select(WHERE).iter_rows():
        seen = f"a bar on a {session:%A}"
        detail = (
            "the exchange was closed"
            if session.weekday() < SATURDAY
            else "the exchange is closed at weekends"
        )
        yield Finding("no_session", symbol, session, seen, "the exchange's sessions", detail, halts=True)


def _open(day: date) -> bool:
    return is_session(day) if day >= RULES_FROM else day.weekday() < SATURDAY


def _actions(table: pl.DataFrame) -> Iterator[Action]:
    """Give the splits and dividends of a table, dividends a share as it stood before a split that day."""
    import polars as pl  # noqa: PLC0415 - as above

    split = pl.col("split") if "split" in table.columns else pl.lit(1.0)
    dividend = pl.col("dividend") if "dividend" in table.columns else pl.lit(0.0)
    acted = table.select(
        *WHERE,
        split=pl.when(split.is_finite() & (split > 0)).then(split).otherwise(1.0),
        dividend=pl.when(dividend.is_finite() & (dividend > 0)).then(dividend).otherwise(0.0),
    ).filter((pl.col("split") != 1.0) | (pl.col("dividend") > 0.0))
    for symbol, session, ratio, amount in acted.iter_rows():
        if ratio != 1.0:
            yield Action(symbol, session, "split", "split", ratio=ratio)
        if amount:
            yield Action(symbol, session, "dividend", "dividend", amount=amount * ratio)
