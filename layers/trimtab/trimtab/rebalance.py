"""Rebalance: THE LINE. One run, from waking to its record; read this file first.

    arrive → fetch → validate → positions → strategy → plan → risk → execute → record → report

Each station takes the values of those before it and gives the next ones; any of them may stop the run.
Whatever stops it, `record` writes down what was seen and done, and `report` tells the owner.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.errors import Halted, Interrupted
from trimtab.execute import Chain, execute, reconcile
from trimtab.ports import Unauthorized, Unreachable
from trimtab.stations import (
    account,
    arrive,
    history,
    late,
    past,
    prices,
    saved,
    unfinished,
    unmoved,
    writeahead,
)
from trimtab.stations.arrive import Ended
from trimtab.stations.evidence import Evidence, orders
from trimtab.stations.record import record, take_in
from trimtab.stations.report import reporting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.core.mandate import Mandate
    from trimtab.core.record import Document
    from trimtab.ports import World
    from trimtab.stations.arrive import Arrival, Today


def rebalance(world: World, mandate: Mandate, arrival: Arrival) -> Document:
    """Run the line once and give its record.

    Raises:
        Misconfigured: the store belongs to another account or mode; nothing is recorded there.
        Halted | Interrupted: the store can't be written at the end.
    """
    if arrival.only_plan:
        mandate = replace(mandate, dry_run=True)  # a plan on paper changes nothing anywhere
    evidence = Evidence(mandate, world.new_id(), world.clock.monotonic)
    if arrival.only_plan:
        _pass(world, mandate, arrival, evidence)
        return world.redact(evidence.document())
    with reporting(world, evidence) as report:
        _pass(world, mandate, arrival, evidence)
        return report(record(world, evidence))


def _pass(world: World, mandate: Mandate, arrival: Arrival, evidence: Evidence) -> None:
    """Pass the line to wherever it ends, and latch where that asks for it."""
    with stopping(evidence):
        _line(world, mandate, arrival, evidence)
    evidence.finish()
    history.latch_if_due(world, mandate, evidence)


def _line(world: World, mandate: Mandate, arrival: Arrival, evidence: Evidence) -> None:
    """Pass the stations in order; what stops the run is raised."""
    evidence.enter("fetch")
    evidence.resumed = history.last_resume(world.store, mandate.portfolio)
    now = arrive.read_clock(world, mandate, evidence)
    h8 = arrive.bind(world, unmoved.binding(arrival, mandate), evidence)
    unmoved.judge_maker(arrival, mandate, h8, now, evidence)
    past.import_records(world, mandate, evidence)
    late.complete(world, mandate, evidence)
    today = arrive.arrive(world, mandate, arrival, evidence, now)
    stored = writeahead.stored_plan(world.store, mandate, today.session, h8)
    unmoved.judge_stored(arrival, stored, today)
    if stored is not None and not arrival.only_plan:
        evidence.take_plan(stored)
        _resume(world, mandate, arrival, today, stored, evidence)
    else:
        _afresh(world, mandate, arrival, today, evidence)


def _afresh(world: World, mandate: Mandate, arrival: Arrival, today: Today, evidence: Evidence) -> None:
    """Decide, plan and trade a session that has no plan yet; or trade a saved plan, where it is the same."""
    unmoved.judge_deciders(arrival, mandate, today, evidence)
    decision = past.due(world.store, mandate, today)
    bars = prices.fetch(world, mandate, today, evidence)
    evidence.enter("validate")
    prices.validate(world, bars, mandate, today, evidence)
    unmoved.judge_inputs(arrival, evidence)
    evidence.enter("positions")
    open_orders = unmoved.open_orders(world, arrival, evidence)
    account.clear_orders(world, mandate, today, str(evidence.h8))
    unfinished.close_earlier(world, mandate, today, str(evidence.h8))
    late.find_earlier(world, mandate, evidence)
    flows = history.read_flows(world, mandate, today)
    portfolio = account.positions(world, mandate, bars, evidence)
    unmoved.judge_holdings(arrival, portfolio, evidence)
    equity = evidence.equity = account.equity_of(portfolio, bars)
    seen = history.take(world, mandate, flows, portfolio, bars, evidence)
    account.warn_of_foreign(portfolio, mandate, world, evidence)
    evidence.enter("strategy")
    active = prices.decide(bars, equity, mandate, decision, today, evidence)
    evidence.enter("plan")
    sent = account.value_sent(world, mandate, today.session)
    book = account.book_of(portfolio, evidence.weights, bars, equity, mandate, active, sent)
    plan, conditions = account.draft(world, mandate, book, portfolio, today, evidence)
    evidence.enter("risk")
    unmoved.judge_prices(arrival, mandate, plan, evidence)
    conditions = history.judged(world, mandate, conditions, seen, today, evidence)
    conditions = unmoved.agreed(arrival, conditions)
    approved = account.risk(plan, conditions, mandate, portfolio.account.cash, evidence)
    unmoved.judge_plan(arrival, mandate, plan, approved, evidence)
    if arrival.keep_plan:
        evidence.more["saved"] = saved.seal(world, mandate, today, plan, approved, open_orders, evidence)
    if mandate.dry_run or arrival.only_plan:
        raise Ended("dry_run", "dry_run", f"dry_run: {orders(len(approved.orders))} would be sent")
    evidence.enter("execute")
    document = writeahead.plan_document(plan, approved, mandate, evidence, world.new_id())
    document = unmoved.as_planned(world, mandate, arrival, document, evidence)
    stored, ours = writeahead.store_plan(world, mandate, today.session, document)
    unmoved.judge_stored(arrival, stored, today)
    evidence.take_plan(stored)
    if ours:
        unmoved.take_over(arrival, evidence)
        _trade(world, mandate, today, stored, evidence, adopted=False)
    else:
        _resume(world, mandate, arrival, today, stored, evidence)


def _resume(
    world: World, mandate: Mandate, arrival: Arrival, today: Today, stored: Document, evidence: Evidence
) -> None:
    """Finish a plan that an earlier run stored, or find it done."""
    if (ended := past.ending(world.store, mandate, today.session, stored)) is not None:
        evidence.decision = ended["decision"]
        with suppress(Unreachable):  # what a run beside the finished one did is taken in by a later one, too
            late.find(world, mandate, evidence, today.session)
        raise Ended("in_band", "done", "done: this session's plan is complete; nothing to send")
    evidence.enter("execute")
    writeahead.judge_digests(stored, mandate, finish=arrival.finish)
    if mandate.dry_run:
        raise Ended("dry_run", "unfinished", "unfinished: this session's stored plan would be continued")
    account.clear_beside(world, mandate, today, str(evidence.h8))
    account.positions(world, mandate, None, evidence)
    account.judge_runs(world, mandate, today.session)
    _trade(world, mandate, today, stored, evidence, adopted=True)


def _trade(
    world: World, mandate: Mandate, today: Today, stored: Document, evidence: Evidence, *, adopted: bool
) -> None:
    """Trade the stored plan, and take in what became of it."""
    approved = writeahead.approved_of(stored)
    floor = writeahead.floor_of(world, mandate, today.trading_window(), stored, evidence, adopted=adopted)
    chains = tuple(Chain(order) for order in approved.orders)
    try:
        execute(approved, floor, chains)
        evidence.enter("record")
        reconcile(floor, chains)
    except Exception:
        with suppress(Unreachable, Unauthorized):
            take_in(world, floor, chains, evidence)
        raise
    take_in(world, floor, chains, evidence)
    evidence.conclude(chains)


@contextmanager
def stopping(evidence: Evidence) -> Iterator[None]:
    """Turn whatever stops the line into an outcome, by whether this run sent an order."""
    try:
        yield
    except Ended as end:
        evidence.end(end.outcome, end.code, end.reason)
    except (Halted, Interrupted) as stop:
        evidence.stop(stop)
    except Unauthorized as error:
        hint = "check APCA_API_KEY_ID and APCA_API_SECRET_KEY, and that they belong to this host"
        evidence.stop(_stopped(evidence, "unauthorized", "the broker does not accept the keys", error, hint))
    except Unreachable as error:
        hint = "run again when it answers"
        evidence.stop(_stopped(evidence, "unreachable", "the broker or its data can't be read", error, hint))
    except OSError as error:
        hint = "mend the store and run again"
        evidence.stop(_stopped(evidence, "store_unwritable", "the store can't be used", error, hint))


def _stopped(
    evidence: Evidence, code: str, message: str, error: Exception, hint: str
) -> Halted | Interrupted:
    kind = Interrupted if evidence.sent else Halted
    return kind(code, message, seen=str(error), allowed=_ALLOWED[code], hint=hint)


_ALLOWED = {
    "unauthorized": "keys of this host",
    "unreachable": "clear answers within the retry budget",
    "store_unwritable": "a store that can be read and written",
}
