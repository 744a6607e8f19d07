"""Drills: the kill switch while a run trades, as two processes.

The law, precisely: let j be the number of the run's first request that reaches the proxy once the flag's
file exists. The run sends nothing between two requests, so it reads the flag for any later order after j:
no order has a number above j. The one that may be j itself was on its way already.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from process.kit import CALM, Started, Watch, place, unlike
from process.sweeps import NEXT, VICTIM, Result, converged, end_of, requests_of, unlike_plan
from process.wire import BEFORE

if TYPE_CHECKING:
    from process.kit import Done, Place
    from process.wire import Passing

HALTER, AGAIN, RESUMER = "key-of-halter", "key-of-another", "key-of-resumer"
FLAG_S = 20.0
WORKERS = 6
"""A halt looks on for 15 seconds, mostly asleep: more of them than cores fit side by side."""


@dataclass(frozen=True, slots=True)
class Drill:
    """When the owner halts: at a request of the run, and how; and whose order hangs open.

    held: the request waits until the verb has set the flag. free: the run goes on beside the verb.
    hand: the flag is there at once, as from `echo >`, then comes the verb.
    """

    number: int
    way: Literal["held", "free", "hand"]
    hangs: str = "CCC"


@dataclass
class Halting:
    """A hook that halts at a request, and notes the run's first request after the flag was there."""

    there: Place
    drill: Drill
    halter: list[Started] = field(default_factory=list)
    first_after: int | None = None

    @property
    def flag(self) -> Path:
        """The flag of this portfolio."""
        return self.there.store / "halts/main"

    def __call__(self, passing: Passing) -> None:
        """Halt where it is due; look for the flag at each request of the run."""
        if passing.sender != VICTIM or passing.moment != BEFORE:
            return
        if passing.number == self.drill.number:
            self._halt()
        given_up = passing.number < len(self.there.proxy.seen(VICTIM))  # held too long: it asks again
        if self.first_after is None and not given_up and self.flag.exists():
            self.first_after = passing.number

    def _halt(self) -> None:
        if self.drill.way == "hand":
            self.flag.parent.mkdir(parents=True, exist_ok=True)
            self.flag.write_text("stop it")
        self.halter.append(self.there.start(HALTER, "halt", "a drill"))
        until = time.monotonic() + FLAG_S
        while self.drill.way == "held" and not self.flag.exists() and time.monotonic() < until:
            time.sleep(0.005)


def drills() -> list[Drill]:
    """Give every drill: held at each request; the other ways at some; a sell that hangs, too."""
    numbers = range(1, len(requests_of("calm")) + 1)
    held = [Drill(number, "held") for number in numbers]
    free = [Drill(number, "free") for number in numbers[::2]]
    hand = [Drill(number, "hand") for number in numbers[::4]]
    return held + free + hand + [Drill(number, "held", "AAA") for number in numbers[19:27]]


def drill_it(drill: Drill) -> Result:
    """Halt in the middle of a run, look, resume, run once more, and say what was wrong."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, place(Path(folder), CALM) as there:
        there.control("assets", **{drill.hangs: {"halted": True}})
        halting = Halting(there, drill)
        watch = Watch(there, halting)
        there.proxy.at(watch)
        victim = there.begin(VICTIM)
        wrong = _until_halted(there, victim, halting)
        first = victim.wait()
        wrong += _of_victim(there, first, halting)
        wrong += _of_halted(there)
        there.control("assets", **{drill.hangs: {"halted": False}})
        lifted = there.verb(RESUMER, "resume")
        wrong += [] if lifted.status == 0 and lifted.document["lifted"] else [f"resume: {lifted}"]
        wrong += [*converged(there), *watch.wrong, *unlike_plan(there), *unlike(there)]
        seconds = time.monotonic() - began
        return Result(drill, bool(halting.halter), tuple(wrong), seconds, (end_of(first),))


def _until_halted(there: Place, victim: Started, halting: Halting) -> list[str]:
    """Wait until the halt has ended: then none of our orders is open."""
    until = time.monotonic() + FLAG_S
    while not halting.halter and victim.process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    if not halting.halter:
        return ["the run ended before it could be halted"]
    done = halting.halter[0].wait()
    wrong = [] if done.status == 0 and not done.document["still_open"] else [f"halt: {done}"]
    open_ = there.open_orders()
    return wrong + ([f"open after halt: {open_}"] if open_ else [])


def _of_victim(there: Place, done: Done, halting: Halting) -> list[str]:
    """Say what the halted run did wrong: an order after the flag, or an end that does not tell of it."""
    after = halting.first_after
    numbers = [p.number for p in there.proxy.sent(VICTIM) if p.orders]
    late = [number for number in numbers if after is not None and number > after]
    wrong = [f"orders at {late}, though the flag was there at {after}"] if late else []
    due = 4 if numbers else 3
    if done.status != due or done.document["code"] != "kill_switch":
        wrong.append(f"exit {due}, kill_switch was due after {len(numbers)} orders: {done}")
    return wrong


def _of_halted(there: Place) -> list[str]:
    """Run while the flag stands: exit 3, and nothing is sent."""
    done = there.run(AGAIN)
    wrong = [] if done.status == 3 and done.document["code"] == "kill_switch" else [f"halted: {done}"]
    return wrong + [f"sent while halted: {p.method} {p.path}" for p in there.proxy.sent(AGAIN)]


__all__ = ["NEXT", "WORKERS", "Drill", "drill_it", "drills"]
