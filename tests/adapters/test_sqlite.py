from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from trimtab.adapters.sqlite import MIGRATIONS, SqliteTrades
from trimtab.errors import Halted

if TYPE_CHECKING:
    from pathlib import Path

CONTRACT = {
    "runs": "run_id, portfolio, session, mode, dry_run, outcome, stage, reason, started_at, finished_at, "
    "equity, cash, plan_digest, inputs_digest, config_digest, version, code, code_digest, resumed, "
    "data_age_s",
    "targets": "run_id, symbol, weight",
    "positions": "run_id, phase, symbol, qty, price, market_value",
    "orders": "client_order_id, run_id, portfolio, session, symbol, side, type, qty, limit_price, status, "
    "filled_qty, filled_avg_price, submitted_at, finished_at, reason, arrival_bid, arrival_ask, "
    "arrival_price",
    "fills": "fill_id, client_order_id, symbol, side, qty, price, at",
    "verdicts": "run_id, rule, subject, passed, seen, allowed, detail",
    "equity": "portfolio, session, at, equity, cash, run_id, account_equity",
    "events": "id, at, run_id, level, stage, code, message",
    "flows": "id, portfolio, run_id, date, kind, symbol, qty, amount",
    "timings": "run_id, station, seconds",
}
"""The public tables and their columns: programs of others read them by these names."""

ORDER: dict[str, object] = {
    "client_order_id": "tt1-00c0ffee-20200316-SPY-0",
    "run_id": "r1",
    "portfolio": "main",
    "session": date(2020, 3, 16),
    "symbol": "SPY",
    "side": "buy",
    "type": "market",
    "qty": Decimal("1.50"),
    "status": "new",
    "filled_qty": Decimal(0),
}

RECORD: dict[str, list[dict[str, object]]] = {
    "runs": [
        {"run_id": "r1", "portfolio": "main", "session": "2020-03-16", "started_at": "2020-03-16T14:00:00Z"}
    ],
    "targets": [
        {"run_id": "r1", "symbol": "SPY", "weight": 0.6},
        {"run_id": "r1", "symbol": "TLT", "weight": 0.4},
    ],
    "positions": [
        {"run_id": "r1", "phase": "before", "symbol": "SPY", "qty": "0"},
        {"run_id": "r1", "phase": "after", "symbol": "SPY", "qty": "1.5", "price": "240.00"},
        {"run_id": "r1", "phase": "after", "symbol": "TLT", "qty": "0"},
    ],
    "orders": [ORDER],
    "fills": [
        {"fill_id": "f1", "client_order_id": ORDER["client_order_id"], "qty": "1.0", "price": "240.00"},
        {"fill_id": "f2", "client_order_id": ORDER["client_order_id"], "qty": "0.5", "price": "242.00"},
    ],
    "verdicts": [{"run_id": "r1", "rule": "max_orders", "subject": "plan", "passed": True}],
    "equity": [
        {"portfolio": "main", "session": "2020-03-16", "at": "2020-03-16T14:00:00Z", "equity": "1000.00"}
    ],
    "events": [{"id": "e1", "code": "halt"}],
    "flows": [{"id": "a1", "portfolio": "main", "run_id": "r1", "date": "2020-03-13", "amount": "500.00"}],
    "timings": [{"run_id": "r1", "station": "fetch", "seconds": 0.25}],
}

KILLED_IN_MID_TRANSACTION = """
import os, signal, sys
from pathlib import Path
from trimtab.adapters.sqlite import SqliteTrades

class Rows(list):
    def __iter__(self):
        for number in range(8000):
            yield {"id": f"x{number}", "message": "m" * 1000}
        os.kill(os.getpid(), signal.SIGKILL)

SqliteTrades(Path(sys.argv[1])).add({"targets": [{"run_id": "killed", "symbol": "SPY"}], "events": Rows()})
"""

ADDING = """
import sys
from pathlib import Path
from trimtab.adapters.sqlite import SqliteTrades

trades = SqliteTrades(Path(sys.argv[1]))
sys.stdin.read()
for n in range(25):
    key = f"{sys.argv[2]}-{n}"
    trades.add({"events": [{"id": f"{key}-{row}"} for row in range(4)], "runs": [{"run_id": key}]})
"""


@pytest.fixture
def trades(tmp_path: Path) -> SqliteTrades:
    """Give a trades.db that no one has made yet, in a folder whose name needs quoting in a URI."""
    return SqliteTrades(tmp_path / "a folder? #1 100%" / "trades.db")


def counts(trades: SqliteTrades) -> dict[str, object]:
    """Give the number of rows of every table."""
    return {name: trades.query(f"SELECT COUNT(*) AS n FROM {name}")[0]["n"] for name in CONTRACT}  # noqa: S608 - our own names


def test_has_the_tables_and_columns_of_the_contract_in_its_order(trades: SqliteTrades) -> None:
    """Exactly the public tables, with exactly their columns, and the version that says so."""
    trades.add({})
    tables = trades.query("SELECT name FROM sqlite_master WHERE type = 'table'")
    assert {row["name"] for row in tables} == CONTRACT.keys()
    for table, columns in CONTRACT.items():
        found = trades.query("SELECT name FROM pragma_table_info(?)", (table,))
        assert [row["name"] for row in found] == columns.split(", ")
    assert trades.query("PRAGMA user_version") == [{"user_version": len(MIGRATIONS)}]


def test_where_there_is_no_file_every_table_is_empty(trades: SqliteTrades) -> None:
    """A question to a missing database is answered, and makes no file."""
    assert counts(trades) == dict.fromkeys(CONTRACT, 0)
    assert trades.query("SELECT * FROM holdings") == []
    assert not trades.path.parent.exists()


def test_adding_a_record_twice_is_adding_it_once(trades: SqliteTrades) -> None:
    """Every table has a key: the same rows again change nothing."""
    trades.add(RECORD)
    once = {table: trades.query(f"SELECT * FROM {table}") for table in CONTRACT}  # noqa: S608 - our own names
    trades.add(RECORD)
    assert {table: trades.query(f"SELECT * FROM {table}") for table in CONTRACT} == once  # noqa: S608 - as above
    assert counts(trades) == {table: len(rows) for table, rows in RECORD.items()}


def test_a_row_that_is_there_is_replaced(trades: SqliteTrades) -> None:
    """The later row stands as a whole: what it leaves out is null."""
    trades.add(RECORD)
    trades.add({"runs": [{"run_id": "r1", "outcome": "traded"}]})
    (run,) = trades.query("SELECT portfolio, outcome FROM runs")
    assert run == {"portfolio": None, "outcome": "traded"}


def test_the_first_versions_file_is_brought_up_to_date(trades: SqliteTrades) -> None:
    """A reader and a writer both migrate it; every row of it stays, and what is new is null."""
    trades.path.parent.mkdir()
    with closing(sqlite3.connect(trades.path)) as database:
        database.executescript(MIGRATIONS[0])
        database.execute("INSERT INTO runs (run_id, outcome) VALUES ('r0', 'traded')")
        database.execute("INSERT INTO equity VALUES ('main', '2020-03-13', 'then', '900', '1')")
        database.execute("PRAGMA user_version = 1")
        database.commit()
    assert trades.query("SELECT run_id, outcome, code, resumed FROM latest_run") == []
    assert trades.query("SELECT run_id, outcome, code, resumed FROM runs") == [
        {"run_id": "r0", "outcome": "traded", "code": None, "resumed": None}
    ]
    assert trades.query("SELECT equity, run_id, account_equity FROM equity") == [
        {"equity": "900", "run_id": None, "account_equity": None}
    ]
    trades.add(RECORD)
    assert trades.query("PRAGMA user_version") == [{"user_version": len(MIGRATIONS)}]


def test_the_second_versions_file_is_brought_up_to_date(trades: SqliteTrades) -> None:
    """An order of before keeps what is known of it; what was not measured then is null."""
    trades.path.parent.mkdir()
    with closing(sqlite3.connect(trades.path)) as database:
        database.executescript(MIGRATIONS[0] + MIGRATIONS[1])
        database.execute("INSERT INTO orders (client_order_id, run_id) VALUES ('o1', 'r0')")
        database.execute("PRAGMA user_version = 2")
        database.commit()
    assert trades.query("SELECT run_id, arrival_price FROM order_fills") == [
        {"run_id": "r0", "arrival_price": None}
    ]
    assert trades.query("SELECT data_age_s FROM runs") == trades.query("SELECT * FROM timings") == []


def test_values_are_stored_as_the_contract_says(trades: SqliteTrades) -> None:
    """Decimals as the text they were, times in UTC, sessions as dates, flags as 0 and 1."""
    tokyo = datetime.fromisoformat("2020-03-16T23:00:00.5+09:00")
    run = {"run_id": "r1", "session": date(2020, 3, 16), "started_at": tokyo, "dry_run": False}
    run |= {"equity": Decimal("1E+5"), "cash": Decimal("0.10")}
    trades.add({"runs": [run], "targets": [{"run_id": "r1", "symbol": "SPY", "weight": 0.1}]})
    columns = "session, started_at, dry_run, equity, cash"
    assert trades.query(f"SELECT {columns} FROM runs") == [  # noqa: S608 - our own names
        {
            "session": "2020-03-16",
            "started_at": "2020-03-16T14:00:00.500000Z",
            "dry_run": 0,
            "equity": "100000",
            "cash": "0.10",
        }
    ]
    assert trades.query("SELECT weight, typeof(weight) AS kind FROM targets") == [
        {"weight": "0.1", "kind": "text"}
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"nonsense": []}, "no table 'nonsense'"),
        ({"latest_run": [{"run_id": "r1"}]}, "no table 'latest_run'"),
        ({"events": [{"id": "1", "nonsense": 1}]}, "no column nonsense"),
        ({"events": [{"id": "1", "at": datetime(2020, 3, 16)}]}, "without a zone"),  # noqa: DTZ001 - that is the case
    ],
)
def test_a_row_that_is_wrong_leaves_the_whole_record_out(
    trades: SqliteTrades, rows: dict[str, list[dict[str, object]]], message: str
) -> None:
    """A record goes in whole or not at all."""
    with pytest.raises(ValueError, match=message):
        trades.add({"runs": [{"run_id": "r1"}], **rows})
    assert counts(trades) == dict.fromkeys(CONTRACT, 0)


@pytest.mark.parametrize("key", ["symbol", "phase"])
def test_a_part_of_a_key_is_never_null(trades: SqliteTrades, key: str) -> None:
    """A null in a key would let the row in twice."""
    row = {"run_id": "r1", "phase": "after", "symbol": "SPY", key: None}
    with pytest.raises(sqlite3.IntegrityError):
        trades.add({"positions": [row]})


def test_the_journal_is_a_rollback_journal(trades: SqliteTrades) -> None:
    """A database that some program turned to WAL is turned back by the next writer."""
    trades.add(RECORD)
    with closing(sqlite3.connect(trades.path)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert database.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    trades.add(RECORD)
    with closing(sqlite3.connect(trades.path)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_every_connection_waits_and_is_durable(trades: SqliteTrades) -> None:
    """Two minutes for a lock, full synchronisation, no memory map: what a network file system needs."""
    trades.add({})
    assert trades.query("PRAGMA busy_timeout") == [{"timeout": 120_000}]
    assert trades.query("PRAGMA synchronous") == [{"synchronous": 2}]
    assert trades.query("PRAGMA mmap_size") == [{"mmap_size": 0}]


def test_a_database_held_in_wal_mode_is_not_used(trades: SqliteTrades) -> None:
    """Where the rollback journal can't be had, nothing is read or written."""
    trades.add(RECORD)
    with closing(sqlite3.connect(trades.path)) as holder:
        holder.execute("PRAGMA journal_mode = WAL")
        holder.execute("SELECT * FROM runs").fetchall()
        impatient = SqliteTrades(trades.path, busy_timeout_ms=50)
        with pytest.raises(OSError, match="locked"):
            impatient.add({"runs": [{"run_id": "r2"}]})
        with pytest.raises(OSError, match="locked"):
            impatient.query("SELECT * FROM runs")
    assert counts(trades)["runs"] == 1
    assert trades.query("PRAGMA journal_mode") == [{"journal_mode": "delete"}]


def test_a_question_can_not_write(trades: SqliteTrades) -> None:
    """The query's connection is read-only, on a file and where there is none."""
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            trades.query("INSERT INTO events (id) VALUES ('1')")
        trades.add({})


def test_a_wrong_question_is_sqlites_error(trades: SqliteTrades) -> None:
    """A mistake in the SQL is no damage of the file."""
    trades.add({})
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        trades.query("SELECT nonsense FROM runs")


def test_a_file_that_is_no_database_halts(trades: SqliteTrades) -> None:
    """Damage is named, with the way out; the file stays as it was."""
    trades.path.parent.mkdir()
    trades.path.write_bytes(b"no database " * 1000)
    for call in (lambda: trades.query("SELECT * FROM runs"), lambda: trades.add(RECORD)):
        with pytest.raises(Halted) as halted:
            call()
        assert halted.value.code == "database_damaged"
        assert "rebuild" in halted.value.hint
    assert trades.path.read_bytes() == b"no database " * 1000


def test_damage_in_the_middle_halts(trades: SqliteTrades) -> None:
    """Pages overwritten behind a sound header are damage too."""
    trades.add({"events": [{"id": str(number), "message": "m" * 900} for number in range(500)]})
    size = trades.path.stat().st_size
    with trades.path.open("r+b") as file:
        file.seek(size // 4)
        file.write(b"\xff" * (size // 2))
    with pytest.raises(Halted) as halted:
        trades.query("SELECT id, message FROM events")
    assert halted.value.code == "database_damaged"


def test_a_text_that_is_none_is_damage(trades: SqliteTrades) -> None:
    """SQLite does not look into its texts; a byte changed there is found when the row is read.

    In what decides a run's trades it is looked for before that.
    """
    trades.add({"events": [{"id": "e1", "message": "what was said"}], "runs": [{"run_id": "what was run"}]})
    trades.path.write_bytes(trades.path.read_bytes().replace(b"what was said", b"what \xd7as said"))
    assert trades.damage() is None
    with pytest.raises(Halted) as halted:
        trades.query("SELECT * FROM events")
    assert halted.value.code == "database_damaged"
    assert trades.query("SELECT id FROM events") == [{"id": "e1"}]
    trades.path.write_bytes(trades.path.read_bytes().replace(b"what was run", b"what \xd7as run"))
    assert "utf-8" in str(trades.damage()).lower()


def test_a_newer_schema_halts(trades: SqliteTrades) -> None:
    """A database of a later version is neither read nor written."""
    trades.add({})
    with closing(sqlite3.connect(trades.path)) as database:
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    for call in (lambda: trades.query("SELECT * FROM runs"), lambda: trades.add(RECORD)):
        with pytest.raises(Halted) as halted:
            call()
        assert halted.value.code == "database_newer"


def test_an_empty_file_is_a_database_to_be_made(trades: SqliteTrades) -> None:
    """A process killed between making the file and its schema leaves this."""
    trades.path.parent.mkdir()
    trades.path.touch()
    assert counts(trades) == dict.fromkeys(CONTRACT, 0)


def test_a_path_that_can_not_be_opened_is_an_os_error(tmp_path: Path) -> None:
    """A folder in the file's place, a file in the folder's place."""
    (tmp_path / "trades.db").mkdir()
    with pytest.raises(OSError, match=r"trades\.db"):
        SqliteTrades(tmp_path / "trades.db").query("SELECT 1")
    with pytest.raises(OSError, match=r"trades\.db"):
        SqliteTrades(tmp_path / "trades.db").add({})
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        SqliteTrades(tmp_path / "file" / "trades.db").add({})


def test_a_database_that_stays_locked_is_an_os_error(trades: SqliteTrades) -> None:
    """The wait has an end."""
    trades.add({})
    with closing(sqlite3.connect(trades.path)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OSError, match="locked"):
            SqliteTrades(trades.path, busy_timeout_ms=50).add(RECORD)


def test_a_kill_in_mid_transaction_leaves_the_previous_state(trades: SqliteTrades) -> None:
    """A writer killed with half its pages in the file: readers and writers find what stood before."""
    trades.add(RECORD)
    before = counts(trades)
    size = trades.path.stat().st_size
    command = [sys.executable, "-c", KILLED_IN_MID_TRANSACTION, str(trades.path)]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
    journal = trades.path.with_name("trades.db-journal")
    assert journal.exists()
    assert trades.path.stat().st_size > size, "the case needs pages in the file"
    assert counts(trades) == before
    assert not journal.exists()
    trades.add({"events": [{"id": "after"}]})
    assert counts(trades) == {**before, "events": 2}


def test_concurrent_writers_lose_nothing_and_readers_never_fail(tmp_path: Path) -> None:
    """Four processes make one database and add to it at once, while it is read: nothing is lost or torn."""
    path = tmp_path / "trades.db"
    commands = [[sys.executable, "-c", ADDING, str(path), str(number)] for number in range(4)]
    writers = [subprocess.Popen(command, stdin=subprocess.PIPE) for command in commands]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.close()
    seen = 0
    while any(writer.poll() is None for writer in writers):
        (row,) = SqliteTrades(path).query(
            "SELECT (SELECT COUNT(*) FROM events) AS events, (SELECT COUNT(*) FROM runs) AS runs"
        )
        assert row["events"] == 4 * int(str(row["runs"]))
        seen += 1
    assert [writer.returncode for writer in writers] == [0, 0, 0, 0]
    assert SqliteTrades(path).query("SELECT COUNT(*) AS n FROM events") == [{"n": 400}]
    assert seen > 1


def test_the_views_say_what_is_held_and_what_was_filled(trades: SqliteTrades) -> None:
    """The views for people: the last run, the last holdings, orders with fills."""
    trades.add(RECORD)
    later = {"run_id": "r2", "portfolio": "main", "started_at": datetime(2020, 3, 17, 14, tzinfo=UTC)}
    other = {"run_id": "r0", "portfolio": "other", "started_at": datetime(2020, 3, 15, 14, tzinfo=UTC)}
    trades.add({"runs": [later, other]})
    assert trades.query("SELECT run_id FROM latest_run ORDER BY portfolio") == [
        {"run_id": "r2"},
        {"run_id": "r0"},
    ]
    assert trades.query("SELECT portfolio, run_id, symbol, qty FROM holdings") == [
        {"portfolio": "main", "run_id": "r1", "symbol": "SPY", "qty": "1.5"}
    ]
    assert trades.query("SELECT symbol, fills, fills_qty, fills_value_usd FROM order_fills") == [
        {"symbol": "SPY", "fills": 2, "fills_qty": 1.5, "fills_value_usd": 361.0}
    ]
