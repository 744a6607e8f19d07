from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.core.sizing import Why
from trimtab.evidence.explain import MEANS, explain

if TYPE_CHECKING:
    from cli.conftest import Desk

STORE = "trimtab-data"
STEPS = [
    "price",
    "weight",
    "target",
    "drift",
    "band",
    "quote",
    "rounding",
    "caps",
    "verdicts",
    "slots",
    "fills",
    "taxes",
]


def chain(document: dict[str, Any], symbol: str) -> dict[str, str]:
    """Give a symbol's steps by name, and its binding."""
    row = next(row for row in document["symbols"] if row["symbol"] == symbol)
    return {step["step"]: step["says"] for step in row["steps"]} | {
        "binding": row["binding"],
        "action": row["action"],
    }


def newest(desk: Desk) -> dict[str, Any]:
    """Give the newest record."""
    records = desk.records(STORE)
    return json.loads(json.dumps(max(records, key=lambda record: str(record["run_id"]))))  # type: ignore[no-any-return]  # a copy of a JSON object


def test_every_reason_has_its_meaning() -> None:
    """What a plan can say of an order or a hold, a person is told the key of."""
    assert {str(why.name).lower() for why in (*Why, Why.TO_TARGET)} <= MEANS.keys()


@pytest.mark.parametrize(
    ("config", "seen"),
    [
        ({}, {"staged", "cash_buffer", "in_band"}),
        ({"execution": {"band": 0.0, "band_relative": 0.0}}, {"staged", "cash_buffer"}),
        ({"execution": {"fractional": False}}, {"staged", "whole_share", "in_band"}),
        ({"execution": {"cash_buffer": 0.0}}, {"staged", "to_target", "in_band"}),
        ({"risk": {"max_turnover": 0.3}}, {"max_turnover"}),
        ({"risk": {"max_order_usd": 500.0}}, {"max_order_usd"}),
        ({"execution": {"min_order_usd": 30000.0}}, {"min_order"}),
    ],
)
def test_every_order_and_hold_is_explained_by_what_bound_it(
    desk: Desk, config: dict[str, Any], seen: set[str]
) -> None:
    """Each symbol has its whole chain, bound by what the plan gave as its reason, or what set its target."""
    lower = "whole_share" if config.get("execution", {}).get("fractional") is False else "cash_buffer"
    lower = "to_target" if config.get("execution", {}).get("cash_buffer") == 0 else lower
    desk.write(**config)
    assert desk("run", "--sessions", "4").status == 0
    bound = set()
    for record in desk.records(STORE):
        document = desk("explain", record["run_id"], "--json").document
        reasons = {row["symbol"]: row["reason"].split(":")[0] for row in record["planned"] + record["holds"]}
        told = {symbol: lower if reason == "to_target" else reason for symbol, reason in reasons.items()}
        assert {row["symbol"]: row["binding"] for row in document["symbols"]} == told
        for row in document["symbols"]:
            assert [step["step"] for step in row["steps"]] == STEPS
        bound |= set(told.values())
    assert seen <= bound


def test_the_chain_shows_the_numbers_of_the_plan(desk: Desk) -> None:
    """Price, weight, target, drift, band, caps, slots and fills, as they were recorded."""
    assert desk("run").status == 0
    record = newest(desk)
    found = chain(desk("explain", "last", "AAA", "--json").document, "AAA")
    order = next(row for row in record["planned"] if row["symbol"] == "AAA")
    assert (found["action"], found["binding"]) == ("buy", "staged")
    assert found["price"] == f"{float(record['closes']['AAA']):.4f} USD, the last close"
    assert found["weight"].startswith("33.33% asked by equal_weight, decided on")
    assert found["target"].startswith("33.00% of 100,000.00 USD after the cash buffer: 33,000.00 USD")
    assert found["drift"] == "0 shares held, 0.00%: -33.00% from the target"
    assert found["band"] == "33,000.00 USD away, beyond the band of 500.00 USD"
    assert found["caps"].endswith(f"planned: buy {order['qty']} shares (staged)")
    assert found["slots"].startswith(record["orders"][0]["client_order_id"])
    assert record["fills"][0]["price"] in found["fills"]
    text = desk("explain", "last").out
    assert "AAA: buy, staged" in text
    assert "risk.max_order_size" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("ended", "binding"),
    [
        ("refused: 403 potential wash trade detected", "wash_trade"),
        ("refused: 422 the asset is halted", "refused"),
        ("max_gap: quoted 12.0, 30% from 10.0", "max_gap"),
        ("timeout: not filled within 120 s", "timeout"),
    ],
)
def test_what_ended_an_order_short_is_what_bound_it(desk: Desk, ended: str, binding: str) -> None:
    """After the plan, the broker and the quote guard decide; the chain names them."""
    assert desk("run").status == 0
    record = newest(desk)
    record["orders"][0]["ended"] = ended
    found = next(row for row in explain(record) if row.symbol == record["orders"][0]["symbol"])
    assert found.binding == binding
    assert ended in {step.name: step.says for step in found.steps}["slots"]


def test_a_rule_that_refused_the_plan_bound_all_of_it(desk: Desk) -> None:
    """Where the risk review refused, each symbol says by which rule and what it saw."""
    desk.write(risk={"max_exposure": 0.1})
    assert desk("run").status == 3
    found = chain(desk("explain", "last", "--json").document, "BBB")
    assert found["binding"] == "max_exposure"
    assert found["verdicts"].startswith("max_exposure refuses portfolio: ")
    assert found["slots"] == "no order in this record"


def test_what_can_not_be_explained_is_said(desk: Desk) -> None:
    """A symbol that the plan does not know, a run that ended before one, and a damaged record."""
    assert desk("run").status == 0
    done = desk("explain", "last", "aaa", "--json")
    assert (done.status, done.document["error"]["hint"]) == (2, "did you mean AAA?")
    assert desk("halt", "a test").status == 0
    assert desk("run").status == 3
    done = desk("explain", "last")
    assert done.status == 0
    assert "No plan to explain: kill_switch" in done.out
    path = next((desk.folder / STORE / "runs").rglob("record.json"))
    path.write_bytes(path.read_bytes() + b" ")
    assert desk("explain", path.parent.name).status == 3
