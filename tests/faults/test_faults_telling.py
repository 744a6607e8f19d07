"""Telling in the simulation: receivers that fail at every boundary, deaths beside them, and canaries."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import pytest

from faults.campaign import scratch
from faults.cells import SCENARIOS, make
from faults.schedules import finish
from faults.simulation import KEY, SECRET, StoreFault
from faults.staging import die
from telling_kit import CHECK, DISCORD, EVENTS, PLAIN, SLACK, Receiver, check_discord, check_slack
from trimtab.adapters.webhook import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from faults.schedules import Play
    from faults.simulation import Process

SCENARIO = "a sell pays two buys"
TOLD = "POST told"
ANSWERS = {
    "down": Answer(None, detail="no answer"),
    "slow": Answer(None, sent=True, detail="no answer in time"),
    "429": Answer(429, wait_s=1.0),
    "500": Answer(500),
}
LEAKS = {
    "key": KEY,
    "secret": SECRET,
    "Discord": f"HTTPSConnectionPool: Max retries exceeded with url: {DISCORD.removeprefix('https://discord.com')}",
    "Slack": f"POST {SLACK} failed",
    "plain": f"{PLAIN} failed",
    "ping": f"{CHECK}/start",
}


@pytest.fixture
def stage() -> Iterator[Path]:
    """An empty folder in memory."""
    folder = scratch()
    yield folder / "play"
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    folder.rmdir()


def drama_of(stage: Path) -> tuple[Play, Receiver]:
    """A sell that pays two buys, whose owner is told everything."""
    drama = make(SCENARIOS[SCENARIO], stage, 0)
    receiver = drama.simulation.receiver = Receiver()
    drama.mandate = replace(drama.mandate, alerts=EVENTS)
    return drama, receiver


def judged(drama: Play) -> None:
    """One calm run is enough, and every law holds."""
    finish(drama)
    drama.simulation.laws.judge_secrets()
    assert drama.simulation.laws.violations == []


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_receiver_that_fails_changes_no_run(answer: Answer, stage: Path) -> None:
    """From the first request on, or from the last: it traded as planned, and ended in time."""
    for failing in ((lambda _url: answer), (lambda url: Answer(200) if "start" in url else answer)):
        drama, receiver = drama_of(stage)
        receiver.answer = failing
        run = drama.process("run")
        drama.run(run)
        assert run.outcome == "traded"
        assert drama.simulation.warned
        judged(drama)
        drama.simulation.close()
        for path in sorted(stage.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()


@pytest.mark.parametrize(("nth", "after"), [*product(range(1, 6), (False, True))])
def test_a_death_at_any_telling_is_made_good(nth: int, after: bool, stage: Path) -> None:  # noqa: FBT001 - a table
    """Killed before or after any ping or message: the next run is well, and the trade is told of."""
    drama, receiver = drama_of(stage)
    drama.run(drama.process("run", fate=_kill_at(nth, after=after)))
    judged(drama)
    assert any("traded" in events for events in receiver.events())
    for posted in receiver.posts:
        if posted.url == DISCORD:
            check_discord(posted.document)
        if posted.url == SLACK:
            check_slack(posted.document)
    drama.simulation.close()


def _kill_at(nth: int, *, after: bool) -> Callable[[Process, int, bool], object]:
    def fate(process: Process, index: int, late: bool) -> None:  # noqa: FBT001 - told by the process
        name = process.calls[index][0]
        so_far = sum(1 for call, _ in process.calls[: index + 1] if call == TOLD)
        if name == TOLD and so_far == nth and late is after:
            die(process)

    return fate


@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS)
def test_no_canary_passes_wherever_it_comes_from(text: str, stage: Path) -> None:
    """A strategy, a store and a flag that quote a secret: it is in no record, message, row, ping or error."""
    drama, receiver = drama_of(stage)

    def leaky(_history: object, _equity: float) -> dict[str, float]:
        raise ValueError(text)

    simulation = drama.simulation
    drama.run(drama.process("leaky", replace(drama.mandate, rule=leaky)))
    simulation.store.put_if_absent("halts/main", f"looked at {text}".encode())
    drama.run(drama.process("halted"))
    simulation.store.delete("halts/main")
    simulation.store_faults.append(StoreFault("store put runs", 1, error=text))
    drama.run(drama.process("unwritable"))
    judged(drama)
    assert [events for events in receiver.events() if "halted" in events]
    assert any(b"***" in posted.body for posted in receiver.posts)
    simulation.close()
