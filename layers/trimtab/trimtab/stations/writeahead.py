"""Writeahead: the plan, stored once before its first order; the stored plan is what is traded."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

from trimtab.core.lots import plain
from trimtab.core.plan import Order
from trimtab.core.record import VERSION, canonical, plan_digest
from trimtab.core.risk import Approved, adopt
from trimtab.core.verdict import Verdict
from trimtab.errors import Halted
from trimtab.execute import Floor
from trimtab.stations.evidence import stamp

if TYPE_CHECKING:
    from datetime import date

    from trimtab.core.mandate import Mandate
    from trimtab.core.plan import Plan
    from trimtab.core.record import Document
    from trimtab.core.schedule import Window
    from trimtab.ports import Store, World
    from trimtab.stations.evidence import Evidence


def key_of(portfolio: str, session: date) -> str:
    """Give the key of a session's plan."""
    return f"plans/{portfolio}/{session}.json"


def stored_plan(store: Store, mandate: Mandate, session: date, h8: str) -> Document | None:
    """Give the session's stored plan, or None.

    Raises:
        Halted: it is not whole, of another version, or of another account, mode, host or session.
    """
    data = store.get(key_of(mandate.portfolio, session))
    if data is None:
        return None
    try:
        plan: Document = json.loads(data)
        intact = plan["plan_digest"] == plan_digest(plan) and plan["version"] == VERSION
    except (ValueError, KeyError, TypeError):
        intact = False
    if not intact:
        key = key_of(mandate.portfolio, session)
        raise Halted("plan_damaged", f"{key} is not the plan that was stored", hint="it was changed by hand?")
    ours = {"h8": h8, "mode": mandate.mode, "host": mandate.host}
    ours |= {"portfolio": mandate.portfolio, "session": str(session)}
    theirs = {name: plan[name] for name in ours}
    if theirs != ours:
        raise Halted(
            "plan_of_another",
            "this session's plan was made for another account, mode, host or session",
            seen=theirs,
            allowed=ours,
            hint="give each account its own store",
        )
    return plan


def judge_digests(plan: Document, mandate: Mandate, *, finish: bool) -> None:
    """Refuse to continue an unfinished plan that another configuration or code made, unless told to.

    Raises:
        Halted: naming both digests.
    """
    for name, ours in (("config_digest", mandate.config_digest), ("code_digest", mandate.code_digest)):
        if plan[name] != ours and not finish:
            raise Halted(
                f"plan_{name.split('_')[0]}_changed",
                f"this session's unfinished plan was made under another {name.split('_')[0]}",
                seen=f"{name} {ours[:12]}",
                allowed=f"{name} {str(plan[name])[:12]}",
                hint="trimtab run --finish continues the stored plan as it is",
            )


def plan_document(
    plan: Plan, approved: Approved, mandate: Mandate, evidence: Evidence, nonce: str
) -> Document:
    """Word a plan for the store: what it trades, what made it so, and who made it."""
    session, started = evidence.session, evidence.started_at
    document: Document = {
        "version": VERSION,
        "portfolio": mandate.portfolio,
        "session": str(session),
        "mode": mandate.mode,
        "host": mandate.host,
        "h8": evidence.h8,
        "run_id": evidence.run_id,
        "nonce": nonce,
        "made_at": None if started is None else stamp(started),
        "config_digest": mandate.config_digest,
        "code_digest": mandate.code_digest,
        "inputs_digest": evidence.inputs_digest,
        "equity": repr(plan.book.equity),
        "cash": plain(approved.cash),
        "weights": {symbol: repr(weight) for symbol, weight in evidence.weights.items()},
        "decision": evidence.decision,
        "base": {symbol: plain(plan.holdings.get(symbol, Decimal(0))) for symbol in plan.book.symbols},
        "prices": dict(zip(plan.book.symbols, map(repr, plan.book.price.tolist()), strict=True)),
        "orders": [_order_document(order) for order in approved.orders],
        "holds": evidence.holds,
        "short": list(plan.short_of_target()),
        "verdicts": [verdict.document() for verdict in approved.verdicts],
    }
    document["plan_digest"] = plan_digest(document)
    return document


def _order_document(order: Order) -> Document:
    return order.document() | {"price": repr(order.price), "base": plain(order.base)}


def store_plan(world: World, mandate: Mandate, session: date, document: Document) -> tuple[Document, bool]:
    """Store the plan unless the session has one, read it back, and give it; say whether it is ours.

    Raises:
        Halted: nothing is stored there after all, or what is stored is not to be traded.
    """
    world.store.put_if_absent(key_of(mandate.portfolio, session), canonical(document))
    stored = stored_plan(world.store, mandate, session, str(document["h8"]))
    if stored is None:
        raise Halted(
            "plan_not_stored", "the plan was written but can't be read back", hint="look at the store"
        )
    return stored, stored["nonce"] == document["nonce"]


def approved_of(plan: Document) -> Approved:
    """Give a stored plan's orders back to `execute`; its verdicts stand as recorded.

    Raises:
        Halted: a recorded verdict refuses.
    """
    orders = [
        Order(
            symbol=order["symbol"],
            side=order["side"],
            qty=Decimal(order["qty"]),
            type=order["type"],
            limit_price=None if order["limit_price"] is None else Decimal(order["limit_price"]),
            price=float(order["price"]),
            base=Decimal(order["base"]),
            reason=order["reason"],
        )
        for order in plan["orders"]
    ]
    verdicts = [Verdict(**verdict) for verdict in plan["verdicts"]]
    return adopt(orders, verdicts, Decimal(plan["cash"]))


def floor_of(
    world: World, mandate: Mandate, times: Window, plan: Document, evidence: Evidence, *, adopted: bool
) -> Floor:
    """Give the floor on which a stored plan is traded; what is sent there is in the evidence."""
    base = {symbol: Decimal(shares) for symbol, shares in plan["base"].items()}
    prices = {symbol: float(price) for symbol, price in plan["prices"].items()}
    return Floor(world, mandate, times, str(evidence.h8), adopted, evidence.sent, base, prices)
