from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.adapters.sqlite import SqliteTrades
from trimtab.core.bars import FIELDS, Bars
from trimtab.core.record import (
    PLAN_DIGEST_LEAVES_OUT,
    account_hash,
    canonical,
    digest,
    inputs_digest,
    plan_digest,
    rows,
)

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.core.record import Document

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(documents)
def test_canonical_json_is_json_and_a_fixed_point(document: object) -> None:
    """What is written reads back as the same document, and writes the same bytes again."""
    data = canonical(document)
    assert json.loads(data) == document
    assert canonical(json.loads(data)) == data


@given(st.dictionaries(st.text(), documents, min_size=2))
def test_the_order_of_keys_is_nothing(document: dict[str, object]) -> None:
    assert canonical(dict(reversed(document.items()))) == canonical(document)


def test_canonical_json_has_sorted_keys_and_no_blanks() -> None:
    assert canonical({"b": [1, "ü"], "a": None}) == '{"a":null,"b":[1,"ü"]}'.encode()


def test_half_a_surrogate_pair_is_written() -> None:
    """A broker's garbled message must not cost the run its record."""
    assert json.loads(canonical({"m": "\ud800"})) == {"m": "\ud800"}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_not_written(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"x": [number]})


PLAN: Document = {
    "version": 1,
    "portfolio": "main",
    "session": "2026-01-30",
    "mode": "paper",
    "host": "http://127.0.0.1:1",
    "h8": "00c0ffee",
    "run_id": "r1",
    "nonce": "n1",
    "made_at": "2026-01-30T15:00:00.000000Z",
    "config_digest": "c",
    "code_digest": "d",
    "inputs_digest": "i",
    "equity": "100000.0",
    "cash": "100000",
    "weights": {"SPY": "0.6"},
    "decision": None,
    "base": {"SPY": "0"},
    "orders": [],
    "holds": [],
    "short": [],
    "verdicts": [],
}


@pytest.mark.parametrize("key", PLAN)
def test_the_plan_digest_leaves_out_exactly_these(key: str) -> None:
    """Nonce, host, run id and times may differ between two runs that plan the same; nothing else."""
    changed = plan_digest(PLAN | {key: "another"}) != plan_digest(PLAN)
    assert changed is (key not in {"nonce", "host", "run_id", "made_at"})


def test_a_plan_digest_can_stand_in_its_plan() -> None:
    """The digest does not cover itself; every other key that is added changes it."""
    assert plan_digest(PLAN | {"plan_digest": "x"}) == plan_digest(PLAN)
    assert plan_digest(PLAN | {"new": None}) != plan_digest(PLAN)
    assert {"nonce", "host", "run_id", "made_at", "plan_digest"} == PLAN_DIGEST_LEAVES_OUT


def test_a_digest_is_sha256_of_canonical_json() -> None:
    assert digest({"b": 1, "a": 2}) == hashlib.sha256(b'{"a":2,"b":1}').hexdigest()


def test_the_account_hash_is_the_contracts() -> None:
    """First 8 hex digits of SHA-256 of account_number/portfolio."""
    assert account_hash("PA123", "main") == hashlib.sha256(b"PA123/main").hexdigest()[:8]
    assert account_hash("PA123", "other") != account_hash("PA123", "main")


def bars() -> Bars:
    days = np.array(["2026-01-29", "2026-01-30"], dtype="datetime64[D]")
    grid = np.array([[1.0, 2.0], [3.0, np.nan]])
    arrays = {name: grid + n for n, name in enumerate((*FIELDS, "raw_close"))}
    return Bars(days, ("SPY", "TLT"), **arrays)


@pytest.mark.parametrize("field", [*FIELDS, "raw_close"])
def test_the_inputs_digest_covers_every_column(field: str) -> None:
    """The last bit of any value changes it; the same values anew do not."""
    first = bars()
    assert inputs_digest(first) == inputs_digest(bars())
    arrays = {name: getattr(first, name).copy() for name in (*FIELDS, "raw_close")}
    arrays[field][0, 0] = np.nextafter(arrays[field][0, 0], 9)
    assert inputs_digest(Bars(first.sessions, first.symbols, **arrays)) != inputs_digest(first)
    assert inputs_digest(
        Bars(first.sessions + np.timedelta64(1, "D"), first.symbols, **{n: getattr(first, n) for n in arrays})
    ) != (inputs_digest(first))


def test_the_inputs_digest_names_the_symbols() -> None:
    first = bars()
    arrays = {name: getattr(first, name) for name in (*FIELDS, "raw_close")}
    assert inputs_digest(Bars(first.sessions, ("SPY", "TLX"), **arrays)) != inputs_digest(first)


ORDER: Document = {
    "client_order_id": "tt1-00c0ffee-20260130-SPY-0",
    "symbol": "SPY",
    "side": "buy",
    "type": "market",
    "qty": "1.5",
    "limit_price": None,
    "status": "filled",
    "filled_qty": "1.5",
    "filled_avg_price": "400.01",
    "submitted_at": "2026-01-30T15:00:01.000000Z",
    "finished_at": "2026-01-30T15:00:02.000000Z",
    "reason": "to_target: why",
    "ended": "filled",
    "sent": True,
    "arrival_bid": "600.00",
    "arrival_ask": "600.10",
    "arrival_price": "600.05",
}
RECORD: Document = {
    "version": 1,
    "run_id": "r1",
    "portfolio": "main",
    "session": "2026-01-30",
    "mode": "paper",
    "dry_run": False,
    "outcome": "traded",
    "stage": None,
    "reason": "traded: 1 orders",
    "started_at": "2026-01-30T15:00:00.000000Z",
    "finished_at": "2026-01-30T15:00:09.000000Z",
    "equity": "1000.00",
    "cash": "399.985",
    "plan_digest": "p",
    "inputs_digest": "i",
    "config_digest": "c",
    "code": "traded",
    "code_digest": "d",
    "code_version": "0.1.0",
    "resumed": "20260101T000000Z-00000000",
    "account_equity": "1200.00",
    "flows": [
        {"id": "a1", "date": "2026-01-29", "kind": "CSD", "symbol": "", "qty": "0", "amount": "500.00"}
    ],
    "host": "h",
    "universe": ["SPY"],
    "weights": {"SPY": "0.6", "TLT": "0.0"},
    "positions_before": [],
    "positions_after": [{"symbol": "SPY", "qty": "1.5", "price": "400.0000", "market_value": "600.00"}],
    "orders": [ORDER],
    "fills": [
        {
            "fill_id": "f1",
            "client_order_id": ORDER["client_order_id"],
            "symbol": "SPY",
            "side": "buy",
            "qty": "1.5",
            "price": "400.01",
            "at": "2026-01-30T15:00:02.000000Z",
        }
    ],
    "verdicts": [
        {"rule": "cash", "subject": "portfolio", "passed": True, "seen": "1", "allowed": "2", "detail": "d"},
        {"rule": "max_gap", "subject": "SPY", "passed": False, "seen": "1", "allowed": "2", "detail": "d"},
    ],
    "events": [
        {
            "id": "r1-0",
            "at": "2026-01-30T15:00:00.000000Z",
            "level": "warning",
            "stage": "positions",
            "code": "foreign_holding",
            "message": "m",
        }
    ],
    "timings": {"fetch": 0.25},
    "data_age_s": 61200.0,
}


def test_a_records_rows_fit_the_database(tmp_path: Path) -> None:
    """Every table takes its rows; what is read back is what the record says, flags as 0 and 1."""
    trades = SqliteTrades(tmp_path / "trades.db")
    trades.add(rows(RECORD))
    (run,) = trades.query("SELECT * FROM runs")
    assert (run["outcome"], run["dry_run"], run["version"], run["cash"]) == ("traded", 0, "0.1.0", "399.985")
    (order,) = trades.query("SELECT * FROM orders")
    assert order == {name: ORDER[name] for name in order if name in ORDER} | {
        "run_id": "r1",
        "portfolio": "main",
        "session": "2026-01-30",
    }
    counts = {table: len(trades.query(f"SELECT * FROM {table}")) for table in rows(RECORD)}  # noqa: S608 - our own names
    assert counts == {table: len(some) for table, some in rows(RECORD).items()}
    assert min(counts.values()) == 1
    assert trades.query("SELECT passed FROM verdicts ORDER BY rule") == [{"passed": 1}, {"passed": 0}]
    assert trades.query("SELECT symbol, weight FROM targets ORDER BY symbol")[0] == {
        "symbol": "SPY",
        "weight": "0.6",
    }


def test_rows_fill_every_column_of_the_contract(tmp_path: Path) -> None:
    """No column of a table is left out by its rows, so none is null by mistake."""
    trades = SqliteTrades(tmp_path / "trades.db")
    for table, some in rows(RECORD).items():
        columns = {str(c["name"]) for c in trades.query("SELECT name FROM pragma_table_info(?)", (table,))}
        assert set(some[0]) == columns, table


def test_a_dry_run_takes_no_flow_as_seen(tmp_path: Path) -> None:
    """It may have looked at another account: neither its flows nor that equity are part of the history."""
    trades = SqliteTrades(tmp_path / "trades.db")
    trades.add(rows(RECORD | {"dry_run": True}))
    assert trades.query("SELECT * FROM flows") == []
    assert trades.query("SELECT equity, account_equity FROM equity") == [
        {"equity": "1000.00", "account_equity": None}
    ]


def test_a_record_of_before_the_flows_is_readable(tmp_path: Path) -> None:
    """What older versions did not write is null, or no row."""
    added = {"code", "code_digest", "resumed", "account_equity", "flows", "timings", "data_age_s"}
    trades = SqliteTrades(tmp_path / "trades.db")
    trades.add(rows({key: value for key, value in RECORD.items() if key not in added}))
    assert trades.query("SELECT code, code_digest, resumed FROM runs") == [
        {"code": None, "code_digest": None, "resumed": None}
    ]
    assert trades.query("SELECT * FROM flows") == []


def test_a_run_that_saw_nothing_has_rows(tmp_path: Path) -> None:
    """The broker's clock unreadable: no session, no equity; the run is there, the equity curve untouched."""
    empty: Document = {key: [] for key in ("positions_after", "orders", "fills", "verdicts", "events")}
    blank = dict.fromkeys(("session", "equity", "cash", "started_at", "finished_at", "plan_digest"))
    trades = SqliteTrades(tmp_path / "trades.db")
    trades.add(rows(RECORD | empty | blank | {"weights": {}, "outcome": "halted", "stage": "fetch"}))
    assert trades.query("SELECT session, stage FROM runs") == [{"session": None, "stage": "fetch"}]
    assert trades.query("SELECT * FROM equity") == []


def test_rows_of_the_same_record_twice_change_nothing(tmp_path: Path) -> None:
    """A rebuild may meet a record that is in already."""
    trades = SqliteTrades(tmp_path / "trades.db")
    trades.add(rows(RECORD))
    before = [trades.query(f"SELECT * FROM {table}") for table in rows(RECORD)]  # noqa: S608 - our own names
    trades.add(rows(RECORD))
    assert [trades.query(f"SELECT * FROM {table}") for table in rows(RECORD)] == before  # noqa: S608 - our own names


def test_no_account_number_is_in_a_row() -> None:
    """What identifies the account in public rows is h8, inside the order ids."""
    assert re.fullmatch(r"tt1-[0-9a-f]{8}-\d{8}-SPY-[0-3]", str(rows(RECORD)["orders"][0]["client_order_id"]))
