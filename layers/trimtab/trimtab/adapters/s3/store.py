"""Store: named blobs as objects, each written where none is."""

from __future__ import annotations

import secrets

from trimtab.adapters.directory import demand_key, demand_prefix, is_key
from trimtab.adapters.s3.bucket import PATIENCE_S, Bucket, Crossed, tries

__all__ = ["S3Store"]


class S3Store:
    """Named blobs as objects below `s3://bucket/prefix`.

    `patience_s` is how long a write is tried again that others' writes keep crossing.
    """

    def __init__(self, url: str, *, patience_s: float = PATIENCE_S) -> None:
        self._bucket = Bucket(url)
        self.url = self._bucket.url
        self._patience_s = patience_s

    def get(self, key: str) -> bytes | None:
        """Give the blob, or None if there is none.

        Raises:
            OSError: the store can't be read.
            ValueError: the key is not one.
        """
        found = self._bucket.get(demand_key(key))
        return None if found is None else found.data

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Store `data` unless the key exists; say whether this call stored it. Atomic among all writers.

        Raises:
            OSError: the store can't be written.
            ValueError: the key is not one.
        """
        demand_key(key)
        mark = secrets.token_hex(16)
        try:
            for attempt in tries(self._patience_s):
                with attempt:
                    return self._put(key, data, mark)
        except Crossed:
            raise self._bucket.crossed(key) from None
        raise AssertionError  # the tries end in a return or a raise

    def _put(self, key: str, data: bytes, mark: str) -> bool:
        try:
            self._bucket.put(key, data, mark, over=None)
        except Crossed:
            there = self._bucket.mark(key)
            if there is None:  # the other write is not done, or its object was deleted: ask again
                raise
            return there[0] == mark
        return True

    def list(self, prefix: str) -> tuple[str, ...]:
        """Give every key that starts with `prefix` (which ends in `/`), in ascending order.

        Raises:
            OSError: the store can't be read.
            ValueError: the prefix does not end in `/`, or is no key before it.
        """
        return tuple(sorted(filter(is_key, self._bucket.keys(demand_prefix(prefix)))))

    def delete(self, key: str) -> None:
        """Remove a blob; absent is fine.

        Raises:
            OSError: the store can't be written.
            ValueError: the key is not one.
        """
        self._bucket.delete(demand_key(key))
