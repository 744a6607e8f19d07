"""The pings of a dead man's switch, against a server that keeps a check as Healthchecks does."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from scripted_http import Reply, ScriptedServer
from telling_kit import Watcher
from trimtab.adapters.clock import SystemClock
from trimtab.adapters.healthchecks import Healthchecks
from trimtab.adapters.webhook import Wire
from trimtab.errors import Misconfigured
from trimtab.ports import Undelivered

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "/ping/ca0a4e00-1111-4222-8333-444455556666"
HOUR = 3_600.0


@pytest.fixture
def watcher() -> Watcher:
    """A daily check with an hour of grace."""
    return Watcher(timeout_s=24 * HOUR, grace_s=HOUR)


@pytest.fixture
def server(watcher: Watcher) -> Iterator[ScriptedServer]:
    """The service."""
    with ScriptedServer() as scripted:
        for verb in ("", "/start", "/fail"):
            scripted.on("POST", PATH + verb, watcher)
        yield scripted


def check(server: ScriptedServer, query: str = "") -> Healthchecks:
    """The check's pings, over real HTTP."""
    url = f"{server.url}{PATH}{query}"
    return Healthchecks(url, SystemClock(), Wire(allow_private=False), where="ping URL", allow_private=False)


def test_a_run_that_ends_well_keeps_the_check_up(server: ScriptedServer, watcher: Watcher) -> None:
    """Start and success share a rid that is a UUID; the body is what people read."""
    beat = check(server)
    beat.start("run-1", 3.0)
    assert watcher.status == "started"
    beat.success("run-1", "main: traded\nrun 1 \u2713", 3.0)
    assert watcher.status == "up"
    (start, rid, _), (success, same, body) = watcher.pings
    assert (start, success, rid) == ("start", "success", same)
    assert UUID(rid)
    assert body == "main: traded\nrun 1 \u2713"


def test_silence_is_the_alarm(server: ScriptedServer, watcher: Watcher) -> None:
    """No success in time, or a start that nothing follows: down; the next success clears it."""
    beat = check(server)
    beat.success("run-1", "", 3.0)
    watcher.now += 24.9 * HOUR
    assert watcher.status == "up"
    watcher.now += 0.2 * HOUR
    assert watcher.status == "down"
    beat.start("run-2", 3.0)
    beat.success("run-2", "", 3.0)
    assert watcher.status == "up"
    beat.start("run-3", 3.0)
    watcher.now += 1.1 * HOUR
    assert watcher.status == "down"


def test_a_failure_is_the_alarm_at_once(server: ScriptedServer, watcher: Watcher) -> None:
    """Down until the next success."""
    beat = check(server)
    beat.start("run-1", 3.0)
    beat.fail("run-1", "x" * 200_000, 3.0)
    assert watcher.status == "down"
    assert len(watcher.pings[-1][2]) <= 10_000
    beat.success("run-2", "", 3.0)
    assert watcher.status == "up"


def test_what_stands_in_the_url_stays(server: ScriptedServer) -> None:
    """A query of the owner's own (`?create=1`) is kept beside the rid."""
    check(server, "?create=1").start("run-1", 3.0)
    assert server.asked[-1].path == f"{PATH}/start"
    assert server.asked[-1].query["create"] == "1"


def test_a_service_that_does_not_answer_is_let_go(server: ScriptedServer) -> None:
    """Undelivered, without a word of the URL."""
    server.on("POST", PATH, Reply(404, b"not found"))
    with pytest.raises(Undelivered, match="404") as told:
        check(server).success("run-1", "", 3.0)
    assert "ca0a4e00" not in str(told.value)


def test_a_url_that_may_not_be_pinged_is_refused() -> None:
    """The same rules as for alerts."""
    with pytest.raises(Misconfigured) as refused:
        Healthchecks(
            "http://hc.example/x", SystemClock(), Wire(allow_private=False), where="ping", allow_private=False
        )
    assert refused.value.code == "url_not_allowed"
