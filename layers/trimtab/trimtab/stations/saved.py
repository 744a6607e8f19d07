"""Saved: a plan kept in a file to be looked at, and later traded exactly as it is, or not at all.

The file is sealed by a digest of its content, and bound to what the plan was made from: portfolio, account,
mode and host, configuration, code, bars, cash, holdings, open orders, session, and the prices of its orders.
A run that applies it passes the line like any other, plans afresh, and stores the saved plan in place of its
own only where nothing has moved (`unmoved.py`) and its own would trade the same. So a file that somebody made
by hand can't trade anything that the bot would not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trimtab.core.record import canonical, digest, plan_digest, prices_digest
from trimtab.core.schedule import hours_of, window
from trimtab.errors import Halted, Misconfigured
from trimtab.stations.evidence import stamp
from trimtab.stations.writeahead import plan_document

if TYPE_CHECKING:
    from trimtab.core.mandate import Mandate
    from trimtab.core.plan import Order, Plan
    from trimtab.core.record import Document
    from trimtab.core.risk import Approved
    from trimtab.ports import World
    from trimtab.stations.arrive import Today
    from trimtab.stations.evidence import Evidence

KIND, VERSION = "trimtab plan", 1
AGAIN = "make a new plan: trimtab plan --out FILE"
"""What to do where a saved plan is of no use."""
_KINDS: dict[str, type] = {
    **dict.fromkeys(("planned_at", "opens_at", "expires_at", "prices_digest"), str),
    **dict.fromkeys(("open_orders", "quotes", "assets"), list),
    **dict.fromkeys(("positions", "references", "conditions", "plan"), dict),
    "quoted": bool,
}
_KINDS_OF_PLAN: dict[str, type] = {
    **dict.fromkeys(("orders", "holds", "verdicts"), list),
    **dict.fromkeys(("prices", "weights", "base"), dict),
    "inputs_digest": str,
}
"""What each part of the file is, as JSON has it."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved plan as its file has it: sealed, so as it was written, which does not say by whom."""

    document: Document

    @property
    def plan(self) -> Document:
        """The plan that is to be stored and traded."""
        plan: Document = self.document["plan"]
        return plan


def seal(
    world: World,
    mandate: Mandate,
    today: Today,
    plan: Plan,
    approved: Approved,
    orders: tuple[str, ...],
    evidence: Evidence,
) -> Document:
    """Give the file of a plan: the plan itself, what it is bound to, and what its record will show of it.

    Raises:
        Halted: the calendar lacks the plan's session.
    """
    hours = hours_of(today.calendar, today.session)
    if hours is None:
        raise Halted("no_calendar", "the calendar lacks the plan's session", seen=today.session)
    times = window(hours, mandate.risk.window)
    document: Document = {
        "kind": KIND,
        "version": VERSION,
        "planned_at": stamp(today.now),
        "opens_at": stamp(times.opens),
        "expires_at": stamp(times.closes),
        "positions": {row["symbol"]: row["qty"] for row in evidence.positions_before},
        "open_orders": list(orders),
        "references": {order.symbol: str(reference(plan, order)) for order in approved.orders},
        "quoted": _quoted(today),
        "prices_digest": "" if evidence.bars is None else prices_digest(evidence.bars),
        "quotes": evidence.quotes,
        "assets": evidence.assets,
        "conditions": evidence.conditions,
        "plan": plan_document(plan, approved, mandate, evidence, ""),
    }
    document = world.redact(document)
    return document | {"digest": digest(document)}


def _quoted(today: Today) -> bool:
    """Say whether quotes were read: while the market is closed, plans are made without."""
    return today.window is not None and today.window.holds(today.now)


def reference(plan: Plan, order: Order) -> Decimal:
    """Give the price that an order was planned at, USD: its side of the quote, else the last close."""
    touch = plan.touches.get(order.symbol)
    if touch is None or touch.bid <= 0:
        return Decimal(str(round(order.price, 4)))
    return touch.ask if order.side == "buy" else touch.bid


def opened(data: bytes, name: str) -> Saved:
    """Give the saved plan in a file's bytes; `name` is the file's.

    Raises:
        Misconfigured: it is none, of another version, or not as it was written.
    """
    seen = "no JSON of a saved plan"
    try:
        document: Any = json.loads(data)
        if isinstance(document, dict) and document.get("kind") == KIND:
            seen = _fault(document)
    except (ValueError, RecursionError):
        seen = "no JSON"
    if seen:
        raise Misconfigured(
            "plan_file",
            f"{name} is no saved plan as it was written",
            seen=seen,
            allowed=f"a file that `trimtab plan --out` wrote, of version {VERSION}",
            hint=AGAIN,
        )
    return Saved(document)


def _fault(document: Document) -> str:
    """Say what is wrong with a saved plan; empty where nothing is."""
    if document.get("version") != VERSION:
        return f"version {document.get('version')}"
    content = {name: value for name, value in document.items() if name != "digest"}
    if document.get("digest") != digest(content):
        return "another content than its digest says: it was changed, or cut short"
    plan = document.get("plan")
    if not _is_made_of(document, _KINDS) or not _is_made_of(plan, _KINDS_OF_PLAN):
        return "a part is missing, or is no such part"
    if document["plan"].get("plan_digest") != plan_digest(document["plan"]):
        return "the plan is not what its digest says"
    try:
        _read(document)
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
        return "a time, number or name is none"
    return ""


def _is_made_of(part: object, kinds: dict[str, type]) -> bool:
    """Say whether JSON is an object with these parts, each of its kind."""
    return isinstance(part, dict) and all(isinstance(part.get(name), kind) for name, kind in kinds.items())


def _read(document: Document) -> None:
    """Read every part that applying reads.

    Raises:
        ValueError | KeyError | TypeError | AttributeError | ArithmeticError: one is not as it should be.
    """
    for name in ("planned_at", "opens_at", "expires_at"):
        _demand(datetime.fromisoformat(document[name]).tzinfo is not None)
    limits = [order["limit_price"] for order in document["plan"]["orders"]]
    numbers = (*document["references"].values(), *document["positions"].values(), *filter(None, limits))
    _demand(all(Decimal(number).is_finite() for number in numbers))
    texts = [order[name] for order in document["plan"]["orders"] for name in ("symbol", "side")]
    _demand(all(isinstance(text, str) for text in (*texts, *document["open_orders"])))
    for quote in document["quotes"]:
        [quote[name] for name in ("symbol", "bid", "ask", "at", "last", "last_at")]


def _demand(right: bool) -> None:  # noqa: FBT001 - what is demanded
    """Refuse what is not so.

    Raises:
        ValueError: it is not.
    """
    if not right:
        raise ValueError


def file_of(document: Document) -> bytes:
    """Give the bytes of a saved plan's file: canonical JSON, and a line's end."""
    return canonical(document) + b"\n"
