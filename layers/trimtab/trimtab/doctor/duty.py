"""Duty: what exactly-once asks of the broker, proved on a paper account by an order that can't fill.

A buy of a share far below its price is sent, found by its id, cancelled and seen ended; then the same id is
sent again, and must be refused. Its id is none of ours (`tt1-…`), so no run takes it for its own; its symbol
is outside the universe, so no run stops at it. Whatever happens on the way, the order is cancelled and
looked for at the end.
"""

from __future__ import annotations

import re
import secrets
from datetime import timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from trimtab.core.portfolio import OrderRequest
from trimtab.core.schedule import BAR_DELAY, hours_of, session_of
from trimtab.doctor.check import Result, Skipped, Visit
from trimtab.ports import Accepted, Refused, Unauthorized, Unreachable
from trimtab.switch import kill_switch

if TYPE_CHECKING:
    from datetime import datetime

    from trimtab.core.portfolio import BrokerOrder
    from trimtab.ports import Submitted

__all__ = ["PREFIX", "duty"]

PREFIX = "tt-doctor-"
"""Opens the ids of these orders."""
LIQUID = ("SPY", "QQQ", "IWM", "EFA", "GLD", "TLT", "XLF", "SLV")
"""Symbols to choose from that most universes lack at least one of."""
FAR = Decimal("0.5")
"""The limit, as a part of the price: nothing falls so far while the order is there."""
LEAST_USD = Decimal(2)
"""Value of the order at least: the broker takes none below 1 USD."""
CENT = Decimal("0.01")
BEHIND = timedelta(days=10)
"""How far back a last close is looked for."""
LATE = timedelta(minutes=10)
"""Before the close: an order that reaches the broker after it would wait for the next open."""
ENDS_S = 30.0
"""Seconds that an order may take to be found, or to end once it was cancelled."""
POLL_S = 0.5
SECONDS = 90.0
"""What the whole proof may take of the broker's time."""
_ABOUT_THE_ID = re.compile(r"client.?order.?id|unique|duplicate|already exists", re.IGNORECASE)


class _Unproven(Exception):  # noqa: N818 - a state of the proof, not a fault
    """The proof ended without an answer, or with a bad one."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.seen)
        self.result = result


def duty(visit: Visit) -> Result:
    """Prove that an id is taken once, also after its order ended.

    Raises:
        Skipped: not on paper, not wanted, or not now.
        Unauthorized, Unreachable: the broker can't be asked.
    """
    if visit.settings.mode != "paper":
        raise Skipped(f"{visit.settings.mode} mode: proved on a paper account, where nothing is at stake")
    if not visit.orders:
        raise Skipped("--no-order")
    now = visit.now
    hours = None if now is None else hours_of(visit.calendar, session_of(now))
    if now is None or hours is None or not hours.opens <= now <= hours.closes - LATE:
        raise Skipped("the market is closed: an order might wait for its open to be cancelled")
    if kill_switch(visit.world.store, visit.settings.portfolio) is not None:
        raise Skipped("a halt is set: nothing is sent")
    visit.hurry(SECONDS)
    request = _far_order(visit, now)
    try:
        result = _prove(visit, request)
    except _Unproven as unproven:
        result = unproven.result
    except Unreachable as error:
        result = _unclear(f"an answer is missing: {error}")
    finally:
        left = _swept(visit)
    if left:
        hint = "cancel it at the broker; it is far from the market, and ends with the day"
        return Result("FAIL", f"still open: {left}", hint)
    return result


def _far_order(visit: Visit, now: datetime) -> OrderRequest:
    """Choose a symbol and a price for an order that can't fill.

    Raises:
        Skipped: no symbol has a price.
    """
    some = [symbol for symbol in LIQUID if symbol not in visit.mandate.universe]
    if (
        visit.mandate.loopback
    ):  # an exchange of one's own may know no others; elsewhere a run beside it would halt
        some += visit.mandate.universe
    listed = visit.world.broker.assets(some)
    fit = [s for s, asset in listed.items() if asset.status == "active" and asset.tradable]
    prices = _lowest(visit, fit, now) if fit else {}
    if not prices:
        raise Skipped("no symbol outside of the universe has a price to stay away from")
    symbol = min(prices, key=lambda s: (prices[s], s))
    limit = (prices[symbol] * FAR).quantize(CENT, ROUND_FLOOR)
    qty = Decimal(int(LEAST_USD / limit) + 1) if limit < LEAST_USD else Decimal(1)
    return OrderRequest(f"{PREFIX}{secrets.token_hex(8)}", symbol, "buy", "limit", qty, limit)


def _lowest(visit: Visit, symbols: list[str], now: datetime) -> dict[str, Decimal]:
    """Give the lowest of last trade, bid and last close of each symbol that has all of them from 1 USD on.

    One of them alone may be of another day, or of before a split.
    """
    quotes = visit.world.market.quotes(symbols)
    bars = visit.world.market.bars(symbols, session_of(now) - BEHIND, now - BAR_DELAY)
    last = bars.close[-1].tolist() if len(bars.close) else ()
    closes = {s: close for s, close in zip(bars.symbols, last, strict=False) if close > 0}  # no NaN
    known = {
        symbol: (quote.last or Decimal(0), quote.bid, Decimal(str(closes.get(symbol, 0.0))))
        for symbol, quote in quotes.items()
    }
    return {symbol: min(prices) for symbol, prices in known.items() if min(prices) >= 1}


def _prove(visit: Visit, request: OrderRequest) -> Result:
    """Send, find, cancel, see it ended, send again.

    Raises:
        _Unproven: a step did not go as it should.
    """
    broker = visit.world.broker
    outcome = broker.submit(request)
    _judge_first(outcome)
    first = _found(visit, request.client_order_id)
    if first is None and not isinstance(outcome, Accepted):
        text = f"whether {request.client_order_id} was taken is unknown"
        raise _Unproven(_unclear(text))
    if first is None:
        text = f"an order that was taken is not found by its id within {ENDS_S:.0f} s"
        raise _Unproven(Result("FAIL", text, "without that no lost answer can be cleared up: ask the broker"))
    broker.cancel(first.id)
    ended = _ended(visit, request.client_order_id)
    if ended.filled_qty > 0:
        raise _Unproven(Result("FAIL", f"{ended.filled_qty} filled at half its price", "look at the account"))
    again = broker.submit(request)
    if isinstance(again, Accepted):
        broker.cancel(again.order.id)
    return _judge_again(visit, again, first)


def _judge_first(outcome: Submitted) -> None:
    """Go on where the order was taken, or may have been.

    Raises:
        _Unproven: it was refused.
    """
    if isinstance(outcome, Refused):
        text = f"the order was refused: {outcome.status} {outcome.code} {outcome.message}"
        raise _Unproven(Result("warn", f"not proved: {text}", "mend what it says, and look again"))


def _judge_again(visit: Visit, outcome: Submitted, first: BrokerOrder) -> Result:
    """Say what the broker did with an id that it had taken before."""
    there = visit.world.broker.order(first.client_order_id)
    twice = isinstance(outcome, Accepted) or there is None or there.id != first.id or not there.terminal
    if twice:
        hint = "do not trade here: a run that is repeated could send an order twice"
        return Result("FAIL", "the same id was taken again after its order had ended", hint)
    said = f"{outcome.status} {outcome.message}" if isinstance(outcome, Refused) else str(outcome)
    if not isinstance(outcome, Accepted | Refused):
        said = outcome.detail
    if not _ABOUT_THE_ID.search(said):
        return _unclear(f"the same id was not taken again, but for another reason: {said}")
    return Result("ok", f"{first.symbol}: sent far below the market, cancelled; the same id again: {said}")


def _unclear(why: str) -> Result:
    return Result("warn", f"not proved: {why}", "look again: trimtab doctor")


def _found(visit: Visit, client_order_id: str) -> BrokerOrder | None:
    """Look an order up by its id, for as long as views may lag."""
    clock, started = visit.clock, visit.clock.monotonic()
    while True:
        order = visit.world.broker.order(client_order_id)
        if order is not None or clock.monotonic() - started > ENDS_S:
            return order
        clock.sleep(POLL_S)


def _ended(visit: Visit, client_order_id: str) -> BrokerOrder:
    """Wait for a cancelled order's end.

    Raises:
        _Unproven: it does not end.
    """
    clock, started = visit.clock, visit.clock.monotonic()
    while True:
        order = visit.world.broker.order(client_order_id)
        if order is not None and order.terminal:
            return order
        if clock.monotonic() - started > ENDS_S:
            text = f"a cancelled order has not ended within {ENDS_S:.0f} s"
            raise _Unproven(Result("warn", text, "look again in a session: the broker may end it only then"))
        clock.sleep(POLL_S)


def _swept(visit: Visit) -> str:
    """Cancel every open order of a doctor, and name what stays open; empty where nothing does.

    Those of an earlier visit that died are among them.
    """
    clock, started = visit.clock, visit.clock.monotonic()
    while True:
        try:
            orders = visit.world.broker.open_orders()
            left = [order for order in orders if order.client_order_id.startswith(PREFIX)]
            for order in left:
                visit.world.broker.cancel(order.id)
        except (Unreachable, Unauthorized) as error:
            return f"unknown, what is open can't be read: {error}"
        if not left:
            return ""
        if clock.monotonic() - started > ENDS_S:
            return ", ".join(order.client_order_id for order in left)
        clock.sleep(POLL_S)
