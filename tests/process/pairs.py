"""Pairs: two runs of one portfolio at once, as two processes: together they send the orders of one."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from process.kit import Started, Watch, unlike
from process.sweeps import (
    SCENARIOS,
    VICTIM,
    Result,
    converged,
    end_of,
    requests_of,
    stage,
    unlike_plan,
)
from process.wire import AFTER, BEFORE

if TYPE_CHECKING:
    from process.kit import Place
    from process.wire import Passing

FIRST, SECOND = VICTIM, "key-of-a-second"
HOLD_S = 30.0
OFFSETS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6)
"""Seconds between the two starts."""
CLEAR = (0, 3, 4)


@dataclass(frozen=True, slots=True)
class Pair:
    """When the second run begins: seconds after the first, or at a request of it.

    At a request, the first one is held there until the second one has made its first request (`start`), or
    has ended (`end`): the longest pause that a machine may make.
    """

    offset: float = 0.0
    number: int = 0
    moment: str = BEFORE
    held: Literal["start", "end"] = "start"


@dataclass
class Meeting:
    """A hook that starts the second run at a request of the first."""

    there: Place
    pair: Pair
    second: list[Started] = field(default_factory=list)

    def __call__(self, passing: Passing) -> None:
        """Start it where it is due, and hold the first one."""
        pair = self.pair
        if (passing.sender, passing.number, passing.moment) != (FIRST, pair.number, pair.moment):
            return
        self.second.append(self.there.begin(SECOND))
        until = time.monotonic() + HOLD_S
        while time.monotonic() < until and not self._may_go_on():
            time.sleep(0.005)

    def _may_go_on(self) -> bool:
        begun = self.pair.held == "start" and bool(self.there.proxy.seen(SECOND))
        return begun or self.second[0].process.poll() is not None


def pairs() -> list[Pair]:
    """Give every meeting: all offsets, and at each request of an undisturbed run."""
    numbers = range(1, len(requests_of("calm")) + 1)
    at_requests = [
        pair
        for number in numbers
        for pair in (
            Pair(number=number),
            Pair(number=number, held="end"),
            Pair(number=number, moment=AFTER, held="end"),
        )
    ]
    return [Pair(offset) for offset in OFFSETS] + at_requests


def meet(pair: Pair) -> Result:
    """Let two runs meet, run once more, and say what is wrong then."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder), SCENARIOS["calm"]) as there:
        meeting = Meeting(there, pair)
        watch = Watch(there, meeting if pair.number else None)
        there.proxy.at(watch)
        first = there.begin(FIRST)
        if not pair.number:
            time.sleep(pair.offset)
            meeting.second.append(there.begin(SECOND))
        done = [first.wait(), *(second.wait() for second in meeting.second)]
        wrong = [f"a run of two: {d}" for d in done if d.status not in CLEAR or _unclear(d.status, d.out)]
        wrong += converged(there)
        sent = list(there.orders())
        wrong += [] if len(sent) == len(there.rows("orders")) == 4 else [f"orders: {sent}"]
        wrong += [*watch.wrong, *unlike_plan(there), *unlike(there)]
        ends = tuple(end_of(d) for d in done)
        return Result(pair, len(done) == 2, tuple(wrong), time.monotonic() - began, ends)


def _unclear(status: int, out: str) -> bool:
    """Say whether a run that was stopped does not say by what."""
    return status != 0 and '"code"' not in out
