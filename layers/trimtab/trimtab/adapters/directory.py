"""Directory store: the records' blobs as files under one folder, on a local disk or an NFS mount (EFS).

A blob is written to a hidden temporary file beside its place, made durable, and then given its name with
`link(2)`, which either makes the whole file appear under the name or fails because the name is taken. A kill
between any two system calls leaves the blob whole or absent, and at worst a hidden file that nobody lists.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["DirectoryStore", "demand_key", "demand_prefix", "is_key"]

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
_CHUNK = 1 << 20


def _nothing(_step: str) -> None:
    pass


class DirectoryStore:
    """Named blobs as files under `root`, which is made by the first write.

    `step` is called with the name of each step of a write once it is done: `folder`, `created`, `writing`
    (once a chunk), `synced`, `linked`, `unlinked`, `durable`; and with `missed` where a blob to be read was
    not found at first. The kill tests stop a process there.
    """

    def __init__(self, root: Path, *, step: Callable[[str], None] = _nothing) -> None:
        self.root = root
        self.url = str(root)
        self._step = step

    def get(self, key: str) -> bytes | None:
        """Give the blob, or None if there is none.

        Raises:
            OSError: the store can't be read.
            ValueError: the key is not one.
        """
        path = self._path(key)
        with contextlib.suppress(FileNotFoundError):
            return path.read_bytes()
        self._step("missed")
        self._look_anew(path.parent)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Store `data` unless the key exists; say whether this call stored it. Atomic among all writers.

        When it returns, the blob under the key is on the disk, whoever wrote it.

        Raises:
            OSError: the store can't be written.
            ValueError: the key is not one.
        """
        path = self._path(key)
        _make(path.parent)
        self._step("folder")
        temporary = path.parent / f".tmp-{os.getpid()}-{secrets.token_hex(8)}"
        try:
            self._write(temporary, data)
            stored = _link(temporary, path)
            self._step("linked")
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        self._step("unlinked")
        self._sync_folders(path)
        self._step("durable")
        return stored

    def list(self, prefix: str) -> tuple[str, ...]:
        """Give every key that starts with `prefix` (which ends in `/`), in ascending order.

        Raises:
            OSError: a folder can't be read.
            ValueError: the prefix does not end in `/`, or is no key before it.
        """
        folder = self.root / demand_prefix(prefix)[:-1]
        if not folder.is_dir():
            self._look_anew(folder)
        names = (path.relative_to(self.root).as_posix() for path in _files(folder))
        return tuple(sorted(filter(is_key, names)))

    def delete(self, key: str) -> None:
        """Remove a blob; absent is fine.

        Raises:
            OSError: the store can't be written.
            ValueError: the key is not one.
        """
        path = self._path(key)
        try:
            path.unlink()
        except FileNotFoundError:
            return
        _sync(path.parent)

    def _path(self, key: str) -> Path:
        return self.root / demand_key(key)

    def _look_anew(self, folder: Path) -> None:
        """Let an NFS client ask its server again what lies in `folder`, and above it up to the root.

        That a name is not there, it remembers for up to a minute (`acdirmax`, nfs(5)), longer than `halt`
        waits for a run to see its flag. To open a folder makes it ask whether the folder has changed, and
        forget what it remembers of one that has. On a local disk it costs some microseconds.
        """
        for above in reversed([folder, *folder.parents]):
            if above.is_relative_to(self.root):
                try:
                    os.close(os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
                except FileNotFoundError:
                    return

    def _write(self, temporary: Path, data: bytes) -> None:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            self._step("created")
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest[:_CHUNK]) :]
                self._step("writing")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._step("synced")

    def _sync_folders(self, path: Path) -> None:
        # All of them, also those that stood already: whoever made one may not have made it durable yet.
        for folder in path.parents:
            _sync(folder)
            if folder == self.root:
                return


def is_key(key: str) -> bool:
    """Say whether a name may be ours: an editor's copy, a console's folder or a hidden file is none."""
    return _KEY.fullmatch(key) is not None


def demand_key(key: str) -> str:
    """Give a key as it is.

    Raises:
        ValueError: it is none.
    """
    if not is_key(key):
        raise ValueError(f"not a key: {key!r}; parts of [A-Za-z0-9._-], none opening with a dot, joined by /")
    return key


def demand_prefix(prefix: str) -> str:
    """Give a prefix as it is.

    Raises:
        ValueError: it does not end in `/`, or is no key before it.
    """
    if not prefix.endswith("/"):
        raise ValueError(f"a prefix ends in /: {prefix!r}")
    demand_key(prefix[:-1])
    return prefix


def _link(temporary: Path, path: Path) -> bool:
    try:
        os.link(temporary, path)
    except FileExistsError:
        # Over NFS an answer can be lost and the call repeated: then the name that exists is our own file's.
        return temporary.stat().st_nlink > 1
    return True


def _make(folder: Path) -> None:
    if folder.is_dir():
        return
    _make(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(folder: Path) -> Iterator[Path]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _files(Path(entry.path))
        else:
            yield Path(entry.path)
