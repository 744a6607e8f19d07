"""Cache: an archive of daily bars as one parquet file, which names its feed, adjustment and span.

The file is replaced whole: a kill between any two system calls leaves the one before or the one after, and
at worst a hidden temporary file beside it. The same archive gives the same bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING

from trimtab.core.append import Archive
from trimtab.core.bars import Bars
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["cache_facts", "read_cache", "write_cache"]

KEY, FORMAT = "trimtab", 1
"""Where the file's key-value metadata hold what the archive is, and the form of it."""


def cache_facts(path: Path) -> Mapping[str, str] | None:
    """Give `feed`, `adjustment`, `start` and `through` of a file; None where it is no cache.

    Raises:
        Misconfigured: it is a parquet file's by its name, and can't be read.
    """
    import polars as pl  # noqa: PLC0415 - a run that reads no file does not pay for polars

    if path.suffix.lower() != ".parquet":
        return None
    try:
        text = pl.read_parquet_metadata(path).get(KEY)
    except (pl.exceptions.PolarsError, OSError) as cause:
        raise _unreadable(path, cause) from cause
    return None if text is None else _facts(path, text)


def _facts(path: Path, text: str) -> dict[str, str]:
    """Read what a cache says of itself.

    Raises:
        Misconfigured: it was written by a later version, or is damaged.
    """
    try:
        document = json.loads(text)
        facts = {name: str(document[name]) for name in ("feed", "adjustment", "start", "through")}
        known = document["format"] == FORMAT
        date.fromisoformat(facts["start"]), date.fromisoformat(facts["through"])
    except (ValueError, KeyError, TypeError) as cause:
        raise _unreadable(path, cause) from cause
    if not known:
        raise Misconfigured(
            "data_file",
            f"{path.name} was written by another version of trimtab",
            seen=f"format {document['format']}",
            allowed=f"format {FORMAT}",
            hint="fetch into another file with --out, or use that version",
        )
    return facts


def read_cache(path: Path) -> Archive | None:
    """Give the archive of a file; None where there is none.

    Raises:
        Misconfigured: the file can't be read, or was not written by `trimtab data fetch`.
    """
    import polars as pl  # noqa: PLC0415 - as above

    if not path.exists():
        return None
    facts = cache_facts(path)
    if facts is None:
        raise Misconfigured(
            "not_a_cache",
            f"{path.name} was not written by `trimtab data fetch`, and is left as it is",
            seen=path,
            allowed="a file of `trimtab data fetch`, or none yet",
            hint="name another file with --out",
        )
    try:
        bars = Bars.from_frame(pl.read_parquet(path))
    except (pl.exceptions.PolarsError, OSError, ValueError) as cause:
        raise _unreadable(path, cause) from cause
    start, through = (date.fromisoformat(facts[name]) for name in ("start", "through"))
    return Archive(facts["feed"], facts["adjustment"], start, through, bars)


def _unreadable(path: Path, cause: Exception) -> Misconfigured:
    lines = str(cause).strip().splitlines()
    return Misconfigured(
        "data_file",
        f"{path.name} can't be read: {lines[0] if lines else type(cause).__name__}",
        seen=path,
        allowed="a whole parquet file",
        hint="move it away and fetch it anew with `trimtab data fetch`",
    )


def cache_file(archive: Archive) -> bytes:
    """Write an archive as parquet: symbol, session, open, high, low, close, volume, raw_close; sorted."""
    facts = {
        "format": FORMAT,
        "feed": archive.feed,
        "adjustment": archive.adjustment,
        "start": archive.start.isoformat(),
        "through": archive.through.isoformat(),
    }
    buffer = BytesIO()
    metadata = {KEY: json.dumps(facts, sort_keys=True, separators=(",", ":"))}
    frame = archive.bars.frame()
    frame.write_parquet(buffer, compression="zstd", statistics=False, metadata=metadata)
    return buffer.getvalue()


def write_cache(path: Path, archive: Archive, *, step: Callable[[str], None] = lambda _: None) -> bool:
    """Put an archive in the place of a file; say whether its bytes are others than those that were there.

    `step` is called with the name of each step once it is done: `written`, `synced`, `replaced`, `durable`.

    Raises:
        OSError: it can't be written; the file is as it was.
    """
    data, path = cache_file(archive), path.resolve()  # a link to a file on another disk stays one
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.tmp-{os.getpid()}-{secrets.token_hex(8)}"
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            step("written")
            os.fsync(file.fileno())
        step("synced")
        temporary.replace(path)
        step("replaced")
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    _sync(path.parent)
    step("durable")
    return True


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
