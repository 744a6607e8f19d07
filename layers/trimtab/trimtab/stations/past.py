"""Past: what earlier runs left in the store: their records, their decisions, and what they did not finish."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from datetime import date, timedelta
from typing import TYPE_CHECKING

from trimtab.core.masking import MASK, maimed
from trimtab.core.record import VERSION, rows
from trimtab.core.schedule import earlier_in_period
from trimtab.errors import Halted
from trimtab.stations.arrive import Ended

if TYPE_CHECKING:
    from trimtab.core.bars import Bars
    from trimtab.core.mandate import Mandate
    from trimtab.core.record import Document, Rows
    from trimtab.ports import Store, Trades, World
    from trimtab.stations.arrive import Today
    from trimtab.stations.evidence import Evidence

SUMS = "/SHA256SUMS"
LONG_PAUSE_DAYS = 14
"""After more days without a run, all records are looked at."""
COMPLETED = frozenset({"traded", "in_band"})
"""The outcomes of a run whose plan is done."""


def folders(store: Store, prefix: str) -> list[str]:
    """Give the folders of the runs under `prefix` that were written to their end, oldest first."""
    return sorted(key.removesuffix(SUMS) for key in store.list(prefix) if key.endswith(SUMS))


def read_record(store: Store, folder: str) -> Document:
    """Give a run's record, held against its sum.

    Raises:
        Halted: it is not what was written, or was written without a key.
    """
    sums, blob = store.get(f"{folder}{SUMS}") or b"", store.get(f"{folder}/record.json") or b""
    line = f"{hashlib.sha256(blob).hexdigest()}  record.json"
    whole = line in sums.decode("utf-8", "replace").splitlines()
    record: Document = json.loads(blob) if whole else {}
    torn = MASK.encode() in blob and maimed(record)
    if record.get("version") != VERSION or torn:
        version = "a key that was masked" if torn else f"version {record.get('version')}"
        raise Halted(
            "record_damaged",
            f"{folder}/record.json is not the record that was written",
            seen=version if whole else "another content than its SHA256SUMS says",
            allowed=f"a record as it was written, of version {VERSION}",
            hint="restore it from a copy of the store, or move its folder away",
        )
    return record


def complete_records(store: Store, portfolio: str, session: date) -> list[Document]:
    """Give the records of a session that were written to their end, oldest first.

    Raises:
        Halted: one is damaged.
    """
    return [read_record(store, folder) for folder in folders(store, f"runs/{portfolio}/{session}/")]


def import_records(world: World, mandate: Mandate, evidence: Evidence) -> None:
    """Bring the complete records into trades.db that it lacks; a dry run leaves it alone.

    Looked at are the days from the newest session that trades.db knows to now: all, where it knows none. A
    trades.db that is damaged is set aside and made anew: the rules that look back must not read it.

    Raises:
        Halted: a record is damaged.
    """
    if mandate.dry_run:
        return
    if (damage := world.trades.damage()) is not None:
        made = rebuild(world.store, world.trades)
        text = f"trades.db was damaged ({damage}), and is made anew from the records of {made} runs"
        evidence.note("warning", "record", "rebuilt", text)
    known = world.trades.query("SELECT run_id, session FROM runs WHERE portfolio = ?", (mandate.portfolio,))
    there = {str(row["run_id"]) for row in known}
    newest = max((str(row["session"]) for row in known if row["session"]), default=None)
    for prefix in _unsure(mandate.portfolio, newest, evidence.session):
        for folder in folders(world.store, prefix):
            run_id = folder.rsplit("/", 1)[1]
            if run_id not in there:
                world.trades.add(rows(read_record(world.store, folder)))
                text = f"{run_id} was recorded, but not in trades.db"
                evidence.note("warning", "record", "recovered", text)


def rebuild(store: Store, trades: Trades) -> int:
    """Make trades.db anew from all records and events of the store; count the runs.

    The old file is set aside once the new one is whole.

    Raises:
        Halted: a record is damaged; then trades.db stays as it is.
        OSError: the store or the file can't be read or written.
    """
    runs, whole = gathered(store)
    with trades.anew() as fresh:
        fresh.add(whole)  # at once: a transaction for each record would wait for the disk each time
    return runs


def gathered(store: Store) -> tuple[int, Rows]:
    """Count the recorded runs, and give the rows of all records and events, in the order of time.

    Raises:
        Halted: a record is damaged.
        OSError: the store can't be read.
    """
    told: list[tuple[str, bool, str, Rows]] = []
    for folder in folders(store, "runs/"):
        record = read_record(store, folder)
        at = record["finished_at"] or record["run_id"].partition("-")[0]
        plan = record["plan"]
        follows = plan is not None and plan["run_id"] != record["run_id"]
        told.append((_digits(at), follows, record["run_id"], rows(record)))
    runs = len(told)
    events = (_event(store.get(key)) for key in store.list("events/"))
    told += [(_digits(event["at"]), False, event["id"], {"events": [event]}) for event in events if event]
    whole: Rows = {}
    for *_, some in sorted(told, key=lambda row: row[:3]):
        for table, of_it in some.items():
            whole.setdefault(table, []).extend(of_it)
    return runs, whole


def _digits(moment: str) -> str:
    """Give an instant as 20 digits, to the microsecond: a run's id and a record write it otherwise."""
    return "".join(letter for letter in moment if letter.isdigit()).ljust(20, "0")


def _event(blob: bytes | None) -> Document | None:
    """Give the row of a halt or a resume; None of a latch, which its run's record tells of, and of others."""
    with suppress(ValueError, KeyError, TypeError):
        event = json.loads(blob or b"null")
        return None if event["code"] == "latch" else {name: event[name] for name in _EVENT}
    return None


_EVENT = ("id", "at", "run_id", "level", "stage", "code", "message")


def _unsure(portfolio: str, newest: str | None, session: date | None) -> list[str]:
    """Give the folders whose records trades.db may lack: a day each, or the whole portfolio's."""
    whole = f"runs/{portfolio}/"
    if newest is None or session is None:
        return [whole]
    first = date.fromisoformat(newest)
    days = (session - first).days
    if not 0 <= days <= LONG_PAUSE_DAYS:
        return [whole]
    return [f"{whole}{first + timedelta(days=n)}/" for n in range(days + 1)]


def last_inputs(world: World, mandate: Mandate, evidence: Evidence) -> Bars | None:
    """Give the bars that the last run of this configuration saw, or None where none can be read."""
    runs = world.trades.query(
        "SELECT session, run_id FROM runs WHERE portfolio = ? AND config_digest = ?"
        " AND inputs_digest IS NOT NULL ORDER BY run_id DESC LIMIT 1",
        (mandate.portfolio, mandate.config_digest),
    )
    if not runs:
        return None
    name = f"runs/{mandate.portfolio}/{runs[0]['session']}/{runs[0]['run_id']}/inputs.parquet"
    data = world.store.get(name)
    if data is None:  # cleared away, as old inputs are
        return None
    try:
        return world.read_inputs(data)
    except ValueError:
        evidence.note(
            "warning", "validate", "inputs_damaged", f"{name} can't be read: nothing is compared with it"
        )
        return None


def ending(store: Store, mandate: Mandate, session: date, plan: Document) -> Document | None:
    """Give the complete record which says that this plan was traded to its end, or None.

    Raises:
        Halted: a record is damaged.
    """
    records = complete_records(store, mandate.portfolio, session)
    return next((r for r in records if _completed(r) and r["plan_digest"] == plan["plan_digest"]), None)


def _completed(record: Document) -> bool:
    return record["outcome"] in COMPLETED and not record["dry_run"]


def due(store: Store, mandate: Mandate, today: Today) -> Document | None:
    """Give the period's decision that today goes on with, or None when today decides.

    Raises:
        Ended: `not_due`: the period is decided, and nothing was left short.
        Halted: a record is damaged.
    """
    decision = last_decision(store, mandate, today)
    if decision is not None and not decision["pending"]:
        reason = f"not_due: decided on {decision['session']}, nothing left to trade until the next period"
        raise Ended("not_due", "not_due", reason)
    return decision


def last_decision(store: Store, mandate: Mandate, today: Today) -> Document | None:
    """Give the newest decision of this period that a run carried out, or None.

    A run that was halted, or did not finish, has decided nothing: its record shows what it would have done.

    Raises:
        Halted: a record is damaged.
    """
    for day in earlier_in_period(today.calendar, today.session, mandate.interval):
        for record in reversed(complete_records(store, mandate.portfolio, day)):
            if record["decision"] is not None and _completed(record):
                decision: Document = record["decision"]
                return decision
    return None
