from __future__ import annotations

import json
import shutil
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from cli.conftest import STRATEGY, SYMBOLS
from trimtab.adapters.exchange import Exchange
from trimtab.adapters.sample import embedded, sample_file
from trimtab.adapters.sandbox import serve
from trimtab.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Desk
    from trimtab.adapters.exchange.tape import Tape

STORE = "trimtab-data"
PARTS = {"price", "timing", "unfilled", "plan", "cost", "dividends", "residual"}


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder in which a simulated portfolio ran for 40 sessions."""
    folder = tmp_path_factory.mktemp("walked")
    config = folder / "config.json"
    config.write_text(json.dumps({"strategy": STRATEGY, "dry_run": False}))
    assert main(["run", "--sessions", "40", "--config", str(config)]) == 0
    return folder


@pytest.fixture
def walker(desk: Desk, walked: Path) -> Desk:
    """Give a desk of one's own where that portfolio ran."""
    shutil.copytree(walked / STORE, desk.folder / STORE)
    return desk


def on_exchange(desk: Desk, act: Callable[[Exchange], object], symbols: tuple[str, ...] = SYMBOLS) -> None:
    """Do something to the embedded exchange between two runs."""
    exchange = Exchange.open(embedded(symbols), path=desk.folder / STORE / "exchange/main.db")
    try:
        act(exchange)
    finally:
        exchange.close()


def compared(desk: Desk, *arguments: str) -> dict[str, Any]:
    """Compare, and hold what always holds: the parts sum to the gap, of each session and in all."""
    done = desk("compare", "--json", *arguments)
    assert done.status == 0, done.err
    document: dict[str, Any] = done.document
    assert set(document["parts_usd"]) == PARTS
    assert sum(document["parts_usd"].values()) == pytest.approx(document["gap_usd"], abs=1e-6)
    assert document["gap_usd"] == pytest.approx(document["live_usd"] - document["backtest_usd"], abs=1e-6)
    for before, row in zip(document["sessions"], document["sessions"][1:], strict=False):
        grown = row["gap_usd"] - before["gap_usd"]
        assert sum(row["parts_usd"].values()) == pytest.approx(grown, abs=1e-6)
    return document


def parts(document: dict[str, Any]) -> dict[str, float]:
    """Give the parts that are a cent or more."""
    return {name: amount for name, amount in document["parts_usd"].items() if abs(amount) >= 0.01}


def test_a_clean_walk_leaves_no_gap(walker: Desk) -> None:
    """The simulated exchange fills at the open, as the backtest does: both made the same."""
    document = compared(walker)
    assert parts(document) == {}
    assert abs(document["gap_usd"]) < 0.01
    assert len(document["sessions"]) == 40
    assert (document["runs"], document["runs_of_another_config"], document["missed"]) == (40, 0, [])
    assert document["prices"] == "the runs' own"
    assert document["traded_usd"] > 90_000
    assert not [order for order in document["orders"] if order["why"]]


def test_the_live_curve_is_what_the_runs_recorded(walker: Desk) -> None:
    """Its values are the equity that each run sized its plan with."""
    rows = [row["live_usd"] for row in compared(walker)["sessions"]]
    recorded = [float(record["equity"]) for record in walker.records(STORE)]
    assert rows == pytest.approx(recorded, abs=0.006)


def test_people_read_the_gap_and_each_part(walker: Desk) -> None:
    """Every part is stated, also where it is nothing, and the page is kept to."""
    done = walker("compare")
    assert (done.status, done.err) == (0, "")
    for part in (
        "main: simulated, equal_weight, 39 sessions, from the close of",
        "account",
        "backtest",
        "gap",
    ):
        assert part in done.out
    lines = [line.split() for line in done.out.splitlines()]
    assert {line[0] for line in lines if len(line) > 2 and line[1] == "0.00"} >= PARTS
    assert "-0.00" not in done.out
    assert max(map(len, done.out.splitlines())) <= 100


def test_a_spread_is_the_price_part(walker: Desk) -> None:
    """Half of 40 basis points on either side: every fill is that much worse than the open."""
    on_exchange(walker, lambda exchange: exchange.behave(spread_bps=40.0))
    walker("run", "--sessions", "10")
    document = compared(walker)
    late = [order for order in document["orders"] if order["price_usd"]]
    traded = sum(abs(order["filled"] * order["played_price"]) for order in late if order["played_price"])
    assert document["parts_usd"]["price"] == pytest.approx(-0.0020 * traded, rel=0.06)
    assert document["parts_usd"]["price"] == pytest.approx(sum(order["price_usd"] for order in late))
    assert set(parts(document)) <= {"price", "plan"}
    assert abs(document["gap_usd"] - document["parts_usd"]["price"]) < 1.0
    shown = walker("compare").out
    assert "USD traded" in " ".join(shown.split())
    assert "Orders that differ most" in shown


def test_half_fills_are_the_unfilled_part(walker: Desk) -> None:
    """What stays unfilled is bought later at another price."""
    walker.write(execution={"fill_timeout_s": 5})
    on_exchange(walker, lambda exchange: exchange.behave(partial_probability=0.9))
    walker("run", "--sessions", "10")
    document = compared(walker)
    assert {"unfilled"} <= set(parts(document)) <= {"unfilled", "plan"}
    assert [order for order in document["orders"] if order["why"] == "unfilled"]
    assert document["runs_of_another_config"] == 40
    assert "40 of 50 runs had another configuration" in walker("compare").out


def test_sessions_without_a_run_are_the_timing_part(walker: Desk) -> None:
    """Nobody ran for eight sessions in which the backtest traded."""
    on_exchange(walker, lambda exchange: exchange.step(8))
    walker("run", "--sessions", "4")
    document = compared(walker)
    assert {"timing"} <= set(parts(document)) <= {"timing", "plan"}
    assert {missed["outcome"] for missed in document["missed"]} == {"no run"}
    shown = walker("compare").out
    assert "note: sessions without a plan: " in shown
    assert "(no run)" in shown


def test_a_halted_session_is_told_with_its_outcome(desk: Desk) -> None:
    """The kill switch is why the account did not build up with the backtest."""
    desk("run", "--sessions", "1")
    desk("halt")
    desk("run", "--sessions", "1")
    desk("resume")
    desk("run", "--sessions", "4")
    document = compared(desk)
    assert {"timing"} <= set(parts(document)) <= {"timing", "plan"}
    assert [missed["outcome"] for missed in document["missed"]] == ["halted"]


def test_a_deposit_is_in_both(walker: Desk) -> None:
    """Money that came in is no part of the gap."""
    on_exchange(walker, lambda exchange: exchange.journal(amount=Decimal(5_000)))
    walker("run", "--sessions", "4")
    document = compared(walker)
    assert abs(document["gap_usd"]) < 0.01
    assert document["live_usd"] > 103_000


def test_the_backtest_may_have_costs(walker: Desk) -> None:
    """They are the backtest's alone: the account is better by them."""
    document = compared(walker, "--cost-bps", "10")
    assert document["parts_usd"]["cost"] == pytest.approx(0.001 * document["traded_usd"], rel=0.01)


def test_a_range_is_named_by_dates_or_by_runs(walker: Desk) -> None:
    """Both ends are within it; one run alone is the first; both sides begin with what was held then."""
    records = walker.records(STORE)
    first, last = records[9], records[19]
    dated = compared(walker, "--start", first["session"], "--end", last["session"])
    assert dated["start"] == records[8]["session"]
    assert dated["end"] == records[18]["session"]
    assert abs(dated["gap_usd"]) < 0.01
    assert (
        dated
        == compared(walker, first["run_id"], last["run_id"])
        == compared(walker, last["run_id"], first["run_id"])
    )
    assert compared(walker, first["run_id"])["runs"] == 31
    assert walker("compare", "2099", "--json").document["error"]["code"] == "unknown_run"


@pytest.mark.parametrize(
    "arguments", [["--start", "2099-01-01"], ["--end", "2001-01-01"], ["last"]], ids=["late", "early", "one"]
)
def test_too_few_runs_are_refused(walker: Desk, arguments: list[str]) -> None:
    """Exit 2: what was seen, what is allowed, what to do."""
    done = walker("compare", "--json", *arguments)
    error = done.document["error"]
    assert (done.status, error["code"]) == (2, "nothing_to_compare")
    assert error["seen"].endswith("that read the account")
    assert error["allowed"] == "2 or more"
    assert "trimtab history" in error["hint"]


def test_an_empty_store_and_dry_runs_have_nothing_to_compare(desk: Desk) -> None:
    """A dry run traded nothing; and nothing is written by asking."""
    assert desk("compare", "--json").document["error"]["code"] == "nothing_to_compare"
    assert desk.files() == {"config.json"}
    desk("run", "--sessions", "3", "--dry-run")
    assert desk("compare").status == 2


def test_comparing_leaves_the_store_as_it_was(walker: Desk) -> None:
    """Not a byte is changed."""
    before = {name: (walker.folder / name).read_bytes() for name in walker.files()}
    walker("compare")
    assert {name: (walker.folder / name).read_bytes() for name in walker.files()} == before


def test_a_damaged_record_stops_it(walker: Desk) -> None:
    """Nothing is compared on what was changed by hand: exit 3."""
    record = next(iter((walker.folder / STORE / "runs").rglob("record.json")))
    record.write_text(record.read_text().replace("equal", "squal"))
    done = walker("compare", "--json")
    assert (done.status, done.document["error"]["code"]) == (3, "record_damaged")


def test_damaged_bars_of_a_run_stop_it(walker: Desk) -> None:
    """They are named as what they are, and are no bug."""
    path = min((walker.folder / STORE / "runs/main").glob("*/*/inputs.parquet"))
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-9])
    done = walker("compare", "--json")
    assert (done.status, done.document["error"]["code"]) == (3, "record_damaged")
    assert path.parent.name in done.document["error"]["message"]


def test_a_store_that_is_a_file_is_not_called_empty(desk: Desk) -> None:
    """Reading it is refused, exit 3."""
    (desk.folder / STORE).write_text("")
    done = desk("compare", "--json")
    assert (done.status, done.document["error"]["code"]) == (3, "store_unwritable")


def test_prices_may_come_from_a_file(walker: Desk, tape: Tape) -> None:
    """The same prices give the same comparison, however scaled; without a symbol they are refused."""
    frame = tape.bars(SYMBOLS, tape.sessions[0].item(), tape.sessions[-1].item(), "all").frame()
    doubled = frame.with_columns(pl.col("open", "high", "low", "close") * 2, pl.col("volume") / 2)
    doubled.drop("raw_close").write_parquet(walker.folder / "bars.parquet")
    document = compared(walker, "--data", "bars.parquet")
    assert abs(document["gap_usd"]) < 0.01
    assert document["prices"] == "bars.parquet"
    doubled.filter(pl.col("symbol") != "BBB").write_parquet(walker.folder / "bars.parquet")
    done = walker("compare", "--data", "bars.parquet", "--json")
    assert (done.status, done.document["error"]["code"]) == (2, "missing_symbol")
    assert done.document["error"]["seen"] == "BBB"


def test_a_monthly_portfolio_is_compared_on_prices_fetched_anew(
    desk: Desk, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A month is longer than its runs look back: the tape, or for an account the feed, has the rest."""
    desk.write(schedule={"job_interval": "monthly"})
    desk("run", "--sessions", "4")
    for first_of_month in (date(2015, 2, 2), date(2015, 3, 2), date(2015, 4, 1)):
        on_exchange(desk, partial(Exchange.go, session=first_of_month))
        desk("run")
    document = compared(desk)
    assert abs(document["gap_usd"]) < 0.01
    assert document["missed"] == []
    assert document["prices"].startswith("fetched anew")
    desk.write(schedule={"job_interval": "monthly"}, mode="paper", store={"url": f"./{STORE}"})
    with serve(Exchange.open(tape, start=tape.sessions[-1].item()), speed=0.0) as sandbox:
        for name in ("APCA_API_BASE_URL", "APCA_API_DATA_URL"):
            monkeypatch.setenv(name, sandbox.url)
        for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"):
            monkeypatch.setenv(name, "any")
        again = compared(desk)
    assert again["sessions"] == document["sessions"]
    with serve(Exchange.open(tape), speed=0.0, keys=("other", "other")) as sandbox:
        monkeypatch.setenv("APCA_API_DATA_URL", sandbox.url)
        done = desk("compare", "--json")
    assert (done.status, done.document["error"]["code"]) == (3, "unreachable")
    assert "--data FILE" in done.document["error"]["hint"]


@pytest.mark.skipif(sample_file() is None, reason="the real prices are not installed")
def test_dividends_that_a_paper_account_is_not_paid_are_named(desk: Desk) -> None:
    """IBM paid 0.14 USD a share on 2001-05-08: the adjusted prices hold it, the account does not."""
    weights = {"AAPL": 0.4, "IBM": 0.3, "MSFT": 0.3}
    desk.write(strategy={"name": "fixed_weights", "params": {"weights": weights}})
    desk("run", "--sessions", "1")
    on_exchange(desk, lambda exchange: exchange.go(date(2001, 5, 1)), tuple(weights))
    assert desk("run", "--sessions", "8").status == 0
    document = compared(desk, "--start", "2001-05-02")
    (row,) = [row for row in document["sessions"] if abs(row["parts_usd"]["dividends"]) > 5]
    assert row["session"] == "2001-05-07"
    held = -row["parts_usd"]["dividends"] / 0.14
    records = {record["session"]: record for record in desk.records(STORE)}
    shares = {p["symbol"]: float(p["qty"]) for p in records["2001-05-08"]["positions_before"]}
    assert held == pytest.approx(shares["IBM"], rel=0.001)
    assert abs(document["parts_usd"]["residual"]) < 0.01
