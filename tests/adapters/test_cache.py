"""Cache: a file of bars that is replaced whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from typing import TYPE_CHECKING

import polars as pl
import pytest

from trimtab.adapters.cache import cache_facts, cache_file, read_cache, write_cache
from trimtab.adapters.sample import synthetic
from trimtab.core.append import Archive
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

STEPS = ("written", "synced", "replaced", "durable")


def archive(last: date) -> Archive:
    """Give an archive of two symbols up to a session."""
    bars = synthetic(("AAA", "BBB"), 1, date(2020, 1, 2), last).bars(
        ("AAA", "BBB"), date(2020, 1, 2), last, "all"
    )
    return Archive("sip", "all", date(2020, 1, 1), last, bars)


OLD, NEW = archive(date(2020, 1, 31)), archive(date(2020, 2, 28))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """Feed, adjustment, span and every bar; the same archive is the same bytes."""
    path = tmp_path / "deep/bars.parquet"
    assert read_cache(path) is None
    assert write_cache(path, OLD)
    assert not write_cache(path, OLD)
    found = read_cache(path)
    assert found is not None
    assert (found.feed, found.adjustment, found.start, found.through) == (
        "sip",
        "all",
        OLD.start,
        OLD.through,
    )
    assert cache_file(found) == cache_file(OLD) == path.read_bytes()
    assert [entry.name for entry in path.parent.iterdir()] == ["bars.parquet"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """The file that it points at is replaced, where it lies."""
    (tmp_path / "disk").mkdir()
    link = tmp_path / "bars.parquet"
    link.symlink_to(tmp_path / "disk/bars.parquet")
    write_cache(link, OLD)
    write_cache(link, NEW)
    assert link.is_symlink()
    assert (tmp_path / "disk/bars.parquet").read_bytes() == cache_file(NEW)


class Stopped(Exception):  # noqa: N818 - it is what happens, not an error
    """The writer is stopped."""


@pytest.mark.parametrize("last", STEPS)
def test_a_write_that_stops_leaves_one_whole_file(tmp_path: Path, last: str) -> None:
    """The one before until it is replaced, the one after from then on, and no other file."""
    path = tmp_path / "bars.parquet"
    write_cache(path, OLD)

    def step(name: str) -> None:
        if name == last:
            raise Stopped

    with pytest.raises(Stopped):
        write_cache(path, NEW, step=step)
    there = NEW if STEPS.index(last) >= STEPS.index("replaced") else OLD
    assert path.read_bytes() == cache_file(there)
    assert [entry.name for entry in tmp_path.iterdir()] == ["bars.parquet"]


KILLED = """
import os, sys
from pathlib import Path
from trimtab.adapters.cache import read_cache, write_cache
path, new, last = map(str, sys.argv[1:])
write_cache(Path(path), read_cache(Path(new)), step=lambda name: os._exit(9) if name == last else None)
"""


@pytest.mark.parametrize("last", ["written", "replaced"])
def test_a_kill_leaves_one_whole_file(tmp_path: Path, last: str) -> None:
    """A process that dies there, without a chance to clean up."""
    path, new = tmp_path / "bars.parquet", tmp_path / "new.parquet"
    write_cache(path, OLD)
    write_cache(new, NEW)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, path, new, last], env=dict(os.environ), check=False, timeout=60
    )
    assert done.returncode == 9
    assert path.read_bytes() == cache_file(OLD if last == "written" else NEW)
    assert read_cache(path) is not None


FOREIGN = {
    "no metadata": ({}, "not_a_cache"),
    "another format": ({"format": 99}, "data_file"),
    "no feed": ({"feed": None}, "data_file"),
    "a date that is none": ({"through": "soon"}, "data_file"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_file_that_is_none_of_ours(tmp_path: Path, case: str) -> None:
    """It is told what it is, and nothing is guessed."""
    changes, code = FOREIGN[case]
    path = tmp_path / "bars.parquet"
    facts = {"format": 1, "feed": "sip", "adjustment": "all", "start": "2020-01-01", "through": "2020-01-31"}
    told = {k: v for k, v in (facts | changes).items() if v is not None}
    OLD.bars.frame().write_parquet(path, metadata={"trimtab": json.dumps(told)} if changes else None)
    with pytest.raises(Misconfigured) as error:
        read_cache(path)
    assert error.value.code == code
    if not changes:
        assert cache_facts(path) is None


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    """Cut short, empty, or with a bar twice."""
    path = tmp_path / "bars.parquet"
    whole = cache_file(OLD)
    for part in (b"", whole[:100], whole[:-1]):
        path.write_bytes(part)
        with pytest.raises(Misconfigured, match="can't be read"):
            read_cache(path)
    write_cache(path, OLD)
    told = pl.read_parquet_metadata(path)["trimtab"]
    frame = pl.read_parquet(path)
    pl.concat([frame, frame.head(1)]).write_parquet(path, metadata={"trimtab": told})
    with pytest.raises(Misconfigured, match="two bars of AAA"):
        read_cache(path)
