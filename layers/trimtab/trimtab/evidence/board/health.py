"""Health: what was refused, how fresh the prices were, and when configuration or code changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from trimtab.core.risk import RULES
from trimtab.evidence.words import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.bars import Bars
    from trimtab.core.record import Document

__all__ = ["changes", "differences", "freshness", "kinds"]

ABOUT = {
    "config_digest": "configuration",
    "code_digest": "code",
    "version": "version",
}
"""What a run is made of, by the column of `runs`."""
OF_ACCOUNT = frozenset(
    {
        "account_status",
        "account_blocked",
        "currency",
        "short_position",
        "split_value",
        "equity_identity",
        "open_orders",
    }
)
OF_PLAN = frozenset(rule.__name__ for rule in RULES)


def kinds(checks: pl.DataFrame) -> pl.DataFrame:
    """Say of each check what it looks at: `plan`, `account` or `prices`; those that refused come first."""
    about = [
        "plan" if rule in OF_PLAN else "account" if rule in OF_ACCOUNT else "prices"
        for rule in checks["rule"].to_list()
    ]
    named = checks.with_columns(pl.Series("about", about, dtype=pl.String))
    return named.sort("last_refused", "rule", descending=[True, False], nulls_last=True)


def changes(runs: pl.DataFrame) -> pl.DataFrame:
    """Give the runs that ran another configuration, code or version than the one before, newest first.

    Columns: session, run_id, before (the run before), what, from, to; digests are cut to 12 digits.
    """
    rows = []
    past: dict[str, tuple[str, str]] = {}
    for run in runs.iter_rows(named=True):
        for column, what in ABOUT.items():
            now = run[column]
            if now is None:
                continue
            known = past.get(column)
            if known is not None and known[0] != now:
                rows.append((run["session"], run["run_id"], known[1], what, known[0][:12], now[:12]))
            past[column] = (now, run["run_id"])
    names = ("session", "run_id", "before", "what", "from", "to")
    return pl.DataFrame(rows[::-1], schema=dict.fromkeys(names, pl.String()), orient="row")


def differences(before: Document, after: Document) -> list[tuple[str, str, str]]:
    """Give the keys in which two configurations differ, with both values as JSON writes them."""
    one, other = _flat(before, ""), _flat(after, "")
    keys = sorted({*one, *other})
    return [(k, one.get(k, NOTHING), other.get(k, NOTHING)) for k in keys if one.get(k) != other.get(k)]


def _flat(node: Mapping[str, object], prefix: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in node.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = str(value)
    return found


def freshness(bars: Bars) -> pl.DataFrame:
    """Give the last session that each symbol has a bar of: symbol, last, close (USD), behind (sessions).

    `behind` counts from the newest session among them; the stalest comes first.
    """
    rows = []
    for j, symbol in enumerate(bars.symbols):
        known = [i for i, price in enumerate(bars.close[:, j].tolist()) if price == price]  # noqa: PLR0124 - not NaN
        last = known[-1] if known else None
        day = None if last is None else bars.sessions[last].item()
        close = None if last is None else float(bars.close[last, j])
        rows.append((symbol, day, close, len(bars.sessions) - 1 - (-1 if last is None else last)))
    schema = {"symbol": pl.String(), "last": pl.Date(), "close": pl.Float64(), "behind": pl.Int64()}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("behind", "symbol", descending=[True, False])
