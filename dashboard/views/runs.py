"""Runs: the calendar of outcomes, missing runs among them, the list of runs, and one run in full."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import streamlit as st

from dashboard import charts, onerun
from dashboard.frame import begin, listed, nothing_yet, show
from dashboard.sheets import amount, clock, text
from trimtab.evidence.board import reading
from trimtab.evidence.board.days import MEANINGS, calendar, until
from trimtab.show.sessions import note

YEAR_BACK = "Last 12 months"
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


def chosen_runs(runs: pl.DataFrame, first: date, last: date) -> pl.DataFrame:
    """Ask which runs of the range to list, and give them, the newest first."""
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
    return (some if dry else some.filter(pl.col("dry_run") == 0)).reverse()


def _meanings(names: list[str]) -> str:
    return "  \n".join(f"**{charts.said(name)}**: {MEANINGS[name]}" for name in names)


def list_of(some: pl.DataFrame) -> None:
    """Show the runs."""
    notes = [note(o, r)[:CUT] for o, r in some.select("outcome", "reason").iter_rows()]
    listed(
        some.with_columns(pl.col("outcome").str.replace("_", " "), pl.Series("note", notes, pl.String)),
        {
            "session": text("Session"),
            "started_at": clock("New York time", form="%H:%M:%S"),
            "outcome": text("Outcome"),
            "equity": amount("Equity, USD", 0),
            "note": text("Why", wide=True),
            "run_id": text("Run"),
        },
        "Runs of the range",
    )


def picked(runs: pl.DataFrame, some: pl.DataFrame) -> str:
    """Ask for a run of the list, and give its id; the one named in the page's address comes first."""
    asked = st.query_params.get("run")
    known = set(runs["run_id"])
    first = [asked] if asked in known else []
    ids = list(dict.fromkeys([*first, *some["run_id"], str(runs["run_id"][-1])]))
    names = {
        run_id: f"{session or 'no session'} · {charts.said(outcome)} · {run_id}"
        for run_id, session, outcome in runs.select("run_id", "session", "outcome").iter_rows()
    }
    about = "Any run of the list; type a part of its date, outcome or id."
    chosen = str(st.selectbox("Run", ids, format_func=lambda run_id: names[run_id], help=about))
    if chosen != asked and (asked or chosen != ids[0]):
        st.query_params["run"] = chosen
    return chosen


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
        show(charts.calendar(days.filter(pl.col("session").is_between(first, last))))
    st.subheader("Runs", anchor=False)
    some = chosen_runs(runs, first, last)
    if some.is_empty():
        st.write("No run of this range is of that kind.")
    else:
        list_of(some)
    run_id = picked(runs, some)
    onerun.show(seen, runs, run_id)


page()
