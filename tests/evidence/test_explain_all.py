from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from exchange_kit import order_body
from line_kit import START, Kill, make_lab, make_tape
from trimtab.core.limits import Execution, Risk
from trimtab.evidence.explain import explain

if TYPE_CHECKING:
    from pathlib import Path

    from line_kit import Lab
    from trimtab.adapters.exchange.tape import Tape
    from trimtab.core.record import Document
    from trimtab.evidence.explain import Explained

PRICES = {
    "BAND": 50.0,
    "BIGG": 80.0,
    "EXIT": 25.0,
    "HALT": 40.0,
    "KEPT": 100.0,
    "MINI": 10.0,
    "NOPE": 30.0,
    "RISE": 60.0,
    "TURN": 20.0,
    "UNIT": 300.0,
    "WASH": 100.0,
}
HELD = {"BAND": 200, "EXIT": 40, "KEPT": 274, "WASH": 20}
WEIGHTS = {
    "BAND": 0.101,  # 0.1 held: within the band
    "BIGG": 0.35,  # above the largest order
    "EXIT": 0.0,
    "HALT": 0.05,  # does not trade today
    "KEPT": 0.2767,  # fills the weights up to 1, so that the cash buffer scales them all
    "MINI": 0.0003,  # 30 USD where 50 are the least
    "NOPE": 0.0,  # neither wanted nor held
    "RISE": 0.04,  # opens a fifth higher
    "TURN": 0.10,
    "UNIT": 0.002,  # 200 USD of a share of 300 that has no fractions
    "WASH": 0.08,  # the owner's own order stands against it
}
EXPECTED = {
    "BAND": ("hold", "in_band", "execution.band"),
    "BIGG": ("buy", "staged", "risk.max_order_size"),
    "EXIT": ("sell", "max_turnover", "risk.max_turnover"),
    "HALT": ("buy", "timeout", "execution.fill_timeout_s"),
    "KEPT": ("hold", "in_band", "execution.band"),
    "MINI": ("hold", "min_order", "execution.min_order_usd"),
    "NOPE": ("hold", "no_weight", "no weight is wanted and nothing is held"),
    "RISE": ("hold", "max_gap", "risk.max_gap"),
    "TURN": ("buy", "max_turnover", "risk.max_turnover"),
    "UNIT": ("hold", "whole_share", "whole shares only"),
    "WASH": ("buy", "wash_trade", "another order of the account stands against it"),
}
"""What is done with each symbol, what binds it, and the key or the words that say so."""


def lab_of(root: Path, weights: dict[str, float], **changes: Any) -> Lab:  # noqa: ANN401 - as `make_lab`
    """Give a laboratory of 100,000 USD whose records say their configuration, as the program's do."""
    prices = {symbol: PRICES[symbol] for symbol in sorted(weights)}
    held = {symbol: shares for symbol, shares in HELD.items() if symbol in weights}
    cash = 100_000 - int(sum(shares * PRICES[symbol] for symbol, shares in held.items()))
    lab = make_lab(root, weights, held=held, cash=cash, tape=risen(make_tape(prices)), **changes)
    parts = {"execution": lab.mandate.execution, "risk": lab.mandate.risk}
    assert isinstance(parts["execution"], Execution)
    assert isinstance(parts["risk"], Risk)
    config = {name: json.loads(part.model_dump_json()) for name, part in parts.items()}
    lab.mandate = replace(lab.mandate, config=config | {"strategy": {"name": "a test"}})
    return lab


def risen(tape: Tape) -> Tape:
    """Let RISE open a fifth higher on the day of the run, and stay there."""
    if "RISE" not in tape.symbols:
        return tape
    today, column = tape.sessions >= np.datetime64(START), tape.symbols.index("RISE")
    prices = {name: getattr(tape, name).copy() for name in ("open", "high", "low", "close")}
    for values in prices.values():
        values[today, column] *= 1.2
    return replace(tape, **prices)


def chains(record: Document) -> dict[str, Explained]:
    return {chain.symbol: chain for chain in explain(record)}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Explained]:
    """Explain one run in which each constraint binds a symbol, and the cash buffer scales them all."""
    root = tmp_path_factory.mktemp("explained")
    lab = lab_of(root, WEIGHTS, max_turnover=0.3, min_order_usd=50.0, fill_timeout_s=8.0)
    assets = {"UNIT": {"fractionable": False}}
    lab.exchange.behave(halted=("HALT",), assets=assets)
    against = order_body("mine", "WASH", "sell", qty="5", type="limit", limit_price="100.5")
    by_hand = Kill(at=2, only="POST", meanwhile=lambda: lab.exchange.submit(against))
    record = lab.run(requests_=by_hand)
    assert record["outcome"] == "traded", record["reason"]
    return chains(record)


@pytest.mark.parametrize("symbol", sorted(WEIGHTS))
def test_each_order_and_hold_is_told_what_bound_it(told: dict[str, Explained], symbol: str) -> None:
    """One run, every constraint in it: each is named, with the key that changes it."""
    action, binding, words = EXPECTED[symbol]
    found = told[symbol]
    assert (found.action, found.binding) == (action, binding)
    assert words in found.means


@pytest.mark.parametrize("symbol", sorted(symbol for symbol, weight in WEIGHTS.items() if weight > 0))
def test_the_cash_buffer_of_the_run_is_told_of_each_target(told: dict[str, Explained], symbol: str) -> None:
    """Where the turnover cuts every order short, no order is bound by the buffer alone; its part is told."""
    assert " after the cash buffer: " in {step.name: step.says for step in told[symbol].steps}["target"]


def test_every_symbol_of_the_run_is_explained(told: dict[str, Explained]) -> None:
    """Nothing that the run might have traded is left without a word."""
    assert set(told) == set(WEIGHTS)


@pytest.mark.parametrize(
    ("weights", "changes", "symbol", "binding"),
    [
        ({"TURN": 0.55, "BIGG": 0.45}, {"max_order_size": 1.0, "max_turnover": 1.0}, "TURN", "cash_buffer"),
        ({"TURN": 0.15}, {}, "TURN", "to_target"),
        ({"UNIT": 0.10}, {"fractional": False}, "UNIT", "whole_share"),
        ({"UNIT": 0.15}, {"fractional": False}, "UNIT", "to_target"),  # 50 whole shares
        ({"EXIT": 0.0, "TURN": 0.1}, {}, "EXIT", "exit"),
    ],
)
def test_what_made_a_target_lower_than_asked_bound_the_order(
    tmp_path: Path, weights: dict[str, float], changes: dict[str, Any], symbol: str, binding: str
) -> None:
    """An order that goes to its target is bound by what set it: whole shares, the buffer, or nothing."""
    record = lab_of(tmp_path, weights, **changes).run()
    assert record["outcome"] == "traded", record["reason"]
    assert chains(record)[symbol].binding == binding


def test_cash_binds_where_a_capped_sell_pays_too_little(tmp_path: Path) -> None:
    """The buys are scaled to what is there: cash, and what today's sells bring."""
    weights = {"BAND": 0.1, "BIGG": 0.4, "TURN": 0.4}
    sizes = {"max_order_size": 1.0, "max_order_size_by_symbol": {"BAND": 0.1}, "max_turnover": 1.0}
    lab = lab_of(tmp_path, weights, **sizes)
    lab.exchange.journal("BAND", Decimal(1700))
    lab.exchange.journal(amount=Decimal(-85_000))
    found = chains(lab.run())
    assert {symbol: chain.binding for symbol, chain in found.items()} == {
        "BAND": "staged",
        "BIGG": "cash",
        "TURN": "cash",
    }


def test_a_refused_sell_keeps_the_buys_back(tmp_path: Path) -> None:
    """The sell is told as the broker refused it, and the buys by that."""
    lab = lab_of(tmp_path, {"EXIT": 0.0, "TURN": 0.1})
    against = order_body("mine", "EXIT", "buy", qty="5", type="limit", limit_price="24.9")
    by_hand = Kill(at=1, only="POST", meanwhile=lambda: lab.exchange.submit(against))
    record = lab.run(requests_=by_hand)
    assert record["code"] == "sell_refused", record["reason"]
    assert {s: chain.binding for s, chain in chains(record).items()} == {
        "EXIT": "wash_trade",
        "TURN": "sell_refused",
    }


def test_what_the_kill_switch_stopped_is_told_by_it(tmp_path: Path) -> None:
    """A run that is halted on its way says so of each order that it did not send."""
    lab = lab_of(tmp_path, {"TURN": 0.1})
    stop = Kill(at=2, only="put", after=True, meanwhile=lambda: lab.store.put_if_absent("HALT", b"drill"))
    record = lab.run(store=stop)
    found = chains(record)["TURN"]
    assert (record["outcome"], found.binding) == ("halted", "kill_switch"), record["reason"]
    assert found.means.startswith("the run ended before this order was sent: kill_switch")
