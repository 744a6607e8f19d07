"""Unmoved: what a saved plan is bound to, held against what is there now; and the plan taken over.

Nothing here does anything for a run that saves or applies no plan.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from trimtab.core.lots import plain
from trimtab.core.record import prices_digest
from trimtab.core.schedule import NEW_YORK
from trimtab.core.verdict import Verdict, named
from trimtab.errors import Halted
from trimtab.stations.arrive import bind
from trimtab.stations.saved import AGAIN
from trimtab.stations.writeahead import plan_document

if TYPE_CHECKING:
    from trimtab.core.mandate import Mandate
    from trimtab.core.plan import Plan
    from trimtab.core.portfolio import Portfolio
    from trimtab.core.record import Document
    from trimtab.core.risk import Approved, Conditions
    from trimtab.ports import World
    from trimtab.stations.arrive import Arrival, Today
    from trimtab.stations.evidence import Evidence

OF_A_RUN = ("run_id", "nonce", "made_at")
"""What a stored plan has of the run that stored it; the rest is the saved plan's."""
REFUSED = "apply_"
"""Opens the code of every refusal to apply a plan: no sign of trouble, a person asked."""
_NOISE = 1 + 1e-9

WORDS = {
    "apply_portfolio": "it is another portfolio's",
    "apply_mode": "it was made for another mode",
    "apply_host": "it was made at another host",
    "apply_account": "it was made for another account",
    "apply_session": "it was made for another session",
    "apply_early": "its session has not begun to trade yet",
    "apply_expired": "its session is over",
    "apply_config": "the configuration has changed",
    "apply_code": "Trimtab's code or the strategy's has changed",
    "apply_inputs": "prices of the bars have changed",
    "apply_orders": "other orders are open",
    "apply_cash": "the account's cash has changed",
    "apply_positions": "the holdings have changed",
    "apply_price": "a price has left the collar",
    "apply_plan": "a plan made now would trade otherwise",
}
_HINTS = {
    "apply_portfolio": "name the configuration that the plan was made under: --config FILE",
    "apply_mode": "name the configuration that the plan was made under: --config FILE",
    "apply_account": "use the keys of the account that the plan was made for, or make a new plan",
    "apply_early": "apply it between these times; a plan for today can be made now: trimtab plan",
}


def binding(arrival: Arrival, mandate: Mandate) -> Mandate:
    """Give the mandate by which the store is bound to an account; what may be refused binds nothing."""
    return mandate if arrival.saved is None else replace(mandate, dry_run=True)


def judge_maker(arrival: Arrival, mandate: Mandate, h8: str, now: datetime, evidence: Evidence) -> None:
    """Judge whose plan it is, and whether its time has come.

    Raises:
        Halted: it is another's, or it is too early or too late; the code names which.
    """
    if arrival.saved is None:
        return
    ours = {"portfolio": mandate.portfolio, "mode": mandate.mode, "host": mandate.host, "account": h8}
    theirs = arrival.saved.plan | {"account": arrival.saved.plan.get("h8")}
    _judge(evidence, *(_same(f"apply_{name}", value, theirs.get(name)) for name, value in ours.items()))
    opens, expires = (
        datetime.fromisoformat(arrival.saved.document[name]) for name in ("opens_at", "expires_at")
    )
    seen, *allowed = (f"{t.astimezone(NEW_YORK):%Y-%m-%d %H:%M}" for t in (now, opens, expires))
    times = f"{allowed[0]} to {allowed[1]} in New York"
    early = Verdict("apply_early", "portfolio", now >= opens, seen, times)
    _judge(evidence, early, Verdict("apply_expired", "portfolio", now <= expires, seen, times))


def judge_stored(arrival: Arrival, stored: Document | None, today: Today) -> None:
    """Judge the plan that the session has already: only the very same one is gone on with.

    Raises:
        Halted: there is one, and it is another; or one is to be saved that could never be applied.
    """
    saved = arrival.saved
    if stored is None or (saved is None and not arrival.keep_plan):
        return
    if saved is not None and stored["plan_digest"] == saved.plan["plan_digest"]:
        return
    raise Halted(
        "apply_stored",
        f"the session {today.session} has its plan already, and keeps to it",
        seen=f"plan {stored['plan_digest'][:12]}, stored {stored['made_at']}",
        allowed="no plan of the session" if saved is None else f"plan {saved.plan['plan_digest'][:12]}",
        hint="trimtab run finishes the stored plan; after its window, trimtab plan is for the next one",
    )


def judge_deciders(arrival: Arrival, mandate: Mandate, today: Today, evidence: Evidence) -> None:
    """Judge that the same configuration and code decide, and for the same session.

    Raises:
        Halted: another one does.
    """
    if arrival.saved is None:
        return
    plan = arrival.saved.plan
    _judge(
        evidence,
        _same("apply_session", str(today.session), plan.get("session")),
        _same("apply_config", mandate.config_digest, plan.get("config_digest"), length=12),
        _same("apply_code", mandate.code_digest, plan.get("code_digest"), length=12),
    )


def judge_inputs(arrival: Arrival, evidence: Evidence) -> None:
    """Judge that the prices of the bars are those that the plan was made from, to the last of them.

    Volumes may have grown: of the last session they do so for hours, and where that matters to the plan, a
    plan made now is another.

    Raises:
        Halted: one differs.
    """
    if arrival.saved is None or evidence.bars is None:
        return
    plan, closes = arrival.saved.plan, evidence.closes()
    planned, found = plan["prices"], prices_digest(evidence.bars)
    apart = sorted(symbol for symbol, price in closes.items() if planned.get(symbol) != price)[:3]
    seen = "".join(f", {symbol} closed at {closes[symbol]}" for symbol in apart)
    allowed = "".join(f", {symbol} closed at {planned.get(symbol)}" for symbol in apart)
    then = str(arrival.saved.document["prices_digest"])
    grown = evidence.inputs_digest != plan["inputs_digest"]
    _judge(
        evidence,
        Verdict(
            "apply_inputs",
            "portfolio",
            found == then,
            f"prices {found[:12]}{seen}",
            f"prices {then[:12]}{allowed}",
            "volumes have changed since" if found == then and grown else "",
        ),
    )


def open_orders(world: World, arrival: Arrival, evidence: Evidence) -> tuple[str, ...]:
    """Read what is open where a plan is saved or applied, and judge that it is what was open then.

    Raises:
        Halted: something else is.
    """
    if arrival.saved is None and not arrival.keep_plan:
        return ()
    texts = (
        f"{o.client_order_id}: {o.side} {'-' if o.qty is None else plain(o.qty)} {o.symbol}"
        for o in world.broker.open_orders()
    )
    found = tuple(sorted(texts))
    if arrival.saved is not None:
        planned = arrival.saved.document["open_orders"]
        verdict = Verdict("apply_orders", "account", list(found) == planned, named(found), named(planned))
        _judge(evidence, verdict)
    return found


def judge_holdings(arrival: Arrival, portfolio: Portfolio, evidence: Evidence) -> None:
    """Judge that cash and every holding are what they were, to the last digit.

    Raises:
        Halted: one is not.
    """
    if arrival.saved is None:
        return
    held = {row["symbol"]: row["qty"] for row in evidence.positions_before}
    planned = arrival.saved.document["positions"]
    apart = sorted(s for s in {*held, *planned} if _number(held.get(s)) != _number(planned.get(s)))
    cash, then = plain(portfolio.account.cash), arrival.saved.plan.get("cash")
    _judge(
        evidence,
        _same("apply_cash", cash, then),
        *(
            Verdict("apply_positions", symbol, False, f"{held.get(symbol, 0)}", f"{planned.get(symbol, 0)}")
            for symbol in apart
        ),
    )


def agreed(arrival: Arrival, conditions: Conditions) -> Conditions:
    """Give the conditions with the present configuration and code agreed to: who applies a plan does that."""
    approval = conditions.approval
    if approval is None or not approval.agreed or (arrival.saved is None and not arrival.keep_plan):
        return conditions
    pairs = (*approval.agreed, (approval.config, approval.code))
    return replace(conditions, approval=replace(approval, agreed=pairs))


def judge_prices(arrival: Arrival, mandate: Mandate, plan: Plan, evidence: Evidence) -> None:
    """Judge that each order's price is within `risk.price_collar` of what it was, either way.

    Raises:
        Halted: one is not, or is not to be had.
    """
    if arrival.saved is None:
        return
    collar, planned = mandate.risk.price_collar, arrival.saved.document["references"]
    sides = {str(o.get("symbol")): o.get("side") for o in arrival.saved.plan.get("orders", [])}
    verdicts = []
    for symbol, price in planned.items():
        touch, then = plan.touches.get(symbol), Decimal(price)
        allowed = f"within {collar:.2%} of {plain(then)}"
        if touch is None or touch.held is not None or not then > 0:
            seen = "no quote" if touch is None else f"{touch.held}: {touch.detail}"
            verdicts.append(Verdict("apply_price", symbol, False, seen, allowed))
            continue
        now = touch.ask if sides.get(symbol) == "buy" else touch.bid
        moved = float(now / then - 1)
        seen = f"{plain(now)}, {moved:+.2%}"
        verdicts.append(Verdict("apply_price", symbol, abs(moved) <= collar * _NOISE, seen, allowed))
    _judge(evidence, *verdicts)


def judge_plan(
    arrival: Arrival, mandate: Mandate, plan: Plan, approved: Approved, evidence: Evidence
) -> None:
    """Judge that a plan made now trades the same: prices moved within the collar, and nothing else.

    Raises:
        Halted: it would not.
    """
    if arrival.saved is None:
        return
    now = _traded(plan_document(plan, approved, mandate, evidence, "")) | {"assets": evidence.assets}
    then = _traded(arrival.saved.plan) | {"assets": arrival.saved.document["assets"]}
    apart = sorted(name for name in {*now, *then} if now.get(name) != then.get(name))
    seen, allowed = (
        "; ".join(f"{name} {json.dumps(side.get(name))}" for name in apart[:3]) for side in (now, then)
    )
    _judge(evidence, Verdict("apply_plan", "portfolio", not apart, seen or "the same", allowed or "the same"))


def _traded(plan: Document) -> Document:
    """Give what a plan trades and what made it so: its orders by symbol, without limits that quotes move."""
    left_out = {*OF_A_RUN, "host", "plan_digest", "inputs_digest", "orders", "holds", "verdicts"}
    parts = {name: value for name, value in plan.items() if name not in left_out}
    try:
        orders = {
            str(o["symbol"]): {k: v for k, v in o.items() if k != "limit_price"} for o in plan["orders"]
        }
        parts |= {
            "orders": [order["symbol"] for order in plan["orders"]],
            "holds": [[hold["symbol"], *_form(hold)] for hold in plan["holds"]],
            "verdicts": [[v["rule"], v["passed"], *_form(v)] for v in plan["verdicts"]],
        }
    except (KeyError, TypeError, AttributeError):
        return {"plan": "not one that was made here"}
    return parts | orders


def _form(part: Document) -> list[str]:
    """Give the names in a part of a plan, each with the kind of its value."""
    return sorted(f"{name}: {type(value).__name__}" for name, value in part.items())


def as_planned(
    world: World, mandate: Mandate, arrival: Arrival, fresh: Document, evidence: Evidence
) -> Document:
    """Give the document to store: the saved plan under this run's id and nonce; else this run's own.

    Raises:
        Misconfigured: meanwhile the store has been bound to another account or mode.
    """
    if arrival.saved is None:
        return fresh
    bind(world, mandate, evidence)
    return arrival.saved.plan | {name: fresh[name] for name in OF_A_RUN}


def take_over(arrival: Arrival, evidence: Evidence) -> None:
    """Put what the plan was made from into the evidence, so that its record can be worked out again."""
    if arrival.saved is None:
        return
    document = arrival.saved.document
    evidence.quotes, evidence.assets = document["quotes"], document["assets"]
    evidence.conditions = document["conditions"]
    names = ("planned_at", "quoted", "digest")
    evidence.more["applied"] = {name: document[name] for name in names}
    evidence.more["applied"]["inputs_digest"] = arrival.saved.plan["inputs_digest"]


def _same(rule: str, seen: str, allowed: object, *, length: int = 64) -> Verdict:
    """Hold one value against the plan's; both are shown up to so many characters."""
    return Verdict(rule, "portfolio", seen == allowed, seen[:length], str(allowed)[:length])


def _number(text: object) -> Decimal:
    return Decimal(str(text or 0))


def _judge(evidence: Evidence, *verdicts: Verdict) -> None:
    """Keep the verdicts, and stop where one of them does not pass, naming all that do not.

    Raises:
        Halted: the first one's rule is the code.
    """
    evidence.verdicts += verdicts
    moved = [verdict for verdict in verdicts if not verdict.passed]
    if not moved:
        return
    what = dict.fromkeys(WORDS[verdict.rule] for verdict in moved)
    raise Halted(
        moved[0].rule,
        f"the saved plan is not applied: {', and '.join(what)}",
        seen="; ".join(_told(verdict, verdict.seen) for verdict in moved),
        allowed="; ".join(_told(verdict, verdict.allowed) for verdict in moved),
        hint=_HINTS.get(moved[0].rule, AGAIN),
    )


def _told(verdict: Verdict, value: str) -> str:
    what = verdict.rule.removeprefix(REFUSED) if verdict.subject == "portfolio" else verdict.subject
    return f"{what} {value}"
