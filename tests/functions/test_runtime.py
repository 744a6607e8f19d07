"""The handler in the real Lambda runtime: the emulator of aws-sam-cli's wheel, and awslambdaric."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from lambda_kit import EVENTS, Runtime, emulator, event, portfolio, runtime, sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPECTED = {
    "bad": "Misconfigured",
    "late": "closed",
    "dry_run": "dry_run",
    "empty": "traded",
    "scheduled": "in_band",
}
"""The events in the order in which they are sent, and the outcome or the error of each."""

Answers = dict[str, Any]


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """The handler in the emulator, on a portfolio of its own."""
    program = emulator()
    if isinstance(program, str):
        pytest.skip(program)
    folder = tmp_path_factory.mktemp("function")
    with sandbox() as served, runtime(program, folder, portfolio(folder, served.url)) as running:
        yield running


@pytest.fixture(scope="module")
def answers(function: Runtime) -> Answers:
    """What the handler answered to each event of the folder, one after the other, in one session."""
    return {name: function.invoke(event(name)) for name in EXPECTED}


@pytest.fixture(scope="module")
def by_command(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What the command line answers in an equal state: another sandbox, store and port, the same seed."""
    folder = tmp_path_factory.mktemp("command")
    with sandbox() as served:
        environ = os.environ | portfolio(folder, served.url)
        command = [sys.executable, "-W", "error", "-m", "trimtab", "run", "--json"]
        done = subprocess.run(
            command, cwd=folder, env=environ, check=False, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 0, done.stderr
    document: Answers = json.loads(done.stdout)
    return document


def test_every_event_of_the_folder_is_sent() -> None:
    """An event that nothing tries is an event that nobody can trust."""
    assert {path.stem for path in EVENTS.glob("*.json")} == set(EXPECTED)


def test_only_the_late_event_carries_a_time() -> None:
    """An event for people works on any day."""
    assert [name for name in EXPECTED if "scheduled_time" in event(name)] == ["late"]


@pytest.mark.parametrize("name", EXPECTED)
def test_the_runtime_answers(name: str, answers: Answers) -> None:
    """Each event of the folder has its outcome, in the true runtime."""
    answer = answers[name]
    assert answer.get("outcome", answer.get("errorType")) == EXPECTED[name], answer


def test_a_bad_event_says_what_is_allowed(answers: Answers) -> None:
    """The runtime's error carries the code, what was seen and what was allowed."""
    message = answers["bad"]["errorMessage"]
    assert message.startswith("bad_event: amount")
    assert "allowed: portfolio, scheduled_time" in message


def test_only_one_event_sends_orders(answers: Answers) -> None:
    """What the dry run planned, the next event trades, and the one after it leaves alone."""
    sent = {name: len(answer.get("orders", ())) for name, answer in answers.items()}
    planned = len(answers["dry_run"]["planned"])
    assert planned > 0
    assert sent == {"bad": 0, "late": 0, "dry_run": 0, "empty": planned, "scheduled": 0}


def test_the_command_line_makes_the_same_plan(answers: Answers, by_command: Answers) -> None:
    """The same state gives the same plan digest, however the line is called, on whatever port."""
    ours = answers["empty"]
    assert ours["plan_digest"] is not None
    for key in ("plan_digest", "planned", "holds", "orders", "equity", "session", "outcome"):
        assert by_command[key] == ours[key], key


def test_both_arrivals_give_the_same_document(answers: Answers, by_command: Answers) -> None:
    """Whoever reads one can read the other."""
    assert set(by_command) == set(answers["empty"])


def test_a_run_is_logged_once_with_its_id(function: Runtime, answers: Answers) -> None:
    """One JSON line a run, and one for what was refused."""
    ids = [line["run_id"] for line in function.lines() if line.get("message") == "run"]
    assert ids == [answers[name]["run_id"] for name in EXPECTED if name != "bad"]
    refused = [line["error"]["code"] for line in function.lines() if line.get("message") == "failed"]
    assert refused == ["bad_event"]


def test_a_run_is_counted_by_its_outcome(function: Runtime, answers: Answers) -> None:
    """CloudWatch gets one metric a run, in the log's embedded format, and no key is ever in the log."""
    lines = [line for line in function.lines() if "_aws" in line]
    counted = [name for line in lines for name in line if name.startswith("Run")]
    assert counted == ["RunFailed", "RunClosed", "RunDryRun", "RunTraded", "RunInBand"]
    assert sum(sum(line.get("Orders", ())) for line in lines) == len(answers["empty"]["orders"])
    assert "secret-of-tests" not in function.log()
