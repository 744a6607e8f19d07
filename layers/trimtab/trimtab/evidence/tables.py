"""Tables: the figures of a backtest, its months, its falls, its trades, its notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.backtesting.stats import MEANINGS
from trimtab.evidence.markup import Element, node
from trimtab.evidence.words import BESIDE, GROUPS, NOTHING, days, number, percent, stat

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trimtab.backtesting.result import Result
    from trimtab.backtesting.stats import Stat
    from trimtab.evidence.markup import Node

    Stats = Mapping[str, Stat]

__all__ = ["drawdowns", "figures", "glossary", "months", "notes", "shares", "table", "term", "trades"]

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DARKEST = 0.55
"""The strongest colour behind a figure: text stays readable on it, light and dark."""
FULL_COLOUR = 8.0
"""A month that moved by so many % or more has it."""
TRADES_SHOWN = 50


def term(name: str, label: str) -> Element:
    """Give a statistic's label with its definition at the pointer."""
    part = "part" if label != label.strip() else None
    return node("span", node("abbr", label.strip(), title=MEANINGS[name]), class_=part)


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[Node]], *, words: int = 1, look: str = ""
) -> Element:
    """Lay rows out in a box that scrolls by itself; the first `words` columns are text, the rest figures."""
    body = [node("tr", [_cell(value, i, words) for i, value in enumerate(row)]) for row in rows]
    made = node(
        "table",
        node("caption", caption, class_="unseen"),
        node("thead", node("tr", [_head(title, i, words) for i, title in enumerate(head)])),
        node("tbody", body),
    )
    return node("div", made, class_=f"box {look}".strip(), tabindex="0", role="region", aria_label=caption)


def figures(stats: Stats, benchmark: str | None) -> list[Element]:
    """Give every group of statistics as a table, the benchmark's figures beside the portfolio's."""
    return [
        _group(title, names, stats, benchmark)
        for title, names in GROUPS.items()
        if any(name in stats for name in names)
    ]


def _group(title: str, names: Mapping[str, str], stats: Stats, benchmark: str | None) -> Element:
    beside = benchmark is not None and any(name in BESIDE for name in names)
    rows: list[list[Node]] = []
    for name, label in names.items():
        if name in stats:
            other = stat(BESIDE[name], stats.get(BESIDE[name])) if name in BESIDE else ""
            never = name == "max_drawdown_recovered" and stats["max_drawdown_from"] is None
            own = NOTHING if never else stat(name, stats[name])
            rows.append([term(name, label), own, *([other] if beside else [])])
    head = ["", "Portfolio", *([benchmark or ""] if beside else [])]
    said = title if benchmark is None else title.replace("the benchmark", benchmark)
    return node("section", node("h3", said), table(said, head, rows), class_="group")


def months(of_months: Sequence[Stats], of_years: Sequence[Stats], benchmark: str | None) -> Element:
    """Give the heat map: years down, months across, then the year and the benchmark's."""
    known = {(row["year"], row["month"]): _float(row["return_pct"]) for row in of_months}
    rows: list[list[Node]] = [
        [
            str(row["year"]),
            *(_heat(known.get((row["year"], month))) for month in range(1, 13)),
            node("b", number(_float(row["return_pct"]), 1)),
            *([] if benchmark is None else [number(_float(row["benchmark_pct"]), 1)]),
        ]
        for row in of_years
    ]
    head = ["Year", *MONTHS, "Year", *([] if benchmark is None else [benchmark])]
    return table("Return of each month, %", head, rows, look="heat")


def drawdowns(falls: Sequence[Stats]) -> Element:
    """Give the deepest falls, deepest first."""
    rows = [
        [
            str(fall["from"]),
            str(fall["trough"]),
            str(fall["to"] or "not yet"),
            percent(_float(fall["depth_pct"])),
            days(_float(fall["days"])),
        ]
        for fall in falls
    ]
    return table("Deepest drawdowns", ["High", "Lowest", "Recovered", "Depth", "Lasted"], rows, words=3)


def trades(result: Result) -> tuple[int, Element]:
    """Give how many trades there are, and a table of the last ones, newest first."""
    rows, columns, quantity, price, cost = result.trade_arrays()
    last = slice(None, -TRADES_SHOWN - 1, -1)
    whole = 0 if np.all(quantity[last] == np.round(quantity[last])) else 4
    listed = [
        [
            str(result.bars.sessions[row]),
            result.symbols[column],
            "buy" if shares > 0 else "sell",
            number(abs(shares), whole),
            number(each, 2),
            number(abs(shares * each), 0),
            number(fee, 2),
        ]
        for row, column, shares, each, fee in zip(
            *(part[last].tolist() for part in (rows, columns, quantity, price, cost)), strict=True
        )
    ]
    head = ["Session", "Symbol", "Side", "Shares", "Price, USD", "Value, USD", "Cost, USD"]
    return len(rows), table("The last trades", head, listed, words=3, look="tall")


def shares(names: Sequence[tuple[str, str]], mean: Sequence[float], last: Sequence[float]) -> Element:
    """Give each holding's part on average and at the end, with the colour of its area."""
    rows: list[list[Node]] = [
        [
            node("span", node("i", class_=f"swatch {look}", aria_hidden="true"), name),
            percent(100 * average, 1),
            percent(100 * now, 1),
        ]
        for (name, look), average, now in zip(names, mean, last, strict=True)
    ]
    return table("Weights on average and at the end", ["", "On average", "At the end"], rows, look="narrow")


def notes(result: Result) -> Element:
    """Give what went otherwise than a reader may think."""
    rows = [[str(result.bars.sessions[row]), code, message] for row, code, message in result.notes]
    return table("What went otherwise", ["Session", "Code", "What happened"], rows, words=3, look="told")


def glossary(stats: Stats) -> Element:
    """Give the definition of every figure on the page, for paper and for a finger."""
    listed = [
        node("div", node("dt", label), node("dd", MEANINGS[name]))
        for names in GROUPS.values()
        for name, label in names.items()
        if name in stats and label == label.strip()
    ]
    return node("dl", listed)


def _cell(value: Node, i: int, words: int) -> Element:
    if i == 0:
        return node("th", value, scope="row")
    if isinstance(value, Element) and value.tag == "td":
        return value
    return node("td", value, class_="text" if i < words else None)


def _head(title: str, i: int, words: int) -> Element:
    return node("th", title, scope="col", class_="text" if i < words else None)


def _heat(value: float | None) -> Element:
    """Give a month's cell, coloured by its return, %."""
    if value is None:
        return node("td")
    strength = DARKEST * min(abs(value) / FULL_COLOUR, 1.0)
    look = "up" if value > 0 else "down" if value < 0 else None
    return node("td", number(value, 1), class_=look, style=f"--t:{strength:.2f}")


def _float(value: Stat) -> float | None:
    return value if isinstance(value, int | float) else None
