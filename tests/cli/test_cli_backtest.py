from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import polars as pl
import pytest

import trimtab as tt
from backtesting.walks import bars_of, market

if TYPE_CHECKING:
    from cli.conftest import Desk

WEIGHTS = {"AAA": 0.5, "BBB": 0.3}
FIXED = {"name": "fixed_weights", "params": {"weights": WEIGHTS}}
CHEAT = """
seen = []


def decide(history, equity):
    seen.append(1)
    return {"AAA": 0.1 * (len(seen) % 5)}
"""
ALL_SHOWN = """
def decide(history, equity):
    return dict.fromkeys(history.symbols, 0.9 / len(history.symbols))
"""
FIRST, LAST = date(2020, 6, 1), date(2021, 5, 28)


@pytest.fixture
def data(desk: Desk) -> str:
    """Write a year of a made-up market as parquet, and a configuration that decides monthly."""
    desk.write(strategy=FIXED, schedule={"job_interval": "monthly"})
    tape = market(("AAA", "BBB", "CCC"), FIRST, LAST, seed=3, walk=0.01, gap=0.003)
    bars_of(tape).frame().drop("raw_close").write_parquet(desk.folder / "bars.parquet")
    return "bars.parquet"


def test_a_backtest_plays_the_configured_strategy_as_the_bot_would(desk: Desk, data: str) -> None:
    """The same trades as Python's, with the live plan and fills at the next open; nothing is stored."""
    before = desk.files()
    done = desk("backtest", "--data", data, "--benchmark", "CCC", "--json")
    assert done.status == 0
    result = tt.backtest(
        tt.strategies.fixed_weights(weights=WEIGHTS),
        tt.read_bars(desk.folder / data),
        rebalance="monthly",
        fill="next_open",
        plan="live",
        benchmark="CCC",
    )
    assert done.document["stats"] == json.loads(json.dumps(result.stats))
    assert [year["year"] for year in done.document["yearly"]] == [2020, 2021]
    assert done.document["terms"]["plan"] == "live"
    assert desk.files() == before


@pytest.mark.parametrize("plan", ["exact", "live"])
def test_a_benchmark_is_beside_the_strategy_and_never_shown_to_it(desk: Desk, data: str, plan: str) -> None:
    """A strategy that holds all it is shown trades its universe, and does as well as without a benchmark."""
    (desk.folder / "mine.py").write_text(ALL_SHOWN)
    desk.write(strategy={"name": "mine:decide"}, universe=["AAA", "BBB"])
    words = ("--data", data, "--plan", plan, "--out", "out", "--json")
    alone = desk("backtest", *words).document["stats"]
    beside = desk("backtest", *words, "--benchmark", "CCC").document["stats"]
    assert {name: beside[name] for name in alone} == alone
    assert set(beside) > set(alone)
    assert set(pl.read_parquet(desk.folder / "out/trades.parquet")["symbol"]) == {"AAA", "BBB"}


def test_people_read_figures_years_and_notes(desk: Desk, data: str) -> None:
    """On a page of at most its width."""
    desk.write(strategy=FIXED, risk={"max_position": 0.01})
    done = desk("backtest", "--data", data, "--start", "2021-01-04")
    assert done.status == 0
    for words in ("growth a year (CAGR)", "largest drawdown", "2021", "latched", "max_position"):
        assert words in done.out
    assert max(map(len, done.out.splitlines())) <= 100


def test_tables_and_the_page_are_written(desk: Desk, data: str) -> None:
    """Parquet for programs, one page for people."""
    done = desk("backtest", "--data", data, "--out", "out", "--report", "page.html", "--json")
    names = [name.rsplit("/", 1)[-1].partition(".")[0] for name in done.document["written"]]
    assert names == ["page", "equity", "trades", "weights", "reasons", "stats"]
    trades = pl.read_parquet(desk.folder / "out/trades.parquet")
    assert trades.columns == ["session", "symbol", "side", "qty", "price", "cost"]
    assert len(pl.read_parquet(desk.folder / "out/equity.parquet")) == done.document["stats"]["sessions"]
    page = (desk.folder / "page.html").read_text()
    assert "fixed_weights" in page
    assert "trimtab backtest" in page


def test_a_flag_changes_its_term(desk: Desk, data: str) -> None:
    """Each is in the terms that the document tells."""
    flags = {
        "--plan": ("exact", "plan", "exact"),
        "--fill": ("close", "fill", "close"),
        "--rebalance": ("weekly", "rebalance", "weekly"),
        "--cost-bps": ("3", "cost_bps", 3.0),
        "--cost-per-share": ("0.01", "cost_per_share", 0.01),
        "--cost-minimum": ("1", "cost_minimum", 1.0),
        "--cash": ("5000", "cash", 5000.0),
        "--interest": ("0.02", "interest", 0.02),
        "--contribution": ("100", "contributions", 100.0),
        "--start": ("2020-07-01", "start", "2020-07-01"),
        "--end": ("2021-02-01", "end", "2021-02-01"),
    }
    words = [word for flag, (given, _, _) in flags.items() for word in (flag, given)]
    terms = desk("backtest", "--data", data, *words, "--json").document["terms"]
    assert {name: terms[name] for _, name, _ in flags.values()} == {name: v for _, name, v in flags.values()}


def test_a_proof_that_fails_is_exit_3(desk: Desk, data: str) -> None:
    """A strategy that keeps state is found out; a built-in one is not."""
    done = desk("backtest", "--data", data, "--prove", "--json")
    assert (done.status, done.document["proof"]["findings"]) == (0, [])
    (desk.folder / "mine.py").write_text(CHEAT)
    desk.write(strategy={"name": "mine:decide"}, universe=["AAA", "BBB"])
    done = desk("backtest", "--data", data, "--prove")
    assert done.status == 3
    assert "FAIL  state" in done.out


REFUSED = {
    "a file that is not there": (("--data", "none.parquet"), "data_file"),
    "a benchmark without bars": (("--benchmark", "ZZZ"), "missing_symbol"),
    "an end before the data": (("--end", "2019-01-01"), "backtest_dates"),
    "a folder that is a file": (("--out", "config.json"), "not_writable"),
    "a date that is none": (("--start", "yesterday"), "usage"),
    "no cash": (("--cash", "0"), "usage"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_usable_is_exit_2(desk: Desk, data: str, case: str) -> None:
    """One message, with what to do."""
    words, code = REFUSED[case]
    given = words if "--data" in words else ("--data", data, *words)
    done = desk("backtest", *given, "--json")
    assert (done.status, done.document["error"]["code"]) == (2, code)


def test_the_sample_needs_no_file(desk: Desk) -> None:
    """Without --data the embedded market is played."""
    desk.write(schedule={"job_interval": "monthly"})
    done = desk("backtest", "--end", "2016-12-30", "--json")
    assert done.status == 0
    assert done.document["data"]
