"""A sample of the campaign: see campaign.py for the whole of it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from faults.ablations import ABLATIONS
from faults.campaign import ABLATED_FROM, CHUNK, HERE, Chunk, code_digest, run, scratch, table, work
from faults.cells import EVENTS, REQUEST_KINDS, SCENARIOS, STORE_KINDS, calls, cells, play_cell
from faults.schedules import make_plot, play
from faults.twists import TWISTS, draw

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVERY_CELL = 83
SCHEDULES = 30
FOUND_IN = {
    "chance ids": range(60),
    "chance ids, retried": range(60),
    "retried orders": range(100),
    "re-planning on a re-run": range(60),
    "last-writer-wins plans": range(2_000, 2_100),  # one schedule in a thousand shows it
    "partial fills ignored": range(120),
    "buys before sells end": range(60),
}
"""Among these schedules, counted from `ABLATED_FROM`, each ablation is caught."""


@pytest.fixture
def stage() -> Iterator[Path]:
    """An empty folder in memory."""
    folder = scratch()
    yield folder / "play"
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    folder.rmdir()


@pytest.mark.parametrize("first", range(0, 10 * SCHEDULES, SCHEDULES))
def test_no_schedule_breaks_a_law(first: int, stage: Path) -> None:
    """Storms, twists and two runs at once: no law is broken, and one calm run is enough."""
    for seed in range(first, first + SCHEDULES):
        outcome = play(seed, stage)
        assert not outcome.violations, (seed, outcome.violations, outcome.story)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_single_fault_breaks_a_law(scenario: str, stage: Path) -> None:
    """One thing goes wrong at one boundary: one calm run makes it good."""
    every = [cell for cell in cells(stage.with_name("calls")) if cell.scenario == scenario]
    for cell in every[len(scenario) :: EVERY_CELL]:
        assert play_cell(cell, stage) == (), cell


def test_there_are_enough_cells(stage: Path) -> None:
    """At least ten thousand, in every scenario, of every kind."""
    every = list(cells(stage))
    assert len(every) >= 10_000
    kinds = {cell.kind for cell in every}
    assert kinds >= {*REQUEST_KINDS, *STORE_KINDS, *EVENTS, "a whole run", "kill before", "kill after"}
    names = [name for name, _ in calls("a sell pays two buys", stage)]
    assert {name.split(" ", 1)[0] for name in names} >= {"GET", "POST", "get", "put", "list", "database"}


@pytest.mark.parametrize("name", ABLATIONS)
def test_each_safeguard_is_missed_when_it_is_gone(name: str, stage: Path) -> None:
    """The campaign sees what each safeguard is for."""
    for seed in FOUND_IN[name]:
        laws = {violation.law for violation in play(ABLATED_FROM + seed, stage, ABLATIONS[name]()).violations}
        if laws - {"I7"}:
            return
    pytest.fail(f"nothing was seen without: {name}")


def test_a_fifth_run_waits_for_the_next_session(stage: Path) -> None:
    """Four runs, two by two, each sent an order: the rule refuses another, the next session finishes."""
    outcome = play(79_254, stage)
    assert not outcome.violations
    assert "calm: halted max_runs_with_orders, 0 posts" in outcome.story[-2]
    assert "next: " in outcome.story[-1]


@pytest.mark.parametrize("seed", [3, 11, 29, 58])
def test_a_seed_has_one_history(seed: int, stage: Path) -> None:
    """The same seed gives the same bytes: here again, and in another process with another hash seed."""
    first, again = (play(seed, stage, digest=True).digest for _ in range(2))
    assert first == again
    done = subprocess.run(
        [sys.executable, HERE / "campaign.py", "replay", str(seed)],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert f"history {first}" in done.stdout, done.stderr


def test_every_twist_is_drawn() -> None:
    """A thousand plots hold each twist, so that a hundred thousand hold it often."""
    drawn = {draw(make_plot(seed)).name for seed in range(1_000)}
    assert drawn == {twist.name for twist in TWISTS}


def test_a_chunk_tells_what_it_found_and_is_not_done_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Finished work counts as long as the code is the same; the table shows it."""
    result = work(Chunk("chance ids", ABLATED_FROM, 20))
    assert result["found"], "twenty schedules under ids of chance break a law"
    line = f'{{"code": "{code_digest()}", "kind": "schedules", "first": 0, "count": {CHUNK}, '
    (tmp_path / "results.jsonl").write_text(
        line + '"seconds": 10.0, "found": [], "paths": {"stale views": 7}}\n'
    )
    assert "| stale views | 7 |" in table(tmp_path)
    assert f"| schedules | {CHUNK} | 0 | {10 / CHUNK:.3f} |" in table(tmp_path)
    assert run(CHUNK, 0, 1, tmp_path, with_cells=False) == 0
    assert "1 chunks done, 0 to do" in capsys.readouterr().out
