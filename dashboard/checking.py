"""Checking: the newest runs worked out again from their records, when that is asked for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.frame import literal, table
from dashboard.sheets import text
from trimtab.adapters.inputs import read_inputs
from trimtab.adapters.strategy_loader import resolve
from trimtab.desk import code_digest, on_loopback
from trimtab.errors import Misconfigured
from trimtab.evidence.replay import PRUNED, Decider, Replayer
from trimtab.strategies import BUILT_IN

if TYPE_CHECKING:
    import polars as pl

    from dashboard.frame import Look
    from trimtab.core.record import Document
    from trimtab.evidence.replay import Replayed

__all__ = ["records"]

NEWEST = 20
"""Runs that are worked out again."""
LONGEST_S = 20.0
"""No run is begun after so many seconds."""
RESULTS = {
    "equal": "every part came out byte for byte as recorded",
    "differs": "something came out otherwise",
    "damaged": "a file is not as it was written",
    "cleared": "its prices were taken away since",
    "pruned": "its prices were removed by `trimtab prune`, so nothing shows that its plan follows from them",
    "unmade": "its plan is of a run that left no record",
    "no_plan": "it ended before it made a plan",
    "dead": "it died before its record was whole",
}
"""What came of a run, and what that means."""


@st.fragment
def records(seen: Look, runs: pl.DataFrame) -> None:
    """Offer to replay the newest runs, and show what came of it."""
    about = (
        "Strategy, plan and checks worked out again from what the run saw; each file held against its sum."
    )
    st.subheader("Records", anchor=False, help=about)
    newest = runs.tail(NEWEST).select("session", "run_id").rows()[::-1]
    key = f"replayed {seen.shelf.url} {seen.shelf.portfolio} {newest[0][1]}"
    if st.button(f"Replay the newest {len(newest)} runs", key="replay"):
        with st.spinner("Working them out again …"):
            st.session_state[key] = _replayed(seen, newest)
    done: tuple[list[Replayed], str] | None = st.session_state.get(key)
    if done is None:
        st.caption(
            "Not asked for yet. `trimtab replay --all` replays every run, `trimtab verify` checks every file."
        )
        return
    _told(*done, len(newest))


def _replayed(seen: Look, newest: list[tuple[str | None, str]]) -> tuple[list[Replayed], str]:
    """Replay runs, as many as the time allows; say why some are left."""
    replayer = Replayer(seen.shelf.store, read_inputs, lambda config: _decider(seen, config), on_loopback)
    ends = time.monotonic() + LONGEST_S
    found: list[Replayed] = []
    for session, run_id in newest:
        if time.monotonic() > ends:
            return found, "it took too long"
        try:
            found.append(replayer.replay(seen.shelf.folder(session, run_id)))
        except OSError as error:
            return found, f"the store can't be read. {error}"
    return found, ""


def _decider(seen: Look, config: Document) -> Decider:
    """Find the strategy that a record names, as it is here now; another portfolio's is not looked for."""
    named = config["strategy"]
    try:
        if not seen.own:
            return Decider(None, "")
        loaded = resolve(named["name"], named.get("params"), seen.settings.folder, BUILT_IN)
    except Misconfigured:
        return Decider(None, "")
    return Decider(loaded, code_digest(loaded.file))


def _told(found: list[Replayed], why: str, wanted: int) -> None:
    """Say what came of them, and why some are left."""
    if why:
        st.warning(f"**{wanted - len(found)} are left:** {literal(why)}")
    if not found:
        return
    counts = {name: sum(1 for replayed in found if replayed.result == name) for name in RESULTS}
    said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)
    if all(replayed.stands for replayed in found):
        tell, title = st.success, "Nothing speaks against these records"
    elif all(replayed.stands or replayed.result == PRUNED for replayed in found):
        tell, title = st.warning, "Not every plan can be worked out again"
    else:
        tell, title = st.error, "A record does not stand"
    tell(f"**{title}:** {said}.")
    rows = [(r.session, r.result.replace("_", " "), _detail(r), r.run_id) for r in found]
    names = {
        "session": text("Session"),
        "result": text("Result", " · ".join(f"{k}: {v}" for k, v in RESULTS.items())),
    }
    table(rows, names | {"detail": text("Why", wide=True), "run": text("Run")}, "Replayed runs")


def _detail(replayed: Replayed) -> str:
    apart = "; ".join(f"{d.where}: recorded {d.recorded}, now {d.recomputed}" for d in replayed.differences)
    return apart or replayed.detail
