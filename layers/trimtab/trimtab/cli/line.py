"""Line: the verbs that pass the line of stations: run, plan, apply."""

from __future__ import annotations

import logging
import math
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from trimtab.adapters.applog import AppLog
from trimtab.adapters.stores import open_store
from trimtab.cli.failure import understood
from trimtab.cli.opened import options_of, program, settings_of
from trimtab.cli.term import Term, ending_well
from trimtab.desk import Desk
from trimtab.errors import Halted, Interrupted, Misconfigured, TrimtabError
from trimtab.settings import redactor
from trimtab.show.document import exit_status, run_document, stopped_record
from trimtab.show.page import advice
from trimtab.show.plan import plan_text, planned_document
from trimtab.show.run import Facts, holdings, run_text
from trimtab.show.sessions import session_head, session_line
from trimtab.stations.arrive import Arrival
from trimtab.stations.saved import file_of, opened

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from trimtab.cli.terminal import Terminal
    from trimtab.core.record import Document
    from trimtab.settings import Settings
    from trimtab.show.page import Page

__all__ = ["apply", "plan", "run"]

NOT_SAVED = 3
"""The exit status, at least, where a plan was to be saved and there is none."""


def plan(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Decide, plan and review, and send nothing; keep the plan in a file where one is named.

    Raises:
        Misconfigured: the configuration is not usable, or the file can't be written.
    """
    settings = settings_of(arguments, dry_run=True)
    arrival = Arrival(only_plan=True, keep_plan=arguments.out is not None)
    record, facts = _passed(arguments, settings, arrival, terminal, None, _term(arguments))
    kept = record.get("saved")
    saved = None
    if kept is not None:
        _write(Path(arguments.out), file_of(kept))
        names = ("digest", "planned_at", "opens_at", "expires_at")
        saved = {"file": arguments.out, **{name: kept[name] for name in names}}
    terminal.say(plan_text(record, facts, terminal.page, saved))
    if arguments.out is not None and saved is None:
        terminal.complain(f"no plan was saved: {record['reason']}")
    status = _finish(record, planned_document(record, saved), terminal, None, None)
    return max(status, NOT_SAVED) if arguments.out is not None and saved is None else status


def apply(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Trade a saved plan exactly, or refuse it and say what has moved.

    Raises:
        Misconfigured: the configuration is not usable, or the file is no saved plan as it was written.
    """
    settings = settings_of(arguments, dry_run=arguments.dry_run)
    arrival = Arrival(saved=opened(_read(Path(arguments.file)), arguments.file))
    with _logged(settings, "apply") as log, _in_time(arguments, settings, terminal, log) as term:
        return _once(arguments, settings, arrival, terminal, log, term)


def _read(path: Path) -> bytes:
    """Read a saved plan's file.

    Raises:
        Misconfigured: it can't be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured(
            "plan_file",
            f"{path} can't be read",
            seen=error.strerror,
            allowed="a file that `trimtab plan --out` wrote",
            hint="trimtab plan --out FILE makes one",
        ) from None


def _write(path: Path, data: bytes) -> None:
    """Write a saved plan's file, whole or not at all; it shows what the account holds, so to its owner alone.

    Raises:
        Misconfigured: it can't be written.
    """
    try:
        part = NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False)  # noqa: SIM115 - closed below
        try:
            with part:
                part.write(data)
            Path(part.name).replace(path)
        except OSError:
            Path(part.name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Misconfigured(
            "plan_file", f"the plan can't be written to {path}", seen=error.strerror, hint="name another file"
        ) from None


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Run the line once, or once a session for several.

    Raises:
        Misconfigured: the configuration is not usable, or can't be moved to another session.
    """
    settings = settings_of(arguments, dry_run=arguments.dry_run)
    arrival = Arrival(finish=arguments.finish)
    passed = _many if arguments.sessions else _once
    with _logged(settings, "run") as log, _in_time(arguments, settings, terminal, log) as term:
        return passed(arguments, settings, arrival, terminal, log, term)


def _once(
    arguments: argparse.Namespace,
    settings: Settings,
    arrival: Arrival,
    terminal: Terminal,
    log: AppLog | None,
    term: Term,
) -> int:
    record, facts = _passed(arguments, settings, arrival, terminal, log, term)
    terminal.say(run_text(record, facts, terminal.page))
    return _finish(record, run_document(record), terminal, log, facts.seconds)


def _passed(
    arguments: argparse.Namespace,
    settings: Settings,
    arrival: Arrival,
    terminal: Terminal,
    log: AppLog | None,
    term: Term,
) -> tuple[Document, Facts]:
    """Pass the line once, and give its record with what a page says besides."""
    started = time.perf_counter()
    data = _where(settings)
    step = getattr(arguments, "next", False)
    warn = _Untold(terminal, log)
    try:
        with Desk.of(settings, os.environ, seconds_left=term, warn=warn) as desk:
            data = _data(desk)
            record = _pass(desk, arrival, step=step)
    except Exception as error:  # noqa: BLE001 - what is no run's end is raised again
        record = _stopped(error, settings)
    facts = Facts(
        data,
        store=settings.store_url,
        seconds=time.perf_counter() - started,
        program=program(),
        verb=f"apply {quote(arguments.file)}" if arrival.saved is not None else "run",
        options=options_of(arguments),
        sending=" --no-dry-run" if getattr(arguments, "dry_run", None) is False else "",
        planned_only=arrival.only_plan,
        taxes=_taxes(settings, record),
    )
    return record, facts


def _taxes(settings: Settings, record: Document) -> dict[str, str]:
    """Say what orders that were not sent would realise; nothing where that can't be known."""
    if record["outcome"] != "dry_run":
        return {}
    from trimtab.evidence.taxes import estimates  # noqa: PLC0415 - a run that sends does not pay for it

    with suppress(TrimtabError, OSError):
        return estimates(*open_store(settings.store_url), record)
    return {}


def _many(
    arguments: argparse.Namespace,
    settings: Settings,
    arrival: Arrival,
    terminal: Terminal,
    log: AppLog,
    term: Term,
) -> int:
    """Move to the next session and run, several times, until a run does not end well."""
    records: list[Document] = []
    warn = _Untold(terminal, log)
    try:
        with Desk.of(settings, os.environ, seconds_left=term, warn=warn) as desk:
            dry = ", dry run" if settings.dry_run else ""
            terminal.say(f"{settings.portfolio}: {settings.mode}{dry}, {_data(desk)}\n")
            terminal.say(session_head(terminal.page))
            while len(records) < arguments.sessions and not (records and _is_last(records[-1], term)):
                record = _one_of_many(desk, arrival, settings)
                records.append(record)
                terminal.say(session_line(record, terminal.page))
                _note(log, record, None)
    except Exception as error:  # noqa: BLE001 - what is no run's end is raised again
        records.append(_stopped(error, settings))
    terminal.say(_end_of_many(records, arguments, settings, terminal.page))
    return _finish(records[-1], {"runs": [run_document(record) for record in records]}, terminal, None, None)


def _end_of_many(
    records: list[Document], arguments: argparse.Namespace, settings: Settings, page: Page
) -> str:
    """Say what is held, as the last run saw it that looked, and where to read on."""
    last = records[-1]
    held = next((r for r in reversed(records) if r["positions_before"] or r["positions_after"]), last)
    when = "" if held is last else f" session {held['session']}"
    step = advice("look at the runs", f"{program()} history{options_of(arguments)}")
    store = page.paint(f"store  {settings.store_url}", "dim")
    return "\n" + "\n\n".join(part for part in (holdings(held, page, when), store, step) if part)


def _one_of_many(desk: Desk, arrival: Arrival, settings: Settings) -> Document:
    try:
        return _pass(desk, arrival, step=True)
    except (Halted, Interrupted) as error:
        return _stopped(error, settings)


def _pass(desk: Desk, arrival: Arrival, *, step: bool) -> Document:
    if step:
        desk.next_session()
    return desk.run(arrival)


def _stopped(error: Exception, settings: Settings) -> Document:
    """Give the record of a run that left none.

    Raises:
        Exception: the same again, where it is no run's end but a bug or the configuration.
    """
    known = understood(error)
    if not isinstance(known, Halted | Interrupted):
        raise error
    return stopped_record(known, settings.portfolio, settings.mode, dry_run=settings.dry_run)


def _finish(
    record: Document, document: Document, terminal: Terminal, log: AppLog | None, seconds: float | None
) -> int:
    """Tell what stopped the run, print the document, log, and give the exit status."""
    if record["error"]:
        terminal.explain(record["error"])
    terminal.document(document)
    if log is not None:
        _note(log, record, seconds)
    return exit_status(record)


def _is_last(record: Document, term: Term) -> bool:
    """Say whether no further session is run: this one did not end well, or the program is to end."""
    return term.ending or exit_status(record) != 0


def _term(arguments: argparse.Namespace) -> Term:
    return Term(getattr(arguments, "deadline", None) or math.inf)


@contextmanager
def _in_time(
    arguments: argparse.Namespace, settings: Settings, terminal: Terminal, log: AppLog
) -> Iterator[Term]:
    """Give a verb that trades its time, of which SIGTERM leaves little; say so where it came."""
    term = _term(arguments)
    with ending_well(term):
        yield term
    if term.ending:
        log.line("terminated", level=logging.WARNING, portfolio=settings.portfolio)
        terminal.complain("SIGTERM came: nothing was sent after it. Run again in this session to go on.")


class _Untold:
    """Hears what could not be told: people see it on stderr, the log keeps it."""

    def __init__(self, terminal: Terminal, log: AppLog | None) -> None:
        self._terminal, self._log = terminal, log

    def __call__(self, text: str) -> None:
        if self._log is not None:
            self._log.line("not_told", level=logging.WARNING, message=text)
        with suppress(OSError):  # nobody may be reading stderr, and the run goes on
            self._terminal.complain(f"warning: not told: {text}")


def _data(desk: Desk) -> str:
    """Name the prices."""
    if desk.exchange is None:
        return _where(desk.settings, desk.mandate.host)
    return "; ".join([desk.exchange.tape.name, *desk.exchange.tape.caveats])


def _where(settings: Settings, host: str = "") -> str:
    if settings.mode == "simulated":
        return "simulated exchange"
    return f"{settings.data.feed} prices" + (f" from {host}" if host else "")


@contextmanager
def _logged(settings: Settings, verb: str) -> Iterator[AppLog]:
    """Keep the app log around a verb: a line at its start, and one for what escapes it."""
    # A secret that SSM keeps is learnt after this: each line is cleaned of what is known by then.
    log = AppLog(settings.log_file, written=lambda entry: redactor(os.environ).line(entry))
    log.line("start", verb=verb, portfolio=settings.portfolio, mode=settings.mode, dry_run=settings.dry_run)
    try:
        yield log
    except BaseException as error:
        code = getattr(error, "code", "") if isinstance(error, Exception) else "stopped"
        log.line("error", level=logging.ERROR, code=code or "bug", message=f"{type(error).__name__}: {error}")
        raise
    finally:
        log.close()


def _note(log: AppLog, record: Document, seconds: float | None) -> None:
    names = ("run_id", "portfolio", "session", "outcome", "stage", "code", "reason")
    level = logging.ERROR if exit_status(record) else logging.INFO
    more: Document = {} if seconds is None else {"seconds": round(seconds, 3)}
    more |= {name: record[name] for name in ("timings", "data_age_s") if name in record}
    log.line("run", level=level, **{name: record[name] for name in names}, **more)
