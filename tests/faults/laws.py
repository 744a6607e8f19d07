"""Laws: the invariants that hold after every step of a simulation, whatever goes wrong.

I1 fills, and what may still fill, within the stored plan · I2 no short · I3 cash never below -0.5 % of
equity · I4 turnover within the plan's · I5 exposure at most 1 · I6 no order without a stored plan · I7 the
broker's orders and fills and trades.db match one to one in the end · I8 no buy is sent while a sell is open
· I9 one calm run is enough · I10 the same seed gives the same history · I11 a dry run changes nothing ·
I12 no secret anywhere · I13 nothing is sent after a read that saw the kill switch, in the last 30 seconds,
above the allowed requests, or again before its id was looked up · I14 nothing unforeseen escapes.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trimtab.core.portfolio import TERMINAL
from trimtab.core.risk import requests_allowed
from trimtab.execute.floor import RESERVE_S
from trimtab.ports import Unreachable
from trimtab.settings.redaction import MASK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faults.simulation import Process, Simulation
    from trimtab.adapters.exchange.records import Order

ZERO = Decimal(0)
DEBT = Decimal("0.005")
"""Fraction of equity that cash may be below 0."""
SLIPPAGE = Decimal("0.12")
"""Fraction that fills may cost more than the plan's prices: the quote guard's gap, and the collar."""
SECRETS = (
    *(b"AKCANARYKEYOFTHESIMULATION", b"canary-secret-of-the-simulation-5d1f"),
    *(b"canary-Discord-token", b"canarySlackToken", b"canary-plain-token", b"ca0a4e00-1111"),
)
SINKS = {
    "record.json": "records",
    "trades.db": "trades.db",
    "what was told": "messages and pings",
    "what could not be told": "warnings",
    "how a run ended": "ends of runs",
}
"""Where a secret might go, by the names of `Laws.sinks`."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken law: which, what was seen, at which step."""

    law: str
    detail: str
    step: int


class Laws:
    """Watches one simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.violations: list[Violation] = []
        self.plans: dict[str, dict[str, Any]] = {}
        self._seen: tuple[int, int, int] = (-1, -1, -1)
        self.lawful_debt = False
        self.secrets: Sequence[bytes] = SECRETS

    def broken(self, law: str, detail: str) -> None:
        """Note a broken law, once."""
        if all(law != known.law for known in self.violations):
            self.violations.append(Violation(law, detail, self._simulation.steps))

    def stored(self, process: Process, key: str, data: bytes, *, fresh: bool) -> None:
        """Take note of what a process stored; the first plan of a session is the plan."""
        if fresh and key.startswith("plans/"):
            plan = json.loads(data)
            self.plans.setdefault(str(plan["session"]), plan)
        if process.mandate.dry_run and not key.startswith("runs/"):
            self.broken("I11", f"a dry run stored {key}")

    def ours(self) -> list[Order]:
        """Give the orders that runs sent, oldest first."""
        book, planted = self._simulation.exchange.world.book, self._simulation.planted
        return [order for order in book.orders.values() if order.client_order_id not in planted]

    def before_send(self, process: Process, method: str, content: bytes | str) -> None:
        """Judge a request that changes something, right before it leaves."""
        if process.mandate.dry_run:
            self.broken("I11", f"a dry run sent {method}")
        allowed = requests_allowed(process.mandate.risk, len(process.mandate.universe))
        if process.sends > allowed and process.name != "owner":
            self.broken("I13", f"{process.sends} requests where {allowed} are allowed")
        if method != "POST":
            return
        if process.saw_flag:
            self.broken("I13", "an order was sent after a read that saw the kill switch")
        if process.seconds_left() < RESERVE_S:
            self.broken("I13", f"an order was sent with {process.seconds_left():.1f} s left")
        body = json.loads(content)
        if body.get("client_order_id") in process.unlooked:
            self.broken("I13", f"{body['client_order_id']} was sent again before it was looked up")
        process.unlooked.add(str(body.get("client_order_id")))
        process.posted.append(str(body.get("client_order_id")))
        if str(self._simulation.session) not in self.plans:
            self.broken("I6", f"{body.get('client_order_id')} was sent without a stored plan")
        if body.get("side") == "buy":
            self._judge_sells(process)

    def _judge_sells(self, process: Process) -> None:
        """No run buys while a sell is open (I8), but for one that another run sends at the same moment.

        Two runs at once can't know each other's next request; that buys never spend more than the cash
        there is (I3) holds for both together.
        """
        open_sells = [o for o in self.ours() if o.side == "sell" and o.status not in TERMINAL]
        others = [
            p for p in self._simulation.processes if p is not process and p.ended_at >= (process.began or 0)
        ]
        beside = {order_id for other in others for order_id in other.created}
        for order in open_sells:
            if order.client_order_id in beside - process.created:
                self._simulation.paths["a buy beside another run's sell"] += 1
            else:
                self.broken("I8", f"a buy was sent while {order.client_order_id} was open")

    def look(self) -> None:
        """Hold the exchange's own books against the laws, where they changed."""
        book = self._simulation.exchange.world.book
        now = (len(book.activities), len(book.orders), len(book.live))
        if now == self._seen:
            return
        self._seen = now
        self._judge_fills()
        if any(holding.qty < 0 for holding in book.holdings.values()):
            self.broken("I2", "a holding is short")
        if book.cash < 0 and not self.lawful_debt:
            held = sum((h.cost for h in book.holdings.values()), ZERO)
            if book.cash < -DEBT * (held + book.cash):
                self.broken("I3", f"cash is {book.cash:.2f}; so exposure is above 1 (I5), too")

    def _judge_fills(self) -> None:
        done: Counter[tuple[str, str, str]] = Counter()
        spent: Counter[str] = Counter()
        for order in self.ours():
            session = order.submitted_at.date().isoformat()
            more = order.remaining if order.status not in TERMINAL else ZERO
            done[session, order.symbol, order.side] += order.filled_qty + more  # type: ignore[assignment]  # shares
            spent[session] += order.filled_cost  # type: ignore[assignment]  # USD
        for (session, symbol, side), shares in done.items():
            plan = self.plans.get(session)
            if plan is None:
                self.broken("I6", f"an order of {session} without a plan")
                continue
            wanted = {(o["symbol"], o["side"]): Decimal(o["qty"]) for o in plan["orders"]}
            if shares > wanted.get((symbol, side), ZERO):
                text = f"{side} {shares} {symbol} where the plan wants {wanted.get((symbol, side), ZERO)}"
                self.broken("I1", text)
        for session, usd in spent.items():
            orders = self.plans[session]["orders"] if session in self.plans else ()
            value = sum((Decimal(o["qty"]) * Decimal(o["price"]) for o in orders), ZERO)
            if usd > value * (1 + SLIPPAGE) + 1:
                self.broken("I4", f"{usd:.2f} USD moved where the plan wants {value:.2f}")

    def after_process(self, process: Process) -> None:
        """Judge how a process ended."""
        if process.bug is not None and not (
            process.name == "owner" and isinstance(process.bug, (Unreachable, OSError))
        ):
            self.broken("I14", f"{process.name}: {type(process.bug).__name__}: {process.bug}"[:300])

    def judge_books(self) -> None:
        """In the end, trades.db says what the exchange knows, order by order, fill by fill (I7)."""
        simulation = self._simulation
        ours = {order.client_order_id: order for order in self.ours()}
        rows = {str(r["client_order_id"]): r for r in simulation.trades.query("SELECT * FROM orders")}
        for odd in simulation.planted & set(rows):
            rows.pop(odd)
        if set(rows) != set(ours):
            self.broken("I7", f"orders differ: {sorted(set(rows) ^ set(ours))[:4]}")
            return
        for key, order in ours.items():
            row = rows[key]
            theirs = (order.symbol, order.side, order.status, order.qty, order.filled_qty)
            told = (
                row["symbol"],
                row["side"],
                row["status"],
                *(Decimal(str(row[n])) for n in ("qty", "filled_qty")),
            )
            if theirs != told:
                self.broken("I7", f"{key}: {told} recorded, {theirs} at the exchange")
        self._judge_fill_rows(ours)

    def _judge_fill_rows(self, ours: dict[str, Order]) -> None:
        simulation = self._simulation
        by_id = {order.id: key for key, order in ours.items()}
        book = simulation.exchange.world.book
        fills = {
            a.id: (by_id[a.order_id], a.qty, a.price)
            for a in book.activities
            if a.kind == "FILL" and a.order_id in by_id
        }
        told = {
            str(row["fill_id"]): (
                row["client_order_id"],
                Decimal(str(row["qty"])),
                Decimal(str(row["price"])),
            )
            for row in simulation.trades.query("SELECT * FROM fills")
            if row["client_order_id"] not in simulation.planted
        }
        if fills != told:
            self.broken("I7", f"fills differ: {len(fills)} at the exchange, {len(told)} recorded")

    def judge_secrets(self) -> None:
        """No key or secret stands in any file of the store, in what was told, or in any error (I12).

        Capitals and small letters count as the same. A mask is counted where it stands: a secret came so far.
        """
        for name, content in self.sinks().items():
            folded = content.lower()
            if MASK.encode() in content:
                self._simulation.paths[f"masked: {SINKS.get(name, 'other files')}"] += 1
            if found := [secret for secret in self.secrets if secret.lower() in folded]:
                self.broken("I12", f"{found[0].decode()} stands in {name}")

    def sinks(self) -> dict[str, bytes]:
        """Give all that left the runs, by what it is: files, messages, pings, warnings, ends."""
        simulation = self._simulation
        sinks = {p.name: p.read_bytes() for p in simulation.root.rglob("*") if p.is_file()}
        posts = () if simulation.receiver is None else simulation.receiver.posts
        sinks["what was told"] = b"\n".join(posted.body for posted in posts)
        sinks["what could not be told"] = "\n".join(simulation.warned).encode(errors="replace")
        ends = [end for p in simulation.processes for end in (p.document, p.error and vars(p.error)) if end]
        sinks["how a run ended"] = "\n".join(map(repr, ends)).encode(errors="replace")
        return sinks
