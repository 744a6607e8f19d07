from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.evidence.diff import diff

if TYPE_CHECKING:
    from cli.conftest import Desk

STORE = "trimtab-data"


def ids(desk: Desk) -> list[str]:
    """Give the ids of the runs, oldest first."""
    return sorted(record["run_id"] for record in desk.records(STORE))


def test_a_run_beside_itself_is_the_same(desk: Desk) -> None:
    """Nothing changed, and that is said."""
    assert desk("run").status == 0
    done = desk("diff", "last", "last", "--json")
    assert done.status == 0
    same = ("code", "config", "prices", "weights", "plan")
    assert [done.document[name] for name in same] == [[]] * 5
    assert done.document["money"]["change"] == 0
    assert "the same in both: code, config, prices, weights, plan" in done.err


def test_prices_and_holdings_are_what_changed(desk: Desk) -> None:
    """The earlier run comes first however they are named; the parts of the equity's change sum to it."""
    assert desk("run", "--sessions", "3").status == 0
    first, _, last = ids(desk)
    document = desk("diff", last, first, "--json").document
    assert [run["run_id"] for run in document["runs"]] == [first, last]
    assert {row["symbol"] for row in document["prices"]} == {"AAA", "BBB", "CCC"}
    assert (document["code"], document["config"], document["weights"]) == ([], [], [])
    money = document["money"]
    assert money["prices"] != 0
    assert money["prices"] + money["flows"] + money["rest"] == pytest.approx(money["change"])
    assert {"price", "holding", "equity"} <= set(document["plan"][0]["because"])
    text = desk("diff", first, last).out
    assert "trades, dividends and the rest" in text
    assert "what is not the same" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_changed_key_is_named_with_both_values(desk: Desk) -> None:
    """A configuration that changed is told key by key, and is a cause of what the plan does."""
    assert desk("run").status == 0
    desk.write(risk={"max_order_size": 0.1}, execution={"band": 0.01})
    assert desk("run", "--next").status == 0
    document = desk("diff", *ids(desk), "--json").document
    assert {row["key"]: (row["first"], row["second"]) for row in document["config"]} == {
        "risk.max_order_size": (0.2, 0.1),
        "execution.band": (0.005, 0.01),
    }
    assert all("config" in row["because"] for row in document["plan"])


def records(desk: Desk) -> list[dict[str, Any]]:
    """Give copies of three runs' records, oldest first."""
    assert desk("run", "--sessions", "3").status == 0
    found = sorted(desk.records(STORE), key=lambda record: str(record["run_id"]))
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]  # a list of JSON objects


def test_what_came_in_between_is_a_flow_and_no_gain(desk: Desk) -> None:
    """A deposit that a run between saw first counts; a dry run's does not: a later run sees it again."""
    first, between, last = records(desk)
    before = diff([first, between, last])["money"]
    between["flows"] = [{"amount": "500.00"}]
    money = diff([first, between, last])["money"]
    assert money["flows"] == 500
    assert money["rest"] == pytest.approx(before["rest"] - 500)
    assert "flows" in diff([first, between, last])["plan"][0]["because"]
    between["dry_run"] = True
    assert diff([first, between, last])["money"]["flows"] == 0


def test_weights_and_code_are_told(desk: Desk) -> None:
    """A weight's change is in parts of the whole, a digest's in its first characters."""
    first, _, last = records(desk)
    last["weights"]["AAA"] = "0.5"
    last["code_digest"] = "f" * 64
    document = diff([first, last])
    assert [(row["symbol"], round(row["change"], 6)) for row in document["weights"]] == [("AAA", 0.166667)]
    assert [row["key"] for row in document["code"]] == ["code_digest"]


def test_a_run_that_ended_early_has_no_equity_to_split(desk: Desk) -> None:
    """A halted run beside a traded one: its plan is missing, its money unknown."""
    assert desk("run").status == 0
    assert desk("halt", "a test").status == 0
    assert desk("run", "--next").status == 3
    done = desk("diff", *ids(desk), "--json")
    assert done.status == 0
    assert done.document["money"]["change"] is None
    assert {row["second"] for row in done.document["plan"]} == {None}
    assert desk("diff", "last", "1999").status == 2
