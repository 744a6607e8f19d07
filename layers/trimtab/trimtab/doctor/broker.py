"""Broker: what the broker and its data show, read by the same stations as a run's."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from trimtab.core.lots import plain
from trimtab.core.schedule import BAR_DELAY, NEW_YORK, complete_sessions, session_of, window
from trimtab.core.verdict import named
from trimtab.doctor.check import Result, Skipped, Visit
from trimtab.errors import Halted
from trimtab.ports import Unreachable
from trimtab.stations import account as stations
from trimtab.stations import arrive

if TYPE_CHECKING:
    from datetime import date

    from trimtab.core.bars import Bars
    from trimtab.core.portfolio import SessionHours

__all__ = ["account", "binding", "calendar", "clock", "data", "schedule", "symbols"]

NEAR_S = 5.0
"""A clock that is further off than this is told of, seconds; beyond 30 runs halt."""
BEHIND, AHEAD = timedelta(days=14), timedelta(days=14)
"""How much of the calendar is read."""
BARS = 5
"""Sessions of bars that are asked for."""
_ACCOUNT_HINTS = {
    "account_status": "finish or mend the account at the broker: only an ACTIVE one may trade",
    "account_blocked": "lift the block at the broker (account configurations, or its support)",
    "currency": "Trimtab trades accounts in USD only",
    "short_position": "close the short by hand: Trimtab never holds one",
    "equity_identity": "look at the account: its equity is not its cash and holdings",
}


def account(visit: Visit) -> Result:
    """Read the account and its holdings, and judge them as a run does.

    Raises:
        Unauthorized, Unreachable: they can't be read.
    """
    evidence = visit.evidence()
    try:
        portfolio = stations.positions(visit.world, visit.mandate, None, evidence)
    except Halted as refused:
        hint = _ACCOUNT_HINTS.get(refused.code, refused.hint)
        return Result("FAIL", f"{refused.code}: {refused.seen}, allowed {refused.allowed}", hint)
    found, held = portfolio.account, len(portfolio.positions)
    seen = f"{found.status}, equity {plain(found.equity)} USD, cash {plain(found.cash)} USD, {held} holdings"
    if found.cash < 0:
        return Result("warn", seen, "cash is below 0: sell or deposit, or nothing can be bought")
    return Result("ok", seen)


def binding(visit: Visit) -> Result:
    """Look whose the store is.

    Raises:
        Misconfigured: it belongs to another account or mode.
    """
    mandate = replace(visit.mandate, dry_run=True)  # a look binds nothing
    h8 = arrive.bind(visit.world, mandate, visit.evidence())
    if visit.world.store.get(f"portfolios/{mandate.portfolio}.json") is None:
        return Result("ok", f"free: the first run that is not dry binds it to account hash {h8}")
    return Result("ok", f"{mandate.mode}, account hash {h8}")


def clock(visit: Visit) -> Result:
    """Hold this machine's clock against the broker's.

    Raises:
        Halted: they are more than 30 seconds apart.
    """
    before = visit.world.clock.now()
    now = visit.now = arrive.read_clock(visit.world, visit.mandate, visit.evidence())
    if visit.mandate.loopback:
        return Result("ok", f"virtual time, {now.astimezone(NEW_YORK):%Y-%m-%d %H:%M} in New York")
    apart = abs((before - now).total_seconds())
    hint = "set the machine's clock (NTP): beyond 30 s runs halt"
    return Result("warn" if apart > NEAR_S else "ok", f"{apart:.1f} s apart", hint if apart > NEAR_S else "")


def calendar(visit: Visit) -> Result:
    """Read the exchange's calendar, and find the session that is, or comes next.

    Raises:
        Unreachable: it can't be read.
    """
    now = _now(visit)
    day = session_of(now)
    visit.calendar = visit.world.broker.calendar(day - BEHIND, day + AHEAD)
    hours = _next(visit, now)
    if hours is None:
        return Result("FAIL", f"no session from {day} to {day + AHEAD}", "look at the broker's calendar")
    times = window(hours, visit.mandate.risk.window)
    opens, closes = (f"{t.astimezone(NEW_YORK):%H:%M}" for t in (times.opens, times.closes))
    when = "now" if times.holds(now) else "next"
    return Result("ok", f"{when}: session {hours.session}, orders from {opens} to {closes} in New York")


def schedule(visit: Visit) -> Result:
    """Look whether the run's time falls into the time in which orders are sent."""
    hours = _next(visit, _now(visit))
    if hours is None:
        raise Skipped("needs calendar")
    asked = visit.settings.schedule
    local = ZoneInfo(asked.timezone)
    run = datetime.combine(hours.session, time.fromisoformat(asked.run_time), local)
    seen = f"{asked.run_time} {asked.timezone} is {run.astimezone(NEW_YORK):%H:%M} in New York"
    if window(hours, visit.mandate.risk.window).holds(run):
        return Result("ok", seen)
    hint = "set schedule.run_time within these times, or every run ends `closed`"
    return Result("warn", f"{seen}, when no order is sent", hint)


def data(visit: Visit) -> Result:
    """Ask for the universe's last bars and for quotes, in the configured feed.

    Raises:
        Unauthorized, Unreachable: they can't be read.
    """
    now, feed = _now(visit), visit.settings.data.feed
    past = complete_sessions(visit.calendar, session_of(now), now)[-BARS:]
    if not past:
        return Result("FAIL", "the calendar has no earlier session", "look at the broker's calendar")
    universe = visit.mandate.universe
    try:
        bars = visit.world.market.bars(universe, past[0], now - BAR_DELAY)
    except Unreachable as error:
        if "subscription" not in str(error):
            raise
        hint = f'the account\'s plan has no {feed}: set "data": {{"feed": "iex"}}, or take the data plan'
        return Result("FAIL", str(error), hint)
    absent = sorted(set(universe) - set(bars.symbols))
    if absent:
        hint = "check the spelling (BRK.B, not brk-b), and that it was listed then"
        return Result("FAIL", f"no bars of {named(absent)} in {feed}", hint)
    return _fresh(visit, bars, past[-1], feed)


def _fresh(visit: Visit, bars: Bars, last: date, feed: str) -> Result:
    """Say whether the last session's bar is there of each symbol, and whether quotes are."""
    known = bars.up_to(last)
    there = bool(len(known.sessions)) and known.sessions[-1].item() == last
    closes = known.close[-1].tolist() if there else [math.nan] * len(known.symbols)
    behind = [s for s, close in zip(known.symbols, closes, strict=True) if math.isnan(close)]
    if behind:
        hint = "wait for the vendor: a run would halt (stale)"
        return Result("FAIL", f"{feed} has no bar of {last} of {named(behind)} yet", hint)
    quoted = visit.world.market.quotes(visit.mandate.universe)
    lacking = sorted(set(visit.mandate.universe) - set(quoted))
    seen = f"{feed}, bars to {last}, quotes of {len(quoted)} of {len(visit.mandate.universe)}"
    if lacking:
        return Result("warn", seen, f"without a quote a symbol is held: {named(lacking)}")
    return Result("ok", seen)


def symbols(visit: Visit) -> Result:
    """Ask how the broker lists each symbol of the universe.

    Raises:
        Unauthorized, Unreachable: it can't be asked.
    """
    universe = visit.mandate.universe
    listed = visit.world.broker.assets(universe)
    unknown = sorted(set(universe) - set(listed))
    if unknown:
        return Result(
            "FAIL", f"{named(unknown)}: unknown to the broker", "check the spelling (BRK.B, not brk-b)"
        )
    shut = [a.symbol for a in listed.values() if a.status != "active" or not a.tradable]
    if shut:
        hint = "give it weight 0 and another symbol its place: a plan that orders it is refused"
        return Result("FAIL", f"{named(sorted(shut))}: not active, or not tradable", hint)
    whole = sorted(a.symbol for a in listed.values() if not a.fractionable)
    if whole and visit.settings.execution.fractional:
        return Result("warn", f"{named(whole)}: whole shares only", "small weights of it are rounded down")
    return Result("ok", f"{len(listed)} active and tradable")


def _now(visit: Visit) -> datetime:
    """Give the broker's time.

    Raises:
        Skipped: it is not known.
    """
    if visit.now is None:
        raise Skipped("needs clock")
    return visit.now


def _next(visit: Visit, now: datetime) -> SessionHours | None:
    """Give the session in whose window orders may be sent next, or now."""
    ahead = (h for h in visit.calendar if window(h, visit.mandate.risk.window).closes >= now)
    return next(ahead, None)
