"""Faults, and the two ways in: in this process, and over loopback."""

from __future__ import annotations

import json
import threading
import time
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
import requests

from exchange_kit import KEYS, make_exchange, order_body
from trimtab.adapters.sandbox import Face, Sandbox, SandboxTransport, serve
from trimtab.adapters.sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

IN_PROCESS = "http://localhost"
TIMEOUT_S = 1.0


@pytest.fixture(params=["in process", "over loopback"])
def line(request: pytest.FixtureRequest) -> Iterator[tuple[Face, requests.Session, str]]:
    """A face, a session that reaches it, and the host's URL."""
    exchange = make_exchange()
    with requests.Session() as session:
        session.headers.update(KEYS)
        session.trust_env = False
        if request.param == "in process":
            face = Face(exchange, rate_limit=None)
            session.mount(IN_PROCESS, SandboxTransport(face))
            yield face, session, IN_PROCESS
        else:
            with serve(exchange, speed=0.0) as sandbox:
                yield sandbox.face, session, sandbox.url


def send(session: requests.Session, url: str, name: str = "a") -> requests.Response:
    """Send one order."""
    return session.post(f"{url}/v2/orders", json=order_body(name), timeout=TIMEOUT_S)


def exists(face: Face, name: str = "a") -> bool:
    """Whether the order reached the exchange."""
    with face.exchange.work() as world:
        return name in world.book.by_client_id


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("action", "error"),
    [("drop", requests.ConnectionError), ("hang", requests.ReadTimeout)],
)
def test_no_answer(
    line: tuple[Face, requests.Session, str], action: str, error: type[Exception], when: str
) -> None:
    """The sender learns nothing; whether the order exists is what before and after decide."""
    face, session, url = line
    face.faults.add(Fault(action, "POST", when=when))  # type: ignore[arg-type]  # the examples' words
    with pytest.raises(error):
        send(session, url)
    assert exists(face) is (when == "after")
    assert send(session, url).status_code == (422 if when == "after" else 200)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("fault", "status", "is_json"),
    [
        (lambda when: Fault("status", "POST", status=503, when=when), 503, True),
        (lambda when: Fault("status", "POST", status=429, when=when), 429, True),
        (lambda when: Fault("html", "POST", when=when), 502, False),
        (lambda when: Fault("garbage", "POST", when=when), 200, False),
        (lambda when: Fault("empty", "POST", when=when), 200, False),
    ],
)
def test_a_wrong_answer(
    line: tuple[Face, requests.Session, str],
    fault: Callable[[str], Fault],
    status: int,
    is_json: bool,  # noqa: FBT001 - an example
    when: str,
) -> None:
    """Statuses, proxies' pages, garbage, nothing: after the order was taken, or instead."""
    face, session, url = line
    face.faults.add(fault(when))
    response = send(session, url)
    assert response.status_code == status
    if is_json:
        assert response.json()["code"] == status * 100_000 + 10_000
    else:
        with pytest.raises(requests.JSONDecodeError):
            response.json()
    assert exists(face) is (when == "after")


def test_a_truncated_answer(line: tuple[Face, requests.Session, str]) -> None:
    """Half a body is an error of the connection, and the order exists."""
    face, session, url = line
    face.faults.add(Fault("truncated", "POST"))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        send(session, url)
    assert exists(face)


def test_a_request_delivered_twice(line: tuple[Face, requests.Session, str]) -> None:
    """The second delivery is answered: a duplicate; there is one order."""
    face, session, url = line
    face.faults.add(Fault("duplicate", "POST"))
    response = send(session, url)
    assert (response.status_code, response.json()["code"]) == (422, 40010001)
    assert exists(face)


def test_a_request_delivered_late(line: tuple[Face, requests.Session, str]) -> None:
    """No answer now, no order now; the order comes into being seconds later."""
    face, session, url = line
    face.faults.add(Fault("late", "POST", seconds=30.0))
    with pytest.raises(requests.ReadTimeout):
        send(session, url)
    lookup = f"{url}/v2/orders:by_client_order_id?client_order_id=a"
    assert session.get(lookup, timeout=TIMEOUT_S).status_code == 404
    face.exchange.advance(31)
    assert session.get(lookup, timeout=TIMEOUT_S).status_code == 200


def test_a_short_delay_is_waited_for(line: tuple[Face, requests.Session, str]) -> None:
    """An answer that comes in time is an answer."""
    face, session, url = line
    face.faults.add(Fault("delay", "POST", seconds=0.1))
    assert send(session, url).status_code == 200


def test_a_dripping_answer_arrives_in_parts(line: tuple[Face, requests.Session, str]) -> None:
    """Each part comes within the client's patience, all of them take longer than it."""
    face, session, url = line
    face.faults.add(Fault("drip", "POST", seconds=1.6))
    started = (face.exchange.now(), time.monotonic())
    assert send(session, url).json()["client_order_id"] == "a"
    took_s = time.monotonic() - started[1] + (face.exchange.now() - started[0]).total_seconds()
    assert took_s > TIMEOUT_S


def test_rules_count_their_requests(line: tuple[Face, requests.Session, str]) -> None:
    """From the nth match on, so many times; others pass; the log tells what struck, and no key."""
    face, session, url = line
    face.faults.add(Fault("status", "GET", r"/v2/clock$", nth=2, times=2))
    statuses = [session.get(f"{url}/v2/clock", timeout=TIMEOUT_S).status_code for _ in range(5)]
    assert statuses == [200, 500, 500, 200, 200]
    assert session.get(f"{url}/v2/account", timeout=TIMEOUT_S).status_code == 200
    send(session, url)
    log = session.get(f"{url}/sandbox/log", timeout=TIMEOUT_S)
    assert log.json()["counts"] == {"GET /v2/account": 1, "GET /v2/clock": 5, "POST /v2/orders": 1}
    assert log.json()["requests"][-1]["client_order_id"] == "a"
    assert not any(secret in log.text for secret in KEYS.values())


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox on loopback with a frozen clock."""
    with serve(make_exchange(), speed=0.0) as running:
        yield running


def post(sandbox: Sandbox, path: str, body: object) -> requests.Response:
    """POST JSON to one of the sandbox's own endpoints."""
    return requests.post(f"{sandbox.url}/sandbox{path}", json=body, timeout=5)


@pytest.mark.parametrize(
    ("wish", "now"),
    [
        ({"sessions": 1}, "2020-03-03T15:00:00+00:00"),
        ({"sessions": 5, "time": "15:30"}, "2020-03-09T19:30:00+00:00"),
        ({"session": "2020-03-16"}, "2020-03-16T14:00:00+00:00"),
        ({"set": "2020-03-02T20:00:00Z"}, "2020-03-02T20:00:00+00:00"),
        ({"advance_s": 5}, "2020-03-02T15:00:05+00:00"),
    ],
)
def test_the_clock_can_be_moved(sandbox: Sandbox, wish: dict[str, object], now: str) -> None:
    """Set, stepped by sessions over the clock change, advanced."""
    assert post(sandbox, "/clock", wish).json()["now"] == now


@pytest.mark.parametrize(
    "wish",
    [
        {"sessions": 1000},
        {"sessions": 0},
        {"session": "2020-03-07"},
        {"set": "2019-01-01"},
        {"speed": -1},
        {"go": 1},
    ],
)
def test_the_clock_refuses(sandbox: Sandbox, wish: dict[str, object]) -> None:
    """Beyond the tape, backwards, holidays and unknown words: 422, and the clock stays."""
    response = post(sandbox, "/clock", wish)
    assert response.status_code == 422
    assert response.json()["message"]
    assert sandbox.exchange.now().isoformat() == "2020-03-02T15:00:00+00:00"


def test_speed(sandbox: Sandbox) -> None:
    """At a speed the virtual clock runs by itself; at 0 it stands."""
    post(sandbox, "/clock", {"speed": 100_000})
    before = sandbox.exchange.now()
    threading.Event().wait(0.01)
    assert (sandbox.exchange.now() - before).total_seconds() > 500
    assert post(sandbox, "/clock", {"speed": 0}).json()["speed"] == 0
    assert sandbox.exchange.now() == sandbox.exchange.now()


def test_state_is_told_and_set(sandbox: Sandbox) -> None:
    """Account fields, assets, behaviour, cash from outside and faults, all over HTTP."""
    assert post(sandbox, "/account", {"account_blocked": True}).json()["behaviour"]["flags"] == {
        "account_blocked": True
    }
    assert post(sandbox, "/account", {"account_blocked": None}).json()["behaviour"]["flags"] == {}
    told = post(sandbox, "/assets", {"AAA": {"halted": True, "fractionable": False}}).json()["behaviour"]
    assert (told["halted"], told["assets"]) == (["AAA"], {"AAA": {"fractionable": False}})
    told = post(sandbox, "/behaviour", {"latency_s": 1.5, "delays": {"orders": 2}}).json()["behaviour"]
    assert (told["latency_s"], told["delays"]) == (1.5, {"orders": 2.0})
    assert post(sandbox, "/behaviour", {"latency": 1}).status_code == 422
    post(sandbox, "/journal", {"amount": "123.45"})
    post(sandbox, "/journal", {"symbol": "CCC", "qty": "2"})
    with sandbox.exchange.work() as world:
        assert (world.book.cash, world.book.qty("CCC")) == (Decimal("100123.45"), 2)
    assert post(sandbox, "/faults", {"action": "explode"}).status_code == 422
    assert post(sandbox, "/faults", {"action": "drop", "path": "/v2/clock"}).json()[0]["matched"] == 0
    assert requests.delete(f"{sandbox.url}/sandbox/faults", timeout=5).json() == []
    assert "caveats" in requests.get(f"{sandbox.url}/sandbox", timeout=5).json()


def test_many_at_once_leave_one_order(sandbox: Sandbox) -> None:
    """Sixteen clients send the same id at once: one is told 200, the others duplicate."""
    statuses: list[int] = []

    def client() -> None:
        response = requests.post(
            f"{sandbox.url}/v2/orders", json=order_body("same"), headers=KEYS, timeout=10
        )
        statuses.append(response.status_code)

    threads = [threading.Thread(target=client) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert sorted(statuses) == [200] + [422] * 15


def test_connections_are_kept(sandbox: Sandbox) -> None:
    """HTTP/1.1: two requests of one session use one connection, bodies and 204 included."""
    with requests.Session() as session:
        session.headers.update(KEYS)
        for i in range(3):
            order = session.post(f"{sandbox.url}/v2/orders", json=order_body(f"o{i}", qty="1"), timeout=5)
            path = f"{sandbox.url}/v2/orders/{order.json()['id']}"
            assert session.delete(path, timeout=5).status_code == 204
        pools = session.get_adapter(sandbox.url).poolmanager.pools  # type: ignore[attr-defined]  # HTTPAdapter's
        (pool,) = (pools[key] for key in pools.keys())  # noqa: SIM118 - not a dict
        assert (pool.num_connections, pool.num_requests) == (1, 6)


def test_a_closed_sandbox_is_gone() -> None:
    """After the block nothing listens, and a waiting request ends."""
    with serve(make_exchange()) as running:
        url = running.url
        assert json.loads(requests.get(f"{url}/sandbox", timeout=5).content)["speed"] == 1.0
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/sandbox", timeout=5)
