"""Failure: which exceptions a person can do something about, and as what."""

from __future__ import annotations

import sqlite3

from trimtab.errors import Halted, TrimtabError

__all__ = ["understood"]


def understood(error: Exception) -> TrimtabError | None:
    """Give the error that a person is told of; None for a bug."""
    if isinstance(error, TrimtabError):
        return error
    if isinstance(error, OSError | sqlite3.OperationalError):
        what = getattr(error, "strerror", None) or str(error)
        where = getattr(error, "filename", None)
        return Halted(
            "store_unwritable",
            f"a file of the store can't be read or written: {what}",
            seen=where or what,
            allowed="a store that can be written",
            hint="mend the store or name another as store.url, and run again",
        )
    if type(error) is sqlite3.DatabaseError:  # its subclasses are faults of a statement, so of ours
        return Halted(
            "store_damaged",
            "a database of the store is damaged",
            seen=error,
            hint="move the damaged file away: trades.db and exchange/ in the store are the candidates",
        )
    return None
