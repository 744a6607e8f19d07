from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.store_suite import OpenStore, StoreLaws
from trimtab.adapters.directory import DirectoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "plans/main/2020-03-16.json"
BLOB = bytes(range(256)) * 10_000
"""2.56 MB: three chunks."""

STEPS = ["folder", "created", "writing", "writing", "writing", "synced", "linked", "unlinked", "durable"]

KILLED_AT_STEP = """
import os, signal, sys
from pathlib import Path
from trimtab.adapters.directory import DirectoryStore

left = int(sys.argv[2])

def step(_name):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1

DirectoryStore(Path(sys.argv[1]), step=step).put_if_absent(sys.argv[3], bytes(range(256)) * 10_000)
"""

WRITING_FOR_EVER = """
import itertools, sys
from pathlib import Path
from trimtab.adapters.directory import DirectoryStore

store = DirectoryStore(Path(sys.argv[1]))
print("ready", flush=True)
for n in itertools.count(int(sys.argv[2])):
    store.put_if_absent(f"plans/main/{n}", bytes(range(256)) * 10_000)
"""

ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from trimtab.adapters.directory import DirectoryStore

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    DirectoryStore(Path(sys.argv[1])).put_if_absent(sys.argv[2], bytes(1001))
except OSError as error:
    print(type(error).__name__)
"""


OPENED = """
import sys
from pathlib import Path
from trimtab.adapters.directory import DirectoryStore

store, seen = DirectoryStore(Path(sys.argv[1])), []
sys.addaudithook(lambda event, found: event == "open" and seen.append(found[0]))
assert store.get("halts/main") is None
assert store.list("plans/main/") == ()
print(*seen, "(none)")
"""


def python(code: str, *arguments: object) -> list[str]:
    """Give the command that runs `code` in a new interpreter."""
    return [sys.executable, "-c", code, *map(str, arguments)]


class TestDirectoryStore(StoreLaws):
    """The directory store keeps the laws of a store."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        """Give a store in a folder that no one has made yet."""
        return partial(DirectoryStore, tmp_path / "new" / "store")

    @pytest.fixture
    def plant(self, tmp_path: Path) -> Callable[[str], object]:
        """Give what writes a file into the store's folder as any program may."""

        def write(name: str) -> None:
            file = tmp_path / "new" / "store" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"{}")

        return write


def test_names_every_step_of_a_write(tmp_path: Path) -> None:
    """The steps at which the kill test stops are those that a write takes."""
    steps: list[str] = []
    DirectoryStore(tmp_path, step=steps.append).put_if_absent(KEY, BLOB)
    assert steps == STEPS


def test_what_was_not_found_is_looked_for_again(tmp_path: Path) -> None:
    """A blob that another machine wrote meanwhile is found at once, the first in its folder."""
    steps: list[str] = []

    def step(name: str) -> None:
        steps.append(name)
        DirectoryStore(tmp_path).put_if_absent("halts/main", b"stop")

    assert DirectoryStore(tmp_path, step=step).get("halts/main") == b"stop"
    assert DirectoryStore(tmp_path, step=step).get("halts/main") == b"stop"
    assert steps == ["missed"]


def test_a_miss_asks_anew_what_every_folder_above_it_holds(tmp_path: Path) -> None:
    """An NFS client asks its server again when a folder is opened: from the root down, then the blob."""
    (tmp_path / "store/halts").mkdir(parents=True)
    done = subprocess.run(python(OPENED, "store"), cwd=tmp_path, check=True, timeout=60, capture_output=True)
    assert done.stdout.decode().split() == [
        *("store/halts/main", "store", "store/halts", "store/halts/main"),
        *("store", "store/plans", "(none)"),
    ]


@pytest.mark.parametrize("step", range(len(STEPS)), ids=lambda step: f"{step}-{STEPS[step]}")
def test_a_kill_at_any_step_leaves_the_blob_whole_or_absent(tmp_path: Path, step: int) -> None:
    """Absent before the link, whole from it on; the next writer is told the truth; no debris is listed."""
    killed = subprocess.run(python(KILLED_AT_STEP, tmp_path, step, KEY), check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    store = DirectoryStore(tmp_path)
    linked = step >= STEPS.index("linked")
    assert store.get(KEY) == (BLOB if linked else None)
    assert store.list("plans/") == ((KEY,) if linked else ())
    assert store.put_if_absent(KEY, b"next") is not linked
    assert store.get(KEY) == (BLOB if linked else b"next")
    assert store.list("plans/") == (KEY,)


def test_a_kill_at_any_moment_leaves_whole_blobs_only(tmp_path: Path) -> None:
    """Writers killed from outside, at ten moments that nothing chose: every key listed is whole."""
    for attempt in range(10):
        writer = subprocess.Popen(
            python(WRITING_FOR_EVER, tmp_path, attempt * 1_000_000), stdout=subprocess.PIPE
        )
        with writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(0.005 + 0.007 * attempt)
            writer.kill()
    store = DirectoryStore(tmp_path)
    keys = store.list("plans/")
    assert len(keys) > 10
    assert all(store.get(key) == BLOB for key in keys)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """A write that the system cuts short is an OSError, and neither blob nor temporary file stays."""
    done = subprocess.run(
        python(ON_A_FULL_DISK, tmp_path, KEY), check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout == "OSError\n"
    assert DirectoryStore(tmp_path).get(KEY) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_root_that_is_a_file_is_an_os_error(tmp_path: Path) -> None:
    """What can't be read is never "absent"."""
    root = tmp_path / "file"
    root.write_bytes(b"")
    store = DirectoryStore(root)
    with pytest.raises(OSError, match="file"):
        store.put_if_absent(KEY, b"")
    with pytest.raises(OSError, match="file"):
        store.get(KEY)
    with pytest.raises(OSError, match="file"):
        store.list("plans/")
    with pytest.raises(OSError, match="file"):
        store.delete("HALT")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to any folder")
def test_an_unwritable_folder_is_an_os_error(tmp_path: Path) -> None:
    """A folder without write permission refuses the write and stays readable."""
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        DirectoryStore(tmp_path).put_if_absent(KEY, b"")
    assert DirectoryStore(tmp_path).get(KEY) is None
    tmp_path.chmod(0o700)


def test_a_file_system_that_takes_no_files_is_an_os_error() -> None:
    """The kernel's own read-only folder refuses the write whoever asks."""
    root = Path("/proc/trimtab")
    if not root.parent.is_dir():
        pytest.skip("there is no /proc here")
    with pytest.raises(OSError, match="trimtab"):
        DirectoryStore(root).put_if_absent("HALT", b"")


def test_a_leftover_temporary_file_is_not_listed(tmp_path: Path) -> None:
    """What a killed writer left beside the blobs is no key."""
    store = DirectoryStore(tmp_path)
    store.put_if_absent(KEY, b"plan")
    (tmp_path / "plans" / "main" / ".tmp-1-aa").write_bytes(b"torn")
    assert store.list("plans/") == (KEY,)


def test_a_link_whose_answer_was_lost_is_ones_own(tmp_path: Path) -> None:
    """Over NFS the repeated call finds the name taken by its own file: this call did store the blob."""

    def link_before(step: str) -> None:
        if step == "synced":
            (temporary,) = (tmp_path / KEY).parent.glob(".tmp-*")
            (tmp_path / KEY).hardlink_to(temporary)

    assert DirectoryStore(tmp_path, step=link_before).put_if_absent(KEY, b"plan") is True
    assert DirectoryStore(tmp_path).get(KEY) == b"plan"
    assert DirectoryStore(tmp_path).put_if_absent(KEY, b"plan") is False
