"""Data: what came of a fetch, and what is wrong with a file of daily bars, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.core.nyse import is_session
from trimtab.core.verdict import named
from trimtab.show.page import Column, advice, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from trimtab.core.actions import Action
    from trimtab.core.append import Archive, Gathered
    from trimtab.core.bars import Bars
    from trimtab.core.finding import Finding
    from trimtab.show.page import Page

__all__ = ["check_document", "check_text", "fetch_document", "fetch_text"]

FIRST_FEW, MOST_SYMBOLS = 3, 20
"""Sessions that a line names, and symbols that have a line, of all with which a rule found something."""

WORDS = {
    "no_symbol": "rows that name no symbol",
    "no_date": "rows whose session is no date",
    "unsorted": "rows that are not in the order of their sessions",
    "duplicate": "sessions with several rows",
    "empty": "rows without any price",
    "bad_number": "values that no price, volume or action can have",
    "no_session": "bars of days without a session",
}
"""What each rule on rows finds; a gate's finding says it in its own detail."""
HINTS = {
    "no_symbol": "give the rows their symbol, or take them out",
    "no_date": "write dates as YYYY-MM-DD",
    "unsorted": "nothing need be done",
    "duplicate": "keep one row a symbol and session: two downloads may have been put together",
    "empty": "take them out if the symbol did not trade",
    "bad_number": "look the value up at another source, and mend it or take the row out",
    "no_session": "dates may be shifted by a time zone: a session is the New York date",
}
HINTS |= dict.fromkeys(
    ("jump", "split", "factor", "dividend", "huge_dividend", "quiet"),
    "look it up at another source; what is true, accept in the configuration: data.gates.accept",
)
HINT = "look it up at another source, and mend it or leave the symbol out"


def fetch_document(gathered: Gathered, file: str, before: Archive | None, *, written: bool) -> dict[str, Any]:
    """Give what came of a fetch as JSON holds it; `before` is what the file held."""
    archive = gathered.archive
    rows = int(np.count_nonzero(~np.isnan(archive.bars.close)))
    return {
        "file": file,
        "written": written,
        "feed": archive.feed,
        "adjustment": archive.adjustment,
        "start": archive.start.isoformat(),
        "through": archive.through.isoformat(),
        "through_before": None if before is None else before.through.isoformat(),
        "sessions": len(archive.bars.sessions),
        "rows": rows,
        "symbols": list(_symbols(gathered)),
        "absent": list(gathered.absent),
    }


def _symbols(gathered: Gathered) -> Iterator[dict[str, Any]]:
    """Give a line for each symbol: its span, how it came and why, and whether it spans what was asked for."""
    bars, archive = gathered.archive.bars, gathered.archive
    due = np.datetime64(_first_session(archive.start, archive.through), "D")
    for j, symbol in enumerate(bars.symbols):
        there = bars.sessions[~np.isnan(bars.close[:, j])]
        way = "whole" if symbol in gathered.whole else "kept" if symbol in gathered.gone else "appended"
        yield {
            "symbol": symbol,
            "first": str(there[0]),
            "last": str(there[-1]),
            "rows": len(there),
            "fetched": way,
            "why": gathered.whole.get(symbol) or gathered.gone.get(symbol),
            "begins_late": bool(there[0] > due),
            "ends_early": bool(there[-1] < np.datetime64(archive.through, "D")),
        }


def _first_session(start: date, through: date) -> date:
    """Give the first session from `start` on."""
    days = np.arange(np.datetime64(start, "D"), np.datetime64(through, "D") + np.timedelta64(1, "D")).tolist()
    return next((day for day in days if is_session(day)), start)


def fetch_text(document: Mapping[str, Any], command: str, page: Page) -> str:
    """Say what a file of bars holds now, what was fetched and why, and what it lacks."""
    symbols = document["symbols"]
    head = f"{document['file']}: {_count(len(symbols), 'symbol')}, {_count(document['rows'], 'bar')}"
    ends = min(s["first"] for s in symbols), max(s["last"] for s in symbols)
    span = f"{_count(document['sessions'], 'session')}, {' to '.join(ends)}"
    parts = [
        f"{page.paint(head, 'bold')}\n{span}; {document['feed']}, adjusted: {document['adjustment']}",
        _news(document, page),
        _refetched(symbols, page),
        _ragged(document, page),
        _absent(document["absent"], page),
        advice("play a strategy on it", command),
    ]
    return "\n\n".join(part for part in parts if part)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _news(document: Mapping[str, Any], page: Page) -> str:
    if not document["written"]:
        return "Nothing is new: the file is as it was."
    by_way = {
        way: [s for s in document["symbols"] if s["fetched"] == way] for way in ("whole", "appended", "kept")
    }
    told = [f"{_count(len(by_way['whole']), 'symbol')} fetched whole"] if by_way["whole"] else []
    if by_way["appended"]:
        told.append(
            f"{_count(len(by_way['appended']), 'symbol')} continued from {document['through_before']}"
        )
    if by_way["kept"]:
        told.append(f"{_count(len(by_way['kept']), 'symbol')} left as before")
    return page.wrap(", ".join(told).capitalize() + ".")


def _refetched(symbols: Sequence[Mapping[str, Any]], page: Page) -> str:
    """List the symbols whose kept history could not be appended to."""
    rows = [
        (
            s["symbol"],
            "left as it was: not served now" if s["fetched"] == "kept" else "fetched anew",
            s["why"],
        )
        for s in symbols
        if s["why"] not in {None, "new"}
    ]
    columns = [Column("symbol"), Column("what became of it"), Column("why")]
    return table(page, "Not continued", columns, rows)


def _ragged(document: Mapping[str, Any], page: Page) -> str:
    """List the symbols that do not span what was asked for."""
    rows = []
    for s in document["symbols"]:
        late = f"not back to {document['start']}: listed later, or the feed has no more" * s["begins_late"]
        early = f"not up to {document['through']}: no trade, delisted or renamed" * s["ends_early"]
        if late or early:
            rows.append((s["symbol"], s["first"], s["last"], "; ".join(filter(None, (late, early)))))
    columns = [Column("symbol"), Column("first"), Column("last"), Column("reaches")]
    return table(page, "Not the whole span", columns, rows)


def _absent(symbols: Sequence[str], page: Page) -> str:
    if not symbols:
        return ""
    text = (
        f"{', '.join(symbols)}: not in the file. Is it spelt as Alpaca does (BRK.B), and was it listed then?"
    )
    return page.paint("No bars", "bold", "yellow") + "\n" + page.wrap("  " + text, "  ")


def check_document(
    file: str, bars: Bars, actions: Sequence[Action], findings: Sequence[Finding]
) -> dict[str, Any]:
    """Give what is wrong with a file of bars as JSON holds it; `halts` counts findings that halt a run."""
    span = (str(bars.sessions[0]), str(bars.sessions[-1])) if len(bars.sessions) else (None, None)
    return {
        "file": file,
        "symbols": len(bars.symbols),
        "sessions": len(bars.sessions),
        "rows": int(np.count_nonzero(~np.isnan(bars.close))),
        "first": span[0],
        "last": span[1],
        "actions": len(actions),
        "findings": [finding.document() for finding in findings],
        "halts": sum(finding.halts for finding in findings),
    }


def check_text(document: Mapping[str, Any], page: Page) -> str:
    """Say what is wrong with a file of bars, rule by rule, those that halt a run first, and the verdict."""
    head = f"{document['file']}: {_count(document['symbols'], 'symbol')}, {_count(document['rows'], 'bar')}"
    span = f"{_count(document['sessions'], 'session')}, {document['first']} to {document['last']}"
    groups: dict[tuple[bool, str], list[Mapping[str, Any]]] = {}
    for finding in document["findings"]:
        groups.setdefault((not finding["halts"], finding["rule"]), []).append(finding)
    halting = [(rule, found) for (warns, rule), found in groups.items() if not warns]
    notes = [(rule, found) for (warns, rule), found in groups.items() if warns]
    known = f"; {document['actions']:,} splits and dividends" if document["actions"] else ""
    parts = [
        f"{page.paint(head, 'bold')}\n{span if document['rows'] else 'no bar can be read'}{known}",
        *(_rule(rule, found, page) for rule, found in halting),
        _notes(notes, page),
        _verdict(document, len(notes), page),
    ]
    return "\n\n".join(part for part in parts if part)


def _rule(rule: str, found: Sequence[Mapping[str, Any]], page: Page) -> str:
    """Lay one rule's findings out, a line a symbol."""
    by_symbol: dict[str, list[Mapping[str, Any]]] = {}
    for finding in found:
        by_symbol.setdefault(finding["symbol"] or "-", []).append(finding)
    shown = list(by_symbol.items())[:MOST_SYMBOLS]
    rows = [(symbol, f"{len(some):,}", _sessions(some), some[0]["seen"]) for symbol, some in shown]
    columns = [Column("symbol"), Column("times", right=True), Column("sessions"), Column("first seen")]
    allowed = ", or ".join(dict.fromkeys(finding["allowed"] for finding in found[:MOST_SYMBOLS]))
    mark = page.paint("FAIL", "bold", "red")
    words = page.wrap(f"{mark}  {rule}: {WORDS.get(rule, found[0]['detail'])}; allowed: {allowed}", "      ")
    more = len(by_symbol) - len(shown)
    lines = [table(page, words, columns, rows), *([f"  and {more:,} more; --json gives all"] if more else [])]
    return "\n".join([*lines, page.wrap(f"  To do: {HINTS.get(rule, HINT)}.", "    ")])


def _notes(rules: Sequence[tuple[str, Sequence[Mapping[str, Any]]]], page: Page) -> str:
    """List what halts nothing, a line a rule."""
    rows = []
    for rule, found in rules:
        symbols = named(dict.fromkeys(finding["symbol"] or "-" for finding in found))
        rows.append((rule, f"{len(found):,}", symbols, WORDS.get(rule, found[0]["detail"])))
    columns = [Column("rule"), Column("times", right=True), Column("symbols"), Column("what")]
    title = f"{page.paint('note', 'bold', 'yellow')}  halts nothing; --json gives all"
    return table(page, title, columns, rows)


def _sessions(found: Sequence[Mapping[str, Any]]) -> str:
    """Name the first few sessions."""
    days = list(dict.fromkeys(finding["session"] or "-" for finding in found))
    return ", ".join(days[:FIRST_FEW]) + (" …" if len(days) > FIRST_FEW else "")


def _verdict(document: Mapping[str, Any], rules: int, page: Page) -> str:
    found, halts = len(document["findings"]), document["halts"]
    if halts:
        text = (
            f"verdict: a run would halt on these bars: {halts:,} of {_count(found, 'finding')} would stop it"
        )
        return page.paint(text, "bold", "red")
    if found:
        text = (
            f"verdict: usable, with {_count(found, 'finding')} of {_count(rules, 'rule')} that halt nothing"
        )
        return page.paint(text, "bold", "yellow")
    return page.paint("verdict: nothing is wrong with these bars", "bold", "green")
