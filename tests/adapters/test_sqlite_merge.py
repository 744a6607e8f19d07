"""Merging: what a row becomes that two runs tell of."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from trimtab.adapters.sqlite import SqliteTrades

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.fixture
def trades(tmp_path: Path) -> SqliteTrades:
    """Give a trades.db that no one has made yet."""
    return SqliteTrades(tmp_path / "trades.db")


def test_an_order_keeps_the_run_that_recorded_it_first(trades: SqliteTrades) -> None:
    """A later run brings what became of the order, not whose it is."""
    trades.add({"orders": [ORDER]})
    ended = {
        **ORDER,
        "run_id": "r2",
        "status": "filled",
        "filled_qty": "1.50",
        "finished_at": "2020-03-16T14:01:00Z",
    }
    trades.add({"orders": [ended]})
    (order,) = trades.query("SELECT run_id, status, filled_qty FROM orders")
    assert order == {"run_id": "r1", "status": "filled", "filled_qty": "1.50"}


def test_a_flow_keeps_the_run_that_saw_it_first(trades: SqliteTrades) -> None:
    """Two runs at once may both see it as new; it is counted once, where it was first."""
    for run_id in ("r1", "r2"):
        trades.add({"flows": [{"id": "a1", "portfolio": "main", "run_id": run_id, "amount": "500.00"}]})
    assert trades.query("SELECT run_id, amount FROM flows") == [{"run_id": "r1", "amount": "500.00"}]


def beside(run_id: str, ended: str, **order: object) -> dict[str, list[dict[str, object]]]:
    """Give a run that ended at a second of 14:00, with its view of an order, a flow and the account."""
    at = f"2020-03-16T14:00:{ended}.000000Z"
    return {
        "runs": [{"run_id": run_id, "portfolio": "main", "finished_at": at}],
        "orders": [{**ORDER, "run_id": run_id, **order}],
        "equity": [{"portfolio": "main", "session": "s", "at": at, "equity": run_id, "run_id": run_id}],
        "flows": [{"id": "a1", "portfolio": "main", "run_id": run_id, "amount": "500.00"}],
    }


@pytest.mark.parametrize("ends", [("01", "02"), ("02", "01"), ("01", "01")])
def test_of_two_runs_side_by_side_either_may_be_written_first(tmp_path: Path, ends: tuple[str, str]) -> None:
    """Who waits for whom at the database decides nothing: the rows are those of the records."""
    open_one = beside("r1", ends[0], arrival_price="240")
    ended = beside("r2", ends[1], status="filled", filled_qty="1.50", finished_at="2020-03-16T14:00:00Z")
    found = []
    for n, pair in enumerate(((open_one, ended), (ended, open_one))):
        base = SqliteTrades(tmp_path / f"{n}.db")
        for rows in pair:
            base.add(rows)
        base.add(pair[0])
        found.append([base.query(f"SELECT * FROM {name} ORDER BY 1, 3") for name in open_one])  # noqa: S608 - our own names
    assert found[0] == found[1]
    (order,) = found[0][1]
    first = "r2" if ends == ("02", "01") else "r1"
    assert (order["run_id"], order["status"], order["arrival_price"]) == (first, "filled", "240")
    assert {row["run_id"] for row in found[0][3]} == {first}
    if ends == ("01", "01"):
        assert found[0][2][0]["run_id"] == "r1"


def test_an_arrival_price_stays_with_its_order(trades: SqliteTrades) -> None:
    """Only the run that sent the order knows the quote; a later view of the order leaves it."""
    trades.add({"orders": [{**ORDER, "arrival_price": Decimal("240.10")}]})
    trades.add({"orders": [{**ORDER, "status": "filled", "finished_at": "2020-03-16T14:01:00Z"}]})
    assert trades.query("SELECT status, arrival_price FROM orders") == [
        {"status": "filled", "arrival_price": "240.10"}
    ]


def test_an_ended_order_is_never_made_open_again(trades: SqliteTrades) -> None:
    """An older record that is imported late does not undo what is known."""
    ended = {**ORDER, "status": "filled", "filled_qty": "1.50", "finished_at": "2020-03-16T14:01:00Z"}
    trades.add({"orders": [ended]})
    trades.add({"orders": [ORDER]})
    assert trades.query("SELECT status, filled_qty FROM orders") == [
        {"status": "filled", "filled_qty": "1.50"}
    ]
