"""Schedules: from a seed, a stormy session or two on one account, then calm; and what must be true of it.

A plot has a book to start from, one to three runs (one after the other, or at once), faults, and perhaps a
twist: a rare thing that happens to real accounts. Then the storm ends, one run goes in peace, and the laws
are judged. A twist may allow codes with which this session's last run refuses; then the next session's
must go through, once a person has cleared what the code asks for.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from faults import twists
from faults.simulation import Process, Simulation, StoreFault
from line_kit import make_mandate, make_tape
from trimtab.adapters.exchange import Exchange
from trimtab.adapters.exchange.hours import at
from trimtab.adapters.exchange.prices import Prices
from trimtab.adapters.sandbox.faults import Fault
from trimtab.stations.halting import Word, resume

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from faults.laws import Violation
    from faults.simulation import Ablation
    from trimtab.core.mandate import Mandate

FINE = frozenset({"traded", "in_band"})
PRICES = {"AAA": 100.0, "BBB": 50.0, "CCC": 20.0, "BRK.B": 280.0}
FIRST, LAST = date(2021, 1, 4), date(2021, 12, 30)
STARTS = (date(2021, 3, 1), date(2021, 4, 14), date(2021, 6, 11))
TAPES = 6
LATEST_S = 240.0
"""Seconds by which an order is late at most."""
OUT_OF_TIME = frozenset({"closed"})


@dataclass(slots=True)
class Plot:
    """What a seed makes: the account, the mandate, the storm."""

    rng: random.Random
    weights: dict[str, float] = field(default_factory=dict)
    held: dict[str, Decimal] = field(default_factory=dict)
    cash: int = 100_000
    start: date = STARTS[0]
    clock: time = time(10, 0)
    tape: int = 0
    changes: dict[str, Any] = field(default_factory=dict)
    behaviour: dict[str, Any] = field(default_factory=dict)
    allowed: set[str] = field(default_factory=set)
    rolls: bool = False
    twist: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a seed: broken laws, the paths that it took, and the digest of its history."""

    seed: int
    violations: tuple[Violation, ...]
    paths: Counter[str]
    digest: str
    steps: int
    story: tuple[str, ...]


@cache
def prices(tape: int) -> Prices:
    """Give the prices of one of the tapes: still, or walking."""
    return Prices(
        make_tape(
            dict(sorted(PRICES.items())), walk=0.0 if tape == 0 else 0.012, seed=tape, first=FIRST, last=LAST
        )
    )


BOOKS: tuple[tuple[dict[str, float], dict[str, int], int], ...] = (
    ({"AAA": 0.65, "BBB": 0.17, "CCC": 0.17}, {"AAA": 800}, 5_000),  # one sell pays two buys
    ({"AAA": 0.20, "BBB": 0.15, "CCC": 0.10}, {}, 100_000),  # buys only
    ({"AAA": 0.30, "BBB": 0.10}, {"AAA": 500, "BBB": 500}, 20_000),  # sells only
    ({"AAA": 0.0, "BBB": 0.45, "CCC": 0.45}, {"AAA": 150, "BBB": 700, "CCC": 1500}, 700),  # an exit
    ({"AAA": 0.333, "BBB": 0.333, "CCC": 0.333}, {"AAA": 420, "BBB": 500, "CCC": 1700}, 1_000),
    ({"AAA": 0.40, "BBB": 0.40}, {"AAA": 400, "BBB": 800}, 20_000),  # nothing to do
)
"""Weights, shares and cash (USD) that a plot starts from."""
BOOK_ODDS = (6, 4, 2, 3, 3, 1)


def make_plot(seed: int) -> Plot:
    """Draw a plot."""
    rng = random.Random(f"schedule/{seed}")
    weights, held, cash = rng.choices(BOOKS, BOOK_ODDS)[0]
    plot = Plot(rng, dict(weights), {s: Decimal(q) for s, q in held.items()}, cash)
    plot.start, plot.tape = rng.choice(STARTS), rng.randrange(TAPES)
    plot.behaviour = {
        "latency_s": rng.choice([0.2, 0.2, 0.2, 2.0, 2.0, 15.0, 60.0]),
        "partial_probability": rng.choice([0.0, 0.0, 0.3, 1.0]),
        "spread_bps": rng.choice([0.0, 2.0]),
    }
    if rng.random() < 0.25:
        views = ("orders", "positions", "account")
        plot.behaviour["delays"] = {view: rng.uniform(0, 10) for view in views if rng.random() < 0.6}
    if rng.random() < 0.1:
        plot.behaviour[rng.choice(["halted", "rejecting"])] = (rng.choice(sorted(weights)),)
    if rng.random() < 0.2:
        plot.changes["fractional"] = False
    plot.changes["fill_timeout_s"] = rng.choice([8.0, 20.0, 20.0, 20.0, 120.0])
    return plot


LASTING = 12
"""A fault that strikes so often outlasts the half minute in which a run looks at its holdings again."""
HTTP_FAULTS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    *((action, {}) for action in ("drop", "hang", "html", "truncated", "garbage", "empty", "duplicate")),
    *(("status", {"status": status}) for status in (429, 500, 502, 503, 504)),
    ("status", {"status": 429, "headers": {"X-RateLimit-Reset": "1614610860"}}),
    ("status", {"status": 429, "headers": {"Retry-After": "7"}}),
    *((action, {}) for action in ("delay", "drip", "late", "late")),
    ("alter", {"fields": {"client_order_id": "tt1-00000000-20200101-AAA-0"}}),
    ("alter", {"fields": {"id": ""}}),
    *(("alter", {"fields": {name: "NaN"}}) for name in ("filled_qty", "cash", "qty", "equity")),
    ("alter", {"fields": {"status": "quantum"}}),
    *(("alter", {"fields": {"next_page_token": token}}) for token in ("", "none", 7)),
    ("cut", {}),
)
"""What an answer can suffer; `alter` and `cut` change its JSON."""


def http_fault(rng: random.Random) -> Fault:
    """Draw a fault of a request."""
    action, more = rng.choice(HTTP_FAULTS)
    return Fault(
        action,  # type: ignore[arg-type]  # one of them
        rng.choice(["*", "POST", "POST", "DELETE", "GET"]),
        rng.choice([".*", ".*", "/v2/orders", "/v2/account", "/v2/positions", "/v2/clock", "/v2/stocks"]),
        nth=rng.choice([1, 1, 2, 3, rng.randrange(1, 40)]),
        times=rng.choice([1, 1, 1, 2, 4, 12]),
        when=rng.choice(["before", "after"]),
        seconds=rng.choice([0.5, 3.0, 12.0, 45.0, 200.0]),
        **more,
    )


def store_fault(rng: random.Random) -> StoreFault:
    """Draw a fault of the store or the database."""
    what = rng.choice(["store put", "store put runs", "store get", "store list", "database", "store"])
    error = "database is locked" if what == "database" else "No space left on device"
    nth = rng.choice([1, 2, 3, rng.randrange(1, 12)])
    return StoreFault(what, nth, rng.choice([1, 1, 2, 100]), rng.random() < 0.3, error)


class Play:
    """One plot, played: the simulation, and the helpers that twists use."""

    def __init__(
        self, plot: Plot, root: Path, seed: int, ablation: Ablation | None = None, *, quick: bool = True
    ) -> None:
        self.plot, self.rng, self.seed = plot, plot.rng, seed
        kept = prices(plot.tape)
        exchange = Exchange.open(kept.tape, plot.start, Decimal(plot.cash), prices=kept)
        for symbol, shares in plot.held.items():
            exchange.journal(symbol, shares)
        exchange.move(max(at(plot.start, plot.clock), exchange.now()))
        exchange.behave(**plot.behaviour)
        sticky = plot.rng.choice([0.0, 0.6, 0.95])
        self.simulation = Simulation(root, exchange, plot.rng, ablation, quick=quick, sticky=sticky)
        self.mandate = make_mandate(plot.weights, **plot.changes)
        self.story: list[str] = []
        self.sent = 0
        """Runs of this session that sent an order."""
        self.ends: list[Callable[[], None]] = []
        """What else is made good when the storm ends."""

    def process(self, name: str, mandate: Mandate | None = None, **more: Any) -> Process:  # noqa: ANN401 - of Process
        """Make a process that runs the line."""
        return Process(self.simulation, name, mandate or self.mandate, **more)

    def run(self, *processes: Process) -> None:
        """Let processes live, and keep their ends for the story."""
        self.simulation.play(*processes)
        ends = " | ".join(f"{p.name}: {p.outcome} {p.code}, {len(p.posted)} posts" for p in processes)
        self.story.append(f"{self.simulation.exchange.now():%m-%d %H:%M:%S} {ends}")
        sent = sum(1 for p in processes if p.posted)
        self.sent += sent
        if sent > 1:
            self.simulation.paths["two_runs_both_send"] += 1

    def stormy(self, name: str, **more: Any) -> Process:  # noqa: ANN401 - of Process
        """Make a process that may die, or run out of time."""
        rng = self.rng
        if rng.random() < 0.45:
            more.setdefault("kill_at", rng.choice([rng.randrange(1, 130), rng.randrange(40, 110)]))
        elif rng.random() < 0.08:
            more.setdefault("bug_at", rng.randrange(1, 120))
        if rng.random() < 0.15:
            more.setdefault("deadline_s", rng.choice([31.0, 35.0, 45.0, 60.0, 120.0, 200.0]))
        return self.process(name, **more)

    def storm(self) -> None:
        """Let the storm's runs happen: one or two at once, twice at most."""
        for act in range(self.rng.choice([1, 1, 2])):
            runs = [self.stormy(f"run{act}a")]
            if self.rng.random() < 0.35:
                runs.append(self.stormy(f"run{act}b", start_at=self.rng.choice([0, self.rng.randrange(150)])))
            self.run(*runs)
            if self.rng.random() < 0.3:
                pause_s = self.rng.choice([5.0, 60.0, 1800.0])
                if pause_s > LATEST_S:
                    self.simulation.face.deliver_held()
                self.simulation.exchange.advance(pause_s)

    def calm(self) -> None:
        """End the storm: no faults, a broker that answers at once."""
        simulation = self.simulation
        simulation.face.faults.clear()
        simulation.store_faults.clear()
        simulation.happenings.clear()
        simulation.triggers.clear()
        for end in self.ends:
            end()
        quiet = {"halted": (), "rejecting": (), "delays": {}, "partial_probability": 0.0, "latency_s": 0.2}
        simulation.exchange.behave(**quiet)
        simulation.exchange.advance(90.0)

    def next_session(self) -> None:
        """Go to 10:00 of the next session; what is on its way arrives before."""
        self.sent = 0
        self.simulation.face.deliver_held()
        self.simulation.exchange.step()

    def halted(self) -> bool:
        """Say whether a flag stops the portfolio."""
        store = self.simulation.store
        return store.get("HALT") is not None or store.get("halts/main") is not None

    def resume(self) -> None:
        """Lift the flags, as a person would who looked at the account."""
        now, steps = self.simulation.exchange.now(), self.simulation.steps
        for everyone in (False, True):
            name = f"{now:%Y%m%dT%H%M%SZ}-{steps:06x}{everyone:02x}"
            word = Word(name, "owner", now, "looked at it", "main", everyone)
            resume(self.simulation.store, word)


def bare(_drama: Play) -> None:
    """Leave a play as it is."""


def play(
    seed: int,
    root: Path,
    ablation: Ablation | None = None,
    *,
    quick: bool = True,
    digest: bool = False,
    stage: Callable[[Play], None] = bare,
    at_end: Callable[[Play], None] | None = None,
) -> Outcome:
    """Play a seed from its start to its judgement; `root` is an empty folder, removed at the end.

    `stage` adds what the account's owner has besides; `at_end` looks at what was left before that.
    """
    plot = make_plot(seed)
    twist = twists.draw(plot)
    drama = Play(plot, root, seed, ablation, quick=quick)
    simulation = drama.simulation
    stage(drama)
    try:
        for _ in range(plot.rng.choice([0, 1, 1, 2, 3])):
            fault = http_fault(plot.rng)
            simulation.face.faults.add(fault)
            if fault.action == "cut":  # half of the deposits were not listed: the account seems to have moved
                plot.allowed |= {"max_drawdown", "max_equity_move"}
                if fault.times >= LASTING:  # half of the holdings, for longer than a run looks again
                    plot.allowed.add("reconcile")
        if plot.rng.random() < 0.2:
            simulation.store_faults.append(store_fault(plot.rng))
        twist.play(drama)
        finish(drama)
        simulation.laws.judge_secrets()
        _count(drama)
        if at_end is not None:
            at_end(drama)
        return Outcome(
            seed,
            tuple(simulation.laws.violations),
            simulation.paths,
            simulation.digest() if digest else "",
            simulation.steps,
            (f"{plot.twist}: {plot.weights} {plot.behaviour}", *drama.story),
        )
    finally:
        simulation.close()
        shutil.rmtree(root, ignore_errors=True)


def finish(drama: Play) -> None:
    """One calm run; where it may refuse, or its time is over, the next session's."""
    plot, simulation = drama.plot, drama.simulation
    drama.calm()
    last = drama.process("calm", arrival=twists.FINISH if plot.twist == "config_changed" else None)
    if not plot.rolls:
        drama.run(last)
        if last.outcome in FINE:
            simulation.laws.judge_books()
            return
        if last.outcome not in OUT_OF_TIME and not _allowed(drama, last):
            simulation.laws.broken("I9", f"a calm run ended {last.outcome} {last.code}: {_reason(last)}")
            return
        if last.posted and last.outcome not in OUT_OF_TIME and last.code not in plot.allowed:
            simulation.laws.broken("I9", "a calm run sent orders and did not finish")
    drama.next_session()
    twists.cure(drama)
    after = drama.process("next")
    drama.run(after)
    if after.outcome not in {*FINE, "not_due"}:
        simulation.laws.broken(
            "I9", f"the next session's run ended {after.outcome} {after.code}: {_reason(after)}"
        )
    simulation.laws.judge_books()


def _allowed(drama: Play, process: Process) -> bool:
    """Say whether a run may end so: for a code that is foreseen, or a latch that was set for one.

    As many runs as may send orders in a session did, two side by side among them: then it must refuse.
    """
    if process.code == "max_runs_with_orders":
        return not process.posted and drama.sent >= drama.mandate.risk.max_runs_with_orders
    latched = process.code == "kill_switch" and any(
        f"seen: {code}:" in _reason(process) for code in drama.plot.allowed
    )
    return process.code in drama.plot.allowed or latched


def _reason(process: Process) -> str:
    if process.document is not None:
        return str(process.document["reason"])[:160]
    return str(process.error or process.bug or process.ended)[:160]


def _count(drama: Play) -> None:
    """Count the rare paths that this schedule took."""
    simulation = drama.simulation
    paths, log = simulation.paths, simulation.face.log.seen
    paths[f"twist: {drama.plot.twist}"] += 1
    for seen in log:
        if seen.fault is not None:
            paths[f"fault: {seen.fault.split()[1]}" + (" on an order" if seen.method == "POST" else "")] += 1
    if any(s.fault and s.fault.endswith("late") and s.method == "POST" for s in log):
        landed = Counter(
            s.client_order_id for s in log if s.method == "POST" and s.fault is None and s.status == 200
        )
        late = {s.client_order_id for s in log if s.fault and s.fault.endswith("late") and s.method == "POST"}
        paths["late order landed"] += any(landed[order] for order in late)
    if any(s.method == "POST" and s.status == 422 for s in log):
        paths["an id refused because its first attempt lives"] += 1
    orders = simulation.laws.ours()
    paths["partly filled, then cancelled"] += any(o.status == "canceled" and o.filled_qty for o in orders)
    paths["a second slot was used"] += any(o.client_order_id.endswith(("-1", "-2", "-3")) for o in orders)
    paths["rejected after it was accepted"] += any(o.status == "rejected" for o in orders)
    for process in simulation.processes:
        paths[f"ended: {process.code}"] += 1
        if process.ended == "killed":
            paths["killed with orders sent" if process.posted else "killed before any order"] += 1
            paths["time ran out from outside"] += process.seconds_left() <= 0
    paths["stale views"] += bool(drama.plot.behaviour.get("delays"))
    paths["the next session's run closed a dead plan"] += any(
        p.name == "next" and p.document is not None for p in simulation.processes
    )
