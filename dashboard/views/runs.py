"""Runs: the calendar of outcomes, missing runs among them, the list of runs, and one run in full."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import streamlit as st

from dashboard import charts, onerun
from dashboard.frame import begin, nothing_yet
from trimtab.core.schedule import NEW_YORK
from trimtab.evidence.board import reading
from trimtab.evidence.board.days import MEANINGS, calendar, until
from trimtab.show.sessions import note

if TYPE_CHECKING:
    from dashboard.frame import Look

YEAR_BACK = "Last 12 months"
# What stands in the cell of a day to look at, for those who see no difference in its colour.
SIGNS = {"missing": "✕", "halted": "!", "interrupted": "!!"}
WEEKDAYS = dict(enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), start=1))
# Letters of a reason in the list.
CUT = 160


def chosen_year(days: pl.DataFrame) -> tuple[date, date]:
    """Ask for a year, and give its first and last day."""
    last: date = days["session"].max()  # type: ignore[assignment]  # there is one
    years = sorted({day.year for day in days["session"]}, reverse=True)
    options = [YEAR_BACK, *map(str, years)]
    picked = YEAR_BACK
    if len(years) > 1:
        picked = st.selectbox("Range", options, key="year", width=200, label_visibility="collapsed")
    if picked == YEAR_BACK:
        return last - timedelta(days=365), last
    return date(int(picked), 1, 1), date(int(picked), 12, 31)


def draw(seen: Look, days: pl.DataFrame) -> None:
    """Draw the calendar."""
    weekday = pl.col("session").dt.weekday()
    named = days.with_columns(
        (pl.col("session") - pl.duration(days=weekday - 1)).cast(pl.String).alias("week"),
        weekday.replace_strict(WEEKDAYS, return_dtype=pl.String).alias("weekday"),
        pl.col("outcome").replace_strict(SIGNS, default="", return_dtype=pl.String).alias("sign"),
        pl.col("outcome").str.replace("_", " "),
        pl.col("reason").str.slice(0, CUT),
    )  # fmt: skip
    counts = dict(days.group_by("outcome").len().iter_rows())
    told = ", ".join(f"{charts.said(name)} {counts[name]}" for name in MEANINGS if name in counts)
    st.altair_chart(charts.calendar(named, charts.inks(dark=seen.dark)), alt=f"Sessions by outcome: {told}.")
    st.caption(f"Sessions: {told}. ✕ no run is recorded · ! halted · !! interrupted")


def listed(runs: pl.DataFrame, first: date, last: date) -> str | None:
    """Show the runs of the range, and give the one that is picked."""
    st.subheader("Runs", anchor=False, help="Pick a row to see the run in full.")
    present = [name for name in MEANINGS if name in set(runs["outcome"])]
    row = st.container(horizontal=True, vertical_alignment="bottom")
    wanted = row.pills(
        "Outcome",
        present,
        selection_mode="multi",
        key="outcomes",
        format_func=charts.said,
        help=_meanings(present),
    )
    dry = row.toggle("Dry runs", value=True, key="dry")
    some = runs.filter(
        pl.col("session").is_null() | pl.col("session").is_between(pl.lit(str(first)), pl.lit(str(last)))
    )
    some = some if not wanted else some.filter(pl.col("outcome").is_in(wanted))
    some = (some if dry else some.filter(pl.col("dry_run") == 0)).reverse()
    if some.is_empty():
        st.write("No run of this range is of that kind.")
        return None
    return _picked(some)


def _meanings(names: list[str]) -> str:
    return "  \n".join(f"**{charts.said(name)}**: {MEANINGS[name]}" for name in names)


def _picked(some: pl.DataFrame) -> str | None:
    shown = some.select(
        "session",
        pl.col("started_at")
        .str.to_datetime(strict=False, time_zone="UTC")
        .dt.convert_time_zone(str(NEW_YORK)),
        pl.col("outcome").str.replace("_", " "),
        "equity",
        pl.Series(
            "note", [note(o, r)[:CUT] for o, r in some.select("outcome", "reason").iter_rows()], pl.String
        ),
        "run_id",
    )
    column = st.column_config
    event: Any = st.dataframe(
        shown,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="picked",
        placeholder="",
        height=318 if len(shown) > 8 else "content",  # noqa: PLR2004 - rows that need no scrolling
        column_config={
            "session": column.TextColumn("Session", pinned=True),
            "started_at": column.DatetimeColumn("New York time", format="HH:mm:ss"),
            "outcome": column.TextColumn("Outcome"),
            "equity": column.NumberColumn("Equity, USD", format="localized", step=1),
            "note": column.TextColumn("Why", width="large"),
            "run_id": column.TextColumn("Run"),
        },
    )
    rows = event.selection.rows
    return str(some["run_id"][rows[0]]) if rows and rows[0] < len(some) else None


def page() -> None:
    """Lay the page out."""
    seen = begin("Runs", "What became of each session, and every run in full.")
    runs = seen.shelf.frame(reading.runs)
    if runs.is_empty():
        nothing_yet(seen)
    days = calendar(runs, until(runs, seen.now))
    first, last = date.min, date.max
    if not days.is_empty():
        first, last = chosen_year(days)
        draw(seen, days.filter(pl.col("session").is_between(first, last)))
    picked = listed(runs, first, last)
    asked = st.query_params.get("run")
    run_id = picked or (asked if asked in set(runs["run_id"]) else None) or str(runs["run_id"][-1])
    if picked and picked != asked:
        st.query_params["run"] = picked
    onerun.show(seen, runs.row(by_predicate=pl.col("run_id") == run_id, named=True))


page()
