"""Live: what needs the flag of real money, and what must never need it: to look, and above all to halt."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from trimtab.adapters.directory import DirectoryStore
from trimtab.adapters.sqlite import SqliteTrades
from trimtab.cli.opened import SENDS_NOTHING
from trimtab.cli.parser import VERBS
from trimtab.core.record import canonical
from trimtab.stations.past import rebuild

if TYPE_CHECKING:
    from cli.conftest import Desk

STORE = "trimtab-live"
SENDERS = {"plan", "apply", "run", "serve", "doctor"}
WITHOUT_SETTINGS = {"init", "schema", "sandbox", "completion"}
MORE = {
    "apply": ("no.json",),
    "show": ("last",),
    "explain": ("last",),
    "diff": ("1", "2"),
    "replay": ("last",),
    "dashboard": ("--host", "0.0.0.0"),  # noqa: S104 - refused
    "data": ("fetch",),
    "sweep": ("--param", "a=1"),
}
"""Words that a verb needs besides, or that make it end at once."""


def flags(desk: Desk) -> set[str]:
    """Name the flags that are set in any store."""
    return {name for name in desk.files() if "/halts/" in name or name.endswith("/HALT")}


def test_each_verb_is_known_to_send_or_not() -> None:
    """A new verb must be thought about; until then it is asked for the flag."""
    assert set(VERBS) == SENDERS | WITHOUT_SETTINGS | SENDS_NOTHING
    assert len(VERBS) == len(SENDERS) + len(WITHOUT_SETTINGS) + len(SENDS_NOTHING)


@pytest.mark.parametrize("verb", sorted(SENDERS | SENDS_NOTHING))
def test_only_what_sends_orders_needs_the_flag(desk: Desk, verb: str) -> None:
    """Whatever else keeps the others from their work here: there are no keys, runs and prices."""
    desk.write(mode="live")
    done = desk(verb, *MORE.get(verb, ()))
    assert ("TRIMTAB_LIVE" in done.out + done.err) == (verb in SENDERS), done.err


def test_halt_and_resume_need_no_flag(desk: Desk) -> None:
    """The emergency: another shell, without flag and keys; the halt is set all the same."""
    desk.write(mode="live")
    done = desk("halt", "stop", "--json")
    assert done.status == 3
    assert done.document["error"]["code"] == "orders_not_cancelled"
    assert flags(desk) == {f"{STORE}/halts/main"}
    assert "stop" in desk("status").out
    assert desk("resume").status == 0
    assert flags(desk) == set()


# Where the configuration can't be loaded


def traded(desk: Desk, *portfolios: str) -> None:
    """Make the live store of portfolios that have traded."""
    store = DirectoryStore(desk.folder / STORE)
    for name in portfolios:
        store.put_if_absent(f"portfolios/{name}.json", canonical({"h8": "0" * 8, "mode": "live"}))


def spoil(desk: Desk, **changes: object) -> None:
    """Write a live configuration with a comma too many."""
    desk.write(mode="live", **changes)
    path = desk.folder / "config.json"
    path.write_text(path.read_text()[:-1] + ",}")


def test_a_broken_configuration_keeps_nobody_from_halting(desk: Desk) -> None:
    """The flag is set, what was not done is said, and then what is wrong with the configuration: exit 2."""
    traded(desk, "main", "other")
    spoil(desk, portfolio="main")
    done = desk("halt", "stop", "--json")
    assert done.status == 2
    assert flags(desk) == {f"{STORE}/halts/main"}
    assert (done.document["set"], done.document["flag"]) == (True, "halts/main")
    assert (done.document["error"]["code"], done.document["cancelled"]) == ("bad_json", [])
    assert "halted: main" in done.err
    assert "NOT CANCELLED" in done.err
    assert "error: bad_json" in done.err
    again = desk("halt")
    assert again.status == 2
    assert "already halted: main" in again.out
    desk.write(mode="live")
    assert "stop" in desk("status").out
    events = SqliteTrades(desk.folder / STORE / "trades.db").query("SELECT code FROM events")
    assert [row["code"] for row in events] == ["halt", "halt"]
    assert desk("resume").status == 0


@pytest.mark.parametrize("portfolio", [None, "mian"])
def test_where_the_portfolio_is_not_known_all_are_halted(desk: Desk, portfolio: str | None) -> None:
    """No name can be read, or one that never traded from this store: its flag would halt nothing."""
    traded(desk, "main", "other")
    spoil(desk, **({} if portfolio is None else {"portfolio": portfolio}))
    done = desk("halt", "--json")
    assert (done.status, done.document["portfolio"]) == (2, None)
    assert flags(desk) == {f"{STORE}/HALT"}
    assert "every portfolio of the store, main, other" in done.err
    assert json.loads((desk.folder / STORE / "HALT").read_text())["why"] == ""
    desk.write(mode="live")
    assert desk("verify").status in {0, 3}
    assert rebuild(DirectoryStore(desk.folder / STORE), SqliteTrades(desk.folder / STORE / "trades.db")) == 0


def test_the_environment_names_the_store_where_no_configuration_is(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any folder; of a store from which nobody has traded it says so."""
    (desk.folder / "config.json").unlink()
    (desk.folder / STORE).mkdir()
    monkeypatch.setenv("TRIMTAB_STORE__URL", str(desk.folder / STORE))
    done = desk("halt")
    assert done.status == 2
    assert flags(desk) == {f"{STORE}/HALT"}
    assert "is it the one that the bot uses?" in done.err
    monkeypatch.setenv("TRIMTAB_PORTFOLIO", "main")
    traded(desk, "main")
    assert desk("halt").status == 2
    assert flags(desk) == {f"{STORE}/HALT", f"{STORE}/halts/main"}


@pytest.mark.parametrize("there", [False, True])
def test_where_no_store_is_known_nothing_is_halted(desk: Desk, *, there: bool) -> None:
    """No configuration, or one without a store that is there: that is said, and how to name one."""
    if there:
        spoil(desk, store={"url": "./nowhere"})
    else:
        (desk.folder / "config.json").unlink()
    before = desk.files()
    done = desk("halt", "--json")
    assert done.status == 2
    assert set(done.document) == {"error"}
    assert done.document["error"]["code"] == ("bad_json" if there else "no_config")
    assert "TRIMTAB_STORE__URL=" in done.document["error"]["hint"]
    assert "NOTHING IS HALTED" in done.err
    assert desk.files() == before
