"""Rows: a table that nothing vouches for is read to its end, and every fault in it is named."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.actions import Action
from trimtab.core.bars import Bars
from trimtab.core.rows import read_rows

TUESDAY, WEDNESDAY, THURSDAY = date(2020, 3, 3), date(2020, 3, 4), date(2020, 3, 5)


def row(
    symbol: str | None = "AAA", session: object = TUESDAY, price: float | None = 10.0, **more: object
) -> Any:  # noqa: ANN401 - a row of anything
    """Give a row at one price; `more` changes or adds columns."""
    prices = dict.fromkeys(("open", "high", "low", "close"), price)
    return {"symbol": symbol, "session": session, **prices, "volume": 100.0, **more}


def told(*rows: Any) -> list[tuple[str, str, date | None, bool]]:  # noqa: ANN401 - rows of anything
    """Give what is found: rule, symbol, session, and whether it halts."""
    found = read_rows(pl.DataFrame(list(rows), strict=False, infer_schema_length=None)).findings
    return [(f.rule, f.symbol, f.session, f.halts) for f in found]


def test_a_sound_table_has_no_findings() -> None:
    """It gives the bars that `Bars` itself gives."""
    frame = pl.DataFrame([row(), row("BBB"), row(session=WEDNESDAY, price=11.0)]).sort("symbol", "session")
    rows = read_rows(frame)
    assert (rows.findings, rows.actions) == ((), ())
    assert rows.bars.frame().equals(Bars.from_frame(frame).frame())


FAULTS = {
    "no symbol": ([row(None), row()], ("no_symbol", "", TUESDAY, True)),
    "a blank symbol": ([row("  "), row()], ("no_symbol", "", TUESDAY, True)),
    "no date": ([row(session=None), row()], ("no_date", "AAA", None, True)),
    "out of order": ([row(session=WEDNESDAY), row()], ("unsorted", "AAA", TUESDAY, False)),
    "twice the same": ([row(), row()], ("duplicate", "AAA", TUESDAY, True)),
    "twice, and different": ([row(), row(price=9.0)], ("duplicate", "AAA", TUESDAY, True)),
    "no price at all": ([row(price=None), row(session=WEDNESDAY)], ("empty", "AAA", TUESDAY, False)),
    "no close": ([row(close=None), row("BBB")], ("bad_number", "AAA", TUESDAY, True)),
    "a NaN": ([row(high=float("nan"))], ("bad_number", "AAA", TUESDAY, True)),
    "an infinite price": ([row(high=float("inf"))], ("bad_number", "AAA", TUESDAY, True)),
    "a negative price": ([row(low=-1.0)], ("bad_number", "AAA", TUESDAY, True)),
    "a price of 0": ([row(open=0.0)], ("bad_number", "AAA", TUESDAY, True)),
    "an adjusted close of 0": ([row(adj_close=0.0)], ("bad_number", "AAA", TUESDAY, True)),
    "a negative volume": ([row(volume=-1.0)], ("bad_number", "AAA", TUESDAY, False)),
    "no volume": ([row(volume=None), row("BBB")], ("bad_number", "AAA", TUESDAY, False)),
    "a negative split": ([row(split=-2.0)], ("bad_number", "AAA", TUESDAY, False)),
    "a negative dividend": ([row(dividend=-2.0)], ("bad_number", "AAA", TUESDAY, False)),
    "a Saturday": ([row(session=date(2020, 3, 7))], ("no_session", "AAA", date(2020, 3, 7), True)),
    "Good Friday": ([row(session=date(2020, 4, 10))], ("no_session", "AAA", date(2020, 4, 10), True)),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_named(case: str) -> None:
    """One finding each, with its symbol and session."""
    rows, finding = FAULTS[case]
    assert told(*rows) == [finding]


def test_what_is_no_fault() -> None:
    """No split, no dividend; a holiday before the calendar's rules begin; a volume of 0."""
    assert told(row(split=0.0, dividend=0.0), row("BBB", split=None, dividend=None)) == []
    assert told(row(session=date(1985, 1, 21), volume=0.0)) == []


def test_text_is_read_as_what_it_says() -> None:
    """Blanks and times of day are no fault; words are, with what they say."""
    text = {
        "symbol": " AAA ",
        "date": "2020-03-03T00:00:00",
        **dict.fromkeys(("open", "high", "low"), " 1.5 "),
    }
    frame = pl.DataFrame([text | {"close": "1.5", "volume": "1e3"}, text | {"close": "n/a", "volume": "7"}])
    rows = read_rows(frame)
    assert (rows.bars.symbols, rows.bars.volume.tolist()) == (("AAA",), [[1000.0]])
    assert [(f.rule, f.seen) for f in rows.findings] == [("duplicate", "2 rows"), ("bad_number", "close n/a")]


def test_actions_are_read_as_of_before_the_split() -> None:
    """A table tells a dividend a share after that day's split; an action a share before it."""
    rows = read_rows(pl.DataFrame([row(split=2.0, dividend=0.25), row("BBB", split=1.0, dividend=0.5)]))
    assert rows.actions == (
        Action("AAA", TUESDAY, "split", "split", ratio=2.0),
        Action("AAA", TUESDAY, "dividend", "dividend", amount=0.5),
        Action("BBB", TUESDAY, "dividend", "dividend", amount=0.5),
    )


def test_prices_are_scaled_as_bars_are() -> None:
    """By adj_close, unless told otherwise; not where a raw close stands beside them."""
    frame = pl.DataFrame([row(adj_close=5.0)])
    assert read_rows(frame).bars.close.item() == 5.0
    assert read_rows(frame, adjusted=False).bars.close.item() == 10.0
    bars = read_rows(pl.DataFrame([row(raw_close=20.0)])).bars
    assert (bars.close.item(), bars.raw_close.item()) == (10.0, 20.0)


def test_a_missing_column_is_refused() -> None:
    """There is nothing to read then."""
    with pytest.raises(ValueError, match="no column low"):
        read_rows(pl.DataFrame([row()]).drop("low"))


ANY = st.one_of(st.none(), st.floats(), st.sampled_from([0.0, -1.0, 10.0, 1e308]))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "symbol": st.sampled_from(["AAA", "BBB", "", None]),
            "session": st.sampled_from([None, TUESDAY, WEDNESDAY, THURSDAY, date(2020, 3, 8)]),
            **dict.fromkeys(
                ("open", "high", "low", "close", "volume", "adj_close", "split", "dividend"), ANY
            ),
        }
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_no_table_is_too_broken_to_be_read(rows: list[dict[str, Any]]) -> None:
    """Whatever its cells hold there is an answer, and a table without halting findings holds sound prices."""
    schema = dict.fromkeys(
        ("open", "high", "low", "close", "volume", "adj_close", "split", "dividend"), pl.Float64
    )
    frame = pl.DataFrame(rows, schema={"symbol": pl.String, "session": pl.Date, **schema}, orient="row")
    with np.errstate(all="ignore"):
        found = read_rows(frame)
    halts = [f for f in found.findings if f.halts]
    placed = frame.filter(pl.col("symbol").is_in(["AAA", "BBB"]) & pl.col("session").is_not_null())
    if not halts:
        assert len(frame) == len(placed)
        assert len(found.bars.frame()) <= len(placed)
        assert bool(np.all(found.bars.frame()["close"].to_numpy() > 0))
