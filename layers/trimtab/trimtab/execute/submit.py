"""Submit: one order, one attempt at a time, until its fate is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.execute.floor import REQUEST_S, RESERVE_S, Chain, Floor, adopt
from trimtab.ports import Accepted, Refused, Unknown, Unreachable
from trimtab.switch import cure, kill_switch, said

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.core.portfolio import OrderRequest

POLL_S = 1.0
ABSENT_SEEN = 3
ABSENT_S = 12.0
"""An order is absent once the broker said so this often, over this many seconds: longer than its views lag
(up to about 10), or a sell that lives would pass for one that never was, and the buys would begin."""
RESOLVE_S = 60.0
"""Seconds after which an order whose fate is unknown interrupts the run."""
REPOSTS = 3


def judge_flag(floor: Floor) -> None:
    """Stop where the owner, or a latch, said halt since the run began.

    Raises:
        Halted | Interrupted: code `kill_switch`.
    """
    flag = kill_switch(floor.world.store, floor.mandate.portfolio)
    if flag is not None:
        seen = said(flag[1]) or flag[0]
        raise floor.stop("kill_switch", f"{flag[0]} is set", seen=seen, hint=cure(flag[0]))


def permitted(floor: Floor, fresh: Callable[[], bool]) -> bool:
    """Look once more, right before an order is sent; False where its quote aged while the store answered.

    Raises:
        Halted | Interrupted: the kill switch is set, the deadline is near, or the run's requests are used up.
    """
    judge_flag(floor)
    floor.judge_deadline(REQUEST_S)
    if not fresh():
        return False
    floor.spend_request()
    return True


def submit(floor: Floor, chain: Chain, request: OrderRequest, fresh: Callable[[], bool]) -> None:
    """Send one order in one attempt, and learn its fate.

    An order that is absent for sure leaves its chain as it was: it is sized, judged and sent anew, under the
    same id; and so is one that is not `fresh` any more once the kill switch was read, which may take long.

    Raises:
        Halted | Interrupted: not permitted, or the fate stays unknown.
    """
    if not floor.may_use(request.client_order_id):
        chain.ended = "max_orders: the session's order ids are used up"
        return
    if chain.attempts > REPOSTS:
        raise floor.stop(
            "order_lost", "the broker took none of several attempts", seen=request.client_order_id
        )
    if not permitted(floor, fresh):
        return
    chain.attempts += 1
    floor.sent.append(request.client_order_id)
    outcome = floor.world.broker.submit(request)
    if isinstance(outcome, Accepted):
        adopt(floor, chain, len(chain.slots), outcome.order)
        return
    # A refusal, too, is looked up: another run's order under the id, or an earlier attempt that was
    # late, may be what used up the money or the shares.
    found = _found(floor, chain, request, _said(outcome))
    if isinstance(outcome, Refused) and not found:
        chain.ended = f"refused: {_said(outcome)}"


def _said(outcome: Refused | Unknown) -> str:
    if isinstance(outcome, Refused):
        return f"{outcome.status} {outcome.code} {outcome.message}"
    return outcome.detail


def _found(floor: Floor, chain: Chain, request: OrderRequest, detail: str) -> bool:
    """Look an order of unknown fate up until it is found, or absent for sure (False).

    Raises:
        Interrupted: it stayed unknown.
    """
    clock, started, absent = floor.world.clock, floor.world.clock.monotonic(), 0
    while True:
        waited = clock.monotonic() - started
        if waited > RESOLVE_S or floor.world.seconds_left() < RESERVE_S:
            raise floor.stop(
                "order_unknown",
                f"whether an order was taken is unknown: {detail}",
                seen=request.client_order_id,
            )
        try:
            order = floor.world.broker.order(request.client_order_id)
        except Unreachable:
            order, absent = None, 0
        else:
            absent += 1
        if order is not None:
            adopt(floor, chain, len(chain.slots), order)
            return True
        if absent >= ABSENT_SEEN and waited >= ABSENT_S:
            return False
        clock.sleep(min(POLL_S * 2, POLL_S + waited / 4))
