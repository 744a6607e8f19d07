from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import polars as pl
import pytest

import trimtab as tt
from sweeping.kit import CONFIG, SYMBOLS, WINDOWS, laid_out

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Desk

SWEEP = ("sweep", "--grid", "grid.json", "--data", "bars.parquet")
CELLS, UNMADE = 18 * WINDOWS, 6 * WINDOWS
SLOW = """
import time
import trimtab as tt

def rule(symbols, top_n, seconds):
    decide = tt.strategies.momentum(symbols, top_n, lookback=30)
    def slowly(history, equity):
        time.sleep(seconds)
        return decide(history, equity)
    return slowly
"""


@pytest.fixture(scope="module")
def done_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a grid that was swept by two workers."""
    folder = tmp_path_factory.mktemp("swept")
    laid_out(folder)
    command = [sys.executable, "-m", "trimtab", *SWEEP, "--workers", "2"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 3, done.stderr
    return folder


@pytest.fixture
def swept(desk: Desk, done_once: Path) -> Desk:
    """Give a copy of it."""
    shutil.copytree(done_once, desk.folder, dirs_exist_ok=True)
    return desk


def test_the_files_are_the_same_whoever_played(swept: Desk) -> None:
    """Byte for byte: by two workers, by one, and where half was kept from before."""
    first = (swept.folder / "grid-sweep/results.parquet").read_bytes()
    swept(*SWEEP, "--workers", "1", "--out", "one")
    with closing(sqlite3.connect(swept.folder / "one/cells.db")) as kept, kept:
        kept.execute("DELETE FROM results WHERE digest < '8'")
    again = swept(*SWEEP, "--workers", "2", "--out", "one", "--json")
    assert (swept.folder / "one/results.parquet").read_bytes() == first
    assert UNMADE < again.document["played"] < CELLS


def test_a_sweep_keeps_what_is_finished_and_plays_what_failed_again(swept: Desk) -> None:
    """Nothing finished is played twice, and no prices are left behind."""
    done = swept(*SWEEP, "--json")
    assert done.document["played"] == done.document["failed"] == UNMADE
    names = {"cells.db", "results.parquet", "summary.json", "sweep.html"}
    assert {name.split("/")[1] for name in swept.files() if name.startswith("grid-sweep")} >= names
    assert not (swept.folder / "grid-sweep/prices").exists()


def test_the_table_holds_each_cell_as_python_would_backtest_it(swept: Desk) -> None:
    """In the order of the grid, in sample and out of it, and what failed by its code."""
    table = pl.read_parquet(swept.folder / "grid-sweep/results.parquet")
    assert table.shape[0] == CELLS
    assert table["combination"].is_sorted()
    assert table["failed_code"].drop_nulls().to_list() == ["strategy"] * UNMADE
    row = table.filter(pl.col("universe") == "half", pl.col("param_top_n") == 2).row(3, named=True)
    bars = tt.read_bars(swept.folder / "bars.parquet").select(SYMBOLS[:3])
    rule = tt.strategies.momentum(SYMBOLS[:3], 2, lookback=row["param_lookback"], skip=5)
    dates = {"start": row["start"], "end": row["end"]}
    told = tt.backtest(rule, bars, **dates, rebalance="monthly", fill="next_open").stats
    for name, value in told.items():
        expected = pytest.approx(value, rel=1e-11) if isinstance(value, float) else value
        assert row[f"in_sample_{name}"] == expected, name


def test_the_summary_tells_picks_luck_and_what_failed(swept: Desk) -> None:
    """One pick a window, with its place after; the warning names the last; the failures are grouped."""
    found = json.loads((swept.folder / "grid-sweep/summary.json").read_text())
    assert (found["cells"], found["combinations"], found["windows"]) == (CELLS, 18, WINDOWS)
    assert [(pick["trials"], pick["out_of_sample_ranked"]) for pick in found["picks"]] == [(12, 12)] * WINDOWS
    assert f"{100 * found['picks'][-1]['deflated_sharpe']:.1f} %" in found["warning"]
    assert found["out_of_sample"]["daily_returns"] == WINDOWS * 125
    assert [one["cells"] for one in found["failures"]] == [UNMADE // 2, UNMADE // 2] or found["failures"]


def test_people_read_the_best_the_picks_and_the_warning(swept: Desk) -> None:
    """On a page of its width, with what was written."""
    done = swept(*SWEEP)
    assert done.status == 3
    for words in (
        "Best in sample",
        "Each window's pick",
        "Mind: The last window's pick",
        "wrote grid-sweep/",
    ):
        assert words in done.out
    assert f"0 cells played now, {CELLS} kept" not in done.out
    assert max(map(len, done.out.splitlines())) <= 100


def test_windows_that_overlap_are_said_to_be_left_out(desk: Desk) -> None:
    """A step of half the sessions to judge by: every second window counts, in the text and on the page."""
    tried = {"params": {"lookback": [42, 63], "top_n": 2}, "universes": {"all": list(SYMBOLS)}}
    laid_out(desk.folder, **tried, walk_forward={"train": 250, "test": 125, "step": 63})
    done = desk(*SWEEP)
    found = json.loads((desk.folder / "grid-sweep/summary.json").read_text())
    after, windows = found["out_of_sample"], found["windows"]
    assert windows > after["windows"] > 1
    assert after["daily_returns"] == after["windows"] * 125
    assert f"Of {windows} windows {after['windows']} are counted here" in " ".join(done.out.split())
    page = (desk.folder / "grid-sweep/sweep.html").read_text()
    assert f"the picks of {after['windows']} windows that do not overlap" in page


def test_a_plain_grid_says_that_nothing_was_kept_to_judge_by(desk: Desk) -> None:
    """Without walk_forward; the configuration's own strategy, universe and schedule; the live plan."""
    laid_out(desk.folder)
    (desk.folder / "grid.json").write_text('{"params": {"lookback": [42, 63]}}')
    done = desk(*SWEEP)
    assert done.status == 0
    assert "Nothing was kept to judge by" in done.out
    table = pl.read_parquet(desk.folder / "grid-sweep/results.parquet")
    assert table["universe"].to_list() == ["config"] * 2
    told = desk("backtest", "--data", "bars.parquet", "--json")
    assert told.status == 0
    assert table["rebalance"].to_list() == ["monthly"] * 2


@pytest.mark.parametrize(
    ("changes", "code", "seen"),
    [
        ({"universes": {"a": ["AAA", "ZZZ"]}}, "missing_symbol", "ZZZ"),
        ({"strategy": "momentun"}, "strategy", "momentun"),
        ({"params": {"symbols": [["AAA"]]}}, "grid", "symbols"),
        ({"params": {"top_n": [8, 9]}}, "strategy", "8"),
        ({"walk_forward": {"train": 900, "test": 100}}, "grid", "sessions from"),
    ],
)
def test_what_no_cell_could_be_played_with_is_refused(
    desk: Desk, changes: dict[str, object], code: str, seen: str
) -> None:
    """Before anything is played or written."""
    laid_out(desk.folder, **changes)
    before = desk.files()
    done = desk(*SWEEP, "--json")
    assert done.status == 2
    assert done.document["error"]["code"] == code
    assert seen in done.document["error"]["seen"]
    assert desk.files() == before


def kept_in(folder: Path) -> int:
    """Give how many results a sweep has kept so far."""
    path = folder / "grid-sweep/cells.db"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file, file:
        try:
            return int(file.execute("SELECT count(*) FROM results").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


HEARING = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("trimtab", run_name="__main__")
"""
"""Trimtab that hears Ctrl-C also where the tests were started in the background, which is deaf to it."""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_sweep_that_is_stopped_goes_on_where_it_was(desk: Desk, how: signal.Signals) -> None:
    """What was finished is not played again; SIGTERM and Ctrl-C say so and end with 130."""
    laid_out(desk.folder)
    (desk.folder / "slow.py").write_text(SLOW)
    params = {"top_n": [1, 2, 3], "seconds": [0.01, 0.011, 0.012, 0.013]}
    grid = {"strategy": "slow:rule", "params": params, "ends": "2017-06-30", "plan": "exact"}
    (desk.folder / "config.json").write_text(json.dumps(CONFIG | {"universe": list(SYMBOLS)}))
    (desk.folder / "grid.json").write_text(json.dumps(grid))
    command = [sys.executable, "-c", HEARING, *SWEEP, "--workers", "2"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=desk.folder, stdout=pipe, stderr=pipe, text=True) as running:
        end = time.monotonic() + 60
        while kept_in(desk.folder) < 2 and running.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        running.send_signal(how)
        told = running.communicate(timeout=60)[1]
    assert running.returncode == (-how if how == signal.SIGKILL else 130), told
    assert how == signal.SIGKILL or "goes on from there" in told
    finished = kept_in(desk.folder)
    assert 2 <= finished < 12
    again = desk(*SWEEP, "--workers", "2", "--json")
    assert again.status == 0
    assert again.document["played"] == 12 - finished


def test_a_changed_strategy_is_played_again(desk: Desk) -> None:
    """The code is part of a result's name, and so are the prices."""
    laid_out(desk.folder)
    (desk.folder / "slow.py").write_text(SLOW)
    grid = {
        "strategy": "slow:rule",
        "params": {"top_n": [1, 2], "seconds": 0},
        "plan": "exact",
    }
    (desk.folder / "config.json").write_text(json.dumps(CONFIG | {"universe": list(SYMBOLS)}))
    (desk.folder / "grid.json").write_text(json.dumps(grid))
    played = [desk(*SWEEP, "--json").document["played"] for _ in range(2)]
    (desk.folder / "slow.py").write_text(SLOW.replace("lookback=30", "lookback=42"))
    played.append(desk(*SWEEP, "--json").document["played"])
    assert played == [2, 0, 2]
