"""Taxes: lots and what was realised as a page for people, and sales as a file for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from trimtab.core.lots import plain
from trimtab.show.page import Column, advice, table, usd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.core.record import Document
    from trimtab.show.page import Page

__all__ = ["lots_text", "sales_csv"]

SALE = ("symbol", "qty", "acquired", "sold", "proceeds", "cost", "gain", "term", "wash_qty", "wash_loss")
"""The columns of the file of sales, beside the name of the execution."""
UNKNOWN = "unknown"


def lots_text(document: Document, symbol: str | None, year: int | None, page: Page) -> str:
    """Lay out what is held by symbol (or the lots of one), what was realised by year, and a year's sales."""
    if not document["lots"] and not document["sales"] and not document["years"]:
        of = f" of {symbol}" if symbol else ""
        return f"{document['portfolio']}: no shares{of} are recorded as held or sold"
    head = page.paint(f"{document['portfolio']}: tax lots", "bold")
    parts = [
        f"{head}\n{page.wrap(document['method'])}",
        _lots(document, page) if symbol else _symbols(document, page),
        _years(document["years"], page),
        _sales(document["sales"], page) if symbol or year else "",
        _notes(document, page),
        "" if symbol or year else advice("each lot, or each sale of a year", _more(document)),
    ]
    return "\n\n".join(part for part in parts if part)


def _more(document: Document) -> str:
    year = document["years"][-1]["year"] if document["years"] else None
    return f"trimtab lots --year {year}" if year else "trimtab lots SYMBOL"


def _symbols(document: Document, page: Page) -> str:
    """Lay out the lots put together by symbol: gains by term, had they been sold at the last close."""
    columns = (
        *(Column("symbol"), Column("lots", right=True), Column("shares", right=True)),
        *(Column("basis USD", right=True), Column("worth USD", right=True)),
        *(Column("short USD", right=True), Column("long USD", right=True)),
    )
    by_symbol: dict[str, list[Document]] = defaultdict(list)
    for lot in document["lots"]:
        by_symbol[lot["symbol"]].append(lot)
    rows = [_symbol(symbol, lots) for symbol, lots in by_symbol.items()]
    if len(rows) > 1:
        rows.append(_symbol("all", document["lots"], together=True))
    return table(
        page, f"Held as of session {document['as_of'] or UNKNOWN}, gains not realised", columns, rows
    )


def _symbol(symbol: str, lots: list[Document], *, together: bool = False) -> tuple[str, ...]:
    gains = [_total(lot["gain"] for lot in lots if lot["term"] == kind) for kind in ("short", "long")]
    shares = "" if together else plain(sum((Decimal(lot["qty"]) for lot in lots), Decimal(0)))
    basis = UNKNOWN if any(lot["cost"] is None for lot in lots) else usd(_total(lot["cost"] for lot in lots))
    value = _total(lot["value"] for lot in lots)
    return (symbol, str(len(lots)), shares, basis, usd(value), *map(usd, gains))


def _total(values: Iterable[str | None]) -> Decimal | None:
    """Add up what is known; None where nothing is."""
    known = [Decimal(value) for value in values if value is not None]
    return sum(known, Decimal(0)) if known else None


def _lots(document: Document, page: Page) -> str:
    columns = (
        *(Column("bought"), Column("shares", right=True), Column("at USD", right=True)),
        *(Column("basis USD", right=True), Column("gain USD", right=True)),
        *(Column("days", right=True), Column("term")),
    )
    rows = [
        (
            *(lot["acquired"] or UNKNOWN, lot["qty"], _each(lot), usd(lot["cost"]), usd(lot["gain"])),
            *("-" if lot["days"] is None else str(lot["days"]), lot["term"]),
        )
        for lot in document["lots"]
    ]
    names = ", ".join(dict.fromkeys(lot["symbol"] for lot in document["lots"]))
    return table(page, f"Lots of {names}, the first to be sold first", columns, rows)


def _each(lot: Document) -> str:
    return "-" if lot["cost"] is None else usd(Decimal(lot["cost"]) / Decimal(lot["qty"]))


def _years(years: list[Document], page: Page) -> str:
    columns = (
        *(Column("year"), Column("term"), Column("sales", right=True)),
        *(Column("proceeds USD", right=True), Column("basis USD", right=True)),
        *(Column("gain USD", right=True), Column("wash sales USD", right=True)),
    )
    rows = [
        (
            *(str(row["year"]), row["term"], str(row["sales"]), usd(row["proceeds"])),
            *(usd(row["cost"]), usd(row["gain"]), usd(row["wash_loss"])),
        )
        for row in years
    ]
    return table(page, "Realised", columns, rows)


def _sales(sales: list[Document], page: Page) -> str:
    columns = (
        *(Column("sold"), Column("symbol"), Column("shares", right=True), Column("bought")),
        *(Column("gain USD", right=True), Column("term"), Column("wash sale")),
    )
    rows = [
        (
            *(sale["sold"], sale["symbol"], sale["qty"], sale["acquired"] or UNKNOWN, usd(sale["gain"])),
            *(sale["term"], _wash(sale)),
        )
        for sale in sales
    ]
    return table(page, "Sales, lot by lot", columns, rows)


def _wash(sale: Document) -> str:
    return f"{usd(sale['wash_loss'])} USD" if Decimal(sale["wash_loss"]) else ""


def _notes(document: Document, page: Page) -> str:
    """Say what the figures leave open: losses that may not count, and shares of which nothing is known."""
    notes = []
    washed = _total(row["wash_loss"] for row in document["years"])
    if washed:
        notes.append(
            f"Wash sales: {washed:,.2f} USD of losses may be disallowed, since the same symbol was bought"
            " within 30 days before or after; what is disallowed is not added to the other lot's basis here."
        )
    names = sorted({row["symbol"] for row in (*document["moved"], *_blind(document))})
    if names:
        notes.append(
            f"Unknown basis: some shares of {', '.join(names)} came or went by no trade of Trimtab's"
            " (held before, brought in, taken out, or traded by hand)."
        )
    return "\n".join(page.paint(page.wrap(note, "  "), "yellow") for note in notes)


def _blind(document: Document) -> list[Document]:
    return [row for row in (*document["lots"], *document["sales"]) if row["cost"] is None]


def sales_csv(document: Document) -> str:
    """Write the sales as CSV, one line for each lot that an execution sold; what is unknown is empty."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, (*SALE, "fill_id"), lineterminator="\n")
    writer.writeheader()
    writer.writerows(document["sales"])
    return buffer.getvalue()
