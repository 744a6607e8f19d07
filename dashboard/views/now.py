"""Now: how the portfolio stands: the last run, the next one, the halt flag, and holdings against targets."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import charts
from dashboard.frame import begin, figures, literal, look, moment, nothing_yet, table, told
from dashboard.sheets import Column, amount, text
from trimtab.evidence.board import reading
from trimtab.evidence.board.standing import (
    CASH,
    MARKS,
    ago,
    execution_of,
    holdings,
    next_run,
    stations,
)
from trimtab.evidence.words import NOTHING, money, number
from trimtab.switch import cure, said

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from dashboard.frame import Look
    from trimtab.core.record import Document
    from trimtab.evidence.holding import Holding

# How often the page looks whether trades.db has changed, seconds.
REFRESH_S = 20
# A last run older than the longest weekend is pointed out.
LATE_S = 4 * 86_400
STATES = {"passed": "green", "stopped": "red", "not reached": "gray"}
ABOUT = {
    "traded": ("Traded", "success"),
    "in_band": ("Nothing to do", "success"),
    "not_due": ("Not due", "success"),
    "dry_run": ("Nothing was sent", "info"),
    "closed": ("Outside trading hours", "info"),
    "halted": ("Halted, and nothing was sent", "error"),
    "interrupted": ("Interrupted; orders were, or may have been, sent", "error"),
}


def flag(seen: Look) -> None:
    """Say that the portfolio is halted, where it is, or that nobody can tell."""
    try:
        found = seen.shelf.flag()
    except OSError as error:
        st.error(f"**Can't tell whether it is halted:** the halt flags can't be read. {literal(error)}")
        st.caption("A run that can't read them sends nothing. The page tries again when it is loaded.")
        return
    if found is not None:
        key, words = found
        why = literal(said(words) or key)
        st.error(f"**Halted: no order is sent.** {why}. {literal(cure(key))}")


def last_run(run: Mapping[str, Any], record: Document | None) -> None:
    """Show what became of the last run, and its line of stations."""
    title, kind = ABOUT.get(str(run["outcome"]), (str(run["outcome"]), "info"))
    dry = " (dry run)" if run["dry_run"] and run["outcome"] != "dry_run" else ""
    reason = str(run["reason"] or "").removeprefix(f"{run['outcome']}: ")
    getattr(st, kind)(f"**{literal(title)}{dry}:** {literal(reason)}")
    line = stations(run, (record or {}).get("timings"))
    row = st.container(horizontal=True, gap="small")
    for stop in line:
        took = "" if stop.seconds is None else f" {stop.seconds:.1f} s"
        row.badge(f"{MARKS[stop.state]} {stop.name}{took}", color=STATES[stop.state])  # type: ignore[arg-type]  # a colour
    st.caption(
        f"Session {literal(run['session'] or 'unknown')}, run {literal(run['run_id'])}. "
        "✓ passed · ✗ stopped here · · not reached"
    )
    timed = [(stop.name, stop.seconds) for stop in line if stop.seconds is not None]
    if timed:
        with st.expander("How long each station took"):
            most = max(seconds for _, seconds in timed)
            rows = [(name, seconds, charts.meter(seconds, most)) for name, seconds in timed]
            table(
                rows,
                {"station": text("Station"), "seconds": amount("Seconds", 3), "part": text("")},
                "Stations",
            )


def times(seen: Look, run: Mapping[str, Any], cash: float | None, equity: float | None) -> None:
    """Show what the portfolio is worth, when it ran, and when it will."""
    simulated = run["mode"] == "simulated"
    due = None if simulated or not seen.own else _due(seen)
    items = [
        ("Equity", money(equity), "What the last run was sized with: cash and holdings at the last closes."),
        ("Cash", money(cash), "Cash of the account as the last run that asked for it was told."),
        _last(seen, run, simulated=simulated),
    ]
    if due is not None:
        wait = ago((due - seen.now).total_seconds())
        items.append(
            ("Next run", f"in {wait}", f"By the schedule and the calendar: {due:%A %Y-%m-%d %H:%M %Z}.")
        )
    figures(items)
    age = None if simulated else _age(seen, run)
    if age is not None and age > LATE_S:
        st.warning(f"The last run was {ago(age)} ago. If the bot should be running, look at its schedule.")


def _due(seen: Look) -> datetime | None:
    schedule = seen.settings.schedule
    return next_run(seen.now, schedule.run_time, schedule.timezone)


def _age(seen: Look, run: Mapping[str, Any]) -> float | None:
    try:
        ended = datetime.fromisoformat(str(run["finished_at"] or run["started_at"]))
    except ValueError:
        return None
    return (seen.now - ended).total_seconds()


def _last(seen: Look, run: Mapping[str, Any], *, simulated: bool) -> tuple[str, str, str]:
    at = moment(run["finished_at"] or run["started_at"])
    if simulated:
        return (
            "Last run",
            at,
            "New York time of the simulated exchange, whose clock moves when it is told to.",
        )
    age = _age(seen, run)
    return "Last run", NOTHING if age is None else f"{ago(age)} ago", f"It ended at {at} in New York."


def held(seen: Look) -> None:
    """Show holdings against targets and bands."""
    found, frame = seen.shelf.frame(reading.held)
    st.subheader("Holdings", anchor=False, help="As the last run that read them, dry or not, left them.")
    if found is None:
        st.write("No run has read the holdings yet.")
        return
    record = seen.shelf.record(found.session, found.run_id)
    execution = execution_of(record, seen.settings.execution.model_dump(mode="json") if seen.own else {})
    lines = holdings(frame, float(found.cash or 0.0), execution, (record or {}).get("universe"))
    _table(lines)
    note = f"At the closes that run {literal(found.run_id)} was sized with, session {literal(found.session)}."
    st.caption(
        f"{note} Line: target after the cash buffer. Bar: its band, in which a holding is left alone. "
        "Dot: held; a diamond is out."
    )


def _table(lines: list[Holding]) -> None:
    most = 1.05 * max(
        [line.weight or 0.0 for line in lines] + [line.high or line.target or 0.0 for line in lines]
    )
    rows = [
        (
            *(line.symbol, line.shares, line.price, line.value, _pct(line.weight), _pct(line.target)),
            _pct(None if line.weight is None or line.goal is None else line.weight - line.goal),
            *(charts.bullet(line, most or 1.0), _words(line)),
        )
        for line in lines
    ]
    columns = {
        "symbol": text("Symbol"),
        "shares": amount("Shares", 4),
        "price": amount("Close, USD"),
        "value": amount("Value, USD", 0),
        "weight": amount("Held, %"),
        "target": amount("Target, %", meaning="As the strategy gave it."),
        "drift": amount("Drift, %", meaning="Held less the target after the cash buffer.", signed=True),
        "where": Column("Against the band"),
        "note": text("Note"),
    }
    table(rows, columns, "Holdings")


def _pct(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _words(line: Holding) -> str:
    if line.symbol == CASH and line.shares is None:
        return ""
    if line.foreign:
        return "not the bot's: never touched"
    return "out of its band" if line.outside else "in its band" if line.low is not None else ""


def _last_number(runs: pl.DataFrame, column: str) -> float | None:
    """Give the newest number of a column."""
    some = runs[column].drop_nulls()
    return None if some.is_empty() else float(some[-1])


def prices(run: Mapping[str, Any], seen: Look) -> None:
    """Say how old the prices were that the last run saw."""
    bars = seen.shelf.bars(run["session"], run["run_id"])
    if bars is not None and len(bars.sessions):
        count = number(len(bars.symbols), 0)
        st.caption(
            f"Prices of the last run: daily bars of {count} symbols up to the close of {bars.sessions[-1]}."
        )


@st.fragment(run_every=REFRESH_S)
def watch(stamp: object) -> None:
    """Load the page anew once trades.db has changed."""
    if look().shelf.stamp[:3] != stamp:
        st.rerun()


def page() -> None:
    """Lay the page out."""
    seen = begin("Now", "How the portfolio stands. The page follows the store by itself.")
    runs = seen.shelf.frame(reading.runs)
    flag(seen)
    if runs.is_empty():
        nothing_yet(seen)
    run = runs.row(-1, named=True)
    times(seen, run, _last_number(runs, "cash"), _last_number(runs, "equity"))
    record = None
    with told():
        record = seen.shelf.record(run["session"], run["run_id"])
    last_run(run, record)
    with told():
        prices(run, seen)
    with told():
        held(seen)
    st.caption(f"Store: {literal(seen.shelf.url)} · {literal(run['mode'])}")
    watch(seen.shelf.stamp[:3])


page()
