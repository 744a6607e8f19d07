"""Cancel: the end of orders in flight, asked for: when their time is over, or when the owner said halt."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from trimtab.errors import Halted, Interrupted
from trimtab.execute.floor import REQUEST_S, observe
from trimtab.ports import Unauthorized, Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.execute.floor import Chain, Floor

CANCELS = 3
"""Requests for one order's end: more would take what the run's other requests need."""
WITHDRAW_S = 15.0
"""Seconds that a halted run waits for its orders to end."""
POLL_S = 1.0


def cancel(floor: Floor, chains: Sequence[Chain]) -> None:
    """Ask for each open order's end, until the question arrived; no further once one is lost.

    The order asked for least often comes first, so that one whose cancel always fails does not stop the
    others', and a broker that is gone is not asked once for each.

    Raises:
        Halted | Interrupted: the run's requests are used up, or the deadline is near.
    """
    waiting = [chain for chain in chains if not chain.cancelling and chain.cancels < CANCELS]
    for chain in sorted(waiting, key=lambda chain: chain.cancels):
        floor.judge_deadline(REQUEST_S)
        floor.spend_request()
        chain.cancels += 1
        try:
            floor.world.broker.cancel(chain.slots[-1].id)
        except Unreachable:
            return  # the next look asks again
        chain.cancelling = True


def withdraw(floor: Floor, chains: Sequence[Chain]) -> None:
    """Cancel what is open of the plan and see it end, as far as requests, deadline and 15 seconds allow."""
    clock, started = floor.world.clock, floor.world.clock.monotonic()
    with suppress(Unreachable, Unauthorized, Halted, Interrupted):
        observe(floor, chains)
        while moving := [chain for chain in chains if chain.in_flight]:
            if clock.monotonic() - started >= WITHDRAW_S:
                return
            cancel(floor, moving)
            clock.sleep(POLL_S)
            observe(floor, chains)
