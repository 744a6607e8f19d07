"""Account: what the account holds and has open, and what its plan is made from."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.gates import judge_account, judge_values
from trimtab.core.mandate import ADV_SESSIONS
from trimtab.core.plan import Plan
from trimtab.core.portfolio import Portfolio
from trimtab.core.quotes import Touch, judge
from trimtab.core.risk import Approved, Conditions, refuse, review
from trimtab.core.risk import judge as judge_plan
from trimtab.core.sizing import Book, guards, size, wanted
from trimtab.errors import Halted
from trimtab.execute.floor import RESERVE_S
from trimtab.stations.evidence import (
    asset_document,
    conditions_document,
    position_document,
    quote_document,
)
from trimtab.stations.writeahead import key_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from decimal import Decimal

    from trimtab.core.bars import Bars
    from trimtab.core.mandate import Mandate
    from trimtab.core.portfolio import Asset, BrokerOrder
    from trimtab.core.verdict import Verdict
    from trimtab.ports import World
    from trimtab.stations.arrive import Today
    from trimtab.stations.evidence import Evidence

IEX_SHARE = 0.025
"""IEX's part of the volume of all venues (Alpaca, market data FAQ): its volumes are scaled up by it."""
CANCEL_WAIT_S = 30.0
LAG_S = 15.0
"""Seconds that cash and holdings may lag behind each other (Alpaca: up to about 10)."""
POLL_S = 1.0


def positions(world: World, mandate: Mandate, bars: Bars | None, evidence: Evidence) -> Portfolio:
    """Read the account and its holdings together, and judge them.

    Raises:
        Halted: the account may not trade, holds a short or does not add up, or a holding is, or looks, split
            since its last close; the gate's name is the code.
    """
    portfolio, verdicts = _settled(world)
    evidence.account = portfolio.account
    last = {} if bars is None else last_closes(bars)
    evidence.positions_before = [
        position_document(p, last.get(p.symbol, _unit_value(p.market_value, p.qty)))
        for p in portfolio.positions
    ]
    if bars is not None:
        fresh = [action for action in evidence.actions if action.session > bars.sessions[-1].item()]
        verdicts.append(judge_values(portfolio, last, fresh, mandate.gates))
    evidence.verdicts += verdicts
    refuse(verdicts)
    return portfolio


def _settled(world: World) -> tuple[Portfolio, list[Verdict]]:
    """Read both until they add up, at most 15 seconds: after fills one view lags behind the other."""
    started = world.clock.monotonic()
    while True:
        late = world.clock.monotonic() - started > min(LAG_S, world.seconds_left() - RESERVE_S)
        portfolio = Portfolio(world.broker.account(), world.broker.positions())
        verdicts = judge_account(portfolio)
        refused = {verdict.rule for verdict in verdicts if not verdict.passed}
        if late or refused != {"equity_identity"}:
            return portfolio, verdicts
        world.clock.sleep(POLL_S)


def _unit_value(value: Decimal | None, qty: Decimal) -> float | None:
    return None if value is None or qty == 0 else float(value / qty)


def last_closes(bars: Bars) -> dict[str, float]:
    """Give each symbol's last close, USD a share."""
    return dict(zip(bars.symbols, bars.close[-1].tolist(), strict=True))


def clear_orders(world: World, mandate: Mandate, today: Today, h8: str) -> None:
    """See that no order can disturb a new plan: ours that earlier sessions left open are cancelled.

    Raises:
        Halted: an order of this session, open or ended, without a plan; an open order that is not ours and
            in the way; or ours of an earlier session does not end.
    """
    _judge_unplanned(world, mandate, today, f"tt1-{h8}-{today.session:%Y%m%d}-")
    stale = _earlier(world, mandate, today, h8)
    if stale and not mandate.dry_run:
        _cancel_all(world, stale)


def clear_beside(world: World, mandate: Mandate, today: Today, h8: str) -> None:
    """See that no order can disturb a stored plan: one may have come, or no view showed it when it was made.

    Raises:
        Halted: an open order that is not ours and in the way, or ours of an earlier session does not end.
    """
    if stale := _earlier(world, mandate, today, h8):
        _cancel_all(world, stale)


def _earlier(world: World, mandate: Mandate, today: Today, h8: str) -> list[BrokerOrder]:
    """Give what earlier sessions of ours left open.

    Raises:
        Halted: an open order of another bot, of anybody on our symbols, or to buy anything: the cash is not
            less by it, and would be spent twice.
    """
    ours, of_today, stale = f"tt1-{h8}-", f"tt1-{h8}-{today.session:%Y%m%d}-", []
    for order in world.broker.open_orders():
        if order.client_order_id.startswith(of_today):
            continue
        if order.client_order_id.startswith(ours):
            stale.append(order)
        elif order.client_order_id.startswith("tt1-"):
            raise _in_the_way(order, "an order of another Trimtab portfolio is open in this account")
        elif order.symbol in mandate.universe:
            raise _in_the_way(order, f"an order on {order.symbol} that is not ours is open")
        elif order.side != "sell":
            raise _in_the_way(order, f"an order to buy {order.symbol} is open, and the cash is needed for it")
    return stale


def _judge_unplanned(world: World, mandate: Mandate, today: Today, prefix: str) -> None:
    """Refuse to plan a session whose order ids are in use: a new plan would take their fills for its own.

    Raises:
        Halted: there is such an order, and the store holds no plan.
    """
    if today.window is None:
        return
    orders = world.broker.orders_since(today.window.opens - timedelta(days=1))
    found = next((order for order in orders if order.client_order_id.startswith(prefix)), None)
    if found is None or world.store.get(key_of(mandate.portfolio, today.session)) is not None:
        return  # where a plan is there now, another run has just stored it: that one will be traded
    raise Halted(
        "order_without_plan",
        "an order of this session is at the broker, but the store holds no plan for it",
        seen=f"{found.client_order_id}: {found.side} {found.qty} {found.symbol}, {found.status}",
        allowed="no order of this session before its plan",
        hint="bring the store back that it was sent from, or wait: the next session plans afresh",
    )


def _in_the_way(order: BrokerOrder, message: str) -> Halted:
    return Halted(
        "open_order",
        message,
        seen=f"{order.client_order_id}: {order.side} {order.qty} {order.symbol}, {order.status}",
        allowed="no open order but this portfolio's own",
        hint="cancel it, or wait until it has ended; one account serves one portfolio",
    )


def _cancel_all(world: World, stale: Sequence[BrokerOrder]) -> None:
    """Cancel our orders of earlier sessions and see them ended."""
    for order in stale:
        world.broker.cancel(order.id)
    started = world.clock.monotonic()
    waiting = {order.client_order_id for order in stale}
    while waiting:
        waiting &= {order.client_order_id for order in world.broker.open_orders()}
        waited = world.clock.monotonic() - started
        if waiting and waited > min(CANCEL_WAIT_S, world.seconds_left() - RESERVE_S):
            left = next(order for order in stale if order.client_order_id in waiting)
            raise _in_the_way(left, "an order of an earlier session does not end though it was cancelled")
        if waiting:
            world.clock.sleep(POLL_S)


def equity_of(portfolio: Portfolio, bars: Bars) -> float:
    """Give the sizing equity E in USD: cash and the universe's holdings at their last closes.

    Raises:
        Halted: it is not above 0.
    """
    last = last_closes(bars)
    held = sum(float(p.qty) * last[p.symbol] for p in portfolio.positions if p.symbol in last)
    equity = float(portfolio.account.cash) + held
    if not equity > 0:
        raise Halted("no_equity", "there is nothing to invest", seen=f"{equity:.2f} USD", allowed="above 0")
    return equity


def warn_of_foreign(portfolio: Portfolio, mandate: Mandate, world: World, evidence: Evidence) -> None:
    """Note holdings outside the universe that this portfolio once bought: they are left alone from now on."""
    foreign = [p.symbol for p in portfolio.positions if p.symbol not in mandate.universe]
    if not foreign:
        return
    bought = world.trades.query(
        "SELECT DISTINCT symbol FROM orders WHERE portfolio = ? AND side = 'buy'", (mandate.portfolio,)
    )
    for symbol in sorted({str(row["symbol"]) for row in bought} & set(foreign)):
        evidence.note("warning", "positions", "foreign_holding", f"{symbol} is held but left the universe")


def book_of(
    portfolio: Portfolio,
    weights: Mapping[str, float],
    bars: Bars,
    equity: float,
    mandate: Mandate,
    active: Sequence[str],
    sent: float,
) -> Book:
    """Lay out what a plan is made from, in the universe's order."""
    recent = bars.volume[-ADV_SESSIONS:]
    volume = np.nanmean(recent, axis=0) if len(recent) else np.zeros(len(bars.symbols))
    if mandate.feed == "iex":
        volume = volume / IEX_SHARE
    symbols = mandate.universe
    return Book(
        symbols=symbols,
        weights=np.array([weights[symbol] for symbol in symbols]),
        held=np.array([float(portfolio.held(symbol)) for symbol in symbols]),
        price=np.ascontiguousarray(bars.close[-1]),
        whole=np.full(len(symbols), not mandate.execution.fractional),
        active=np.array([symbol in active for symbol in symbols]),
        volume=volume,
        cash=float(portfolio.account.cash),
        equity=equity,
        sent=sent,
    )


def draft(
    world: World, mandate: Mandate, book: Book, portfolio: Portfolio, today: Today, evidence: Evidence
) -> tuple[Plan, Conditions]:
    """Size the book with today's quotes and the broker's listing of what is to be traded."""
    traded = to_trade(book, mandate)
    assets = world.broker.assets(traded) if traded else {}
    evidence.assets = [asset_document(asset) for asset in assets.values()]
    touches = _touches(world, mandate, traded, book, today, evidence)
    plan = sized(book, mandate, portfolio, assets, touches)
    return plan, Conditions(assets, *session_so_far(world, mandate, today.session))


def to_trade(book: Book, mandate: Mandate) -> list[str]:
    """Give the symbols that leave the band today, in the book's order."""
    wish = wanted(book, mandate.execution)
    return [symbol for symbol, gap in zip(book.symbols, wish.quantity, strict=True) if gap != 0]


def sized(
    book: Book,
    mandate: Mandate,
    portfolio: Portfolio,
    assets: Mapping[str, Asset],
    touches: Mapping[str, Touch],
) -> Plan:
    """Size a book, by what the broker lists of the symbols that are to be traded, and by their quotes."""
    whole = np.array([s in assets and not assets[s].fractionable for s in book.symbols], dtype=bool)
    book = replace(book, whole=book.whole | whole)
    sizes = size(book, mandate.execution, mandate.risk, guards(book.symbols, touches))
    holdings = {p.symbol: p.qty for p in portfolio.positions}
    return Plan(book, sizes, holdings, touches, mandate.risk.price_collar)


def _touches(
    world: World, mandate: Mandate, traded: Sequence[str], book: Book, today: Today, evidence: Evidence
) -> dict[str, Touch]:
    """Judge today's quotes of what is to be traded; none while the market is closed."""
    if not traded or today.window is None or not today.window.holds(today.now):
        return {}
    quotes = world.market.quotes(traded)
    evidence.quotes = [quote_document(quote) for quote in quotes.values()]
    last = dict(zip(book.symbols, book.price.tolist(), strict=True))
    by_age = not mandate.loopback
    return {s: judge(quotes.get(s), last[s], today.now, mandate.risk, by_age=by_age) for s in traded}


def session_so_far(world: World, mandate: Mandate, session: date) -> tuple[int, int]:
    """Give how many order ids this session used, and how many runs sent orders."""
    rows = world.trades.query(
        "SELECT COUNT(*) AS ids, COUNT(DISTINCT run_id) AS runs FROM orders"
        " WHERE portfolio = ? AND session = ?",
        (mandate.portfolio, session.isoformat()),
    )
    return (int(str(rows[0]["ids"])), int(str(rows[0]["runs"]))) if rows else (0, 0)


def value_sent(world: World, mandate: Mandate, session: date) -> float:
    """Give the value of this session's recorded orders, USD, at what they filled at or may fill at."""
    rows = world.trades.query(
        "SELECT filled_qty, filled_avg_price FROM orders WHERE portfolio = ? AND session = ?",
        (mandate.portfolio, session.isoformat()),
    )
    return sum(float(str(r["filled_qty"])) * float(str(r["filled_avg_price"] or 0)) for r in rows)


def risk(plan: Plan, conditions: Conditions, mandate: Mandate, cash: Decimal, evidence: Evidence) -> Approved:
    """Judge the plan by every rule, and keep the verdicts whatever they say.

    Raises:
        Halted: a rule refuses; its name is the code.
    """
    evidence.planned = [order.document() for order in plan.orders()]
    evidence.holds = [hold.document() for hold in plan.holds()]
    evidence.conditions = conditions_document(plan.book.sent, conditions)
    evidence.verdicts += judge_plan(plan, conditions, mandate.risk)
    return review(plan, conditions, mandate.risk, cash)


def judge_runs(world: World, mandate: Mandate, session: date) -> None:
    """Before a stored plan is continued: not by more runs than may send orders in a session.

    Raises:
        Halted: code `max_runs_with_orders`.
    """
    _, runs = session_so_far(world, mandate, session)
    allowed = mandate.risk.max_runs_with_orders
    if runs >= allowed:
        raise Halted(
            "max_runs_with_orders",
            "enough runs sent orders this session",
            seen=f"{runs} runs",
            allowed=f"{allowed} runs",
            hint="the next session plans afresh; look at what keeps this plan from ending",
        )
