"""Arrive: which session it is, and whether this run may trade in it at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from trimtab.core.record import account_hash, canonical
from trimtab.core.schedule import (
    NEW_YORK,
    Window,
    complete_sessions,
    hours_of,
    session_of,
    sessions_before,
    window,
)
from trimtab.errors import Halted, Misconfigured
from trimtab.switch import judge_kill_switch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from trimtab.core.mandate import Mandate
    from trimtab.core.portfolio import SessionHours
    from trimtab.core.record import Document
    from trimtab.ports import World
    from trimtab.stations.evidence import Evidence
    from trimtab.stations.saved import Saved

CALENDAR_AHEAD = timedelta(days=10)
LONGEST_PERIOD_DAYS = 31
"""A decision of the month's first session must still be found on its last one."""
MAX_SKEW_S = 30.0
"""Largest difference between the machine's clock and the broker's, seconds; not judged on loopback."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a run was called.

    `scheduled_time` (UTC) is the schedule's, None when a person calls; `finish` continues an unfinished
    plan of another configuration; `only_plan` stops after the risk review and works when the market is
    closed, too; with `keep_plan` it gives that plan as a file. `saved` is such a file's plan: that one is
    traded, or none. `warning` is what the caller has to say of the schedule; it stands in the record.
    """

    scheduled_time: datetime | None = None
    finish: bool = False
    only_plan: bool = False
    keep_plan: bool = False
    saved: Saved | None = None
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Today:
    """The session a run is in: its window (None: no trading today), and the calendar around it."""

    session: date
    now: datetime
    window: Window | None
    calendar: tuple[SessionHours, ...]

    def trading_window(self) -> Window:
        """Give the window.

        Raises:
            Ended: there is no session today.
        """
        if self.window is None:
            raise Ended("closed", "no_session", "no_session: the exchange has no session today")
        return self.window


class Ended(Exception):  # noqa: N818 - an outcome, not a fault
    """The run is over, and well: there is nothing to do today."""

    def __init__(self, outcome: str, code: str, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.code = code
        self.reason = reason


def read_clock(world: World, mandate: Mandate, evidence: Evidence) -> datetime:
    """Read the broker's clock, which is the run's, and take the session from it.

    Raises:
        Halted: the machine's clock is more than 30 seconds off, unless the host is loopback.
        Unreachable: the clock can't be read.
    """
    now = world.broker.now()
    evidence.begin(now)
    skew = abs((world.clock.now() - now).total_seconds())
    if not mandate.loopback and skew > MAX_SKEW_S:
        raise Halted(
            "clock_skew",
            "this machine's clock and the broker's disagree",
            seen=f"{skew:.1f} s",
            allowed=f"{MAX_SKEW_S:.0f} s",
            hint="set the machine's clock (NTP)",
        )
    return now


def arrive(world: World, mandate: Mandate, arrival: Arrival, evidence: Evidence, now: datetime) -> Today:
    """Find the session and its window, and judge the event and the kill switch.

    Raises:
        Ended: closed today, outside the window, or the event is of another day.
        Halted: the kill switch is set.
    """
    session = session_of(now)
    past = timedelta(days=int(mandate.sessions_needed * 1.6) + LONGEST_PERIOD_DAYS)
    calendar = world.broker.calendar(session - past, session + CALENDAR_AHEAD)
    evidence.calendar = calendar
    if arrival.warning:
        evidence.note("warning", "fetch", "run_time", arrival.warning)
    judge_event(arrival, session)
    hours = hours_of(calendar, session)
    times = None if hours is None else window(hours, mandate.risk.window)
    if not arrival.only_plan:
        judge_kill_switch(world.store, mandate.portfolio)
        judge_window(times, now)
    elif times is None or now > times.closes:
        session = next_session(calendar, session)
        evidence.session = session
        judge_bar(arrival, calendar, session, now, evidence)
    return Today(session, now, times, calendar)


def judge_event(arrival: Arrival, session: date) -> None:
    """End the run when its event was scheduled for another New York date.

    Raises:
        Ended: `closed`, code `late_event`.
    """
    scheduled = arrival.scheduled_time
    if scheduled is not None and session_of(scheduled) != session:
        reason = f"late_event: scheduled for {session_of(scheduled)}, but it is {session} in New York"
        raise Ended("closed", "late_event", reason)


def judge_window(times: Window | None, now: datetime) -> None:
    """End the run outside the trading window.

    Raises:
        Ended: `closed`.
    """
    if times is None:
        raise Ended("closed", "no_session", "no_session: the exchange has no session today")
    if not times.holds(now):
        opens, closes, at = (f"{t.astimezone(NEW_YORK):%H:%M}" for t in (times.opens, times.closes, now))
        reason = f"outside_window: it is {at} in New York, trading is from {opens} to {closes}"
        raise Ended("closed", "outside_window", reason)


def next_session(calendar: Sequence[SessionHours], session: date) -> date:
    """Give the first session after a date.

    Raises:
        Halted: the calendar ends before.
    """
    later = next((hours.session for hours in calendar if hours.session > session), None)
    if later is None:
        raise Halted("no_calendar", "the calendar has no later session", seen=session, hint="try again later")
    return later


def judge_bar(
    arrival: Arrival, calendar: Sequence[SessionHours], session: date, now: datetime, evidence: Evidence
) -> None:
    """Warn that a plan for the next session is made before the last one's bar is complete; keep none such.

    Raises:
        Halted: the plan is to be saved: the run that is to trade it would see one session more.
    """
    if sessions_before(calendar, session)[-1:] == complete_sessions(calendar, session, now)[-1:]:
        return
    last = sessions_before(calendar, session)[-1]
    message = f"the session of {last} is over, but its bar is not complete yet"
    if arrival.keep_plan:
        raise Halted(
            "early_plan",
            f"{message}: the plan could not be applied",
            seen=f"{now.astimezone(NEW_YORK):%H:%M} New York",
            allowed="a plan from the closes that its run will see",
            hint="make it again 16 minutes after the close",
        )
    evidence.note("warning", "fetch", "early_plan", f"{message}: a run tomorrow sees one session more")


def bind(world: World, mandate: Mandate, evidence: Evidence) -> str:
    """Read the account's hash and hold the store to one mode and account a portfolio. Give h8.

    Raises:
        Misconfigured: the store belongs to another account or mode.
    """
    account = world.broker.account()
    evidence.account = account
    h8 = account_hash(account.account_number, mandate.portfolio)
    evidence.h8 = h8
    _judge_alone(world, mandate, account.account_number)
    key = f"portfolios/{mandate.portfolio}.json"
    ours = {"h8": h8, "mode": mandate.mode}
    if not mandate.dry_run and world.store.put_if_absent(key, canonical(ours)):
        _judge_alone(world, mandate, account.account_number)  # another may have bound at the same moment
    stored = world.store.get(key)
    bound = ours if stored is None else _bound(stored)
    if bound != ours:
        raise Misconfigured(
            "store_bound",
            f"the store at {world.store.url} belongs to another account or mode",
            seen=f"mode {ours['mode']}, account hash {ours['h8']}",
            allowed=f"mode {bound.get('mode')}, account hash {bound.get('h8')}",
            hint="give this account its own store.url, or its own portfolio name",
        )
    return h8


def _judge_alone(world: World, mandate: Mandate, account_number: str) -> None:
    """Refuse an account that already serves another portfolio of this store.

    Raises:
        Misconfigured: naming it.
    """
    for key in world.store.list("portfolios/"):
        name = key.removeprefix("portfolios/").removesuffix(".json")
        theirs = _bound(world.store.get(key) or b"").get("h8")
        if name != mandate.portfolio and theirs == account_hash(account_number, name):
            raise Misconfigured(
                "account_taken",
                f"this account already serves the portfolio {name}",
                seen=f"portfolio {mandate.portfolio}",
                allowed=f"portfolio {name}",
                hint="one account serves one portfolio: use that name, or another account",
            )


def _bound(stored: bytes) -> Document:
    """Read what the store is bound to; {} where that is not readable, which is no account of ours."""
    try:
        bound = json.loads(stored)
    except ValueError:
        return {}
    return bound if isinstance(bound, dict) else {}
