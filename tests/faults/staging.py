"""Staging: what twists and cells are made of: deaths at a step, orders that no run sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exchange_kit import order_body
from trimtab.adapters.exchange.records import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.schedules import Play
    from faults.simulation import Process

DISTURBED = {
    "positions_differ",
    "reconcile",
    "kill_switch",
    "open_order",
    "equity_identity",
    "max_equity_move",
}
"""Codes with which a run refuses when someone else trades in the account."""
PLANNED, SENT = "put plans/", "POST /v2/orders"


def happen(drama: Play, what: Callable[[], object]) -> None:
    """Let something happen at a random step of the storm."""
    simulation = drama.simulation
    simulation.happenings.append((simulation.steps + drama.rng.randrange(10, 140), what))


def stormy(what: Callable[[Play], None]) -> Callable[[Play], None]:
    """Make a twist of something that happens at a random step of a storm."""

    def play(drama: Play) -> None:
        happen(drama, lambda: what(drama))
        drama.storm()

    return play


def plant(drama: Play, order_id: str, symbol: str, side: str, **more: Any) -> bool:  # noqa: ANN401 - of the body
    """Put an order into the account that no run sent; say whether the broker took it."""
    try:
        drama.simulation.planted.add(order_id)
        drama.simulation.exchange.submit(order_body(order_id, symbol, side, **more))
    except Refusal:
        return False
    return True


def die(process: Process) -> None:
    """End a process at its next step."""
    process.dead = True


def killed_after(drama: Play, step: str, name: str = "run") -> Process:
    """Run until the first step of that name, and die right after it."""
    drama.simulation.triggers.append((step, die))
    process = drama.process(name)
    drama.run(process)
    drama.simulation.triggers.clear()
    return process
