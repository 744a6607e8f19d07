"""Sweeps: one process struck at one boundary, then one more run: what must have become of the session.

A cell is a scenario, a request's number, and what strikes there. Each gives what was wrong, nothing else is
kept of it; a sweep is many cells, two processes at a time.
"""

from __future__ import annotations

import signal
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from process.kit import CALM, Watch, filled, place, planned, unlike
from process.wire import AFTER, BEFORE, Severed
from trimtab.adapters.exchange import Behaviour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from process.kit import Done, Place
    from process.wire import Passing

Case = TypeVar("Case")
WORKERS = 2
LATE = "late"
"""The sender is killed, and its request arrives only when the next run has sent its own first order."""
LATE_S = 30.0
VICTIM, NEXT, LAST = "key-of-victim", "key-of-the-next", "key-of-the-last"
ENDED_WELL = ("traded", "in_band")


@dataclass(frozen=True, slots=True)
class Scenario:
    """How the exchange behaves and its clock runs; `exact` where every order fills to its last share."""

    name: str
    behaviour: Behaviour = CALM
    speed: float = 0.0
    exact: bool = True
    fill_timeout_s: float = 120.0


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("calm"),
        Scenario("slow", Behaviour(latency_s=1.2), speed=1.0),
        Scenario(
            "partial",
            Behaviour(latency_s=2.0, partial_probability=1.0),
            speed=20.0,
            exact=False,
            fill_timeout_s=2.0,
        ),
    )
}
"""calm: fills come after a look or two. slow: orders are open when the next run begins. partial: each order
fills in two parts, or never wholly, and is cancelled."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One process struck once: at which request, before or after it was processed, by which signal."""

    scenario: str
    number: int
    moment: str
    signal: int = signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a cell: whether it was struck, what was wrong, how long it took; how processes ended."""

    cell: object
    struck: bool
    wrong: tuple[str, ...]
    seconds: float
    ends: tuple[str, ...] = ()


@dataclass
class Strike:
    """A hook that ends a process at its request, once."""

    there: Place
    cell: Cell
    arrived: threading.Event = field(default_factory=threading.Event)

    def __call__(self, passing: Passing) -> None:
        """End the victim where it is due; let a late request go on where the next run has sent an order."""
        cell = self.cell
        if passing.sender == NEXT and passing.orders and passing.moment == AFTER:
            self.arrived.set()
        due = AFTER if cell.moment == AFTER else BEFORE
        if (passing.sender, passing.number, passing.moment) != (VICTIM, cell.number, due):
            return
        victim = self.there.started[0]
        victim.kill(cell.signal)
        if cell.signal == signal.SIGTERM:
            return  # nothing else befalls it: the request goes on
        with suppress(subprocess.TimeoutExpired):
            victim.process.wait(timeout=5)
        if cell.moment != LATE:
            raise Severed
        self.arrived.wait(LATE_S)


def stage(folder: Path, scenario: Scenario) -> AbstractContextManager[Place]:
    """Give a place that behaves as a scenario says."""
    execution = {"fill_timeout_s": scenario.fill_timeout_s}
    return place(folder, scenario.behaviour, scenario.speed, execution=execution)


@cache
def requests_of(scenario: str) -> tuple[str, ...]:
    """Give the methods and paths of an undisturbed run, in order."""
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder), SCENARIOS[scenario]) as there:
        done = there.run(VICTIM)
        assert done.status == 0, str(done)
        return tuple(f"{passed.method} {passed.path}" for passed in there.proxy.seen(VICTIM))


def cells(scenario: str, step: int = 1, offset: int = 0) -> list[Cell]:
    """Give every boundary of a run, or every so many-th: before and after each request; orders also late."""
    every = []
    for number, name in enumerate(requests_of(scenario), start=1):
        moments = (BEFORE, AFTER, LATE) if name == "POST /v2/orders" else (BEFORE, AFTER)
        every += [Cell(scenario, number, moment) for moment in moments]
    return every[offset::step]


def terminated() -> list[Cell]:
    """Give every boundary of a calm run for SIGTERM."""
    return [replace(cell, signal=signal.SIGTERM) for cell in cells("calm") if cell.moment != LATE]


def strike(cell: Cell, *, again: bool = True) -> Result:
    """End a run at one boundary, run once more, and say what is wrong then; `again` False leaves that out."""
    began = time.monotonic()
    scenario = SCENARIOS[cell.scenario]
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder), scenario) as there:
        hit = Strike(there, cell)
        watch = Watch(there, hit)
        there.proxy.at(watch)
        first = there.run(VICTIM)
        allowed = {0, 3, 4} if cell.signal == signal.SIGTERM else {-cell.signal}
        hit_it = any(p.number >= cell.number for p in there.proxy.seen(VICTIM))
        wrong = [] if first.status in (allowed if hit_it else {0}) else [f"the struck run: {first}"]
        wrong += ended_by_term(there, cell, first) if cell.signal == signal.SIGTERM else []
        if again:
            wrong += converged(there, scenario)
        wrong += [*watch.wrong, *unlike_plan(there, scenario), *unlike(there)]
        return Result(cell, hit_it, tuple(wrong), time.monotonic() - began, (end_of(first),))


def ended_by_term(there: Place, cell: Cell, first: Done) -> list[str]:
    """Say where a run that was asked to end sent an order afterwards, left no record, or told otherwise."""
    late = [p.number for p in there.proxy.sent(VICTIM) if p.orders and p.number > cell.number]
    wrong = [f"orders at {late}, after SIGTERM"] if late else []
    records = {record["run_id"]: record for record in there.records()}
    mine = records.get(first.document.get("run_id"))
    if mine is None:
        return [*wrong, f"no record of the run that was asked to end: {first}"]
    sent = any(p.orders for p in there.proxy.sent(VICTIM))
    due = {"traded"} if first.status == 0 else {"interrupted" if sent else "halted"}
    return wrong if mine["outcome"] in due else [*wrong, f"its record says {mine['outcome']}: {first}"]


def converged(there: Place, scenario: Scenario = SCENARIOS["calm"]) -> list[str]:
    """Run once more, which ends the session, and again, which sends nothing; say what went otherwise."""
    second = there.run(NEXT)
    wrong = [] if ended_well(second) else [f"one more run: {second}"]
    third = there.run(LAST)
    if not ended_well(third) or third.document["outcome"] != "in_band":
        wrong.append(f"a run of a finished session: {third}")
    wrong += [f"a finished session was sent {p.method} {p.path}" for p in there.proxy.sent(LAST)]
    open_ = there.open_orders()
    wrong += [f"still open: {open_}"] if open_ and scenario.exact else []
    return wrong


def ended_well(done: Done) -> bool:
    """Say whether a run did what it should."""
    return done.status == 0 and done.document["outcome"] in ENDED_WELL


def end_of(done: Done) -> str:
    """Say in a word how a process ended: its exit status, and its code where it was stopped."""
    return f"{done.status} {done.document['code']}" if done.status in {3, 4} else str(done.status)


def unlike_plan(there: Place, scenario: Scenario = SCENARIOS["calm"]) -> list[str]:
    """Name the symbols whose fills are not the plan's; or go beyond it, where orders may end unfilled."""
    want, have = planned(there), filled(there)
    wrong = []
    for symbol in want.keys() | have.keys():
        due, done = want.get(symbol, Decimal(0)), have.get(symbol, Decimal(0))
        beyond = done * due < 0 or abs(done) > abs(due)
        if beyond or (scenario.exact and done != due):
            wrong.append(f"{symbol}: {done} filled of {due} planned")
    with there.exchange.work() as world:
        wrong += [f"cash {world.book.cash}"] if world.book.cash < 0 else []
    return wrong


def sweep(judge: Callable[[Case], Result], every: Iterable[Case], workers: int = WORKERS) -> list[Result]:
    """Judge many cells, a few at a time."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(judge, every))


def wrong_of(results: Sequence[Result]) -> list[str]:
    """Name what went wrong, cell by cell."""
    return [f"{result.cell}: {text}" for result in results for text in result.wrong]


def row(name: str, results: Sequence[Result], seconds: float) -> str:
    """Write a line of the table: boundaries, how many were struck, how many came out right."""
    struck = sum(result.struck for result in results)
    right = sum(not result.wrong for result in results)
    return f"| {name} | {len(results)} | {struck} | {right} | {seconds:.0f} |"
