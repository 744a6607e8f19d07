"""Sweep: what a sweep found as text: the best combinations, what came after them, and how far luck goes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from trimtab.show.page import Column, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.core.record import Document
    from trimtab.show.page import Page

__all__ = ["TERMS", "alike_in", "sweep_text", "terms_text"]

TERMS = ("universe", "rebalance", "fill", "cost_bps")
BEST, PICKS, FAILURES = 10, 12, 5
"""Rows that a terminal shows; the page and the table have all."""

OVERLAP = "Of {1:,} windows {0:,} are counted here: the others' sessions after overlap with theirs."


def sweep_text(document: Document, page: Page) -> str:
    """Say what a sweep found."""
    parts = [
        page.paint(_head(document), "bold"),
        _best(document["best"], page),
        _picks(document["picks"], page),
        _walked(document, page),
        page.wrap(f"{page.paint('Mind', 'bold', 'yellow')}: {document['warning']}"),
        _failures(document, page),
        "\n".join(f"wrote {name}" for name in document["written"]),
    ]
    return "\n\n".join(part for part in parts if part)


def _head(document: Document) -> str:
    windows = document["windows"]
    kept = document["cells"] - document["played"]
    over = f" over {windows:,} windows" if windows > 1 else ""
    return (
        f"{document['strategy']}: {document['combinations']:,} combinations{over}; "
        f"{document['played']:,} cells played now, {kept:,} kept from before, {document['failed']:,} failed"
    )


def terms_text(terms: Mapping[str, Any], alike: frozenset[str] = frozenset()) -> str:
    """Give a combination in a line: its params and terms, without those that are alike in all."""
    named = {name: value for name, value in _named(terms).items() if name not in alike}
    return ", ".join(f"{name} {_short(value)}" for name, value in named.items()) or "as configured"


def alike_in(rows: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Name the params and terms that are the same in all rows; of one row alone, its terms."""
    if len(rows) < 2:  # noqa: PLR2004 - one is like itself
        return frozenset(TERMS)
    every = [_named(row) for row in rows]
    names = {name for row in every for name in row}
    return frozenset(name for name in names if len({json.dumps(row.get(name)) for row in every}) == 1)


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row["params"], **{name: row[name] for name in TERMS}}


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else text[:39] + "…"  # noqa: PLR2004 - a column's width


def _best(best: Sequence[Mapping[str, Any]], page: Page) -> str:
    alike = alike_in(best)
    rows = [
        (
            _number(row["sharpe"]),
            _number(row["out_of_sample_sharpe"]),
            _number(row["cagr_pct"], "%"),
            _number(row["max_drawdown_pct"], "%"),
            terms_text(row, alike),
        )
        for row in best[:BEST]
    ]
    columns = [
        Column("Sharpe", right=True),
        Column("after", right=True),
        Column("a year", right=True),
        Column("drawdown", right=True),
        Column("combination"),
    ]
    return table(page, "Best in sample, means over the windows", columns, rows, cut=True)


def _picks(picks: Sequence[Mapping[str, Any]], page: Page) -> str:
    alike = alike_in(picks)
    rows = [
        (
            f"{row['window']['start']} to {row['window']['end']}",
            _number(row["sharpe"]),
            _number(row["sharpe_by_luck"]),
            _probability(row["deflated_sharpe"]),
            _number(row["out_of_sample_sharpe"]),
            f"{row['out_of_sample_rank']}/{row['out_of_sample_ranked']}"
            if row["out_of_sample_rank"]
            else "-",
            terms_text(row, alike),
        )
        for row in picks[-PICKS:]
    ]
    columns = [
        Column("chosen over"),
        Column("Sharpe", right=True),
        Column("by luck", right=True),
        Column("deflated", right=True),
        Column("after", right=True),
        Column("place", right=True),
        Column("pick"),
    ]
    return table(page, "Each window's pick", columns, rows, cut=True)


def _walked(document: Document, page: Page) -> str:
    before, after = document["in_sample"], document["out_of_sample"]
    if after is None:
        text = 'Nothing was kept to judge by: all figures above are in sample. "walk_forward" keeps some.'
        return page.wrap(text)
    chosen = len(document["picks"])
    left = "" if after["windows"] == chosen else f" {OVERLAP.format(after['windows'], chosen)}"
    return page.wrap(
        f"Choosing the best anew at the end of each window: Sharpe ratio {_number(before['sharpe'])} where "
        f"it was chosen, {_number(after['sharpe'])} in the {after['daily_returns']:,} sessions after ("
        f"{_number(after['total_return_pct'], ' %')} in all).{left}"
    )


def _failures(document: Document, page: Page) -> str:
    rows = document["failures"]
    told = [
        f"{row['cells']:,} x {row['code']}: {row['message']}; first {terms_text(row['first'])}"
        for row in rows[:FAILURES]
    ]
    lines = [page.wrap(text, "    ") for text in told]
    if len(rows) > FAILURES:
        lines.append("and others; results.parquet has all")
    return "\n".join([page.paint("Failed", "bold", "red"), *lines]) if lines else ""


def _number(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:,.2f}{unit}"


def _probability(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}%"
