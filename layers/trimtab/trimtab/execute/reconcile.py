"""Reconcile: whether the holdings are what the plan started from and what its orders filled."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from trimtab.execute.floor import observe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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

    Before each further look the slots are walked again: an order that no list showed yet, or one of another
    run, may explain the difference.

    Raises:
        Unreachable: positions can't be read.
        Halted | Interrupted: an order under our id is not the plan's, or no time is left.
    """
    clock, started, pause = floor.world.clock, floor.world.clock.monotonic(), FIRST_POLL_S
    while True:
        late = clock.monotonic() - started > SETTLE_S
        held = {p.symbol: p.qty for p in floor.world.broker.positions()}
        apart = {chain.order.symbol: _apart(chain, held) for chain in chains}
        wrong = {symbol: shares for symbol, shares in apart.items() if shares}
        if late or not wrong:
            return wrong
        floor.judge_deadline()
        clock.sleep(pause)
        pause = min(2 * pause, POLL_S)
        observe(floor, chains, look_up=True)


def _apart(chain: Chain, held: Mapping[str, Decimal]) -> Decimal:
    """Give the difference of one holding, 0 where it is within 0.00001 share or 1 USD."""
    sign = 1 if chain.order.side == "buy" else -1
    shares = held.get(chain.order.symbol, Decimal(0)) - (chain.order.base + sign * chain.filled)
    small = abs(shares) <= SHARE_TOLERANCE or abs(shares) * Decimal(str(chain.order.price)) <= USD_TOLERANCE
    return Decimal(0) if small else shares
