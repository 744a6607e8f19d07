from __future__ import annotations

import socket
import time
from itertools import count
from typing import TYPE_CHECKING

import pytest

from scripted_http import Reply, ScriptedServer
from trimtab.adapters.clock import SystemClock
from trimtab.adapters.webhook import Answer, Wire, check_url, deliver, judge_address
from trimtab.errors import Misconfigured
from trimtab.ports import Undelivered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

REFUSED = {
    "plain http": "http://example.com/canary",
    "plain http to a private host": "http://10.0.0.4/canary",
    "another scheme": "ftp://example.com/canary",
    "no host": "https:///canary",
    "credentials": "https://canary:canary@example.com/",
    "blanks": "https://example.com/canary more",
    "a line more": "https://example.com/\ncanary",
    "a backslash": "https://example.com\\@127.0.0.1/canary",
    "no port": "https://example.com:canary/",
    "instance metadata": "https://169.254.169.254/canary",
    "instance metadata in IPv6": "https://[fd00:ec2::254]/canary",
    "link-local in IPv6": "https://[fe80::1]/canary",
    "mapped link-local": "https://[::ffff:169.254.169.254]/canary",
    "private": "https://10.0.0.4/canary",
    "private in IPv6": "https://[fd12::1]/canary",
    "shared": "https://100.64.0.1/canary",
    "mapped private": "https://[::ffff:192.168.0.1]/canary",
    "unspecified": "https://0.0.0.0/canary",
    "multicast": "https://224.0.0.1/canary",
}
NEVER = {name for name in REFUSED if "private" not in name and name != "shared"} | {
    "plain http to a private host"
}


class Counted:
    """A clock that stands still but for sleeping."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        """Give no time of day."""
        raise AssertionError

    def monotonic(self) -> float:
        """Give the seconds slept."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let them pass."""
        self.seconds += seconds


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A receiver."""
    with ScriptedServer() as scripted:
        yield scripted


def post(server: ScriptedServer, seconds: float = 5.0) -> None:
    """Deliver a small message over real HTTP; waits are not waited."""
    deliver(Wire(allow_private=False), Counted(), f"{server.url}/in", b"{}", "application/json", seconds)


@pytest.mark.parametrize("url", REFUSED.values(), ids=REFUSED)
def test_a_url_that_may_not_be_told_is_refused_and_not_quoted(url: str) -> None:
    """Scheme, shape and address are judged before anything is sent; the error keeps the URL to itself."""
    with pytest.raises(Misconfigured) as refused:
        check_url(url, "TRIMTAB_ALERT_URLS, entry 1", allow_private=False)
    assert refused.value.code == "url_not_allowed"
    assert "canary" not in str(refused.value.document())


@pytest.mark.parametrize("name", REFUSED)
def test_private_hosts_are_the_owners_choice_and_link_local_ones_never(name: str) -> None:
    """`alerts.allow_private` opens private networks, and nothing else."""
    if name in NEVER:
        with pytest.raises(Misconfigured):
            check_url(REFUSED[name], "urls", allow_private=True)
    else:
        check_url(REFUSED[name], "urls", allow_private=True)


@pytest.mark.parametrize(
    "url", ["https://example.com/x", "http://127.0.0.1:8000/x", "http://localhost/x", "http://[::1]:9/x"]
)
def test_what_is_meant_is_allowed(url: str) -> None:
    """Https to anywhere public, plain http to this machine."""
    check_url(url, "urls", allow_private=False)


def test_a_name_is_judged_by_where_it_leads() -> None:
    """A connection to this machine under a name that is not loopback's is cut before a byte is sent."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        pytest.skip("this machine's own name has no address")
    with socket.create_server(("", 0)) as listening:
        url = f"https://{name}:{listening.getsockname()[1]}/x"
        with pytest.raises(Undelivered, match="nothing is sent"):
            Wire(allow_private=False)(url, b"secret", "text/plain", 3.0)
    with pytest.raises(Undelivered, match="private"):
        judge_address("127.0.0.1", allow_private=False, loopback=False)


def test_what_is_taken_is_sent_once(server: ScriptedServer) -> None:
    """One request, with its body and its kind."""
    server.on("POST", "/in", Reply(204))
    post(server)
    (asked,) = server.asked
    assert (asked.body, asked.headers["Content-Type"]) == (b"{}", "application/json")


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_receiver_in_trouble_is_asked_again(server: ScriptedServer, status: int) -> None:
    """Twice more, after pauses."""
    server.on("POST", "/in", [Reply(status), Reply(status), Reply(200)])
    post(server)
    assert server.count("POST") == 3
    server.on("POST", "/in", Reply(status))
    with pytest.raises(Undelivered, match=str(status)):
        post(server)
    assert server.count("POST") == 6


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_a_refusal_is_final(server: ScriptedServer, status: int) -> None:
    """What the receiver says no to is not sent again."""
    server.on("POST", "/in", Reply(status))
    with pytest.raises(Undelivered, match=str(status)):
        post(server)
    assert server.count("POST") == 1


def test_the_wait_that_a_receiver_asks_for_is_kept_or_not_begun(server: ScriptedServer) -> None:
    """Retry-After within the time is waited; beyond it nothing more is sent."""
    server.on("POST", "/in", [Reply(429, headers={"Retry-After": "2"}), Reply(200)])
    post(server)
    assert server.count("POST") == 2
    server.on("POST", "/in", Reply(429, headers={"Retry-After": "3600"}))
    with pytest.raises(Undelivered, match="429"):
        post(server)
    assert server.count("POST") == 3


def test_no_redirect_is_followed(server: ScriptedServer) -> None:
    """The message goes where its owner said, or nowhere."""
    server.on("POST", "/in", Reply(307, headers={"Location": f"{server.url}/elsewhere"}))
    with pytest.raises(Undelivered, match="redirects are not followed"):
        post(server)
    assert [asked.path for asked in server.asked] == ["/in"]


def test_silence_and_dripping_are_left_behind(server: ScriptedServer) -> None:
    """However an answer is drawn out, its seconds are all it gets; it is not sent again."""
    server.on("POST", "/in", Reply(fault="hang"))
    started = time.monotonic()
    with pytest.raises(Undelivered, match="no answer"):
        deliver(Wire(allow_private=False), SystemClock(), f"{server.url}/in", b"{}", "text/plain", 0.5)
    assert time.monotonic() - started < 3.0
    assert server.count("POST") == 1


def test_nobody_there_is_tried_again_and_told_without_the_url() -> None:
    """A closed port: three attempts, and an error that quotes nothing."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    clock = Counted()
    with pytest.raises(Undelivered) as told:
        deliver(Wire(allow_private=False), clock, f"http://127.0.0.1:{port}/canary", b"", "text/plain", 9.0)
    assert clock.seconds == 2.0
    assert "canary" not in f"{told.value}{told.value.__context__}"


def test_all_attempts_together_keep_the_time() -> None:
    """Slow attempts leave no time for more: what is spent never passes what was given by an attempt."""
    clock, attempts = Counted(), count(1)

    def slow(_url: str, _body: bytes, _kind: str, seconds: float) -> Answer:
        next(attempts)
        clock.seconds += seconds
        return Answer(500)

    with pytest.raises(Undelivered):
        deliver(slow, clock, "https://example.com", b"", "text/plain", 5.0)
    assert clock.seconds <= 5.0
    assert next(attempts) == 3


def test_what_may_have_arrived_is_not_sent_again() -> None:
    """An attempt without an answer in time: nobody knows, so that once is enough."""
    attempts = count(1)

    def silent(_url: str, _body: bytes, _kind: str, _seconds: float) -> Answer:
        next(attempts)
        return Answer(None, sent=True)

    with pytest.raises(Undelivered):
        deliver(silent, Counted(), "https://example.com", b"", "text/plain", 9.0)
    assert next(attempts) == 2
