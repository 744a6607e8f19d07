from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from queue import Queue
from typing import TYPE_CHECKING

import pytest

from s3_kit import ENVIRONMENT, Fault, put_raw
from trimtab.adapters.s3 import S3Store, S3Trades
from trimtab.adapters.sqlite import MIGRATIONS, SqliteTrades
from trimtab.errors import Halted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from s3_kit import Passed, Wire

COUNT = "SELECT COUNT(*) AS n FROM targets"


def target(n: int) -> dict[str, list[dict[str, object]]]:
    """Give one row."""
    return {"targets": [{"run_id": f"run-{n:03d}", "symbol": "SPY", "weight": "0.6"}]}


def ids(trades: S3Trades) -> list[object]:
    """Give the runs of all rows."""
    return [row["run_id"] for row in trades.query("SELECT run_id FROM targets ORDER BY run_id")]


def made(path: Path, *rows: dict[str, list[dict[str, object]]]) -> bytes:
    """Give a sound trades.db as bytes."""
    trades = SqliteTrades(path)
    for some in rows or ({},):
        trades.add(some)
    return path.read_bytes()


def test_where_there_is_no_object_every_table_is_empty(url: str) -> None:
    """A question makes nothing; the first rows do."""
    trades = S3Trades(url)
    assert trades.query(COUNT) == [{"n": 0}]
    assert S3Store(url).get("trades.db") is None
    trades.add(target(1))
    assert trades.query(COUNT) == S3Trades(url).query(COUNT) == [{"n": 1}]


def test_the_object_is_a_database_that_any_sqlite_reads(url: str, tmp_path: Path) -> None:
    """What is stored is trades.db itself, of this version's schema."""
    S3Trades(url).add(target(1))
    (tmp_path / "trades.db").write_bytes(S3Store(url).get("trades.db") or b"")
    assert SqliteTrades(tmp_path / "trades.db").query("PRAGMA user_version") == [
        {"user_version": len(MIGRATIONS)}
    ]
    assert SqliteTrades(tmp_path / "trades.db").query(COUNT) == [{"n": 1}]


def test_what_was_read_is_asked_for_by_its_version(url: str, wire: Wire) -> None:
    """Unchanged it is not sent again; what another wrote is seen at once, and what it deleted is gone."""
    trades, other = S3Trades(url), S3Trades(url)
    trades.add(target(1))
    bodies: list[int] = []
    wire.judge = lambda asked: bodies.append(asked.number)
    assert ids(trades) == ["run-001"]
    assert [passed.method for passed in wire.seen[-len(bodies) :]] == ["GET"]
    other.add(target(2))
    assert ids(trades) == ["run-001", "run-002"]
    S3Store(url).delete("trades.db")
    assert ids(trades) == []
    trades.add(target(3))
    assert ids(other) == ["run-003"]


def test_a_question_can_not_write(url: str) -> None:
    """SQLite says so itself, and nothing changes."""
    trades = S3Trades(url)
    trades.add(target(1))
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        trades.query("DELETE FROM targets")
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        trades.query("SELECT nonsense FROM targets")
    assert ids(trades) == ["run-001"]


def test_rows_that_are_wrong_leave_everything_as_it_was(url: str) -> None:
    """One unknown column, and none of the rows is stored."""
    trades = S3Trades(url)
    trades.add(target(1))
    with pytest.raises(ValueError, match="no column odd"):
        trades.add(target(2) | {"events": [{"id": "1", "odd": 1}]})
    assert ids(trades) == ["run-001"]


@pytest.mark.parametrize("status", [409, 412])
def test_who_was_not_first_writes_into_what_the_first_wrote(url: str, wire: Wire, status: int) -> None:
    """Another writes between reading and writing; or S3 says that it is at it: both rows are there."""
    trades, other = S3Trades(url), S3Trades(url)
    trades.add(target(1))
    code = {409: "ConditionalRequestConflict", 412: "PreconditionFailed"}[status]
    crossed: list[Passed] = []

    def judge(asked: Passed) -> Fault | None:
        if asked.method != "PUT" or crossed:
            return None
        crossed.append(asked)
        other.add(target(2))
        return Fault(status=409, code=code) if status == 409 else None

    wire.judge = judge
    trades.add(target(3))
    assert ids(trades) == ids(other) == ["run-001", "run-002", "run-003"]


def test_an_answer_that_was_lost_is_ones_own(url: str, wire: Wire) -> None:
    """The repeated request is refused; what stands there has this write's mark, and is not written again."""
    trades = S3Trades(url)
    trades.add(target(1))
    wire.seen.clear()
    wire.once("PUT", Fault(lost=True))
    trades.add(target(2))
    assert wire.methods() == ["GET", "PUT", "PUT", "GET"]
    assert ids(trades) == ["run-001", "run-002"]


def test_a_lost_answer_and_another_writer_lose_nothing(url: str, wire: Wire) -> None:
    """Another wrote over what this call had stored before it knew: its rows are in that, once."""
    trades, other = S3Trades(url), S3Trades(url)
    wire.once("PUT", Fault(lost=True))
    after: list[Passed] = []

    def meanwhile(passed: Passed) -> None:
        if passed.method == "PUT" and not after:
            after.append(passed)
            other.add(target(2))

    wire.after = meanwhile
    trades.add(target(1))
    assert ids(trades) == ids(other) == ["run-001", "run-002"]


def test_writers_without_end_are_an_os_error(url: str, wire: Wire) -> None:
    """Patience has an end, and the error says who was in the way."""
    wire.judge = lambda asked: Fault(status=412, code="PreconditionFailed") if asked.method == "PUT" else None
    with pytest.raises(OSError, match="other writers") as caught:
        S3Trades(url, patience_s=0.2).add(target(1))
    assert caught.value.filename == f"{url}/trades.db"


def test_what_can_not_be_read_is_never_empty(url: str, wire: Wire) -> None:
    """A refusal is an OSError of a question as of a write."""
    wire.judge = lambda _: Fault(status=403, code="AccessDenied")
    with pytest.raises(PermissionError):
        S3Trades(url).query(COUNT)
    with pytest.raises(PermissionError):
        S3Trades(url).add(target(1))


@pytest.mark.parametrize("harm", ["text", "cut", "page", "middle"])
def test_a_damaged_database_halts(url: str, tmp_path: Path, harm: str) -> None:
    """No database, half of one, one without its last page, one with a page that is noise: none is used."""
    whole = made(tmp_path / "trades.db", target(1))
    harmed = {
        "text": b"not a database, but long enough to have a header" * 20,
        "cut": whole[: len(whole) // 2 + 7],
        "page": whole[:-4096],
        "middle": whole[:8192] + b"\xa5" * 4096 + whole[12288:],
    }[harm]
    put_raw(url, "trades.db", harmed)
    for call in (lambda: S3Trades(url).query(COUNT), lambda: S3Trades(url).add(target(2))):
        with pytest.raises(Halted) as caught:
            call()
        assert caught.value.code == "database_damaged"
    assert S3Store(url).get("trades.db") == harmed


def test_a_damaged_database_is_made_anew_and_kept_beside(url: str) -> None:
    """Nobody sees the new one before it is whole; where another writer came between, nothing is replaced."""
    put_raw(url, "trades.db", b"SQLite format 3\x00 but not really")
    trades = S3Trades(url)
    assert trades.damage()
    with trades.anew() as fresh:
        fresh.add(target(1))
        assert fresh.query(COUNT) == [{"n": 1}]
        assert fresh.damage() is None
        assert S3Trades(url).damage()
    assert S3Trades(url).damage() is None
    assert S3Trades(url).query(COUNT) == [{"n": 1}]
    assert S3Store(url).get("trades.db.aside-1") == b"SQLite format 3\x00 but not really"
    change = trades.anew()
    change.__enter__().add(target(3))
    S3Trades(url).add(target(2))
    with pytest.raises(OSError, match="other writers were first"):
        change.__exit__(None, None, None)
    assert ids(S3Trades(url)) == ["run-001", "run-002"]


def test_a_database_in_wal_mode_or_of_a_newer_version_halts(url: str, tmp_path: Path) -> None:
    """Neither can be written without losing something."""
    whole = made(tmp_path / "trades.db", target(1))
    put_raw(url, "trades.db", whole[:18] + b"\x02\x02" + whole[20:])
    with pytest.raises(Halted) as caught:
        S3Trades(url).add(target(2))
    assert caught.value.code == "journal_mode"
    put_raw(url, "trades.db", whole[:60] + (99).to_bytes(4, "big") + whole[64:])
    with pytest.raises(Halted) as caught:
        S3Trades(url).query(COUNT)
    assert caught.value.code == "database_newer"


def test_an_older_version_is_brought_up_to_date(url: str, tmp_path: Path) -> None:
    """A question sees it of this version and leaves it; the next rows store it so. An empty object is new."""
    with closing(sqlite3.connect(tmp_path / "old.db")) as old, old:
        old.executescript(MIGRATIONS[0])
        old.execute("PRAGMA user_version = 1")
        old.execute("INSERT INTO targets VALUES ('run-000', 'SPY', '1')")
    old.close()
    before = (tmp_path / "old.db").read_bytes()
    put_raw(url, "trades.db", before)
    trades = S3Trades(url)
    assert trades.query("SELECT COUNT(*) AS n FROM flows") == [{"n": 0}]
    assert S3Store(url).get("trades.db") == before
    trades.add(target(1))
    assert ids(S3Trades(url)) == ["run-000", "run-001"]
    put_raw(url, "trades.db", b"")
    trades.add(target(1))
    assert ids(trades) == ["run-001"]


def _write(url: str, numbers: range) -> None:
    def add(number: int) -> None:
        S3Trades(url).add(target(number))

    with ThreadPoolExecutor(len(numbers)) as pool:
        list(pool.map(add, numbers))


def test_sixteen_racing_writers_lose_nothing(url: str) -> None:
    """Eight in this process and eight in another, at once: every row is there."""
    second = multiprocessing.get_context("spawn").Process(target=_write, args=(url, range(8)))
    second.start()
    _write(url, range(8, 16))
    second.join(timeout=120)
    assert second.exitcode == 0
    assert ids(S3Trades(url)) == [f"run-{n:03d}" for n in range(16)]


WRITERS = """
import os, sys
import botocore.session
from trimtab.adapters.s3 import S3Store, S3Trades

def write(url):
    store, trades = S3Store(url), S3Trades(url)
    store.put_if_absent("plans/main/1", b"plan")
    print("plan", flush=True)
    for n in (1, 2):
        trades.add({"targets": [{"run_id": f"run-{n:03d}", "symbol": "SPY"}]})
        print(f"run-{n:03d}", flush=True)

for line in sys.stdin:
    child = os.fork()
    if not child:
        write(line.strip())
        os._exit(0)
    print(f"pid {child}", flush=True)
    print(f"ended {os.waitpid(child, 0)[1]}", flush=True)
"""
"""Forks a writer for each URL it is told: what they import is imported once."""
REQUESTS = 5
"""Of one writer: a PUT of the plan, then twice a GET and a PUT of trades.db."""


class Writers:
    """Writers of their own process each, which a wire may kill."""

    def __init__(self, wire: Wire) -> None:
        environ = os.environ | {"AWS_ENDPOINT_URL_S3": wire.url}
        command = [sys.executable, "-c", WRITERS]
        pipe = subprocess.PIPE
        self.program = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environ, text=True)
        self.children: Queue[int] = Queue()

    def line(self) -> str:
        """Give what is said next."""
        assert self.program.stdout is not None
        return self.program.stdout.readline().strip()

    def run(self, url: str) -> tuple[list[str], int]:
        """Let one write, and give what it acknowledged and the signal that ended it."""
        assert self.program.stdin is not None
        self.program.stdin.write(f"{url}\n")
        self.program.stdin.flush()
        said: list[str] = []
        while not (line := self.line()).startswith("ended"):
            assert line
            if line.startswith("pid"):
                self.children.put(int(line.split()[1]))
            else:
                said.append(line)
        return said, int(line.split()[1])

    def kill(self) -> None:
        """End the one that writes; its number may come after its first request."""
        child = self.children.get(timeout=60)
        assert child > 1
        os.kill(child, signal.SIGKILL)


@pytest.fixture
def writers(wire: Wire) -> Iterator[Writers]:
    """Give writers behind the wire."""
    made = Writers(wire)
    with made.program:
        yield made
        made.program.terminate()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_any_request_loses_nothing_acknowledged(
    url: str, wire: Wire, writers: Writers, when: str
) -> None:
    """Killed before or after S3 saw a request, each in turn: what was acknowledged is there, and whole."""
    for at in range(REQUESTS):
        prefix, first = f"{url}/{at}", len(wire.seen)

        def strike(passed: Passed, at: int = at, first: int = first) -> Fault | None:
            if passed.number - first != at:
                return None
            writers.kill()
            return Fault(status=500)

        wire.judge, wire.after = (strike, _pass) if when == "before" else (_pass, strike)
        said, ended = writers.run(prefix)
        assert ended == signal.SIGKILL
        wire.judge = wire.after = _pass
        store, trades = S3Store(prefix), S3Trades(prefix)
        plan = {"plan"} if store.get("plans/main/1") == b"plan" else set()
        assert set(said) <= plan | set(ids(trades))
        store.put_if_absent("plans/main/1", b"plan")
        trades.add(target(1))
        trades.add(target(2))
        assert (store.get("plans/main/1"), ids(trades)) == (b"plan", ["run-001", "run-002"])


def _pass(_passed: Passed) -> None:
    pass


def test_no_error_repeats_a_credential(url: str, wire: Wire) -> None:
    """S3's own words are left out: they may quote the request."""
    wire.judge = lambda _: Fault(status=403, code="SignatureDoesNotMatch")
    with pytest.raises(OSError, match="SignatureDoesNotMatch") as caught:
        S3Trades(url).query(COUNT)
    assert not [secret for secret in ENVIRONMENT.values() if secret in repr(caught.value)]
