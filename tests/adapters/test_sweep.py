from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sweeping.kit import made_up
from trimtab.adapters.sweep import Kept, Lost, Workers, map_prices, write_prices
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable

PRELOAD = "trimtab.adapters.sweep.workers"
GRIDS = ("open", "high", "low", "close", "volume", "raw_close")


# Prices


def test_mapped_prices_are_the_bars_and_read_only(tmp_path: Path) -> None:
    """Every grid to the bit, NaN too, mapped from its file and never copied; a grid stands there once."""
    bars = made_up()
    write_prices(bars, tmp_path / "one")
    mapped = map_prices(tmp_path / "one")
    assert mapped.symbols == bars.symbols
    assert np.array_equal(mapped.sessions, bars.sessions)
    for name in GRIDS:
        grid = getattr(mapped, name)
        assert np.array_equal(grid, getattr(bars, name), equal_nan=True)
        assert isinstance(grid.base.base, np.memmap)
        assert not grid.flags.writeable
    assert (tmp_path / "one/close.npy").samefile(tmp_path / "one/raw_close.npy")
    assert not (tmp_path / "one/close.npy").samefile(tmp_path / "one/open.npy")


def test_prices_that_are_there_are_not_written_again(tmp_path: Path) -> None:
    """Nor is anything left beside them."""
    for _ in range(2):
        write_prices(made_up(), tmp_path / "one")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


# Results


def test_results_are_kept_and_never_replaced(tmp_path: Path) -> None:
    """By their digest, over a close, for as many as are asked for."""
    many = {f"{i:04}": b"%d" % i for i in range(1200)}
    with Kept(tmp_path / "deep/cells.db") as kept:
        kept.add(many)
        kept.add({"0001": b"another"})
    with Kept(tmp_path / "deep/cells.db") as kept:
        assert kept.found([*many, "unknown"]) == many


def test_a_damaged_file_of_results_is_told(tmp_path: Path) -> None:
    """What to do about it, too; and the file stays as it is."""
    path = tmp_path / "cells.db"
    path.write_bytes(b"no database, but long enough to be taken for one" * 100)
    with pytest.raises(Misconfigured, match="can't be used") as refused:
        Kept(path)
    assert "delete it" in refused.value.hint


def test_what_was_added_outlives_a_kill(tmp_path: Path) -> None:
    """SIGKILL after the last add loses nothing."""
    path = tmp_path / "cells.db"
    program = (
        "import sys, os, signal; from pathlib import Path; from trimtab.adapters.sweep import Kept\n"
        "kept = Kept(Path(sys.argv[1]))\n"
        "for i in range(50): kept.add({str(i): b'x'})\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program, path], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(path)) as found, found:
        assert found.execute("SELECT count(*) FROM results").fetchone() == (50,)


# Workers


def doubling() -> Callable[[int], bytes]:
    """Give what doubles a number, once numpy's threads are told."""
    return lambda number: b"%d %s" % (2 * number, os.environ["OPENBLAS_NUM_THREADS"].encode())


def deadly(folder: Path) -> Callable[[tuple[int, int]], bytes]:
    """Give what dies of a task so many times, as a mark for each shows, and then plays it."""

    def play(task: tuple[int, int]) -> bytes:
        number, times = task
        mine = list(folder.glob(f"{number}-*"))
        if len(mine) < times:
            (folder / f"{number}-{len(mine)}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return b"%d" % number

    return play


def test_every_task_is_played_once_on_one_thread_each() -> None:
    """By two workers; this process keeps its own threads."""
    before = os.environ.get("OPENBLAS_NUM_THREADS")
    with Workers(2, doubling, preload=PRELOAD) as pool:
        found = sorted(pool.play(range(40)))
    assert found == [(i, b"%d 1" % (2 * i)) for i in range(40)]
    assert os.environ.get("OPENBLAS_NUM_THREADS") == before


def test_a_worker_that_dies_is_replaced_and_what_kills_twice_is_lost(tmp_path: Path) -> None:
    """The others' results are all there."""
    tasks = [(i, {3: 1, 5: 9}.get(i, 0)) for i in range(10)]
    with Workers(2, partial(deadly, tmp_path), preload=PRELOAD) as pool:
        found = dict(pool.play(tasks))
    lost = found.pop(5)
    assert isinstance(lost, Lost)
    assert lost.args == (-signal.SIGKILL,)
    assert found == {i: b"%d" % i for i in range(10) if i != 5}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3-0", "5-0", "5-1"]


SLEEPING = """
import os, sys, time
from pathlib import Path
from trimtab.adapters.sweep import Workers

folder = Path(sys.argv[1])

def prepare():
    def play(task):
        (folder / str(os.getpid())).touch()
        time.sleep(600)
    return play

if __name__ == "__main__":
    with Workers(2, prepare, preload="trimtab.adapters.sweep.workers") as pool:
        list(pool.play(range(4)))
"""


def alive(pid: int) -> bool:
    """Say whether a process runs: one that is dead and not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(seen: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see who runs")
def test_no_worker_outlives_a_kill_of_its_parent(tmp_path: Path) -> None:
    """They end in the middle of a task, and so does the server that they are forked from."""
    script, marks = tmp_path / "sleeping.py", tmp_path / "marks"
    script.write_text(SLEEPING)
    marks.mkdir()
    parent = subprocess.Popen([sys.executable, script, marks], start_new_session=True)
    wait_for(lambda: len(list(marks.iterdir())) == 2)
    workers = [int(path.name) for path in marks.iterdir()]
    server = int(Path(f"/proc/{workers[0]}/stat").read_text().rpartition(")")[2].split()[1])
    parent.kill()
    parent.wait(60)
    wait_for(lambda: not any(map(alive, [*workers, server])))
