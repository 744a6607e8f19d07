"""Account twists: deposits, splits, trades by hand, orders of others, odd holdings."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from faults.staging import DISTURBED, plant
from trimtab.core.portfolio import TERMINAL
from trimtab.stations import halting

if TYPE_CHECKING:
    from faults.schedules import Play, Plot


def deposit(drama: Play) -> None:
    """Money comes in: more than a tenth of all, in the middle of a run."""
    drama.simulation.exchange.journal(amount=Decimal(12_000))
    drama.simulation.paths["a deposit in the middle"] += 1


def withdrawal(drama: Play) -> None:
    """Half of the free cash leaves while no buy is open."""
    book = drama.simulation.exchange.world.book
    if book.cash > 2 and not any(order.buys for order in book.live.values()):
        drama.simulation.exchange.journal(amount=-(book.cash / 2).quantize(Decimal("0.01")))
        drama.simulation.paths["a withdrawal in the middle"] += 1


def human_trade(drama: Play) -> None:
    """The owner buys or sells by hand on a symbol of the universe."""
    side = drama.rng.choice(["buy", "sell"])
    name = f"by-hand-{drama.simulation.steps}"
    taken = plant(drama, name, drama.rng.choice(["AAA", "BBB"]), side, qty=str(drama.rng.choice([3, 10])))
    drama.simulation.paths["a trade by hand in the middle"] += taken


def split(drama: Play) -> None:
    """The broker books a split of a held symbol."""
    exchange = drama.simulation.exchange
    held = sorted(exchange.world.book.holdings)
    if held:
        with exchange.work() as world:
            world.book.split(drama.rng.choice(held), Fraction(2))
        drama.simulation.paths["a split in the middle"] += 1


def disturbed(plot: Plot) -> None:
    """Allow the codes that speak of someone else's trades; a split's owner has to look twice."""
    plot.allowed |= DISTURBED | {
        "insufficient",
        "sell_refused",
        "missing_position",
        "max_gap",
        "bad_sessions",
    }


def halt_during(drama: Play) -> None:
    """The owner halts in the middle of a run: the flag, then the open orders."""
    simulation = drama.simulation
    word = halting.Word("owner-halt", "owner", simulation.exchange.now(), "drill", "main", everyone=False)

    def owner(world: Any) -> None:  # noqa: ANN401 - a World
        halting.halt(world.store, replace(word, at=simulation.exchange.now()))
        cleared = halting.clear(world, "main")
        live = [o for o in simulation.laws.ours() if o.status not in TERMINAL]
        running = [p for p in simulation.processes if not p.coroutine.dead and p.name != "owner"]
        late = simulation.face.faults.document() or drama.plot.behaviour.get("delays")
        if live and not late and not cleared.still_open and not running:
            simulation.laws.broken("I13", f"halt left {live[0].client_order_id} open")
        simulation.paths["halted in the middle"] += 1

    start = drama.rng.randrange(5, 130)
    drama.run(drama.stormy("run"), drama.process("owner", work=owner, start_at=start))
    drama.plot.allowed.add("kill_switch")
    if drama.rng.random() < 0.5:
        drama.run(drama.process("halted"))
        if drama.halted() and drama.simulation.processes[-1].posted:
            simulation.laws.broken("I13", "a run sent an order under the flag")
    if drama.rng.random() < 0.6:
        drama.resume()


def foreign_order(drama: Play) -> None:
    """Someone else's order rests on one of our symbols, or to buy another, or another bot's."""
    name = drama.rng.choice(["somebody-1", "tt1-deadbeef-20210301-AAA-0"])
    symbol = drama.rng.choice(["AAA", *sorted({"BBB", "CCC", "BRK.B"} - set(drama.plot.weights))])
    plant(drama, name, symbol, "buy", type="limit", limit_price="5", qty="1")
    drama.plot.allowed |= DISTURBED | {"sell_refused"}
    drama.storm()
    odd = drama.plot.behaviour.get("delays") or drama.plot.behaviour.get("rejecting")
    seen = not odd and not drama.simulation.face.faults.document()
    if seen and any(p.posted for p in drama.simulation.processes):
        drama.simulation.laws.broken("I9", f"orders were sent beside a foreign order to buy {symbol}")
    where = "" if symbol in drama.plot.weights else ", outside our symbols"
    drama.simulation.paths[f"a foreign order was open{where}"] += 1


def stale_order(drama: Play) -> None:
    """An order of ours of an earlier session is still open."""
    earlier = drama.simulation.exchange.prices.calendar.before(drama.plot.start)
    name = f"tt1-{drama.simulation.h8()}-{earlier:%Y%m%d}-BBB-0"
    plant(drama, name, "BBB", "buy", type="limit", limit_price="5", qty="1", time_in_force="gtc")
    drama.simulation.exchange.advance(15.0)  # it is old: every view shows it
    drama.storm()
    drama.plot.allowed |= {"open_order"}
    drama.simulation.paths["an order of an earlier session was open"] += 1


def brk(plot: Plot) -> None:
    """Trade a symbol with a point in it."""
    plot.weights, plot.held, plot.cash = {"AAA": 0.4, "BRK.B": 0.19}, {"AAA": Decimal(500)}, 50_000


def ulp(plot: Plot) -> None:
    """Weights that sum to 1.0000000000000002, without a buffer."""
    plot.weights = {"AAA": 0.7, "BBB": 0.1, "CCC": 0.1, "BRK.B": 0.1}
    plot.weights = _sum_above_one()
    plot.held = {"AAA": Decimal(480), "BBB": Decimal(300), "CCC": Decimal(1000)}
    plot.cash, plot.changes["cash_buffer"] = 12_000, 0.0


def _sum_above_one() -> dict[str, float]:
    """Find weights in hundredths whose floating sum is one unit above 1."""
    for a in range(30, 70):
        for b in range(5, 60):
            weights = (a / 100, b / 100, (100 - a - b) / 100)
            if weights[2] > 0 and sum(weights) > 1.0:
                return dict(zip(("AAA", "BBB", "CCC"), weights, strict=True))
    raise AssertionError("no such weights")


def dust(plot: Plot) -> None:
    """Hold a billionth of a share, wanted and unwanted."""
    plot.weights = {"AAA": 0.4, "BBB": 0.0, "CCC": 0.2}
    plot.held = {"AAA": Decimal("500.000000001"), "BBB": Decimal("0.000000001"), "CCC": Decimal("900.5")}
    plot.cash = 30_000
