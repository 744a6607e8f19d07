"""Doctor: each thing a run stands on, broken in turn, says FAIL with what to do; nothing it does trades."""

from __future__ import annotations

import json
import socket
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from scripted_http import Reply, ScriptedServer
from trimtab.adapters.exchange import Exchange
from trimtab.adapters.sample import synthetic
from trimtab.adapters.sandbox import serve
from trimtab.adapters.sandbox.faults import Fault
from trimtab.core.portfolio import TERMINAL
from trimtab.doctor import CHECKS
from trimtab.doctor.duty import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.conftest import Desk
    from trimtab.adapters.sandbox import Sandbox

STORE = "trimtab-paper"
NAMES = [check.name for check in CHECKS]


@pytest.fixture
def sandbox(exchange: Exchange) -> Iterator[Sandbox]:
    """Serve the exchange to one pair of keys."""
    with serve(exchange, keys=("key-of-tests", "secret-of-tests"), speed=0, rate_limit=None) as made:
        yield made


@pytest.fixture
def paper(desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Give a paper portfolio on the sandbox."""
    monkeypatch.setenv("APCA_API_BASE_URL", sandbox.url)
    monkeypatch.setenv("APCA_API_DATA_URL", sandbox.url)
    monkeypatch.setenv("APCA_API_KEY_ID", "key-of-tests")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "secret-of-tests")
    desk.write(mode="paper")
    return desk


def checks(desk: Desk, *flags: str) -> dict[str, dict[str, str]]:
    """Visit, and give each check by its name; hold exit status and counts to them."""
    done = desk("doctor", "--json", *flags)
    found = {check["name"]: check for check in done.document["checks"]}
    assert list(found) == NAMES
    failed = [name for name, check in found.items() if check["status"] == "FAIL"]
    assert done.document["failed"] == len(failed)
    assert done.status == (3 if failed else 0)
    for check in found.values():
        assert check["seen"]
        assert check["hint"] or check["status"] not in {"warn", "FAIL"}
    return found


def statuses(found: dict[str, dict[str, str]], *wanted: str) -> set[str]:
    """Name the checks that are of these statuses."""
    return {name for name, check in found.items() if check["status"] in wanted}


def traded_nothing(exchange: Exchange) -> None:
    """Hold the account to what it was: no fill, no holding, nothing open, no order under an id of a run."""
    with exchange.work() as world:
        assert [a for a in world.book.activities if a.kind == "FILL"] == []
        assert world.book.holdings == {}
        for order in world.book.orders.values():
            assert order.client_order_id.startswith(PREFIX)
            assert (order.status in TERMINAL, order.filled_qty) == (True, 0)


def test_a_well_portfolio_is_ok(paper: Desk, exchange: Exchange) -> None:
    """Every check looks, none fails, and the broker's duty is proved by one order that could not fill."""
    found = checks(paper, "--no-order")
    assert statuses(found, "FAIL") == set()
    assert statuses(found, "warn") == {"alerts", "heartbeat"}
    assert (found["duty"]["status"], found["duty"]["seen"]) == ("skipped", "--no-order")
    with exchange.work() as world:
        assert world.book.orders == {}
    found = checks(paper)
    assert found["duty"]["status"] == "ok"
    assert "client_order_id must be unique" in found["duty"]["seen"]
    with exchange.work() as world:
        (order,) = world.book.orders.values()
    assert (order.status, order.side, order.type) == ("canceled", "buy", "limit")
    traded_nothing(exchange)
    assert paper.records(STORE) == []
    assert not [name for name in paper.files() if "/plans/" in name or "/portfolios/" in name]


def test_people_read_a_line_a_check(paper: Desk) -> None:
    """Each line opens with its mark; what is not well says below it what to do."""
    done = paper("doctor", "--no-order")
    lines = done.out.splitlines()
    assert lines[0].startswith("ok       python")
    assert "warn     alerts      nobody is told when a run halts" in done.out
    assert "→ set TRIMTAB_ALERT_URLS" in done.out
    assert lines[-1].startswith(f"{len(NAMES)} checks: 0 FAIL, 2 warn, 1 skipped.")
    assert max(map(len, lines)) <= 120
    assert "\x1b" not in done.out


def test_the_proof_keeps_to_symbols_that_no_run_trades(
    desk: Desk, tape: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another symbol is to be had, no run can stop at the order, not even in the same moment."""
    del tape
    exchange = Exchange.open(synthetic(("AAA", "BBB", "CCC", "TLT")))
    with serve(exchange, speed=0, rate_limit=None) as sandbox:
        for name in ("APCA_API_BASE_URL", "APCA_API_DATA_URL"):
            monkeypatch.setenv(name, sandbox.url)
        monkeypatch.setenv("APCA_API_KEY_ID", "key-of-tests")
        monkeypatch.setenv("APCA_API_SECRET_KEY", "secret-of-tests")
        desk.write(mode="paper")
        assert checks(desk)["duty"]["seen"].startswith("TLT: ")
        traded_nothing(exchange)
    exchange.close()


# Each thing broken in turn


def text(words: str) -> Callable[[Desk, Exchange], object]:
    """Write config.json as it stands."""
    return lambda desk, _exchange: (desk.folder / "config.json").write_text(words)


def keys(**changes: object) -> Callable[[Desk, Exchange], object]:
    """Change keys of config.json."""
    return lambda desk, _exchange: desk.write(**{"mode": "paper"} | changes)


def store(name: str, content: bytes) -> Callable[[Desk, Exchange], object]:
    """Put a file into the store, or where it should be."""

    def put(desk: Desk, _exchange: Exchange) -> None:
        path = desk.folder / STORE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return put


def behaves(**changes: Any) -> Callable[[Desk, Exchange], object]:  # noqa: ANN401 - fields of Behaviour
    """Let the broker behave otherwise."""
    return lambda _desk, exchange: exchange.behave(**changes)


def blocked(desk: Desk, _exchange: Exchange) -> None:
    """Put a file where the store should be."""
    (desk.folder / STORE).write_text("no folder")


def nothing(_desk: Desk, _exchange: Exchange) -> None:
    """Leave all but the environment as it is."""


Broken = tuple[str, str, str, "Callable[[Desk, Exchange], object]", "dict[str, str | None]"]
"""The check that sees it, how it is then, what it says to do, what breaks it, and what the environment is."""
UNKNOWN = {"name": "equal_weight", "params": {"symbols": ["AAA", "NOPE"]}}
BOUND = json.dumps({"h8": "00000000", "mode": "live"}).encode()
BROKEN: dict[str, Broken] = {
    "config is no JSON": ("config", "FAIL", "it ends too early", text('{"strategy": '), {}),
    "a key is misspelt": ("config", "FAIL", "did you mean", keys(stratgy={}), {}),
    "live without its flag": ("config", "FAIL", "TRIMTAB_LIVE", keys(mode="live"), {}),
    "a dry run": ("config", "warn", '"dry_run": false', keys(dry_run=True), {}),
    "no such strategy": ("strategy", "FAIL", "", keys(strategy={"name": "nowhere:rule"}), {}),
    "a key given twice": (
        *("parameters", "FAIL", "unset the one", nothing),
        {"APCA_API_KEY_ID_PARAMETER": "/trimtab/key"},
    ),
    "no secret key": ("keys", "FAIL", "export both", nothing, {"APCA_API_SECRET_KEY": None}),
    "wrong keys": ("account", "FAIL", "APCA_API_KEY_ID", nothing, {"APCA_API_SECRET_KEY": "wrong"}),
    "the live host": (
        *("keys", "FAIL", "set APCA_API_BASE_URL or mode", nothing),
        {"APCA_API_BASE_URL": "https://api.alpaca.markets"},
    ),
    "a stranger's host": (
        *("keys", "FAIL", "Alpaca's hosts", nothing, {"APCA_API_DATA_URL": "https://example.org"}),
    ),
    "a blocked account": ("account", "FAIL", "lift the block", behaves(flags={"trading_blocked": True}), {}),
    "an account not active": (
        *("account", "FAIL", "only an ACTIVE one", behaves(flags={"status": "ACCOUNT_UPDATED"}), {}),
    ),
    "another account's store": (
        *("binding", "FAIL", "its own store.url", store("portfolios/main.json", BOUND), {}),
    ),
    "a run before the open": (
        *("schedule", "warn", "schedule.run_time", keys(schedule={"run_time": "08:00"}), {}),
    ),
    "an unknown symbol": ("symbols", "FAIL", "spelling", keys(strategy=UNKNOWN), {}),
    "no bars of a symbol": ("data", "FAIL", "spelling", keys(strategy=UNKNOWN), {}),
    "a symbol not tradable": (
        *("symbols", "FAIL", "weight 0", behaves(assets={"AAA": {"tradable": False}}), {}),
    ),
    "a symbol in whole shares": (
        *("symbols", "warn", "rounded down", behaves(assets={"AAA": {"fractionable": False}}), {}),
    ),
    "a store that is a file": ("store", "FAIL", "mend the store", blocked, {}),
    "a damaged trades.db": ("trades", "FAIL", "trimtab rebuild", store("trades.db", b"no database" * 99), {}),
    "a halt flag": ("halts", "warn", "trimtab resume", store("halts/main", b"earnings week"), {}),
    "an alert URL without encryption": (
        *("alerts", "FAIL", "docs/alerts.md", nothing),
        {"TRIMTAB_ALERT_URLS": "http://example.org/canary-token-1234"},
    ),
    "a watcher's URL that is none": (
        *("heartbeat", "FAIL", "docs/alerts.md", nothing),
        {"TRIMTAB_HEARTBEAT_URL": "ftp://example.org/canary-token-1234"},
    ),
}


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN)
def test_what_is_broken_says_so(
    paper: Desk, exchange: Exchange, monkeypatch: pytest.MonkeyPatch, case: Broken
) -> None:
    """The check that looks at it FAILs, or warns, with what to do; the others still look; nothing trades."""
    check, status, hint, spoil, environ = case
    spoil(paper, exchange)
    for name, value in environ.items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    found = checks(paper, *(() if check == "account" else ("--no-order",)))
    assert found[check]["status"] == status, found[check]
    assert hint in f"{found[check]['seen']} {found[check]['hint']}"
    assert "canary-token" not in json.dumps(found)
    others = statuses(found, "FAIL") - {check, "symbols", "data"}
    assert others == set(), found
    assert found["python"]["status"] == "ok"
    if check not in {"config", "parameters", "keys", "account"}:
        assert "account" in statuses(found, "ok")
    traded_nothing(exchange)


def test_what_needs_a_failed_check_is_skipped(paper: Desk) -> None:
    """It says which; what stands by itself looks all the same."""
    (paper.folder / "config.json").write_text("{")
    found = checks(paper)
    assert statuses(found, "ok") == {"python"}
    assert found["account"]["seen"] == "needs keys"
    assert found["keys"]["seen"] == "needs parameters"
    assert found["store"]["seen"] == "needs config, extras"


# The broker's duty


def test_an_answer_that_is_lost_is_looked_up(paper: Desk, sandbox: Sandbox, exchange: Exchange) -> None:
    """The order was taken though nobody said so: it is found by its id, and the proof goes on."""
    sandbox.face.faults.add(Fault("drop", "POST", "/v2/orders$", when="after"))
    assert checks(paper)["duty"]["status"] == "ok"
    traded_nothing(exchange)


def test_a_broker_that_fails_proves_nothing(paper: Desk, sandbox: Sandbox, exchange: Exchange) -> None:
    """The second answer is an error of the broker's: no proof, and no FAIL either; nothing stays open."""
    sandbox.face.faults.add(Fault("status", "POST", "/v2/orders$", nth=2, status=500))
    found = checks(paper)["duty"]
    assert found["status"] == "warn"
    assert "not proved" in found["seen"]
    traded_nothing(exchange)


def test_without_money_nothing_is_proved(desk: Desk, tape: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - a tape
    """The order is refused: that is said, in the broker's words."""
    exchange = Exchange.open(tape, cash=Decimal(1))
    with serve(exchange, speed=0, rate_limit=None) as sandbox:
        for name in ("APCA_API_BASE_URL", "APCA_API_DATA_URL"):
            monkeypatch.setenv(name, sandbox.url)
        monkeypatch.setenv("APCA_API_KEY_ID", "key-of-tests")
        monkeypatch.setenv("APCA_API_SECRET_KEY", "secret-of-tests")
        desk.write(mode="paper")
        found = checks(desk)["duty"]
        assert found["status"] == "warn"
        assert "insufficient buying power" in found["seen"]
        traded_nothing(exchange)
    exchange.close()


# Whom it tells


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """Give a receiver of alerts and pings, and lead both there."""
    with ScriptedServer() as server:
        server.on("POST", "/in", Reply(200))
        server.on("POST", "/ping", Reply(200))
        monkeypatch.setenv("TRIMTAB_ALERT_URLS", f"{server.url}/in?token=canary-token-1234")
        monkeypatch.setenv("TRIMTAB_HEARTBEAT_URL", f"{server.url}/ping")
        yield server


def test_nothing_is_sent_without_being_asked(paper: Desk, receiver: ScriptedServer) -> None:
    """The hosts are reached, and told nothing; with --send each takes a message."""
    found = checks(paper, "--no-order")
    assert statuses(found, "warn", "FAIL") == set()
    assert receiver.count("POST") == 0
    found = checks(paper, "--no-order", "--send")
    assert found["alerts"]["seen"] == "plain: a message was taken"
    assert found["heartbeat"]["seen"] == "a ping was taken"
    assert receiver.count("POST", "/in") == 1
    assert receiver.count("POST", "/ping") == 1


def test_a_service_that_takes_nothing_fails(paper: Desk, receiver: ScriptedServer) -> None:
    """404: the URL is gone, which only sending shows."""
    for path in ("/in", "/ping"):
        receiver.on("POST", path, Reply(404))
    found = checks(paper, "--no-order", "--send")
    assert statuses(found, "FAIL") == {"alerts", "heartbeat"}
    assert "answered 404" in found["alerts"]["seen"]
    assert "canary-token" not in json.dumps(found)


def test_a_host_that_is_away_fails(paper: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    monkeypatch.setenv("TRIMTAB_ALERT_URLS", f"http://127.0.0.1:{port}/in")
    found = checks(paper, "--no-order")
    assert statuses(found, "FAIL") == {"alerts"}
    assert "1 of 1 hosts" in found["alerts"]["seen"]


def test_simulated_mode_is_looked_at_without_keys(desk: Desk) -> None:
    """The embedded exchange answers like the broker; the duty is for a paper account to prove."""
    found = checks(desk)
    assert statuses(found, "FAIL", "warn") == set()
    assert statuses(found, "skipped") == {"duty"}
