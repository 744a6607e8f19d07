"""Refusals: each stops with one clear message, sends nothing, and leaves a record where a run began."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING

import pytest

from trimtab.adapters.exchange.hours import new_york_date
from trimtab.adapters.sandbox import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.conftest import Desk, Done
    from trimtab.adapters.exchange import Exchange

STORE = "trimtab-paper"
FIXED = "fixed_weights"


@pytest.fixture
def paper(desk: Desk, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Give a paper portfolio on a sandbox that knows one pair of keys."""
    with serve(exchange, keys=("key", "secret"), speed=0, rate_limit=None) as sandbox:
        monkeypatch.setenv("APCA_API_BASE_URL", sandbox.url)
        monkeypatch.setenv("APCA_API_DATA_URL", sandbox.url)
        monkeypatch.setenv("APCA_API_KEY_ID", "key")
        monkeypatch.setenv("APCA_API_SECRET_KEY", "secret")
        desk.write(mode="paper")
        yield desk


def weights(**given: float) -> dict[str, object]:
    """Give a strategy of fixed weights."""
    return {"name": FIXED, "params": {"weights": given}}


def refused(done: Done, status: int, code: str, exchange: Exchange) -> dict[str, str | None]:
    """Hold a refusal to its form: exit status, code, three lines, nothing sent. Give the error."""
    assert done.status == status, done.err
    error: dict[str, str | None] = done.document["error"]
    assert error["code"] == code, error
    assert error["message"]
    assert error["hint"] or error["allowed"]
    assert error["seen"]
    assert f"error: {code}: " in done.err
    with exchange.work() as world:
        assert world.book.orders == {}
    return error


CONFIGURATIONS = {
    "an unknown key": ({"stratgy": {}}, "unknown_key"),
    "an unknown limit": ({"risk": {"max_ordersize": 0.2}}, "unknown_key"),
    "a limit set to null": ({"risk": {"max_order_size": None}}, "no_limit"),
    "live without its flag": ({"mode": "live"}, "live_flag"),
}


@pytest.mark.parametrize(("changes", "code"), CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_wrong_configuration_is_exit_2(
    paper: Desk, exchange: Exchange, changes: dict[str, object], code: str
) -> None:
    """Nothing begins: no record, no store."""
    paper.write(**{"mode": "paper"} | changes)
    refused(paper("run", "--json"), 2, code, exchange)
    assert paper.records(STORE) == []


TEXTS = {
    "bad JSON": '{"strategy": ',
    "a NaN in the file": '{"strategy": {"name": "fixed_weights", "params": {"weights": {"AAA": NaN}}}}',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_is_not_json_is_exit_2(paper: Desk, exchange: Exchange, text: str) -> None:
    """The place of the fault is named."""
    (paper.folder / "config.json").write_text(text)
    refused(paper("run", "--json"), 2, "bad_json", exchange)


def test_weights_above_1_never_trade(paper: Desk, exchange: Exchange) -> None:
    """A sum above 1 is refused before the first order."""
    paper.write(mode="paper", strategy=weights(AAA=0.7, BBB=0.6))
    done = paper("run", "--json")
    assert done.status in {2, 3}
    assert done.document["error"]["seen"]
    with exchange.work() as world:
        assert world.book.orders == {}


RULES = {
    "a NaN weight": "{'AAA': float('nan'), 'BBB': 0.1}",
    "weights above 1": "{'AAA': 0.7, 'BBB': 0.7}",
    "a negative weight": "{'AAA': -0.1, 'BBB': 0.1}",
    "a symbol outside the universe": "{'ZZZ': 0.1}",
}


@pytest.mark.parametrize("returned", RULES.values(), ids=RULES)
def test_a_strategy_gone_wrong_halts(paper: Desk, exchange: Exchange, returned: str) -> None:
    """What a strategy gives is judged: exit 3, stage strategy, with a record."""
    (paper.folder / "mine.py").write_text(f"def rule(history, equity):\n    return {returned}\n")
    paper.write(mode="paper", strategy={"name": "mine:rule"}, universe=["AAA", "BBB"])
    done = paper("run", "--json")
    assert done.document["stage"] == "strategy"
    refused(done, 3, done.document["code"], exchange)
    assert [record["outcome"] for record in paper.records(STORE)] == ["halted"]


def test_an_unknown_symbol_halts(paper: Desk, exchange: Exchange) -> None:
    """A symbol that the market does not know has no bars: exit 3, named, with a record."""
    paper.write(mode="paper", strategy=weights(AAA=0.5, NOPE=0.5))
    done = paper("run", "--json")
    error = refused(done, 3, "missing_symbol", exchange)
    assert "NOPE" in " ".join(str(value) for value in error.values())
    assert done.document["stage"] == "validate"
    assert len(paper.records(STORE)) == 1


def test_wrong_keys_halt(paper: Desk, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """401: exit 3, the keys are not shown, and the record says why."""
    monkeypatch.setenv("APCA_API_SECRET_KEY", "wrong-secret")
    done = paper("run", "--json")
    refused(done, 3, "unauthorized", exchange)
    assert "wrong-secret" not in done.out + done.err
    (record,) = paper.records(STORE)
    assert (record["session"], record["code"]) == (None, "unauthorized")
    assert not any("wrong-secret" in (paper.folder / name).read_text("latin-1") for name in paper.files())


def test_a_run_without_a_clock_is_the_last_run(paper: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status shows the failed run, although it could not learn its session."""
    assert paper("run", "--dry-run").status == 0
    monkeypatch.setenv("APCA_API_SECRET_KEY", "wrong-secret")
    run = paper("run", "--json").document
    status = paper("status", "--json").document
    assert status["last_run"]["run_id"] == run["run_id"]
    assert "session None" not in paper("status").out


def test_missing_keys_are_exit_2(paper: Desk, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without keys nothing begins."""
    monkeypatch.delenv("APCA_API_SECRET_KEY")
    refused(paper("run", "--json"), 2, "keys_missing", exchange)


@pytest.mark.parametrize("mode", ["paper", "simulated"])
def test_a_store_that_cannot_be_written_halts(paper: Desk, exchange: Exchange, mode: str) -> None:
    """The store lies where no folder can be: exit 3 with the run's document."""
    paper.write(mode=mode, store={"url": "./config.json/below"})
    done = paper("run", "--json")
    refused(done, 3, "store_unwritable", exchange)
    assert (done.document["outcome"], done.document["orders"]) == ("halted", [])


def test_a_closed_market_is_an_outcome(paper: Desk, exchange: Exchange) -> None:
    """After the close: outcome closed, exit 0, nothing sent, a record; a plan works all the same."""
    exchange.go(new_york_date(exchange.now()), time(17, 0))
    done = paper("run", "--json")
    assert (done.status, done.document["outcome"]) == (0, "closed")
    assert "error" not in done.document
    assert len(paper.records(STORE)) == 1
    planned = paper("plan", "--json")
    assert planned.status == 0
    assert len(planned.document["planned"]) == 3
    assert planned.document["session"] > done.document["session"]
    with exchange.work() as world:
        assert world.book.orders == {}


def test_a_blocked_account_halts(paper: Desk, exchange: Exchange) -> None:
    """A flag of the account: exit 3, with a record."""
    exchange.behave(flags={"trading_blocked": True})
    refused(paper("run", "--json"), 3, "account_blocked", exchange)
    assert len(paper.records(STORE)) == 1


@pytest.mark.parametrize("flag", ["HALT", "halts/main"])
def test_the_kill_switch_halts(paper: Desk, exchange: Exchange, flag: str) -> None:
    """A flag that a person touched by hand halts like any: exit 3, its text is seen, with a record."""
    path = paper.folder / STORE / flag
    path.parent.mkdir(parents=True)
    path.write_text("going on holiday")
    error = refused(paper("run", "--json"), 3, "kill_switch", exchange)
    assert error["seen"] == "going on holiday"
    assert len(paper.records(STORE)) == 1
    assert "going on holiday" in paper("status").out


def test_another_account_is_refused(paper: Desk, exchange: Exchange) -> None:
    """A store bound to one mode is not used with another: exit 2, nothing recorded."""
    paper.write(mode="simulated", store={"url": f"./{STORE}"})
    assert paper("run").status == 0
    before = len(paper.records(STORE))
    paper.write(mode="paper", store={"url": f"./{STORE}"})
    refused(paper("run", "--json"), 2, "store_bound", exchange)
    assert len(paper.records(STORE)) == before


def test_a_holding_that_left_the_universe_is_seen(paper: Desk, exchange: Exchange) -> None:
    """The run and status warn of it and call it foreign; it has no weight and counts in no other's."""
    assert paper("run").status == 0
    exchange.step()
    paper.write(mode="paper", strategy=weights(AAA=0.2, BBB=0.2))
    done = paper("run")
    assert done.status == 0, done.err
    assert "warning: CCC is held but left the universe" in done.out
    status = paper("status", "--json").document
    assert status["warnings"] == ["CCC is held but left the universe"]
    rows = {row["symbol"]: row for row in status["holdings"]}
    assert [rows[symbol]["foreign"] for symbol in ("AAA", "BBB", "CCC")] == [False, False, True]
    assert rows["CCC"]["weight"] is None
    own = float(status["cash"]) + sum(float(rows[symbol]["market_value"]) for symbol in ("AAA", "BBB"))
    assert float(rows["AAA"]["weight"]) == pytest.approx(float(rows["AAA"]["market_value"]) / own, abs=1e-6)
    assert "foreign" in paper("status").out


def test_less_history_than_the_strategy_needs_is_exit_2(desk: Desk) -> None:
    """A look-back that the strategy cannot decide on is refused before anything begins."""
    momentum = {"name": "momentum", "params": {"symbols": ["AAPL", "IBM"], "top_n": 1}}
    desk.write(strategy=momentum, data={"lookback_sessions": 100})
    done = desk("run", "--json")
    assert (done.status, done.document["error"]["code"]) == (2, "lookback_too_short")
    assert done.document["error"]["allowed"] == "at least 253"


def test_a_limit_for_a_symbol_that_is_not_traded_is_exit_2(desk: Desk) -> None:
    """A misspelt symbol would leave the right one under the general limit."""
    desk.write(risk={"max_order_size_by_symbol": {"APPL": 0.01}})
    done = desk("run", "--json")
    assert (done.status, done.document["error"]["code"]) == (2, "unknown_symbol")
