"""Twists: rare things that happen to real accounts, each one a small story of its own.

A twist prepares the plot, plays the storm its own way, and says with which codes a calm run may refuse
afterwards, and what a person then clears.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from faults import twist_account as account
from faults import twist_runs as runs
from faults import twist_times as times
from faults.staging import stormy
from trimtab.stations.arrive import Arrival

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.schedules import Play, Plot

FINISH = Arrival(finish=True)


def _nothing(_plot: Plot) -> None:
    """Prepare nothing."""


@dataclass(frozen=True, slots=True)
class Twist:
    """A twist: how often it is drawn, what it prepares, and how its storm goes."""

    name: str
    play: Callable[[Play], None]
    prepare: Callable[[Plot], None] = _nothing
    odds: int = 1


def draw(plot: Plot) -> Twist:
    """Draw a twist for a plot, and let it prepare."""
    twist = plot.rng.choices(TWISTS, [twist.odds for twist in TWISTS])[0]
    plot.twist = twist.name
    twist.prepare(plot)
    return twist


def cure(drama: Play) -> None:
    """Do what a person does after a run refused: look, clear the flags, end other orders on our symbols."""
    exchange = drama.simulation.exchange
    for order in list(exchange.world.book.live.values()):
        if order.client_order_id in drama.simulation.planted:
            exchange.cancel(order.id)
    exchange.advance(1.0)
    drama.resume()


def plain(drama: Play) -> None:
    """Only the storm."""
    drama.storm()


def counted(name: str) -> Callable[[Play], None]:
    """Make a twist that is all in its preparation: the storm, and a count."""

    def play(drama: Play) -> None:
        drama.simulation.paths[name] += 1
        drama.storm()

    return play


TWISTS = (
    Twist("none", plain, odds=12),
    Twist("deposit", stormy(account.deposit)),
    Twist("withdrawal", stormy(account.withdrawal)),
    Twist("human_trade", stormy(account.human_trade), account.disturbed),
    Twist("split", stormy(account.split), account.disturbed),
    Twist("halt", account.halt_during, odds=2),
    Twist("foreign_order", account.foreign_order),
    Twist("stale_order", account.stale_order),
    Twist("second_account", runs.second_account),
    Twist("config_changed", runs.config_changed),
    Twist("other_side", runs.other_side),
    Twist("replaced", runs.replaced),
    Twist("first_attempt_lives", runs.first_attempt_lives, odds=2),
    Twist("late_order", runs.late_order, odds=2),
    Twist("cap_moved", runs.cap_moved, runs.at_cap),
    Twist("monthly_halted", times.monthly_halted, times.monthly),
    Twist("session_roll", times.session_roll, odds=2),
    Twist("near_close", counted("began minutes before the window ended"), times.near_close),
    Twist("daylight", counted("in the week after the clocks changed"), times.daylight),
    Twist("half_day", counted("a half day"), times.half_day),
    Twist("odd_hours", times.odd_hours),
    Twist("clock_skew", times.clock_skew),
    Twist("late_event", times.late_event),
    Twist("dry_first", runs.dry_first),
    Twist("store_down", runs.store_down, odds=2),
    Twist("brk", counted("BRK.B was traded"), account.brk),
    Twist("ulp", counted("weights summed to 1.0000000000000002"), account.ulp),
    Twist("dust", counted("dust was held"), account.dust),
)
