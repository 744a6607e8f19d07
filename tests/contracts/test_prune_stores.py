"""Prune over both kinds of store: the same keys go, and the same marks say so."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from trimtab.adapters.directory import DirectoryStore
from trimtab.adapters.s3 import S3Store
from trimtab.evidence.prune import look, old_folders, pruned, remove

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.ports import Store

DAYS = ("2025-01-02", "2025-06-02", "2026-01-02", "2026-01-05", "none")


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Give a store of each kind, with a run a day and one whose inputs were never written."""
    made: Store
    if request.param == "s3":
        made = S3Store(request.getfixturevalue("url"))
    else:
        made = DirectoryStore(tmp_path / "store")
    for day in DAYS:
        folder = f"runs/main/{day}/run-{day}"
        inputs, record = f"inputs of {day}".encode(), b"{}"
        sums = "".join(
            f"{hashlib.sha256(data).hexdigest()}  {name}\n"
            for name, data in (("inputs.parquet", inputs), ("record.json", record))
        )
        for name, data in (
            ("inputs.parquet", inputs),
            ("record.json", record),
            ("SHA256SUMS", sums.encode()),
        ):
            made.put_if_absent(f"{folder}/{name}", data)
    made.put_if_absent("runs/main/2026-01-06/run-idle/SHA256SUMS", b"")
    made.put_if_absent("runs/main/2024-01-02/run-dead/inputs.parquet", b"of a run that died")
    return made


def test_old_inputs_go_and_their_absence_is_known(store: Store) -> None:
    """Exactly the inputs of old whole runs are gone; their marks vouch for them, and for no other run."""
    before = {key: store.get(key) for key in store.list("runs/")}
    folders = old_folders(store, "main", older_than=200)
    assert folders == ["runs/main/2025-01-02/run-2025-01-02", "runs/main/2025-06-02/run-2025-06-02"]
    for folder in folders:
        old = look(store, folder)
        assert old is not None
        assert (old.fault, old.session) == ("", folder.split("/")[2])
        remove(store, old, at="2026-01-06T00:00:00Z", who="the owner")
    gone = {f"{folder}/inputs.parquet" for folder in folders}
    assert {key: store.get(key) for key in store.list("runs/")} == {
        key: data for key, data in before.items() if key not in gone
    }
    for day in DAYS:
        folder = f"runs/main/{day}/run-{day}"
        assert pruned(store, folder, before[f"{folder}/SHA256SUMS"] or b"") is (folder in folders)
    assert old_folders(store, "main", older_than=200) == []
    assert look(store, folders[0]) is None


@pytest.mark.parametrize(("keep", "left"), [(1, 3), (2, 2), (3, 1), (4, 0), (99, 0)])
def test_the_last_sessions_with_inputs_are_kept(store: Store, keep: int, left: int) -> None:
    """A session without any does not count, and a run without its sums is never touched."""
    assert len(old_folders(store, "main", keep=keep)) == left


def test_the_newest_inputs_stay_however_old(store: Store) -> None:
    """The next run holds its prices against them."""
    assert [folder.split("/")[2] for folder in old_folders(store, "main", older_than=1)] == list(DAYS[:3])
    assert old_folders(store, "other", older_than=1) == []
