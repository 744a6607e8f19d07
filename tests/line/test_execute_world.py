"""World: what changes around a run while it trades: prices, cash, time, flags, views, other hands."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from line_kit import PRICE, START, Kill, Killed, Lab, make_lab, make_switch, make_tape
from trimtab.adapters.exchange.tape import Tape
from trimtab.switch import HALT_ALL, raise_flag

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from trimtab.core.record import Document

TEN = {f"S{n:02}": 10.0 + n for n in range(10)}


def altered(
    tape: Tape, *, opens: NDArray[np.float64] | None = None, close: NDArray[np.float64] | None = None
) -> Tape:
    """The tape with other prices, (n, m)."""
    opens, close = tape.open if opens is None else opens, tape.close if close is None else close
    return Tape(
        tape.name,
        tape.sessions,
        tape.symbols,
        open=opens,
        high=np.maximum(opens, close) + 0.01,
        low=np.minimum(opens, close) - 0.01,
        close=close,
        volume=tape.volume,
        split=tape.split,
        dividend=tape.dividend,
    )


def row_of(tape: Tape) -> int:
    """The row of `START`."""
    return list(tape.sessions.astype(str)).index(str(START))


def gapped(prices: dict[str, float], factors: dict[str, float]) -> Tape:
    """A tape whose symbols open on `START` at these parts of their last close; NaN: they do not trade."""
    tape = make_tape(prices)
    opens, close = tape.open.copy(), tape.close.copy()
    for symbol, factor in factors.items():
        column = tape.symbols.index(symbol)
        opens[row_of(tape), column] *= factor
        close[row_of(tape), column] *= 1.0 if np.isfinite(factor) else factor
    return altered(tape, opens=opens, close=close)


def reasons(record: Document) -> dict[str, str]:
    """Each hold's stable code."""
    return {hold["symbol"]: hold["reason"].split(":")[0] for hold in record["holds"]}


@pytest.mark.parametrize("factor", [0.85, 1.15])
def test_one_symbol_far_from_its_close_is_held_and_the_others_trade(root: Path, factor: float) -> None:
    """One of ten: a hold with its reason; the run goes on, and the next session buys it."""
    tape = gapped(TEN, {"S03": factor})
    lab = make_lab(root, dict.fromkeys(TEN, 0.04), tape=tape)
    record = lab.run()
    assert record["outcome"] == "traded"
    assert reasons(record) == {"S03": "max_gap"}
    assert set(lab.held()) == set(TEN) - {"S03"}
    lab.exchange.step()
    assert lab.run()["outcome"] == "traded"
    assert set(lab.held()) == set(TEN)
    lab.check_books()


def test_more_than_a_third_far_from_their_close_halts(root: Path) -> None:
    """Five of ten: the quotes are doubted, not the symbols."""
    lab = make_lab(root, dict.fromkeys(TEN, 0.04), tape=gapped(TEN, {f"S{n:02}": 0.85 for n in range(5)}))
    record = lab.run()
    assert (record["outcome"], record["stage"], record["code"]) == ("halted", "risk", "quotes")
    assert lab.sends() == []


def test_a_symbol_without_quote_is_held(root: Path) -> None:
    """Bid and ask are 0 and there is no trade lately: held, named so."""
    tape = gapped(TEN, {"S03": float("nan")})
    lab = make_lab(root, dict.fromkeys(TEN, 0.04), tape=tape, behaviour={"unquoted": ("S03",)})
    record = lab.run()
    assert record["outcome"] == "traded"
    assert reasons(record) == {"S03": "no_quote"}


def test_a_wide_spread_is_held(root: Path) -> None:
    """Every symbol's spread is wider than allowed: more than a third, so the run halts."""
    lab = make_lab(root, behaviour={"spread_bps": 150.0})
    assert lab.run()["code"] == "quotes"


def test_a_price_that_moved_after_the_plan_holds_the_order_back(root: Path) -> None:
    """The quote is judged anew right before the order: 15 % away from the close that sized it is too far."""
    tape = make_tape()
    close = tape.close.copy()
    close[row_of(tape), 1] *= 1.3
    lab = make_lab(root, tape=altered(tape, close=close))
    with pytest.raises(Killed):
        lab.run(requests_=Kill(1, only="POST"))
    lab.at(20, 30)
    record = lab.run()
    assert record["outcome"] == "traded"
    assert "BBB 0 of 300 (max_gap: " in record["reason"]
    assert record["decision"]["pending"] == ["BBB"]
    assert set(lab.held()) == {"AAA", "CCC"}
    lab.check_books()


def test_buys_shrink_to_the_cash_there_is(root: Path) -> None:
    """Money was taken out between plan and buys: all buys shrink by one factor, and cash stays above 0."""
    lab = make_switch(root)
    with pytest.raises(Killed):
        lab.run(requests_=Kill(1, after=True, only="POST"))
    plan = lab.plan()
    assert plan is not None
    lab.exchange.advance(5.0)
    lab.exchange.journal(amount=-lab.cash() / 2)
    record = lab.run()
    assert record["outcome"] == "traded"
    wanted = {order["symbol"]: Decimal(order["qty"]) for order in plan["orders"]}
    parts = {symbol: float(lab.held()[symbol] / wanted[symbol]) for symbol in ("BBB", "CCC")}
    assert parts == pytest.approx({"BBB": 0.5, "CCC": 0.5}, abs=1e-4)
    assert "(cash: " in record["reason"]
    assert lab.cash() >= 0
    lab.check_books()


@pytest.mark.parametrize("drift", [-0.08, 0.08])
def test_cash_stays_above_zero_while_prices_move(root: Path, drift: float) -> None:
    """In the afternoon prices move from second to second; nothing is bought on margin."""
    tape = make_tape()
    moving = altered(tape, close=np.round(tape.close * (1 + drift), 2))
    lab = make_lab(root, {"AAA": 0.6, "BBB": 0.4}, tape=moving, max_order_size=1.0, max_turnover=1.0)
    lab.at(18, 0)
    assert lab.run()["outcome"] == "traded"
    assert lab.cash() >= 0


def left_after(seconds: float, lab: Lab) -> Callable[[], float]:
    """A deadline so many virtual seconds from now."""
    due = lab.exchange.now() + timedelta(seconds=seconds)

    def left() -> float:
        return (due - lab.exchange.now()).total_seconds()

    return left


@pytest.mark.parametrize("seconds", [31.0, 33.0, 40.0, 60.0, 100.0])
def test_nothing_is_sent_in_the_last_thirty_seconds(root: Path, seconds: float) -> None:
    """However little time a run has, the last half minute is for the record; the next run finishes."""
    lab = make_switch(root, behaviour={"latency_s": 20.0})
    deadline = lab.seconds_left = left_after(seconds, lab)
    record = lab.run()
    due = lab.exchange.now() + timedelta(seconds=deadline())
    assert all(seen.at <= due - timedelta(seconds=30) for seen in lab.sends())
    if record["outcome"] != "traded":
        assert record["code"] == "deadline"
        assert record["outcome"] == ("interrupted" if lab.posts() else "halted")
        assert lab.exchange.now() < due
    lab.seconds_left = lambda: 1e9
    assert lab.run()["outcome"] in {"traded", "in_band"}
    lab.check_books()


def test_a_slow_fill_does_not_outlast_the_deadline(root: Path) -> None:
    """Waiting for a fill stops while there is time to write the record."""
    lab = make_lab(root, behaviour={"halted": ("BBB",)})
    deadline = lab.seconds_left = left_after(60.0, lab)
    record = lab.run()
    assert (record["outcome"], record["code"]) == ("interrupted", "deadline")
    assert deadline() > 20
    assert [order["symbol"] for order in record["orders"]] == ["AAA", "BBB", "CCC"]


@pytest.mark.parametrize("key", [HALT_ALL, "halts/main"])
@pytest.mark.parametrize("posts", [0, 1, 2])
def test_no_order_is_sent_after_a_run_saw_the_flag(root: Path, key: str, posts: int) -> None:
    """Read before every order: set between two, the second is not sent; lifted, the plan is finished."""
    lab = make_lab(root)

    def watch(verb: str, name: str) -> None:
        if (verb, name) == ("get", key) and lab.plan() is not None and len(lab.posts()) == posts:
            raise_flag(lab.store, key, who="owner", at="now", why="stop")

    lab.watch = watch
    record = lab.run()
    assert record["code"] == "kill_switch"
    assert record["outcome"] == ("interrupted" if posts else "halted")
    assert record["stage"] == "execute"
    assert len(lab.posts()) == posts
    assert len(record["orders"]) == posts
    lab.watch = None
    assert lab.run()["outcome"] == "halted"
    assert len(lab.posts()) == posts
    lab.store.delete(key)
    assert lab.run()["outcome"] == "traded"
    lab.check_books()


def test_an_account_blocked_while_trading_stops_the_buys(root: Path) -> None:
    """The flags are read again before the buys: interrupted; unblocked, the plan is finished."""
    lab = make_switch(root)
    blocked: list[bool] = []

    def left() -> float:
        if lab.posts() and not blocked:
            blocked.append(True)
            lab.exchange.behave(flags={"trading_blocked": True})
        return 1e9

    lab.seconds_left = left
    record = lab.run()
    assert (record["outcome"], record["stage"], record["code"]) == (
        "interrupted",
        "execute",
        "account_blocked",
    )
    assert len(lab.posts()) == 1
    lab.exchange.behave(flags={})
    assert lab.run()["outcome"] == "traded"
    lab.check_books()


@pytest.mark.parametrize("view", ["orders", "positions", "account"])
def test_a_view_that_lags_ten_seconds_changes_nothing(root: Path, view: str) -> None:
    """Each of the broker's views may be ten seconds old: the same orders, one each, and the books agree."""
    lab = make_switch(root / "run", behaviour={"delays": {view: 10.0}})
    lab.exchange.advance(20.0)
    record = lab.run()
    assert record["outcome"] == "traded", record["reason"]
    assert sorted(lab.orders()) == [lab.order_id(symbol) for symbol in PRICE]
    assert lab.halted() is None
    lab.check_books()
    assert lab.run()["outcome"] == "in_band"


@pytest.mark.parametrize("view", ["orders", "positions", "account"])
@pytest.mark.parametrize("posts", [1, 2, 3])
def test_a_rerun_on_lagging_views_sends_nothing_twice(root: Path, view: str, posts: int) -> None:
    """A run died after an order, and the next one sees the world as it was ten seconds ago."""
    lab = make_switch(root, behaviour={"delays": {view: 10.0}})
    lab.exchange.advance(20.0)
    with pytest.raises(Killed):
        lab.run(requests_=Kill(posts, after=True, only="POST"))
    record = lab.run()
    assert record["outcome"] == "traded", record["reason"]
    plan = lab.plan()
    assert plan is not None
    for order in plan["orders"]:
        filled = sum(o.filled_qty for o in lab.orders().values() if o.symbol == order["symbol"])
        assert filled == Decimal(order["qty"])
    assert lab.halted() is None
    lab.check_books()


def test_a_persons_trade_between_two_runs_stops_the_second(root: Path) -> None:
    """Holdings are not base and fills: exit 3 without a latch, for the next session plans afresh."""
    lab = make_switch(root)
    with pytest.raises(Killed):
        lab.run(requests_=Kill(1, after=True, only="POST"))
    lab.exchange.advance(5.0)
    body = {"symbol": "AAA", "side": "sell", "type": "market", "time_in_force": "day", "qty": "10"}
    lab.exchange.submit(body | {"client_order_id": "by-hand"})
    lab.exchange.advance(5.0)
    record = lab.run()
    assert (record["outcome"], record["stage"], record["code"]) == ("halted", "execute", "positions_differ")
    assert lab.halted() is None
    assert len(lab.posts()) == 1
    lab.exchange.step()
    assert lab.run()["outcome"] == "traded"
    lab.check_books()


def test_dust_and_a_deposit_are_no_difference(root: Path) -> None:
    """Less than 1 USD of shares, or cash, from outside: the plan is finished all the same."""
    lab = make_switch(root)
    with pytest.raises(Killed):
        lab.run(requests_=Kill(1, after=True, only="POST"))
    lab.exchange.journal("AAA", Decimal("0.009"))
    lab.exchange.journal(amount=Decimal(500))
    assert lab.run()["outcome"] == "traded"


def test_holdings_that_differ_after_trading_latch(root: Path) -> None:
    """Not what the orders filled, half a minute long: interrupted, and latched for a person."""
    lab = make_lab(root)

    def watch(_verb: str, _name: str) -> None:
        if len(lab.posts()) == 2 and not moved:
            moved.append(True)
            lab.exchange.journal("AAA", Decimal(-5))

    moved: list[bool] = []
    lab.watch = watch
    record = lab.run()
    assert (record["outcome"], record["stage"], record["code"]) == ("interrupted", "record", "reconcile")
    assert "AAA -5" in record["error"]["seen"]
    assert len(record["orders"]) == 3
    assert lab.halted() is not None
    lab.watch = None
    assert lab.run()["code"] == "kill_switch"
    lab.check_books()


def test_holdings_that_cannot_be_read_after_trading_interrupt_without_a_latch(root: Path) -> None:
    """Unreadable is not different: the next run looks again and ends the plan."""
    lab = make_lab(root)
    lab.fault("status", "GET", "/v2/positions", nth=2, times=0)
    record = lab.run()
    assert (record["outcome"], record["stage"], record["code"]) == ("interrupted", "record", "unreachable")
    assert len(record["orders"]) == 3
    assert lab.halted() is None
    lab.face.faults.clear()
    assert lab.run()["outcome"] == "traded"
    assert len(lab.posts()) == 3
    lab.check_books()
