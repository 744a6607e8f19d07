"""Data over real HTTP: a file that is fetched, grows with the exchange's clock, and never mixes two bases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import date
from datetime import time as clock
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import requests

import trimtab as tt
from exchange_kit import DIVIDEND_DAY, FIRST, START, make_exchange
from trimtab.adapters.exchange import Exchange
from trimtab.adapters.sample import synthetic
from trimtab.adapters.sandbox import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.conftest import Desk
    from trimtab.adapters.sandbox import Sandbox

SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
STRATEGY = {"name": "equal_weight", "params": {"symbols": list(SYMBOLS)}}
SPAN = ("--start", "2020-02-24")
ADDRESS = {"APCA_API_KEY_ID": "any", "APCA_API_SECRET_KEY": "any"}


@pytest.fixture
def market() -> Iterator[Exchange]:
    """Give an exchange of four symbols, one of which splits and one pays."""
    made = make_exchange()
    yield made
    made.close()


@pytest.fixture
def served(desk: Desk, market: Exchange, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Serve it, to a paper portfolio."""
    desk.write(mode="paper", strategy=STRATEGY)
    with serve(market, speed=0) as server:
        for name, value in ADDRESS.items():
            monkeypatch.setenv(name, value)
        for name in ("APCA_API_BASE_URL", "APCA_API_DATA_URL"):
            monkeypatch.setenv(name, server.url)
        yield server


def fetched(desk: Desk, *words: str) -> dict[str, Any]:
    """Fetch, and give the document."""
    done = desk("data", "fetch", *words, "--json")
    assert done.status == 0, done.err
    document: dict[str, Any] = done.document
    return document


def ways(document: dict[str, Any]) -> dict[str, str]:
    """Give how each symbol came."""
    return {row["symbol"]: row["fetched"] for row in document["symbols"]}


@pytest.mark.usefixtures("served")
def test_a_file_is_fetched_that_backtests_read(desk: Desk, market: Exchange) -> None:
    """Every session whose day is over, adjusted and raw; the same as the exchange's own tape."""
    document = fetched(desk, *SPAN)
    assert (document["start"], document["through"]) == ("2020-02-24", "2020-02-28")
    assert set(ways(document).values()) == {"whole"}
    bars = tt.read_bars(desk.folder / "bars.parquet")
    own = market.tape.bars(SYMBOLS, FIRST, date(2020, 2, 28), "all")
    assert bars.symbols == own.symbols
    np.testing.assert_array_equal(bars.sessions, own.sessions)
    np.testing.assert_allclose(bars.close, own.close)
    np.testing.assert_allclose(bars.raw_close, own.raw_close)
    frame = pl.read_parquet(desk.folder / "bars.parquet")
    assert frame.columns == [
        *("symbol", "session", "open", "high", "low", "close", "volume", "raw_close"),
    ]
    assert frame.equals(frame.sort("symbol", "session"))
    played = desk("backtest", "--plan", "exact", "--json")
    assert (played.status, played.document["stats"]["sessions"]) == (0, 5)
    assert played.document["data"] == "bars.parquet (sip, adjusted: all, to 2020-02-28)"


@pytest.mark.parametrize("hour", [(9, 0), (15, 59), (16, 10), (23, 59)])
@pytest.mark.usefixtures("served")
def test_todays_session_is_never_stored(desk: Desk, market: Exchange, hour: tuple[int, int]) -> None:
    """Neither its partial bar, nor one whose volume still grows after the close."""
    day = START if hour > (10, 0) else date(2020, 3, 3)
    market.go(day, clock(*hour))
    before = {date(2020, 3, 2): "2020-02-28", date(2020, 3, 3): "2020-03-02"}
    assert fetched(desk, *SPAN)["through"] == before[day]


@pytest.mark.usefixtures("served")
def test_nothing_new_leaves_the_file_as_it_was(desk: Desk) -> None:
    """The same archive is the same bytes, and is not written again."""
    fetched(desk, *SPAN)
    path = desk.folder / "bars.parquet"
    before = (path.read_bytes(), path.stat().st_ino)
    document = fetched(desk)
    assert document["written"] is False
    assert (path.read_bytes(), path.stat().st_ino) == before
    assert "the file is as it was" in desk("data", "fetch").out
    fetched(desk, *SPAN, "--out", "other.parquet")
    assert (desk.folder / "other.parquet").read_bytes() == before[0]


@pytest.mark.usefixtures("served")
def test_a_split_and_a_dividend_between_two_fetches(desk: Desk, market: Exchange) -> None:
    """The symbols they moved are fetched whole, the others go on; the file is as if fetched at once."""
    fetched(desk, *SPAN)
    market.go(date(2020, 3, 11))
    document = fetched(desk)
    assert ways(document) == {"AAA": "appended", "BBB": "whole", "CCC": "appended", "DDD": "appended"}
    why = {row["symbol"]: row["why"] for row in document["symbols"]}
    assert why["BBB"] == "adjusted close of 2020-02-24 was 50, is 25"
    assert document["through"] == "2020-03-10"
    market.go(DIVIDEND_DAY)  # known on the morning of its ex-date
    document = fetched(desk)
    assert ways(document) == {"AAA": "appended", "BBB": "appended", "CCC": "whole", "DDD": "appended"}
    fetched(desk, *SPAN, "--out", "once.parquet")
    grown, once = ((desk.folder / name).read_bytes() for name in ("bars.parquet", "once.parquet"))
    assert grown == once


@pytest.mark.usefixtures("served")
def test_people_read_what_was_fetched_and_why(desk: Desk, market: Exchange) -> None:
    """Spans, what moved, what does not reach back, what has no bars; on a page of its width."""
    fetched(desk, *SPAN)
    market.go(date(2020, 3, 16))
    done = desk("data", "fetch", "NOPE", "--start", "2019-12-02")
    assert done.status == 0
    for words in ("asked for from an earlier session", "not back to 2019-12-02", "NOPE", "bars.parquet"):
        assert words in done.out
    assert max(map(len, done.out.splitlines())) <= 100
    assert done.err == ""


@pytest.mark.usefixtures("served")
def test_symbols_come_in_whole_and_all_stay_up_to_date(desk: Desk, market: Exchange) -> None:
    """A file's symbols end at one session, whoever is named; what is named late has the whole span."""
    fetched(desk, "AAA", *SPAN)
    market.go(date(2020, 3, 6))
    document = fetched(desk, "CCC")
    assert ways(document) == {"AAA": "appended", "CCC": "whole"}
    spans = {(row["first"], row["last"]) for row in document["symbols"]}
    assert spans == {("2020-02-24", "2020-03-05")}
    assert ways(fetched(desk, "DDD", "--anew", *SPAN)) == {"DDD": "whole"}


@pytest.mark.usefixtures("served")
def test_an_end_cuts_a_new_file_and_never_a_kept_one(desk: Desk) -> None:
    """--end is a last session for what is not there yet."""
    assert fetched(desk, *SPAN, "--end", "2020-02-26")["through"] == "2020-02-26"
    assert fetched(desk)["through"] == "2020-02-28"
    assert fetched(desk, "--end", "2020-02-25")["through"] == "2020-02-28"
    assert fetched(desk, *SPAN, "--end", "2020-03-01", "--out", "sunday.parquet")["through"] == "2020-02-28"


@pytest.mark.usefixtures("served")
def test_another_adjustment_is_refused(desk: Desk) -> None:
    """It is named with what to do, the file is as it was; --anew replaces it, a backtest refuses it too."""
    fetched(desk, *SPAN)
    before = (desk.folder / "bars.parquet").read_bytes()
    desk.write(mode="paper", strategy=STRATEGY, data={"adjustment": "raw", "feed": "iex"})
    done = desk("data", "fetch", "--json")
    assert (done.status, done.document["error"]["code"]) == (2, "another_series")
    assert done.document["error"]["seen"] == "data.feed iex, data.adjustment raw"
    assert "--anew" in done.document["error"]["hint"]
    assert (desk.folder / "bars.parquet").read_bytes() == before
    assert desk("backtest", "--json").document["error"]["code"] == "data_adjustment"
    assert fetched(desk, "--anew", *SPAN)["adjustment"] == "raw"
    assert desk("backtest", "--plan", "exact").status == 0


@pytest.mark.usefixtures("served")
def test_another_file_is_left_as_it_is(desk: Desk) -> None:
    """Neither somebody's own table nor half a file is written over."""
    pl.DataFrame({"mine": [1]}).write_parquet(desk.folder / "own.parquet")
    done = desk("data", "fetch", "--out", "own.parquet", "--anew", "--json")
    assert (done.status, done.document["error"]["code"]) == (2, "not_a_cache")
    fetched(desk, *SPAN)
    whole = (desk.folder / "bars.parquet").read_bytes()
    for part in (whole[: len(whole) // 2], whole[:-20], b""):
        (desk.folder / "bars.parquet").write_bytes(part)
        done = desk("data", "fetch", "--json")
        assert (done.status, done.document["error"]["code"]) == (2, "data_file")
        assert "fetch it anew" in done.document["error"]["hint"]
        assert (desk.folder / "bars.parquet").read_bytes() == part


@pytest.mark.usefixtures("served")
def test_a_symbol_that_is_not_served_any_more_keeps_its_bars(desk: Desk, market: Exchange) -> None:
    """A fetch from another exchange without the symbol leaves its history, and says so."""
    fetched(desk, *SPAN)
    path = desk.folder / "bars.parquet"
    frame = pl.read_parquet(path)
    told = pl.read_parquet_metadata(path)["trimtab"]
    old = frame.filter(pl.col("symbol") == "AAA").with_columns(symbol=pl.lit("OLD"))
    pl.concat([frame, old]).write_parquet(path, metadata={"trimtab": told})
    market.go(date(2020, 3, 6))
    document = fetched(desk)
    assert ways(document)["OLD"] == "kept"
    (row,) = (row for row in document["symbols"] if row["symbol"] == "OLD")
    assert (row["last"], row["ends_early"]) == ("2020-02-28", True)
    out = desk("data", "fetch").out
    assert "not up to 2020-03-05: no trade, delisted" in out
    assert pl.read_parquet(path).filter(pl.col("symbol") == "OLD").equals(old)


REFUSED = {
    "no symbol that is known": (("NOPE", *SPAN), 3, "no_bars"),
    "crossing dates": (("--start", "2020-03-02", "--end", "2020-02-28"), 2, "usage"),
    "no whole session": (("--start", "2020-03-02"), 2, "usage"),
    "a csv file": (("--out", "bars.csv"), 2, "data_file"),
    "a folder that is a file": (("--out", "config.json/bars.parquet", *SPAN), 2, "not_writable"),
    "a part that is none": ((), 2, "usage"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.usefixtures("served")
def test_what_is_not_usable_is_told(desk: Desk, case: str) -> None:
    """One error, and no file."""
    words, status, code = REFUSED[case]
    part = "fecth" if case == "a part that is none" else "fetch"
    done = desk("data", part, *words, "--json")
    assert (done.status, done.document["error"]["code"]) == (status, code)
    assert desk.files() == {"config.json"}


def test_without_keys_or_an_answer_nothing_is_written(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both say what to do."""
    assert desk("data", "fetch", "--json").document["error"]["code"] == "keys_missing"
    for name, value in ADDRESS.items():
        monkeypatch.setenv(name, value)
    exchange = make_exchange()
    with serve(exchange, speed=0, keys=("other", "other")) as server:
        for name in ("APCA_API_BASE_URL", "APCA_API_DATA_URL"):
            monkeypatch.setenv(name, server.url)
        done = desk("data", "fetch", "--json")
        assert (done.status, done.document["error"]["code"]) == (3, "unauthorized")
    exchange.close()
    assert desk.files() == {"config.json"}


@pytest.mark.usefixtures("served")
def test_a_simulated_portfolio_fetches_too(desk: Desk) -> None:
    """Its backtests play the file where it is named, by flag or by data.file."""
    desk.write(strategy=STRATEGY)
    fetched(desk, *SPAN)
    assert (
        desk("backtest", "--data", "bars.parquet", "--plan", "exact", "--json").document["stats"]["sessions"]
        == 5
    )
    desk.write(strategy=STRATEGY, data={"file": "bars.parquet"})
    document = desk("backtest", "--plan", "exact", "--json").document
    assert (document["stats"]["sessions"], document["data"].partition(" ")[0]) == (5, "bars.parquet")


def test_simulated_mode_replays_the_configured_file(desk: Desk, market: Exchange) -> None:
    """A run trades its prices."""
    own = market.tape.bars(SYMBOLS, FIRST, date(2020, 4, 9), "all")
    own.frame().write_parquet(desk.folder / "mine.parquet")
    desk.write(strategy=STRATEGY, data={"file": "mine.parquet", "lookback_sessions": 5})
    done = desk("run", "--json")
    assert done.document["session"] in {str(day) for day in own.sessions}
    assert done.document["outcome"] in {"traded", "halted"}


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_a_real_account_is_not_backtested_on_a_sample(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Where there is no history the error points at the verb that gets it."""
    monkeypatch.setenv("TRIMTAB_LIVE", "yes")
    desk.write(mode=mode)
    done = desk("backtest", "--json")
    assert (done.status, done.document["error"]["code"]) == (2, "no_data")
    assert "trimtab data fetch" in done.document["error"]["hint"]


def test_a_fetch_that_is_killed_leaves_the_file_as_it_was(
    desk: Desk, served: Sandbox, market: Exchange
) -> None:
    """SIGKILL while Alpaca is slow: the file before, and nothing beside it that is read."""
    fetched(desk, *SPAN)
    before = (desk.folder / "bars.parquet").read_bytes()
    market.go(date(2020, 3, 16))
    fault = {"action": "hang", "path": "/v2/stocks/bars", "times": 0, "seconds": 30}
    requests.post(f"{served.url}/sandbox/faults", json=fault, timeout=10)
    served.face.log.seen.clear()
    process = subprocess.Popen(
        [sys.executable, "-m", "trimtab", "data", "fetch"], cwd=desk.folder, env=dict(os.environ)
    )
    try:
        while not any(seen.path == "/v2/stocks/bars" for seen in tuple(served.face.log.seen)):
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
    assert (desk.folder / "bars.parquet").read_bytes() == before
    assert {name for name in desk.files() if "parquet" in name} == {"bars.parquet"}


VERDICT = "verdict: a run would halt on these bars: 5 of 6 findings would stop it"
BAD = """Symbol,Date,Open,High,Low,Close,Volume,Split
AAA,2020-01-03,1,1.1,0.9,1,10,
AAA,2020-01-02,x,1.1,0.9,1,10,2
AAA,2020-01-02,1,1.1,0.9,-1,10,
AAA,2020-01-04,1,1.1,0.9,1,10,
BBB,soon,1,1,1,1,10,
"""


def test_a_broken_file_is_explained(desk: Desk) -> None:
    """Each rule with its symbols, first sessions and what to do; a verdict; no configuration is needed."""
    (desk.folder / "config.json").unlink()
    (desk.folder / "bad.csv").write_text(BAD)
    done = desk("data", "check", "bad.csv")
    assert (done.status, done.err) == (3, "")
    for rule in ("duplicate", "bad_number", "no_session", "no_date"):
        assert f"FAIL  {rule}" in done.out
    assert "unsorted" in done.out.partition("note  halts nothing")[2]
    assert "2020-01-04" in done.out
    assert done.out.splitlines()[-1] == VERDICT
    assert max(map(len, done.out.splitlines())) <= 100
    document = desk("data", "check", "bad.csv", "--json").document
    assert (document["symbols"], document["halts"], document["actions"]) == (1, 5, 1)
    assert document["findings"][0] == {
        "rule": "no_date",
        "symbol": "BBB",
        "session": None,
        "seen": "'soon'",
        "allowed": "a date, YYYY-MM-DD",
        "detail": "row 5, left out",
        "halts": True,
    }


@pytest.mark.usefixtures("served")
def test_a_sound_file_is_said_to_be(desk: Desk) -> None:
    """What was fetched is; a note alone is exit 0."""
    fetched(desk, *SPAN)
    done = desk("data", "check", "bars.parquet")
    assert (done.status, done.out.splitlines()[-1]) == (0, "verdict: nothing is wrong with these bars")
    assert done.out.startswith("bars.parquet: 4 symbols, 20 bars\n5 sessions, 2020-02-24 to 2020-02-28")
    frame = pl.read_parquet(desk.folder / "bars.parquet")
    frame.reverse().write_csv(desk.folder / "backwards.csv")
    done = desk("data", "check", "backwards.csv")
    assert (done.status, "that halt nothing" in done.out.splitlines()[-1]) == (0, True)
    frame.clear().write_csv(desk.folder / "empty.csv")
    assert "no bar can be read" in desk("data", "check", "empty.csv").out


@pytest.mark.parametrize("text", ["symbol,date\nAAA,2020-01-02\n", "", "a,b\n1,2,3\n"])
def test_a_file_that_holds_no_bars_is_exit_2(desk: Desk, text: str) -> None:
    """A missing column, nothing at all, and a torn table."""
    (desk.folder / "bad.csv").write_text(text)
    done = desk("data", "check", "bad.csv", "--json")
    assert (done.status, done.document["error"]["code"]) == (2, "data_file")


@pytest.mark.usefixtures("served")
def test_the_configured_file_is_checked_without_a_name(desk: Desk) -> None:
    """Where `data fetch` puts it."""
    fetched(desk, *SPAN)
    assert desk("data", "check", "--json").document["file"] == "bars.parquet"


@pytest.mark.usefixtures("served")
def test_a_feed_that_gives_nothing_at_all_changes_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept symbols are not taken for delisted where not one is served."""
    fetched(desk, *SPAN)
    before = (desk.folder / "bars.parquet").read_bytes()
    other = Exchange.open(synthetic(("ZZZ",), 1, FIRST, date(2020, 4, 9)), START)
    with serve(other, speed=0) as server:
        for name in ("APCA_API_BASE_URL", "APCA_API_DATA_URL"):
            monkeypatch.setenv(name, server.url)
        done = desk("data", "fetch", "--json")
    other.close()
    assert (done.status, done.document["error"]["code"]) == (3, "no_bars")
    assert (desk.folder / "bars.parquet").read_bytes() == before
