"""Stores: the store that a URL names, and its trades.db."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.adapters.directory import DirectoryStore
from trimtab.adapters.sqlite import SqliteTrades

if TYPE_CHECKING:
    from trimtab.ports import Store, Trades

__all__ = ["open_store"]


def open_store(url: str) -> tuple[Store, Trades]:
    """Give the store at a directory's path or `s3://bucket/prefix`, and its trades.db; nothing is read yet.

    Raises:
        Misconfigured: it is in S3, and what speaks to S3 is not installed.
    """
    if url.startswith("s3://"):
        from trimtab.adapters.s3 import S3Store, S3Trades  # noqa: PLC0415 - only such a store pays for it

        return S3Store(url), S3Trades(url)
    return DirectoryStore(Path(url)), SqliteTrades(Path(url) / "trades.db")
