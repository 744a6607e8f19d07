"""Cells: every single fault at every boundary of a run, one at a time.

A scenario is a run in peace; each of its calls (request, store, database) is a boundary. A cell is one
scenario, one boundary and one thing that goes wrong there; afterwards one calm run must make it good.
"""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from faults.schedules import Play, Plot, bare, finish
from faults.simulation import Bug, StoreFault
from faults.staging import DISTURBED, SENT, die, killed_after, plant
from trimtab.adapters.sandbox.faults import Fault
from trimtab.switch import raise_flag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from faults.laws import Violation
    from faults.simulation import Process

START = date(2021, 4, 14)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A peaceful run: what the account holds, what is wanted, and what came before."""

    weights: dict[str, float]
    held: dict[str, int]
    cash: int
    behaviour: dict[str, Any]
    before: str = ""
    tape: int = 1


SWITCH = ({"AAA": 0.65, "BBB": 0.17, "CCC": 0.17}, {"AAA": 800}, 5_000)
SCENARIOS = {
    "a sell pays two buys": Scenario(*SWITCH, {}),
    "buys only": Scenario({"AAA": 0.20, "BBB": 0.15, "CCC": 0.10}, {}, 100_000, {}),
    "sells only": Scenario({"AAA": 0.30, "BBB": 0.10}, {"AAA": 500, "BBB": 500}, 20_000, {}),
    "an exit": Scenario(
        {"AAA": 0.0, "BBB": 0.45, "CCC": 0.45},
        {"AAA": 150, "BBB": 700, "CCC": 1500},
        700,
        {"spread_bps": 2.0},
    ),
    "nothing to do": Scenario({"AAA": 0.40, "BBB": 0.40}, {"AAA": 400, "BBB": 800}, 20_000, {}, tape=0),
    "fills in parts": Scenario(*SWITCH, {"partial_probability": 1.0, "latency_s": 2.0}),
    "orders that hang": Scenario(*SWITCH, {"halted": ("BBB",)}),
    "views that lag": Scenario(*SWITCH, {"delays": {"orders": 4.0, "positions": 8.0, "account": 6.0}}),
    "after a kill": Scenario(*SWITCH, {"latency_s": 3.0}, before="killed"),
    "the session after a kill": Scenario(*SWITCH, {}, before="rolled"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault at one boundary: the `index`-th call of the run, named `call`."""

    scenario: str
    index: int
    call: str
    kind: str


def _fault(action: str, **more: Any) -> Callable[[int], Fault]:  # noqa: ANN401 - fields of Fault
    return lambda nth: Fault(action, nth=nth, **more)  # type: ignore[arg-type]  # one of them


REQUEST_KINDS: dict[str, Callable[[int], Fault]] = {
    **{
        f"{action} {when}": _fault(action, when=when)
        for action in ("drop", "hang", "html")
        for when in ("before", "after")
    },
    **{
        f"{status} {when}": _fault("status", status=status, when=when)
        for status in (500, 503, 504)
        for when in ("before", "after")
    },
    "429": _fault("status", status=429),
    "429 for a minute": _fault("status", status=429, times=12, headers={"Retry-After": "5"}),
    "500 for ever": _fault("status", status=500, times=10_000),
    "garbage": _fault("garbage", when="after"),
    "empty": _fault("empty", when="after"),
    "truncated": _fault("truncated"),
    "half of the rows": _fault("cut"),
    "another id": _fault("alter", fields={"client_order_id": "tt1-00000000-20200101-AAA-0"}),
    "NaN filled": _fault("alter", fields={"filled_qty": "NaN"}),
    "NaN cash": _fault("alter", fields={"cash": "NaN", "qty": "NaN"}),
    "unknown status": _fault("alter", fields={"status": "quantum"}),
    "odd token": _fault("alter", fields={"next_page_token": "none"}),
    "slow": _fault("delay", seconds=9.0),
    "drip": _fault("drip", seconds=25.0),
    "duplicate": _fault("duplicate"),
    "late by 6 s": _fault("late", seconds=6.0),
    "late by 4 min": _fault("late", seconds=240.0),
}
STORE_KINDS: dict[str, Callable[[int], StoreFault]] = {
    "fails": lambda nth: StoreFault("", nth),
    "fails after it worked": lambda nth: StoreFault("", nth, after=True),
    "fails from here on": lambda nth: StoreFault("", nth, 10_000),
}


def _deposit(drama: Play) -> None:
    drama.simulation.exchange.journal(amount=Decimal(9_000))


def _human(drama: Play) -> None:
    plant(drama, f"by-hand-{drama.simulation.steps}", "AAA", "buy", qty="7")
    drama.plot.allowed |= DISTURBED


def _split(drama: Play) -> None:
    with drama.simulation.exchange.work() as world:
        for symbol in sorted(world.book.holdings)[:1]:
            world.book.split(symbol, Fraction(2))
    drama.plot.allowed |= DISTURBED | {"max_gap", "sell_refused"}


def _halt(drama: Play) -> None:
    raise_flag(drama.simulation.store, "halts/main", who="owner", at="now", why="drill")
    drama.plot.allowed |= {"kill_switch"}


def _six_hours(drama: Play) -> None:
    drama.simulation.face.deliver_held()
    drama.simulation.exchange.advance(6 * 3600.0)


EVENTS: dict[str, Callable[[Play], None]] = {
    "a deposit": _deposit,
    "a trade by hand": _human,
    "a split": _split,
    "the kill switch": _halt,
    "six hours pass": _six_hours,
}
DEATHS = ("kill before", "kill after", "an error before", "an error after")
BESIDE = "a whole run"


def make(scenario: Scenario, root: Path, seed: int) -> Play:
    """Give a scenario's account, with what came before its run."""
    plot = Plot(random.Random(f"cell/{seed}"), dict(scenario.weights), cash=scenario.cash, tape=scenario.tape)
    plot.held = {symbol: Decimal(shares) for symbol, shares in scenario.held.items()}
    plot.start, plot.clock, plot.behaviour = START, time(10, 0), dict(scenario.behaviour)
    plot.changes["fill_timeout_s"] = 12.0
    drama = Play(plot, root, seed, quick=True)
    if scenario.before:
        killed_after(drama, SENT, "killed")
    if scenario.before == "rolled":
        drama.next_session()
    return drama


def calls(name: str, root: Path) -> list[tuple[str, int]]:
    """Give the calls of a scenario's run in peace, each with the step at which it begins."""
    try:
        drama = make(SCENARIOS[name], root, 0)
        first = drama.simulation.steps
        run = drama.process("run")
        drama.run(run)
        return [(call, step - first) for call, step in run.calls]
    finally:
        shutil.rmtree(root, ignore_errors=True)


def cells(root: Path) -> Iterator[Cell]:
    """Give every cell."""
    for name in SCENARIOS:
        for index, (call, _) in enumerate(calls(name, root / "calls")):
            request = call.split(" ", 1)[0] in {"GET", "POST", "DELETE"}
            kinds = (*REQUEST_KINDS,) if request else (*STORE_KINDS,)
            for kind in (*DEATHS, *kinds, *EVENTS, BESIDE):
                yield Cell(name, index, call.split("?", 1)[0], kind)


def play_cell(
    cell: Cell, root: Path, seed: int = 0, stage: Callable[[Play], None] = bare
) -> tuple[Violation, ...]:
    """Play one cell, and give the broken laws; `stage` adds what the account's owner has besides."""
    steps = calls(cell.scenario, root.with_name(root.name + "-calls")) if cell.kind == BESIDE else []
    drama = make(SCENARIOS[cell.scenario], root, seed)
    stage(drama)
    try:
        simulation = drama.simulation
        run = drama.process("run", fate=_fate(cell, drama))
        beside = []
        if cell.kind == BESIDE:
            beside = [drama.process("beside", start_at=steps[cell.index][1] + 1, urgent=True)]
        elif cell.kind in {*REQUEST_KINDS, *STORE_KINDS}:
            run.fate = _strike(cell, drama)
        drama.run(run, *beside)
        finish(drama)
        simulation.laws.judge_secrets()
        return tuple(simulation.laws.violations)
    finally:
        drama.simulation.close()
        shutil.rmtree(root, ignore_errors=True)


def _fate(cell: Cell, drama: Play) -> Callable[[Process, int, bool], object]:
    def fate(process: Process, index: int, after: bool) -> None:  # noqa: FBT001 - told by the process
        if index != cell.index:
            return
        if cell.kind in EVENTS and not after:
            EVENTS[cell.kind](drama)
        elif cell.kind == ("kill after" if after else "kill before"):
            die(process)
        elif cell.kind == ("an error after" if after else "an error before"):
            raise Bug("an error that nobody expected")

    return fate


def _strike(cell: Cell, drama: Play) -> Callable[[Process, int, bool], object]:
    def fate(_process: Process, index: int, after: bool) -> None:  # noqa: FBT001 - told by the process
        if index != cell.index or after:
            return
        if cell.kind in REQUEST_KINDS:
            drama.simulation.face.faults.add(REQUEST_KINDS[cell.kind](1))
        else:
            drama.simulation.store_faults.append(STORE_KINDS[cell.kind](1))

    return fate
