"""Document: one object by its whole URL, such as a configuration."""

from __future__ import annotations

import errno
import os

from trimtab.adapters.s3.bucket import Bucket

__all__ = ["read_document"]


def read_document(url: str, most: int) -> bytes:
    """Give the object at `s3://bucket/key`, or its first `most` bytes.

    Raises:
        FileNotFoundError: there is none.
        OSError: it can't be read.
        Misconfigured: nothing here speaks to S3, or S3 would be asked over plain HTTP.
    """
    folder, _, key = url.rpartition("/")
    found = Bucket(folder, where="TRIMTAB_CONFIG").get(key, most=most)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), url)
    return found.data
