"""Stores: the store that a URL names, and its trades.db."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.adapters.directory import DirectoryStore
from trimtab.adapters.guest import GuestTrades
from trimtab.adapters.sqlite import SqliteTrades

if TYPE_CHECKING:
    from trimtab.adapters.guest import Guest
    from trimtab.ports import Store, Trades

__all__ = ["open_guest", "open_store"]


def open_store(url: str) -> tuple[Store, Trades]:
    """Give the store at a directory's path or `s3://bucket/prefix`, and its trades.db; nothing is read yet.

    Raises:
        Misconfigured: it is in S3, and what speaks to S3 is not installed.
    """
    if url.startswith("s3://"):
        from trimtab.adapters.s3 import S3Store, S3Trades  # noqa: PLC0415 - only such a store pays for it

        return S3Store(url), S3Trades(url)
    return DirectoryStore(Path(url)), SqliteTrades(Path(url) / "trades.db")


def open_guest(url: str, folder: Path) -> tuple[Store, Guest]:
    """Give the store at a URL and its trades.db for a guest, who reads only; nothing is read yet.

    `folder` is where copies of a database in S3 are kept.

    Raises:
        Misconfigured: it is in S3, and what speaks to S3 is not installed.
    """
    if url.startswith("s3://"):
        from trimtab.adapters.s3 import S3GuestTrades, S3Store  # noqa: PLC0415 - as above

        return S3Store(url), S3GuestTrades(url, folder)
    return DirectoryStore(Path(url)), GuestTrades(Path(url) / "trades.db")
