from __future__ import annotations

import csv
import json
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cli.conftest import Desk

STORE = "trimtab-data"
D = Decimal


@pytest.fixture
def lived(desk: Desk) -> Desk:
    """Give a portfolio that bought, and then sold some of it for another goal."""
    assert desk("run", "--sessions", "3").status == 0
    weights = {"AAA": 0.2, "BBB": 0.1, "CCC": 0.5}
    desk.write(strategy={"name": "fixed_weights", "params": {"weights": weights}})
    assert desk("run", "--sessions", "2").status == 0
    return desk


def test_the_lots_are_the_holdings_and_the_sales_the_fills(lived: Desk) -> None:
    """Share by share: what the lots hold is what the account does; what was sold stands once."""
    document = lived("lots", "--json").document
    held: dict[str, Decimal] = defaultdict(Decimal)
    for lot in document["lots"]:
        held[lot["symbol"]] += D(lot["qty"])
    status = lived("status", "--json").document
    assert held == {row["symbol"]: D(row["qty"]) for row in status["holdings"]}
    fills = [fill for record in lived.records(STORE) for fill in record["fills"]]
    sold = sum(D(fill["qty"]) * D(fill["price"]) for fill in fills if fill["side"] == "sell")
    assert sold > 0
    assert sum(D(sale["proceeds"]) for sale in document["sales"]) == pytest.approx(sold, abs=D("0.05"))
    gain = sum(D(sale["gain"]) for sale in document["sales"])
    years = [row for row in document["years"] if row["term"] == "short"]
    assert sum(D(row["gain"]) for row in years) == pytest.approx(gain, abs=D("0.05"))
    assert document["moved"] == []


def test_one_symbol_is_told_lot_by_lot(lived: Desk) -> None:
    """Each purchase with its day, price and term; a symbol that was never held is told."""
    text = lived("lots", "CCC").out
    assert "Lots of CCC, the first to be sold first" in text
    assert text.count("short") >= 2
    assert max(map(len, text.splitlines())) <= 100
    done = lived("lots", "ccc", "--json")
    assert (done.status, done.document["error"]["hint"]) == (2, "did you mean CCC?")


def test_a_years_sales_go_to_a_spreadsheet(lived: Desk) -> None:
    """The file has a line for each lot of each sale, with what the document says."""
    year = lived("lots", "--json").document["years"][0]["year"]
    done = lived("lots", "--year", str(year), "--csv", "sales.csv", "--json")
    with (lived.folder / "sales.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["gain"] for row in rows] == [sale["gain"] for sale in done.document["sales"]]
    assert {row["term"] for row in rows} == {"short"}
    other = lived("lots", "--year", "1999", "--json").document
    assert other["sales"] == []
    assert other["years"]


def test_what_a_plan_would_realise_is_told_before_it_is_sent(lived: Desk) -> None:
    """The plan, and the explanation of the run that then trades it, say the same of each sell."""
    weights = {"AAA": 0.3, "BBB": 0.3, "CCC": 0.1}
    lived.write(strategy={"name": "fixed_weights", "params": {"weights": weights}})
    assert lived("run", "--next", "--dry-run").status == 0
    planned = lived("plan").out
    told = planned.partition("Taxes, estimated")[2].partition("\n\n")[0]
    assert "CCC" in told
    assert "short term" in told
    assert lived("run").status == 0
    rows = lived("explain", "last", "--json").document["symbols"]
    taxes = {row["symbol"]: row["steps"][-1]["says"] for row in rows}
    assert taxes["CCC"] in " ".join(told.split())
    assert "nothing is realised" in taxes.values()


def test_a_store_without_trades_has_no_lots(desk: Desk) -> None:
    """An empty store is said to be, and makes no file."""
    done = desk("lots")
    assert (done.status, done.out) == (0, "main: no shares are recorded as held or sold\n")
    assert json.loads(desk("lots", "--json").out)["lots"] == []
    assert desk.files() == {"config.json"}
