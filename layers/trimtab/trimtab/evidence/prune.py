"""Prune: old inputs taken out of the store, each with a mark that tells their absence from damage.

Of a run only inputs.parquet goes, and only where it is still what its sum says: what is damaged stays to be
looked at. The mark is written first: a kill between the two leaves a file that stands as before.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from trimtab.core.record import canonical
from trimtab.stations.past import SUMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.ports import Store

__all__ = ["INPUTS", "Old", "look", "old_folders", "pruned", "remove", "sum_of"]

INPUTS = "inputs.parquet"
NONE = "none"
"""The folder of runs that could not read the broker's clock, and so no prices."""


@dataclass(frozen=True, slots=True)
class Old:
    """The inputs of one run: how large they are, bytes, their sum (hex), and what is wrong with them."""

    folder: str
    size: int
    total: str
    fault: str

    @property
    def session(self) -> str:
        """The New York session date of the run."""
        return self.folder.split("/")[-2]

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.folder.rsplit("/", 1)[1]


def old_folders(
    store: Store, portfolio: str, *, older_than: int | None = None, keep: int | None = None
) -> list[str]:
    """Give the folders of whole runs whose inputs are old, oldest first.

    Old are those of sessions more than `older_than` days before the newest recorded one, or before the last
    `keep` sessions that have inputs. The last such session always stays: the next run compares with it.

    Raises:
        OSError: the store can't be read.
    """
    keys = [key for key in store.list(f"runs/{portfolio}/") if key.split("/")[2] != NONE]
    there = set(keys)
    whole = sorted(key.removesuffix(SUMS) for key in keys if key.endswith(SUMS))
    filled = [folder for folder in whole if f"{folder}/{INPUTS}" in there]
    if not filled:
        return []
    sessions = sorted({folder.split("/")[2] for folder in filled})
    first = sessions[-1]
    if keep is not None:
        first = sessions[-min(keep, len(sessions))]
    if older_than is not None:
        newest = date.fromisoformat(whole[-1].split("/")[2])
        first = min(first, str(newest - timedelta(days=older_than)))
    return [folder for folder in filled if folder.split("/")[2] < first]


def look(store: Store, folder: str) -> Old | None:
    """Give a run's inputs, held against their sum; None where another program removed them meanwhile.

    Raises:
        OSError: the store can't be read.
    """
    data, sums = store.get(f"{folder}/{INPUTS}"), store.get(f"{folder}{SUMS}") or b""
    if data is None:
        return None
    total, fault = hashlib.sha256(data).hexdigest(), ""
    if sum_of(sums) != total:
        fault = f"{INPUTS}: another content than its SHA256SUMS says"
    elif store.get(_mark(folder)) is not None and not pruned(store, folder, sums):
        fault = f"{_mark(folder)}: a mark of other inputs"
    return Old(folder, len(data), total, fault)


def remove(store: Store, old: Old, *, at: str, who: str) -> None:
    """Mark the inputs of a run as removed, and then remove them.

    Raises:
        OSError: the store can't be written.
    """
    mark = {"at": at, "bytes": old.size, "inputs": old.total, "who": who}
    store.put_if_absent(_mark(old.folder), canonical(mark))
    store.delete(f"{old.folder}/{INPUTS}")


def pruned(store: Store, folder: str, sums: bytes) -> bool:
    """Say whether a mark tells that the very inputs which the sums list were removed.

    Raises:
        OSError: the store can't be read.
    """
    try:
        mark = json.loads(store.get(_mark(folder)) or b"null")
    except ValueError:
        return False
    return isinstance(mark, dict) and sum_of(sums) == mark.get("inputs")


def sum_of(sums: bytes) -> str | None:
    """Give the sum (hex) that a SHA256SUMS lists for the inputs, or None."""
    lines: Sequence[str] = sums.decode("utf-8", "replace").splitlines()
    return next(
        (total for total, _, name in (line.partition("  ") for line in lines) if name == INPUTS), None
    )


def _mark(folder: str) -> str:
    """Give the place of the mark of a run's folder, `runs/<portfolio>/<session>/<run_id>`."""
    return f"pruned/{folder.removeprefix('runs/')}.json"
