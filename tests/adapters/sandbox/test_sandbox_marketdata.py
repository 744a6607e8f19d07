"""Market data endpoints of the sandbox, over the face itself."""

from __future__ import annotations

import json
from datetime import date, time, timedelta
from typing import Any

import numpy as np
import pytest

from exchange_kit import DIVIDEND_DAY, SPLIT_DAY, START, ask, make_exchange, make_tape
from trimtab.adapters.sandbox import Face

ALL = "AAA,BBB,CCC,DDD"
END = "2020-03-16T13:40:00Z"
LATE = date(2020, 3, 16)


def face_at(day: date = LATE, clock: time = time(10), **changes: object) -> Face:
    """A face at a time of day of a session."""
    exchange = make_exchange(day - timedelta(days=3), **changes)
    exchange.go(day, clock)
    return Face(exchange, rate_limit=None)


def get(face: Face, target: str, status: int = 200) -> Any:  # noqa: ANN401 - JSON
    """The JSON of a GET, which must have this status."""
    response = ask(face, "GET", target)
    assert response.status == status, response.body
    return json.loads(response.body)


def bars(face: Face, symbols: str = ALL, **query: object) -> dict[str, list[dict[str, Any]]]:
    """All pages of a query for bars; each symbol's bars joined."""
    parts = {"timeframe": "1Day", "start": "2020-02-24", "end": END, "symbols": symbols, **query}
    target = "/v2/stocks/bars?" + "&".join(f"{k}={v}" for k, v in parts.items())
    found: dict[str, list[dict[str, Any]]] = {}
    token: str | None = ""
    while token is not None:
        page = get(face, target + (f"&page_token={token}" if token else ""))
        for symbol, rows in page["bars"].items():
            found.setdefault(symbol, []).extend(rows)
        token = page["next_page_token"]
    return found


def test_bars_are_the_tape() -> None:
    """Raw prices as traded, stamped with New York's midnight in UTC on both sides of the clock change."""
    found = bars(face_at())
    tape = make_tape()
    until = int(np.searchsorted(tape.sessions, np.datetime64("2020-03-16")))
    assert [bar["c"] for bar in found["AAA"]][:-1] == tape.close[:until, 0].tolist()
    assert found["AAA"][0]["t"] == "2020-02-24T05:00:00Z"
    assert found["AAA"][-1]["t"] == "2020-03-16T04:00:00Z"
    assert len(found["DDD"]) == len(found["AAA"]) - 1


@pytest.mark.parametrize("limit", [1, 3, 7, 61, 10_000])
def test_pages_lose_and_repeat_nothing(limit: int) -> None:
    """Whatever the page, the same bars come; sorted by symbol, then time, while the clock moves on."""
    face = face_at()
    pages = bars(face, limit=limit)
    assert list(pages) == ["AAA", "BBB", "CCC", "DDD"]
    assert pages == bars(face_at(), limit=1000)
    assert all(rows == sorted(rows, key=lambda bar: bar["t"]) for rows in pages.values())


def test_short_pages_lose_nothing() -> None:
    """A page may be shorter than asked for; only the token says whether more comes."""
    assert bars(face_at(page_rows=5), limit=1000) == bars(face_at())


def test_newest_first() -> None:
    """`sort=desc` turns each symbol round."""
    up, down = bars(face_at()), bars(face_at(), sort="desc")
    assert {symbol: rows[::-1] for symbol, rows in down.items()} == up


def test_unknown_symbols_are_absent() -> None:
    """No error, no entry."""
    assert set(bars(face_at(), "AAA,ZZZ")) == {"AAA"}
    assert bars(face_at(), "ZZZ") == {}


@pytest.mark.parametrize(
    ("adjustment", "split", "dividend"),
    [
        ("raw", 1.0, 1.0),
        ("split", 2.0, 1.0),
        ("dividend", 1.0, 0.975),
        ("all", 2.0, 0.975),
        ("split,dividend", 2.0, 0.975),
        ("spin-off", 1.0, 1.0),
    ],
)
def test_adjustments(adjustment: str, split: float, dividend: float) -> None:
    """Before a split prices are divided and volumes multiplied; before a dividend prices are scaled."""
    found = bars(face_at(), adjustment=adjustment)
    assert found["BBB"][0]["c"] == 50 / split
    assert found["BBB"][0]["v"] == 1_000_000 * split
    assert found["CCC"][0]["c"] == 10 * dividend
    assert (found["BBB"][-1]["c"], found["CCC"][-1]["c"]) == (25, 10)


def test_adjusted_as_known_then() -> None:
    """Before the ex-date nothing is adjusted: the sandbox knows no future."""
    early = face_at(date(2020, 3, 9))
    found = bars(early, adjustment="all", end="2020-03-09T13:40:00Z")
    assert (found["BBB"][0]["c"], found["CCC"][0]["c"]) == (50, 10)
    assert found["AAA"][-1]["t"] < "2020-03-10"


def test_todays_bar_is_partial_while_the_session_runs() -> None:
    """It shows what had happened 15 minutes ago; whole 15 minutes after the close; absent before the open."""
    morning = bars(face_at())["AAA"][-1]
    assert (morning["o"], morning["c"]) == (115, 115)
    assert 0 < morning["v"] < 1_000_000
    evening = bars(face_at(clock=time(16, 16)), end="2020-03-16T20:00:00Z")["AAA"][-1]
    assert (evening["c"], evening["v"]) == (117, 1_000_000)
    before = bars(face_at(clock=time(9)), end="2020-03-16T12:40:00Z")["AAA"][-1]
    assert before["t"] == "2020-03-13T04:00:00Z"


@pytest.mark.parametrize(
    ("end", "changes", "feed", "status"),
    [
        ("2020-03-16T13:44:00Z", {}, "sip", 200),
        ("2020-03-16T13:46:00Z", {}, "sip", 403),
        ("2020-03-16T13:46:00Z", {}, "iex", 200),
        ("2020-03-16T13:46:00Z", {"entitled": True}, "sip", 200),
        ("2020-03-16", {}, "sip", 200),
        ("2020-03-17", {}, "sip", 403),
    ],
)
def test_recent_sip_data_needs_the_plan(end: str, changes: dict[str, object], feed: str, status: int) -> None:
    """Without it, `end` must be 15 minutes old; iex is free."""
    target = f"/v2/stocks/bars?symbols=AAA&timeframe=1Day&start=2020-03-02&end={end}&feed={feed}"
    answer = get(face_at(**changes), target, status)
    if status == 403:
        assert answer["message"] == "subscription does not permit querying recent SIP data"


@pytest.mark.parametrize(
    "query",
    [
        "symbols=AAA&timeframe=1Min",
        "timeframe=1Day",
        "symbols=AAA&timeframe=1Day&limit=10001",
        "symbols=AAA&timeframe=1Day&limit=0",
        "symbols=AAA&timeframe=1Day&adjustment=none",
        "symbols=AAA&timeframe=1Day&feed=otc",
        "symbols=AAA&timeframe=1Day&start=yesterday",
        "symbols=AAA&timeframe=1Day&page_token=x",
    ],
)
def test_what_is_not_served_is_400(query: str) -> None:
    """A clear message, no code, as the data host does."""
    answer = get(face_at(), f"/v2/stocks/bars?{query}", 400)
    assert set(answer) == {"message"}


def test_one_symbols_bars() -> None:
    """The form for a single symbol has a bare list."""
    page = get(face_at(), f"/v2/stocks/AAA/bars?timeframe=1Day&start=2020-03-02&end={END}&limit=2")
    assert (page["symbol"], len(page["bars"])) == ("AAA", 2)
    assert page["next_page_token"]


def test_latest_quotes_and_trades() -> None:
    """Around the price of the moment, with its time; nothing for unknown symbols; zero where unquoted."""
    face = face_at(tick_s=0.0, spread_bps=2.0, unquoted=("CCC",))
    quotes = get(face, "/v2/stocks/quotes/latest?symbols=AAA,CCC,ZZZ")["quotes"]
    assert set(quotes) == {"AAA", "CCC"}
    assert quotes["AAA"]["bp"] < 115 < quotes["AAA"]["ap"]
    assert (quotes["CCC"]["bp"], quotes["CCC"]["ap"]) == (0, 0)
    trade = get(face, "/v2/stocks/AAA/trades/latest")["trade"]
    assert (trade["p"], trade["t"]) == (115, "2020-03-16T14:00:00.000000000Z")
    get(face, "/v2/stocks/quotes/latest?symbols=AAA&feed=sip", 403)


def test_snapshots_before_the_open_show_yesterday() -> None:
    """The daily bar is the previous session's until the open, and the one before it the previous one's."""
    closed = get(face_at(clock=time(9)), "/v2/stocks/snapshots?symbols=AAA")["AAA"]
    assert closed["dailyBar"]["t"] == "2020-03-13T04:00:00Z"
    opened = get(face_at(), "/v2/stocks/AAA/snapshot")
    assert (opened["dailyBar"]["t"], opened["prevDailyBar"]["c"]) == ("2020-03-16T04:00:00Z", 116)


def test_corporate_actions_up_to_today() -> None:
    """Splits and dividends by process date; none of the future."""
    query = "/v1/corporate-actions?start=2020-02-24&end=2020-04-09"
    found = get(face_at(), query)["corporate_actions"]
    split, dividend = found["forward_splits"][0], found["cash_dividends"][0]
    assert (split["symbol"], split["new_rate"], split["old_rate"]) == ("BBB", 2, 1)
    assert (split["ex_date"], dividend["ex_date"]) == (SPLIT_DAY.isoformat(), DIVIDEND_DAY.isoformat())
    assert (dividend["symbol"], dividend["rate"]) == ("CCC", 0.25)
    assert get(face_at(START), query)["corporate_actions"] == {}
    assert set(get(face_at(), f"{query}&types=cash_dividend")["corporate_actions"]) == {"cash_dividends"}
    first = get(face_at(), f"{query}&limit=1")
    second = get(face_at(), f"{query}&limit=1&page_token={first['next_page_token']}")
    assert set(first["corporate_actions"]) | set(second["corporate_actions"]) == set(found)
    assert second["next_page_token"] is None
