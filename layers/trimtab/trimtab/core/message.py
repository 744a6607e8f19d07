"""Message: what the owner is told of a run, or of an alarm, before any service gives it a form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["good", "warning", "bad"]
"""How it looks at a glance: as wished, to be looked at, to be looked at now."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message about one run, or about an alarm.

    `events` are the names in `alerts.on` that it stands for, the gravest first; `title` is one line, `text`
    says why and what to do; `facts` are short values by their names, `lists` lines by their headings. `at` is
    the run's end (UTC ISO 8601), or None where it is unknown. `source` says where a message is from that is
    about no run. Texts are plain: each service escapes them.
    """

    events: tuple[str, ...]
    title: str
    text: str
    tone: Tone
    outcome: str
    portfolio: str
    session: str | None
    run_id: str | None
    at: str | None
    facts: tuple[tuple[str, str], ...] = ()
    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()
    source: str = ""

    @property
    def foot(self) -> str:
        """Where to look further: the run, or what else the message is from."""
        return self.source or f"run {self.run_id or 'not recorded'}"
