"""Records: what every run leaves behind, whole, true to what happened, and the same from the same world."""

from __future__ import annotations

import hashlib
import json
from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl
import pytest

from line_kit import Kill, Killed, Lab, make_lab, make_switch
from trimtab.core.bars import Bars
from trimtab.core.record import canonical, inputs_digest, plan_digest
from trimtab.errors import Halted, Interrupted
from trimtab.show.document import run_document, stopped_record
from trimtab.stations.arrive import Arrival

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.core.record import Document

SUMMARY = {
    *("run_id", "portfolio", "session", "outcome", "stage", "reason", "equity", "cash", "plan_digest"),
    *("planned", "orders", "holds", "verdicts"),
}


def folder_of(record: Document) -> str:
    """Where a run's files lie."""
    return f"runs/{record['portfolio']}/{record['session'] or 'none'}/{record['run_id']}"


def check_whole(lab: Lab, record: Document, *, bars: bool) -> None:
    """The folder holds what SHA256SUMS says, and record.json is what the run gave."""
    store, folder = lab.store, folder_of(record)
    names = {"record.json", "SHA256SUMS"} | ({"inputs.parquet"} if bars else set())
    assert {key.rsplit("/", 1)[1] for key in store.list(f"{folder}/")} == names
    for line in (store.get(f"{folder}/SHA256SUMS") or b"").decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(store.get(f"{folder}/{name}") or b"").hexdigest() == digest
        names.discard(name)
    assert names == {"SHA256SUMS"}
    assert store.get(f"{folder}/record.json") == canonical(record)


def test_every_outcome_leaves_a_whole_record(root: Path) -> None:
    """Traded, in band, dry run, halted, closed: each with its files, sums, and a row in trades.db."""
    lab = make_lab(root)
    dry = lab.run(lab.changed(dry_run=True))
    traded, done = lab.run(), lab.run()
    halted = lab.run(lab.changed(config_digest="e" * 64, universe=("AAA", "ZZZ")))
    lab.exchange.step()
    stopped = lab.run(lab.changed(rule=lambda _history, _equity: None))
    lab.at(22, 0)
    closed = lab.run()
    for record, outcome, bars in (
        (dry, "dry_run", True),
        (traded, "traded", True),
        (done, "in_band", False),
        (halted, "in_band", False),
        (stopped, "halted", True),
        (closed, "closed", False),
    ):
        assert record["outcome"] == outcome
        check_whole(lab, record, bars=bars)
    rows = lab.trades.query("SELECT run_id, outcome, session, dry_run FROM runs ORDER BY run_id")
    assert [row["run_id"] for row in rows] == sorted(record["run_id"] for record in lab.records())
    assert [row["outcome"] for row in rows if row["dry_run"]] == ["dry_run"]


def test_the_digests_are_of_the_content(root: Path) -> None:
    """plan_digest of the plan, inputs_digest of inputs.parquet's columns."""
    lab = make_lab(root)
    record = lab.run()
    assert record["plan"] == lab.plan()
    assert record["plan_digest"] == plan_digest(record["plan"])
    inputs = lab.store.get(f"{folder_of(record)}/inputs.parquet") or b""
    frame = pl.read_parquet(BytesIO(inputs))
    assert frame.columns == ["symbol", "session", "open", "high", "low", "close", "volume", "raw_close"]
    assert inputs_digest(Bars.from_frame(frame)) == record["inputs_digest"]


def test_two_equal_worlds_give_equal_plans_and_inputs(root: Path) -> None:
    """Nonce, host, run id and times stay out of the plan's digest; another cash goes into it."""
    records = []
    for n, cash in enumerate((100_000, 100_000, 100_001)):
        lab = make_lab(root / str(n), cash=cash)
        lab.ids = iter(range(n * 100, 1000))  # type: ignore[assignment]  # other run ids and nonces
        lab.exchange.advance(n)
        records.append(lab.run())
    first, second, third = records
    assert first["run_id"] != second["run_id"]
    assert first["plan"]["nonce"] != second["plan"]["nonce"]
    assert first["plan_digest"] == second["plan_digest"] != third["plan_digest"]
    assert first["inputs_digest"] == second["inputs_digest"]


@pytest.mark.parametrize("unfinished", [False, True])
def test_a_dry_run_changes_nothing_and_says_what_it_would_do(root: Path, unfinished: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """No plan, no order, no binding; yet a record with orders and holds, also beside an unfinished plan."""
    lab = make_switch(root)
    if unfinished:
        with pytest.raises(Killed):
            lab.run(requests_=Kill(1, after=True, only="POST"))
    before = set(lab.store.list("plans/") + lab.store.list("portfolios/"))
    sent, held = len(lab.sends()), lab.held()
    record = lab.run(lab.changed(dry_run=True))
    assert (record["outcome"], record["stage"], record["dry_run"]) == ("dry_run", None, True)
    assert [order["symbol"] for order in record["planned"]] == ["AAA", "BBB", "CCC"]
    assert record["orders"] == []
    assert set(lab.store.list("plans/") + lab.store.list("portfolios/")) == before
    assert (len(lab.sends()), lab.held()) == (sent, held)
    check_whole(lab, record, bars=not unfinished)
    assert lab.run()["outcome"] == "traded"


def test_a_plan_on_paper_leaves_no_trace(root: Path) -> None:
    """`plan` gives the document and writes nothing, even where dry_run is false; it works after the close."""
    lab = make_lab(root)
    lab.at(22, 0)
    record = lab.run(arrival=Arrival(only_plan=True))
    assert record["outcome"] == "dry_run"
    assert record["session"] == "2021-03-02"
    assert len(record["planned"]) == 3
    assert list(root.rglob("*")) == []
    assert lab.sends() == []


def test_the_summary_has_the_contracts_keys(root: Path) -> None:
    """Decimals as texts; reasons and rules open with stable codes; `error` only where one stopped the run."""
    lab = make_switch(root)
    document = run_document(lab.run())
    assert set(document) >= SUMMARY
    assert set(document["planned"][0]) == {"symbol", "side", "type", "qty", "limit_price", "reason"}
    assert set(document["orders"][0]) == {
        *("client_order_id", "symbol", "side", "qty", "status", "filled_qty", "filled_avg_price", "reason"),
    }
    assert all(
        set(v) == {"rule", "subject", "passed", "seen", "allowed", "detail"} for v in document["verdicts"]
    )
    for name in ("qty", "filled_qty", "filled_avg_price"):
        assert all(isinstance(order[name], str) for order in document["orders"])
    assert json.loads(canonical(document)) == document
    lab.exchange.step()
    stopped = run_document(lab.run(lab.changed(rule=lambda _history, _equity: {"AAA": 2.0})))
    assert set(stopped) == set(document) | {"error"}
    assert set(stopped["error"]) == {"code", "message", "seen", "allowed", "hint"}


def test_orders_that_another_run_sent_are_recorded_but_not_called_ours(root: Path) -> None:
    """A run that finishes a dead one's plan records all its orders; `orders` of its summary are its own."""
    lab = make_switch(root)
    with pytest.raises(Killed):
        lab.run(requests_=Kill(1, after=True, only="POST"))
    record = lab.run()
    assert [order["sent"] for order in record["orders"]] == [False, True, True]
    assert [order["symbol"] for order in run_document(record)["orders"]] == ["BBB", "CCC"]
    rows = lab.trades.query("SELECT DISTINCT run_id FROM orders")
    assert [row["run_id"] for row in rows] == [record["run_id"]]


def test_an_order_keeps_the_run_that_recorded_it_first(root: Path) -> None:
    """An interrupted run recorded its order open; the next records its end, under the first one's name."""
    lab = make_lab(root, behaviour={"halted": ("BBB",), "cancel_latency_s": 100.0})
    first = lab.run()
    assert first["outcome"] == "interrupted"
    lab.exchange.advance(100.0)
    lab.exchange.behave(halted=())
    second = lab.run()
    rows = {r["client_order_id"]: r for r in lab.trades.query("SELECT * FROM orders")}
    assert rows[lab.order_id("BBB")]["run_id"] == first["run_id"]
    assert rows[lab.order_id("BBB")]["status"] == "canceled"
    assert rows[lab.order_id("BBB", 1)]["run_id"] == second["run_id"]
    lab.check_books()


def test_a_lost_trades_db_is_made_anew_from_the_records(root: Path) -> None:
    """It is made of the records and never believed over them: deleted, the next run has it all again."""
    lab = make_lab(root, {"AAA": 0.5, "BBB": 0.5})
    for _ in range(3):
        lab.run()
        lab.exchange.step()
    tables = ("runs", "targets", "positions", "orders", "fills", "verdicts", "equity")
    before = {table: lab.trades.query(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables}  # noqa: S608 - names of our own
    (root / "trades.db").unlink()
    record = lab.run()
    assert {event["code"] for event in record["events"]} == {"recovered"}
    for table, rows in before.items():
        now = lab.trades.query(f"SELECT * FROM {table} ORDER BY 1, 2, 3")  # noqa: S608 - names of our own
        assert [row for row in rows if row not in now] == [], table
    lab.check_books()


def test_event_ids_are_unique_over_all_runs(root: Path) -> None:
    """Two runs in one second, each with events: none replaces another's."""
    lab = make_lab(root, rule=lambda _history, _equity: None)
    ids = [event["id"] for _ in range(5) for event in lab.run()["events"]]
    assert len(ids) == len(set(ids)) == 5
    assert len(lab.trades.query("SELECT id FROM events")) == 5


def damage(lab: Lab) -> None:
    """Make trades.db no database."""
    (lab.root / "trades.db").write_bytes(b"this is no database " * 100)


def test_a_damaged_trades_db_is_set_aside_and_made_anew(root: Path) -> None:
    """The rules that look back never read it, and the run trades by the records; a dry run only says so."""
    lab = make_lab(root)
    lab.run(lab.changed(dry_run=True))
    before = lab.trades.query("SELECT * FROM runs")
    damage(lab)
    with pytest.raises(Halted) as caught:
        lab.run(lab.changed(dry_run=True))
    assert caught.value.code == "database_damaged"
    assert "trimtab rebuild" in caught.value.hint
    record = lab.run()
    assert record["outcome"] == "traded"
    assert [event["code"] for event in record["events"]] == ["rebuilt"]
    assert "made anew from the records of 2 runs" in record["events"][0]["message"]
    assert (root / "trades.db.aside-1").read_bytes().startswith(b"this is no database")
    assert before[0] in lab.trades.query("SELECT * FROM runs")
    assert len(lab.trades.query("SELECT * FROM runs")) == 3
    lab.check_books()


def test_decimals_are_kept_as_the_broker_printed_them(root: Path) -> None:
    """Trailing zeros, too: what a person compares is the broker's own text."""
    lab = make_lab(root, behaviour={"flags": {"cash": "100000.00", "equity": "100000.000"}})
    record = lab.run(lab.changed(dry_run=True))
    assert record["cash"] == "100000.00"
    assert record["account"]["equity"] == "100000.000"
    assert lab.trades.query("SELECT cash FROM runs") == [{"cash": "100000.00"}]


def test_half_a_surrogate_pair_in_a_text_is_recorded(root: Path) -> None:
    """A vendor's JSON may hold one: its record never keeps later runs from theirs."""

    def rule(_history: object, _equity: float) -> dict[str, float]:
        raise ValueError("\ud800 is no character")

    lab = make_lab(root)
    assert lab.run(lab.changed(rule=rule))["code"] == "strategy_failed"
    (root / "trades.db").unlink()
    assert lab.run()["outcome"] == "traded"
    assert len(lab.trades.query("SELECT reason FROM runs")) == 2


def test_a_trades_db_that_breaks_after_the_orders_interrupts(root: Path) -> None:
    """It sent orders, so it is never called halted; its record counts, and the next run completes the db."""
    lab = make_lab(root)

    def watch(verb: str, key: str) -> None:
        if verb == "put" and key.endswith("SHA256SUMS"):
            damage(lab)

    lab.watch = watch
    with pytest.raises(Interrupted) as caught:
        lab.run()
    assert caught.value.code == "database_damaged"
    lab.watch = None
    (root / "trades.db").unlink()
    assert lab.run()["outcome"] == "in_band"
    lab.check_books()


def test_a_store_that_fills_up_never_loses_an_order(root: Path) -> None:
    """Unwritable from any call on: before the plan nothing is sent; after the orders it is interrupted."""
    for at in range(1, 20):
        lab = make_switch(root / str(at))
        calls: list[str] = []

        def watch(verb: str, _key: str, calls: list[str] = calls, at: int = at) -> None:
            calls.append(verb)
            if len(calls) >= at and verb == "put":
                raise OSError(28, "No space left on device")

        lab.watch = watch
        try:
            lab.run()
            stop = None
        except (Halted, Interrupted) as caught:
            stop = caught
        if stop is not None:
            check = (stop.code, isinstance(stop, Interrupted))
            assert check == ("store_unwritable", bool(lab.posts()))
            assert stop.stage == "record"
            told = run_document(stopped_record(stop, "main", "paper", dry_run=False))
            assert len(told["orders"]) == len(lab.posts())
            assert told["run_id"] is not None
        lab.watch = None
        assert lab.run()["outcome"] in {"traded", "in_band"}
        assert sorted(lab.orders()) == [lab.order_id(symbol) for symbol in ("AAA", "BBB", "CCC")]
        lab.check_books()
