"""Health: errors and warnings, what the checks refused, how fresh prices were, and what changed when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import streamlit as st

from dashboard import checking
from dashboard.frame import begin, figures, listed, literal, nothing_yet, table, told
from dashboard.sheets import amount, clock, text
from trimtab.evidence.board import reading
from trimtab.evidence.board.health import changes, differences, freshness, kinds
from trimtab.evidence.words import number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboard.frame import Look

LEVELS = ("error", "warning")
# Runs in which the newest prices are looked for.
BACK = 30
SHOWN_CHANGES = 50


def messages(events: pl.DataFrame) -> None:
    """Show the newest errors and warnings."""
    st.subheader("Errors and warnings", anchor=False, help="The newest 500 that runs have noted.")
    if events.is_empty():
        st.write("No run has noted an error or a warning.")
        return
    wanted = st.pills("Level", LEVELS, selection_mode="multi", key="levels", label_visibility="collapsed")
    some = events.filter(pl.col("level").is_in(wanted)) if wanted else events
    listed(
        some,
        {
            "at": clock("New York time"),
            "level": text("Level"),
            "stage": text("Station", "The stop of the line at which it was noted."),
            "code": text("Code"),
            "message": text("What happened", wide=True),
            "run_id": text("Run"),
        },
        "Errors and warnings",
    )


def people(seen: Look) -> None:
    """Show halts, resumes and latches."""
    said = seen.shelf.said()
    if not said:
        return
    st.subheader("Halts and resumes", anchor=False, help="What people said, and when Trimtab halted itself.")
    rows = [tuple(str(event.get(name) or "") for name in ("at", "code", "who", "why")) for event in said]
    columns = {
        "at": clock("New York time"),
        "code": text("What", "halt, resume, or latch: Trimtab halted itself."),
        "who": text("Who"),
        "why": text("Why", wide=True),
    }
    listed(pl.DataFrame(rows, schema=list(columns), orient="row"), columns, "Halts and resumes")


def checks(seen: Look) -> None:
    """Show what each gate and rule has refused."""
    st.subheader("Checks", anchor=False, help="Gates on prices and account, and risk rules on the plan.")
    frame = kinds(seen.shelf.frame(reading.checks))
    if frame.is_empty():
        st.write("No run has come to a check yet.")
        return
    columns = {
        "rule": text("Check"),
        "about": text("Looks at"),
        "asked": amount("Asked", 0),
        "refused": amount("Refused", 0),
        "last_refused": text("Last refused", "Session"),
    }
    table(frame, columns, "Checks")


def fresh(seen: Look, runs: pl.DataFrame) -> None:
    """Show the last price of each symbol that the newest run with prices saw."""
    for session, run_id in reversed(runs.select("session", "run_id").tail(BACK).rows()):
        bars = seen.shelf.bars(session, run_id)
        if bars is not None and len(bars.sessions):
            break
    else:
        return
    st.subheader("Prices", anchor=False, help="The newest daily bar of each symbol.")
    frame = freshness(bars)
    stale = frame.filter(pl.col("behind") > 0)
    said = (
        "Every symbol had a bar of the newest session."
        if stale.is_empty()
        else f"{len(stale)} symbols lag behind."
    )
    st.write(f"{said} As the run of {literal(session)} saw them.")
    columns = {
        "symbol": text("Symbol"),
        "last": text("Newest bar"),
        "close": amount("Close, USD", meaning="As adjusted."),
        "behind": amount("Sessions behind", 0, "The newest session among them."),
    }
    table(frame, columns, "Prices")


@st.fragment
def changed(seen: Look, runs: pl.DataFrame) -> None:
    """Show when configuration, code or version changed, and what of the configuration."""
    st.subheader("Changes", anchor=False, help="When a run was made of something else than the one before.")
    found = changes(runs).head(SHOWN_CHANGES)
    if found.is_empty():
        st.write("All runs had the same configuration, code and version.")
        return
    columns = {
        "session": text("Session"),
        "what": text("What changed"),
        "from": text("From", "A version, or the beginning of a digest."),
        "to": text("To"),
        "run_id": text("Run"),
    }
    table(found, columns, "Changes")
    by_run = dict(runs.select("run_id", "session").iter_rows())
    of_config = [row for row in found.iter_rows(named=True) if row["what"] == "configuration"]
    for row in of_config:
        name = f"Configuration of {literal(row['session'])}: what changed"
        with st.expander(name, key=f"change {row['run_id']}", on_change="rerun") as opened:
            if opened.open:
                with told():
                    _difference(seen, row, by_run)


def _difference(seen: Look, row: Mapping[str, str], sessions: Mapping[str, str]) -> None:
    before, after = (seen.shelf.record(sessions.get(row[name]), row[name]) for name in ("before", "run_id"))
    if before is None or after is None:
        st.write("The records that hold it can't be read.")
        return
    rows = differences(before.get("config") or {}, after.get("config") or {})
    titles = {"key": "Key", "before": "Before", "after": "After"}
    table(rows, {name: text(title) for name, title in titles.items()}, "What changed")


def page() -> None:
    """Lay the page out."""
    seen = begin("Health", "What went wrong, what was refused, and what changed.")
    runs = seen.shelf.frame(reading.runs)
    if runs.is_empty():
        with told():
            people(seen)
        nothing_yet(seen)
    events = seen.shelf.frame(reading.events)
    newest = set(runs["run_id"].tail(BACK))
    late = events.filter(pl.col("run_id").is_in(newest))
    counts = dict(late.group_by("level").len().iter_rows())
    figures(
        [
            ("Errors", number(counts.get("error", 0), 0), f"Of the last {BACK} runs."),
            ("Warnings", number(counts.get("warning", 0), 0), f"Of the last {BACK} runs."),
            ("Runs", number(len(runs), 0), "All that trades.db knows of this portfolio."),
        ]
    )
    messages(events)
    with told():
        people(seen)
    checking.records(seen, runs)
    checks(seen)
    with told():
        fresh(seen, runs)
    changed(seen, runs)


page()
