"""Document: what `run --json` prints, made of a run's record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.errors import Interrupted

if TYPE_CHECKING:
    from trimtab.core.record import Document
    from trimtab.errors import TrimtabError

__all__ = ["EXIT_STATUS", "exit_status", "run_document", "stopped_record"]

EXIT_STATUS = {
    "traded": 0,
    "in_band": 0,
    "closed": 0,
    "not_due": 0,
    "dry_run": 0,
    "halted": 3,
    "interrupted": 4,
}
"""The exit status of each outcome."""

HEAD = (
    *("run_id", "portfolio", "session", "mode", "dry_run", "outcome", "stage", "code", "reason"),
    *("equity", "cash", "plan_digest", "planned"),
)
ORDER = (*("client_order_id", "symbol", "side", "qty", "status", "filled_qty", "filled_avg_price", "reason"),)

_EMPTY: dict[str, Any] = {
    **dict.fromkeys(
        ("session", "equity", "cash", "plan", "plan_digest", "inputs_digest", "decision", "account")
    ),
    **dict.fromkeys(("started_at", "finished_at", "run_id")),
    **{
        name: []
        for name in (
            *("planned", "orders", "holds", "verdicts", "fills", "quotes", "events", "universe"),
            *("positions_before", "positions_after"),
        )
    },
    "weights": {},
    "closes": {},
}


def exit_status(record: Document) -> int:
    """Give the exit status of a run."""
    return EXIT_STATUS[record["outcome"]]


def run_document(record: Document) -> Document:
    """Give the contract's document of a run; `orders` are those that this run sent."""
    sent = [{name: order[name] for name in ORDER} for order in record["orders"] if order["sent"]]
    document = {name: record[name] for name in HEAD} | {
        "orders": sent,
        "holds": record["holds"],
        "verdicts": record["verdicts"],
    }
    return document | ({"error": record["error"]} if record["error"] else {})


def stopped_record(error: TrimtabError, portfolio: str, mode: str, *, dry_run: bool) -> Document:
    """Give the record of a run that could not write one: what stopped it, and what it had done, if known."""
    return (
        _EMPTY
        | (error.unrecorded or {})
        | {
            "portfolio": portfolio,
            "mode": mode,
            "dry_run": dry_run,
            "outcome": "interrupted" if isinstance(error, Interrupted) else "halted",
            "stage": error.stage or "fetch",
            "code": error.code,
            "reason": str(error),
            "error": error.document(),
        }
    )
