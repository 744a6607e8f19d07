"""A sample of the canaries' campaign, and the leaks that it would see."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from faults.campaign import CAGED, Chunk, scratch, table, work, work_off
from faults.canaries import ENVIRON, QUOTED, TELLTALES, Cage
from faults.cells import cells, play_cell
from faults.schedules import play
from telling_kit import PLAIN
from trimtab.ports import Undelivered
from trimtab.settings import redactor
from trimtab.settings.secret import SECRET_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from faults.schedules import Play
    from trimtab.adapters.webhook import Answer
    from trimtab.core.record import Document

SCHEDULES, EVERY_CELL = 30, 900
FOUND_BY = 60
"""Within so many schedules a planted leak is seen."""


@pytest.fixture
def stage() -> Iterator[Path]:
    """An empty folder in memory."""
    folder = scratch()
    yield folder / "play"
    shutil.rmtree(folder)


def test_every_secret_is_a_canary() -> None:
    """Each setting that holds a secret has one that the redactor knows and the law looks for."""
    assert set(ENVIRON) >= set(SECRET_NAMES)
    clean = redactor(ENVIRON)
    for text in (*QUOTED, *ENVIRON.values()):
        folded = text.lower().encode()
        assert any(telltale in folded for telltale in TELLTALES), text
        assert not [t for t in TELLTALES if t in clean.text(text).lower().encode()], text


def test_no_schedule_lets_a_canary_pass(stage: Path) -> None:
    """Every law holds, I12 among them; and canaries came to each way out, where they were masked."""
    whole = Cage(0).paths
    for seed in range(SCHEDULES):
        outcome = play(seed, stage, stage=Cage(seed))
        assert not outcome.violations, (seed, outcome.violations, outcome.story)
        whole += outcome.paths
    assert whole["canary: quoted"] > SCHEDULES
    assert whole["canary: a receiver failed"] > SCHEDULES
    for sink in ("records", "trades.db", "messages and pings", "ends of runs"):
        assert whole[f"masked: {sink}"], sink


def test_no_cell_lets_a_canary_pass(stage: Path) -> None:
    """One fault at one boundary, whose error quotes a secret."""
    for n, cell in islice(enumerate(cells(stage.with_name("calls"))), 0, None, EVERY_CELL):
        assert play_cell(cell, stage, stage=Cage(n)) == (), cell


def _unmasked(document: Document) -> Document:
    """Give a document as it is: a way out without the redactor."""
    return document


def _talkative(cage: Cage) -> object:
    """Stage what a cage stages, with a sender whose failure names its address."""

    def stage(drama: Play) -> None:
        def answer(url: str) -> Answer:
            raise Undelivered(f"no answer from {url.replace('start', PLAIN)}")

        cage(drama)
        assert drama.simulation.receiver is not None
        drama.simulation.receiver.answer = answer

    return stage


@pytest.mark.parametrize("leak", ["records without the redactor", "a sender that names its address"])
def test_a_planted_leak_is_seen(leak: str, stage: Path) -> None:
    """A law that nothing can break holds nothing."""
    for seed in range(FOUND_BY):
        cage = Cage(seed)
        planted = replace(cage, redact=_unmasked) if leak.startswith("records") else _talkative(cage)
        found = play(seed, stage, stage=planted).violations  # type: ignore[arg-type]  # either stages a play
        if found:
            assert {violation.law for violation in found} == {"I12"}
            return
    pytest.fail("nothing was seen")


def test_the_campaign_plays_them(tmp_path: Path) -> None:
    """A chunk of cells and one of schedules: nothing is found, and the table says so."""
    chunks = [Chunk(f"{CAGED}cells", 0, 2, 4_000), Chunk(f"{CAGED}schedules", 0, 2)]
    assert work(chunks[0])["found"] == []
    assert work_off(chunks, 1, tmp_path) == 0
    assert "| canaries: schedules | 2 | 0 |" in table(tmp_path)
