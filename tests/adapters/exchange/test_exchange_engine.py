"""Engine: what happens to orders as time passes."""

from __future__ import annotations

import contextlib
import random
from dataclasses import asdict
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from exchange_kit import (
    DIVIDEND_DAY,
    SPLIT_DAY,
    START,
    check_books,
    held,
    make_exchange,
    order_of,
    place,
)
from trimtab.adapters.exchange.engine import buying_power, equity
from trimtab.adapters.exchange.records import Refusal

if TYPE_CHECKING:
    from trimtab.adapters.exchange import Exchange


def status(exchange: Exchange, order_id: str) -> str:
    """The order's status now."""
    return order_of(exchange, order_id).status


def test_fills_come_after_the_latency() -> None:
    """An order is pending, then new, then filled at the ask; cash and shares move at the fill."""
    exchange = make_exchange()
    order_id = place(exchange, "a")
    assert status(exchange, order_id) == "pending_new"
    exchange.advance(0.1)
    assert status(exchange, order_id) == "new"
    assert held(exchange, "AAA") == 0
    exchange.advance(0.1)
    assert status(exchange, order_id) == "filled"
    with exchange.work() as world:
        assert world.book.cash == 100_000 - 10 * 105
        check_books(world)


def test_polling_alone_passes_time() -> None:
    """With a frozen clock each ticking piece of work costs a little, so that a busy poll ends."""
    exchange = make_exchange()
    order_id = place(exchange, "a")
    for _ in range(5):
        with exchange.work(tick=True):
            pass
    assert status(exchange, order_id) == "filled"


def test_closed_market_queues_for_the_next_open() -> None:
    """An evening order is accepted, can't fill overnight, and fills at the next open."""
    exchange = make_exchange()
    exchange.go(START, time(18))
    order_id = place(exchange, "a")
    exchange.go(date(2020, 3, 3), time(9, 29))
    assert status(exchange, order_id) == "accepted"
    exchange.go(date(2020, 3, 3), time(9, 31))
    order = order_of(exchange, order_id)
    assert (order.status, order.filled_cost) == ("filled", 1060)


def test_a_waiting_buy_that_opens_too_dear_is_rejected() -> None:
    """What a gap makes unaffordable is rejected at the open, not paid on credit."""
    exchange = make_exchange(cash=Decimal(1070))
    exchange.go(START, time(18))
    order_id = place(exchange, "a")  # 10 at 107 = 1070, all the cash
    with exchange.work() as world:
        world.book.journal(amount=Decimal(-20))
    exchange.go(date(2020, 3, 3))
    assert status(exchange, order_id) == "rejected"
    with exchange.work() as world:
        assert world.book.cash == 1050


@pytest.mark.parametrize("end", ["expired", "canceled"])
def test_a_day_order_ends_at_the_close(end: str) -> None:
    """Unfilled at 16:00 it ends, as configured; a later session never fills it."""
    exchange = make_exchange(day_end=end)
    order_id = place(exchange, "a", type="limit", limit_price="90")
    exchange.go(START, time(15, 59))
    assert status(exchange, order_id) == "new"
    exchange.go(START, time(16, 0))
    assert status(exchange, order_id) == end


def test_a_good_till_cancelled_order_lives_on() -> None:
    """It waits over the close and fills when the price comes."""
    exchange = make_exchange()
    place(exchange, "a")
    exchange.advance(1)
    order_id = place(exchange, "b", "AAA", "sell", type="limit", time_in_force="gtc", limit_price="108.5")
    exchange.step()
    assert status(exchange, order_id) == "new"
    exchange.step(2)
    assert status(exchange, order_id) == "filled"


def test_a_resting_limit_fills_when_the_price_reaches_it() -> None:
    """AAA rises from 105 to 107: a sell at 106 fills early in the afternoon, at 106."""
    exchange = make_exchange()
    place(exchange, "a")
    exchange.advance(1)
    order_id = place(exchange, "b", "AAA", "sell", type="limit", limit_price="106")
    exchange.go(START, time(13, 14))
    assert status(exchange, order_id) == "new"
    exchange.go(START, time(13, 16))
    order = order_of(exchange, order_id)
    assert order.status == "filled"
    assert Decimal(106) <= order.filled_cost / 10 < Decimal("106.01")


def test_history_does_not_depend_on_who_looks_when() -> None:
    """One step to the end of the week, or a thousand small ones: the same book."""
    books = []
    for steps in (1, 997):
        exchange = make_exchange(partial_probability=0.5)
        for i in range(20):
            place(exchange, f"m{i}", "AAA", qty="7")
            place(exchange, f"l{i}", "CCC", type="limit", limit_price="10.00", qty="9")
        for _ in range(steps):
            exchange.advance(4 * 86_400 / steps)
        with exchange.work() as world:
            check_books(world)
            books.append(([asdict(o) for o in world.book.orders.values()], world.book.cash))
    assert books[0][0] == books[1][0]
    assert books[0][1] == books[1][1]


def test_partial_fills_are_seeded() -> None:
    """The same seed gives the same parts, another seed others; some get their rest, some never."""

    def history(seed: int) -> list[tuple[Decimal, str]]:
        exchange = make_exchange(seed=seed, partial_probability=1.0)
        ids = [place(exchange, f"o{i}", "CCC", qty="100") for i in range(30)]
        exchange.advance(0.3)
        assert all(status(exchange, i) == "partially_filled" for i in ids)
        exchange.advance(60)
        with exchange.work() as world:
            check_books(world)
        return [(order_of(exchange, i).filled_qty, status(exchange, i)) for i in ids]

    first = history(1)
    assert first == history(1) != history(2)
    assert {s for _, s in first} == {"filled", "partially_filled"}


def test_cancel_races_the_fill() -> None:
    """A fill that is due before the cancel wins; else the order ends cancelled, unfilled."""
    exchange = make_exchange(latency_s=0.2, cancel_latency_s=0.1)
    lost, won = place(exchange, "a"), place(exchange, "b")
    exchange.advance(0.15)
    assert exchange.cancel(lost).status == "pending_cancel"
    exchange.advance(1)
    assert status(exchange, lost) == status(exchange, won) == "filled"
    early = place(exchange, "c")
    exchange.cancel(early)
    exchange.advance(1)
    assert (status(exchange, early), order_of(exchange, early).filled_qty) == ("canceled", 0)
    with pytest.raises(Refusal, match='already in "canceled" state'):
        exchange.cancel(early)


def test_a_partly_filled_order_can_be_cancelled() -> None:
    """What filled stays, the rest is free again."""
    exchange = make_exchange(partial_probability=1.0, seed=3)
    order_id = place(exchange, "a", "CCC", qty="100")
    exchange.advance(0.3)
    exchange.cancel(order_id)
    exchange.advance(0.5)
    order = order_of(exchange, order_id)
    assert order.status == "canceled"
    assert 0 < order.filled_qty < 100
    with exchange.work() as world:
        assert buying_power(world) == world.book.cash


def test_a_halt_holds_orders_back_until_it_ends() -> None:
    """Halted symbols do not fill; others do; lifting the halt lets the order go."""
    exchange = make_exchange(halted=("AAA",))
    halted, other = place(exchange, "a"), place(exchange, "b", "CCC")
    exchange.advance(60)
    assert (status(exchange, halted), status(exchange, other)) == ("new", "filled")
    exchange.behave(halted=())
    exchange.advance(1)
    assert status(exchange, halted) == "filled"


def test_a_late_rejection() -> None:
    """Accepted with 200, rejected afterwards: nothing filled, nothing held back."""
    exchange = make_exchange(rejecting=("AAA",))
    order_id = place(exchange, "a")
    exchange.advance(1)
    assert status(exchange, order_id) == "rejected"
    with exchange.work() as world:
        assert buying_power(world) == 100_000


def test_a_split_keeps_value_and_equity() -> None:
    """2:1 doubles the shares before the open, ends open orders, and moves no money."""
    exchange = make_exchange()
    place(exchange, "a", "BBB", qty="10.5")
    exchange.advance(1)
    waiting = place(exchange, "b", "BBB", "sell", type="limit", time_in_force="gtc", limit_price="60")
    with exchange.work() as world:
        before = equity(world)
    exchange.go(SPLIT_DAY, time(9))
    assert held(exchange, "BBB") == 21
    assert status(exchange, waiting) == "canceled"
    with exchange.work() as world:
        assert equity(world) == before
        check_books(world)


@pytest.mark.parametrize(("pays", "amount"), [(False, 0), (True, 25)])
def test_dividends_are_paid_when_asked_for(pays: bool, amount: int) -> None:  # noqa: FBT001 - an example
    """Paper trading pays none; the option pays them on the ex-date."""
    exchange = make_exchange(pay_dividends=pays)
    place(exchange, "a", "CCC", qty="100")
    exchange.go(DIVIDEND_DAY)
    with exchange.work() as world:
        assert world.book.cash == 100_000 - 1000 + amount
        check_books(world)


def test_a_sale_leaves_the_entry_price() -> None:
    """Buys average the price of a holding; selling a part takes its share of the cost away."""
    exchange = make_exchange()
    place(exchange, "a")
    exchange.step()
    place(exchange, "b")
    exchange.advance(1)
    place(exchange, "c", "AAA", "sell", qty="5")
    exchange.advance(1)
    with exchange.work() as world:
        holding = world.book.holdings["AAA"]
    assert (holding.qty, holding.cost) == (15, 15 * Decimal("105.5"))


def test_last_equity_is_that_of_yesterdays_close() -> None:
    """It changes with the day, not at the close."""
    exchange = make_exchange()
    place(exchange, "a")
    exchange.go(START, time(17))
    with exchange.work() as world:
        assert world.book.last_equity == 100_000
    exchange.step()
    with exchange.work() as world:
        assert world.book.last_equity == 100_000 + 2 * 10


def test_no_id_is_ever_free_again() -> None:
    """Filled, cancelled, expired or rejected: the id stays taken, months later too."""
    exchange = make_exchange()
    place(exchange, "filled")
    exchange.cancel(place(exchange, "cancelled", "CCC"))
    place(exchange, "expired", type="limit", limit_price="1")
    exchange.behave(rejecting=("CCC",))
    place(exchange, "rejected", "CCC")
    exchange.step(20)
    for used in ("filled", "cancelled", "expired", "rejected"):
        with pytest.raises(Refusal, match="must be unique") as refused:
            place(exchange, used)
        assert (refused.value.status, refused.value.body["code"]) == (422, 40010001)


def test_a_refused_order_does_not_take_its_id() -> None:
    """Only accepted orders count."""
    exchange = make_exchange()
    with pytest.raises(Refusal, match="buying power"):
        place(exchange, "a", qty="100000")
    place(exchange, "a")


@pytest.mark.parametrize("seed", range(12))
def test_money_and_shares_are_conserved(seed: int) -> None:
    """Whatever is sent in whichever order, the books agree, nothing is short and cash is not below 0."""
    chance = random.Random(seed)
    exchange = make_exchange(seed=seed, partial_probability=0.3, spread_bps=4.0, cash=Decimal(20_000))
    ids: list[str] = []
    for i in range(120):
        symbol, side = chance.choice(("AAA", "BBB", "CCC", "DDD")), chance.choice(("buy", "sell"))
        more = {"qty": str(chance.randint(1, 40_000) / chance.choice((1, 1000)))}
        if more["qty"].endswith(".0"):
            more = {"qty": more["qty"][:-2]}
            if chance.random() < 0.5:
                more |= {"type": "limit", "limit_price": str(chance.randint(5, 120))}
        with contextlib.suppress(Refusal):
            ids.append(place(exchange, f"o{i % 100}", symbol, side, **more))
        if ids and chance.random() < 0.2:
            with_cancel = chance.choice(ids)
            if order_of(exchange, with_cancel).status not in {"filled", "canceled", "expired", "rejected"}:
                exchange.cancel(with_cancel)
        exchange.advance(chance.choice((0.05, 0.3, 30, 20_000)))
        with exchange.work() as world:
            check_books(world)
            assert world.book.cash >= 0
            assert all(h.qty > 0 for h in world.book.holdings.values())
    assert len(ids) > 20
