"""Prune: old inputs leave the store, the records stay, and what is left can be told from damage."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Desk, Done

STORE = "trimtab-data"
INPUTS = "inputs.parquet"


def folders(desk: Desk) -> list[Path]:
    """Give the folders of the runs, oldest first."""
    return sorted((desk.folder / STORE / "runs/main").glob("*/*"), key=lambda folder: folder.name)


def filled(desk: Desk) -> list[bool]:
    """Say of each run whether its inputs are there, oldest first."""
    return [(folder / INPUTS).exists() for folder in folders(desk)]


def results(done: Done) -> list[str]:
    """Give what came of each run, oldest first."""
    return [run["result"] for run in done.document["runs"]]


def kept_files(desk: Desk) -> dict[str, bytes]:
    """Give every file of the store but inputs, marks and the log."""
    root = desk.folder / STORE
    paths = [path for path in root.rglob("*") if path.is_file()]
    named = {path.relative_to(root).as_posix(): path for path in paths}
    out = ("pruned/", "app.log")
    return {n: p.read_bytes() for n, p in named.items() if not n.endswith(INPUTS) and not n.startswith(out)}


def test_nothing_is_removed_unless_it_is_asked_for(desk: Desk) -> None:
    """By default the old inputs are listed with their sizes, and the store is as it was."""
    assert desk("run", "--sessions", "4").status == 0
    before = desk.files()
    done = desk("prune", "--keep-sessions", "2", "--json")
    assert done.status == 0
    assert [run["removed"] for run in done.document["runs"]] == [False, False]
    sizes = [(folder / INPUTS).stat().st_size for folder in folders(desk)[:2]]
    assert done.document["bytes"] == sum(sizes)
    assert [run["bytes"] for run in done.document["runs"]] == sizes
    assert desk.files() == before
    said = desk("prune", "--keep-sessions", "2").out
    assert "would remove inputs of 2 runs" in said
    assert "--keep-sessions 2 --no-dry-run" in said


def test_what_is_old_goes_and_all_else_stays_to_the_byte(desk: Desk) -> None:
    """Records, plans, sums and trades.db are untouched; a second time there is nothing left to do."""
    assert desk("run", "--sessions", "4").status == 0
    before = kept_files(desk)
    done = desk("prune", "--keep-sessions", "2", "--no-dry-run", "--json")
    assert done.status == 0
    assert filled(desk) == [False, False, True, True]
    assert kept_files(desk) == before
    assert desk("prune", "--keep-sessions", "2", "--no-dry-run", "--json").document["runs"] == []
    lines = (desk.folder / STORE / "app.log").read_text().splitlines()
    assert "prune" in [json.loads(line)["event"] for line in lines]


def test_pruned_is_told_from_damage_and_from_inputs_that_are_missing(desk: Desk) -> None:
    """`verify` and `replay --all` stand by what was pruned, not by what else is missing."""
    assert desk("run", "--sessions", "4").status == 0
    assert desk("prune", "--keep-sessions", "3", "--no-dry-run").status == 0
    assert results(desk("verify", "--json")) == ["pruned", "sound", "sound", "sound"]
    done = desk("replay", "--all", "--json")
    assert (done.status, results(done)) == (0, ["pruned", "equal", "equal", "equal"])
    _first, second, third, _last = folders(desk)
    (second / INPUTS).unlink()
    (third / INPUTS).write_bytes(b"PAR1")
    done = desk("verify", "--json")
    assert (done.status, results(done)) == (3, ["pruned", "cleared", "damaged", "sound"])


def test_a_run_that_is_asked_for_is_not_equal_without_its_inputs(desk: Desk) -> None:
    """`replay RUN` exits 3: it was asked about this run, and can't answer."""
    assert desk("run", "--sessions", "2").status == 0
    assert desk("prune", "--keep-sessions", "1", "--no-dry-run").status == 0
    done = desk("replay", folders(desk)[0].name, "--json")
    assert (done.status, results(done)) == (3, ["pruned"])
    assert not done.document["stands"]


def test_a_mark_of_other_inputs_says_nothing(desk: Desk) -> None:
    """What was removed must be what the sums list: a mark beside other sums is no alibi."""
    assert desk("run", "--sessions", "2").status == 0
    assert desk("prune", "--keep-sessions", "1", "--no-dry-run").status == 0
    mark = next((desk.folder / STORE / "pruned").rglob("*.json"))
    for forged in (b"{}", b"[]", b"no JSON", json.dumps({"inputs": "0" * 64}).encode()):
        mark.write_bytes(forged)
        assert results(desk("verify", "--json")) == ["cleared", "sound"]


def test_inputs_beside_a_mark_of_others_are_kept(desk: Desk) -> None:
    """Removed, they could not be told from damage: somebody must look first."""
    assert desk("run", "--sessions", "2").status == 0
    first = folders(desk)[0]
    mark = desk.folder / STORE / f"pruned/main/{first.parent.name}/{first.name}.json"
    mark.parent.mkdir(parents=True)
    mark.write_text("{}")
    done = desk("prune", "--keep-sessions", "1", "--no-dry-run", "--json")
    assert [(run["removed"], "a mark of other" in run["fault"]) for run in done.document["runs"]] == [
        (False, True)
    ]
    assert filled(desk) == [True, True]


def test_a_removal_that_was_cut_short_is_finished_by_the_next(desk: Desk) -> None:
    """Killed between mark and removal, the inputs are there and sound; pruning again takes them."""
    assert desk("run", "--sessions", "2").status == 0
    first = folders(desk)[0]
    kept = (first / INPUTS).read_bytes()
    assert desk("prune", "--keep-sessions", "1", "--no-dry-run").status == 0
    (first / INPUTS).write_bytes(kept)
    assert results(desk("verify", "--json")) == ["sound", "sound"]
    assert desk("prune", "--keep-sessions", "1", "--no-dry-run").status == 0
    assert filled(desk) == [False, True]
    assert results(desk("verify", "--json")) == ["pruned", "sound"]


def test_damaged_inputs_are_kept_to_be_looked_at(desk: Desk) -> None:
    """What is not as it was written is named and not removed."""
    assert desk("run", "--sessions", "3").status == 0
    (folders(desk)[0] / INPUTS).write_bytes(b"something else")
    done = desk("prune", "--keep-sessions", "1", "--no-dry-run", "--json")
    assert [run["removed"] for run in done.document["runs"]] == [False, True]
    assert "another content" in done.document["runs"][0]["fault"]
    assert filled(desk) == [True, False, True]


@pytest.mark.parametrize("asked", [("--keep-sessions", "1"), ("--older-than", "1d")])
def test_the_last_inputs_always_stay_and_the_next_run_compares_with_them(
    desk: Desk, asked: tuple[str, str]
) -> None:
    """A monthly portfolio's newest inputs may be weeks old: the gate on revised prices still finds them."""
    desk.write(schedule={"job_interval": "monthly"})
    assert desk("run", "--sessions", "30").status == 0
    assert desk("prune", *asked, "--no-dry-run").status == 0
    assert any(filled(desk))
    assert desk("run", "--next").status == 0
    assert desk("verify").status == 0


def test_age_counts_from_the_newest_recorded_session(desk: Desk) -> None:
    """A simulated store lives on another clock than its owner: no machine's clock decides."""
    assert desk("run", "--sessions", "6").status == 0
    days = [folder.parent.name for folder in folders(desk)]
    gap = (_day(days[-1]) - _day(days[2])).days
    done = desk("prune", "--older-than", f"{gap}d", "--json")
    assert [run["session"] for run in done.document["runs"]] == days[:2]


def _day(text: str) -> date:
    return date.fromisoformat(text)


def test_a_dead_run_and_an_empty_store_are_left_alone(desk: Desk) -> None:
    """A folder without its sums is evidence of a death, and no record."""
    assert "nothing to remove" in desk("prune", "--older-than", "1d").out
    assert desk("run", "--sessions", "2").status == 0
    (folders(desk)[0] / "SHA256SUMS").unlink()
    assert desk("prune", "--keep-sessions", "1", "--no-dry-run", "--json").document["runs"] == []


@pytest.mark.parametrize(
    "words", [(), ("--older-than", "1y"), ("--older-than", "0d"), ("--keep-sessions", "0")]
)
def test_what_is_old_must_be_said(desk: Desk, words: tuple[str, ...]) -> None:
    """There is no default: what the owner wants kept is the owner's word."""
    assert desk("prune", *words).status == 2
