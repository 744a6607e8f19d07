"""Report: the owner is told how a run ended, and the watcher is pinged; nothing of it touches the run.

It comes after the record, takes a few seconds at most, and never those that recording needs. What can't be
told is warned of and let go; outcome and exit status stay. Whether something was told before is known from
marks under `told/`, put once a message was taken by one receiver at least: so a re-run does not repeat it,
and the next run tells what a dead receiver, or a kill between record and message, left untold.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from trimtab.core.record import canonical
from trimtab.core.schedule import hours_of, session_of
from trimtab.errors import Halted, Interrupted, TrimtabError
from trimtab.ports import Undelivered
from trimtab.show.alert import Occasion, message_of, ping_text
from trimtab.show.document import exit_status, stopped_record
from trimtab.stations.history import BAD, GOOD
from trimtab.stations.past import read_record
from trimtab.switch import flag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trimtab.core.message import Message
    from trimtab.core.record import Document
    from trimtab.ports import World
    from trimtab.stations.evidence import Evidence

REPORT_S = 10.0
"""Longest time for everything that is told at the end of a run, seconds."""
PING_S = 3.0
"""Of it, for the ping; and for the one at the start."""
KEPT_S = 5.0
"""Seconds before the deadline that nothing is told in."""
UNHURRIED_S = 60.0
"""With less time than this a run begins without a ping: trading needs it."""
RECENT = 10
"""So many runs, and sessions, are looked back on."""
SKEW = timedelta(minutes=1)
"""A latch may be dated by the machine's clock, where the broker's can't be read."""

Row = dict[str, object]


@contextmanager
def reporting(world: World, evidence: Evidence) -> Iterator[Callable[[Document], Document]]:
    """Ping the start; give what tells of the record; tell of what ends the run without one, and raise it.

    Raises:
        Exception: whatever ended the run.
    """
    name = evidence.run_id
    if world.heartbeat is not None and world.seconds_left() >= UNHURRIED_S:
        _ping(world, partial(world.heartbeat.start, name), PING_S)

    def report(record: Document) -> Document:
        _report(world, evidence, record, name)
        return record

    try:
        yield report
    except Exception as error:
        if isinstance(error, TrimtabError):
            error.mask(world.redact)
        _report(world, evidence, _unrecorded(world, evidence, error), name)
        raise


def _unrecorded(world: World, evidence: Evidence, error: Exception) -> Document:
    """Give what a record would have said of a run that left none."""
    mandate = evidence.mandate
    if not isinstance(error, TrimtabError):
        kind = Interrupted if evidence.sent else Halted
        hint = "this is a fault in trimtab, or in a strategy of yours; the program's output says more"
        error = kind("bug", f"{type(error).__name__}: {error}", hint=hint)
    record = stopped_record(error, mandate.portfolio, mandate.mode, dry_run=mandate.dry_run)
    session = None if evidence.session is None else str(evidence.session)
    return world.redact({**record, "run_id": evidence.run_id, "session": record["session"] or session})


def _report(world: World, evidence: Evidence, record: Document, name: str) -> None:
    """Tell what is to be told, within the time for it."""
    if not world.notifiers and world.heartbeat is None:
        return
    try:
        _Telling(world, evidence, record, name, world.clock.monotonic() + REPORT_S).tell()
    except Exception as error:  # noqa: BLE001 - the run is over and recorded: a fault here must not undo its outcome
        world.warn(f"the report failed: {type(error).__name__}")


def _ping(world: World, ping: Callable[[float], None], seconds: float) -> bool:
    """Ping, and say whether it arrived."""
    try:
        ping(max(0.1, seconds))
    except Exception as error:  # noqa: BLE001 - whatever ails the watcher, the run goes on
        world.warn(f"heartbeat: {_why(error)}")
        return False
    return True


def _why(error: Exception) -> str:
    """Say why something could not be told: its own words where they quote no address."""
    return str(error) if isinstance(error, Undelivered) else type(error).__name__


@dataclass(frozen=True, slots=True)
class _Telling:
    """All that one run tells: `ends` is when (monotonic seconds) there is no more time for it."""

    world: World
    evidence: Evidence
    record: Document
    name: str
    ends: float

    def tell(self) -> None:
        """Ping, then send the messages that are due, the oldest first."""
        occasion = self._occasion()
        pinged = self._ping(occasion)
        if self.record["dry_run"]:
            return
        wanted = self.evidence.mandate.alerts
        self._retell(wanted)
        message = message_of(self.record, occasion, wanted)
        told = message is not None and self._send(message)
        marks = [f"{self.record['session'] or 'none'}/{self.record['run_id']}"] if told else []
        by_message = bool(self.world.notifiers) and "missed" in wanted
        if told if by_message else pinged:
            marks += [f"{session}/missed" for session in occasion.missed]
        self._mark(marks)

    def left(self) -> float:
        """Give the seconds that telling may still take."""
        return min(self.ends - self.world.clock.monotonic(), self.world.seconds_left() - KEPT_S)

    # What is to be told

    def _occasion(self) -> Occasion:
        """Find what other runs, the calendar and the flags add; where they can't be read, nothing."""
        if self.record["dry_run"] or self.record["run_id"] is None:
            return Occasion()
        try:
            return Occasion(
                latched=self._latched(),
                recovered=self._recovered(),
                missed=self._missed(),
                outside=self._outside(),
                repeated=self._repeated(),
            )
        except Exception as error:  # noqa: BLE001 - to tell less is better than to tell nothing
            self.world.warn(f"what was told before can't be read: {type(error).__name__}")
            return Occasion()

    def _rows(self, where: str, *more: object) -> list[Row]:
        """Give this portfolio's other runs that were not dry, the newest first."""
        return self.world.trades.query(
            "SELECT run_id, session, outcome, code, started_at FROM runs WHERE portfolio = ? AND dry_run = 0"  # noqa: S608 - the conditions are this file's own
            f" AND run_id <> ? AND {where} ORDER BY finished_at DESC, run_id DESC LIMIT {RECENT}",
            (self.record["portfolio"], self.record["run_id"], *more),
        )

    def _latched(self) -> str:
        """Give why this run latched the portfolio; empty where it did not."""
        blob = self.world.store.get(flag_of(self.record["portfolio"]))
        if blob is None or self.evidence.started_at is None or self.record["code"] == "kill_switch":
            return ""
        try:
            flag = json.loads(blob)
            since = datetime.fromisoformat(flag["at"])
            ours = flag["who"] == "trimtab" and since >= self.evidence.started_at - SKEW
            return str(flag["why"]) if ours else ""
        except (ValueError, KeyError, TypeError):
            return ""  # set by hand

    def _recovered(self) -> str:
        """Give what this run is the good end of; empty where there was nothing bad."""
        if self.record["outcome"] not in GOOD:
            return ""
        plan = self.record["plan"]
        if plan and plan["run_id"] != self.record["run_id"]:
            known = self._rows("run_id = ?", plan["run_id"])
            if not known:
                return f"{plan['run_id']} began this session's plan and left no record; this run finished it"
        last = self._rows("outcome <> 'closed'")
        if not last or last[0]["outcome"] not in BAD:
            return ""
        return f"{last[0]['run_id']} was {last[0]['outcome']} ({last[0]['code']})"

    def _missed(self) -> tuple[str, ...]:
        """Give the sessions since the first run that ended without a good one, and were not told of."""
        if not self.evidence.calendar or self.evidence.started_at is None:
            return ()
        first = self.world.trades.query(
            "SELECT MIN(session) AS first FROM runs WHERE portfolio = ? AND dry_run = 0",
            (self.record["portfolio"],),
        )
        since = first[0]["first"] if first else None
        today = session_of(self.evidence.started_at)
        past = [str(hours.session) for hours in self.evidence.calendar if hours.session < today][-RECENT:]
        past = [session for session in past if since is not None and session > str(since)]
        if not past:
            return ()
        good = self.world.trades.query(
            "SELECT DISTINCT session FROM runs WHERE portfolio = ? AND dry_run = 0 AND session >= ?"
            " AND outcome IN ('traded', 'in_band', 'not_due')",
            (self.record["portfolio"], past[0]),
        )
        fine = {str(row["session"]) for row in good}
        return tuple(s for s in past if s not in fine and not self._is_marked(s, "missed"))

    def _outside(self) -> bool:
        """Say whether this run woke when it may not trade, on a session that no run ended well."""
        record, session = self.record, self.evidence.session
        if (
            record["outcome"] != "closed"
            or session is None
            or hours_of(self.evidence.calendar, session) is None
        ):
            return False
        return not self._rows("session = ? AND outcome IN ('traded', 'in_band', 'not_due')", str(session))

    def _repeated(self) -> bool:
        """Say whether a run of this session ended for the same reason, and was told of."""
        record = self.record
        same = "session IS ? AND outcome = ?" + ("" if record["outcome"] == "closed" else " AND code IS ?")
        more = () if record["outcome"] == "closed" else (record["code"],)
        rows = self._rows(same, record["session"], record["outcome"], *more)
        return any(self._is_marked(record["session"], str(row["run_id"])) for row in rows)

    # Telling

    def _ping(self, occasion: Occasion) -> bool:
        """Ping the alarm for what was missed, then how this run ended; say whether that arrived."""
        heartbeat, text = self.world.heartbeat, ping_text(self.record, occasion)
        if heartbeat is None or self.left() <= 0:
            return False
        bad = exit_status(self.record) != 0
        if occasion.missed and not bad:
            alarm = f"missed: no run ended well in {', '.join(occasion.missed)}"
            _ping(self.world, partial(heartbeat.fail, self.name, alarm), min(PING_S, self.left()))
        end = heartbeat.fail if bad else heartbeat.success
        return _ping(self.world, partial(end, self.name, text), min(PING_S, self.left()))

    def _retell(self, wanted: frozenset[str]) -> None:
        """Tell of recent runs that nobody was told of: the receiver was gone, or the run died before.

        Half of the time stays for this run's own message.
        """
        if not self.world.notifiers:
            return
        try:
            for row in reversed(self._untold()):
                if self.left() < REPORT_S / 2:
                    break
                folder = f"runs/{self.record['portfolio']}/{row['session']}/{row['run_id']}"
                message = message_of(read_record(self.world.store, folder), Occasion(late=True), wanted)
                if message is not None and self._send(message):
                    self._mark([f"{row['session']}/{row['run_id']}"])
        except (OSError, Halted) as error:
            self.world.warn(f"what was not told before can't be read: {type(error).__name__}")

    def _untold(self) -> list[Row]:
        """Give recent runs without a mark, the newest first: of earlier sessions only where one has a mark.

        Of several runs that ended for the same reason in one session, one is enough.
        """
        rows = self._rows("outcome IN ('traded', 'halted', 'interrupted') AND session IS NOT NULL")
        reasons: dict[tuple[object, ...], Row] = {}
        told: set[tuple[object, ...]] = set()
        for row in rows:
            reason = (row["session"], row["outcome"], row["code"])
            key = (*reason, row["run_id"]) if row["outcome"] == "traded" else reason
            reasons.setdefault(key, row)
            if self._is_marked(str(row["session"]), str(row["run_id"])):
                told.add(key)
        mine = (self.record["session"], self.record["outcome"], self.record["code"])
        left = [row for key, row in reasons.items() if key not in told and key != mine]
        today = (self.record["session"], self.record["started_at"])
        return [row for row in left if told or row["session"] == today[0] or row["started_at"] == today[1]]

    def _send(self, message: Message) -> bool:
        """Send to every receiver, each with its share of the time; say whether one of them took it."""
        taken = False
        for number, notifier in enumerate(self.world.notifiers):
            share = self.left() / (len(self.world.notifiers) - number)
            if share <= 0:
                self.world.warn(f"{notifier.name}: no time was left to tell it")
                continue
            try:
                notifier.tell(message, share)
                taken = True
            except Exception as error:  # noqa: BLE001 - one receiver's fault is no other's
                self.world.warn(f"{notifier.name}: {_why(error)}")
        return taken

    # What was told

    def _is_marked(self, session: str | None, name: str) -> bool:
        return self.world.store.get(self._key(f"{session or 'none'}/{name}")) is not None

    def _mark(self, names: list[str]) -> None:
        """Note what was told; where that can't be written, it is told again, which is the lesser harm."""
        for name in names:
            try:
                self.world.store.put_if_absent(self._key(name), canonical({"by": self.record["run_id"]}))
            except OSError as error:
                self.world.warn(f"what was told can't be noted: {type(error).__name__}")

    def _key(self, name: str) -> str:
        return f"told/{self.record['portfolio']}/{name}.json"
