"""Serve: a server stopped in the middle of a run, and killed in the middle of one, over real HTTP."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import pytest

from process.kit import place, unlike
from process.sweeps import NEXT, VICTIM, converged, requests_of, unlike_plan
from process.wire import AFTER

if TYPE_CHECKING:
    from pathlib import Path

    from process.kit import Place
    from process.wire import Passing

DUE = {"run_time": "00:00"}
"""A wake-up of this day has always passed: a server that starts runs at once."""
ORPHAN_S = 120.0
HELD_S = 2.0
"""How long the run waits for its order's answer: meanwhile the server hands the signal on."""


def struck(there: Place, number: int) -> tuple[int, list[dict[str, object]]]:
    """Serve, signal the server when its run's first order was taken; give its exit status and its lines."""
    orders = [n for n, name in enumerate(requests_of("calm"), start=1) if name == "POST /v2/orders"]

    def strike(passing: Passing) -> None:
        if (passing.sender, passing.number, passing.moment) == (VICTIM, orders[0], AFTER):
            there.started[0].kill(number)
            time.sleep(HELD_S)

    there.proxy.at(strike)
    done = there.start(VICTIM, "serve", "--no-dry-run").wait()
    return done.status, [json.loads(line) for line in done.out.splitlines()]


def test_a_server_that_is_stopped_in_a_run_leaves_it_to_be_gone_on_with(tmp_path: Path) -> None:
    """SIGTERM reaches the run: no order after those under way, a record, exit 0; the next run finishes."""
    with place(tmp_path / "place", schedule=DUE) as there:
        status, lines = struck(there, signal.SIGTERM)
        run = next(line for line in lines if line["event"] == "run")
        sent = [passed.number for passed in there.proxy.sent(VICTIM) if passed.orders]
        outcomes = [record["outcome"] for record in there.records()]
        wrong = [*converged(there), *unlike_plan(there), *unlike(there)]
    assert (status, lines[-1]["event"]) == (0, "stopped")
    assert (run["status"], run["outcome"], run["code"]) == (4, "interrupted", "deadline")
    assert len(sent) <= 2
    assert outcomes == ["interrupted"]
    assert not wrong


def test_a_server_that_is_started_again_finishes_what_the_stop_left(tmp_path: Path) -> None:
    """Its own next start goes on with the session at once, without waiting for a wake-up."""
    with place(tmp_path / "place", schedule=DUE) as there:
        struck(there, signal.SIGTERM)
        there.proxy.at(None)
        server = there.start(NEXT, "serve", "--no-dry-run")
        assert server.process.stdout is not None
        run = next(line for line in map(json.loads, server.process.stdout) if line["event"] == "run")
        server.kill(signal.SIGTERM)
        ended = server.process.wait(timeout=60)
        wrong = [*unlike_plan(there), *unlike(there)]
    assert (run["status"], run["outcome"]) == (0, "traded")
    assert ended == 0
    assert not wrong


@pytest.mark.parametrize("number", [signal.SIGKILL])
def test_a_run_outlives_the_server_that_is_killed(tmp_path: Path, number: int) -> None:
    """On a machine that lives on, the run is a process of its own, and ends as it should."""
    with place(tmp_path / "place", schedule=DUE) as there:
        status, _lines = struck(there, number)
        assert status == -number
        until = time.monotonic() + ORPHAN_S
        while not there.records() and time.monotonic() < until:
            time.sleep(0.1)
        outcomes = [record["outcome"] for record in there.records()]
        wrong = [*converged(there), *unlike_plan(there), *unlike(there)]
    assert outcomes == ["traded"]
    assert not wrong
