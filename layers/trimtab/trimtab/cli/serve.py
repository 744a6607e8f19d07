"""Serve: the verb that keeps the schedule on this machine, and the one that looks whether it lives."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from trimtab.adapters.applog import AppLog
from trimtab.adapters.pulse import Pulse
from trimtab.cli.opened import settings_of
from trimtab.errors import Halted, TrimtabError
from trimtab.ports import Undelivered
from trimtab.settings import redactor
from trimtab.settings.secret import ALERT_URLS, HEARTBEAT_URL
from trimtab.show.serve import failure_message, failure_of, serve_text, told_of_life

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from trimtab.cli.terminal import Terminal
    from trimtab.core.record import Document
    from trimtab.settings import Settings

__all__ = ["FRESH_S", "alarm_of", "serve"]

FRESH_S = 180.0
"""A server shows itself twice a minute; silent for longer, it is taken for dead."""
TELL_S = 5.0
"""Seconds for each receiver of an alarm."""


def serve(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Serve until Ctrl-C or SIGTERM; with --check, say whether a server of this portfolio lives.

    Raises:
        Misconfigured: the configuration or the installation is not usable.
        Halted: --check, and none lives.
    """
    settings = settings_of(arguments, dry_run=arguments.dry_run)
    pulse = Pulse(settings.log_file.with_name(f"serve-{settings.portfolio}.json"))
    if arguments.check:
        return _check(pulse, terminal)
    from trimtab.cli.host import Machine  # noqa: PLC0415 - looking for a sign of life needs none of it
    from trimtab.cli.server import Server  # noqa: PLC0415 - as above

    with Machine() as host:
        Server(
            settings,
            lambda: settings_of(arguments, dry_run=arguments.dry_run),
            host,
            pulse,
            _flags(arguments),
            _teller(settings, terminal),
            alarm_of(terminal),
        ).serve()
    return 0


def _check(pulse: Pulse, terminal: Terminal) -> int:
    """Look for a fresh sign of life.

    Raises:
        Halted: there is none.
    """
    known, age, said = pulse.read(), None, ""
    with suppress(ValueError, TypeError, KeyError):  # whatever lies there, it is no sign of life
        age = (datetime.now(UTC) - datetime.fromisoformat(str(known["at"]))).total_seconds()
        said = told_of_life(known, age)
    if age is None or not said or not abs(age) <= FRESH_S:
        raise Halted(
            "not_serving",
            "no server of this portfolio shows that it lives",
            seen=f"nothing of it in {pulse.path}" if age is None else f"its last sign {age:.0f} s ago",
            allowed=f"one of the last {FRESH_S:.0f} s",
            hint="start `trimtab serve`, or look at what it said last",
        )
    terminal.say(said)
    terminal.document(known | {"age_s": round(age, 1)})
    return 0


def _flags(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Give what each run is told of this command's flags."""
    config = () if arguments.config is None else ("--config", arguments.config)
    dry = {None: (), True: ("--dry-run",), False: ("--no-dry-run",)}[arguments.dry_run]
    return (*config, *dry)


def _teller(settings: Settings, terminal: Terminal) -> Callable[[str, Document], None]:
    """Give what tells people, JSON readers and the log of an event."""

    def tell(event: str, facts: Document) -> None:
        with suppress(OSError):  # nobody may be reading, and the schedule goes on
            terminal.say(serve_text(event, facts, terminal.page))
            terminal.document({"event": event} | facts, indent=None)
        if event == "next" or (event == "run" and not failure_of(facts)):
            return  # a run that began has logged itself
        log = AppLog(settings.log_file, written=redactor(os.environ).line)
        level = logging.ERROR if event == "run" else logging.INFO
        log.line(f"serve_{event}", level=level, **({"portfolio": settings.portfolio} | facts))
        log.close()

    return tell


def alarm_of(terminal: Terminal) -> Callable[[Settings, Document], bool]:
    """Give what tells the owner of a run that could not tell of itself, and says whether that was heard.

    What can't be told is said here.
    """

    def complain(text: str) -> None:
        with suppress(OSError):  # nobody may be reading, and the schedule goes on
            terminal.complain(text)

    def alarm(settings: Settings, run: Document) -> bool:
        tells, untold = _tells(settings, run)
        heard = not tells and not untold  # where nobody is to be told, nobody is missed
        for name, tell in tells:
            try:
                tell()
                heard = True
            except Exception as error:  # noqa: BLE001 - one receiver's fault is no other's
                untold.append(f"{name}: {_why(error)}")
        for text in untold:
            complain(f"warning: not told: {text}")
        return heard

    return alarm


def _tells(settings: Settings, run: Document) -> tuple[list[tuple[str, Callable[[], None]]], list[str]]:
    """Give what tells of a run that failed, and why some can't: what ails one receiver silences no other."""
    from trimtab.adapters.notify import fit_notifiers  # noqa: PLC0415 - a server with nothing to tell stays small
    from trimtab.desk import outlets, told_from  # noqa: PLC0415 - as above

    message = failure_message(run, settings.portfolio, settings.mode)
    wanted = message.events[0] in settings.alerts.on and not settings.dry_run
    tells: list[tuple[str, Callable[[], None]]] = []
    untold = []
    for other in (HEARTBEAT_URL, ALERT_URLS):  # the webhooks apart from the watcher
        environ = {name: value for name, value in os.environ.items() if not name.startswith(other)}
        try:
            environ = {**told_from(settings, environ), other: ""}
            channels, heartbeat = outlets(settings, environ, fit_notifiers)
        except Exception as error:  # noqa: BLE001 - whatever ails the receivers, the schedule goes on
            untold.append(_why(error))
            continue
        tells += [(one.name, partial(one.tell, message, TELL_S)) for one in channels if wanted]
        if heartbeat is not None:
            tells.append(("heartbeat", partial(heartbeat.fail, str(run["due"]), message.title, TELL_S)))
    return tells, untold


def _why(error: Exception) -> str:
    """Say what kept a message back; in words only where those hold no part of an address."""
    if isinstance(error, TrimtabError):
        return f"{error.code}: {error.message}"
    return str(error) if isinstance(error, Undelivered) else type(error).__name__
