from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cli.conftest import Desk

CONTRACT = {
    *("run_id", "portfolio", "session", "outcome", "stage", "reason", "equity", "cash", "plan_digest"),
    *("planned", "orders", "holds", "verdicts"),
}
STORE = "trimtab-data"


def test_a_run_shows_its_plan_fills_and_holdings(desk: Desk) -> None:
    """People read what was ordered and why, what filled, what is held, and where the store is."""
    done = desk("run")
    assert (done.status, done.err) == (0, "")
    for part in ("✓ record", "Traded: 3 orders", "Orders", "Fills", "Holdings, before and after", "cash"):
        assert part in done.out
    assert "staged: 0.00% held, 33.00% wanted" in " ".join(done.out.split())
    assert f"store  {STORE}" in done.out
    assert done.out.endswith("Next, move to the next session:\n  trimtab run --next\n")
    assert "synthetic market, seed 1" in done.out
    assert "\x1b" not in done.out


def test_a_second_run_in_the_session_sends_nothing(desk: Desk) -> None:
    """Again in the same session: in_band, exit 0, no order."""
    first = desk("run", "--json").document
    again = desk("run", "--json")
    assert again.status == 0
    assert (again.document["outcome"], again.document["orders"]) == ("in_band", [])
    assert again.document["session"] == first["session"]
    assert again.document["plan_digest"] == first["plan_digest"]
    assert "No changes" in desk("run").out


def test_the_document_is_the_contracts(desk: Desk) -> None:
    """`run --json` gives the contract's keys, decimals as texts, and people's text on stderr."""
    done = desk("run", "--json")
    assert set(done.document) >= CONTRACT
    assert "error" not in done.document
    keys = {"client_order_id", "symbol", "side", "qty", "status", "filled_qty", "filled_avg_price", "reason"}
    assert [set(order) for order in done.document["orders"]] == [keys] * 3
    assert all(isinstance(order["qty"], str) for order in done.document["orders"])
    assert all(order["status"] == "filled" for order in done.document["orders"])
    assert "✓ record" in done.err


def test_orders_are_those_of_this_run_only(desk: Desk) -> None:
    """What an earlier run sent is not this run's."""
    first = desk("run", "--json").document
    second = desk("run", "--json", "--next").document
    dates = {order["client_order_id"].split("-")[2] for order in second["orders"]}
    assert dates == {second["session"].replace("-", "")}
    assert first["session"] < second["session"]


def test_sessions_walk_on_and_end_with_the_holdings(desk: Desk) -> None:
    """`--sessions N` gives a line a session, and the holdings once."""
    done = desk("run", "--sessions", "5")
    lines = [line for line in done.out.splitlines() if line.startswith("  20")]
    assert done.status == 0
    assert len(lines) == 5
    assert next(line.split()[1] for line in lines) == "traded"
    assert done.out.count("Holdings") == 1
    assert len(desk.records(STORE)) == 5


def test_sessions_as_json_are_one_document(desk: Desk) -> None:
    """`--sessions N --json` gives {"runs": […]}."""
    done = desk("run", "--sessions", "3", "--json")
    assert list(done.document) == ["runs"]
    assert len(done.document["runs"]) == 3
    assert all(set(run) >= CONTRACT for run in done.document["runs"])


def test_sessions_stop_at_the_first_run_that_stops(desk: Desk) -> None:
    """A halted run ends the walk, with its exit status and its error."""
    desk("halt", "enough")
    done = desk("run", "--sessions", "3", "--json")
    assert done.status == 3
    assert [run["outcome"] for run in done.document["runs"]] == ["halted"]
    assert done.document["runs"][0]["error"]["code"] == "kill_switch"


def test_the_end_of_the_data_halts_without_a_record(desk: Desk) -> None:
    """There is no session after the last: exit 3, and the document says so."""
    desk("run", "--sessions", "1")
    path = desk.folder / STORE / "exchange/main.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE meta SET value = '2024-12-31T15:00:00+00:00' WHERE key = 'time'")
    database.close()
    done = desk("run", "--next", "--json")
    assert done.status == 3
    assert done.document["outcome"] == "halted"
    assert done.document["error"]["code"] == "tape_ended"
    assert set(done.document) >= CONTRACT


def test_a_dry_run_says_so_and_names_the_flag_that_sends(desk: Desk) -> None:
    """Nothing is sent or stored as a plan, and the reader knows what would."""
    done = desk("run", "--dry-run")
    assert done.status == 0
    assert "Nothing was sent: 3 orders would be sent." in done.out
    assert done.out.endswith("\n  trimtab run --no-dry-run\n")
    assert "33,333" in done.out or "16,666" in done.out
    assert not any("/plans/" in name or "/portfolios/" in name for name in desk.files())


def test_what_was_told_to_send_is_told_so_again(desk: Desk) -> None:
    """A suggested run does what this one did: a flag that beat the file is in it."""
    desk.write(dry_run=True)
    assert desk("run", "--no-dry-run").out.endswith("\n  trimtab run --no-dry-run --next\n")


def test_a_session_line_keeps_to_the_page(desk: Desk) -> None:
    """However long a reason is, a run is one line; the whole reason is in the record."""
    desk.write(schedule={"job_interval": "monthly"})
    done = desk("run", "--sessions", "8")
    lines = [line for line in done.out.splitlines() if "not_due" in line]
    assert lines
    assert max(map(len, done.out.splitlines())) <= 100
    assert all(line.endswith("…") and line.count("not_due") == 1 for line in lines)
    assert "Holdings, before and after session 20" in done.out


def test_sessions_that_hold_nothing_leave_no_gap(desk: Desk) -> None:
    """A dry walk has no holdings to show, says that it is dry, and never two blank lines."""
    desk.write(dry_run=True)
    done = desk("run", "--sessions", "2")
    assert "simulated, dry run" in done.out
    assert "\n\n\n" not in done.out


@pytest.mark.parametrize("verb", [["status"], ["history"], ["show", "last"]])
def test_a_store_that_is_a_file_is_not_called_empty(desk: Desk, verb: list[str]) -> None:
    """Reading it is refused, exit 3."""
    (desk.folder / STORE).write_text("")
    done = desk(*verb, "--json")
    assert (done.status, done.document["error"]["code"]) == (3, "store_unwritable")


def test_the_flag_beats_the_file(desk: Desk) -> None:
    """`--no-dry-run` sends where the file says dry_run."""
    desk.write(dry_run=True)
    assert desk("run", "--json").document["outcome"] == "dry_run"
    assert desk("run", "--json", "--no-dry-run").document["outcome"] == "traded"


def test_a_plan_sends_nothing_and_leaves_no_record(desk: Desk) -> None:
    """`plan` prints the orders and their reasons."""
    done = desk("plan", "--json")
    assert done.status == 0
    assert (done.document["outcome"], done.document["orders"]) == ("dry_run", [])
    assert len(done.document["planned"]) == 3
    assert desk.records(STORE) == []
    assert "Plan: 0 to sell, 3 to buy, 0 to hold." in desk("plan").out


def test_paper_mode_has_no_next_session(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only virtual time can be moved: exit 2."""
    monkeypatch.setenv("APCA_API_KEY_ID", "k")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "s")
    desk.write(mode="paper")
    done = desk("run", "--next", "--json")
    assert done.status == 2
    assert done.document["error"]["code"] == "not_simulated"


def test_a_deadline_in_reach_sends_nothing(desk: Desk) -> None:
    """A run without time left to see its orders through stops before the first."""
    done = desk("run", "--deadline", "20", "--json")
    assert done.status == 3
    assert done.document["error"]["code"] == "deadline"
    assert done.document["orders"] == []


def test_status_history_and_show_read_what_a_run_left(desk: Desk) -> None:
    """The store tells how the portfolio stands, what ran, and every detail of a run."""
    run = desk("run", "--json").document
    status = desk("status", "--json").document
    assert status["last_run"]["run_id"] == run["run_id"]
    assert {row["symbol"] for row in status["holdings"]} == {"AAA", "BBB", "CCC"}
    assert sum(float(row["weight"]) for row in status["holdings"]) == pytest.approx(0.5, abs=0.03)
    assert "Holdings as of session" in desk("status").out
    assert run["run_id"] in desk("history").out
    assert desk("history", "--json").document["runs"][0]["orders"] == 3
    assert desk("show", "last", "--json").document["run_id"] == run["run_id"]
    shown = desk("show", run["run_id"][:18])
    for part in ("Verdicts", "max_order_size", "Executions", "Digests", "Fills", "Quotes"):
        assert part in shown.out


def test_show_knows_the_last_of_two_runs_in_one_second(desk: Desk) -> None:
    """`last` is the run that was recorded last, whatever its id's random part."""
    ids = [desk("run", "--json").document["run_id"] for _ in range(4)]
    assert desk("show", "last", "--json").document["run_id"] == ids[-1]


def test_history_keeps_to_its_limit_and_puts_the_newest_last(desk: Desk) -> None:
    """`--limit N` gives the last N runs."""
    desk("run", "--sessions", "4")
    sessions = [run["session"] for run in desk("history", "--limit", "2", "--json").document["runs"]]
    every = [run["session"] for run in desk("history", "--json").document["runs"]]
    assert sessions == every[-2:] == sorted(sessions)


def test_an_unknown_run_is_refused_with_the_nearest(desk: Desk) -> None:
    """A mistyped id: exit 2, did you mean; an ambiguous start names the candidates."""
    first = desk("run", "--json").document["run_id"]
    typo = first[:-1] + ("0" if first[-1] != "0" else "1")
    done = desk("show", typo, "--json")
    assert done.status == 2
    assert done.document["error"]["hint"] == f"did you mean {first}?"
    desk("run", "--next")
    assert desk("show", first[:3], "--json").document["error"]["code"] == "ambiguous_run"


def test_a_run_that_died_or_was_damaged_is_said_to_be(desk: Desk) -> None:
    """A record without its sums, or without content, is never shown as whole."""
    run = desk("run", "--json").document
    folder = desk.folder / STORE / "runs/main" / run["session"] / run["run_id"]
    (folder / "SHA256SUMS").unlink()
    assert "died writing it" in desk("show", "last").out
    (folder / "record.json").write_text("{")
    assert desk("show", "last", "--json").document["error"]["code"] == "damaged_record"
    (folder / "record.json").unlink()
    assert desk("show", "last", "--json").document["error"]["code"] == "dead_run"


@pytest.mark.parametrize("verb", [["status"], ["history"], ["show", "last"]])
@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_reading_an_empty_store_is_friendly_and_makes_no_file(
    desk: Desk, verb: list[str], flags: list[str]
) -> None:
    """Nothing recorded yet is no error, and reading writes nothing."""
    done = desk(*verb, *flags)
    assert done.status == 0
    assert "recorded" in (done.err if flags else done.out)
    assert desk.files() == {"config.json"}
    if flags:
        json.loads(done.out)


def test_reading_leaves_a_store_as_it_was(desk: Desk) -> None:
    """status, history and show change no byte."""
    desk("run")
    before = {name: (desk.folder / name).read_bytes() for name in desk.files()}
    for verb in (["status"], ["history"], ["show", "last"]):
        assert desk(*verb).status == 0
    assert {name: (desk.folder / name).read_bytes() for name in desk.files()} == before


def test_the_app_log_tells_of_each_run(desk: Desk) -> None:
    """One line at the start and one at the end of a run, as JSON, beside the store."""
    run = desk("run", "--json").document
    desk("run", "--sessions", "2")
    lines = [json.loads(line) for line in (desk.folder / STORE / "app.log").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["start", "run", "start", "run", "run"]
    assert lines[1]["run_id"] == run["run_id"]
    assert {"portfolio", "session", "outcome", "stage", "code", "reason", "seconds"} <= set(lines[1])


def test_a_log_that_cannot_be_written_stops_nothing(desk: Desk) -> None:
    """The run matters more than its log."""
    (desk.folder / STORE / "app.log").mkdir(parents=True)
    assert desk("run").status == 0


def test_a_symbol_that_leaves_the_weights_stays_as_foreign(desk: Desk) -> None:
    """The simulated account keeps what it holds, also when the strategy no longer names it."""
    assert desk("run").status == 0
    desk.write(strategy={"name": "fixed_weights", "params": {"weights": {"AAPL": 0.3, "IBM": 0.3}}})
    done = desk("run", "--next", "--json")
    assert (done.status, done.document["outcome"]) == (0, "traded")
    assert {order["symbol"] for order in done.document["planned"]} <= {"AAPL", "IBM"}
    assert desk("halt").status == 0
