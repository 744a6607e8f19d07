"""Replay: what came of replayed or verified runs, as a count and a paragraph for each that needs a look."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from trimtab.show.page import Column, table

if TYPE_CHECKING:
    from trimtab.core.record import Document
    from trimtab.show.page import Page

__all__ = ["replay_text"]

MEANS = {
    "equal": "equal, byte for byte",
    "differs": "came out otherwise than recorded",
    "damaged": "not as it was written",
    "cleared": "without the inputs that it was worked out from",
    "pruned": "sound, but for inputs that `trimtab prune` removed: not to be worked out again",
    "unmade": "with a plan whose maker left no record",
    "no_plan": "without a reviewed plan: nothing to work out",
    "dead": "died before its record",
    "sound": "sound",
}
"""What each result says of a run, the order in which they are told."""
BOOKS = {
    "equal": "as the records say",
    "differs": "not as the records say",
    "damaged": "damaged",
    "missing": "not made yet",
    "unknown": "not held against the records, for one of them is damaged",
}
"""What is said of trades.db."""
MOST = 20
"""Runs and differences that are listed, each."""


def replay_text(document: Document, page: Page) -> str:
    """Lay out what came of the runs: how many stand, and each that does not."""
    runs: list[Document] = document["runs"]
    if not runs:
        none = f"no run of {document['portfolio']} is recorded in {document['store']} yet"
        return "\n\n".join([none, *([] if document["stands"] else _beside(document, page))])
    counts = Counter(run["result"] for run in runs)
    lines = [f"{counts[result]:>6}  {text}" for result, text in MEANS.items() if counts[result]]
    pruned = f"; the inputs of {_runs(counts['pruned'])} were pruned" if counts["pruned"] else ""
    head = page.paint(f"Every record stands{pruned}.", "bold", "green")
    wrong = [run for run in runs if not run["stands"]]
    if wrong:
        head = page.paint(f"{len(wrong)} of {_runs(len(runs))} can't be vouched for.", "bold", "red")
    elif not document["stands"]:
        head = page.paint("Every record stands, but not what was made beside them.", "bold", "red")
    parts = [head, "\n".join(lines), _wrong(wrong, page), _allowed(wrong, page), _weights(runs, page)]
    parts += _beside(document, page)
    return "\n\n".join(part for part in parts if part)


def _beside(document: Document, page: Page) -> list[str]:
    """Say how trades.db and the files outside the runs' folders stand, where they were looked at."""
    if "database" not in document:
        return []
    books = document["database"]
    mark = "✓" if books["result"] in {"equal", "missing"} else page.paint("✗", "bold", "red")
    told = [f"{mark} trades.db: {BOOKS[books['result']]}"]
    told += [f"  {line}" for line in (books["detail"], *books["differences"][:MOST]) if line]
    if len(books["differences"]) > MOST:
        told.append(f"  and {len(books['differences']) - MOST} more")
    if books["result"] in {"differs", "damaged"}:
        told.append("  `trimtab rebuild` makes it anew from the records")
    told += [f"{page.paint('✗', 'bold', 'red')} {fault}" for fault in document["files"]]
    return ["\n".join(page.wrap(line, "    ") for line in told)]


def _wrong(runs: list[Document], page: Page) -> str:
    """List the runs that do not stand, with every part that differs."""
    columns = (Column("run"), Column("session"), Column("what is wrong"))
    rows = [(run["run_id"], run["session"] or "none", _said(run)) for run in runs[:MOST]]
    more = f"\n  and {len(runs) - MOST} more" if len(runs) > MOST else ""
    return table(page, "Not as recorded", columns, rows) + more


def _allowed(wrong: list[Document], page: Page) -> str:
    """Say which flag counts pruned runs as standing, where nothing else speaks against any."""
    if not wrong or any(run["result"] != "pruned" for run in wrong):
        return ""
    return page.wrap(
        "Nothing shows that these plans follow from what the runs saw. Where you pruned them yourself,"
        " `--allow-pruned` counts them as standing."
    )


def _said(run: Document) -> str:
    parts = [
        f"{d['where']}: recorded {d['recorded']}; worked out {d['recomputed']}"
        for d in run["differences"][:MOST]
    ]
    return ". ".join([part for part in (run["detail"],) if part] + parts)


def _weights(runs: list[Document], page: Page) -> str:
    """Say of how many runs the weights were taken as recorded, and why."""
    taken = Counter(run["detail"] for run in runs if run["weights"] == "recorded" and run["stands"])
    return "\n".join(page.paint(f"{_runs(n)}: {why}", "dim") for why, n in taken.items())


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"
