"""Ledger: what the store says of past runs, read and never written."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from trimtab.core.masking import maimed
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from trimtab.core.record import Document
    from trimtab.ports import Store, Trades

__all__ = [
    "REPAIR",
    "Found",
    "Tables",
    "Wanted",
    "equity_of",
    "find_run",
    "found",
    "read_unsealed",
    "recent_portfolios",
    "recent_runs",
    "run_keys",
    "warnings_of",
]

REPAIR = "bring it back from a copy, or move its folder away: trimtab verify names every such file"
"""What to do about a damaged file of a run."""
Row = dict[str, Any]

HISTORY = """
SELECT run_id, session, mode, dry_run, outcome, stage, code, reason, started_at, finished_at, equity, cash,
  plan_digest, data_age_s,
  (SELECT COUNT(*) FROM orders WHERE orders.run_id = runs.run_id) AS orders,
  (SELECT COUNT(*) FROM events WHERE events.run_id = runs.run_id AND level = 'warning') AS warnings
FROM runs WHERE portfolio = ? {}
ORDER BY substr(run_id, 1, 16) DESC, runs.rowid DESC LIMIT ?
"""
"""Newest first by the time in a run's id: a run that could not read the broker's clock has no other."""

FOUND = """
SELECT run_id, session, cash, CASE
  WHEN outcome = 'traded' OR EXISTS (
    SELECT 1 FROM positions AS p WHERE p.run_id = r.run_id AND phase = 'after') THEN 'after'
  ELSE 'before' END AS phase
FROM runs AS r WHERE portfolio = ? AND (
  EXISTS (SELECT 1 FROM positions AS p WHERE p.run_id = r.run_id)
  OR EXISTS (SELECT 1 FROM verdicts AS v WHERE v.run_id = r.run_id AND rule = 'equity_identity'))
ORDER BY substr(run_id, 1, 16) DESC, r.rowid DESC LIMIT 1
"""
"""The newest run that read the holdings: it judged at once whether they add up, also where there are none."""

HOLDINGS = """
SELECT symbol, qty, price, market_value, weight AS target
FROM positions LEFT JOIN targets USING (run_id, symbol) WHERE run_id = ? AND phase = ?
UNION ALL
SELECT symbol, '0', NULL, '0.00', weight FROM targets AS t
WHERE run_id = ? AND CAST(weight AS REAL) > 0 AND NOT EXISTS (
  SELECT 1 FROM positions AS p WHERE p.run_id = t.run_id AND p.symbol = t.symbol AND phase = ?)
ORDER BY symbol
"""
WARNINGS = """
SELECT DISTINCT message FROM events WHERE level = 'warning' AND run_id IN (?, ?) ORDER BY message
"""
PORTFOLIOS = """
SELECT DISTINCT portfolio FROM runs ORDER BY portfolio
"""
EQUITY = """
SELECT equity FROM equity WHERE portfolio = ? ORDER BY at DESC LIMIT 1
"""


class Tables(Protocol):
    """trades.db, whoever reads it."""

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, object]]:
        """Give the rows of a read-only query as dicts."""


class Found(NamedTuple):
    """What the newest run that read the holdings left held: shares and USD, as texts.

    `rows` hold symbol, qty, price, market_value, target and the run's session and id; a target of which
    nothing is held is there, too.
    `cash` is of the same moment: after the run's trades, or as it read it where it did not trade.
    """

    run_id: str
    session: str | None
    cash: str | None
    rows: list[Row]


def recent_portfolios(trades: Trades) -> list[Row]:
    """Give the portfolios that have a run: `portfolio`, in ascending order."""
    return trades.query(PORTFOLIOS, ())


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs are asked for: any, but for what is said.

    Sessions are from `since` to `until`, inclusive; `symbol` is one that the run ordered.
    """

    since: date | None = None
    until: date | None = None
    outcomes: tuple[str, ...] = ()
    symbol: str | None = None

    def sql(self) -> tuple[str, tuple[object, ...]]:
        """Give the conditions that follow a WHERE, and their parameters."""
        parts: list[tuple[str, tuple[object, ...]]] = []
        if self.since is not None:
            parts.append(("session >= ?", (self.since.isoformat(),)))
        if self.until is not None:
            parts.append(("session <= ?", (self.until.isoformat(),)))
        if self.outcomes:
            parts.append((f"outcome IN ({', '.join('?' * len(self.outcomes))})", self.outcomes))
        if self.symbol is not None:
            ordered = "SELECT 1 FROM orders WHERE orders.run_id = runs.run_id AND symbol = ?"
            parts.append((f"EXISTS ({ordered})", (self.symbol,)))
        return "".join(f" AND {text}" for text, _ in parts), tuple(v for _, some in parts for v in some)


def recent_runs(trades: Trades, portfolio: str, limit: int, wanted: Wanted = Wanted()) -> list[Row]:
    """Give the last runs of a portfolio that are asked for, newest first."""
    conditions, values = wanted.sql()
    rows = trades.query(HISTORY.format(conditions), (portfolio, *values, limit))
    return [row | {"dry_run": bool(row["dry_run"])} for row in rows]


def warnings_of(trades: Trades, *run_ids: str) -> list[str]:
    """Give what two runs warned of."""
    return [str(row["message"]) for row in trades.query(WARNINGS, run_ids)]


def found(trades: Tables, portfolio: str) -> Found | None:
    """Give what the newest run that read the holdings left held, dry or not; None where none has."""
    runs = trades.query(FOUND, (portfolio,))
    if not runs:
        return None
    run_id, session, cash, phase = runs[0].values()
    rows = trades.query(HOLDINGS, (run_id, phase, run_id, phase))
    told = [row | {"session": session, "run_id": run_id} for row in rows]
    return Found(str(run_id), _text(session), _text(cash), told)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def equity_of(trades: Trades, portfolio: str) -> str | None:
    """Give what the newest run that came to it was sized with, USD."""
    rows = trades.query(EQUITY, (portfolio,))
    return str(rows[0]["equity"]) if rows else None


def run_keys(store: Store, portfolio: str) -> dict[str, str]:
    """Give the folder of every recorded run by its id, oldest first."""
    folders = {key.rsplit("/", 1)[0] for key in store.list(f"runs/{portfolio}/")}
    return {folder.rsplit("/", 1)[1]: folder for folder in sorted(folders, key=lambda f: f.rsplit("/", 1)[1])}


def find_run(keys: dict[str, str], wanted: str, latest: str | None = None) -> str:
    """Give the id that `wanted` stands for: an id, the start of exactly one, or `last`.

    `latest` is the last run where that is known; else `last` is the one with the last id.

    Raises:
        Misconfigured: it stands for none, or for several.
    """
    if wanted == "last" and keys:
        return latest if latest in keys else list(keys)[-1]
    if wanted in keys:
        return wanted
    found = [run_id for run_id in keys if run_id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise Misconfigured(
            "ambiguous_run",
            f"{len(found)} runs begin with {wanted}",
            seen=wanted,
            allowed=_some(found),
            hint="write more of the id",
        )
    near = difflib.get_close_matches(wanted, keys, n=1, cutoff=0.5)
    raise Misconfigured(
        "unknown_run",
        "the store holds no such run",
        seen=wanted,
        allowed=_some(list(keys)) if keys else "nothing: no run is recorded yet",
        hint=f"did you mean {near[0]}?" if near else "trimtab history lists them",
    )


def _some(ids: list[str]) -> str:
    """Name the last three."""
    return ("… " if len(ids) > 3 else "") + ", ".join(ids[-3:])  # noqa: PLR2004 - enough to recognise


def read_unsealed(store: Store, folder: str) -> tuple[Document, bool]:
    """Give a run's record, and whether it was written to its end.

    Raises:
        Misconfigured: the run died before its record, or the record is damaged.
    """
    blob = store.get(f"{folder}/record.json")
    if blob is None:
        raise Misconfigured(
            "dead_run",
            "that run died before it wrote its record",
            seen=folder,
            allowed="a run that came to its end",
            hint="run again: the same session finishes its plan, and the next run records what was traded",
        )
    try:
        record: Document = json.loads(blob)
    except ValueError as error:
        raise Misconfigured(
            "damaged_record",
            f"{folder}/record.json is no JSON",
            seen=error,
            allowed="the record as it was written",
            hint=REPAIR,
        ) from None
    if maimed(record):
        raise Misconfigured(
            "damaged_record",
            f"{folder}/record.json has a key that was masked",
            seen=folder,
            allowed="a record with all of its keys",
            hint=REPAIR,
        )
    return record, store.get(f"{folder}/SHA256SUMS") is not None
