"""Server: the schedule of one portfolio as one straight loop: look at the clock, run what is due, wait.

What is due is asked anew at every look: the newest wake-up, unless it was handled. So a wake-up that passed
while the machine slept, was off or had its clock set is made up for, several at once count as one, and no run
begins beside another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from trimtab.adapters.wakeups import Wakeups
from trimtab.cli.host import RUN_S
from trimtab.core.schedule import session_of
from trimtab.errors import Misconfigured
from trimtab.show.serve import failure_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.adapters.pulse import Pulse
    from trimtab.cli.host import Ended, Host
    from trimtab.core.record import Document
    from trimtab.settings import Settings

__all__ = ["Server"]


@dataclass(slots=True)
class Server:
    """One portfolio's schedule on one machine.

    `load` gives the settings as they are now; `flags` go to every run; `tell` is told what happens, `alarm`
    of a run that could not begin or broke, once a day for each reason: it says whether anybody heard it.
    """

    settings: Settings
    load: Callable[[], Settings]
    host: Host
    pulse: Pulse
    flags: tuple[str, ...]
    tell: Callable[[str, Document], None]
    alarm: Callable[[Settings, Document], bool]
    handled: datetime | None = None
    next: datetime | None = None
    _last: Document = field(default_factory=dict)
    _alarmed: str = ""
    _dumb: bool = False

    def serve(self) -> None:
        """Serve until the host is told to stop."""
        self.handled = _instant(self.pulse.read().get("handled"))
        self.tell("serving", self._facts())
        while not self.host.stopping:
            self._settings()
            wakeups = Wakeups(self.settings.schedule.run_time, self.settings.schedule.timezone)
            now = self.host.now()
            due = wakeups.newest(now)
            if self._is_due(due, now):
                self._run(due)
                self.next = None
                continue
            if (following := wakeups.after(now)) != self.next:
                self.next = following
                self.tell("next", {"at": _text(following)})
            self._beat()
            self.host.wait((following - now).total_seconds())
        self.tell("stopped", {})

    def _settings(self) -> None:
        """Take the settings as they are now; where they are not usable, a run will say so."""
        try:
            self.settings = self.load()
        except Misconfigured:
            return

    def _is_due(self, due: datetime, now: datetime) -> bool:
        """Say whether a wake-up is to be made up for: nobody did, and it is of today in New York."""
        if self.handled is not None and self.handled > now:  # the clock was ahead once
            self.handled = now
        return (self.handled is None or due > self.handled) and session_of(due) == session_of(now)

    def _run(self, due: datetime) -> None:
        """Run once for a wake-up, and tell how that ended."""
        words = ["run", "--json", "--deadline", f"{RUN_S:.0f}", *self.flags, *self._step(due)]
        ended = self.host.run(words, self._beat)
        self._last = _outcome(due, ended)
        if not (self.host.stopping and ended.status):  # asked to end: the next start goes on with it
            self.handled = due
            self._judge(due)
        self._beat()
        self.tell("run", self._last)

    def _step(self, due: datetime) -> tuple[str, ...]:
        """Give what moves a simulated portfolio on: by a session, with the first wake-up of a further day."""
        further = self.handled is not None and session_of(self.handled) != session_of(due)
        return ("--next",) if further and self.settings.mode == "simulated" else ()

    def _judge(self, due: datetime) -> None:
        """Raise the alarm for a run that could not tell of itself, until one of a day and reason is heard."""
        code = failure_of(self._last)
        seen = f"{session_of(due)} {code}" if code else ""
        if seen != self._alarmed:
            heard = bool(seen) and self.alarm(self.settings, self._last)
            self._alarmed = seen if heard else ""

    def _beat(self) -> None:
        """Show that the server lives."""
        document = {"at": self.host.now(), "handled": self.handled, "next": self.next}
        try:
            self.pulse.write({key: _text(value) for key, value in document.items()} | {"last": self._last})
        except OSError as error:
            if not self._dumb:
                self.tell("dumb", {"file": str(self.pulse.path), "why": error.strerror or str(error)})
            self._dumb = True
        else:
            self._dumb = False

    def _facts(self) -> Document:
        settings, schedule = self.settings, self.settings.schedule
        times = Wakeups(schedule.run_time, schedule.timezone).times
        return {
            "portfolio": settings.portfolio,
            "mode": settings.mode,
            "store": settings.store_url,
            "wakes": [f"{at:%H:%M} {zone}" for at, zone in times],
        }


def _outcome(due: datetime, ended: Ended) -> Document:
    """Give what is kept and told of a run."""
    names = ("run_id", "session", "outcome", "code", "reason")
    told = {name: ended.document.get(name) for name in names}
    error = ended.document.get("error")
    sent = ended.document.get("orders")
    return {
        "due": _text(due),
        "status": ended.status,
        **told,
        "orders": len(sent) if isinstance(sent, list) else None,
        "error": error if isinstance(error, dict) else None,
        "seconds": round(ended.seconds, 1),
        "said": ended.said if ended.status not in {0, 3, 4} else "",
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _instant(text: object) -> datetime | None:
    """Read a moment that a pulse kept; None where it kept none."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
