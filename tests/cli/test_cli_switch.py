from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

from trimtab.adapters.exchange import Exchange, ExchangeClock
from trimtab.adapters.sandbox import serve
from trimtab.adapters.sqlite import SqliteTrades
from trimtab.core.record import account_hash, canonical

if TYPE_CHECKING:
    import pytest

    from cli.conftest import Desk
    from trimtab.adapters.exchange.tape import Tape

STORE = "trimtab-data"


def events(desk: Desk) -> list[dict[str, object]]:
    """Give every event outside a run, oldest first."""
    files = sorted((desk.folder / STORE / "events").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(path.read_text()) for path in files]


def test_halt_sets_the_flag_and_resume_lifts_it(desk: Desk) -> None:
    """Who, when and why stand in the flag; each act is an event; a run in between sends nothing."""
    done = desk("halt", "earnings", "--json")
    assert done.status == 0
    assert done.document["set"] is True
    flag = json.loads((desk.folder / STORE / "halts/main").read_text())
    assert flag["why"] == "earnings"
    assert flag["who"] == done.document["who"]
    assert desk("run", "--json").document["error"]["code"] == "kill_switch"
    assert "earnings" in desk("status").out
    assert done.document["at"] == flag["at"] == desk("status", "--json").document["halt"]["at"]
    assert desk("resume", "--json").document["lifted"] is True
    assert not (desk.folder / STORE / "halts/main").exists()
    assert [event["code"] for event in events(desk)] == ["halt", "resume"]
    assert desk("run").status == 0


def test_a_second_halt_keeps_the_first_reason(desk: Desk) -> None:
    """The flag says why it was first set."""
    desk("halt", "first")
    done = desk("halt", "second", "--json")
    assert done.status == 0
    assert done.document["set"] is False
    assert json.loads((desk.folder / STORE / "halts/main").read_text())["why"] == "first"


def test_all_is_a_flag_of_its_own(desk: Desk) -> None:
    """`--all` halts every portfolio of the store, and only `resume --all` lifts that."""
    assert desk("halt", "--all", "storm").status == 0
    assert (desk.folder / STORE / "HALT").exists()
    done = desk("resume")
    assert done.status == 0
    assert "no flag halts/main" in done.out
    assert "stays halted by HALT: storm" in done.out
    assert desk("resume", "--all", "--json").document == {
        "portfolio": "main",
        "flag": "HALT",
        "lifted": True,
        "approved": None,
        "still_halted_by": None,
    }


def test_halt_cancels_our_open_orders_and_no_other(desk: Desk, tape: Tape) -> None:
    """Ours are those with this account's and portfolio's hash; a person's order is left alone."""
    desk.write(strategy={"name": "equal_weight", "params": {"symbols": list(tape.symbols)}})
    desk("plan")
    path = desk.folder / STORE / "exchange/main.db"
    exchange = Exchange.open(tape, path=path)
    exchange.behave(latency_s=10_000.0)
    ours = f"tt1-{account_hash(exchange.account_number, 'main')}-20200101-AAA-0"
    for name in (ours, "by-hand"):
        exchange.submit(
            {
                "client_order_id": name,
                "symbol": "AAA",
                "side": "buy",
                "type": "market",
                "qty": "1",
                "time_in_force": "day",
            }
        )
    before = exchange.now()
    done = desk("halt", "--json")
    exchange.advance(0)
    status = {order.client_order_id: order.status for order in exchange.world.book.orders.values()}
    waited = (exchange.now() - before).total_seconds()
    exchange.close()
    assert done.status == 0, done.err
    assert done.document["cancelled"] == [ours]
    assert status[ours] == "canceled"
    assert status["by-hand"] != "canceled"
    assert waited >= 15


def test_halt_without_a_broker_sets_the_flag_and_says_what_it_could_not_do(
    desk: Desk, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong keys: the flag is set all the same; exit 3 says that open orders were not cancelled."""
    with serve(exchange, keys=("key", "secret"), rate_limit=None) as sandbox:
        monkeypatch.setenv("APCA_API_BASE_URL", sandbox.url)
        monkeypatch.setenv("APCA_API_DATA_URL", sandbox.url)
        monkeypatch.setenv("APCA_API_KEY_ID", "key")
        monkeypatch.setenv("APCA_API_SECRET_KEY", "wrong")
        desk.write(mode="paper", store={"url": f"./{STORE}"})
        done = desk("halt", "--json")
    assert done.status == 3
    assert done.document["error"]["code"] == "orders_not_cancelled"
    assert "could not be" in done.err
    assert (desk.folder / STORE / "halts/main").exists()


def test_halt_does_not_need_a_strategy(desk: Desk) -> None:
    """The flag is set before anything else is tried, whatever state the strategy is in."""
    desk.write(strategy={"name": "nothing:there"}, universe=["AAA"])
    assert desk("halt").status == 3
    assert (desk.folder / STORE / "halts/main").exists()


def test_a_broken_strategy_does_not_keep_halt_from_the_broker(
    desk: Desk, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner stops the bot exactly when its strategy is wrong: what stops halt here are the keys alone."""
    with serve(exchange, keys=("key", "secret"), rate_limit=None) as sandbox:
        monkeypatch.setenv("APCA_API_BASE_URL", sandbox.url)
        monkeypatch.setenv("APCA_API_DATA_URL", sandbox.url)
        monkeypatch.setenv("APCA_API_KEY_ID", "key")
        monkeypatch.setenv("APCA_API_SECRET_KEY", "wrong")
        desk.write(mode="paper", strategy={"name": "nothing:there"}, store={"url": f"./{STORE}"})
        done = desk("halt", "--json")
    assert done.status == 3
    assert "401" in done.document["error"]["seen"]


def test_a_flag_that_cannot_be_written_is_said_plainly(desk: Desk) -> None:
    """No flag, no claim: exit 3 with the store's error."""
    desk.write(store={"url": "./config.json/below"})
    done = desk("halt", "--json")
    assert done.status == 3
    assert set(done.document) == {"error"}
    assert done.document["error"]["code"] == "store_unwritable"


def test_events_are_in_trades_db(desk: Desk) -> None:
    """The dashboard sees who halted and resumed."""
    desk("halt", "why not")
    desk("resume")
    rows = SqliteTrades(desk.folder / STORE / "trades.db").query(
        "SELECT code, message FROM events ORDER BY at"
    )
    assert [row["code"] for row in rows] == ["halt", "resume"]
    assert str(rows[0]["message"]).endswith("halt main: why not")
    lines = (desk.folder / STORE / "app.log").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["halt", "resume"]


def test_resume_approves_what_the_newest_run_waits_for(desk: Desk) -> None:
    """No flag is set, and still it is resume that a changed configuration waits for: that one, and once."""
    desk.write(risk={"require_approval": "always"})
    assert desk("run").status == 0
    desk.write(risk={"require_approval": "always"}, execution={"band": 0.01})
    refused = desk("run", "--next", "--json")
    assert refused.status == 3
    assert refused.document["error"]["code"] == "require_approval"
    assert "trimtab resume" in refused.document["error"]["hint"]
    assert desk("plan").status == 3
    (waits,) = [r for r in desk.records(STORE) if r["code"] == "require_approval"]
    assert waits["planned"]
    done = desk("resume", "--json")
    assert (done.status, done.document["lifted"], done.document["approved"]) == (0, False, waits["run_id"])
    assert f"config {waits['config_digest'][:12]}" in done.err
    assert [event["code"] for event in events(desk)] == ["resume"]
    assert desk("run").status == 0
    again = desk("resume", "--json").document
    assert (again["lifted"], again["approved"]) == (False, None)
    assert len(events(desk)) == 1


ASKED = {"risk": {"require_approval": "always"}}


def test_resume_all_approves_for_its_own_portfolio_alone(desk: Desk) -> None:
    """What waits in another portfolio of the store is neither announced nor approved."""
    desk.write(**ASKED)
    assert desk("run").status == 0
    desk.write(**ASKED, execution={"band": 0.01})
    assert desk("run", "--next", "--json").document["error"]["code"] == "require_approval"
    desk.write(**ASKED, portfolio="other")
    desk("halt", "--all")
    done = desk("resume", "--all", "--json")
    assert (done.document["lifted"], done.document["approved"]) == (True, None)
    assert "approves" not in done.err
    desk.write(**ASKED, execution={"band": 0.01})
    assert desk("run", "--json").document["error"]["code"] == "require_approval"
    assert "approves for main: config" in desk("resume").out
    assert desk("run").status == 0


def test_an_approval_that_somebody_changed_is_found(desk: Desk) -> None:
    """An event says twice what it approved; one that approves something else does not stand."""
    desk.write(**ASKED)
    desk("run")
    desk.write(**ASKED, execution={"band": 0.01})
    desk("run", "--next")
    desk("resume")
    assert desk("verify").status == 0
    (path,) = (desk.folder / STORE / "events").glob("*.json")
    whole = json.loads(path.read_text())
    for changed in (
        whole | {"approved": whole["approved"] | {"code_digest": "0" * 64}},
        whole | {"approved": "all"},
        {name: value for name, value in whole.items() if name != "approved"},
        whole | {"code": "halt", "message": whole["message"].replace("resume", "halt")},
    ):
        path.chmod(0o600)
        path.write_bytes(canonical(changed))
        assert desk("verify").status == 3, changed
    path.write_bytes(canonical(whole))
    assert desk("verify").status == 0


def test_an_approval_of_what_no_run_waited_for_is_found(desk: Desk) -> None:
    """An event that agrees with itself is held against the records: one of them waited for just that."""
    desk.write(**ASKED)
    desk("run")
    desk.write(**ASKED, execution={"band": 0.01})
    desk("run", "--next")
    desk("resume")
    (path,) = (desk.folder / STORE / "events").glob("*.json")
    whole = path.read_text()
    digest = json.loads(whole)["approved"]["config_digest"]
    path.chmod(0o600)
    path.write_text(whole.replace(digest[:12], "0" * 12))
    done = desk("verify", "--json")
    assert done.status == 3
    (told,) = done.document["files"]
    assert told.startswith(f"events/{path.name}: approves config 000000000000, code ")
    assert told.endswith("; no record says that it waited for this")


def test_virtual_waiting_is_not_real(exchange: Exchange) -> None:
    """In simulated mode the quiet seconds pass on the exchange's clock."""
    clock = ExchangeClock(exchange)
    before = exchange.now()
    clock.sleep(15)
    assert Decimal((exchange.now() - before).total_seconds()) >= 15
