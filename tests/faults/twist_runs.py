"""Run twists: what happens to runs: deaths, lost orders, changed settings, a store that is down."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from faults.simulation import StoreFault
from faults.staging import DISTURBED, PLANNED, SENT, killed_after, plant
from trimtab.adapters.exchange import Exchange
from trimtab.adapters.sandbox.faults import Fault

if TYPE_CHECKING:
    from faults.schedules import Play, Plot
    from faults.simulation import Process


def second_account(drama: Play) -> None:
    """Another account, or another mode, runs on the same store."""
    drama.run(drama.stormy("run"))
    simulation = drama.simulation
    if simulation.store.get("portfolios/main.json") is None:
        return  # the run died before the store knew its account: whoever comes next binds it
    other: Process
    if drama.rng.random() < 0.5:
        other = drama.process("other", replace(drama.mandate, mode="live"))
        drama.run(other)
        sent = bool(other.posted)
    else:
        before = simulation.exchange
        stranger = Exchange.open(before.tape, drama.plot.start, seed=99, prices=before.prices)
        stranger.move(max(before.now(), stranger.now()))
        simulation.exchange = simulation.face.exchange = stranger
        other = drama.process("other")
        drama.run(other)
        sent = bool(stranger.world.book.orders)
        simulation.exchange = simulation.face.exchange = before
        before.move(max(before.now(), stranger.now()))
    if sent:
        simulation.laws.broken("I6", "another account or mode traded on a bound store")
    simulation.paths["another account or mode on the store"] += 1


def config_changed(drama: Play) -> None:
    """The configuration changes between two runs of a session."""
    killed_after(drama, drama.rng.choice([PLANNED, SENT, "put portfolios/"]))
    started = bool(drama.simulation.laws.plans)
    changed = replace(drama.mandate, config_digest="e" * 64)
    second = drama.process("changed", changed)
    drama.run(second)
    if started and second.posted:
        drama.simulation.laws.broken("I6", "another configuration continued an unfinished plan")
    drama.simulation.paths["configuration changed, plan unfinished"] += second.code == "plan_config_changed"
    if not started:
        drama.mandate = changed


def other_side(drama: Play) -> None:
    """Under an id of ours stands an order of the other side."""
    killed_after(drama, drama.rng.choice([PLANNED, PLANNED, SENT]))
    simulation = drama.simulation
    plan = simulation.laws.plans.get(str(simulation.session))
    used = {order.symbol for order in simulation.laws.ours()}
    free = [order for order in (plan or {}).get("orders", ()) if order["symbol"] not in used]
    if free:
        symbol, turned = free[0]["symbol"], "buy" if free[0]["side"] == "sell" else "sell"
        name = f"tt1-{simulation.h8()}-{simulation.session:%Y%m%d}-{symbol}-0"
        drama.plot.allowed |= {"order_mismatch", *DISTURBED}
        simulation.paths["an order of the other side under our id"] += plant(
            drama, name, symbol, turned, qty="1"
        )
    drama.storm()


def replaced(drama: Play) -> None:
    """An order of ours is shown as replaced."""
    faults, nth = drama.simulation.face.faults, drama.rng.randrange(1, 4)
    fault = Fault("alter", "GET", "/v2/orders", nth=nth, times=3, fields={"status": "replaced"})
    drama.simulation.triggers.append((SENT, lambda _: faults.add(fault)))
    drama.plot.allowed |= {"order_mismatch", *DISTURBED}
    drama.storm()
    drama.simulation.paths["replaced"] += any(p.code == "order_mismatch" for p in drama.simulation.processes)


def first_attempt_lives(drama: Play) -> None:
    """The first attempt is taken, its answer lost, and no view shows it for a while."""
    drama.simulation.exchange.behave(delays={"orders": drama.rng.uniform(6, 10)}, latency_s=15.0)
    drama.simulation.face.faults.add(Fault("drop", "POST", "/v2/orders$", nth=1, times=2, when="after"))
    drama.storm()


def late_order(drama: Play) -> None:
    """An order gets lost on its way, and arrives minutes later."""
    seconds = drama.rng.choice([2.0, 5.0, 8.0, 30.0, 240.0])
    nth = drama.rng.randrange(1, 4)
    drama.simulation.face.faults.add(Fault("late", "POST", "/v2/orders$", nth=nth, seconds=seconds))
    drama.storm()


def cap_moved(drama: Play) -> None:
    """Equity moves between a kill and the next run, with an order at its cap."""
    killed_after(drama, drama.rng.choice([PLANNED, SENT]))
    planned = drama.simulation.laws.plans.get(str(drama.simulation.session), {}).get("orders", ())
    drama.simulation.face.deliver_held()
    drama.simulation.exchange.advance(4_000.0)
    drama.simulation.exchange.journal(amount=Decimal(drama.rng.choice([-40, 9_000])))
    drama.simulation.paths["equity moved, an order at the cap"] += any(
        "staged" in o["reason"] for o in planned
    )
    drama.storm()


def at_cap(plot: Plot) -> None:
    """Want far more than one session may buy."""
    plot.weights, plot.held, plot.cash = {"AAA": 0.5, "BBB": 0.1}, {}, 100_000


def dry_first(drama: Play) -> None:
    """A dry run comes first, and in the middle."""
    dry = replace(drama.mandate, dry_run=True)
    drama.run(drama.process("dry", dry))
    drama.run(drama.stormy("run"), drama.process("dry beside", dry, start_at=drama.rng.randrange(120)))
    drama.simulation.paths["dry runs before and beside"] += 1


def store_down(drama: Play) -> None:
    """The store is down from some call on, for the rest of the run."""
    what, error = drama.rng.choice(
        [
            ("store put", "No space left on device"),
            ("store", "Stale file handle"),
            ("database", "database is locked"),
        ]
    )
    drama.simulation.store_faults.append(StoreFault(what, drama.rng.randrange(1, 16), 10_000, error=error))
    drama.run(drama.process("run"))
    drama.simulation.store_faults.clear()
    drama.simulation.paths[f"{what} failed: {error}"] += 1
    drama.storm()
