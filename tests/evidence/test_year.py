"""A sample of year.py: `python tests/evidence/year.py` makes a whole year, and flips more bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evidence.year import files, lived, overlooked, replayed, trimtab, unnoticed

if TYPE_CHECKING:
    from pathlib import Path

SESSIONS = 25


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the store of a portfolio that ran for some weeks."""
    return lived(tmp_path_factory.mktemp("year"), SESSIONS)


def test_every_run_replays_to_the_byte(store: Path) -> None:
    """Each session's plan comes out as it was stored, quickly."""
    document, _, used = replayed(store.parent)
    results = [run["result"] for run in document["runs"]]
    assert (results.count("equal"), results.count("no_plan")) == (SESSIONS + 1, 1)
    assert {run["weights"] for run in document["runs"]} == {"recomputed", None}
    assert used < 10
    assert trimtab(store.parent, "verify").returncode == 0


def test_no_byte_can_flip_unnoticed(store: Path) -> None:
    """In plans, records, inputs, sums, events and binding: some bytes of every file, told by its name."""
    assert {path.relative_to(store).parts[0] for path in files(store)} == {
        *("plans", "runs", "events", "portfolios")
    }
    count, missed = unnoticed(store, 2)
    assert count == 2 * len(files(store)) > 200
    assert not missed


def test_a_flip_in_the_database_is_told_or_changes_no_row(store: Path, tmp_path: Path) -> None:
    """Bytes that SQLite does not use may be anything; no row may."""
    told, missed = overlooked(store, tmp_path, 10)
    assert missed == 0
    assert told > 0
