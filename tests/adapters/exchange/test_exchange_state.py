"""State: the exchange in its file, whole whatever is killed when."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

import trimtab
from exchange_kit import START, check_books, make_tape, order_body, place
from trimtab.adapters.exchange import Behaviour, Exchange, ExchangeClock
from trimtab.adapters.exchange.records import Refusal
from trimtab.errors import Halted, Misconfigured

TESTS = Path(__file__).parents[2]
BUSY = """
import sys
from pathlib import Path
from exchange_kit import make_tape, order_body
from trimtab.adapters.exchange import Exchange

exchange = Exchange.open(make_tape(), path=Path(sys.argv[1]))
exchange.advance(1)
for i in range(int(sys.argv[2]), 10**9):
    exchange.submit(order_body(f"o{i}", "CCC", "sell" if i % 3 == 2 else "buy", qty="1.5"))
    exchange.advance(0.3)
    print(i, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the exchange is kept."""
    return tmp_path / "exchange" / "main.db"


def contents(exchange: Exchange) -> tuple[object, ...]:
    """Everything that must survive."""
    with exchange.work() as world:
        check_books(world)
        book = world.book
        return (
            book.cash,
            book.time,
            book.last_equity,
            [asdict(order) for order in book.orders.values()],
            sorted((h.symbol, h.qty, h.cost) for h in book.holdings.values()),
            [asdict(activity) for activity in book.activities],
            book.closes,
            world.behaviour,
        )


def busy(path: Path, first: int) -> subprocess.Popen[bytes]:
    """A process that trades until it is killed, from order number `first` on."""
    package = str(Path(trimtab.__file__).parents[1])
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([package, str(TESTS)])}
    arguments = [sys.executable, "-c", BUSY, str(path), str(first)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, env=environ)


def test_it_goes_on_where_it_was(path: Path) -> None:
    """Clock, cash, orders, fills, equity and behaviour are those that were left."""
    first = Exchange.open(
        make_tape(), START, Decimal(50_000), 7, behaviour=Behaviour(latency_s=1.0), path=path
    )
    place(first, "a", qty="3.5")
    first.step(2)
    place(first, "waiting", "CCC", type="limit", limit_price="1")
    place(first, "b", "AAA", "sell", qty="3.5")
    first.advance(5)
    left, number = contents(first), first.account_number
    first.close()
    again = Exchange.open(make_tape(), date(2020, 4, 1), path=path)
    assert contents(again) == left
    assert again.account_number == number
    with pytest.raises(Refusal, match="unique"):
        place(again, "a")
    again.close()


def test_two_at_once_meet_one_exchange(path: Path) -> None:
    """What one does the other sees; an id taken by one is taken for both."""
    one, other = (Exchange.open(make_tape(), START, path=path) for _ in range(2))
    place(one, "a")
    with pytest.raises(Refusal, match="unique"):
        place(other, "a")
    other.advance(1)
    place(other, "b", "AAA", "sell")
    one.advance(1)
    assert contents(one)[3:] == contents(other)[3:]
    one.close()
    other.close()


def test_two_that_write_at_once_take_turns(path: Path) -> None:
    """Of two that send the same ids at the same time, each id is accepted once, and nothing is lost."""
    exchanges = [Exchange.open(make_tape(), START, path=path) for _ in range(2)]
    accepted: list[str] = []

    def trade(exchange: Exchange) -> None:
        for i in range(40):
            with contextlib.suppress(Refusal):
                place(exchange, f"o{i}", "CCC", qty="1")
                accepted.append(f"o{i}")

    threads = [threading.Thread(target=trade, args=(exchange,)) for exchange in exchanges]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(accepted) == sorted(f"o{i}" for i in range(40))
    for exchange in exchanges:
        exchange.advance(1)
        with exchange.work() as world:
            assert world.book.qty("CCC") == 40
            check_books(world)
        exchange.close()


def test_another_tape_is_refused(path: Path) -> None:
    """Positions of one history mean nothing in another."""
    Exchange.open(make_tape(), START, path=path).close()
    other = make_tape()
    object.__setattr__(other, "name", "another tape")
    with pytest.raises(Misconfigured, match="exchange_tape"):
        Exchange.open(other, path=path)


@pytest.mark.parametrize("start", [date(2020, 1, 1), date(2020, 6, 1)])
def test_a_start_outside_the_tape_is_refused(start: date) -> None:
    """There is nothing to trade at."""
    with pytest.raises(Misconfigured, match="exchange_start"):
        Exchange.open(make_tape(), start)


def fail_within(exchange: Exchange) -> None:
    """Begin a piece of work, and break it off."""
    with exchange.work() as world:
        world.book.journal(amount=Decimal(5))
        raise RuntimeError


def test_an_error_undoes_its_work(path: Path) -> None:
    """What an unexpected error interrupts is as if it had not begun."""
    exchange = Exchange.open(make_tape(), START, path=path)
    place(exchange, "a")
    left = contents(exchange)
    with pytest.raises(RuntimeError):
        fail_within(exchange)
    assert contents(exchange) == left
    exchange.close()


def test_a_full_disk_leaves_memory_and_file_alike(path: Path) -> None:
    """A change that can't be written did not happen, and a later one can."""
    exchange = Exchange.open(make_tape(), START, path=path)
    left = contents(exchange)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON orders BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    db.close()
    with pytest.raises(sqlite3.Error, match="disk full"):
        place(exchange, "a")
    assert contents(exchange) == left
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP TRIGGER full")
    db.close()
    place(exchange, "a")
    exchange.close()


@pytest.fixture
def worn(path: Path) -> tuple[Path, list[int]]:
    """A file whose writer was killed several times in the middle of its work, and what it had confirmed."""
    confirmed = []
    first = 0
    for pause_s in (0.03, 0.07, 0.11, 0.05):
        process = busy(path, first)
        assert process.stdout is not None
        with process.stdout:
            printed = [process.stdout.readline() for _ in range(3)]
            time.sleep(pause_s)
            process.send_signal(signal.SIGKILL)
            printed += process.stdout.read().split()
            process.wait(timeout=10)
        confirmed += [int(line) for line in printed]
        first += 10_000
    return path, confirmed


def test_kill_leaves_a_whole_state(worn: tuple[Path, list[int]]) -> None:
    """Killed at any moment, the books agree, and no confirmed order is lost."""
    path, confirmed = worn
    exchange = Exchange.open(make_tape(), path=path)
    with exchange.work() as world:
        check_books(world)
        assert len(confirmed) >= 12
        assert {f"o{i}" for i in confirmed} <= set(world.book.by_client_id)
    exchange.submit(order_body("after"))
    exchange.close()


def test_the_clock_only_moves_forward() -> None:
    """Into the past, to a holiday and beyond the tape it does not go, and it stays where it was."""
    exchange = Exchange.open(make_tape(), START)
    now = exchange.now()
    with pytest.raises(ValueError, match="forward"):
        exchange.go(date(2020, 2, 28))
    with pytest.raises(ValueError, match="no session"):
        exchange.go(date(2020, 3, 7))
    with pytest.raises(Halted, match="tape_ended"):
        exchange.step(1000)
    assert exchange.now() == now


def test_a_runs_clock_waits_in_virtual_time() -> None:
    """Sleeping a minute lets a minute pass in the exchange, at once."""
    exchange = Exchange.open(make_tape(), START)
    clock = ExchangeClock(exchange)
    order_id = place(exchange, "a")
    before, now = clock.monotonic(), clock.now()
    clock.sleep(60)
    assert clock.monotonic() - before == 60
    assert (clock.now() - now).total_seconds() == 60
    with exchange.work() as world:
        assert world.book.orders[order_id].status == "filled"


def test_delayed_views_show_what_was() -> None:
    """Orders, positions and account lag each on their own; the id is taken at once all the same."""
    delays = {"orders": 2.0, "positions": 5.0, "account": 10.0}
    exchange = Exchange.open(make_tape(), START, behaviour=Behaviour(delays=delays))
    order_id = place(exchange, "a")
    seen = []
    for _ in range(12):
        with exchange.work():
            orders = order_id in exchange.view("orders").orders
            positions = "AAA" in exchange.view("positions").holdings
            seen.append((orders, positions, exchange.view("account").cash < 100_000))
        with pytest.raises(Refusal, match="unique"):
            place(exchange, "a")
        exchange.advance(1)
    orders_at, positions_at, account_at = (
        next(second for second, row in enumerate(seen) if row[i]) for i in range(3)
    )
    assert (orders_at, positions_at, account_at) == (2, 6, 11)
