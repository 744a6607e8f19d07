"""Report: one page that shows a backtest: it opens offline, on any screen, light and dark, and on paper."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from trimtab.backtesting import stats
from trimtab.evidence import panels, tables
from trimtab.evidence.markup import Element, html, node
from trimtab.evidence.script import SCRIPT
from trimtab.evidence.sheet import code as _code
from trimtab.evidence.sheet import head as _head
from trimtab.evidence.sheet import section as _section
from trimtab.evidence.words import BESIDE, GROUPS, money, number, percent, stat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from trimtab.backtesting.result import Result
    from trimtab.evidence.markup import Node

__all__ = ["report_html"]


def report_html(
    result: Result, *, title: str, config: Mapping[str, object], command: str | None = None
) -> str:
    """Write the page of a backtest.

    `config` is the configuration that made it, as JSON holds it, and `command` the command line, where there
    was one. Nothing on the page is taken from a network, and no text of it can become markup.
    """
    seen = _Seen(result, result.stats, result.benchmark_name or "Benchmark")
    body = node(
        "main",
        _header(title, seen),
        _headline(seen),
        _over_time(seen),
        _in_figures(seen),
        _as_made(seen, config, command),
    )
    return html(node("html", _head(title), node("body", body, node("script", SCRIPT)), lang="en"))


class _Seen(NamedTuple):
    """What the page is made from, and what it calls the benchmark."""

    result: Result
    stats: Mapping[str, stats.Stat]
    name: str

    @property
    def benchmark(self) -> str | None:
        """The benchmark's name, where there is one."""
        return None if self.result.benchmark is None else self.name

    def value(self, name: str) -> float | None:
        """Give a statistic that is a number."""
        found = self.stats.get(name)
        return found if isinstance(found, int | float) else None


def _header(title: str, seen: _Seen) -> Element:
    facts = [
        f"{seen.stats['start']} to {seen.stats['end']}",
        f"{number(seen.value('sessions'), 0)} trading days",
        f"{number(seen.value('trades'), 0)} trades",
        *([] if seen.benchmark is None else [f"compared with {seen.benchmark}"]),
    ]
    return node(
        "header",
        node("p", "Backtest", class_="eyebrow"),
        node("h1", title),
        node("p", [node("span", fact) for fact in facts], class_="facts"),
    )


def _headline(seen: _Seen) -> Element:
    """Give the eight figures that are asked for first."""
    paid, drag = seen.value("contributions_usd"), seen.value("cost_drag_pct_a_year")
    opened = f"from {money(seen.value('opening_equity_usd'))}"
    short = "no figure below a year" if seen.value("cagr_pct") is None else ""
    beneath = {
        "cagr_pct": short or _beside(seen, "cagr_pct"),
        "total_return_pct": _beside(seen, "total_return_pct"),
        "max_drawdown_pct": _beside(seen, "max_drawdown_pct"),
        "final_equity_usd": f"{opened} and {money(paid)} paid in" if paid else opened,
        "volatility_pct": _beside(seen, "volatility_pct"),
        "sharpe": _beside(seen, "sharpe"),
        "worst_year_pct": f"best {percent(seen.value('best_year_pct'))}",
        "cost_usd": "" if drag is None else f"{percent(drag)} of equity a year",
    }
    labels = {name: label for names in GROUPS.values() for name, label in names.items()}
    tiles = [
        node(
            "div",
            node("dt", tables.term(name, labels[name])),
            node("dd", stat(name, seen.stats[name]), class_="big"),
            node("dd", below, class_="quiet"),
        )
        for name, below in beneath.items()
    ]
    return node("section", node("h2", "In short", class_="unseen"), node("dl", tiles, class_="tiles"))


def _beside(seen: _Seen, name: str) -> str:
    """Give the benchmark's figure for the line below the portfolio's."""
    return "" if seen.benchmark is None else f"{seen.name} {stat(BESIDE[name], seen.stats[BESIDE[name]])}"


def _over_time(seen: _Seen) -> Iterator[Element]:
    """Give the charts, and the months."""
    result, name = seen.result, seen.name
    beside = "" if seen.benchmark is None else f", beside {name}"
    paid = panels.paid_in(result)
    began = "What 100 USD became, contributions left out" if paid else "Equity at each close, in USD"
    yield _section("Growth", f"{began}{beside}.", panels.equity(result, name))
    if paid:
        yield _section("Equity", "What the account held, and what was paid in.", panels.money_in(result))
    yield _section(
        "Drawdown", "How far each close lay below the highest so far.", panels.drawdown(result, name)
    )
    yield _section("Years", "The first and the last may be parts of a year.", panels.years(result, name))
    heat = tables.months(stats.monthly(result), stats.yearly(result), seen.benchmark)
    yield _section("Months", "Return of each month, %. Blue gained, orange lost.", heat)
    drawn, listed = panels.weights(result)
    yield _section("Weights", "What part of equity each holding was at the close.", drawn, listed)


def _in_figures(seen: _Seen) -> Iterator[Element]:
    """Give every statistic, the falls and the trades."""
    groups = node("div", tables.figures(seen.stats, seen.benchmark), class_="groups")
    yield _section("Figures", "Point at a name for its definition; all stand at the end of the page.", groups)
    falls = stats.drawdowns(seen.result)
    if falls:
        yield _section(
            "Deepest drawdowns", "From the high to the first close back at it.", tables.drawdowns(falls)
        )
    else:
        yield _section("Deepest drawdowns", "The curve never closed below its highest close so far.")
    count, listed = tables.trades(seen.result)
    if count == 0:
        yield _section("Trades", "Nothing was traded.")
    elif count <= tables.TRADES_SHOWN:
        yield _section("Trades", "All of them, the newest first.", listed)
    else:
        shown = f"The last {tables.TRADES_SHOWN} of {number(count, 0)}, the newest first."
        yield _section("Trades", shown, listed)


def _as_made(seen: _Seen, config: Mapping[str, object], command: str | None) -> Iterator[Element]:
    """Give the notes, the configuration, and the definitions."""
    if seen.result.notes:
        yield _section("Notes", "What went otherwise than one may expect.", tables.notes(seen.result))
    else:
        yield _section("Notes", "Nothing went otherwise than asked.")
    made: list[Node] = [] if command is None else [_code("Command", command)]
    made.append(_code("Configuration", _json(config)))
    if seen.result.terms and dict(seen.result.terms) != dict(config):
        made.append(_code("Terms of the backtest", _json(seen.result.terms)))
    yield _section("How it was made", "What gives this page again.", *made)
    yield _section("Definitions", "What each figure means.", tables.glossary(seen.stats))


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(dict(value), indent=2, ensure_ascii=False, default=str)
