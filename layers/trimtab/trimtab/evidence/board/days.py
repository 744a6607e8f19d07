"""Days: what became of each session, with those on which nobody woke the bot shown as missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl

from trimtab.core.nyse import sessions
from trimtab.core.schedule import session_of

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["MEANINGS", "MISSING", "calendar", "until"]

MISSING = "missing"
DRY = "dry_run"
MEANINGS = {
    "traded": "orders were sent, and the plan is done",
    "in_band": "every holding was where it should be, or held for its reason",
    "not_due": "the period was decided already; nothing was left to trade",
    "dry_run": "only dry runs: nothing was sent",
    "closed": "the run came outside of trading hours",
    "halted": "a doubt, a rule or the owner stopped the run before its first order",
    "interrupted": "a run sent an order and did not finish",
    "missing": "the exchange was open, and no run is recorded",
}
"""Every outcome of a day, best first, and what it means."""
ORDER = tuple(MEANINGS)


@dataclass(frozen=True, slots=True)
class _Day:
    outcome: str
    runs: int
    reason: str


def until(runs: pl.DataFrame, now: datetime) -> date | None:
    """Give the last session that ought to have a run: yesterday's, or of a simulated clock its last run's.

    None before the first run.
    """
    known = runs.filter(pl.col("session").is_not_null())
    if known.is_empty():
        return None
    last = date.fromisoformat(str(known["session"].max()))
    if known["mode"][-1] == "simulated":
        return last
    return max(last, session_of(now) - timedelta(days=1))


def calendar(runs: pl.DataFrame, last: date | None) -> pl.DataFrame:
    """Give each session from the first run's to `last`: session, outcome, runs, reason.

    The best outcome of a day's runs counts, since a later run heals an earlier one; dry runs count where
    there are no others. Days without a session are left out, and missing ones counted only from the first
    run on that was not dry.
    """
    found = _by_session(runs)
    schema = {"session": pl.Date(), "outcome": pl.String(), "runs": pl.Int64(), "reason": pl.String()}
    if not found or last is None:
        return pl.DataFrame(schema=schema)
    real = [day for day, kept in found.items() if kept.outcome != DRY]
    begun = min(real, default=last + timedelta(days=1))
    rows = []
    for day in sorted({*found, *sessions(min(found), last)}):
        if day in found:
            rows.append((day, found[day].outcome, found[day].runs, found[day].reason))
        elif day >= begun:
            rows.append((day, MISSING, 0, "no run is recorded"))
    return pl.DataFrame(rows, schema=schema, orient="row")


def _by_session(runs: pl.DataFrame) -> dict[date, _Day]:
    days: dict[date, _Day] = {}
    columns = runs.select("session", "outcome", "dry_run", "reason").iter_rows()
    for session, outcome, dry, reason in columns:
        if session is None or (outcome == "closed" and not sessions(*[date.fromisoformat(session)] * 2)):
            continue
        day = date.fromisoformat(session)
        name = DRY if dry else str(outcome)
        before = days.get(day)
        count = 1 if before is None else before.runs + 1
        better = before is None or _rank(name) <= _rank(before.outcome)
        kept = (name, str(reason or "")) if before is None or better else (before.outcome, before.reason)
        days[day] = _Day(kept[0], count, kept[1])
    return days


def _rank(outcome: str) -> int:
    """Give the place of an outcome among all, the best first; a dry run is behind whatever was real."""
    if outcome == DRY:
        return len(ORDER)
    return ORDER.index(outcome) if outcome in ORDER else len(ORDER) - 1
