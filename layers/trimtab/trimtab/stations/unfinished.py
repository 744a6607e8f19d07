"""Unfinished: plans of earlier sessions that no run saw end: what became of their orders is written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.lots import plain
from trimtab.core.schedule import window
from trimtab.errors import Halted, Interrupted
from trimtab.execute import Chain
from trimtab.execute.floor import observe
from trimtab.stations.evidence import Evidence
from trimtab.stations.history import last_resume
from trimtab.stations.record import record, take_in
from trimtab.stations.writeahead import approved_of, floor_of, key_of, stored_plan

if TYPE_CHECKING:
    from trimtab.core.mandate import Mandate
    from trimtab.core.portfolio import SessionHours
    from trimtab.core.record import Document
    from trimtab.core.schedule import Window
    from trimtab.ports import World
    from trimtab.stations.arrive import Today

CODE = "plan_expired"
"""The code of the record that closes such a plan; it opens the reason, too, unless that was masked."""
POLL_S = 1.0
PATIENCE_S = 30.0
"""Seconds that a cancelled order may take to be shown as ended."""


def close_earlier(world: World, mandate: Mandate, today: Today, h8: str) -> None:
    """Close the earlier sessions' plans whose end no record tells; their open orders were cancelled before.

    Plans older than the calendar that was read are left alone. A dry run only reads.

    Raises:
        Halted: such a plan is damaged, or an order of it does not end.
    """
    if mandate.dry_run:
        return
    for hours in _open_sessions(world, mandate, today):
        session = hours.session
        plan = stored_plan(world.store, mandate, session, h8)
        if plan is None:
            continue
        evidence = Evidence(mandate, world.new_id(), world.clock.monotonic)
        evidence.begin(today.now)
        evidence.enter("execute")
        evidence.session, evidence.h8 = session, h8
        evidence.resumed = last_resume(world.store, mandate.portfolio)
        evidence.take_plan(plan)
        _close(world, window(hours, mandate.risk.window), plan, evidence)
        evidence.finish()
        record(world, evidence)


def _open_sessions(world: World, mandate: Mandate, today: Today) -> list[SessionHours]:
    """Give the earlier sessions that have a plan, but no run that ended it, oldest first."""
    planned = set(world.store.list(f"plans/{mandate.portfolio}/"))
    ended = world.trades.query(
        "SELECT DISTINCT session FROM runs WHERE portfolio = ? AND dry_run = 0"
        " AND (outcome IN ('traded', 'in_band') OR code = ? OR (code IS NULL AND reason LIKE ?))",
        (mandate.portfolio, CODE, f"{CODE}:%"),
    )
    over = {row["session"] for row in ended}
    return [
        hours
        for hours in today.calendar
        if hours.session < today.session
        and key_of(mandate.portfolio, hours.session) in planned
        and str(hours.session) not in over
    ]


def _close(world: World, times: Window, plan: Document, evidence: Evidence) -> None:
    """Walk a plan's slots until each has ended, and take in what they filled."""
    approved = approved_of(plan)
    floor = floor_of(world, evidence.mandate, times, plan, evidence, adopted=True)
    floor.over = True
    chains = tuple(Chain(order) for order in approved.orders)
    started = world.clock.monotonic()
    observe(floor, chains, look_up=chains)
    while stuck := [chain for chain in chains if chain.in_flight]:
        if world.clock.monotonic() - started > PATIENCE_S:
            raise Halted(
                "open_order",
                "an order of an earlier session has not ended",
                seen=stuck[0].slots[-1].client_order_id,
                allowed="no open order of an earlier session",
                hint="cancel it at the broker, or wait until it has ended",
            )
        floor.judge_deadline()
        world.clock.sleep(POLL_S)
        observe(floor, chains)
    for order_id in sorted(floor.strange):
        evidence.note("error", "execute", "order_mismatch", f"{order_id} is not the plan's order; left out")
    take_in(world, floor, chains, evidence)
    filled = (f"{c.order.symbol} {plain(c.filled)} of {plain(c.order.qty)}" for c in chains)
    text = f"the session {times.session} ended before its plan: {', '.join(filled) or 'no order'}"
    evidence.stop(Interrupted(CODE, text))
