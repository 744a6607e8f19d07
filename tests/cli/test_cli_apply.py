"""Plan and apply on the command line: the page, the file, the exit status, and the document."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from trimtab.show.page import Page
from trimtab.show.plan import plan_text
from trimtab.show.run import Facts

if TYPE_CHECKING:
    from cli.conftest import Desk

STORE = "trimtab-data"


def test_a_saved_plan_is_applied(desk: Desk) -> None:
    """The file is its owner's alone, and named in the document; applied, its quantities trade; it replays."""
    planned = desk("plan", "--out", "plan.json", "--json")
    saved = planned.document["saved"]
    path = desk.folder / "plan.json"
    assert planned.status == 0
    assert saved["file"] == "plan.json"
    assert json.loads(path.read_bytes())["digest"] == saved["digest"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {name for name in desk.files() if "plan" in name} == {"plan.json"}
    assert desk.records(STORE) == []
    done = desk("apply", "plan.json", "--json")
    assert (done.status, done.document["outcome"]) == (0, "traded")
    quantities = {order["symbol"]: order["qty"] for order in planned.document["planned"]}
    assert {order["symbol"]: order["filled_qty"] for order in done.document["orders"]} == quantities
    assert desk("replay", "--all").status == 0
    again = desk("apply", "plan.json")
    assert again.status == 0
    assert "No changes" in again.out


def test_a_refusal_is_exit_3_and_shows_what_moved(desk: Desk) -> None:
    """A table of what it was and what it is, an error with its hint, and a record; nothing is sent."""
    desk("plan", "--out", "plan.json")
    desk.write(execution={"band": 0.02}, risk={"price_collar": 0.02})
    done = desk("apply", "plan.json")
    assert done.status == 3
    assert "Moved since the plan was saved" in done.out
    assert "error: apply_config: the saved plan is not applied: the configuration has changed" in done.err
    assert "trimtab plan --out FILE" in done.err
    assert desk("apply", "plan.json", "--json").document["error"]["code"] == "apply_config"
    assert {record["code"] for record in desk.records(STORE)} == {"apply_config"}


def test_a_dry_apply_names_the_command_that_sends(desk: Desk) -> None:
    """dry_run of the configuration counts; what is suggested applies the same file."""
    desk.write(dry_run=True)
    desk("plan", "--out", "my plan.json")
    done = desk("apply", "my plan.json")
    assert done.status == 0
    assert "Nothing was sent: 3 orders would be sent." in done.out
    assert done.out.endswith("\n  trimtab apply 'my plan.json' --no-dry-run\n")
    assert not any("/plans/" in name for name in desk.files())


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "can't be read"), (b"{}", "no saved plan"), (b"", "no saved plan")],
    ids=["missing", "another file", "empty"],
)
def test_a_file_that_is_no_plan_is_exit_2(desk: Desk, content: bytes | None, words: str) -> None:
    """Nothing begins, and the hint says how to make one."""
    if content is not None:
        (desk.folder / "plan.json").write_bytes(content)
    done = desk("apply", "plan.json", "--json")
    error = done.document["error"]
    assert (done.status, error["code"]) == (2, "plan_file")
    assert words in error["message"]
    assert "trimtab plan --out FILE" in error["hint"]
    assert desk.records(STORE) == []


def test_a_file_that_cannot_be_written_is_exit_2(desk: Desk) -> None:
    """Named, and nothing else happens."""
    done = desk("plan", "--out", "nowhere/plan.json", "--json")
    assert (done.status, done.document["error"]["code"]) == (2, "plan_file")


def test_where_no_plan_comes_out_no_file_is_written(desk: Desk) -> None:
    """The session has its plan: exit 3; a file that was there is left as it was."""
    desk("run")
    (desk.folder / "plan.json").write_bytes(b"of before")
    done = desk("plan", "--out", "plan.json", "--json")
    assert (done.status, done.document["error"]["code"]) == (3, "apply_stored")
    assert done.document["saved"] is None
    assert "no plan was saved" in done.err
    assert (desk.folder / "plan.json").read_bytes() == b"of before"


def test_the_page_shows_changes_weights_and_cost(desk: Desk) -> None:
    """Sold, bought and held with their signs; weights before and after; the cost in USD and bps."""
    desk("run", "--sessions", "2")
    desk.write(
        strategy={"name": "fixed_weights", "params": {"weights": {"AAA": 0.0, "BBB": 0.5, "CCC": 0.3}}}
    )
    done = desk("plan", "--json")
    text = " ".join(done.err.split())
    assert "Trimtab would do this:" in text
    assert "- sell AAA" in text
    assert "+ buy BBB" in text
    assert "Cost: about" in text
    cost, after = done.document["cost"], {row["symbol"]: row for row in done.document["after"]}
    assert float(cost["total"]) == pytest.approx(float(cost["spread"]) + float(cost["fees"]), abs=0.011)
    assert sum(float(row["weight_after"]) for row in after.values()) == pytest.approx(1.0, abs=1e-5)
    assert float(after["AAA"]["weight_after"]) < float(after["AAA"]["weight_before"])
    assert after["cash"]["target"] is None
    assert max(map(len, done.err.splitlines())) <= 100


def test_no_changes_is_said(desk: Desk) -> None:
    """All in the band: holds with their reasons, and no order."""
    desk("run", "--sessions", "4")
    desk.write(execution={"band": 0.5, "band_relative": 0.9})
    done = desk("plan")
    assert "No changes: every holding is where it should be, or held for its reason." in done.out
    assert "= hold AAA" in " ".join(done.out.split())
    assert "Plan: 0 to sell, 0 to buy, 3 to hold." in done.out


def test_signs_are_coloured_on_a_terminal_alone(desk: Desk) -> None:
    """Green for what is bought; the columns stay where they are."""
    record = desk("plan", "--json").document | {
        **dict.fromkeys(("started_at", "error", "decision"), None),
        **{name: [] for name in ("events", "positions_before", "positions_after", "fills", "quotes")},
        "universe": ["AAA", "BBB", "CCC"],
        "weights": {},
        "closes": {},
        "plan": None,
    }
    facts = Facts("prices", "store", planned_only=True)
    plain, coloured = (plan_text(record, facts, Page(100, colour=colour), None) for colour in (False, True))
    assert "\x1b[32m+\x1b[0m  buy" in coloured
    assert "\x1b" not in plain
