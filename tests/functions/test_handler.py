from __future__ import annotations

import json
import os
import sys
import traceback
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from lambda_kit import Context, event, portfolio, sandbox
from script_kit import load_script
from scripted_http import Reply, ScriptedServer
from trimtab.errors import Halted, Misconfigured
from trimtab.settings import redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from trimtab.adapters.sandbox import Sandbox

app = load_script("functions/rebalance/app.py")

KEYS_OF_A_RUN = {
    *("run_id", "portfolio", "session", "outcome", "stage", "reason", "equity", "cash", "plan_digest"),
    *("planned", "orders", "holds", "verdicts"),
}
KEYS_OF_AN_ORDER = {
    *("client_order_id", "symbol", "side", "qty", "status", "filled_qty", "filled_avg_price", "reason"),
}
HOSTILE = {
    "an amount": {"portfolio": "main", "amount": 1_000_000},
    "a limit": {"risk": {"max_order_size": 1.0}},
    "a mode": {"mode": "live"},
    "a key in capitals": {"DRY_RUN": True},
    "a key nearly right": {"dry_run ": True},
    "no object": ["main"],
    "nothing": None,
    "a text": '{"dry_run": true}',
    "a dry run in words": {"dry_run": "false"},
    "a dry run in numbers": {"dry_run": 0},
    "a dry run of nothing": {"dry_run": None},
    "a path": {"portfolio": "../main"},
    "a line more": {"portfolio": "main\n"},
    "a list of portfolios": {"portfolio": ["main"]},
    "a time in words": {"scheduled_time": "tomorrow"},
    "a time in seconds": {"scheduled_time": 1582038000},
    "a time in seconds, as text": {"scheduled_time": "1582038000"},
    "a time without a zone": {"scheduled_time": "2020-02-18T15:00:00"},
    "the first instant": {"scheduled_time": "0001-01-01T00:00:00+14:00"},
    "the last instant": {"scheduled_time": "9999-12-31T23:59:59-12:00"},
    "half of a character": {"\ud800": "\ud800"},
    "a very long text": {"portfolio": "a" * 1_000_000},
}


@pytest.fixture
def market() -> Iterator[Sandbox]:
    """A sandbox of its own."""
    with sandbox() as served:
        yield served


@pytest.fixture
def store(market: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store of a paper portfolio on the sandbox, which the environment names; not yet there."""
    for name in os.environ:
        if name.startswith(("TRIMTAB_", "APCA_")):
            monkeypatch.delenv(name)
    for name, value in portfolio(tmp_path, market.url).items():
        monkeypatch.setenv(name, value)
    return tmp_path / "trimtab-paper"


def posts(market: Sandbox) -> int:
    """How many orders were sent."""
    return sum(seen.method == "POST" for seen in market.face.log.seen)


def test_an_empty_event_runs_the_line_once(market: Sandbox, store: Path) -> None:
    """The answer is the contract's document, of decimals as text, and of the orders that were sent."""
    document = app.handler({}, Context())
    assert document["outcome"] == "traded", document["reason"]
    assert set(document) >= KEYS_OF_A_RUN
    assert "error" not in document
    assert {key for order in document["orders"] for key in order} == KEYS_OF_AN_ORDER
    assert len(document["orders"]) == posts(market) > 0
    assert all(isinstance(document[key], str) and Decimal(document[key]) > 0 for key in ("equity", "cash"))
    assert json.loads(json.dumps(document)) == document
    assert (store / "plans/main/2020-02-18.json").is_file()


def test_on_lambda_the_log_is_cloudwatchs(store: Path) -> None:
    """No app.log is written beside the records."""
    app.handler(event("late"), Context())
    assert (store / "trades.db").is_file()
    assert not list(store.rglob("app.log*"))


def test_a_second_event_of_the_session_sends_nothing(market: Sandbox, store: Path) -> None:
    """Scheduler may deliver twice: the stored plan is done."""
    first, again = app.handler({}, Context()), app.handler(event("scheduled"), Context())
    assert again["outcome"] == "in_band"
    assert again["orders"] == []
    assert len(first["orders"]) == posts(market)
    assert store.is_dir()


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_event_is_refused_before_anything_begins(
    hostile: object, market: Sandbox, store: Path
) -> None:
    """What no schedule says is an error that says what is allowed; no request is made, no store begun."""
    with pytest.raises(Misconfigured) as refused:
        app.handler(hostile, Context())
    assert refused.value.code == "bad_event"
    assert "scheduled_time" in str(refused.value.allowed)
    assert len(str(refused.value)) < 500
    assert not market.face.log.seen
    assert not store.exists()


def test_a_deeply_nested_event_is_refused(market: Sandbox, store: Path) -> None:
    """Depth is no way past the check."""
    deep: list[object] = []
    for _ in range(20_000):
        deep = [deep]
    with pytest.raises(Misconfigured, match="bad_event"):
        app.handler({"portfolio": deep}, Context())
    assert not market.face.log.seen
    assert not store.exists()


def test_an_event_for_another_portfolio_is_refused(market: Sandbox, store: Path) -> None:
    """The message names both."""
    with pytest.raises(Misconfigured) as refused:
        app.handler({"portfolio": "other"}, Context())
    told = (refused.value.code, refused.value.seen, refused.value.allowed)
    assert told == ("wrong_portfolio", "other", "main")
    assert not market.face.log.seen
    assert not store.exists()


@pytest.mark.parametrize(("configured", "asked"), [(False, True), (True, False), (True, True)])
def test_a_dry_run_is_what_either_asks_for(
    configured: bool,  # noqa: FBT001 - a table of two switches
    asked: bool,  # noqa: FBT001 - as above
    store: Path,
    market: Sandbox,
) -> None:
    """An event makes a run safer, never less safe than the configuration."""
    portfolio(store.parent, market.url, dry_run=configured)
    document = app.handler({"dry_run": asked}, Context())
    assert document["outcome"] == "dry_run"
    assert document["planned"]
    assert posts(market) == 0
    assert not (store / "plans").exists()


def test_an_event_can_not_undo_the_environments_dry_run(
    market: Sandbox, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRIMTAB_DRY_RUN=true stands, whatever the event says."""
    monkeypatch.setenv("TRIMTAB_DRY_RUN", "true")
    assert app.handler({"dry_run": False}, Context())["outcome"] == "dry_run"
    assert posts(market) == 0
    assert store.is_dir()


@pytest.mark.parametrize(
    ("scheduled", "outcome"),
    [
        ("2020-02-18T15:00:00Z", "dry_run"),
        ("2020-02-19T01:00:00+10:00", "dry_run"),
        ("2020-02-19T04:59:59Z", "dry_run"),
        ("2020-02-19T05:00:00Z", "closed"),
        ("2020-02-17T15:00:00Z", "closed"),
    ],
)
@pytest.mark.usefixtures("store")
def test_an_event_is_of_its_new_york_date(scheduled: str, outcome: str) -> None:
    """A scheduled time of another New York date than the broker's is late, whatever its zone."""
    document = app.handler({"scheduled_time": scheduled, "dry_run": True}, Context())
    assert document["outcome"] == outcome
    assert document["reason"].startswith("late_event") == (outcome == "closed")


@pytest.mark.parametrize(("scheduled", "warned"), [("15:00", False), ("15:30", False), ("15:10", True)])
def test_a_schedule_that_differs_from_run_time_is_noted(store: Path, scheduled: str, *, warned: bool) -> None:
    """The record, and so the owner's message, says that the stack wakes at another time than run_time."""
    app.handler({"scheduled_time": f"2020-02-18T{scheduled}:00Z", "dry_run": True}, Context())
    (record,) = [json.loads(path.read_text()) for path in store.glob("runs/**/record.json")]
    found = [event["message"] for event in record["events"] if event["code"] == "run_time"]
    assert bool(found) is warned
    assert all("at 10:10, but schedule.run_time is 10:00" in message for message in found)


def test_a_missing_configuration_is_told(
    market: Sandbox, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the file that was looked for."""
    monkeypatch.setenv("TRIMTAB_CONFIG", str(store.parent / "absent.json"))
    with pytest.raises(Misconfigured, match=r"absent[.]json") as refused:
        app.handler({}, Context())
    assert refused.value.code == "no_config"
    assert not market.face.log.seen


def test_real_money_needs_its_flag(market: Sandbox, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the schedule calls can send orders, dry or not: only a live stack has the flag."""
    monkeypatch.setenv("TRIMTAB_MODE", "live")
    for asked in ({}, {"dry_run": True}):
        with pytest.raises(Misconfigured) as refused:
            app.handler(asked, Context())
        assert refused.value.code == "live_flag"
    assert not market.face.log.seen
    assert not store.exists()


def test_a_halted_portfolio_answers_why(market: Sandbox, store: Path) -> None:
    """A run that the kill switch stops is an answer with its error in it, and sends nothing."""
    store.mkdir()
    (store / "HALT").write_text("{}")
    document = app.handler({}, Context())
    assert document["outcome"] == "halted"
    assert document["error"]["code"] == document["reason"].split(":")[0]
    assert posts(market) == 0


CANARIES = ("secret-of-tests", "canary-Discord-token-4f0b77", "ca0a4e00-1111-4222-8333-444455556666")


@pytest.fixture
def watched(store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A chat that refuses and a watcher that takes, which the environment names; with secrets in it."""
    with ScriptedServer() as scripted:
        chat, check = f"/api/webhooks/1/{CANARIES[1]}", f"/{CANARIES[2]}"
        for path in (check, f"{check}/start", f"{check}/fail"):
            scripted.on("POST", path, Reply(200))
        monkeypatch.setenv("TRIMTAB_ALERT_URLS", scripted.url + chat)
        monkeypatch.setenv("TRIMTAB_HEARTBEAT_URL", scripted.url + check)
        yield scripted
    assert store.parent.is_dir()


@contextmanager
def cloudwatch(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Give what gives the JSON lines that CloudWatch would get; no secret is in them."""
    (handler,) = app.logger.handlers
    before, handler.stream = handler.stream, sys.stdout

    def lines() -> list[dict[str, Any]]:
        out = capsys.readouterr().out
        assert not [canary for canary in CANARIES if canary in out]
        return [json.loads(line) for line in out.splitlines()]

    try:
        yield lines
    finally:
        handler.stream = before


def test_a_run_is_measured(watched: ScriptedServer, capsys: pytest.CaptureFixture[str]) -> None:
    """One set of metrics in the embedded format: how it ended, how much, how old, how long; and the pings."""
    with cloudwatch(capsys) as lines:
        document = app.handler({}, Context())
        told = lines()
    (metrics,) = [line for line in told if "_aws" in line]
    values = {name: value[0] for name, value in metrics.items() if isinstance(value, list)}
    assert values["RunTraded"] == values["NotTold"] == 1
    assert values["Orders"] == len(document["orders"])
    assert 0 < values["Turnover"] <= 100
    assert values["EquityUsd"] == float(document["equity"])
    assert values["DataAge"] > 3600
    assert values["Duration"] >= values["ExecuteDuration"] >= 0
    (line,) = [line for line in told if line.get("message") == "run"]
    assert line["run_id"] == document["run_id"]
    assert set(line["timings"]) >= {"fetch", "execute", "record"}
    assert [line["detail"] for line in told if line.get("message") == "not told"] == ["discord: answered 404"]
    assert [asked.path.count("/start") for asked in watched.asked if CANARIES[2] in asked.path] == [1, 0]


def test_what_was_not_told_of_a_run_that_raised_is_counted_for_its_portfolio(
    watched: ScriptedServer, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The alarm watches a portfolio's `NotTold`: a store that can't be written hides no dead chat."""
    store.mkdir()
    (store / "runs").write_text("in the way")
    with cloudwatch(capsys) as lines:
        with pytest.raises(Halted):
            app.handler({}, Context())
        (metrics,) = [line for line in lines() if "_aws" in line]
    (defined,) = metrics["_aws"]["CloudWatchMetrics"]
    assert {metric["Name"] for metric in defined["Metrics"]} == {"NotTold", "RunFailed"}
    assert [set(names) for names in defined["Dimensions"]] == [{"service", "function", "portfolio"}]
    assert metrics["portfolio"] == "main"
    assert watched.asked


@pytest.mark.usefixtures("watched")
def test_no_secret_leaves_by_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """What is raised, logged and chained carries no secret, whatever the event quotes."""
    with cloudwatch(capsys) as lines:
        with pytest.raises(Misconfigured) as refused:
            app.handler({"portfolio": os.environ["TRIMTAB_ALERT_URLS"]}, Context())
        assert [line["message"] for line in lines() if "message" in line] == ["failed"]
    error = refused.value
    shown = "".join(traceback.format_exception(type(error), error, None)) + str(error.document())
    assert not [canary for canary in CANARIES if canary in shown]
    assert error.code == "bad_event"
    bug = redactor(os.environ).error(KeyError(f"GET {os.environ['TRIMTAB_HEARTBEAT_URL']}/start"))
    assert not [canary for canary in CANARIES if canary in str(bug)]


def test_a_run_without_time_sends_nothing(market: Sandbox, store: Path) -> None:
    """The function's remaining time is the run's: with none left, no order is begun."""
    document = app.handler({}, Context(milliseconds=0))
    assert document["outcome"] == "halted", document["reason"]
    assert posts(market) == 0
    assert store.is_dir()
