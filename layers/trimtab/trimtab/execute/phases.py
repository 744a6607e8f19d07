"""Phases: the sells, their cash, then the buys; within a phase all chains advance together."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from trimtab.core.lots import LOT, limit_price, lots
from trimtab.core.plan import priced
from trimtab.core.portfolio import OrderRequest
from trimtab.core.quotes import judge
from trimtab.core.risk import SLOTS, Approved
from trimtab.errors import Halted, Interrupted
from trimtab.execute.cancel import cancel, withdraw
from trimtab.execute.floor import Chain, Floor, observe
from trimtab.execute.reconcile import judge_base
from trimtab.execute.submit import ABSENT_S, judge_flag, submit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from trimtab.core.portfolio import Account, Position
    from trimtab.core.quotes import Touch

FIRST_POLL_S = 0.25
POLL_S = 2.0
"""Seconds between two looks at the open orders: the first pause, doubling up to the last."""
CANCEL_S = 30.0
"""Seconds that a cancelled order may take to end."""
CASH_TOLERANCE = Decimal(1)
"""USD that fees and rounding may take from what the fills should have left."""
QUOTE_S = 10.0
"""Seconds for which quotes, cash and holdings stand while several orders are sent."""
SETTLE_S = 30.0
"""Seconds that cash may lag behind fills (Alpaca: up to about 10)."""


def execute(approved: Approved, floor: Floor, chains: Sequence[Chain]) -> None:
    """Trade an approved plan: the sells, then, once they and their cash are in, the buys.

    `chains` are its orders, one each; what becomes of them is seen there, also when this raises.

    Raises:
        Halted: something stopped it before this run sent an order.
        Interrupted: this run sent or may have sent an order and did not finish.
    """
    try:
        _trade(approved, floor, chains)
    except (Halted, Interrupted) as stop:
        if stop.code == "kill_switch":
            withdraw(floor, chains)
        raise


def _trade(approved: Approved, floor: Floor, chains: Sequence[Chain]) -> None:
    sells = [chain for chain in chains if chain.order.side == "sell"]
    buys = [chain for chain in chains if chain.order.side == "buy"]
    if floor.adopted:
        observe(floor, chains, look_up=chains)
        judge_base(floor, chains)
    for chain in chains:
        _end_if_done(floor, chain)
    _phase(floor, approved, sells, sells)
    refused = [chain for chain in sells if chain.ended.startswith("refused")]
    if refused:
        raise floor.stop("sell_refused", "the broker refused a sell", seen=refused[0].ended)
    if any(not chain.ended for chain in buys) and sells:
        _await_cash(floor, approved, chains)
    _phase(floor, approved, buys, chains)


def _phase(floor: Floor, approved: Approved, chains: Sequence[Chain], every: Sequence[Chain]) -> None:
    """Advance all chains of one side together until each has ended; `every` are those it looks at."""
    clock, limit = floor.world.clock, floor.mandate.execution.fill_timeout_s
    started, looks = clock.monotonic(), 0
    while any(not chain.ended for chain in chains):
        floor.judge_deadline()
        waited = clock.monotonic() - started
        ready = [chain for chain in chains if not chain.ended and not chain.in_flight]
        sent = len(floor.sent)
        if ready:
            _send(floor, approved, ready, every, in_time=waited < limit)
        if len(floor.sent) > sent:
            looks = 0
        moving = [chain for chain in every if chain.in_flight]
        if waited >= limit:
            cancel(floor, moving)
        if moving and waited >= limit + CANCEL_S:
            stuck = moving[0].slots[-1].client_order_id
            raise floor.stop("order_open", "a cancelled order has not ended", seen=stuck)
        if moving:
            judge_flag(floor)
            clock.sleep(min(POLL_S, FIRST_POLL_S * 2**looks))
            looks += 1
            observe(floor, every)
        for chain in chains:
            _end_if_done(floor, chain)


def _end_if_done(floor: Floor, chain: Chain) -> None:
    """Mark a chain that has nothing left to do, with the reason."""
    if chain.ended or chain.in_flight:
        return
    small = chain.residual * Decimal(str(chain.order.price)) < Decimal(
        str(floor.mandate.execution.min_order_usd)
    )
    if chain.residual < LOT or small:
        chain.ended = "filled"
    elif chain.slots and chain.slots[-1].status == "rejected":
        chain.ended = "rejected: the broker rejected it"
    elif chain.cancelling:
        chain.ended = f"timeout: not filled within {floor.mandate.execution.fill_timeout_s:g} s"
    elif len(chain.slots) == SLOTS:
        chain.ended = "slots: every order id of the session is used"


def _send(
    floor: Floor, approved: Approved, ready: Sequence[Chain], every: Sequence[Chain], *, in_time: bool
) -> None:
    """Size and send the next slot of every chain that is ready, on quotes read anew.

    Its moment is the broker's clock and the time since that was asked for, never behind it: what is read in
    between may be tried for minutes.
    """
    world, asked_at = floor.world, floor.world.clock.monotonic()
    now = world.broker.now()

    def moment() -> datetime:
        return now + timedelta(seconds=world.clock.monotonic() - asked_at)

    if not in_time or not floor.window.holds(now):
        for chain in ready:
            chain.ended = (
                "window: trading has ended for today" if in_time else "timeout: no time left to send"
            )
        return
    account, sells = _account(floor), ready[0].order.side == "sell"
    holdings = world.broker.positions() if sells else ()
    ready = _still_ready(floor, ready, every)
    moving = [chain for chain in every if chain.in_flight]
    touches = _touches(floor, [*ready, *moving], moment) if ready else {}
    ready = [chain for chain in ready if not _held(chain, touches[chain.order.symbol])]
    if not ready or (not sells and any(chain.order.side == "sell" for chain in moving)):
        return  # another run carries a sell on: no buy meanwhile
    if sells:
        sizes = _sell_sizes(holdings, ready)
    else:
        funds = min(account.cash, _cash_due(approved, every)) - _reserved(moving, touches)
        sizes = _buy_sizes(max(funds, Decimal(0)), ready, touches)
    read_at = world.clock.monotonic()

    def fresh() -> bool:
        return world.clock.monotonic() - read_at <= QUOTE_S and floor.window.holds(moment())

    for chain in ready:
        floor.pace()
        if not fresh():
            return  # an order's fate took long to learn, or its turn to come: the rest is sized anew
        quantity, ceiling = sizes[chain.order.symbol]
        if quantity * Decimal(str(chain.order.price)) < Decimal(str(floor.mandate.execution.min_order_usd)):
            _end_for_want(floor, chain, moving)
            continue
        request = _request(floor, chain, quantity, touches[chain.order.symbol], ceiling)
        floor.arrivals[request.client_order_id] = touches[chain.order.symbol]
        submit(floor, chain, request, fresh)


def _still_ready(floor: Floor, ready: Sequence[Chain], every: Sequence[Chain]) -> list[Chain]:
    """Leave out the chains that another run has carried on meanwhile.

    The slots are looked at after cash and holdings were read, never before: what another run's order took
    from these must be known, or its part would be taken from the other chains.
    """
    observe(floor, every)
    for chain in ready:
        _end_if_done(floor, chain)
    return [chain for chain in ready if not chain.ended and not chain.in_flight]


def _end_for_want(floor: Floor, chain: Chain, moving: Sequence[Chain]) -> None:
    """End a chain that nothing is left for, unless other orders hold it, which may end, or took it.

    What holds the shares of a sell may be our own order that no view shows yet: it is looked for as long as
    views lag, or the buys would begin beside it.
    """
    if moving:
        return
    clock, before, buys = floor.world.clock, len(chain.slots), chain.order.side == "buy"
    until = clock.monotonic() + (0.0 if buys else ABSENT_S)
    observe(floor, (chain,), look_up=(chain,))
    while len(chain.slots) == before and clock.monotonic() < until:
        floor.judge_deadline()
        clock.sleep(POLL_S)
        observe(floor, (chain,), look_up=(chain,))
    if len(chain.slots) == before:
        chain.ended = "cash: too little is left" if buys else "unavailable: nothing free to sell"


def _touches(floor: Floor, chains: Sequence[Chain], moment: Callable[[], datetime]) -> dict[str, Touch]:
    """Read the chains' quotes, and judge them at the moment when they are there."""
    orders, mandate = [chain.order for chain in chains], floor.mandate
    quotes, now = floor.world.market.quotes([order.symbol for order in orders]), moment()
    return {
        o.symbol: judge(quotes.get(o.symbol), o.price, now, mandate.risk, by_age=not mandate.loopback)
        for o in orders
    }


def _held(chain: Chain, touch: Touch) -> bool:
    """End a chain whose quote may not be traded on."""
    if touch.held:
        chain.ended = f"{touch.held}: {touch.detail}"
    return bool(touch.held)


Sizes = dict[str, tuple[Decimal, Decimal | None]]


def _sell_sizes(holdings: Sequence[Position], ready: Sequence[Chain]) -> Sizes:
    """Sell what the plan still wants, at most what is free; it may shrink, never grow."""
    free = {position.symbol: position.qty_available for position in holdings}
    none = Decimal(0)
    return {
        chain.order.symbol: (max(none, min(chain.residual, free.get(chain.order.symbol, none))), None)
        for chain in ready
    }


def _reserved(moving: Sequence[Chain], touches: Mapping[str, Touch]) -> Decimal:
    """Give the USD that buys in flight may still take: at their limit, else at the ask or the last close."""
    total = Decimal(0)
    for chain in moving:
        slot, last = chain.slots[-1], Decimal(str(chain.order.price))
        price = slot.limit_price or max(touches[chain.order.symbol].ask, last)
        total += ((slot.qty or Decimal(0)) - slot.filled_qty) * price
    return total


def _buy_sizes(funds: Decimal, ready: Sequence[Chain], touches: Mapping[str, Touch]) -> Sizes:
    """Buy what the plan still wants, all shrunk by one factor to the funds, USD; with a price ceiling."""
    need = sum((chain.residual * touches[chain.order.symbol].ask for chain in ready), Decimal(0))
    factor = min(Decimal(1), funds / need)
    sizes: Sizes = {}
    for chain in ready:
        quantity = lots(chain.residual * factor, whole=chain.order.type == "limit")
        share = funds * chain.residual * touches[chain.order.symbol].ask / need
        sizes[chain.order.symbol] = (quantity, share / quantity if quantity else None)
    return sizes


def _account(floor: Floor) -> Account:
    """Read the account, which may have been blocked since the run began.

    Raises:
        Halted | Interrupted: it may not trade.
    """
    account = floor.world.broker.account()
    blocked = account.trading_blocked or account.account_blocked or account.trade_suspended_by_user
    if blocked or account.status != "ACTIVE":
        seen = f"{account.status}, {'blocked' if blocked else 'not blocked'}"
        raise floor.stop("account_blocked", "the account may not trade any more", seen=seen)
    return account


def _cash_due(approved: Approved, every: Sequence[Chain]) -> Decimal:
    """Give the cash that the plan's fills should have left, USD."""
    signs = {"sell": 1, "buy": -1}
    return approved.cash + sum((signs[chain.order.side] * chain.value for chain in every), Decimal(0))


def _request(
    floor: Floor, chain: Chain, quantity: Decimal, touch: Touch, ceiling: Decimal | None
) -> OrderRequest:
    """Word the next slot's order; a buy's limit never costs more than its share of the cash."""
    order = chain.order
    kind, limit = priced(order.side, quantity, touch, order.price, floor.mandate.risk.price_collar)
    if limit is not None and ceiling is not None and ceiling < limit:
        limit = max(
            limit_price("buy", touch.ask, Decimal(0)),
            ceiling.quantize(Decimal("0.01"), rounding="ROUND_FLOOR"),
        )
    return OrderRequest(
        floor.id_of(order.symbol, len(chain.slots)), order.symbol, order.side, kind, quantity, limit
    )


def _await_cash(floor: Floor, approved: Approved, chains: Sequence[Chain]) -> None:
    """Wait until the account shows what the sells brought, at most 30 seconds.

    Another run may buy meanwhile: what its orders take is not waited for.
    """
    clock, started = floor.world.clock, floor.world.clock.monotonic()
    while clock.monotonic() - started < SETTLE_S:
        if floor.world.broker.account().cash >= _cash_due(approved, chains) - CASH_TOLERANCE:
            return
        floor.judge_deadline()
        clock.sleep(POLL_S)
        observe(floor, chains)
