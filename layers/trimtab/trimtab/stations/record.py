"""Record: what happened, written once, whatever stopped the run; SHA256SUMS last makes it count."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from trimtab.core.lots import printed
from trimtab.core.masking import blanked
from trimtab.core.record import canonical, rows
from trimtab.errors import Halted, Interrupted
from trimtab.execute.floor import RESERVE_S
from trimtab.stations.evidence import position_document, stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.portfolio import BrokerOrder, Fill
    from trimtab.core.quotes import Touch
    from trimtab.core.record import Document
    from trimtab.execute.floor import Chain, Floor
    from trimtab.ports import World
    from trimtab.stations.evidence import Evidence

FILLS_S = 15.0
"""Seconds that the account's activities may lag behind its orders."""
POLL_S = 1.0
AS_IT_IS = ("portfolio", "session", "run_id", "mode", "plan")
"""What says whose record it is; and the plan, which its digest is of, and which the store has anyway."""


def take_in(world: World, floor: Floor, chains: Sequence[Chain], evidence: Evidence) -> None:
    """Put the orders, fills and holdings after trading into the evidence."""
    slots = {slot.id: slot for chain in chains for slot in chain.slots}
    shown = {slot.client_order_id for slot in slots.values()}
    earlier = [order for order in evidence.orders if order["client_order_id"] not in shown]
    evidence.orders = earlier + [
        order_document(slot, chain.order.reason, chain.ended, sent=slot.client_order_id in floor.sent)
        | arrival_document(floor.arrivals.get(slot.client_order_id))
        for chain in chains
        for slot in chain.slots
    ]
    fills = _fills(world, floor, slots)
    names = {fill.fill_id for fill in fills}
    earlier = [fill for fill in evidence.fills if fill["fill_id"] not in names]
    evidence.fills = earlier + [fill_document(fill, slots[fill.order_id]) for fill in fills]
    before = {str(row["symbol"]): float(row["price"]) for row in evidence.positions_before if row["price"]}
    prices = {**before, **floor.prices}
    evidence.positions_after = [position_document(p, prices.get(p.symbol)) for p in world.broker.positions()]
    evidence.account = world.broker.account()


def _fills(world: World, floor: Floor, orders: dict[str, BrokerOrder]) -> list[Fill]:
    """Read the executions of our orders, until they add up to what the orders show, at most 15 seconds."""
    due = sum(order.filled_qty for order in orders.values())
    started = world.clock.monotonic()
    while True:
        every = world.broker.fills(floor.window.session) if due else ()
        ours = [fill for fill in every if fill.order_id in orders]
        waited = world.clock.monotonic() - started
        if sum(fill.qty for fill in ours) >= due or waited > min(FILLS_S, world.seconds_left() - RESERVE_S):
            return ours
        world.clock.sleep(POLL_S)


def order_document(slot: BrokerOrder, reason: str, ended: str, *, sent: bool) -> Document:
    """Give what a record keeps of an order: why it was, why its chain ended, whether this run sent it."""
    return {
        "client_order_id": slot.client_order_id,
        "symbol": slot.symbol,
        "side": slot.side,
        "type": slot.type,
        "qty": None if slot.qty is None else printed(slot.qty),
        "limit_price": None if slot.limit_price is None else printed(slot.limit_price),
        "status": slot.status,
        "filled_qty": printed(slot.filled_qty),
        "filled_avg_price": None if slot.filled_avg_price is None else printed(slot.filled_avg_price),
        "submitted_at": None if slot.submitted_at is None else stamp(slot.submitted_at),
        "finished_at": None if slot.finished_at is None else stamp(slot.finished_at),
        "reason": reason,
        "ended": ended,
        "sent": sent,
    }


def arrival_document(touch: Touch | None) -> Document:
    """Give what a record keeps of the quote an order was sent on, USD a share; None where it is unknown.

    `arrival_price` is its mid, or the last trade where that stood in for the quote.
    """
    if touch is None:
        return dict.fromkeys(("arrival_bid", "arrival_ask", "arrival_price"))
    price = (touch.bid + touch.ask) / 2
    values = {"arrival_bid": touch.bid, "arrival_ask": touch.ask, "arrival_price": price}
    return {name: printed(value) for name, value in values.items()}


def fill_document(fill: Fill, order: BrokerOrder) -> Document:
    """Give what a record keeps of an execution."""
    return {
        "fill_id": fill.fill_id,
        "client_order_id": order.client_order_id,
        "symbol": fill.symbol,
        "side": fill.side,
        "qty": printed(fill.qty),
        "price": printed(fill.price),
        "at": stamp(fill.at),
    }


def record(world: World, evidence: Evidence) -> Document:
    """Write the run's record and its rows, and give record.json.

    Raises:
        Halted | Interrupted: the store can't be written; what happened is in the error's `unrecorded`.
    """
    document = _clean(world, evidence)
    session = "none" if evidence.session is None else evidence.session.isoformat()
    folder = f"runs/{evidence.mandate.portfolio}/{session}/{evidence.run_id}"
    files = {"record.json": canonical(document)}
    if evidence.bars is not None:
        files["inputs.parquet"] = world.inputs_file(evidence.bars)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    try:
        for name, data in files.items():
            world.store.put_if_absent(f"{folder}/{name}", data)
        world.store.put_if_absent(f"{folder}/SHA256SUMS", sums.encode())
        world.trades.add(rows(document))
    except (OSError, Halted) as error:
        kind = Interrupted if evidence.sent else Halted
        stop = kind(
            error.code if isinstance(error, Halted) else "store_unwritable",
            f"the run's record can't be written to {world.store.url}: {error}",
            seen=f"outcome {evidence.outcome}: {evidence.reason}",
            hint=(error.hint if isinstance(error, Halted) else "") or "mend the store and run again",
        )
        stop.stage = "record"
        stop.unrecorded = document
        raise stop from error
    return document


def _clean(world: World, evidence: Evidence) -> Document:
    """Give the record without secrets; where redaction fails, without any text: orders may have been sent."""
    document = evidence.document()
    try:
        found = world.redact(document)
        clean = {name: found[name] for name in document}
        rows(clean)
    except Exception as error:  # noqa: BLE001 - a run that traded must leave a record, whatever ails its texts
        evidence.note("error", "record", "not_redacted", "")
        world.warn(f"the record's texts are masked, all of them: redaction failed: {type(error).__name__}")
        clean = blanked(evidence.document())
    return clean | {name: document[name] for name in AS_IT_IS}
