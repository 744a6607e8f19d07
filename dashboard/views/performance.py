"""Performance: what the account made of its money, beside a benchmark and the backtest of the same closes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from dashboard import charts, playing
from dashboard.frame import begin, figures, literal, nothing_yet, show, table, told
from dashboard.sheets import text
from trimtab.evidence.board import curve, pace, reading
from trimtab.evidence.words import BESIDE, GROUPS, NOTHING, money, number, percent, stat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from dashboard.frame import Look
    from trimtab.backtesting.track import Stat
    from trimtab.evidence.board.curve import Curve

# The ranges to look at, calendar days.
SPANS = {"1 month": 31, "3 months": 92, "1 year": 366, "5 years": 1827, "All": 100_000}
NONE = "none"
# Closes that are drawn at most; a screen has no more places.
MOST_POINTS = 700
BACKTEST = "Backtest"
EQUITY = (
    "All of the account, foreign holdings too, at the closes of the session before the last run; what is "
    "foreign at the broker's price."
)
# Groups of statistics that another page tells.
LEFT_OUT = frozenset({"Trading"})


def controls(seen: Look, whole: Curve) -> tuple[date, str, bool]:
    """Ask for the range, the benchmark, and whether to play the backtest."""
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    span = row.segmented_control("Range", list(SPANS), default="All", key="span", width="content") or "All"
    symbols: list[str] = []
    with told():
        symbols = playing.symbols(seen)
    picked = NONE
    if symbols:
        index = 1 + (symbols.index("SPY") if "SPY" in symbols else 0)
        about = "Bought at the first close and held; dividends are in it where prices are adjusted."
        picked = row.selectbox(
            "Benchmark", [NONE, *symbols], index=index, key="benchmark", help=about, width=150
        )
    play = False
    if symbols and seen.own:
        about = (
            "The bot's own plan and rules over the prices that the runs saw, from cash at the first close."
        )
        play = row.toggle(BACKTEST, value=True, key="backtest", help=about)
    last: date = whole.sessions[-1].item()
    return last - timedelta(days=SPANS[span]), picked, play


def levels(seen: Look, own: Curve, benchmark: str, *, play: bool) -> dict[str, NDArray[np.float64]]:
    """Give the curves to draw: one's own, and those beside it that reach over these closes."""
    found = {charts.OWN: own.index}
    if benchmark != NONE:
        level = playing.benchmark(seen, own, benchmark)
        if level is None:
            st.caption("The runs kept too few prices to draw the benchmark here.")
        else:
            found[benchmark] = level
    if play:
        played = playing.backtest(seen, own)
        if isinstance(played, str):
            st.caption(f"No backtest here: {literal(played)}")
        else:
            found[BACKTEST] = played
    return found


def drawn(seen: Look, own: Curve, found: Mapping[str, NDArray[np.float64]]) -> None:
    """Draw the curves."""
    rows = curve.thinned(len(own.sessions), MOST_POINTS)
    show(charts.curves(own, found, rows, seen.ink))
    note = " Triangles are deposits and withdrawals, which are taken out of the curve." if own.flows else ""
    step = "" if len(rows) == len(own.sessions) else " Drawn are some of the closes, and the lowest points."
    st.caption(f"Time-weighted; each run values the account at the closes of the session before.{note}{step}")


def falls(seen: Look, own: Curve) -> None:
    """Draw the drawdown: of the closes between two that are drawn, the lowest."""
    st.subheader("Drawdown", anchor=False, help="How far the curve is below its highest close so far.")
    rows = curve.thinned(len(own.sessions), MOST_POINTS)
    deepest = 100 * np.minimum.reduceat(own.track.under, rows)
    show(charts.fall(deepest, own.sessions[rows].astype("datetime64[D]"), seen.ink))


def heat(own: Curve) -> None:
    """Show the months."""
    st.subheader(
        "Months", anchor=False, help="Each calendar month's return, %; the first and last may be parts."
    )
    show(charts.months(own))


def numbers(own: Curve, benchmark: str, other: NDArray[np.float64] | None) -> None:
    """Show the statistics in groups, the benchmark's beside them."""
    st.subheader(
        "Statistics", anchor=False, help="Of the range above. Point at a figure's name for its definition."
    )
    stats, meanings = curve.statistics(own, other), pace.meanings(own.sessions)
    names_here = {} if pace.is_daily(own.sessions) else pace.LABELS
    for title, names in GROUPS.items():
        rows = [
            _row(name, names_here.get(name, label), stats, meanings[name])
            for name, label in names.items()
            if name in stats
        ]
        if rows and title not in LEFT_OUT:
            st.markdown(f"**{literal(title.replace('the benchmark', benchmark))}**")
            _group(rows, benchmark if any(row[2] for row in rows) else "")


def _row(name: str, label: str, stats: Mapping[str, Stat], meaning: str) -> tuple[str, str, str, str]:
    other = BESIDE.get(name)
    beside = stat(other, stats[other]) if other is not None and other in stats else ""
    never = name == "max_drawdown_recovered" and stats["max_drawdown_from"] is None
    return label, NOTHING if never else stat(name, stats[name]), beside, meaning


def _group(rows: list[tuple[str, str, str, str]], benchmark: str) -> None:
    columns = {"figure": text("Figure"), "own": replace(text("Portfolio"), right=True)}
    if benchmark:
        columns["other"] = replace(text(benchmark), right=True)
    else:
        rows = [(label, own, meaning, "") for label, own, _, meaning in rows]
    columns["meaning"] = text("What it is", wide=True)
    table([row[: len(columns)] for row in rows], columns, "Statistics")


def page() -> None:
    """Lay the page out."""
    seen = begin("Performance", "What the account made of its money. Deposits and withdrawals are taken out.")
    if seen.shelf.frame(reading.runs).is_empty():
        nothing_yet(seen)
    whole = playing.curve_of(seen)
    if whole is None:
        st.info(
            "A curve needs two sessions with a run that read the account and was not dry. Come back then."
        )
        return
    first, benchmark, play = controls(seen, whole)
    own = curve.within(whole, first) or whole
    stats, meanings = curve.statistics(own, None), pace.meanings(own.sessions)
    figures(
        [
            ("Equity", money(float(own.equity[-1])), EQUITY),
            ("Return", percent(_float(stats["total_return_pct"])), meanings["total_return_pct"]),
            ("Return a year", percent(_float(stats["cagr_pct"])), meanings["cagr_pct"]),
            ("Largest drawdown", percent(_float(stats["max_drawdown_pct"])), meanings["max_drawdown_pct"]),
            ("Volatility", percent(_float(stats["volatility_pct"])), meanings["volatility_pct"]),
        ]
    )
    if not pace.is_daily(own.sessions):
        often = number(pace.points_a_year(own.sessions), 0)
        st.caption(
            f"The runs read the account about {often} times a year here. Every figure is of these points: "
            "between two of them the account may have been lower than its largest drawdown says."
        )
    place = st.container()
    falls(seen, own)
    heat(own)
    others = st.container()
    with place:
        found = levels(seen, own, benchmark, play=play)
        drawn(seen, own, found)
    with others:
        numbers(own, benchmark, found.get(benchmark))


def _float(value: Stat) -> float | None:
    return float(value) if isinstance(value, int | float) else None


page()
