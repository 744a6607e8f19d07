from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from trimtab.cli.parser import VERBS
from trimtab.settings import schema

if TYPE_CHECKING:
    from cli.conftest import Desk


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["rnu"], "did you mean `trimtab run`?"),
        (["run", "--frce"], "--help"),
        (["run", "--dry"], "did you mean --dry-run?"),
        (["history", "--limt=3"], "did you mean --limit?"),
        (["--json", "status"], "did you mean --json after the verb?"),
        (["run", "--sessions", "0"], "trimtab run --help"),
        (["run", "--next", "--sessions", "2"], "trimtab run --help"),
        (["run", "--deadline", "nan"], "trimtab run --help"),
        (["show"], "trimtab show --help"),
        (["sandbox", "--port", "70000"], "trimtab sandbox --help"),
        (["sandbox", "--start", "soon"], "trimtab sandbox --help"),
        (["sandbox", "--partial", "1.5"], "trimtab sandbox --help"),
        ([], ""),
    ],
)
def test_a_wrong_word_is_exit_2_with_a_hint(desk: Desk, arguments: list[str], hint: str) -> None:
    """Unknown verbs, flags and values are configuration errors, and do nothing."""
    done = desk(*arguments)
    assert done.status == 2
    assert "error: usage:" in done.err
    assert hint in done.err
    assert desk.files() == {"config.json"}


def test_a_wrong_word_with_json_is_one_error_document(desk: Desk) -> None:
    """With --json, stdout carries the error and nothing else."""
    done = desk("rnu", "--json")
    assert done.status == 2
    assert set(done.document) == {"error"}
    assert list(done.document["error"]) == ["code", "message", "seen", "allowed", "hint"]
    assert done.document["error"]["seen"] == "rnu"


def test_help_lists_every_verb_and_each_shows_an_example(desk: Desk) -> None:
    """`--help` of the program and of each verb shows an example."""
    done = desk("--help")
    assert done.status == 0
    assert "example:" in done.out
    for name, verb in VERBS.items():
        assert f"    {name} " in done.out
        own = desk(name, "--help")
        assert own.status == 0
        assert verb.example in own.out
        assert "--config FILE" in own.out
        assert "--json" in own.out


def test_init_writes_a_configuration_that_runs(desk: Desk) -> None:
    """`init DIR` writes config.json and its schema, and says what comes next."""
    done = desk("init", "new")
    assert done.status == 0
    assert done.out.endswith("Next, run it:\n  trimtab run --config new/config.json\n")
    assert json.loads((desk.folder / "new/config.schema.json").read_text()) == schema()
    assert json.loads((desk.folder / "new/config.json").read_text())["dry_run"] is False
    assert desk("status", "--config", "new/config.json").status == 0


def test_init_overwrites_only_when_forced(desk: Desk) -> None:
    """A file that is there is named and kept, unless --force is given."""
    before = (desk.folder / "config.json").read_text()
    done = desk("init")
    assert done.status == 2
    assert "config.json is there already" in done.err
    assert (desk.folder / "config.json").read_text() == before
    assert desk.files() == {"config.json"}
    assert desk("init", "--force").status == 0
    assert (desk.folder / "config.json").read_text() != before


def test_init_says_where_it_cannot_write(desk: Desk) -> None:
    """A folder that can't be made is exit 2."""
    done = desk("init", "config.json/below", "--json")
    assert done.status == 2
    assert done.document["error"]["code"] == "not_writable"


def test_init_is_told_one_place(desk: Desk) -> None:
    """DIR and --config contradict each other."""
    assert desk("init", "a", "--config", "b.json").status == 2


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_schema_prints_the_schema(desk: Desk, flags: list[str]) -> None:
    """The schema is JSON on stdout either way."""
    assert desk("schema", *flags).document == schema()


def test_a_bug_is_exit_1_with_its_traceback_on_stderr(desk: Desk) -> None:
    """What nobody foresaw (here: a tampered exchange) is told as a bug; stdout carries one document."""
    assert desk("run").status == 0
    database = sqlite3.connect(desk.folder / "trimtab-data/exchange/main.db")
    with database:
        database.execute("UPDATE meta SET value = 'x' WHERE key = 'behaviour'")
    database.close()
    done = desk("run", "--json")
    assert done.status == 1
    assert done.document["error"]["code"] == "bug"
    assert "Traceback" in done.err
    log = (desk.folder / "trimtab-data/app.log").read_text().splitlines()
    assert json.loads(log[-1])["code"] == "bug"


def test_a_damaged_database_is_no_bug(desk: Desk) -> None:
    """It is the store's trouble: exit 3, named, nothing sent."""
    path = desk.folder / "trimtab-data/exchange/main.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database at all" * 100)
    done = desk("run", "--json")
    assert done.status == 3
    assert done.document["error"]["code"] == "store_damaged"


def test_ctrl_c_is_exit_130_without_a_traceback(desk: Desk) -> None:
    """A person who stops the program is told what stands."""
    (desk.folder / "mine.py").write_text("def rule(history, equity):\n    raise KeyboardInterrupt\n")
    desk.write(strategy={"name": "mine:rule"}, universe=["AAA"])
    done = desk("run", "--json")
    assert done.status == 130
    assert done.document["error"]["code"] == "stopped"
    assert "Traceback" not in done.err


def test_the_module_is_the_program() -> None:
    """`python -m trimtab` is the console script, exit status included."""
    command = [sys.executable, "-m", "trimtab"]
    done = subprocess.run([*command, "--version"], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split()[0]) == (0, "trimtab")
    done = subprocess.run([*command, "nothing"], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_reader_that_goes_away_is_no_bug(desk: Desk) -> None:
    """`trimtab schema | head -c 1` ends without a traceback."""
    command = f'"{sys.executable}" -m trimtab schema | head -c 1'
    done = subprocess.run(
        ["bash", "-c", command], check=False, capture_output=True, text=True, timeout=60, cwd=desk.folder
    )
    assert done.stdout == "{"
    assert done.stderr == ""


def test_the_version_costs_no_library() -> None:
    """A verb pays only for what it uses: --version imports neither numpy, pydantic nor requests."""
    probe = (
        "import sys; from trimtab.cli import main; main(['--version']); "
        "sys.exit(len({'numpy', 'pydantic', 'requests', 'polars'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], check=False, capture_output=True, timeout=60)
    assert done.returncode == 0
