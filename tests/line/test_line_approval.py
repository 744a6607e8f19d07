"""Approval: a person's word about a changed configuration or code approves what it says, and no more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from line_kit import Lab, make_lab
from trimtab.core.record import canonical
from trimtab.stations import halting, history
from trimtab.switch import HALT_ALL, flag_of

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.core.mandate import Mandate
    from trimtab.core.record import Document

NEW = {"config_digest": "e" * 64, "code_digest": "f" * 64}
REFUSED = ("halted", "require_approval")


def ended(record: Document) -> tuple[str, str]:
    return record["outcome"], record["code"]


def refused(root: Path) -> tuple[Lab, Mandate]:
    """Give a laboratory that traded, and the changed mandate for which it was refused a session later."""
    lab = make_lab(root, require_approval="always")
    assert lab.run()["outcome"] == "traded"
    lab.exchange.step()
    changed = lab.changed(**NEW)
    assert ended(lab.run(changed)) == REFUSED
    return lab, changed


def word(
    lab: Lab, number: int, portfolio: str = "main", *, everyone: bool = False, approves: bool = True
) -> halting.Word:
    """Give what `resume` of a portfolio says: it approves what that one's newest run waits for."""
    waits = history.waiting(lab.store, lab.trades, portfolio) if approves else None
    name = f"20990101T000000Z-{number:08x}"
    return halting.Word(name, "owner", lab.exchange.now(), "", portfolio, everyone, waits)


def flag(lab: Lab, key: str) -> None:
    assert lab.store.put_if_absent(key, b"{}")


def test_to_resume_all_with_another_portfolios_configuration_approves_nothing_here(root: Path) -> None:
    """The other one announces nothing of this one; so this one waits on, for its own word."""
    lab, changed = refused(root)
    flag(lab, HALT_ALL)
    assert halting.resume(lab.store, word(lab, 1, "other", everyone=True))
    assert ended(lab.run(changed)) == REFUSED
    flag(lab, HALT_ALL)
    assert halting.resume(lab.store, word(lab, 2, everyone=True))
    assert lab.run(changed)["outcome"] == "in_band"


def test_what_another_portfolio_approved_is_not_approved_here(root: Path) -> None:
    """Even where its event names the very same digests."""
    lab, changed = refused(root)
    waits = history.waiting(lab.store, lab.trades, "main")
    said = halting.Word("20990101T000000Z-1", "owner", lab.exchange.now(), "", "other", True, waits)
    assert not halting.resume(lab.store, said)
    assert ended(lab.run(changed)) == REFUSED


def test_to_lift_a_flag_alone_approves_nothing(root: Path) -> None:
    """The newest run ended for another reason: nothing is announced, so nothing is approved."""
    lab, changed = refused(root)
    lab.fault("drop", "GET", "/v2/positions", times=0)
    assert ended(lab.run(changed)) == ("halted", "unreachable")
    lab.face.faults.clear()
    flag(lab, flag_of("main"))
    said = word(lab, 1)
    assert said.approves is None
    assert halting.resume(lab.store, said)
    assert ended(lab.run(changed)) == REFUSED
    lab.resume()
    assert lab.run(changed)["outcome"] == "in_band"


@pytest.mark.parametrize(
    "approved", [None, {}, [], "all", {**NEW, "run_id": "x"}, {**NEW, "run_id": "x", "started_at": 3}]
)
def test_an_event_without_digests_approves_nothing(root: Path, approved: object) -> None:
    """As older versions wrote them, or somebody by hand."""
    lab, changed = refused(root)
    event = halting.event_of(word(lab, 1, approves=False), "resume")
    event |= {"portfolio": "main", "approved": approved}
    lab.store.put_if_absent("events/20990101T000000Z-00000001.json", canonical(event))
    assert ended(lab.run(changed)) == REFUSED


def test_a_resume_that_approves_nothing_takes_no_approval_back(root: Path) -> None:
    """A flag that is lifted after an approval, and before the run that uses it."""
    lab, changed = refused(root)
    lab.resume()
    flag(lab, flag_of("main"))
    assert halting.resume(lab.store, word(lab, 9))
    assert lab.run(changed)["outcome"] == "in_band"


@pytest.mark.parametrize("first", ["lower", "higher"])
def test_the_last_approval_counts_whatever_the_owners_clock_says(root: Path, first: str) -> None:
    """Of two approvals that of the later run; the events' names are of another clock, which may be wrong."""
    lab, changed = refused(root)
    numbers = (1, 2) if first == "lower" else (2, 1)
    assert not halting.resume(lab.store, word(lab, numbers[0]))
    lab.exchange.advance(60.0)
    other = lab.changed(config_digest="a" * 64)
    assert ended(lab.run(other)) == REFUSED
    assert not halting.resume(lab.store, word(lab, numbers[1]))
    assert ended(lab.run(changed)) == REFUSED
    assert lab.run(other)["outcome"] == "in_band"


def test_who_dies_between_event_and_flag_has_approved_what_was_announced(root: Path) -> None:
    """The flag is left; the next word lifts it, and approves nothing more. A full store lifts nothing."""
    lab, changed = refused(root)
    flag(lab, flag_of("main"))

    def broken(name: str, key: str) -> None:
        if name == death and not key.startswith("runs/"):
            raise OSError("gone")

    said = word(lab, 1)
    for death in ("put", "delete"):
        lab.watch = broken
        with pytest.raises(OSError, match="gone"):
            halting.resume(lab.world().store, said)
        lab.watch = None
        assert lab.halted() is not None
        assert (lab.store.get(f"events/{said.id}.json") is None) == (death == "put")
    again = word(lab, 2)
    assert again.approves is None
    assert halting.resume(lab.store, again)
    third = lab.changed(config_digest="a" * 64)
    assert ended(lab.run(third)) == REFUSED
    assert lab.run(changed)["outcome"] == "in_band"


def test_nobody_agreed_to_a_damaged_plan_and_its_approvals_are_over(root: Path) -> None:
    """An approval of before its session counts no more; one of a run since then does."""
    lab, changed = refused(root)
    lab.resume()
    assert lab.run(changed)["outcome"] == "in_band"
    lab.exchange.step()
    assert lab.run(changed)["outcome"] == "in_band"
    path = lab.root / f"plans/main/{lab.session}.json"
    path.chmod(0o600)
    path.write_bytes(b"[]")
    lab.exchange.step()
    assert ended(lab.run(changed)) == REFUSED
    lab.resume()
    assert lab.run(changed)["outcome"] == "in_band"


def test_the_event_says_what_it_approved(root: Path) -> None:
    """Whole digests in the event, their beginnings in what people and the dashboard read."""
    lab, _ = refused(root)
    said = word(lab, 1)
    assert said.approves is not None
    halting.resume(lab.store, said)
    event = json.loads(lab.store.get(f"events/{said.id}.json") or b"")
    assert {name: event["approved"][name] for name in NEW} == NEW
    assert event["approved"]["run_id"] == said.approves.run_id
    told = f"config {'e' * 12}, code {'f' * 12} of run {said.approves.run_id}"
    assert event["message"] == f"owner: resume main, approved for main: {told}"
