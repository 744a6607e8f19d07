"""Columns: the fast way and the plain way read the same, to the last bit, and the plain way is Python's."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trimtab.adapters.alpaca import columns
from trimtab.adapters.alpaca.parse import NotJSON
from trimtab.ports import Unreachable

SLOWLY = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
FIELDS = ("o", "h", "l", "c", "v", "n", "vw")
DAYS = st.dates(date(1970, 1, 1), date(2030, 12, 31))
DIGITS = st.text("0123456789", min_size=1, max_size=30)
PRICES = (
    st.floats(1e-4, 1e15).map(repr)
    | st.integers(0, 10**9).map(lambda cents: f"{cents / 100:.2f}")
    | st.tuples(st.integers(0, 10**19), DIGITS).map(lambda parts: f"{parts[0]}.{parts[1]}")
    | st.integers(0, 10**30).map(str)
).filter(lambda text: "e" not in text)
NUMBERS = PRICES | st.sampled_from(["0", "0.0", "1e-05", "-1.5", "2E3", "null"])


def midnight(day: date) -> str:
    """Give the start of a New York day as the data host prints it."""
    local = datetime.combine(day, time(), ZoneInfo("America/New_York"))
    return f"{local.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@st.composite
def pages(draw: st.DrawFn, number: st.SearchStrategy[str]) -> bytes:
    """Draw a page: a few symbols, each with a few bars of one order of fields, a token or none."""
    order = draw(st.permutations(["t", *FIELDS]))
    arrays = []
    for symbol in draw(st.lists(st.sampled_from(["A", "BRK.B", "SPY", "TLT"]), unique=True, max_size=4)):
        bars = []
        for day in draw(st.lists(DAYS, max_size=3)):
            fields = {name: draw(number) for name in FIELDS} | {"t": f'"{midnight(day)}"'}
            bars.append("{" + ",".join(f'"{name}":{fields[name]}' for name in order) + "}")
        arrays.append(f'"{symbol}":[{",".join(bars)}]')
    token = draw(st.sampled_from(["null", '"abc"']))
    return f'{{"bars":{{{",".join(arrays)}}},"next_page_token":{token}}}'.encode()


def told(page: columns.Page) -> object:
    """Give what a page says in a form to compare, floats by their bits."""
    return page.symbols, page.symbol.tolist(), page.day.tolist(), page.values.tobytes(), page.token


@SLOWLY
@given(pages(PRICES))
def test_a_regular_page_is_read_as_python_reads_it(body: bytes) -> None:
    """Every value is the float64 that `float` makes of its text; no row is lost, moved or made up."""
    page = columns._regular(body)  # noqa: SLF001 - the two ways are the module's own
    bars = json.loads(body)["bars"]
    rows = [row for listed in bars.values() for row in listed]
    if page is None:
        assert not rows or not all(bars.values())
        return
    assert told(page) == told(columns._tolerant(body))  # noqa: SLF001 - as above
    texts = json.loads(body, parse_float=str, parse_int=str)["bars"]
    for i, name in enumerate(columns.KEYS):
        expected = [float(row[name]) for listed in texts.values() for row in listed]
        assert page.values[i].tolist() == expected
    assert [midnight(date(1970, 1, 1) + timedelta(days=day)) for day in page.day.tolist()] == [
        row["t"] for row in rows
    ]


@SLOWLY
@given(pages(NUMBERS))
def test_any_page_is_read_the_plain_way_or_refused(body: bytes) -> None:
    """What the fast way takes, it takes as the plain way; what that refuses is refused."""
    try:
        expected = told(columns._tolerant(body))  # noqa: SLF001 - as above
    except Unreachable:
        with pytest.raises(Unreachable):
            columns.read_page(body)
        return
    assert told(columns.read_page(body)) == expected


BAR = b'{"t":"2026-03-02T05:00:00Z","o":9.5,"h":11,"l":8,"c":10,"v":1}'
GOOD = b'{"bars":{"SPY":[%s]},"next_page_token":null}' % BAR


@SLOWLY
@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=2))
def test_no_slip_of_the_text_reads_as_something_else(at: int, put: bytes) -> None:
    """A byte lost or changed: the fast way gives what JSON says, or leaves the page to the plain way."""
    body = GOOD[:at] + put + GOOD[at + 1 :]
    try:
        expected = told(columns._tolerant(body))  # noqa: SLF001 - as above
    except (NotJSON, Unreachable) as refused:
        with pytest.raises(type(refused)):
            columns.read_page(body)
        return
    assert told(columns.read_page(body)) == expected


def test_a_page_as_the_host_prints_it_is_read_the_fast_way() -> None:
    """Fields in alphabetical order, further keys around the bars."""
    bar = '{"c":10.25,"h":11,"l":8.5,"n":3,"o":9,"t":"2026-07-01T04:00:00Z","v":100,"vw":9.9}'
    body = f'{{"bars":{{"BRK.B":[{bar}],"SPY":[{bar}]}},"currency":"USD","next_page_token":"QUFQTA=="}}'
    page = columns._regular(body.encode())  # noqa: SLF001 - as above
    assert page is not None
    assert page.symbols == ("BRK.B", "SPY")
    assert page.token == "QUFQTA=="  # noqa: S105 - a page's token
    np.testing.assert_array_equal(page.values[:, 1], [9, 11, 8.5, 10.25, 100])


def test_arrays_elsewhere_are_no_bars() -> None:
    """An array of bars outside `bars` is not taken for a symbol's, whatever stands in its place."""
    bar = '[{"t":"2026-03-02T05:00:00Z","o":9,"h":11,"l":8,"c":10,"v":1}]'
    for body in (
        f'{{"bars":{{"SPY":[0]}},"more":{bar},"next_page_token":null}}',
        f'{{"bars":{{"SPY":[0],"TLT":{bar}}},"next_page_token":null}}',
        f'{{"bars":{{"SPY":[1],"TLT":{bar}}},"next_page_token":"[{{}}]"}}',
    ):
        with pytest.raises(Unreachable):
            columns.read_page(body.encode())
    for token in ("[{}]", "a"):
        body = f'{{"more":{bar},"bars":{{"SPY":{bar}}},"next_page_token":"{token}"}}'
        page = columns.read_page(body.encode())
        assert (page.symbol.tolist(), page.values[3].tolist(), page.token) == ([0], [10.0], token)
