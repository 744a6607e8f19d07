"""Time twists: sessions that roll, half days, clocks that changed or are wrong, events that come late."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from trimtab.adapters.exchange.hours import NEW_YORK
from trimtab.adapters.sandbox.faults import Fault
from trimtab.stations.arrive import Arrival

if TYPE_CHECKING:
    from faults.schedules import Play, Plot


def monthly_halted(drama: Play) -> None:
    """A month's first session is halted; the second decides, the third rests."""
    simulation = drama.simulation
    simulation.face.faults.clear()
    simulation.store_faults.clear()
    simulation.face.faults.add(Fault("status", "GET", "/v2/stocks", times=0, status=503))
    drama.run(drama.process("first"))
    halted = drama.simulation.processes[-1].outcome == "halted"
    drama.calm()
    drama.next_session()
    drama.storm()
    drama.plot.rolls = True
    simulation.paths["a month's first session was halted"] += halted


def monthly(plot: Plot) -> None:
    """Decide once a month, from a month's first session on."""
    plot.start, plot.changes["interval"] = date(2021, 3, 1), "monthly"


def session_roll(drama: Play) -> None:
    """A run dies late in a session, and nobody comes before the next."""
    drama.run(drama.stormy("run", kill_at=drama.rng.randrange(40, 120)))
    drama.plot.rolls = True
    drama.simulation.paths["a session's plan was left to the next session"] += bool(
        drama.simulation.laws.plans
    )


def near_close(plot: Plot) -> None:
    """Begin minutes before the window ends: on a full day, or a half one."""
    plot.start, plot.clock = plot.rng.choice(
        [(date(2021, 4, 14), time(15, 47)), (date(2021, 11, 26), time(12, 47))]
    )


def daylight(plot: Plot) -> None:
    """Begin in the week after the clocks changed, at the edge of the window."""
    plot.start = plot.rng.choice([date(2021, 3, 15), date(2021, 11, 8)])
    plot.clock = plot.rng.choice([time(9, 35), time(10, 0), time(15, 49)])


def half_day(plot: Plot) -> None:
    """A session that closes at 13:00."""
    plot.start, plot.clock = date(2021, 11, 26), plot.rng.choice([time(9, 35), time(12, 40), time(12, 49)])


def odd_hours(drama: Play) -> None:
    """Runs after the close and past midnight UTC: nothing is sent, the date is New York's."""
    exchange = drama.simulation.exchange
    day = drama.simulation.session
    for clock in (time(16, 5), time(20, 30)):
        exchange.move(datetime.combine(day, clock, NEW_YORK))
        run = drama.process(f"at {clock:%H:%M}")
        drama.run(run)
        if run.document is not None and run.document["session"] not in {str(day), None}:
            drama.simulation.laws.broken("I6", f"the session is {run.document['session']} on {day}")
        if run.posted:
            drama.simulation.laws.broken("I6", "an order was sent outside the window")
    drama.simulation.paths["a run past midnight UTC"] += 1
    drama.plot.rolls = True


def clock_skew(drama: Play) -> None:
    """The machine's clock is five minutes off."""
    strict = replace(drama.mandate, loopback=False)
    run = drama.process("skewed", strict, skew_s=drama.rng.choice([-300.0, 300.0]))
    drama.run(run)
    if run.posted:
        drama.simulation.laws.broken("I6", "orders were sent with a clock five minutes off")
    drama.simulation.paths["a clock five minutes off"] += 1
    drama.storm()


def late_event(drama: Play) -> None:
    """The same event comes again six hours later, and yesterday's event today."""
    at = drama.simulation.exchange.now()
    drama.run(drama.stormy("run", arrival=Arrival(scheduled_time=at)))
    drama.simulation.face.deliver_held()
    drama.simulation.exchange.advance(6 * 3600.0)
    drama.run(drama.stormy("again", arrival=Arrival(scheduled_time=at)))
    old = drama.process("old", arrival=Arrival(scheduled_time=at - timedelta(days=1)))
    drama.run(old)
    if old.posted:
        drama.simulation.laws.broken("I6", "yesterday's event traded today")
    drama.simulation.paths["the same event six hours later"] += 1
