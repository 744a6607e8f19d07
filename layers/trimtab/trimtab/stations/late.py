"""Late: what became of orders after the record of the run that sent them, or without one; taken in here.

A run may die between an order and its record, end while an order is open, or be recorded before the account
shows the fills. The next run writes down what was missing, so that trades.db ends as the broker's own books.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from trimtab.core.portfolio import TERMINAL
from trimtab.core.schedule import NEW_YORK
from trimtab.ports import Unreachable
from trimtab.stations.record import arrival_document, fill_document, order_document
from trimtab.stations.writeahead import stored_plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.core.mandate import Mandate
    from trimtab.core.portfolio import BrokerOrder
    from trimtab.ports import World
    from trimtab.stations.evidence import Evidence

DAYS_BACK = timedelta(days=10)
"""How far back incomplete orders are looked for: seven sessions."""
LEAST_SHARES = 1e-7
"""Less is the noise of a sum in floating point."""

_INCOMPLETE = f"""
SELECT * FROM (
  SELECT client_order_id, session, status, reason, CAST(filled_qty AS REAL) AS due,
    (SELECT COALESCE(SUM(CAST(qty AS REAL)), 0.0) FROM fills
     WHERE fills.client_order_id = orders.client_order_id) AS filled
  FROM orders WHERE portfolio = ? AND session >= ?)
WHERE due > filled + {LEAST_SHARES} OR status NOT IN {tuple(sorted(TERMINAL))}
"""  # noqa: S608 - names and numbers of our own

Row = dict[str, object]


def complete(world: World, mandate: Mandate, evidence: Evidence) -> None:
    """Take in the ends and the fills that recent orders in trades.db still lack; a dry run leaves them.

    Where the broker can't be read, a later run tries again.

    Raises:
        Unauthorized: the keys are not accepted.
    """
    if mandate.dry_run or evidence.session is None:
        return
    since = (evidence.session - DAYS_BACK).isoformat()
    lacking = world.trades.query(_INCOMPLETE, (mandate.portfolio, since))
    for session in sorted({str(row["session"]) for row in lacking}):
        known = {str(row["client_order_id"]): row for row in lacking if row["session"] == session}
        reasons = {name: str(row["reason"]) for name, row in known.items()}
        with suppress(Unreachable):
            day = date.fromisoformat(session)
            listed = [order for name, order in _listed(world, evidence, day).items() if name in known]
            _take(world, evidence, day, listed, known, reasons)


def find(world: World, mandate: Mandate, evidence: Evidence, session: date) -> None:
    """Take in the orders of a session that trades.db does not know; a dry run leaves them.

    They are of a run that died beside the one that was recorded.

    Raises:
        Unreachable, Unauthorized: the broker can't be read.
        Halted: the session's plan is damaged.
    """
    if mandate.dry_run:
        return
    rows = world.trades.query(
        "SELECT client_order_id FROM orders WHERE portfolio = ? AND session = ?",
        (mandate.portfolio, session.isoformat()),
    )
    there = {row["client_order_id"] for row in rows}
    strays = [order for name, order in _listed(world, evidence, session).items() if name not in there]
    if strays:
        plan = stored_plan(world.store, mandate, session, str(evidence.h8)) or {"orders": ()}
        of_symbol = {order["symbol"]: order["reason"] for order in plan["orders"]}
        reasons = {order.client_order_id: of_symbol.get(order.symbol, "") for order in strays}
        _take(world, evidence, session, strays, {}, reasons)


def find_earlier(world: World, mandate: Mandate, evidence: Evidence) -> None:
    """Do so for the newest earlier session in which a run traded.

    Raises:
        As `find`.
    """
    rows = world.trades.query(
        "SELECT MAX(session) AS session FROM runs"
        " WHERE portfolio = ? AND session BETWEEN ? AND ? AND dry_run = 0"
        " AND outcome IN ('traded', 'interrupted')",
        (
            mandate.portfolio,
            str(evidence.session and evidence.session - DAYS_BACK),
            str(evidence.session and evidence.session - timedelta(days=1)),
        ),
    )
    if rows and rows[0]["session"]:
        find(world, mandate, evidence, date.fromisoformat(str(rows[0]["session"])))


def _listed(world: World, evidence: Evidence, session: date) -> dict[str, BrokerOrder]:
    """Give our orders of a session by their ids."""
    prefix = f"tt1-{evidence.h8}-{session:%Y%m%d}-"
    orders = world.broker.orders_since(datetime.combine(session, time(), NEW_YORK))
    return {o.client_order_id: o for o in orders if o.client_order_id.startswith(prefix)}


def _take(
    world: World,
    evidence: Evidence,
    session: date,
    orders: Sequence[BrokerOrder],
    known: Mapping[str, Row],
    reasons: Mapping[str, str],
) -> None:
    """Put orders with their fills into the evidence, where they tell more than the `known` rows."""
    # An order that arrived after the close fills on another day than its session's.
    ends = {o.finished_at.astimezone(NEW_YORK).date() for o in orders if o.finished_at and o.filled_qty}
    every = [fill for day in sorted({session, *ends}) for fill in world.broker.fills(day)]
    taken = []
    for order in orders:
        fills = [fill for fill in every if fill.order_id == order.id]
        if _is_news(order, sum(float(fill.qty) for fill in fills), known.get(order.client_order_id)):
            document = order_document(order, reasons[order.client_order_id], "", sent=False)
            document |= arrival_document(None) | {"session": session.isoformat()}
            evidence.orders.append(document)
            evidence.fills += [fill_document(fill, order) for fill in fills]
            taken.append(order.client_order_id)
    if taken:
        text = f"what became of {', '.join(taken)} was not in the records yet"
        evidence.note("warning", "record", "recovered", text)


def _is_news(order: BrokerOrder, filled: float, row: Row | None) -> bool:
    """Say whether an order and its fills, shares, tell more than its row; a view that lags tells less."""
    if row is None:
        return True
    if row["status"] in TERMINAL and not order.terminal:
        return False
    return order.status != row["status"] or filled > float(str(row["filled"])) + LEAST_SHARES
