"""Backtest: a backtest as a page: its figures, its years, and what a reader should know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.show.page import Column, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.show.page import Page

__all__ = ["Played", "backtest_text"]

MOST_NOTES = 8

FIGURES = (
    ("total return", "total_return_pct", "%"),
    ("growth a year (CAGR)", "cagr_pct", "%"),
    ("volatility a year", "volatility_pct", "%"),
    ("Sharpe ratio", "sharpe", ""),
    ("Sortino ratio", "sortino", ""),
    ("largest drawdown", "max_drawdown_pct", "%"),
    ("longest drawdown", "longest_drawdown_days", " days"),
    ("worst month", "worst_month_pct", "%"),
    ("positive months", "positive_months_pct", "%"),
    ("money-weighted return", "money_weighted_return_pct", "%"),
    ("turnover a year", "turnover_pct_a_year", "%"),
    ("cost a year", "cost_drag_pct_a_year", "%"),
    ("invested on average", "exposure_pct", "%"),
    ("trades", "trades", ""),
    ("alpha a year", "alpha_pct_a_year", "%"),
    ("beta", "beta", ""),
)
"""What the page shows of the statistics: words, key, unit."""
AGAINST = {
    "total_return_pct": "benchmark_return_pct",
    "cagr_pct": "benchmark_cagr_pct",
    "volatility_pct": "benchmark_volatility_pct",
    "sharpe": "benchmark_sharpe",
    "max_drawdown_pct": "benchmark_max_drawdown_pct",
}
"""The benchmark's figure beside the portfolio's."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a backtest: its strategy, the prices, statistics, years, notes, and the files written."""

    strategy: str
    source: str
    stats: Mapping[str, object]
    yearly: Sequence[Mapping[str, object]]
    notes: Sequence[tuple[str, str, str]]
    written: Sequence[str]


def backtest_text(played: Played, page: Page) -> str:
    """Say what came of a backtest."""
    stats = played.stats
    head = f"{played.strategy}: {stats['start']} to {stats['end']}, {stats['sessions']} sessions"
    money = f"{_usd(stats['opening_equity_usd'])} became {_usd(stats['final_equity_usd'])} USD"
    if stats.get("contributions_usd"):
        money += f", with {_usd(stats['contributions_usd'])} paid in"
    parts = [
        page.paint(head, "bold") + f"\n{page.wrap(played.source)}\n{money}",
        _notes(played.notes, page),
        _figures(stats, page),
        _years(played.yearly, page),
        "\n".join(f"wrote {name}" for name in played.written),
    ]
    return "\n\n".join(part for part in parts if part)


def _usd(value: object) -> str:
    return f"{float(str(value)):,.2f}"


def _figures(stats: Mapping[str, object], page: Page) -> str:
    compared = "benchmark_return_pct" in stats
    rows = []
    for words, key, unit in FIGURES:
        if key not in stats:
            continue
        other = stats.get(AGAINST.get(key, "")) if key in AGAINST else None
        rows.append((words, _figure(stats[key], unit), *((_figure(other, unit),) if compared else ())))
    columns = [Column("figure"), Column("portfolio", right=True)]
    return table(page, "Figures", [*columns, *([Column("benchmark", right=True)] if compared else [])], rows)


def _figure(value: object, unit: str) -> str:
    if value is None:
        return "-" if unit else ""
    if isinstance(value, int):
        return f"{value:,}{unit}"
    return f"{float(str(value)):,.2f}{unit}"


def _years(yearly: Sequence[Mapping[str, object]], page: Page) -> str:
    compared = any(year.get("benchmark_pct") is not None for year in yearly)
    rows = [
        (
            str(year["year"]),
            _figure(year["return_pct"], "%"),
            *((_figure(year.get("benchmark_pct"), "%"),) if compared else ()),
        )
        for year in yearly
    ]
    columns = [Column("year"), Column("portfolio", right=True)]
    return table(page, "Years", [*columns, *([Column("benchmark", right=True)] if compared else [])], rows)


def _notes(notes: Sequence[tuple[str, str, str]], page: Page) -> str:
    shown = [f"{session}  {code}: {message}" for session, code, message in notes[:MOST_NOTES]]
    if len(notes) > MOST_NOTES:
        shown.append(f"and {len(notes) - MOST_NOTES} more; --json gives all")
    lines = [page.wrap(line, "    ") for line in shown]
    return "\n".join([page.paint("Notes", "bold", "yellow"), *lines]) if lines else ""
