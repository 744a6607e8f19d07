"""Slow: a broker that takes its time, against a run with a deadline: it ends in time, with its record."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from process.kit import Watch, unlike
from process.sweeps import SCENARIOS, VICTIM, Result, converged, end_of, stage, unlike_plan

if TYPE_CHECKING:
    from process.kit import Place
    from process.wire import Passing

TRADING = r"/v2/(account|orders|positions|clock|calendar|assets).*"


@dataclass(frozen=True, slots=True)
class Slow:
    """How slow, from which request of the run on: what the sandbox does to each matching answer."""

    action: str
    seconds: float
    number: int = 1
    path: str = TRADING
    deadline_s: float = 45.0


SLOW = (
    Slow("delay", 0.5),
    Slow("delay", 0.8),
    Slow("drip", 1.5),
    Slow("delay", 12.0, number=24),
    Slow("hang", 60.0, number=24),
    Slow("hang", 60.0, number=16),
    Slow("drip", 25.0, number=24),
    Slow("hang", 60.0, number=38, path="/v2/(positions|account)"),
    Slow("hang", 60.0, number=4, path=".*", deadline_s=14.0),
    Slow("delay", 0.4, deadline_s=31.0),
)
"""From the start: the run comes as far as its time. From 24, after the first order: nothing can be read any
more. From 38: the record's own reads never end. The last two are short."""


@dataclass
class Slowing:
    """A hook that makes the sandbox slow from a request on."""

    there: Place
    case: Slow
    done: list[int] = field(default_factory=list)

    def __call__(self, passing: Passing) -> None:
        """Slow it down where it is due."""
        case = self.case
        if passing.sender == VICTIM and passing.number == case.number and not self.done:
            self.done.append(passing.number)
            fault = {"action": case.action, "path": case.path, "seconds": case.seconds, "times": 0}
            self.there.control("faults", **fault)


def slow_down(case: Slow) -> Result:
    """Run with a deadline at a slow broker, then once more at a quick one, and say what is wrong."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder), SCENARIOS["calm"]) as there:
        slowing = Slowing(there, case)
        watch = Watch(there, slowing)
        there.proxy.at(watch)
        done = there.run(VICTIM, "--deadline", str(case.deadline_s))
        there.calm()
        took = _took(there)
        wrong = (
            [] if took < case.deadline_s else [f"ended {took} s after its start, due by {case.deadline_s}"]
        )
        if done.status not in {0, 3, 4}:
            wrong.append(f"no clear end: {done}")
        elif done.document["run_id"] not in {record["run_id"] for record in there.records()}:
            wrong.append(f"no record: {done}")
        wrong += _too_late(there, case)
        wrong += [*converged(there), *watch.wrong, *unlike_plan(there), *unlike(there)]
        seconds = time.monotonic() - began
        ends = (f"{end_of(done)} after {took:.1f} s",)
        return Result(case, bool(slowing.done), tuple(wrong), seconds, ends)


def _took(there: Place) -> float:
    """Give the seconds that the first run took by its own clock, as its log says."""
    lines = [json.loads(line) for line in (there.store / "app.log").read_text().splitlines()]
    took: float = next(line["seconds"] for line in lines if line["event"] == "run")
    return took


def _too_late(there: Place, case: Slow) -> list[str]:
    """Name the orders of a run's last 30 seconds; its time began before its first request did."""
    began = there.proxy.seen(VICTIM)[0].at
    last = case.deadline_s - 30.0
    late = [round(p.at - began, 1) for p in there.proxy.sent(VICTIM) if p.orders and p.at - began > last]
    return [f"orders {late} s after the first request"] if late else []
