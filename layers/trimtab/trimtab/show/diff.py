"""Diff: what changed between two runs, a table for each kind of cause and one for the plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.show.page import Column, percent, table, usd

if TYPE_CHECKING:
    from trimtab.core.record import Document
    from trimtab.show.page import Page

__all__ = ["diff_text"]

DIGEST = 12
"""Characters of a digest that are shown."""


def diff_text(document: Document, page: Page) -> str:
    """Lay out what differs; what is the same is not told but in one line."""
    parts = [
        "\n".join(_run(*named, page) for named in zip(("first", "second"), document["runs"], strict=True)),
        _keys("Code", document["code"], page),
        _keys("Configuration", document["config"], page),
        _moves("Prices, USD", document["prices"], page),
        _moves("Weights asked", document["weights"], page),
        _money(document["money"], page),
        _plans(document["plan"], page),
        _same(document),
    ]
    return "\n\n".join(part for part in parts if part)


def _run(name: str, run: Document, page: Page) -> str:
    dry = ", dry run" if run["dry_run"] else ""
    head = page.paint(f"{name:<6}  {run['run_id']}", "bold")
    said = page.wrap(f"        {run['reason']}", " " * 8)
    return f"{head}, session {run['session'] or 'unknown'}{dry}\n{said}"


def _keys(title: str, rows: list[Document], page: Page) -> str:
    columns = (Column("key"), Column("first"), Column("second"))
    cut = DIGEST if title == "Code" else None
    cells = [(row["key"], str(row["first"])[:cut], str(row["second"])[:cut]) for row in rows]
    return table(page, title, columns, cells)


def _moves(title: str, rows: list[Document], page: Page) -> str:
    columns = (
        *(Column("symbol"), Column("first", right=True)),
        *(Column("second", right=True), Column("change", right=True)),
    )
    shown = usd if title.startswith("Prices") else percent
    cells = [
        (row["symbol"], shown(row["first"]), shown(row["second"]), _signed(row["change"])) for row in rows
    ]
    return table(page, title, columns, cells)


def _signed(change: float | None) -> str:
    return "-" if change is None else f"{change:+.2%}"


def _money(money: Document, page: Page) -> str:
    if not money["change"]:
        return ""
    names = {
        "prices": "prices",
        "flows": "deposits and withdrawals",
        "rest": "trades, dividends and the rest",
    }
    cells = [("first", usd(money["equity"][0])), *((name, usd(money[key])) for key, name in names.items())]
    cells.append(("second", usd(money["equity"][1])))
    return table(page, "Equity", (Column("run"), Column("USD", right=True)), cells)


def _plans(rows: list[Document], page: Page) -> str:
    columns = (Column("symbol"), Column("first"), Column("second"), Column("what is not the same"))
    cells = [
        (row["symbol"], row["first"] or "-", row["second"] or "-", ", ".join(row["because"]) or "unknown")
        for row in rows
    ]
    return table(page, "Plans", columns, cells)


def _same(document: Document) -> str:
    """Name what did not change."""
    names = [name for name in ("code", "config", "prices", "weights", "plan") if not document[name]]
    return f"the same in both: {', '.join(names)}" if names else ""
