from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from trimtab.adapters.directory import DirectoryStore
from trimtab.core.record import canonical
from trimtab.switch import latch

if TYPE_CHECKING:
    from cli.conftest import Desk

STORE = "trimtab-data"


@pytest.fixture
def lived(desk: Desk) -> Desk:
    """Give a portfolio with runs of several outcomes."""
    assert desk("run", "--sessions", "3").status == 0
    assert desk("run", "--next", "--dry-run").status == 0
    assert desk("halt", "a test").status == 0
    assert desk("run").status == 3
    return desk


def test_status_is_the_whole_state_at_a_glance(lived: Desk) -> None:
    """Halt, last run and how far it came, prices, the next session, holdings with bands, what was made."""
    status = lived("status", "--json").document
    text = lived("status").out
    assert "halted (halts/main) by" in text
    assert "✗ fetch · validate" in text.replace("  ", " ")
    assert status["next_run"] > status["last_run"]["session"]
    assert f"next   session {status['next_run']}, by trimtab run --next" in text
    for row in status["holdings"]:
        assert float(row["low"]) < float(row["high"])
        inside = float(row["low"]) <= float(row["weight"]) <= float(row["high"])
        assert row["outside"] is not inside
        assert f"{float(row['low']):.2%} to {float(row['high']):.2%}" in text
    made = float(status["returns"]["time_weighted"])
    assert f"Made {made:+.2%} since {status['returns']['since']}, time-weighted" in text
    assert lived("resume").status == 0
    assert lived("run").status == 0
    assert re.search(r"data   the last close was \d+ h \d+ min old", lived("status").out)


def test_status_is_of_one_moment(lived: Desk) -> None:
    """Date, cash, holdings and their weights are of the newest run that read them, though it was dry."""
    dry = next(record for record in lived.records(STORE) if record["dry_run"])
    status = lived("status", "--json").document
    assert status["last_run"]["run_id"] != dry["run_id"]
    assert (status["as_of"], status["cash"]) == (dry["session"], dry["cash"])
    assert [(row["symbol"], row["qty"], row["market_value"]) for row in status["holdings"]] == [
        (row["symbol"], row["qty"], row["market_value"]) for row in dry["positions_before"]
    ]
    for row in status["holdings"]:
        assert float(row["weight"]) == pytest.approx(
            float(row["market_value"]) / float(dry["equity"]), abs=1e-5
        )
    assert f"Holdings as of session {dry['session']}" in lived("status").out
    (lived.folder / STORE / "halts").mkdir(exist_ok=True)
    (lived.folder / STORE / "halts/doctor_1").write_text("a probe of doctor that could not be taken away")
    (line,) = lived("status", "--all", "--json").document["portfolios"]
    assert line["equity"] == status["equity"] == dry["equity"]


def test_status_names_what_is_wanted_and_not_held(desk: Desk) -> None:
    """Before the first order every target is there with nothing held, out of its band; all of it is cash."""
    assert desk("run", "--dry-run").status == 0
    status = desk("status", "--json").document
    assert [row["symbol"] for row in status["holdings"]] == ["AAA", "BBB", "CCC"]
    for row in status["holdings"]:
        assert (row["qty"], row["weight"], row["outside"]) == ("0", "0.000000", True)
        assert float(row["high"]) == pytest.approx(0.33 + 0.005)  # a third of what the cash buffer leaves
    assert re.search(r"cash .* 100\.00%", desk("status").out)


def test_a_latch_is_called_one(lived: Desk) -> None:
    """What trimtab itself set is told apart from what a person said."""
    assert lived("resume").status == 0
    latch(DirectoryStore(lived.folder / STORE), "main", at="2021-03-01T15:00:00Z", why="max_drawdown: fell")
    text = lived("status").out
    assert "latched (halts/main) by trimtab" in text
    assert "max_drawdown: fell" in text


def test_a_paper_status_says_when_the_schedule_is_due(lived: Desk) -> None:
    """On the machine's clock: the next time in New York, and the sessions that went by."""
    lived.write(mode="paper", store={"url": STORE}, schedule={"run_time": "15:00", "timezone": "UTC"})
    status = lived("status", "--json").document
    assert re.fullmatch(r"\d{4}-\d\d-\d\d 1[01]:00", status["next_run"])
    assert status["missed_sessions"] > 0
    text = " ".join(lived("status").out.split())
    assert f"next {status['next_run']} in New York; {status['missed_sessions']} sessions went by" in text


@pytest.mark.parametrize("columns", ["80", "120"])
def test_status_fits_the_terminal(lived: Desk, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    """No line is wider than the page, narrow or wide."""
    monkeypatch.setenv("COLUMNS", columns)
    for verb in (["status"], ["history"], ["lots"], ["show", "last"], ["explain", "last"]):
        assert max(map(len, lived(*verb).out.splitlines())) <= int(columns), verb


def test_history_gives_the_runs_that_are_asked_for(lived: Desk) -> None:
    """By outcome, by session, by symbol; each filter narrows, and none at all is said to be."""
    runs = lived("history", "--json").document["runs"]
    assert [run["outcome"] for run in runs][-2:] == ["dry_run", "halted"]
    days = [run["session"] for run in runs]

    def asked(*words: str) -> list[str]:
        return [run["run_id"] for run in lived("history", "--json", *words).document["runs"]]

    every = [run["run_id"] for run in runs]
    assert asked("--outcome", "halted") == every[-1:]
    assert asked("--outcome", "halted", "--outcome", "dry_run") == every[-2:]
    assert asked("--since", days[1], "--until", days[2]) == every[1:3]
    assert asked("--symbol", "AAA") == [run["run_id"] for run in runs if run["orders"]]
    assert asked("--symbol", "ZZZ") == []
    assert "no such run of main is recorded" in lived("history", "--symbol", "ZZZ").out
    assert lived("history", "--outcome", "lost").status == 2
    assert lived("history", "--since", "yesterday").status == 2


def test_show_leaves_nothing_of_the_record_out(lived: Desk) -> None:
    """Each part that a record keeps has its place on the page; what was refused comes first."""
    run = lived("history", "--json", "--outcome", "traded").document["runs"][0]
    text = lived("show", run["run_id"]).out
    for title in (
        *("Account", "Verdicts", "What the rules looked back on", "Quotes", "What the broker lists"),
        *("Executions", "Time in each station", "Configuration that decided", "Digests"),
    ):
        assert f"\n{title}" in text
    assert re.search(r"execution\.band +0\.005", text)
    lived("resume")
    weights = {"AAA": 0.7, "BBB": 0.1, "CCC": 0.1}
    goal = {"name": "fixed_weights", "params": {"weights": weights}}
    lived.write(risk={"max_exposure": 0.1}, strategy=goal)
    assert lived("run", "--next").status == 3
    verdicts = lived("show", "last").out.partition("Verdicts\n")[2].splitlines()
    assert verdicts[1].split()[:2] == ["✗", "max_exposure"]
    assert canonical(lived("show", "last", "--json").document)
