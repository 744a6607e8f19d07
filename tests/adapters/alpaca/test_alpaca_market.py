"""The market: all pages, no bar lost or made twice, no loop without an end, no price made up."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from alpaca_kit import Connect, FakeClock, bar, error_body
from scripted_http import Asked, Reply, ScriptedServer
from trimtab.adapters.alpaca import AlpacaMarket
from trimtab.ports import Unauthorized, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.core.bars import Bars

BARS = "/v2/stocks/bars"
START, END = date(2026, 3, 2), datetime(2026, 3, 9, 21, 0, tzinfo=UTC)
Rows = dict[str, list[dict[str, object]]]


def page(bars: object, token: object = None) -> dict[str, object]:
    """Give a page of bars."""
    return {"bars": bars, "next_page_token": token}


def compact(document: object) -> bytes:
    """Give JSON without blanks, as the data host prints it."""
    return json.dumps(document, separators=(",", ":")).encode()


def read(market: AlpacaMarket, *symbols: str) -> Bars:
    """Give the bars of these symbols."""
    return market.bars(symbols, START, END)


def test_bars_of_both_passes_are_one(server: ScriptedServer, market: AlpacaMarket) -> None:
    """The raw close stands beside the adjusted bar of its day; a raw bar that is not there is NaN."""
    days = ("2026-03-05", "2026-03-06", "2026-03-09")

    def script(asked: Asked) -> Reply:
        raw = asked.query["adjustment"] == "raw"
        price = 20.0 if raw else 10.0
        spy = [bar(days[0], price), bar(days[1], price + 1), bar(days[2], price + 2, hour="04")]
        return Reply(body=page({"SPY": spy[:2] if raw else spy, "BRK.B": [bar(days[1], 7.0)]}))

    server.on("GET", BARS, script)
    bars = read(market, "SPY", "BRK.B", "NONE")
    assert bars.symbols == ("BRK.B", "SPY")
    assert [str(day) for day in bars.sessions] == list(days)
    np.testing.assert_array_equal(bars.close, [[np.nan, 10], [7, 11], [np.nan, 12]])
    np.testing.assert_array_equal(bars.raw_close, [[np.nan, 20], [7, 21], [np.nan, np.nan]])
    assert (bars.open[0, 1], bars.high[0, 1], bars.low[0, 1], bars.volume[0, 1]) == (9, 11, 8.5, 100)
    assert [asked.query["adjustment"] for asked in server.asked] == ["all", "raw"]
    assert server.asked[0].query == {
        "symbols": "BRK.B,NONE,SPY",
        "timeframe": "1Day",
        "start": "2026-03-02",
        "end": "2026-03-09T21:00:00Z",
        "limit": "10000",
        "adjustment": "all",
        "feed": "sip",
        "sort": "asc",
    }


def test_raw_bars_need_one_pass(server: ScriptedServer, connect: Connect) -> None:
    server.on("GET", BARS, Reply(body=page({"SPY": [bar("2026-03-02", 5.0)]})))
    bars = read(AlpacaMarket(connect("data"), adjustment="raw", feed="iex"), "SPY")
    assert (bars.close[0, 0], bars.raw_close[0, 0]) == (5.0, 5.0)
    assert [asked.query["feed"] for asked in server.asked] == ["iex"]


def test_the_utc_date_of_new_york_midnight_is_the_session(
    server: ScriptedServer, market: AlpacaMarket
) -> None:
    """Summer time began on 2026-03-08: 05:00Z before, 04:00Z after; other spellings count too."""
    rows = [bar("2026-03-06", hour="05"), bar("2026-03-09", hour="04")]
    other = [
        bar("2026-03-06") | {"t": "2026-03-06T00:00:00-05:00"},
        bar("2026-03-09") | {"t": "2026-03-09T04:00:00.0Z"},
    ]
    server.on("GET", BARS, Reply(body=page({"SPY": rows, "TLT": other})))
    bars = read(market, "SPY", "TLT")
    assert [str(day) for day in bars.sessions] == ["2026-03-06", "2026-03-09"]
    assert not np.isnan(bars.close).any()


def paged(rows: Rows, size: int) -> Callable[[Asked], Reply]:
    """Give a script that pages by bars, sorted by symbol, as the data host does."""
    flat = [(symbol, row) for symbol in sorted(rows) for row in rows[symbol]]

    def script(asked: Asked) -> Reply:
        begin = int(asked.query.get("page_token", "0"))
        bars: Rows = {}
        for symbol, row in flat[begin : begin + size]:
            bars.setdefault(symbol, []).append(row)
        return Reply(body=compact(page(bars, str(begin + size) if begin + size < len(flat) else None)))

    return script


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_symbols_that_straddle_pages_are_whole(
    size: int, server: ScriptedServer, market: AlpacaMarket
) -> None:
    days = [(START + timedelta(days=i)).isoformat() for i in range(5)]
    rows = {
        symbol: [bar(day, float(i + j)) for i, day in enumerate(days)] for j, symbol in enumerate("ABC", 1)
    }
    server.on("GET", BARS, paged(rows, size))
    bars = read(market, "A", "B", "C")
    np.testing.assert_array_equal(bars.close, np.add.outer(range(5), range(1, 4)))
    np.testing.assert_array_equal(bars.raw_close, bars.close)


def test_an_empty_page_in_the_middle_is_no_end(server: ScriptedServer, market: AlpacaMarket) -> None:
    pages = [page({}, "a"), page(None, "b"), page({"SPY": None}, "c"), page({"SPY": [bar("2026-03-02")]})]
    server.on("GET", BARS, [Reply(body=one) for one in pages * 2])
    assert read(market, "SPY").close.shape == (1, 1)


@pytest.mark.parametrize("token", ["", 5, False])
def test_a_token_that_is_none_is_no_end(token: object, server: ScriptedServer, market: AlpacaMarket) -> None:
    server.on("GET", BARS, Reply(body=page({}, token)))
    with pytest.raises(Unreachable, match="next_page_token"):
        read(market, "SPY")
    assert server.count("GET") == 1


def test_a_token_that_repeats_ends_the_loop(server: ScriptedServer, market: AlpacaMarket) -> None:
    server.on("GET", BARS, [Reply(body=page({}, token)) for token in ("a", "b", "a")])
    with pytest.raises(Unreachable, match="'a'"):
        read(market, "SPY")
    assert server.count("GET") == 3


def text(bars: str, following: str = "null") -> bytes:
    """Give a page by its text: what is inside the array of SPY."""
    return f'{{"bars":{{"SPY":[{bars}]}},"next_page_token":{following}}}'.encode()


GOOD = compact(bar("2026-03-02")).decode()
NEXT = compact(bar("2026-03-03")).decode()
BROKEN = {
    "no token": ({"bars": {}}, "next_page_token"),
    "no bars": ({"next_page_token": None}, "without bars"),
    "array": ([], "object was due"),
    "bars array": (page([]), "object was due"),
    "bars false": (page(False), "object was due"),
    "symbol's object": (page({"SPY": {}}), "array was due"),
    "symbol's number array": (page({"SPY": [0]}), "object was due"),
    "bar of text": (page({"SPY": ["x"]}), "object was due"),
    "array in an array": (page({"SPY": [[bar("2026-03-02")]]}), "object was due"),
    "not asked for": (page({"TLT": [bar("2026-03-02")]}), "'TLT' was not asked for"),
    "nothing of what was not asked for": (page({"TLT": []}), "'TLT' was not asked for"),
    "a day before": (page({"SPY": [bar("2026-03-01")]}), "2026-03-01, but 2026-03-02"),
    "a day after": (page({"SPY": [bar("2026-03-10", hour="04")]}), "bar of 2026-03-10"),
    "null close": (page({"SPY": [bar("2026-03-02"), bar("2026-03-03", None)]}), "SPY 2026-03-03"),
    "no close": (page({"SPY": [{"t": "2026-03-02T05:00:00Z", "o": 1}]}), "without close"),
    "no time": (page({"SPY": [{"c": 1.0}]}), "without time"),
    "a number for a time": (page({"SPY": [bar("2026-03-02") | {"t": 1772427600}]}), "without time"),
    "no date": (text(GOOD.replace("-02T", "-32T")), "not a time"),
    "midday": (page({"SPY": [bar("2026-03-02", hour="14")]}), "00:00 in New York"),
    "summer's midnight in winter": (text(GOOD.replace("T05", "T04")), "00:00 in New York"),
    "half a second": (text(GOOD.replace(":00Z", ":00.5Z")), "00:00 in New York"),
    "text price": (page({"SPY": [bar("2026-03-02") | {"o": "high"}]}), "no number"),
    "number in text": (text(GOOD.replace("9.0", '"9.0"')), "no number"),
    "true price": (text(GOOD.replace("9.0", "true")), "no number"),
    "a price that is an object": (text(GOOD.replace("9.0", "{}")), "no number"),
    "infinite": (text(GOOD.replace("9.0", "1e999")), "no number"),
    "too long to be finite": (text(GOOD.replace("9.0", "9" * 400)), "out of range|no number"),
    "twice": (page({"SPY": [bar("2026-03-02"), bar("2026-03-02")]}), "two bars of SPY on 2026-03-02"),
    "twice apart": (text(f"{GOOD},{NEXT},{GOOD}"), "two bars of SPY on 2026-03-02"),
}


@pytest.mark.parametrize("broken", ["all", "raw"])
@pytest.mark.parametrize(("body", "why"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_page_of_bars_is_unreachable(
    body: object, why: str, broken: str, server: ScriptedServer, market: AlpacaMarket
) -> None:
    """In either pass, at once, and it says why."""
    whole = Reply(body=body if isinstance(body, bytes) else compact(body))
    fine = Reply(body=text(GOOD))
    server.on("GET", BARS, lambda asked: whole if asked.query["adjustment"] == broken else fine)
    with pytest.raises(Unreachable, match=why):
        read(market, "SPY")
    assert server.count("GET") == (1 if broken == "all" else 2)


GARBLED = {
    "truncated": text(GOOD)[:-20],
    "NaN": text(GOOD.replace("9.0", "NaN")),
    "Infinity": text(GOOD.replace("9.0", "-Infinity")),
    "no value": text(GOOD.replace("9.0", "")),
    "a number cut in two": text(GOOD.replace("9.0", "9.0.1")),
    "leading zero": text(GOOD.replace("9.0", "09.0")),
    "plus": text(GOOD.replace("9.0", "+9.0")),
    "no digit after the point": text(GOOD.replace("9.0", "9.")),
    "no digit before the point": text(GOOD.replace("9.0", ".9")),
    "no comma between bars": text(GOOD + NEXT),
    "a comma too many": text(GOOD + ","),
    "a comma before": text("," + GOOD),
    "a symbol twice": text(GOOD).replace(b'"SPY"', b'"SPY":[],"SPY"'),
    "bars twice": text(GOOD).replace(b'{"bars"', b'{"bars":{},"bars"'),
    "a field twice": text(GOOD.replace('"o":9.0', '"o":9.0,"o":8.0')),
    "brackets the wrong way": text(GOOD).translate(bytes.maketrans(b"[]", b"][")),
    "no UTF-8": text(GOOD).replace(b"SPY", b"S\xffY"),
    "empty": b"",
}


@pytest.mark.parametrize("body", GARBLED.values(), ids=GARBLED.keys())
def test_a_garbled_page_is_asked_for_again(body: bytes, server: ScriptedServer, market: AlpacaMarket) -> None:
    """It counts as not arrived: the next answer is taken, and without one the run stops."""
    server.on("GET", BARS, [Reply(body=body), Reply(body=text(GOOD))])
    assert read(market, "SPY").close.tolist() == [[10.0]]
    assert server.count("GET") == 3
    server.on("GET", BARS, Reply(body=body))
    with pytest.raises(Unreachable, match=r"200 without JSON: .* attempts"):
        read(market, "SPY")


def test_a_burst_of_refusals_changes_nothing(
    server: ScriptedServer, clock: FakeClock, connect: Connect
) -> None:
    """429 in the middle of the pages: the reset is waited for, and the same page asked for again."""
    busy = Reply(429, error_body(None, "too many requests."), {"X-RateLimit-Reset": "1772463607"})
    pages = [Reply(body=text(GOOD, '"a"')), busy, busy, busy, Reply(body=text(NEXT))]
    server.on("GET", BARS, pages)
    bars = read(AlpacaMarket(connect("data"), adjustment="raw"), "SPY")
    assert bars.close.tolist() == [[10.0], [10.0]]
    assert [asked.query.get("page_token") for asked in server.asked] == [None, "a", "a", "a", "a"]
    assert len(clock.slept) == 3
    assert clock.seconds > 7


def test_a_page_given_again_under_another_token_is_noticed(
    server: ScriptedServer, market: AlpacaMarket
) -> None:
    server.on("GET", BARS, [Reply(body=text(GOOD, '"a"')), Reply(body=text(GOOD, '"b"'))])
    with pytest.raises(Unreachable, match="two bars of SPY on 2026-03-02"):
        read(market, "SPY")
    assert server.count("GET") == 2


def test_bars_out_of_order_find_their_places(server: ScriptedServer, market: AlpacaMarket) -> None:
    """Neither the order of days nor that of symbols or fields matters."""
    days = [bar("2026-03-04", 3.0), bar("2026-03-02", 1.0), bar("2026-03-03", 2.0)]
    other = [dict(reversed(row.items())) for row in days]
    pages = [page({"TLT": days[:1], "SPY": days}, "a"), page({"TLT": other[1:]})]
    server.on("GET", BARS, [Reply(body=compact(one)) for one in pages * 2])
    bars = read(market, "SPY", "TLT")
    assert bars.close.tolist() == bars.raw_close.tolist() == [[1, 1], [2, 2], [3, 3]]
    assert bars.open.tolist() == [[9, 9]] * 3


def test_what_else_a_page_and_a_bar_hold_is_left_alone(server: ScriptedServer, market: AlpacaMarket) -> None:
    more = GOOD.replace('"n":3', '"n":3,"odd":0.125')
    server.on("GET", BARS, Reply(body=text(more).replace(b'{"bars"', b'{"currency":"USD","bars"')))
    assert read(market, "SPY").volume.tolist() == [[100.0]]


def test_a_bar_without_close_is_named(server: ScriptedServer, market: AlpacaMarket) -> None:
    server.on("GET", BARS, Reply(body=page({"SPY": [bar("2026-03-02"), bar("2026-03-03", None)]})))
    with pytest.raises(Unreachable, match="bar without close: SPY 2026-03-03"):
        read(market, "SPY")


def test_other_fields_may_be_null_or_gone(server: ScriptedServer, market: AlpacaMarket) -> None:
    thin = {"t": "2026-03-03T05:00:00Z", "c": 5.0}
    server.on("GET", BARS, Reply(body=page({"SPY": [bar("2026-03-02") | {"o": None, "v": None}, thin]})))
    bars = read(market, "SPY")
    assert np.isnan(bars.open).all()
    assert np.isnan(bars.volume).all()
    assert bars.close[1, 0] == 5.0


def test_no_bars_at_all_are_empty(server: ScriptedServer, market: AlpacaMarket) -> None:
    server.on("GET", BARS, Reply(body=page({})))
    assert read(market, "SPY").symbols == ()
    assert read(market).close.shape == (0, 0)
    assert server.count("GET") == 2


def test_many_symbols_go_in_urls_that_a_server_takes(server: ScriptedServer, market: AlpacaMarket) -> None:
    symbols = [f"LONGSYMBOL{i:04d}/USD" for i in range(1200)]

    def script(asked: Asked) -> Reply:
        return Reply(body=page({s: [bar("2026-03-02")] for s in asked.query["symbols"].split(",")}))

    server.on("GET", BARS, script)
    assert read(market, *symbols).symbols == tuple(symbols)
    assert max(len(asked.target) for asked in server.asked) < 8000


def test_recent_sip_data_says_what_to_do(server: ScriptedServer, market: AlpacaMarket) -> None:
    body = error_body(42210000, "subscription does not permit querying recent SIP data")
    server.on("GET", BARS, Reply(403, body))
    with pytest.raises(Unreachable, match="feed iex"):
        read(market, "SPY")
    server.on("GET", BARS, Reply(403, error_body(None, "forbidden.")))
    with pytest.raises(Unauthorized):
        read(market, "SPY")


QUOTES, TRADES = "/v2/stocks/quotes/latest", "/v2/stocks/trades/latest"


def test_quotes_are_exact_and_carry_the_last_trade(server: ScriptedServer, market: AlpacaMarket) -> None:
    quotes = {"SPY": {"t": "2026-03-02T15:00:00.123456789Z", "bp": 500.1, "ap": 500.11}, "TLT": None}
    server.on("GET", QUOTES, Reply(body={"quotes": quotes | {"DBC": {"ap": 0, "bp": 0}}}))
    trades = {"SPY": {"t": "2026-03-02T14:59:59Z", "p": 500.105}, "TLT": {"p": 90.5}}
    server.on("GET", TRADES, Reply(body={"trades": trades}))
    found = market.quotes(["SPY", "TLT", "DBC", "NONE"])
    assert set(found) == {"SPY", "TLT", "DBC"}
    spy, tlt, dbc = (found[symbol] for symbol in ("SPY", "TLT", "DBC"))
    assert (spy.bid, spy.ask, spy.last) == (Decimal("500.1"), Decimal("500.11"), Decimal("500.105"))
    assert spy.at == datetime(2026, 3, 2, 15, 0, 0, 123_456, UTC)
    zero = Decimal(0)
    assert (tlt.bid, tlt.ask, tlt.last, tlt.at) == (zero, zero, Decimal("90.5"), None)
    assert (dbc.bid, dbc.ask, dbc.last, dbc.last_at) == (zero, zero, None, None)
    assert [asked.query["feed"] for asked in server.asked] == ["iex", "iex"]


def test_an_entitled_plan_asks_its_own_feed(server: ScriptedServer, connect: Connect) -> None:
    server.on("GET", QUOTES, Reply(body={"quotes": {}}))
    server.on("GET", TRADES, Reply(body={"trades": {}}))
    assert AlpacaMarket(connect("data"), entitled=True).quotes(["SPY"]) == {}
    assert {asked.query["feed"] for asked in server.asked} == {"sip"}


@pytest.mark.parametrize("quoted", [{"ap": -1}, {"ap": "x"}, 5, {"ap": 1, "t": "yesterday"}])
def test_a_quote_that_cannot_be_read_is_unreachable(
    quoted: object, server: ScriptedServer, market: AlpacaMarket
) -> None:
    server.on("GET", QUOTES, Reply(body={"quotes": {"SPY": quoted}}))
    server.on("GET", TRADES, Reply(body={"trades": {}}))
    with pytest.raises(Unreachable):
        market.quotes(["SPY"])
