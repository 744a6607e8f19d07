"""Seal: a run's folder as its SHA256SUMS left it, or what is not as it was written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.core.masking import maimed
from trimtab.core.record import VERSION, canonical, digest, plan_digest
from trimtab.evidence.prune import INPUTS, pruned
from trimtab.stations.past import SUMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.record import Document
    from trimtab.ports import Store

__all__ = ["Sealed", "opened", "plan_key"]

RECORD = "record.json"
KEPT = (INPUTS, RECORD)
"""What a run's folder holds beside its sums, in their order."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """One run's files as they lie in the store.

    `record` is None where it can't be believed; `inputs` are the bytes of inputs.parquet, None without.
    `faults` name each file that is not as it was written, and how. `cleared`: its inputs were taken away
    since, `pruned`: by `trimtab prune`. `dead`: the run died before its sums: its record never counted.
    """

    run_id: str
    session: str
    record: Document | None = None
    inputs: bytes | None = None
    faults: tuple[str, ...] = ()
    cleared: bool = False
    pruned: bool = False
    dead: bool = False

    @property
    def gone(self) -> tuple[str, None, str]:
        """What a replay gives where the inputs are gone: result, weights, detail."""
        if self.pruned:
            return "pruned", None, f"{INPUTS} was removed by trimtab prune"
        return "cleared", None, f"{INPUTS} was taken away since"


def opened(store: Store, folder: str) -> Sealed:
    """Read a run's folder, and hold every file in it against its sum and against the stored plan.

    Raises:
        OSError: the store can't be read.
    """
    session, run_id = folder.split("/")[-2:]
    sums = store.get(f"{folder}{SUMS}")
    if sums is None:
        return Sealed(run_id, session, dead=True)
    found = {key.rsplit("/", 1)[1]: store.get(key) or b"" for key in store.list(f"{folder}/")}
    files = {name: data for name, data in found.items() if name != SUMS.strip("/")}
    cleared = INPUTS not in files and f"  {INPUTS}\n".encode() in sums
    faults = _against_sums(files, sums, cleared=cleared)
    if faults:
        return Sealed(run_id, session, faults=tuple(faults))
    try:
        record: Document = json.loads(files[RECORD])
        plan = None if record["plan"] is None else store.get(plan_key(record))
        faults = _within(record, plan, run_id, session)
    except (ValueError, KeyError, TypeError) as error:
        return Sealed(run_id, session, faults=(f"{RECORD}: no record: {type(error).__name__} {error}",))
    known = None if faults else record
    marked = cleared and pruned(store, folder, sums)
    return Sealed(run_id, session, known, files.get(INPUTS), tuple(faults), cleared, marked)


def plan_key(record: Document) -> str:
    """Give the key of the plan that a run of the record's session traded by."""
    return f"plans/{record['portfolio']}/{record['session']}.json"


def _against_sums(files: Mapping[str, bytes], sums: bytes, *, cleared: bool) -> list[str]:
    """Name each file that is not what the sums say; the sums themselves are held to the letter."""
    parts = (line.partition("  ") for line in sums.decode("utf-8", "replace").splitlines())
    listed = {name: total for total, _, name in parts}
    faults = [f"{name}: not listed in SHA256SUMS" for name in sorted(files.keys() - listed.keys())]
    gone = [name for name in listed if name not in files and not (cleared and name == INPUTS)]
    faults += [f"{name}: listed in SHA256SUMS, but not there" for name in gone]
    if RECORD not in files and RECORD not in gone:
        faults.append(f"{RECORD}: not there")
    actual = {name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name in listed}
    faults += [f"{n}: another content than its SHA256SUMS says" for n, s in actual.items() if listed[n] != s]
    whole = actual | ({INPUTS: listed[INPUTS]} if cleared else {})
    written = "".join(f"{whole[name]}  {name}\n" for name in sorted(whole)).encode()
    whole_again = written == sums and set(whole) <= set(KEPT)
    return faults or ([] if whole_again else ["SHA256SUMS: not as it was written"])


def _within(record: Document, plan: bytes | None, run_id: str, session: str) -> list[str]:
    """Hold a whole record against its own digests, its place and the stored plan."""
    if record.get("version") != VERSION:
        return [f"{RECORD}: version {record.get('version')}, this trimtab reads {VERSION}"]
    if maimed(record):
        return [f"{RECORD}: a key in it was masked"]
    faults = []
    place = (record["run_id"], record["session"] or "none")
    if place != (run_id, session):
        faults.append(f"{RECORD}: of run {place[0]}, session {place[1]}, but it lies elsewhere")
    if digest(record["config"]) != record["config_digest"]:
        faults.append(f"{RECORD}: its config is not the one of its config_digest")
    own = record["plan"]
    if own is None:
        return faults
    if not plan_digest(own) == own["plan_digest"] == record["plan_digest"]:
        faults.append(f"{RECORD}: its plan is not the one of its plan_digest")
    key = plan_key(record)
    if plan is None:
        faults.append(f"{key}: not there")
    elif plan != canonical(own):
        faults.append(f"{key}: another plan than the record's")
    return faults
