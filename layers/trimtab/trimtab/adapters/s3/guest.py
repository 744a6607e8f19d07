"""Guest: trades.db of a bucket as a guest reads it: fetched when its ETag has changed, read from a copy."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trimtab.adapters.guest import GuestTrades
from trimtab.adapters.s3.bucket import Blob, Bucket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trimtab.adapters.guest import Sight, Stamp

__all__ = ["S3GuestTrades"]

VERSIONS = 2
"""Copies that are kept."""
_TRADES = "trades.db"


class S3GuestTrades:
    """trades.db of `s3://bucket/prefix`, for reading only, by copies in `folder`.

    A run writes the object whole or not at all, so a copy is never half of one. Two versions are kept: a read
    of the one before may go on.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self._bucket = Bucket(url)
        self._folder = folder
        self._seen: Blob | None = None
        self._kept: list[Path] = []
        self._lock = threading.Lock()

    def stamp(self) -> Stamp:
        """Give the object's ETag, and keep a copy of that version; empty without an object.

        It is one request; the object is sent only when it has changed.

        Raises:
            OSError: the bucket can't be read, or the copy can't be written.
        """
        with self._lock:
            found = self._bucket.get(_TRADES, self._seen)
            if found is not None and found is not self._seen:
                self._keep(found)
            self._seen = (
                None if found is None else Blob(b"", found.etag, found.mark)
            )  # a copy holds its bytes
            return () if found is None else (found.etag,)

    @contextmanager
    def sight(self) -> Iterator[Sight | None]:
        """Give one consistent view of the version that `stamp` gave last, or of the newest; None without one.

        Raises:
            Halted: it is damaged.
            OSError: the bucket or the copy can't be read.
        """
        if self._seen is None:
            self.stamp()
        seen = self._seen
        if seen is None:
            yield None
            return
        with GuestTrades(self._place(seen)).sight() as view:
            yield view

    def _keep(self, found: Blob) -> None:
        """Write a copy whole, and remove those of versions long gone."""
        place = self._place(found)
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_suffix(".new")
        draft.write_bytes(found.data)
        draft.replace(place)
        self._kept = [*(kept for kept in self._kept if kept != place), place]
        while len(self._kept) > VERSIONS:
            self._kept.pop(0).unlink(missing_ok=True)

    def _place(self, version: Blob) -> Path:
        return self._folder / hashlib.sha256(version.etag.encode()).hexdigest()[:16] / _TRADES
