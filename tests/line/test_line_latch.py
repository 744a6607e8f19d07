"""Latch: bad sessions in a row keep a portfolio from trading until a person resumes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from line_kit import Kill, Killed, Lab, make_lab
from trimtab.stations import halting, history
from trimtab.switch import flag_of

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.core.record import Document


def ended(record: Document) -> tuple[str, str]:
    return record["outcome"], record["code"]


def bad(lab: Lab) -> Document:
    """Run once on a broker whose positions can't be read."""
    lab.fault("drop", "GET", "/v2/positions", times=0)
    record = lab.run()
    lab.face.faults.clear()
    return record


def test_three_bad_sessions_in_a_row_latch(root: Path) -> None:
    """Two do not, nor many bad runs in them; the third does, and says so; a person clears it."""
    lab = make_lab(root)
    for _ in range(2):
        assert ended(bad(lab)) == ("halted", "unreachable")
        assert ended(bad(lab)) == ("halted", "unreachable")
        lab.exchange.step()
    assert lab.halted() is None
    record = bad(lab)
    assert [event["code"] for event in record["events"]] == ["unreachable", "bad_sessions"]
    assert "bad_sessions: 3 bad sessions in a row" in json.loads(lab.halted() or b"")["why"]
    again = lab.run()
    assert ended(again) == ("halted", "kill_switch")
    assert "bad_sessions" in again["error"]["seen"]
    lab.resume()
    assert ended(bad(lab)) == ("halted", "unreachable")
    lab.exchange.step()
    bad(lab)
    assert lab.halted() is None
    lab.exchange.step()
    bad(lab)
    assert lab.halted() is not None


def test_an_approval_alone_breaks_no_row(root: Path) -> None:
    """It lifts no flag, so it says nothing of the sessions before it; a resume that lifts one does."""
    lab = make_lab(root, require_approval="always")
    assert lab.run()["outcome"] == "traded"
    changed = lab.changed(config_digest="e" * 64)
    for _ in range(2):
        lab.exchange.step()
        assert ended(lab.run(changed)) == ("halted", "require_approval")
    lab.exchange.step()
    lab.resume()
    assert lab.halted() is None
    bad(lab)
    assert "bad_sessions" in str(lab.halted())


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_good_run_breaks_the_row(root: Path, place: int) -> None:
    """In whichever of the sessions, before a bad run or after it."""
    lab = make_lab(root)
    for n in range(3):
        if n == place:
            assert lab.run()["outcome"] in {"traded", "in_band"}
        if n != place:
            bad(lab)
        if n < 2:
            lab.exchange.step()
    bad(lab) if place < 2 else None
    assert lab.halted() is None


def test_closed_and_dry_runs_and_the_owners_halt_are_no_bad_sessions(root: Path) -> None:
    """Nothing of them says that the bot is in trouble."""
    lab = make_lab(root)
    bad(lab)
    for _ in range(3):
        lab.exchange.step()
        assert bad_dry(lab)["outcome"] == "halted"
        halting.halt(lab.store, halting.Word("w", "owner", lab.exchange.now(), "", "main", everyone=False))
        assert ended(lab.run()) == ("halted", "kill_switch")
        lab.store.delete(flag_of("main"))
        lab.at(22, 0)
        assert lab.run()["outcome"] == "closed"
        assert lab.halted() is None
    lab.exchange.step()
    bad(lab)
    assert lab.halted() is None, "the second bad session, with three between that do not count"


def bad_dry(lab: Lab) -> Document:
    """Run dry on a broker whose positions can't be read."""
    lab.fault("drop", "GET", "/v2/positions", times=0)
    record = lab.run(lab.changed(dry_run=True))
    lab.face.faults.clear()
    return record


def test_a_latch_that_cannot_be_written_costs_no_record(root: Path) -> None:
    """The store fails at the flag: the run's record is there all the same."""
    lab = make_lab(root)
    for _ in range(2):
        bad(lab)
        lab.exchange.step()

    def broken(name: str, key: str) -> None:
        if (name, key) == ("put", flag_of("main")):
            raise OSError("the store is full")

    lab.watch = broken
    record = bad(lab)
    assert ended(record) == ("halted", "unreachable")
    assert lab.records()[-1]["run_id"] == record["run_id"]
    assert lab.halted() is None


@pytest.mark.parametrize(
    "blob", [b"", b"[]", b"null", b"{", b'{"code":"resume","portfolio":"other","id":"x"}']
)
def test_an_event_that_is_none_of_ours_resumes_nothing(root: Path, blob: bytes) -> None:
    """Garbage under events/, or another portfolio's resume."""
    lab = make_lab(root)
    lab.store.put_if_absent("events/20990101T000000Z-0.json", blob)
    assert history.last_resume(lab.store, "main") is None
    assert lab.run()["outcome"] == "traded"
    alone = b'{"code":"resume","portfolio":"main","flag":"halts/main","fresh":false}'
    lab.store.put_if_absent("events/20990101T000000Z-1.json", alone)
    assert history.last_resume(lab.store, "main") is None, "there was no flag"
    everyone = b'{"code":"resume","portfolio":"other","flag":"HALT"}'
    lab.store.put_if_absent("events/20980101T000000Z-0.json", everyone)
    assert history.last_resume(lab.store, "main") == "20980101T000000Z-0"


def test_sessions_in_which_every_run_died_are_bad(root: Path) -> None:
    """The next session writes down what became of such a plan, and that counts."""
    lab = make_lab(root)
    for _ in range(2):
        with pytest.raises(Killed):
            lab.run(requests_=Kill(1, after=True, only="POST"))
        lab.exchange.step()
    assert lab.halted() is None
    lab.fault("drop", "GET", "/v2/assets", times=0)
    assert ended(lab.run()) == ("halted", "unreachable")
    assert lab.halted() is not None
