from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.adapters.directory import DirectoryStore
from trimtab.core.record import canonical, digest, plan_digest
from trimtab.switch import latch

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Desk, Done

STORE = "trimtab-data"
CORPUS = Path(__file__).parents[1] / "corpus"
"""Stores of recorded runs, each with its configuration; what once replayed must replay for ever."""


def results(done: Done) -> list[str]:
    """Give what came of each run, oldest first."""
    return [run["result"] for run in done.document["runs"]]


def traded(desk: Desk, sessions: str = "2", **config: object) -> Path:
    """Run some sessions, and give the folder of the newest run."""
    desk.write(**config)
    assert desk("run", "--sessions", sessions).status == 0
    return max((desk.folder / STORE / "runs/main").glob("*/*"), key=lambda folder: folder.name)


def sealed(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a record as somebody does who makes its sums anew, too."""
    record = json.loads((folder / "record.json").read_bytes())
    change(record)
    (folder / "record.json").write_bytes(canonical(record))
    names = sorted(path.name for path in folder.iterdir() if path.name != "SHA256SUMS")
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(sums))


@pytest.mark.parametrize("store", sorted(path.name for path in CORPUS.iterdir()))
def test_every_run_that_was_ever_kept_replays(desk: Desk, store: str) -> None:
    """A record of an earlier trimtab is worked out to the same bytes by this one."""
    shutil.copytree(CORPUS / store, desk.folder / store)
    done = desk("replay", "--all", "--json", "--config", f"{store}/config.json")
    assert done.status == 0
    assert len(done.document["runs"]) > 1
    assert "equal" in results(done)
    if store == "without-conditions":  # equal weights; other rules' last bit may be another machine's
        assert {run["weights"] for run in done.document["runs"]} == {"recomputed"}
    assert desk("verify", "--config", f"{store}/config.json").status == 0


def test_what_each_run_was_is_told(desk: Desk) -> None:
    """Equal plans, a run that found the plan done, a dry run, and one that ended before a plan."""
    traded(desk)
    assert desk("run").status == 0
    assert desk("run", "--next", "--dry-run").status == 0
    assert desk("halt", "a test").status == 0
    assert desk("run").status == 3
    done = desk("replay", "--all", "--json")
    assert done.status == 0
    assert results(done) == ["equal", "equal", "equal", "equal", "no_plan"]
    assert "it continued the plan of run" in done.document["runs"][2]["detail"]
    assert "Every record stands." in desk("replay", "--all").out
    assert results(desk("replay", "last", "--json")) == ["no_plan"]


def test_any_byte_that_flips_is_found(desk: Desk) -> None:
    """In every file of every run, and in every plan: a byte changed anywhere is exit 3 and names the run."""
    newest = traded(desk)
    folders = sorted((desk.folder / STORE / "runs/main").glob("*/*"))
    plans = sorted((desk.folder / STORE / "plans/main").iterdir())
    files = [path for folder in folders for path in sorted(folder.iterdir())]
    assert len(files) == 6
    for path in (*files, *plans):
        whole = path.read_bytes()
        for n in range(3):
            place = len(whole) * n // 3 if n else len(whole) - 1
            path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << n)]) + whole[place + 1 :])
            done = desk("replay", "--all", "--json")
            assert done.status == 3, (path.name, place)
            wrong = [run["run_id"] for run in done.document["runs"] if not run["stands"]]
            session = path.stem if path in plans else path.parents[1].name
            assert len(wrong) == 1
            assert next(f for f in folders if f.name == wrong[0]).parent.name == session
        assert desk("verify").status == 3
        path.write_bytes(whole)
    assert desk("replay", newest.name).status == 0


def set_cash(record: dict[str, Any]) -> None:
    """Say that there was another USD in the account."""
    record["plan"]["cash"] = record["cash"] = "100001"
    record["plan"]["plan_digest"] = record["plan_digest"] = plan_digest(record["plan"])


def set_order(record: dict[str, Any]) -> None:
    """Say that a share more was ordered."""
    order = record["plan"]["orders"][0]
    order["qty"] = str(float(order["qty"]) + 1)
    record["plan"]["plan_digest"] = record["plan_digest"] = plan_digest(record["plan"])


def set_weight(record: dict[str, Any]) -> None:
    """Say that the strategy wanted less of a symbol."""
    for weights in (record["plan"]["weights"], record["plan"]["decision"]["weights"], record["weights"]):
        weights["AAA"] = "0.1"
    record["plan"]["plan_digest"] = record["plan_digest"] = plan_digest(record["plan"])


def set_band(record: dict[str, Any]) -> None:
    """Say that another configuration was in force."""
    record["config"]["risk"]["max_order_size"] = 0.1
    record["config_digest"] = record["plan"]["config_digest"] = digest(record["config"])
    record["plan"]["plan_digest"] = record["plan_digest"] = plan_digest(record["plan"])


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (set_cash, "plan.equity"),
        (set_order, "plan.orders"),
        (set_weight, "plan.weights"),
        (set_band, "plan.orders"),
        (lambda record: record["planned"].pop(), "planned"),
        (lambda record: record["positions_before"][0].update(qty="1"), "plan.base"),
        (lambda record: record["quotes"][0].update(bid="1", ask="1"), "plan.orders"),
        (lambda record: record["assets"][0].update(fractionable=False), "plan.orders"),
        (lambda record: record["conditions"].update(drawdown="0.01"), "plan.verdicts"),
    ],
)
def test_a_forged_record_is_found_by_working_it_out(
    desk: Desk, change: Callable[[dict[str, Any]], None], where: str
) -> None:
    """Sums and digests made anew hide nothing: the plan does not follow from what the run saw."""
    folder = traded(desk)
    sealed(folder, change)
    record = json.loads((folder / "record.json").read_bytes())
    (desk.folder / STORE / f"plans/main/{record['session']}.json").write_bytes(canonical(record["plan"]))
    assert set(results(desk("verify", "--json"))) == {"sound"}
    done = desk("replay", folder.name, "--json")
    assert done.status == 3
    assert results(done) == ["differs"]
    assert where in [difference["where"] for difference in done.document["runs"][0]["differences"]]
    assert f"{where}: recorded" in " ".join(done.err.split())


def test_a_strategy_of_other_code_is_said_to_be(desk: Desk) -> None:
    """Its weights are then taken as recorded; the same code must give the same ones."""
    rule = "def rule(history, equity):\n    return {{'AAA': {}, 'BBB': 0.2}}\n"
    (desk.folder / "mine.py").write_text(rule.format(0.3))
    config: dict[str, object] = {"strategy": {"name": "mine:rule"}, "universe": ["AAA", "BBB"]}
    folder = traded(desk, **config)
    assert desk("replay", folder.name, "--json").document["runs"][0]["weights"] == "recomputed"
    (desk.folder / "mine.py").write_text(rule.format(0.4))
    (desk.folder / "other").mkdir()
    (desk.folder / "other/mine.py").write_text(rule.format(0.4))
    store = {"url": str(desk.folder / STORE)}
    text = json.dumps({**config, "dry_run": False, "store": store})
    (desk.folder / "other/config.json").write_text(text)
    run = desk("replay", folder.name, "--json", "--config", "other/config.json").document["runs"][0]
    assert (run["result"], run["weights"]) == ("equal", "recorded")
    assert run["detail"] == "strategy code differs: weights taken as recorded"


def test_a_strategy_that_fails_on_what_it_saw_is_no_equal(desk: Desk) -> None:
    """The same code gave weights then; that it gives none now is a difference, and no bug."""
    rule = "from pathlib import Path\ndef rule(history, equity):\n"
    rule += "    return {'AAA': float(Path('weight').read_text())}\n"
    (desk.folder / "impure.py").write_text(rule)
    (desk.folder / "weight").write_text("0.3")
    folder = traded(desk, strategy={"name": "impure:rule"}, universe=["AAA", "BBB"])
    for text in ("none", "0.4"):
        (desk.folder / "weight").write_text(text)
        done = desk("replay", folder.name, "--json")
        assert done.status == 3
        assert done.document["runs"][0]["result"] == "differs"
        assert done.document["runs"][0]["differences"][0]["where"] == "weights"


def test_records_that_name_each_other_as_makers_end(desk: Desk) -> None:
    """A plan is one run's; two that each say it is the other's are found out."""
    traded(desk, "1")
    assert desk("run").status == 0
    folders = sorted((desk.folder / STORE / "runs/main").glob("*/*"), key=lambda folder: folder.name)
    made, again = (json.loads((folder / "record.json").read_bytes()) for folder in folders)
    made, again = sorted((made, again), key=lambda record: str(record["code"]) == "done")
    maker = next(folder for folder in folders if folder.name == made["run_id"])
    sealed(maker, lambda record: record["plan"].update(run_id=again["run_id"]))
    plan = next((desk.folder / STORE / "plans/main").iterdir())
    stored = made["plan"] | {"run_id": again["run_id"]}
    plan.write_bytes(canonical(stored))
    heir = next(folder for folder in folders if folder.name == again["run_id"])
    sealed(heir, lambda record: record.update(plan=stored | {"run_id": made["run_id"]}))
    assert desk("replay", maker.name).status == 3
    assert desk("replay", heir.name).status == 3


def test_weights_decided_earlier_in_the_period_are_carried(desk: Desk) -> None:
    """A month's decision is gone on with by later sessions; they replay by it."""
    traded(desk, "5", schedule={"job_interval": "monthly"})
    done = desk("replay", "--all", "--json")
    assert done.status == 0
    assert "decided in an earlier session" in {run["detail"] for run in done.document["runs"]}


def test_inputs_that_were_taken_away_are_not_called_equal(desk: Desk) -> None:
    """Old inputs may be cleared away to save space: then nothing is vouched for, and the run says why."""
    folder = traded(desk)
    (folder / "inputs.parquet").unlink()
    done = desk("replay", "--all", "--json")
    assert done.status == 3
    assert results(done) == ["equal", "cleared"]
    assert results(desk("verify", "--json")) == ["sound", "cleared"]


def test_the_database_is_held_against_the_records(desk: Desk) -> None:
    """A row that is changed, missing or made up is named; a database that is not there is no lie."""
    traded(desk)
    path = desk.folder / STORE / "trades.db"
    assert desk("verify", "--json").document["database"]["result"] == "equal"
    changes = {
        "UPDATE orders SET qty = '7' WHERE symbol = 'AAA'": "qty is 7, recorded",
        "DELETE FROM fills WHERE rowid = 1": "recorded, but not in trades.db",
        "INSERT INTO targets VALUES ('r', 'ZZZ', '1')": "targets r ZZZ: in trades.db, but not recorded",
    }
    for sql, said in changes.items():
        with closing(sqlite3.connect(path)) as base, base:
            base.execute(sql)
        done = desk("verify", "--json")
        assert (done.status, done.document["database"]["result"]) == (3, "differs")
        assert any(said in text for text in done.document["database"]["differences"])
        assert "`trimtab rebuild` makes it anew" in done.err
        assert desk("rebuild").status == 0
        assert desk("verify").status == 0
    path.unlink()
    done = desk("verify", "--json")
    assert (done.status, done.document["database"]["result"]) == (0, "missing")
    assert not path.exists()


def test_what_no_runs_sums_cover_is_held_against_itself(desk: Desk) -> None:
    """Events, the binding, the plan of a run that left no record: each is named where it changed."""
    traded(desk, "1")
    assert desk("halt", "a test").status == 0
    assert desk("resume").status == 0
    folder = next((desk.folder / STORE / "runs/main").glob("*/*"))
    shutil.rmtree(folder)
    assert desk("verify", "--json").document["files"] == []
    for name in ("events", "portfolios", "plans/main"):
        path = next((desk.folder / STORE / name).iterdir())
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b"main", b"mine", 1).replace(b"simulated", b"paper"))
        done = desk("verify", "--json")
        assert "✗ trades.db: not as the records say" in done.err
        told = done.document["files"]
        if name == "portfolios":  # no record is left that says which account it was
            assert told == []
        else:
            assert (done.status, len(told)) == (3, 1)
            assert told[0].startswith(f"{name}/{path.name}: ")
        path.write_bytes(whole)


def test_the_moment_of_a_word_is_held_too(desk: Desk) -> None:
    """When a person halted stands in trades.db, when a latch fell in its own name."""
    traded(desk, "1")
    assert desk("halt", "a test").status == 0
    store = DirectoryStore(desk.folder / STORE)
    store.delete("halts/main")
    latch(store, "main", at="2021-03-01T15:00:00.000000Z", why="fell")
    assert desk("verify").status == 0
    for path in (desk.folder / STORE / "events").iterdir():
        event = json.loads(path.read_bytes())
        whole, at = path.read_bytes(), event["at"]
        event["at"] = at[:-3] + ("1" if at[-3] == "0" else "0") + at[-2:]
        path.write_bytes(canonical(event))
        done = desk("verify", "--json")
        assert done.status == 3
        told = [*done.document["files"], *done.document["database"]["differences"]]
        assert any(path.stem in text for text in told)
        path.write_bytes(whole)


def test_a_dead_run_is_no_record(desk: Desk) -> None:
    """A folder without its sums is of a run that died; the plan it made is held against its heir's."""
    traded(desk)
    assert desk("run").status == 0
    folders = sorted((desk.folder / STORE / "runs/main").glob("*/*"), key=lambda folder: folder.name)
    (folders[1] / "SHA256SUMS").unlink()
    done = desk("replay", "--all", "--json")
    assert done.status == 0
    assert results(done) == ["equal", "dead", "unmade"]


def test_replay_wants_a_run_or_all(desk: Desk) -> None:
    """Neither, or an unknown one, is a word too little, not an empty success."""
    assert desk("replay").status == 2
    assert desk("replay", "2001").status == 2
    done = desk("replay", "--all")
    assert done.status == 0
    assert "no run of main is recorded" in done.out
