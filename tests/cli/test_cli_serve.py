"""Serve: the verb as a process: what it prints, how it stops, and how others see that it lives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from scripted_http import Reply, ScriptedServer
from trimtab.cli.serve import alarm_of
from trimtab.cli.terminal import Terminal
from trimtab.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.conftest import Desk

START = {"run_time": "00:00"}
"""A wake-up of this day has always passed: a server that starts runs at once."""
WAIT_S = 120


@contextmanager
def started(desk: Desk) -> Iterator[subprocess.Popen[str]]:
    """Start a server in the desk's folder; it and its pipes are gone at the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "trimtab", "serve", "--json"],
        cwd=desk.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as server:
        try:
            yield server
        finally:
            server.kill()


def line_of(server: subprocess.Popen[str], event: str) -> dict[str, Any]:
    """Read the server's lines up to one of an event, and give that."""
    assert server.stdout is not None
    for line in server.stdout:
        document: dict[str, Any] = json.loads(line)
        if document["event"] == event:
            return document
    raise AssertionError(f"no line {event}, exit {server.wait(timeout=WAIT_S)}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_what_is_due_and_stops_at_once_when_it_is_told(desk: Desk, number: int) -> None:
    """A missed wake-up is run at the start; a line an outcome; while idle both signals end it with 0."""
    desk.write(schedule=START)
    with started(desk) as server:
        serving, run, following = (line_of(server, event) for event in ("serving", "run", "next"))
        assert desk("serve", "--check").status == 0
        began = time.monotonic()
        server.send_signal(number)
        out, err = server.communicate(timeout=WAIT_S)
        took = time.monotonic() - began
    assert server.returncode == 0, err
    assert json.loads(out) == {"event": "stopped"}
    assert (serving["portfolio"], serving["mode"]) == ("main", "simulated")
    assert serving["wakes"][0] == "00:00 America/New_York"
    assert (run["status"], run["outcome"]) == (0, "traded")
    assert datetime.fromisoformat(following["at"]) > datetime.now(UTC)
    assert took < 20
    assert "Traceback" not in err
    assert [record["outcome"] for record in desk.records("trimtab-data")] == ["traded"]


def test_a_configuration_that_is_not_usable_serves_nothing(desk: Desk) -> None:
    """It is told like any other verb's."""
    desk.write(portfolio="NOT ALLOWED")
    assert desk("serve").status == 2


def test_no_sign_of_life_is_told_as_an_error(desk: Desk) -> None:
    """Without a server, and with one that fell silent, --check exits 3 and says what it saw."""
    done = desk("serve", "--check", "--json")
    assert (done.status, done.document["error"]["code"]) == (3, "not_serving")
    pulse = desk.folder / "trimtab-data/serve-main.json"
    pulse.parent.mkdir()
    for age, status in ((10, 0), (200, 3), (-200, 3)):
        at = datetime.now(UTC) - timedelta(seconds=age)
        pulse.write_text(json.dumps({"at": at.isoformat(), "handled": None, "next": None, "last": {}}))
        assert desk("serve", "--check").status == status
    now = datetime.now(UTC).isoformat()
    for odd in (
        "torn {",
        "[]",
        json.dumps({"at": now, "last": {"due": 1}}),
        json.dumps({"at": now, "next": "?"}),
    ):
        pulse.write_text(odd)
        assert desk("serve", "--check").status == 3


def test_a_run_that_can_not_begin_reaches_the_owner(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings are fit and what they name is not: the alarm goes where alerts go, the schedule on."""
    desk.write(schedule=START, data={"file": "no-such-file.parquet"})
    with ScriptedServer() as receiver:
        receiver.on("POST", "/in", Reply(200))
        monkeypatch.setenv("TRIMTAB_ALERT_URLS", f"{receiver.url}/in")
        with started(desk) as server:
            run = line_of(server, "run")
            line_of(server, "next")
        told = [json.loads(asked.body)["text"] for asked in receiver.asked]
    assert run["status"] == 2
    assert len(told) == 1
    assert "a run could not begin" in told[0]
    assert run["error"]["code"] in told[0]


ENDED = {
    "due": "2026-05-04T14:00:00+00:00",
    "status": 2,
    "error": {"code": "bad_json", "message": "not JSON", "seen": None, "allowed": None, "hint": "mend it"},
    "said": "",
}
UNFIT = "https://10.1.2.3/canary0token1"


@pytest.mark.parametrize(
    ("urls", "watcher", "asked", "heard"),
    [
        (f"{UNFIT},{{url}}/in", "{url}/ping", ["/in", "/ping/fail"], True),
        (f"{UNFIT},{{url}}/in", "", ["/in"], True),
        ("https://[canary0token1/x", "{url}/ping", ["/ping/fail"], True),
        ("{url}/in", UNFIT, ["/in"], True),
        (UNFIT, UNFIT, [], False),
        ("", UNFIT, [], False),
    ],
)
def test_a_url_that_is_not_usable_silences_no_other(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    urls: str,
    watcher: str,
    asked: list[str],
    *,
    heard: bool,
) -> None:
    """Such a URL may be why no run begins: every other receiver hears of it, and so does the watcher."""
    alarm, settings = alarm_of(Terminal.of(json=False)), load(desk.folder / "config.json", {}, {})
    with ScriptedServer() as receiver:
        for path in ("/in", "/ping/fail"):
            receiver.on("POST", path, Reply(200))
        monkeypatch.setenv("TRIMTAB_ALERT_URLS", urls.format(url=receiver.url))
        monkeypatch.setenv("TRIMTAB_HEARTBEAT_URL", watcher.format(url=receiver.url))
        assert alarm(settings, ENDED) is heard
        assert [one.path for one in receiver.asked] == asked
    said = capsys.readouterr().err
    assert "warning: not told: " in said
    assert "url_not_allowed" in said
    assert "canary" not in said


@pytest.mark.parametrize(("status", "heard"), [(200, True), (500, False)])
def test_an_alarm_says_whether_anybody_took_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, status: int, *, heard: bool
) -> None:
    """A receiver that refuses took nothing; where there is none, nobody is missed."""
    alarm, settings = alarm_of(Terminal.of(json=False)), load(desk.folder / "config.json", {}, {})
    assert alarm(settings, ENDED)
    with ScriptedServer() as receiver:
        receiver.on("POST", "/in", Reply(status))
        monkeypatch.setenv("TRIMTAB_ALERT_URLS", f"{receiver.url}/in")
        assert alarm(settings, ENDED) is heard
        assert receiver.asked
