"""Quoted: the quotes in a record, judged as its run judged them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trimtab.core.portfolio import Quote
from trimtab.core.quotes import judge
from trimtab.stations import account

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.mandate import Mandate
    from trimtab.core.quotes import Touch
    from trimtab.core.record import Document
    from trimtab.core.sizing import Book

__all__ = ["touches_of"]

SINCE = "split_value"
"""The verdict that came with the rules on a quote's age and the trade after it; every plan since has it."""


def touches_of(record: Document, book: Book, mandate: Mandate) -> dict[str, Touch]:
    """Judge what the plan's quotes say of each symbol that is to be traded; none where none were read."""
    applied = record.get("applied") or {"planned_at": record["started_at"], "quoted": True}
    if not applied["quoted"]:
        return {}
    quotes = {row["symbol"]: _quote(row) for row in record["quotes"]}
    dated = SINCE in {verdict["rule"] for verdict in record["verdicts"]}
    if not dated:
        quotes = {symbol: _undated(quote) for symbol, quote in quotes.items()}
    last = dict(zip(book.symbols, book.price.tolist(), strict=True))
    at, by_age = datetime.fromisoformat(applied["planned_at"]), dated and not mandate.loopback
    return {
        symbol: judge(quotes.get(symbol), last[symbol], at, mandate.risk, by_age=by_age)
        for symbol in account.to_trade(book, mandate)
    }


def _undated(quote: Quote) -> Quote:
    """Give a quote as older versions saw it: a usable one stood, whatever was traded after it."""
    return replace(quote, last=None, last_at=None) if 0 < quote.bid <= quote.ask else quote


def _quote(row: Mapping[str, Any]) -> Quote:
    at, last, last_at = row["at"], row["last"], row["last_at"]
    return Quote(
        row["symbol"],
        Decimal(row["bid"]),
        Decimal(row["ask"]),
        None if at is None else datetime.fromisoformat(at),
        None if last is None else Decimal(last),
        None if last_at is None else datetime.fromisoformat(last_at),
    )
