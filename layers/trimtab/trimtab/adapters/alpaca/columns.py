"""Columns: a page of daily bars, from its JSON straight into arrays.

A page as the data host prints it is regular: each of its bars names the same fields in the same order, and
holds plain decimals. One pattern holds it to that, its punctuation becomes that of a CSV, and polars reads
the numbers, rounded as Python rounds them: no object is made for a bar. A page that the pattern does not
match is read bar by bar instead. Both ways give the same, so what is unusual costs time and no price.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from trimtab.adapters.alpaca import parse
from trimtab.core.bars import FIELDS
from trimtab.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

KEYS = ("o", "h", "l", "c", "v")
"""What a bar calls open, high, low, close and volume, in the order of `FIELDS`."""
EPOCH = date(1970, 1, 1).toordinal()

_KEY = re.compile(rb'"([a-z]+)":')
_DECIMAL = rb"(?!0[0-9])[0-9]++(?:\.[0-9]++)?+"
"""A JSON number without sign and exponent."""
_MIDNIGHT = rb'"[0-9]{4}-[0-9]{2}-[0-9]{2}T0[45]:00:00Z"'
"""00:00 in New York, in summer or winter."""
_KEPT = b"0123456789.,}"
_DROPPED = bytes(set(range(256)).difference(_KEPT))
_LINES = bytes.maketrans(b"}", b"\n")
"""With `_DROPPED`, what turns `{"t":"2026-03-02T05:00:00Z","c":1.5},{…}` into `20260302050000,1.5`, `,…`."""


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """The k daily bars of one page, and the token of the next page (None: this is the last).

    `symbol` (k,) int32 are places in `symbols`; `day` (k,) int32 the sessions, New York dates in days since
    1970; `values` (5, k) float64 open, high, low, close (USD a share) and volume (shares), NaN for what was
    null or not there. The close is always there.
    """

    symbols: tuple[str, ...]
    symbol: NDArray[np.int32]
    day: NDArray[np.int32]
    values: NDArray[np.float64]
    token: str | None


def read_page(body: bytes) -> Page:
    """Give the bars of a page's body.

    Raises:
        NotJSON: it is not JSON, names something twice, or has NaN or an infinity in it.
        Unreachable: it is no page of daily bars: a bar without time or close, of no New York day, or with a
            value that is no number.
    """
    page = _regular(body)
    return _tolerant(body) if page is None else page


def _regular(body: bytes) -> Page | None:
    """Give the bars of a regular page; None if it is not."""
    arrays = _arrays(body)
    if arrays is None:
        return None
    envelope, texts = arrays
    try:
        document = parse.load_json(envelope, exact=False, once=True)
    except parse.NotJSON:
        return None
    bars = document.get("bars") if isinstance(document, dict) else None
    # Every bracket of the body is one of these arrays, so each is the array of one symbol of `bars`.
    if not isinstance(bars, dict) or list(bars.values()) != [[i] for i in range(len(texts))]:
        return None
    table = _table(b",".join(texts))
    if table is None:
        return None
    symbol = np.repeat(np.arange(len(texts), dtype=np.int32), [text.count(b"{") for text in texts])
    return Page(tuple(bars), symbol, *table, parse.next_token(parse.mapping(document, "bars"), "bars"))


def _arrays(body: bytes) -> tuple[bytes, list[bytes]] | None:
    """Take each array of objects out of a body: give the body with `[0]`, `[1]`, … in their places, and them.

    None if there are none, or if an array is of something else or inside another.
    """
    count = body.count(b"[")
    rest: list[bytes] = []
    texts: list[bytes] = []
    end = 0
    for i in range(count):
        start = body.find(b"[", end)
        rest += [body[end : start + 1], b"%d" % i]
        end = body.find(b"]", start)
        text = body[start + 1 : end]
        if end < 0 or b"[" in text or not (text.startswith(b"{") and text.endswith(b"}")):
            return None
        texts.append(text)
    if not texts or body.count(b"]") != count:
        return None
    return b"".join([*rest, body[end:]]), texts


@lru_cache(maxsize=16)
def _pattern(keys: tuple[bytes, ...]) -> re.Pattern[bytes] | None:
    """Give what matches bars that name these fields in this order; None if one is missing or named twice."""
    if len(set(keys)) < len(keys) or not {b"t", *(key.encode() for key in KEYS)} <= set(keys):
        return None
    fields = (b'"%s":%s' % (key, _MIDNIGHT if key == b"t" else _DECIMAL) for key in keys)
    bar = rb"\{%s\}" % b",".join(fields)
    return re.compile(rb"%s(?:,%s)*+" % (bar, bar))


def _table(bars: bytes) -> tuple[NDArray[np.int32], NDArray[np.float64]] | None:
    """Give day and values of regular bars, as in `Page`; None if they are not regular."""
    keys = tuple(_KEY.findall(bars, 0, bars.find(b"}")))
    pattern = _pattern(keys)
    if pattern is None or not pattern.fullmatch(bars):
        return None
    import polars as pl  # noqa: PLC0415 - a run that finds the market closed does not pay for polars

    # What parts two bars, `},{`, is a line's end and a comma: each line begins with an empty column.
    lines = b",%s\n,%s" % (b",".join(keys), bars.translate(_LINES, _DROPPED))
    types = {"t": pl.Int64} | dict.fromkeys(KEYS, pl.Float64)
    frame = pl.read_csv(lines, columns=[*types], schema_overrides=types, infer_schema_length=0)
    values = np.stack([frame[key].to_numpy() for key in KEYS])
    if np.isinf(values).any():
        raise Unreachable("bars: a value out of range")
    times, place = np.unique(frame["t"].to_numpy(), return_inverse=True)
    days = [session_of(_written(at)) for at in times.tolist()]
    return np.array(days, dtype=np.int32)[place], values


def _written(at: int) -> str:
    """Give a time as it was written, of its digits."""
    digits = f"{at:014d}"
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}T{digits[8:10]}:{digits[10:12]}:{digits[12:]}Z"


@lru_cache(maxsize=8192)
def session_of(at: str) -> int:
    """Give the session of a daily bar by its time: its New York date, in days since 1970.

    Raises:
        Unreachable: it is no time, or not 00:00 in New York.
    """
    local = parse.moment(at, "bars: a bar's t").astimezone(parse.NEW_YORK)
    if local.time() != time(0):
        raise Unreachable(f"bars: a bar of {at[:40]}, which is no 00:00 in New York, so not of a whole day")
    return local.toordinal() - EPOCH


def _tolerant(body: bytes) -> Page:
    """Give the bars of any page, one by one."""
    document = parse.mapping(parse.load_json(body, exact=False, once=True), "bars")
    if "bars" not in document:
        raise Unreachable("bars: a page without bars")
    symbols: list[str] = []
    rows: list[tuple[int, int, list[float]]] = []
    found = document["bars"]
    for symbol, bars in parse.mapping({} if found is None else found, "bars").items():
        listed = parse.rows([] if bars is None else bars, f"bars of {symbol[:40]}")
        rows.extend((len(symbols), *_row(symbol, bar)) for bar in listed)
        symbols.append(symbol)
    places, days, values = zip(*rows, strict=True) if rows else ((), (), ())
    return Page(
        tuple(symbols),
        np.array(places, dtype=np.int32),
        np.array(days, dtype=np.int32),
        np.array(values, dtype=np.float64).reshape(-1, len(FIELDS)).T,
        parse.next_token(document, "bars"),
    )


def _row(symbol: str, bar: Mapping[str, object]) -> tuple[int, list[float]]:
    """Give session and values of one bar."""
    at = bar.get("t")
    if not isinstance(at, str):
        raise Unreachable(f"bars: a bar of {symbol[:40]} without time")
    values = [_value(bar.get(key), symbol, at) for key in KEYS]
    if np.isnan(values[FIELDS.index("close")]):
        raise Unreachable(f"bars: a bar without close: {symbol[:40]} {at[:10]}")
    return session_of(at), values


def _value(value: object, symbol: str, at: str) -> float:
    """Give a number of a bar; NaN for null."""
    if value is None:
        return np.nan
    try:
        number = float(value) if type(value) in {int, float} else np.inf  # type: ignore[arg-type]  # just tested
    except OverflowError:
        number = np.inf
    if np.isinf(number):
        raise Unreachable(f"bars: a value that is no number: {symbol[:40]} {at[:10]}: {str(value)[:40]!r}")
    return number
