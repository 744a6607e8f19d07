from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.adapters.guest import GuestTrades
from trimtab.adapters.sqlite import MIGRATIONS, SqliteTrades
from trimtab.errors import Halted
from trimtab.evidence.board import reading

if TYPE_CHECKING:
    from pathlib import Path

READS = 1_000
DIES_WRITING = """
import os, sqlite3, sys
base = sqlite3.connect(sys.argv[1], isolation_level=None)
base.execute("PRAGMA cache_size = 5")
base.execute("BEGIN")
base.execute("UPDATE runs SET reason = reason || 'x'")
os.kill(os.getpid(), 9)
"""


def run_row(n: int, **more: object) -> dict[str, object]:
    day = f"2020-01-{1 + n % 28:02d}"
    row: dict[str, object] = {"run_id": f"{n:08d}", "portfolio": "main", "session": day, "dry_run": 0}
    return row | {"outcome": "traded", "mode": "paper"} | more


def add(path: Path, n: int, **more: object) -> None:
    equity = {"portfolio": "main", "session": "2020-01-02", "at": f"{n:08d}", "equity": "1"}
    SqliteTrades(path).add({"runs": [run_row(n, **more)], "equity": [equity | {"run_id": f"{n:08d}"}]})


def test_no_file_is_no_view(tmp_path: Path) -> None:
    """A store without a run has nothing to read, and reading makes no file."""
    guest = GuestTrades(tmp_path / "trades.db")
    with guest.sight() as view:
        assert view is None
    assert guest.stamp() == ()
    assert list(tmp_path.iterdir()) == []


def test_a_write_changes_the_stamp_and_a_read_does_not(tmp_path: Path) -> None:
    """What was kept for one stamp is right as long as the stamp stands."""
    path = tmp_path / "trades.db"
    add(path, 1)
    os.utime(path, ns=(1, 1_000))  # an old file: its stamp is used again
    before = GuestTrades(path).stamp()
    with GuestTrades(path).sight() as view:
        assert view is not None
        assert reading.portfolios(view) == ["main"]
    assert GuestTrades(path).stamp() == before
    add(path, 2)
    assert GuestTrades(path).stamp() != before


def test_a_fresh_stamp_is_used_once(tmp_path: Path) -> None:
    """Two writes within the grain of a file's time are told apart."""
    add(tmp_path / "trades.db", 1)
    guest = GuestTrades(tmp_path / "trades.db")
    assert guest.stamp() != guest.stamp()


def test_a_guest_can_not_write(tmp_path: Path) -> None:
    """Not by SQL either."""
    add(tmp_path / "trades.db", 1)
    with GuestTrades(tmp_path / "trades.db").sight() as view:
        assert view is not None
        with pytest.raises(OSError, match="readonly"):
            view.rows("DELETE FROM runs")


def test_garbage_is_told_as_damage(tmp_path: Path) -> None:
    """A file that is no database is named with what to do about it."""
    path = tmp_path / "trades.db"
    path.write_bytes(b"garbage" * 1_000)
    with pytest.raises(Halted) as told, GuestTrades(path).sight() as view:
        assert view is not None
    assert told.value.code == "database_damaged"
    assert "trimtab rebuild" in told.value.hint


def test_a_damaged_page_is_told_as_damage(tmp_path: Path) -> None:
    """Damage behind a sound first page is found by the query that meets it."""
    path = tmp_path / "trades.db"
    for n in range(3):
        add(path, n, reason="x" * 60_000)
    blob = bytearray(path.read_bytes())
    blob[8_192:] = b"\xff" * (len(blob) - 8_192)
    path.write_bytes(blob)
    with GuestTrades(path).sight() as view:
        assert view is not None
        with pytest.raises(Halted) as told:
            reading.runs(view, "main")
    assert told.value.code == "database_damaged"


def test_a_text_that_is_none_is_told_as_damage(tmp_path: Path) -> None:
    """A byte changed in a text is damage where it is read, though SQLite finds its pages sound."""
    path = tmp_path / "trades.db"
    SqliteTrades(path).add({"events": [{"id": "e1", "message": "what was said"}]})
    path.write_bytes(path.read_bytes().replace(b"what was said", b"what \xd7as said"))
    with GuestTrades(path).sight() as view:
        assert view is not None
        with pytest.raises(Halted) as told:
            view.rows("SELECT message FROM events")
    assert told.value.code == "database_damaged"


def test_a_dead_writer_is_left_for_the_next_run(tmp_path: Path) -> None:
    """A journal of a killed run is told of and touched by nobody but a run."""
    path = tmp_path / "trades.db"
    SqliteTrades(path).add({"runs": [run_row(n, reason="y" * 500) for n in range(2_000)]})
    done = subprocess.run([sys.executable, "-c", DIES_WRITING, path], check=False, timeout=60)
    assert done.returncode == -9
    before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    assert set(before) == {"trades.db", "trades.db-journal"}
    with pytest.raises(Halted) as told, GuestTrades(path).sight() as view:
        assert view is not None
    assert told.value.code == "database_unfinished"
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == before
    assert len(SqliteTrades(path).query("SELECT * FROM runs")) == 2_000  # a run's own reading mends it
    with GuestTrades(path).sight() as view:
        assert view is not None
        assert len(reading.runs(view, "main")) == 2_000


def test_an_older_schema_is_read_as_it_is(tmp_path: Path) -> None:
    """A file of the first schema version has its columns, nulls for the others, and is not migrated."""
    path = tmp_path / "trades.db"
    with closing(sqlite3.connect(path)) as base:
        base.executescript(MIGRATIONS[0])
        base.execute("PRAGMA user_version = 1")
        base.execute("INSERT INTO runs (run_id, portfolio, dry_run, equity) VALUES ('a', 'main', 0, '12.50')")
        base.commit()
    with GuestTrades(path).sight() as view:
        assert view is not None
        (row,) = reading.runs(view, "main").to_dicts()
        assert (row["run_id"], row["equity"], row["code"]) == ("a", 12.5, None)
        assert reading.flows(view, "main").is_empty()
        for read in (
            reading.equity,
            reading.dealt,
            reading.slips,
            reading.short,
            reading.checks,
            reading.events,
        ):
            assert read(view, "main").is_empty()
    with closing(sqlite3.connect(path)) as base:
        assert base.execute("PRAGMA user_version").fetchone() == (1,)


def test_reading_while_runs_write(tmp_path: Path) -> None:
    """No read and no write fails, no read sees half a run, and none leaves a file."""
    path = tmp_path / "trades.db"
    add(path, 0)
    stop, failed, written = threading.Event(), [], []

    def write() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            try:
                add(path, n)
            except Exception as error:  # noqa: BLE001 - whatever it is, the test tells it
                failed.append(error)
            written.append(n)

    writer = threading.Thread(target=write)
    writer.start()
    seen: list[Any] = []
    try:
        for _ in range(READS):
            with GuestTrades(path).sight() as view:
                assert view is not None
                runs, equity = (view.rows(f"SELECT COUNT(*) FROM {t}")[0][0] for t in ("runs", "equity"))  # noqa: S608 - our names
                seen.append((runs, equity))
    finally:
        stop.set()
        writer.join()
    assert not failed
    assert all(runs == equity for runs, equity in seen)
    assert seen[-1][0] > 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["trades.db"]
