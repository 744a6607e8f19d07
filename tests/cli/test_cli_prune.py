"""Prune: old inputs leave the store, the records stay, and what is left can be told from damage."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import TYPE_CHECKING

import pytest

from trimtab.core.record import canonical, plan_digest

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
    """`verify` stands by what was pruned, not by what else is missing."""
    assert desk("run", "--sessions", "4").status == 0
    assert desk("prune", "--keep-sessions", "3", "--no-dry-run").status == 0
    assert results(desk("verify", "--json")) == ["pruned", "sound", "sound", "sound"]
    _first, second, third, _last = folders(desk)
    (second / INPUTS).unlink()
    (third / INPUTS).write_bytes(b"PAR1")
    done = desk("verify", "--json")
    assert (done.status, results(done)) == (3, ["pruned", "cleared", "damaged", "sound"])


def test_a_run_without_its_inputs_is_equal_to_nothing(desk: Desk) -> None:
    """`replay` exits 3, of one run and of all; where the owner says so they stand, and are counted."""
    assert desk("run", "--sessions", "4").status == 0
    assert desk("prune", "--keep-sessions", "3", "--no-dry-run").status == 0
    for which, found in ((folders(desk)[0].name, ["pruned"]), ("--all", ["pruned", *["equal"] * 3])):
        done = desk("replay", which, "--json")
        assert (done.status, done.document["stands"], results(done)) == (3, False, found)
        done = desk("replay", which, "--allow-pruned", "--json")
        assert (done.status, done.document["stands"], results(done)) == (0, True, found)
    said = desk("replay", "--all").out
    assert "1 of 4 runs can't be vouched for." in said
    assert "`--allow-pruned`" in said
    assert (
        "Every record stands; the inputs of 1 run were pruned."
        in desk("replay", "--all", "--allow-pruned").out
    )


def test_allowing_pruned_runs_allows_nothing_else(desk: Desk) -> None:
    """Inputs that went without a mark, and a plan that another's takes the place of, are exit 3 as before."""
    assert desk("run", "--sessions", "3").status == 0
    assert desk("prune", "--keep-sessions", "2", "--no-dry-run").status == 0
    (folders(desk)[1] / INPUTS).unlink()
    done = desk("replay", "--all", "--allow-pruned", "--json")
    assert (done.status, results(done)) == (3, ["pruned", "cleared", "equal"])
    assert "--allow-pruned" not in desk("replay", "--all").out


def test_a_record_that_was_forged_with_everything_around_it_does_not_pass(desk: Desk) -> None:
    """Another plan in record, store and sums, the inputs deleted, and a mark that says they were pruned."""
    assert desk("run", "--sessions", "1").status == 0
    (folder,) = folders(desk)
    record = json.loads((folder / "record.json").read_bytes())
    record["plan"]["orders"][0]["qty"] = "1"
    record["plan"]["plan_digest"] = record["plan_digest"] = plan_digest(record["plan"])
    (folder / "record.json").write_bytes(canonical(record))
    (desk.folder / STORE / f"plans/main/{record['session']}.json").write_bytes(canonical(record["plan"]))
    total = hashlib.sha256((folder / INPUTS).read_bytes()).hexdigest()
    sums = {INPUTS: total, "record.json": hashlib.sha256(canonical(record)).hexdigest()}
    (folder / "SHA256SUMS").write_text("".join(f"{total}  {name}\n" for name, total in sums.items()))
    assert results(desk("replay", "--all", "--json")) == ["differs"]
    (folder / INPUTS).unlink()
    mark = desk.folder / STORE / f"pruned/main/{folder.parent.name}/{folder.name}.json"
    mark.parent.mkdir(parents=True)
    mark.write_text(json.dumps({"inputs": total}))
    done = desk("replay", "--all", "--json")
    assert (done.status, results(done)) == (3, ["pruned"])


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
