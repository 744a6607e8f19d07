"""History: what the rules that look back are judged by: flows, the peak, approvals, and bad sessions.

All of it is in the store: the events that people made, the stored plans, and trades.db, which is made of the
records. A resume that lifted a flag divides the past: what was before it counts no more. It is known by its
event's id, not by its time, since a simulated account lives on another clock than its owner. What it approves
stands in it; one that approves alone divides nothing.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Self

from trimtab.core.flows import Point, drawdown, equity_move, worth
from trimtab.core.lots import plain
from trimtab.core.risk import Approval
from trimtab.core.schedule import session_of, sessions_before
from trimtab.errors import Halted
from trimtab.stations.evidence import stamp
from trimtab.stations.unmoved import REFUSED
from trimtab.switch import HALT_ALL, latch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from trimtab.core.bars import Bars
    from trimtab.core.flows import Dated
    from trimtab.core.mandate import Mandate
    from trimtab.core.portfolio import Account, Flow, Portfolio
    from trimtab.core.record import Document
    from trimtab.core.risk import Conditions
    from trimtab.ports import Store, Trades, World
    from trimtab.stations.arrive import Today
    from trimtab.stations.evidence import Evidence

FLOW_DAYS = timedelta(days=7)
"""How long before the last point flows are asked for again: activities are made later than they are dated."""
BAD = frozenset({"halted", "interrupted"})
GOOD = frozenset({"traded", "in_band", "not_due"})
BAD_SESSIONS = 3
"""So many bad sessions in a row latch the portfolio."""
OWNERS = frozenset({"kill_switch"})
"""Codes of a halt that a person, or a latch, asked for: no sign of trouble. Nor is a plan not applied."""
_SINCE = "COALESCE(resumed, '') >= ?"
"""Runs since a resume, by its id: earlier versions took an approval alone, which is newer, for one, too."""
_TROUBLE = f"code IS NOT 'kill_switch' AND COALESCE(code, '') NOT GLOB '{REFUSED}*'"


@dataclass(frozen=True, slots=True, order=True)
class Waiting:
    """A run that waits for a person: its start (UTC, the broker's clock), its id, and what decided it."""

    started_at: str
    run_id: str
    config_digest: str
    code_digest: str

    @classmethod
    def of(cls, document: object) -> Self | None:
        """Give what a resume event says that it approved; None where it says nothing of that form."""
        if not isinstance(document, dict):
            return None
        parts = [document.get(name) for name in _PARTS]
        return cls(*map(str, parts)) if all(isinstance(part, str) for part in parts) else None

    @property
    def digests(self) -> tuple[str, str]:
        """What decided it: the digests of configuration and code."""
        return self.config_digest, self.code_digest

    def document(self) -> Document:
        """Give it as the resume event that approves it holds it."""
        return asdict(self)

    def told(self) -> str:
        """Name what is approved, for people."""
        config, code = self.digests
        return f"config {config[:12]}, code {code[:12]} of run {self.run_id}"


_PARTS = tuple(field.name for field in fields(Waiting))


def last_resume(store: Store, portfolio: str) -> str | None:
    """Give the id of the newest event by which a person lifted a flag of this portfolio, or None.

    An event of an earlier version does not say whether there was a flag: then there was one.
    """
    for name, event in _resumes(store):
        ours = event.get("flag") == HALT_ALL or event.get("portfolio") == portfolio
        if ours and event.get("fresh") is not False:
            return name
    return None


def _resumes(store: Store) -> Iterator[tuple[str, Document]]:
    """Give each event by which a person let something trade again, the newest id first."""
    for key in reversed(store.list("events/")):
        if key.startswith("events/latch-"):
            continue
        with suppress(ValueError, AttributeError):  # no event of ours
            event = json.loads(store.get(key) or b"null")
            if event.get("code") == "resume":
                yield key.removeprefix("events/").removesuffix(".json"), event


def read_flows(world: World, mandate: Mandate, today: Today) -> tuple[Flow, ...]:
    """Read what came in and went out since a week before the last recorded equity.

    To be read before the account: a flow that comes between the two is then seen by the next run, and not
    taken for a loss by this one.
    """
    newest = world.trades.query(
        "SELECT MAX(session) AS session FROM equity WHERE portfolio = ? AND account_equity IS NOT NULL",
        (mandate.portfolio,),
    )
    known = newest[0]["session"] if newest else None
    day = session_of(today.now)
    return world.broker.flows((min(date.fromisoformat(str(known)), day) if known else day) - FLOW_DAYS)


@dataclass(frozen=True, slots=True)
class Seen:
    """The account as this run read it, the flows of late, and those of them that no run saw before."""

    account: Account
    flows: tuple[Dated, ...]
    fresh: tuple[Dated, ...]


def take(
    world: World,
    mandate: Mandate,
    flows: tuple[Flow, ...],
    portfolio: Portfolio,
    bars: Bars,
    evidence: Evidence,
) -> Seen:
    """Put the account's equity and the flows that no run saw before into the evidence."""
    price = dict(zip(bars.symbols, bars.close[-1].tolist(), strict=True))
    price |= {
        p.symbol: float(p.market_value / p.qty) for p in portfolio.positions if p.market_value and p.qty
    }
    rows = world.trades.query("SELECT id, amount FROM flows WHERE portfolio = ?", (mandate.portfolio,))
    known = {str(row["id"]): float(str(row["amount"])) for row in rows}
    fresh = [flow for flow in flows if flow.id not in known]
    values = known | {flow.id: _worth(flow, price, evidence) for flow in fresh}
    evidence.account_equity = portfolio.account.equity
    evidence.flows = [_document(flow, values[flow.id]) for flow in fresh]
    dated = tuple((flow.on, values[flow.id]) for flow in flows)
    return Seen(portfolio.account, dated, tuple((flow.on, values[flow.id]) for flow in fresh))


def _worth(flow: Flow, price: Mapping[str, float], evidence: Evidence) -> float:
    value = worth(flow, price)
    if value is None:
        text = f"{flow.kind} of {plain(flow.qty)} {flow.symbol} has no price, and counts as nothing"
        evidence.note("warning", "positions", "flow_without_price", text)
    return value or 0.0


def _document(flow: Flow, value: float) -> Document:
    return {
        "id": flow.id,
        "date": flow.on.isoformat(),
        "kind": flow.kind,
        "symbol": flow.symbol,
        "qty": plain(flow.qty),
        "amount": f"{value:.2f}",
    }


def judged(
    world: World, mandate: Mandate, conditions: Conditions, seen: Seen, today: Today, evidence: Evidence
) -> Conditions:
    """Add what was before to the conditions that a plan is judged by."""
    account, days = seen.account, sessions_before(today.calendar, session_of(today.now))
    now = Point(session_of(today.now), float(account.equity), seen.fresh)
    return replace(
        conditions,
        drawdown=drawdown([*_points(world, mandate, evidence.resumed), now]),
        equity_move=equity_move(account.last_equity, account.equity, seen.flows, days[-1] if days else None),
        approval=_approval(world.store, mandate),
    )


def _points(world: World, mandate: Mandate, resumed: str | None) -> list[Point]:
    """Give what the runs since the last resume read, oldest first."""
    flows = world.trades.query(
        "SELECT run_id, date, amount FROM flows WHERE portfolio = ? ORDER BY id", (mandate.portfolio,)
    )
    by_run: dict[str, list[Dated]] = {}
    for row in flows:
        dated = (date.fromisoformat(str(row["date"])), float(str(row["amount"])))
        by_run.setdefault(str(row["run_id"]), []).append(dated)
    rows = world.trades.query(
        "SELECT run_id, equity.session, account_equity FROM equity JOIN runs USING (run_id)"  # noqa: S608 - the condition is this file's own
        f" WHERE equity.portfolio = ? AND account_equity IS NOT NULL AND {_SINCE} ORDER BY at, run_id",
        (mandate.portfolio, resumed or ""),
    )
    return [
        Point(
            date.fromisoformat(str(row["session"])),
            float(str(row["account_equity"])),
            tuple(by_run.get(str(row["run_id"]), ())),
        )
        for row in rows
    ]


def _approval(store: Store, mandate: Mandate) -> Approval:
    """Give what decides the trades now, and what was agreed to: by the last plan, and by a person since."""
    now = Approval(mandate.mode == "live", mandate.config_digest, mandate.code_digest)
    plan = _last_plan(store, mandate.portfolio)
    if plan is None:
        return now
    agreed = [plan.digests]
    if agreed != [(now.config, now.code)]:  # else nobody's word is needed, and no event is read
        agreed += _approved(store, mandate.portfolio, plan)
    return replace(now, agreed=tuple(agreed))


def _last_plan(store: Store, portfolio: str) -> Waiting | None:
    """Give the run that stored the portfolio's last plan, or None before the first.

    Where the plan is damaged nobody can be said to have agreed to it; its session stands for its time.
    """
    plans = store.list(f"plans/{portfolio}/")
    if not plans:
        return None
    session = plans[-1].rsplit("/", 1)[1].removesuffix(".json")
    with suppress(ValueError):
        plan = json.loads(store.get(plans[-1]) or b"null")
        found = Waiting.of({"started_at": plan.get("made_at"), **plan} if isinstance(plan, dict) else None)
        if found is not None:
            return found
    return Waiting(session, "", "", "")


def _approved(store: Store, portfolio: str, plan: Waiting) -> list[tuple[str, str]]:
    """Give the digests that a person approved last, of a run that came after the last plan.

    Only an event of this very portfolio approves, and only what is written in it: to lift a flag, or to
    resume another portfolio or all, is no word about code. Runs are told apart by the broker's clock, on
    which plans are made, too.
    """
    said = (Waiting.of(e.get("approved")) for _, e in _resumes(store) if e.get("portfolio") == portfolio)
    newer = [run for run in said if run is not None and run.started_at > plan.started_at]
    return [max(newer).digests] if newer else []


def waiting(store: Store, trades: Trades, portfolio: str) -> Waiting | None:
    """Give the newest run where it waits for a person's approval: what `resume` announces and approves."""
    rows = trades.query(
        "SELECT run_id, code, started_at, config_digest, code_digest FROM runs WHERE portfolio = ?"  # noqa: S608 - the condition is this file's own
        f" AND dry_run = 0 AND outcome <> 'closed' AND {_TROUBLE}"
        " ORDER BY started_at DESC, run_id DESC LIMIT 1",
        (portfolio,),
    )
    run = Waiting.of(rows[0]) if rows and rows[0]["code"] == "require_approval" else None
    plan = _last_plan(store, portfolio)
    if run is None or plan is None or run.started_at <= plan.started_at:
        return None
    return None if run.digests in {plan.digests, *_approved(store, portfolio, plan)} else run


def latch_if_due(world: World, mandate: Mandate, evidence: Evidence) -> None:
    """Latch the portfolio when its account fell too far, or at the end of its third bad session in a row.

    Nothing here keeps the run from its record.
    """
    asked = evidence.code in OWNERS or evidence.code.startswith(REFUSED)
    bad = evidence.outcome in BAD and not asked
    if mandate.dry_run or evidence.session is None or not bad:
        return
    fall = next((v for v in evidence.verdicts if v.rule == "max_drawdown" and not v.passed), None)
    with suppress(OSError, Halted):  # a store that can't be read or written is said by what stopped the run
        if fall is not None:
            _latch(world, evidence, "max_drawdown", f"fell {fall.seen} from the peak, allowed {fall.allowed}")
        elif _bad_before(world, mandate, evidence):
            why = f"{BAD_SESSIONS} bad sessions in a row, the last for {evidence.code}"
            _latch(world, evidence, "bad_sessions", why)


def _bad_before(world: World, mandate: Mandate, evidence: Evidence) -> bool:
    """Say whether no run of this session was good, and the sessions before it were bad, too."""
    rows = world.trades.query(
        "SELECT session, outcome FROM runs WHERE portfolio = ? AND dry_run = 0"  # noqa: S608 - as above
        f" AND {_SINCE} AND session <= ? AND outcome <> 'closed' AND {_TROUBLE} ORDER BY session DESC",
        (mandate.portfolio, evidence.resumed or "", str(evidence.session)),
    )
    outcomes: dict[str, set[str]] = {str(evidence.session): set()}
    for row in rows:
        outcomes.setdefault(str(row["session"]), set()).add(str(row["outcome"]))
    last = list(outcomes.values())[:BAD_SESSIONS]
    return len(last) == BAD_SESSIONS and not any(some & GOOD for some in last)


def _latch(world: World, evidence: Evidence, code: str, why: str) -> None:
    at = "" if evidence.started_at is None else stamp(evidence.started_at)
    latch(world.store, evidence.mandate.portfolio, at=at, why=f"{code}: {why}")
    evidence.note("error", evidence.stage or "", code, f"latched: {why}")
