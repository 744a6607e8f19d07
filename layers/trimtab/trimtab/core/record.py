"""Record: what a run leaves behind, as canonical JSON, its digests, and its rows for trades.db."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from trimtab.core.bars import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.core.bars import Bars

VERSION = 1
"""The version of record.json and of the stored plan; old ones stay readable."""

Document = dict[str, Any]
"""A JSON object."""

Rows = dict[str, list[dict[str, object]]]
"""Rows to write, by table."""

PLAN_DIGEST_LEAVES_OUT = frozenset({"nonce", "host", "run_id", "made_at", "plan_digest"})
"""What two runs that plan the same trades may differ in."""


def canonical(document: object) -> bytes:
    """Write JSON with sorted keys and no blanks: the same document always gives the same bytes.

    Raises:
        ValueError: a number in it is not finite.
    """
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode(errors="backslashreplace")  # half a surrogate pair, in JSON's own notation


def json_line(entry: Document) -> str:
    """Write a log's entry as one line of JSON; what JSON does not have as its text."""
    return json.dumps(entry, ensure_ascii=False, default=str)


def digest(document: object) -> str:
    """Give the SHA-256 (hex) of a document's canonical JSON."""
    return hashlib.sha256(canonical(document)).hexdigest()


def plan_digest(plan: Mapping[str, object]) -> str:
    """Give the digest of a stored plan's content: what it trades and what made it so."""
    return digest({key: value for key, value in plan.items() if key not in PLAN_DIGEST_LEAVES_OUT})


def inputs_digest(bars: Bars) -> str:
    """Give the digest of the bars' content: symbols, sessions and every column's bytes."""
    return _content(bars, (*FIELDS, "raw_close"))


def prices_digest(bars: Bars) -> str:
    """Give the digest of the bars' prices: trades after the close still move a day's volume, but no price."""
    return _content(bars, [name for name in (*FIELDS, "raw_close") if name != "volume"])


def _content(bars: Bars, columns: Iterable[str]) -> str:
    whole = hashlib.sha256(canonical([list(bars.symbols), bars.sessions.astype(str).tolist()]))
    for name in columns:
        whole.update(getattr(bars, name).astype("<f8").tobytes())
    return whole.hexdigest()


def account_hash(account_number: str, portfolio: str) -> str:
    """Give h8: the first 8 hex digits of SHA-256 of `account_number/portfolio`."""
    return hashlib.sha256(f"{account_number}/{portfolio}".encode()).hexdigest()[:8]


_RUN_COLUMNS = (
    "run_id",
    "portfolio",
    "session",
    "mode",
    "outcome",
    "stage",
    "reason",
    "started_at",
    "finished_at",
    "equity",
    "cash",
    "plan_digest",
    "inputs_digest",
    "config_digest",
)
_ORDER_COLUMNS = (
    "client_order_id",
    "symbol",
    "side",
    "type",
    "qty",
    "limit_price",
    "status",
    "filled_qty",
    "filled_avg_price",
    "submitted_at",
    "finished_at",
    "reason",
)
_ARRIVAL_COLUMNS = ("arrival_bid", "arrival_ask", "arrival_price")
_VERDICT_COLUMNS = ("rule", "subject", "seen", "allowed", "detail")


def rows(record: Document) -> Rows:
    """Give the rows of trades.db that a record stands for."""
    run_id, portfolio, session = record["run_id"], record["portfolio"], record["session"]
    run = {name: record[name] for name in _RUN_COLUMNS}
    run |= {"dry_run": int(record["dry_run"]), "version": record["code_version"]}
    run |= {name: record.get(name) for name in ("code", "code_digest", "resumed", "data_age_s")}
    of_run = {"run_id": run_id}
    weights = sorted(record["weights"].items())
    equity = [
        {
            "portfolio": portfolio,
            "session": session,
            "at": record["finished_at"],
            "equity": record["equity"],
            "cash": record["cash"],
            "run_id": run_id,
            "account_equity": None if record["dry_run"] else record.get("account_equity"),
        }
    ]
    flows = [] if record["dry_run"] else record.get("flows", [])  # a dry run takes nothing as seen
    return {
        "runs": [run],
        "targets": [of_run | {"symbol": symbol, "weight": weight} for symbol, weight in weights],
        "positions": [
            of_run | {"phase": phase} | position
            for phase in ("before", "after")
            for position in record[f"positions_{phase}"]
        ],
        "orders": [
            {name: order[name] for name in _ORDER_COLUMNS}
            | {name: order.get(name) for name in _ARRIVAL_COLUMNS}
            | {"run_id": run_id, "portfolio": portfolio, "session": order.get("session", session)}
            for order in record["orders"]
        ],
        "fills": record["fills"],
        "verdicts": [
            of_run | {name: verdict[name] for name in _VERDICT_COLUMNS} | {"passed": int(verdict["passed"])}
            for verdict in record["verdicts"]
        ],
        "equity": equity if record["equity"] is not None else [],
        "events": [of_run | event for event in record["events"]],
        "flows": [of_run | {"portfolio": portfolio} | flow for flow in flows],
        "timings": [
            of_run | {"station": station, "seconds": seconds}
            for station, seconds in sorted(record.get("timings", {}).items())  # as record.json holds them
        ],
    }
