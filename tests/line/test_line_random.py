"""Random: schedules of faults, kills, lags and partial fills; the line keeps its promises in each."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from line_kit import Kill, Killed, Lab, make_switch

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.core.record import Document

ACTIONS = ("drop", "hang", "html", "truncated", "garbage", "empty", "delay", "duplicate", "late", "status")


def make_random(root: Path, rng: random.Random) -> Lab:
    """A laboratory that behaves by chance, with up to three faults to come."""
    delays = {view: rng.uniform(0, 10) for view in ("orders", "positions", "account") if rng.random() < 0.4}
    behaviour = {
        "latency_s": rng.choice([0.2, 2.0, 40.0]),
        "partial_probability": rng.choice([0.0, 0.5, 1.0]),
        "halted": rng.choice([(), (), ("AAA",), ("BBB",)]),
        "delays": delays,
    }
    lab = make_switch(root, behaviour=behaviour)
    lab.exchange.advance(30.0)
    for _ in range(rng.randrange(4)):
        lab.fault(
            rng.choice(ACTIONS),
            rng.choice(["*", "POST", "DELETE", "GET"]),
            ".*",
            nth=rng.randrange(1, 40),
            times=rng.choice([1, 1, 3, 12]),
            when=rng.choice(["before", "after"]),
            status=rng.choice([429, 500, 503, 504]),
            seconds=rng.uniform(1, 60),
        )
    return lab


def check_promises(lab: Lab, where: str) -> None:
    """Fills within the plan, no id twice, no short, no debt, no latch, and no order without a plan."""
    plan = lab.plan()
    wanted = {order["symbol"]: Decimal(order["qty"]) for order in plan["orders"]} if plan else {}
    filled: Counter[str] = Counter()
    for order in lab.orders().values():
        filled[order.symbol] += order.filled_qty  # type: ignore[assignment]  # shares
    assert all(shares <= wanted[symbol] for symbol, shares in filled.items()), where
    assert all(shares >= 0 for shares in lab.held().values()), where
    assert lab.cash() >= 0, where
    assert lab.halted() is None, where


def run_once(lab: Lab, rng: random.Random) -> Document | None:
    """Run, or die somewhere."""
    if rng.random() < 0.5:
        return lab.run()
    with suppress(Killed):
        return lab.run(requests_=Kill(rng.randrange(1, 40), after=rng.random() < 0.5))
    return None


def drive(root: Path, seed: int) -> Lab:
    """Two runs in the storm, then calm; one more run is enough."""
    rng = random.Random(seed)
    lab = make_random(root, rng)
    for _ in range(2):
        run_once(lab, rng)
        check_promises(lab, f"seed {seed}")
    lab.face.faults.clear()
    lab.exchange.behave(halted=(), delays={}, partial_probability=0.0, latency_s=0.2)
    lab.exchange.advance(90.0)
    record = lab.run()
    assert record["outcome"] in {"traded", "in_band"}, (seed, record["reason"])
    check_promises(lab, f"seed {seed}")
    return lab


@pytest.mark.parametrize("seed", range(40))
def test_any_storm_ends_in_one_calm_run(root: Path, seed: int) -> None:
    """Whatever happened: one run in calm finishes the plan, and the books agree, order by order."""
    drive(root, seed).check_books()
