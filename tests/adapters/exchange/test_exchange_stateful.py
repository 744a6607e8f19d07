"""Exchange, stateful: any calls in any order keep the exchange's contract.

Two exchanges hear the same calls: one in memory, one in a file that is closed and opened again at will. They
must stay equal to the last order, and what they show must be what the model allows.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from exchange_kit import check_books, make_tape
from exchange_model import NEW_YORK, Known, Model, past, price, trades
from trimtab.adapters.exchange import Behaviour, Exchange
from trimtab.adapters.exchange.admission import available
from trimtab.adapters.exchange.engine import buying_power
from trimtab.adapters.exchange.records import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.adapters.exchange.records import Order

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it; the file is fsynced at each call
START = date(2020, 3, 9)
"""The day before the split; the dividend comes three sessions later."""
LAST_STEP = date(2020, 4, 3)
SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
VIEWS = ("orders", "positions", "account")

symbols = st.sampled_from(SYMBOLS)
whole = st.integers(1, 150).map(str)
fractions = st.integers(1, 150_000).map(lambda n: f"{n / 1000:.3f}")
DELAYS: list[dict[str, object]] = [
    {"delays": {"orders": 3.0, "positions": 10.0}},
    {"delays": {"account": 10.0, "orders": 1.0, "positions": 1.0}},
]
changes = st.sampled_from(
    [
        {"latency_s": 0.0},
        {"latency_s": 0.2},
        {"latency_s": 20.0},
        {"latency_s": 9000.0},
        {"cancel_latency_s": 0.0},
        {"cancel_latency_s": 5.0},
        {"partial_probability": 0.0},
        {"partial_probability": 1.0},
        {"halted": ("AAA", "CCC")},
        {"halted": ()},
        {"rejecting": ("BBB",)},
        {"rejecting": ()},
        {"delays": {}},
        *DELAYS,
        {"day_end": "canceled"},
        {"pay_dividends": True},
    ]
)


class Contract(RuleBasedStateMachine):
    """Calls, and what must hold between them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.ids = 0
        self.day_ends = {"expired"}
        self.reset = (0, 0)
        self.slowest = 0.2

    @initialize(
        seed=st.integers(0, 3),
        cash=st.sampled_from([20_000, 50_000, 1_000]),
        change=st.sampled_from(DELAYS) | changes,
    )
    def begin(self, seed: int, cash: int, change: dict[str, object]) -> None:
        """Open the same account twice."""
        self.seed, self.cash = seed, Decimal(cash)
        self.memory, self.file = self._open(None), self._open(self.folder / "kept.db")
        self.model = Model(self.cash)
        for symbol in SYMBOLS[:3]:
            self.journal_shares(symbol, 100)
        self.behave(change)

    def _open(self, path: Path | None) -> Exchange:
        behaviour = Behaviour() if path is None or not path.exists() else None
        return Exchange.open(make_tape(), START, self.cash, self.seed, behaviour=behaviour, path=path)

    @rule(
        symbol=symbols,
        side=st.sampled_from(["buy", "sell"]),
        qty=whole | fractions,
        offset=st.none() | st.sampled_from(["-3", "-1", "0", "0.5", "3"]),
        tif=st.sampled_from(["day", "gtc"]),
        repeat=st.integers(0, 9),
    )
    def submit(self, symbol: str, side: str, qty: str, offset: str | None, tif: str, repeat: int) -> None:
        """An order is taken or refused as the model says; a refused one leaves no trace."""
        now = self.memory.now()
        taken = list(self.model.orders)
        client_id = taken[repeat] if repeat < min(len(taken), 3) else f"id-{self.ids}"
        self.ids += 1
        fields = {"symbol": symbol, "side": side, "qty": qty, "client_order_id": client_id}
        body = {**fields, "type": "market", "time_in_force": "day"}
        if offset is not None and "." not in qty:
            limit = (price(symbol, now) + Decimal(offset)).quantize(Decimal("0.01"))
            body |= {"type": "limit", "time_in_force": tif, "limit_price": str(limit)}
        expected = self.model.refusal(body, now)
        answers = [_answer(exchange.submit, body) for exchange in (self.memory, self.file)]
        assert answers[0] == answers[1]
        given = answers[0]
        assert (given if isinstance(given, int) else None) == expected
        if not isinstance(given, int):
            self._know(given)

    @rule(symbol=symbols, part=st.sampled_from([1, 2, 7]), to_market=st.booleans())
    def sell_part(self, symbol: str, part: int, to_market: bool) -> None:  # noqa: FBT001 - an example
        """Sell all that is free, or a part of it."""
        qty = self.model.free(symbol) / part
        if qty > 0:
            text = f"{qty:.3f}" if to_market else str(int(qty) or 1)
            self.submit(symbol, "sell", text, None if to_market else "1", "gtc", 9)

    @rule(symbol=symbols, qty=st.integers(1, 5), seconds=st.sampled_from([0.1, 0.5, 30.0]))
    def buy_some(self, symbol: str, qty: int, seconds: float) -> None:
        """Buy a little, and wait a little."""
        self.submit(symbol, "buy", str(qty), None, "day", 9)
        self.wait(seconds)

    @rule(symbol=symbols, hours=st.sampled_from([2.5, 9.0]))
    def spend_all_late(self, symbol: str, hours: float) -> None:
        """Buy at the market for all there is, to be filled when the price may have risen."""
        self.behave({"latency_s": 9000.0})
        self.spend_all(symbol, limit=False)
        self.wait(hours * 3600)
        self.behave({"latency_s": 0.2})

    @rule(symbol=symbols, part=st.sampled_from([1, 2]))
    def sell_in_parts(self, symbol: str, part: int) -> None:
        """Sell, and look while a part of it is filled."""
        self.behave({"partial_probability": 1.0})
        self.sell_part(symbol, part, to_market=True)
        self.wait(0.3)

    def _know(self, order: Order) -> None:
        reserve = order.limit_price or price(order.symbol, order.submitted_at)
        self.model.orders[order.client_order_id] = Known(
            order.id,
            order.symbol,
            order.side,
            order.qty or Decimal(0),
            order.limit_price,
            order.tif,
            order.submitted_at,
            reserve,
        )

    @precondition(lambda self: self.model.orders)
    @rule(pick=st.integers(0, 30))
    def cancel(self, pick: int) -> None:
        """An open order takes the request; an ended one says so and stays as it is."""
        known = list(self.model.orders.values())[-1 - pick % len(self.model.orders)]
        ended = known.end is not None
        for exchange in (self.memory, self.file):
            answer = _answer(exchange.cancel, known.id)
            assert answer == 422 if ended else not isinstance(answer, int)
        known.cancel_asked |= not ended

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.3, 1.0, 6.0, 45.0, 3600.0, 9000.0]))
    def wait(self, seconds: float) -> None:
        """Time passes; a cancel that was asked for long enough ago has ended its order."""
        for exchange in (self.memory, self.file):
            exchange.advance(seconds)

    @precondition(lambda self: self.memory.now().date() < LAST_STEP)
    @rule(sessions=st.integers(1, 2), clock=st.sampled_from([time(9, 30), time(10), time(15, 59), time(18)]))
    def step(self, sessions: int, clock: time) -> None:
        """A night passes, or two."""
        for exchange in (self.memory, self.file):
            exchange.step(sessions, clock)

    @rule(symbol=symbols, limit=st.booleans())
    def spend_all(self, symbol: str, limit: bool) -> None:  # noqa: FBT001 - an example
        """Buy what all the free cash pays for."""
        last = price(symbol, self.memory.now())
        qty = int(max(self.model.free_cash(), Decimal(0)) / last)
        if qty:
            self.submit(symbol, "buy", str(qty), "0" if limit else None, "day", 9)

    @rule(symbol=symbols, shares=st.integers(-200, 200))
    def journal_shares(self, symbol: str, shares: int) -> None:
        """Shares come in, or as many as are held go out, promised to open sells or not."""
        moved = max(Decimal(shares), -self.model.shares.get(symbol, Decimal(0)))
        if not moved:
            return
        if moved < 0:
            self.model.taken.add(symbol)
        for exchange in (self.memory, self.file):
            exchange.journal(symbol, moved)
        self.model.told.append(("JNLS", symbol, moved, Decimal(0)))

    @rule(usd=st.integers(-20_000, 20_000).filter(bool))
    def journal_cash(self, usd: int) -> None:
        """Cash comes in, or what no open buy needs goes out."""
        amount = max(Decimal(usd), -max(self.model.free_cash(), Decimal(0)))
        if not amount:
            return
        for exchange in (self.memory, self.file):
            exchange.journal(amount=amount)
        self.model.told.append(("CSD" if amount > 0 else "CSW", "", Decimal(0), amount))

    @rule(change=changes)
    def behave(self, change: dict[str, object]) -> None:
        """The exchange behaves otherwise from now on."""
        for exchange in (self.memory, self.file):
            exchange.behave(**change)
        self.model.rejecting |= set(change.get("rejecting", ()))  # type: ignore[call-overload]  # names
        self.slowest = max(self.slowest, self.memory.behaviour.latency_s)
        if change.get("day_end"):
            self.day_ends.add("canceled")
        self._sync()
        self.reset = (len(self.model.activities), len(self.model.orders))

    @rule()
    def reopen(self) -> None:
        """The file's exchange ends and is opened again."""
        self.file.close()
        self.file = self._open(self.folder / "kept.db")

    def _sync(self) -> None:
        with self.memory.work() as world:
            self.model.absorb(world.book.activities)
            for known in self.model.orders.values():
                order = world.book.orders[known.id]
                closed = order.ended_at and order.ended_at.astimezone(NEW_YORK).time() == time(16)
                if closed and order.status == "canceled" and "canceled" in self.day_ends:
                    known.cancel_asked = True
            self.model.judge(world.book.orders)

    @invariant()
    def books_balance(self) -> None:
        """Cash, shares, orders and what is free of them are what the activities and the calls say."""
        self._sync()
        with self.memory.work() as world:
            check_books(world)
            assert world.book.cash == self.model.cash
            for symbol in SYMBOLS:
                assert world.book.qty(symbol) == self.model.shares.get(symbol, 0)
                assert available(world, symbol) == self.model.free(symbol)
            assert buying_power(world) == max(self.model.free_cash(), Decimal(0))
            assert world.book.by_client_id == {k: o.id for k, o in self.model.orders.items()}

    @invariant()
    def memory_and_file_are_one(self) -> None:
        """The same seed and calls give the same history, kept in a file or not, opened again or not."""
        with self.memory.work() as a, self.file.work() as b:
            assert a.book.time == b.book.time
            assert [asdict(o) for o in a.book.orders.values()] == [asdict(o) for o in b.book.orders.values()]
            assert a.book.activities == b.book.activities
            assert (a.book.holdings, set(a.book.live)) == (b.book.holdings, set(b.book.live))
            assert (a.book.closes, a.book.last_equity) == (b.book.closes, b.book.last_equity)

    @invariant()
    def nothing_waits_for_ever(self) -> None:
        """What is due has happened: market orders fill after the latency, cancels end after theirs."""
        behaviour, now = self.memory.behaviour, self.memory.now()
        with self.memory.work() as world:
            live = list(world.book.live.values())
        for order in live:
            asked = order.status == "pending_cancel" and order.updated_at + timedelta(seconds=5) < now
            assert not asked
            calm = trades(order.symbol, now) and trades(
                order.symbol, now - timedelta(seconds=self.slowest + 60)
            )
            late = order.submitted_at + timedelta(seconds=9000) < now
            if (
                late
                and calm
                and order.symbol not in behaviour.halted
                and not order.filled_qty
                and behaviour.latency_s < 9000
            ):
                assert order.limit_price is not None

    @invariant()
    def views_show_what_was(self) -> None:
        """A delayed view is the state of exactly so long ago (or of the last change of behaviour)."""
        with self.memory.work() as world:
            book = world.book
            for kind in VIEWS:
                view, delay = self.memory.view(kind), self.memory.behaviour.delays.get(kind, 0.0)
                horizon = book.time - timedelta(seconds=delay)
                count = max(self.reset[0], past((a.at for a in book.activities), horizon))
                orders = max(self.reset[1], past((o.submitted_at for o in book.orders.values()), horizon))
                self.model.judge_view(view, count, orders)
                for order in book.orders.values():
                    if order.updated_at <= horizon:
                        assert view.orders[order.id] == order

    def teardown(self) -> None:
        """Leave nothing behind."""
        if hasattr(self, "file"):
            self.file.close()
        shutil.rmtree(self.folder)


def _answer(call: Callable[..., Order], *args: object) -> Order | int:
    try:
        return call(*args)
    except Refusal as refusal:
        return refusal.status


TestContract = Contract.TestCase
TestContract.settings = settings(
    max_examples=35, stateful_step_count=35, deadline=None, derandomize=True, print_blob=False
)
