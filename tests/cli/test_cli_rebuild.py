from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Desk

STORE = "trimtab-data"


def dump(path: Path) -> list[str]:
    """Give a database as SQL, row by row."""
    with closing(sqlite3.connect(path)) as base:
        return list(base.iterdump())


@pytest.fixture
def lived(desk: Desk) -> Desk:
    """Give a store with trades, a dry run, a run that found all done, a halt, its run and a resume."""
    assert desk("run", "--sessions", "3").status == 0
    assert desk("run").status == 0
    assert desk("run", "--next", "--dry-run").status == 0
    assert desk("halt", "a test").status == 0
    assert desk("run").status == 3
    assert desk("resume").status == 0
    return desk


def test_what_is_made_anew_is_what_the_runs_wrote(lived: Desk) -> None:
    """Every row of every table, and the schema; the file before is kept beside it."""
    path = lived.folder / STORE / "trades.db"
    before = dump(path)
    done = lived("rebuild", "--json")
    assert (done.status, done.document["runs"]) == (0, 6)
    assert sorted(dump(path)) == sorted(before)
    assert dump(lived.folder / done.document["set_aside"]) == before
    assert "trades.db.aside-1" in done.err
    path.unlink()
    again = lived("rebuild", "--json")
    assert (again.status, again.document["set_aside"]) == (0, None)
    assert sorted(dump(path)) == sorted(before)


def test_a_row_of_runs_alone_is_made_in_the_order_it_was_written(desk: Desk) -> None:
    """The dump is the same to the letter, its order too."""
    assert desk("run", "--sessions", "4").status == 0
    path = desk.folder / STORE / "trades.db"
    before = dump(path)
    assert desk("rebuild").status == 0
    assert dump(path) == before


def test_a_damaged_database_is_never_trusted(lived: Desk) -> None:
    """A run finds the damage wherever it is, sets the file aside and goes on with what the records say."""
    path = lived.folder / STORE / "trades.db"
    before = [row for row in dump(path) if "-none" not in row]
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * 4096 + whole[12288:])
    assert lived("run", "--next").status == 0
    now = dump(path)
    assert set(before) <= set(now)
    assert len(list(path.parent.glob("trades.db.aside-*"))) == 1
    assert "trades.db was damaged" in lived("show", "last").out
    assert lived("run").status == 0
    assert len(list(path.parent.glob("trades.db.aside-*"))) == 1


def test_a_text_that_is_none_is_damage_too(lived: Desk) -> None:
    """A byte that changed within a text, where SQLite finds all sound: the next run makes the file anew."""
    path = lived.folder / STORE / "trades.db"
    whole = path.read_bytes()
    place = whole.index(b"traded: ")
    path.write_bytes(whole[:place] + b"\xd7" + whole[place + 1 :])
    assert lived("run", "--next").status == 0
    assert len(list(path.parent.glob("trades.db.aside-*"))) == 1
    assert "trades.db was damaged" in lived("show", "last").out
    assert lived("verify").status == 0


def test_a_journal_goes_aside_with_its_database(lived: Desk) -> None:
    """A killed writer's journal must never be played into the new file."""
    path = lived.folder / STORE / "trades.db"
    before = dump(path)
    journal = path.with_name("trades.db-journal")
    journal.write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\xff" * 1000)
    assert lived("rebuild").status == 0
    assert not journal.exists()
    assert path.with_name("trades.db.aside-1-journal").exists()
    assert sorted(dump(path)) == sorted(before)


def test_a_damaged_record_leaves_the_database(lived: Desk) -> None:
    """Nothing is made of half the records."""
    path = lived.folder / STORE / "trades.db"
    before = path.read_bytes()
    record = next((lived.folder / STORE / "runs").rglob("record.json"))
    record.write_bytes(record.read_bytes() + b" ")
    done = lived("rebuild", "--json")
    assert (done.status, done.document["error"]["code"]) == (3, "record_damaged")
    assert path.read_bytes() == before
    assert not list(path.parent.glob("trades.db.*"))


def test_no_record_is_no_database(desk: Desk) -> None:
    """A store that is empty, or another one, is named rather than filled."""
    done = desk("rebuild", "--json")
    assert (done.status, done.document["error"]["code"]) == (2, "no_records")
    assert desk.files() == {"config.json"}
