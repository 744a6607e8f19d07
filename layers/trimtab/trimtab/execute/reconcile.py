"""Reconcile: whether the holdings are what the plan started from and what its orders filled."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from trimtab.execute.floor import observe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.execute.floor import Chain, Floor

SETTLE_S = 30.0
"""Seconds that positions may lag behind fills (Alpaca: up to about 10)."""
FIRST_POLL_S, POLL_S = 1.0, 8.0
"""Seconds between two looks: the first pause, doubling up to the last."""
SHARE_TOLERANCE = Decimal("0.00001")
USD_TOLERANCE = Decimal(1)


def judge_base(floor: Floor, chains: Sequence[Chain]) -> None:
    """Before a plan is continued none of whose orders is open: the holdings must be base and fills.

    Raises:
        Halted: someone else traded; the plan no longer fits.
    """
    if any(chain.in_flight for chain in chains):
        return
    wrong = differences(floor, chains)
    if wrong and not any(chain.in_flight for chain in chains):
        seen = ", ".join(f"{symbol} {shares:+f}" for symbol, shares in wrong.items())
        message = "holdings are not what the plan started from and filled"
        raise floor.stop(
            "positions_differ", message, seen=seen, hint="wait for the next session: it plans afresh"
        )


def reconcile(floor: Floor, chains: Sequence[Chain]) -> None:
    """After trading, hold the positions against base and fills.

    Raises:
        Halted | Interrupted: another run's order is open; or they differ, and every later run is latched.
    """
    wrong = differences(floor, chains)
    if moving := [chain.slots[-1].client_order_id for chain in chains if chain.in_flight]:
        raise floor.stop("order_open", "another run's order of this plan is open", seen=moving[0])
    if wrong:
        seen = ", ".join(f"{symbol} {shares:+f}" for symbol, shares in wrong.items())
        raise floor.latch("reconcile", "after trading, holdings differ from base and fills", seen=seen)


def differences(floor: Floor, chains: Sequence[Chain]) -> dict[str, Decimal]:
    """Give the shares by which positions differ from base and fills, once 30 s did not bring them together.

    What two reads in a row show at the end counts, of every symbol of the plan, traded or not. Before each
    further look the slots are walked again: an order that no list showed yet, or one of another run, may
    explain the difference.

    Raises:
        Unreachable: positions can't be read.
        Halted | Interrupted: an order under our id is not the plan's, or no time is left.
    """
    clock, started, pause, late = floor.world.clock, floor.world.clock.monotonic(), FIRST_POLL_S, False
    while True:
        again, late = late, clock.monotonic() - started > SETTLE_S
        wrong = _apart(floor, chains)
        if again or not wrong:
            return wrong
        floor.judge_deadline()
        clock.sleep(FIRST_POLL_S if late else pause)
        pause = min(2 * pause, POLL_S)
        observe(floor, chains, look_up=[chain for chain in chains if chain.order.symbol in wrong])


def _apart(floor: Floor, chains: Sequence[Chain]) -> dict[str, Decimal]:
    """Give the shares by which the holdings of the plan's symbols differ, traded or not, beyond tolerance."""
    held = {position.symbol: position.qty for position in floor.world.broker.positions()}
    due = dict(floor.base)
    for chain in chains:
        due[chain.order.symbol] += chain.filled if chain.order.side == "buy" else -chain.filled
    apart = {symbol: held.get(symbol, Decimal(0)) - shares for symbol, shares in due.items()}
    return {symbol: shares for symbol, shares in apart.items() if _matters(shares, floor.prices[symbol])}


def _matters(shares: Decimal, price: float) -> bool:
    """Say whether a difference is more than 0.00001 share and more than 1 USD."""
    return abs(shares) > SHARE_TOLERANCE and abs(shares) * Decimal(str(price)) > USD_TOLERANCE
