"""Diff: what changed from one recorded run to another, and what made their plans differ.

Read from the records alone. Money is in USD, weights and moves are fractions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.record import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from trimtab.core.record import Document

__all__ = ["diff"]

HEAD = ("run_id", "session", "outcome", "reason", "dry_run")
CODE = ("code_version", "code_digest")
ABSENT = "absent"
"""What stands for a key that one of two configurations lacks."""


def diff(records: Sequence[Document]) -> Document:
    """Give what differs between the first and the last of some records, in the order of their runs.

    Those between tell what came in meanwhile: a flow stands in the record of the run that saw it first.
    """
    first, *later = records
    second = later[-1] if later else first
    seen = [record for record in later if record is second or not record["dry_run"]]
    flows = sum(float(flow["amount"]) for record in seen for flow in record.get("flows", []))
    return {
        "runs": [{name: record[name] for name in HEAD} for record in (first, second)],
        "code": [
            {"key": name, "first": first[name], "second": second[name]}
            for name in CODE
            if first[name] != second[name]
        ],
        "config": list(_config(first["config"], second["config"])),
        "prices": _moves(first["closes"], second["closes"], relative=True),
        "weights": _moves(first["weights"], second["weights"], relative=False),
        "money": _money(first, second, flows),
        "plan": _plans(first, second, flows),
    }


def _config(first: object, second: object, path: str = "") -> Iterator[Document]:
    """Give each key that differs, in both; a key that one lacks is `absent` there."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted({*first, *second}):
            below = f"{path}.{key}" if path else key
            yield from _config(first.get(key, ABSENT), second.get(key, ABSENT), below)
    elif canonical(first) != canonical(second):
        yield {"key": path, "first": first, "second": second}


def _moves(first: Mapping[str, str], second: Mapping[str, str], *, relative: bool) -> list[Document]:
    """Give each symbol whose number changed, and by how much: as a fraction of the first, or as it is."""
    rows = []
    for symbol in sorted({*first, *second}):
        a, b = first.get(symbol), second.get(symbol)
        if a == b:
            continue
        change = None
        if a is not None and b is not None:
            change = float(b) / float(a) - 1 if relative else float(b) - float(a)
        rows.append({"symbol": symbol, "first": a, "second": b, "change": change})
    return rows


def _money(first: Document, second: Document, flows: float) -> Document:
    """Split the change of the sizing equity: what prices did, what came in, and the rest (trades, dividends).

    Prices act on what was held when the first run ended. None where a run did not get to its equity.
    """
    equity = [None if record["equity"] is None else float(record["equity"]) for record in (first, second)]
    if equity[0] is None or equity[1] is None:
        return {"equity": equity, "change": None, "prices": None, "flows": flows, "rest": None}
    change = equity[1] - equity[0]
    old, new = first["closes"], second["closes"]
    held = first["positions_after"] or first["positions_before"]
    moved = sum(
        float(row["qty"]) * (float(new[row["symbol"]]) - float(old[row["symbol"]]))
        for row in held
        if row["symbol"] in old and row["symbol"] in new
    )
    rest = change - moved - flows
    return {"equity": equity, "change": change, "prices": moved, "flows": flows, "rest": rest}


def _plans(first: Document, second: Document, flows: float) -> list[Document]:
    """Give each symbol that the two plans treat otherwise, and which of its inputs changed."""
    sides = [_decided(record) for record in (first, second)]
    rows = []
    for symbol in sorted({*sides[0], *sides[1]}):
        a, b = (side.get(symbol) for side in sides)
        if a != b:
            causes = _causes(first, second, flows, symbol)
            rows.append({"symbol": symbol, "first": a, "second": b, "because": causes})
    return rows


def _decided(record: Document) -> dict[str, str]:
    """Give what a plan does with each symbol, in a few words."""
    orders = {
        row["symbol"]: f"{row['side']} {row['qty']} ({_code(row['reason'])})" for row in record["planned"]
    }
    return {row["symbol"]: f"hold ({_code(row['reason'])})" for row in record["holds"]} | orders


def _code(reason: str) -> str:
    return reason.partition(":")[0]


def _causes(first: Document, second: Document, flows: float, symbol: str) -> list[str]:
    """Name what decides a symbol's order and is not the same in both."""
    held = [{row["symbol"]: row["qty"] for row in record["positions_before"]} for record in (first, second)]
    same = {
        "weight": first["weights"].get(symbol) == second["weights"].get(symbol),
        "price": first["closes"].get(symbol) == second["closes"].get(symbol),
        "holding": held[0].get(symbol) == held[1].get(symbol),
        "equity": first["equity"] == second["equity"],
        "flows": not flows,
        "config": first["config_digest"] == second["config_digest"],
        "code": first["code_digest"] == second["code_digest"],
    }
    return [name for name, is_same in same.items() if not is_same]
