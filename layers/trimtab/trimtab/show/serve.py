"""Serve: a server's words: when it wakes, how each run ended, and the alarm for one that could not tell."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from trimtab.core.message import Message
from trimtab.core.schedule import NEW_YORK

if TYPE_CHECKING:
    from trimtab.core.record import Document
    from trimtab.show.page import Page

__all__ = ["failure_message", "failure_of", "serve_text", "told_of_life"]

TOLD = frozenset({0, 3, 4})
"""Exit statuses of a run that began: it told its owner itself."""
UNBEGUN = 2
"""The exit status of a run whose settings are not usable."""
COLOURS = {0: "green", 4: "red"}


def failure_of(run: Document) -> str:
    """Give what kept a run from telling of itself: its error's code, or how its process ended; else empty."""
    if run["status"] in TOLD:
        return ""
    if run["error"]:
        return str(run["error"]["code"])
    return f"killed by signal {-run['status']}" if run["status"] < 0 else f"exit status {run['status']}"


def failure_message(run: Document, portfolio: str, mode: str) -> Message:
    """Give what the owner is told of a run that could not tell of itself."""
    error = run["error"] or {}
    lines = [f"{failure_of(run)}: {error.get('message') or 'the run ended without a word'}"]
    lines += [f"{name}: {error[name]}" for name in ("seen", "allowed") if error.get(name)]
    lines += [f"What to do: {error['hint']}"] if error.get("hint") else []
    broke = run["status"] != UNBEGUN
    what = "a run broke, orders may be out" if broke else "a run could not begin"
    return Message(
        events=("interrupted" if broke else "halted",),
        title=f"{portfolio} ({mode}): {what}",
        text="\n".join(lines),
        tone="bad",
        outcome="interrupted" if broke else "halted",
        portfolio=portfolio,
        session=None,
        run_id=None,
        at=None,
        facts=(("Woken for", clock(run["due"])),),
    )


def serve_text(event: str, facts: Document, page: Page) -> str:
    """Say in a line or two what happened."""
    match event:
        case "serving":
            head = page.paint(f"serving  {facts['portfolio']}: {facts['mode']}", "bold")
            return f"{head}, store {facts['store']}\nwakes    every day at {_wakes(facts['wakes'])}"
        case "next":
            return page.paint(f"next     {clock(facts['at'])}", "dim")
        case "run":
            return _run_text(facts, page)
        case "dumb":
            return f"warning: {facts['file']} can't be written ({facts['why']}): --check sees no server"
        case _:
            return event


def _run_text(run: Document, page: Page) -> str:
    """Say how a run ended."""
    error = run["error"] or {}
    if failure_of(run):
        why = f"{failure_of(run)}: {error.get('message') or 'no word of it'}"
        more = [str(error["hint"])] if error.get("hint") else run["said"].splitlines()[-5:]
        word = page.paint("failed", "bold", "red")
        return "\n".join([f"{clock(run['due'])}  {word}  {why}", *(f"  {line}" for line in more)])
    word = page.paint(str(run["outcome"]), COLOURS.get(run["status"], "yellow"))
    why = str(run["reason"] or "").removeprefix(f"{run['outcome']}: ")
    where = f"session {run['session'] or 'none'}, {run['seconds']:.0f} s"
    return f"{clock(run['due'])}  {word}  {why} ({where})"


def _wakes(times: list[str]) -> str:
    """Name the times of a day; their zone once, where it is the same."""
    zones = [text.partition(" ")[2] for text in times]
    if len(set(zones)) > 1:
        return ", ".join(times)
    return f"{', '.join(text.partition(' ')[0] for text in times)} ({zones[0]})"


def told_of_life(pulse: Document, age_s: float) -> str:
    """Say how a server that lives stands."""
    last = pulse.get("last") or {}
    parts = [f"a server lives: seen {age_s:.0f} s ago"]
    parts += [f"next {clock(pulse['next'])}"] if pulse.get("next") else []
    if last:
        parts.append(f"last {clock(last['due'])}: {failure_of(last) or last['outcome']}")
    return "; ".join(parts)


def clock(text: object) -> str:
    """Write a moment as a person in New York reads it."""
    return f"{datetime.fromisoformat(str(text)).astimezone(NEW_YORK):%a %Y-%m-%d %H:%M %Z}"
