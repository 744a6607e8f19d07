"""The host: bounded time, retries of reads alone, nothing secret in any message."""

from __future__ import annotations

import gzip
import logging
import random
import time
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import requests
from pydantic import SecretStr
from requests.adapters import BaseAdapter, HTTPAdapter

from alpaca_kit import KEY_ID, SECRET, Connect, FakeClock, error_body
from scripted_http import Reply, ScriptedServer
from trimtab.adapters.alpaca import AlpacaHost, Keys, ReadPolicy
from trimtab.adapters.alpaca.http import Lost, NotFound, wait_s
from trimtab.errors import Misconfigured
from trimtab.ports import Unauthorized, Unreachable

if TYPE_CHECKING:
    from pathlib import Path

OK = Reply(body={"fine": True})
HTML = b"<html><head><title>504 Gateway Time-out</title></head></html>"


class RealClock(FakeClock):
    """Real seconds, no sleep."""

    def monotonic(self) -> float:
        """Give seconds."""
        return time.monotonic()


TRANSIENT = {
    "rate_trading": Reply(429, error_body(42910000, "rate limit exceeded")),
    "rate_data": Reply(429, error_body(None, "too many requests.")),
    "internal": Reply(500, error_body(50010000, "internal server error")),
    "bad gateway": Reply(502, HTML),
    "unavailable": Reply(503, b""),
    "timeout": Reply(504, HTML),
    "dropped": Reply(fault="drop"),
    "truncated": Reply(body={"fine": True, "long": "x" * 100}, fault="truncate"),
    "html": Reply(200, HTML),
    "empty": Reply(200, b""),
    "no gzip": Reply(200, b"{}", {"Content-Encoding": "gzip"}),
    "nan": Reply(200, b'{"cash": NaN}'),
    "proxy's 404": Reply(404, HTML),
    "404 without code": Reply(404, error_body(None, "not here")),
}


@pytest.mark.parametrize("first", TRANSIENT.values(), ids=TRANSIENT.keys())
def test_a_read_is_tried_again_after_what_may_pass(
    first: Reply, server: ScriptedServer, connect: Connect, clock: FakeClock
) -> None:
    server.on("GET", "/v2/x", [first, OK])
    assert connect().read("/x") == {"fine": True}
    assert server.count("GET") == 2
    assert len(clock.slept) == 1


@pytest.mark.parametrize("status", [400, 405, 422])
def test_a_read_that_the_broker_refuses_is_not_tried_again(
    status: int, server: ScriptedServer, connect: Connect
) -> None:
    server.on("GET", "/v2/x", Reply(status, error_body(40010001, "bad parameter")))
    with pytest.raises(Unreachable, match=f"{status} bad parameter"):
        connect().read("/x")
    assert server.count("GET") == 1


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("trading", 401, error_body(None, "unauthorized.")),
        ("data", 401, error_body(None, "unauthorized.")),
        ("trading", 403, error_body(40310000, "forbidden")),
        ("data", 403, error_body(None, "forbidden.")),
    ],
)
def test_keys_that_are_not_accepted_are_unauthorized_at_once(
    kind: str, status: int, body: object, server: ScriptedServer, connect: Connect
) -> None:
    server.on("GET", "/v2/x", Reply(status, body))
    with pytest.raises(Unauthorized, match=str(status)):
        connect(kind).read("/x")
    assert server.count("GET") == 1


@pytest.mark.parametrize("kind", ["trading", "data"])
@pytest.mark.parametrize(("status", "stays"), [(401, Unauthorized), (403, Unreachable)])
@pytest.mark.parametrize("body", [b"<html>nginx</html>", b"", b'{"error": "blocked"}'])
def test_a_refusal_that_is_not_the_brokers_own_is_tried_again(
    kind: str,
    status: int,
    stays: type[Exception],
    body: bytes,
    server: ScriptedServer,
    connect: Connect,
) -> None:
    """A firewall's page says nothing of the keys; a 401 that stays does, for so the data host words it."""
    server.on("GET", "/v2/x", [Reply(status, body), OK])
    assert connect(kind).read("/x") == {"fine": True}
    server.on("GET", "/v2/y", Reply(status, body))
    with pytest.raises(stays, match=rf"{status} not in the broker's JSON \(8 attempts"):
        connect(kind).read("/y")


@pytest.mark.parametrize("status", [403, 422])
def test_recent_sip_data_is_no_matter_of_keys(status: int, server: ScriptedServer, connect: Connect) -> None:
    body = error_body(42210000, "subscription does not permit querying recent SIP data")
    server.on("GET", "/v2/x", Reply(status, body))
    with pytest.raises(Unreachable, match=r"recent SIP data; use the feed iex, or an end that is older"):
        connect("data").read("/x")


def test_only_a_404_with_the_code_is_not_found(server: ScriptedServer, connect: Connect) -> None:
    server.on("GET", "/v2/x", Reply(404, error_body(40410000, "order not found for x")))
    with pytest.raises(NotFound):
        connect().read("/x")
    assert server.count("GET") == 1


def test_a_redirect_is_refused_and_not_followed(server: ScriptedServer, connect: Connect) -> None:
    server.on("GET", "/v2/x", Reply(302, b"", {"Location": f"{server.url}/v2/y"}))
    server.on("GET", "/v2/y", OK)
    with pytest.raises(Unreachable, match="302"):
        connect().read("/x")
    assert [asked.path for asked in server.asked] == ["/v2/x"]


def test_attempts_are_bounded_and_pauses_are_full_jitter(
    server: ScriptedServer, connect: Connect, clock: FakeClock
) -> None:
    server.on("GET", "/v2/x", Reply(503))
    with pytest.raises(Unreachable, match="8 attempts"):
        connect(rng=random.Random(3)).read("/x")
    assert server.count("GET") == 8
    ceilings = [0.5, 1, 2, 4, 8, 16, 16]
    assert all(0 < slept < ceiling for slept, ceiling in zip(clock.slept, ceilings, strict=True))
    same = random.Random(3)
    assert clock.slept == [same.uniform(0, ceiling) for ceiling in ceilings]


def test_the_budget_in_seconds_ends_the_attempts(
    server: ScriptedServer, connect: Connect, clock: FakeClock
) -> None:
    server.on("GET", "/v2/x", Reply(503, b"", {"Retry-After": "7"}))
    with pytest.raises(Unreachable):
        connect(policy=ReadPolicy(budget_s=20)).read("/x")
    assert clock.seconds < 20
    assert server.count("GET") == 3


def test_the_deadline_of_the_run_cuts_the_budget(
    server: ScriptedServer, connect: Connect, clock: FakeClock
) -> None:
    server.on("GET", "/v2/x", Reply(503, b"", {"Retry-After": "7"}))
    host = connect(deadline=lambda: 20 - clock.seconds)  # the last 10 are for the record
    with pytest.raises(Unreachable):
        host.read("/x")
    assert clock.seconds < 10
    clock.seconds = 10
    with pytest.raises(Unreachable, match="no time left"):
        host.read("/x")
    assert server.count("GET") == 2


def test_a_rate_limit_reset_is_waited_for(server: ScriptedServer, connect: Connect, clock: FakeClock) -> None:
    reset = int(clock.now().timestamp()) + 20
    date = clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
    server.on("GET", "/v2/x", [Reply(429, b"", {"X-RateLimit-Reset": str(reset), "Date": date}), OK])
    assert connect(policy=ReadPolicy()).read("/x") == {"fine": True}
    assert 21 <= clock.seconds <= 22


def test_a_reset_past_the_budget_is_not_waited_for(
    server: ScriptedServer, connect: Connect, clock: FakeClock
) -> None:
    server.on("GET", "/v2/x", Reply(429, b"", {"Retry-After": "600"}))
    with pytest.raises(Unreachable, match="429"):
        connect().read("/x")
    assert clock.slept == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"X-RateLimit-Reset": "1000"}, None),
        ({"X-RateLimit-Reset": "soon", "Retry-After": "nan"}, None),
        ({"X-RateLimit-Reset": "2005"}, 6.0),
        ({"X-RateLimit-Reset": "2005", "Date": "Thu, 01 Jan 1970 00:33:24 GMT"}, 2.0),
        ({"Retry-After": "3", "X-RateLimit-Reset": "2005"}, 6.0),
        ({"Retry-After": "Thu, 01 Jan 1970 00:33:30 GMT"}, 10.0),
    ],
)
def test_the_server_own_clock_counts_for_its_reset(headers: dict[str, str], seconds: float | None) -> None:
    assert wait_s(headers, datetime.fromtimestamp(2000, UTC)) == seconds


def test_reads_keep_to_the_rate_and_an_order_does_not_wait(
    server: ScriptedServer, connect: Connect, clock: FakeClock
) -> None:
    server.on("GET", "/v2/x", OK)
    server.on("POST", "/v2/y", OK)
    host = connect(policy=ReadPolicy(per_minute=3))
    for _ in range(3):
        host.read("/x")
    host.once("POST", "/y", {})
    assert clock.seconds == 0
    host.read("/x")
    assert clock.seconds == 60


def test_a_rate_that_is_used_up_past_the_deadline_is_unreachable(
    server: ScriptedServer, connect: Connect, clock: FakeClock
) -> None:
    server.on("GET", "/v2/x", OK)
    host = connect(policy=ReadPolicy(per_minute=1), deadline=lambda: 30.0)
    host.read("/x")
    with pytest.raises(Unreachable, match="1 requests a minute are used up"):
        host.read("/x")
    assert clock.slept == []


def test_silence_and_slow_drips_end(server: ScriptedServer, connect: Connect) -> None:
    host = connect(policy=ReadPolicy(attempts=1, silence_s=0.2))
    server.on("GET", "/v2/x", Reply(fault="hang"))
    with pytest.raises(Unreachable, match="Timeout"):
        host.read("/x")
    server.on("GET", "/v2/x", Reply(body=b" " * 500 + b"{}", fault="drip"))
    slow = connect(policy=ReadPolicy(attempts=1, silence_s=1.0, answer_s=0.3))
    slow._clock = RealClock()  # noqa: SLF001 - real seconds, for this one
    began = time.monotonic()
    with pytest.raises(Unreachable, match="ReadTimeout"):
        slow.read("/x")
    assert time.monotonic() - began < 5


def test_once_makes_one_attempt_whatever_happens(
    server: ScriptedServer, connect: Connect, clock: FakeClock
) -> None:
    host = connect()
    for number, status in enumerate((429, 500, 504), start=1):
        server.on("POST", "/v2/x", Reply(status, HTML))
        assert host.once("POST", "/x", {"a": "b"}).status == status
        assert server.count("POST") == number
    server.on("POST", "/v2/x", Reply(fault="drop"))
    with pytest.raises(Lost):
        host.once("POST", "/x", {"a": "b"})
    assert server.count("POST") == 4
    assert clock.slept == []


def test_no_key_shows_anywhere(
    server: ScriptedServer, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    host = connect(policy=ReadPolicy(attempts=2))
    server.on("GET", "/v2/x", Reply(401, error_body(None, f"no such key {KEY_ID} with {SECRET}")))
    server.on("GET", "/v2/y", Reply(fault="drop"))
    shown = [repr(host), repr(Keys(KEY_ID, SECRET)), caplog.text]
    for path in ("/x", "/y"):
        with pytest.raises((Unauthorized, Unreachable)) as caught:
            host.read(path)
        shown.append("".join(traceback.format_exception(caught.value)))
        assert caught.value.__context__ is None
    assert not any(secret in text for text in [*shown, caplog.text] for secret in (KEY_ID, SECRET))
    assert server.asked[0].headers["APCA-API-SECRET-KEY"] == SECRET
    assert "Authorization" not in server.asked[0].headers


@pytest.mark.parametrize("secret", ["", "with blank", "line\n", "ключ"])
def test_keys_that_no_header_can_carry_are_a_mistake_of_the_owner(secret: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        Keys(KEY_ID, secret)
    assert secret == "" or secret not in str(caught.value)


def test_wrapped_keys_are_unwrapped_only_for_the_header() -> None:
    keys = Keys(SecretStr(KEY_ID), SecretStr(SECRET))
    assert keys.plain() == (KEY_ID, SECRET)
    assert SECRET not in repr(keys)


class Recorder(HTTPAdapter):
    """A transport that notes what passes through it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str | None] = []

    def send(self, request: requests.PreparedRequest, *args: object, **options: object) -> requests.Response:
        """Note the method and go on."""
        self.seen.append(request.method)
        return super().send(request, *args, **options)  # type: ignore[arg-type]  # the base class's own options


class Canned(BaseAdapter):
    """A transport without a network, whose answers have no raw stream."""

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:  # type: ignore[override]  # narrower than the base class: only what is used
        """Answer."""
        answer = requests.Response()
        answer.status_code, answer._content, answer.request = 200, b'{"canned": "0.1"}', request  # noqa: SLF001 - how in-process transports fill it
        return answer

    def close(self) -> None:
        """Do nothing."""


def test_a_transport_mounted_in_process_is_used(server: ScriptedServer, connect: Connect) -> None:
    session = requests.Session()
    session.mount(server.url, Canned())
    assert connect(session=session).read("/x") == {"canned": "0.1"}
    assert server.asked == []


def test_a_transport_mounted_around_the_network_is_used(server: ScriptedServer, connect: Connect) -> None:
    session, recorder = requests.Session(), Recorder()
    session.mount(server.url, recorder)
    server.on("GET", "/v2/x", OK)
    assert connect(session=session).read("/x") == {"fine": True}
    assert recorder.seen == ["GET"]


def test_a_compressed_answer_is_read(server: ScriptedServer, connect: Connect) -> None:
    body = gzip.compress(b'{"big": "' + b"x" * 300_000 + b'"}')
    server.on("GET", "/v2/x", Reply(body=body, headers={"Content-Encoding": "gzip"}))
    assert connect().read("/x") == {"big": "x" * 300_000}


def test_neither_a_proxy_nor_a_netrc_of_the_environment_counts_on_loopback(
    server: ScriptedServer, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server.on("GET", "/v2/x", OK)
    host = connect()
    assert host.read("/x") == {"fine": True}
    host._session.trust_env = True  # noqa: SLF001 - as towards a host that is not loopback
    monkeypatch.delenv("HTTP_PROXY")
    monkeypatch.delenv("http_proxy")
    assert host.read("/x") == {"fine": True}
    assert not any("Authorization" in asked.headers for asked in server.asked)


def test_one_connection_serves_many_requests(server: ScriptedServer, connect: Connect) -> None:
    """A body read piece by piece gives its connection back to the pool."""
    server.on("GET", "/v2/x", OK)
    host = connect()
    for _ in range(3):
        host.read("/x")
    assert len({asked.client for asked in server.asked}) == 1


def test_a_host_outside_the_list_gets_no_client(clock: FakeClock) -> None:
    with pytest.raises(Misconfigured):
        AlpacaHost("https://example.com", "trading", Keys(KEY_ID, SECRET), clock, rng=random.Random(1))
