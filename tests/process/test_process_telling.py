"""Telling by real processes: a kill leaves the alarm, a clean run clears it, no secret is printed."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from process.kit import Place, place
from process.wire import AFTER, Passing
from scripted_http import Reply, ScriptedServer
from telling_kit import Watcher, check_discord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHECK = "/ca0a4e00-1111-4222-8333-444455556666"
DISCORD = "/api/webhooks/123456789012345678/canary-Discord-token-4f0b77"
CANARIES = ("ca0a4e00-1111", "canary-Discord-token", "secret-of-tests")
GRACE_S = 3_600.0
LATEST_S = 120.0


@pytest.fixture
def watcher() -> Watcher:
    """A daily check with an hour of grace."""
    return Watcher(grace_s=GRACE_S)


@pytest.fixture
def server(watcher: Watcher) -> Iterator[ScriptedServer]:
    """The watcher and a chat, on loopback."""
    with ScriptedServer() as scripted:
        for verb in ("", "/start", "/fail"):
            scripted.on("POST", CHECK + verb, watcher)
        scripted.on("POST", DISCORD, Reply(204))
        yield scripted


@pytest.fixture
def there(server: ScriptedServer, tmp_path: Path) -> Iterator[Place]:
    """A portfolio whose runs tell of themselves."""
    more = {"TRIMTAB_ALERT_URLS": server.url + DISCORD, "TRIMTAB_HEARTBEAT_URL": server.url + CHECK}
    with place(tmp_path / "place") as made:
        made.more = more
        yield made


def told(server: ScriptedServer) -> list[str]:
    """The titles that the chat got, each within Discord's limits."""
    bodies = [json.loads(asked.body) for asked in server.asked if asked.path == DISCORD]
    for body in bodies:
        check_discord(body)
    return [body["embeds"][0]["title"] for body in bodies]


def leaks(there: Place, *texts: str) -> list[str]:
    """Where a canary stands: in what was printed, or in any file of the store."""
    whole = {"printed": "\n".join(texts).encode()}
    whole |= {path.name: path.read_bytes() for path in there.store.rglob("*") if path.is_file()}
    return [name for name, data in whole.items() if any(c.encode() in data for c in CANARIES)]


def test_a_kill_is_the_alarm_and_a_clean_run_clears_it(
    there: Place, server: ScriptedServer, watcher: Watcher
) -> None:
    """Kill -9 after the first order: silence is down; the next run is well, and tells of both."""
    kills = []

    def strike(passing: Passing) -> None:
        if passing.orders and passing.moment == AFTER and not kills:
            kills.append(passing.number)
            there.started[-1].kill()

    there.proxy.at(strike)
    dead = there.run("dead")
    there.proxy.at(None)
    assert kills
    assert dead.status < 0
    assert watcher.status == "started"
    assert told(server) == []
    watcher.now += GRACE_S + 1
    assert watcher.status == "down"
    watcher.now += 1
    done = there.run("clean")
    assert done.status == 0, done
    assert watcher.pings[-1][0] == "success"
    assert watcher.pings[-1][1] != watcher.pings[0][1]
    (title,) = told(server)
    assert "recovered" in title
    assert not leaks(there, dead.out, dead.err, done.out, done.err)


def test_receivers_that_hang_or_fail_change_no_exit_status(there: Place, server: ScriptedServer) -> None:
    """The chat hangs, the watcher refuses: the run trades, says what it could not tell, and ends in time."""
    server.on("POST", DISCORD, Reply(fault="hang"))
    for verb in ("", "/start"):
        server.on("POST", CHECK + verb, Reply(500, CANARIES[0].encode()))
    started = time.monotonic()
    done = there.run("run")
    assert done.status == 0, done
    assert done.document["outcome"] == "traded"
    assert "warning: not told: discord: no answer" in done.err
    assert "warning: not told: heartbeat: answered 500" in done.err
    assert time.monotonic() - started < LATEST_S
    assert not leaks(there, done.out, done.err)
