"""Render: the exchange's records as Alpaca's JSON: decimals as strings, times in RFC 3339 to nanoseconds."""

from __future__ import annotations

import uuid
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

from trimtab.adapters.exchange.admission import asset_facts, plain
from trimtab.adapters.exchange.book import NAMESPACE
from trimtab.adapters.exchange.engine import buying_power, equity, position_value, reserved
from trimtab.adapters.exchange.hours import new_york_date
from trimtab.core.nyse import half_day

if TYPE_CHECKING:
    from trimtab.adapters.exchange.book import Book, View
    from trimtab.adapters.exchange.engine import World
    from trimtab.adapters.exchange.exchange import Exchange
    from trimtab.adapters.exchange.records import Activity, Holding, Order

__all__ = ["account", "activity", "asset", "asset_id", "calendar_day", "order", "position", "stamp"]

ASSET_CLASS, VENUE = "us_equity", "ARCA"
UNUSED = dict.fromkeys(
    (
        "replaced_at",
        "replaced_by",
        "replaces",
        "stop_price",
        "legs",
        "trail_percent",
        "trail_price",
        "hwm",
        "subtag",
        "source",
    )
)
"""Fields of an order that are always null here."""
MICRO = Decimal("0.000001")
ZERO = Decimal(0)


def stamp(instant: datetime | None, seq: int = 0) -> str | None:
    """Write an instant (UTC); `seq` makes its nanoseconds."""
    if instant is None:
        return None
    return f"{instant:%Y-%m-%dT%H:%M:%S.%f}{seq % 1000:03d}Z"


def asset_id(symbol: str) -> str:
    """Give a symbol's id; the same in every exchange."""
    return str(uuid.uuid5(NAMESPACE, f"asset/{symbol}"))


def ratio(value: Decimal, base: Decimal) -> str:
    """Write value / base to six decimals; 0 where there is no base."""
    return plain((value / base).quantize(MICRO)) if base else "0"


def account(exchange: Exchange, world: World) -> dict[str, object]:
    """Render the account."""
    view = exchange.view("account")
    held, worth = position_value(world, view), equity(world, view)
    power, cash = plain(buying_power(world, view)), plain(view.cash)
    book = world.book
    numbers = {
        "cash": cash,
        "equity": plain(worth),
        "portfolio_value": plain(worth),
        "last_equity": plain(book.last_equity),
        "buying_power": power,
        "regt_buying_power": power,
        "effective_buying_power": power,
        "options_buying_power": "0",
        "non_marginable_buying_power": plain(max(view.cash - reserved(view), ZERO)),
        "initial_margin": plain(held / max(world.behaviour.multiplier, 1)),
        "maintenance_margin": plain(held * Decimal("0.3")),
        "last_maintenance_margin": "0",
        "long_market_value": plain(held),
        "short_market_value": "0",
        "position_market_value": plain(held),
        "accrued_fees": "0",
        "pending_transfer_in": "0",
        "pending_transfer_out": "0",
        "pending_reg_taf_fees": "0",
        "intraday_adjustments": "0",
        "sma": "0",
        "multiplier": str(world.behaviour.multiplier),
    }
    return _account_identity(exchange, world) | numbers | dict(world.behaviour.flags)


def _account_identity(exchange: Exchange, world: World) -> dict[str, object]:
    """Render what does not move."""
    return {
        "id": str(uuid.uuid5(NAMESPACE, exchange.account_number)),
        "account_number": exchange.account_number,
        "status": "ACTIVE",
        "currency": "USD",
        "balance_asof": world.prices.calendar.before(new_york_date(world.book.time)).isoformat(),
        "created_at": "2000-01-01T00:00:00Z",
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
        "shorting_enabled": False,
    }


def order(record: Order) -> dict[str, object]:
    """Render an order."""
    ended = {
        name: stamp(record.ended_at, record.seq) if record.status == status else None
        for name, status in (
            ("canceled_at", "canceled"),
            ("expired_at", "expired"),
            ("failed_at", "rejected"),
        )
    }
    average = record.filled_cost / record.filled_qty if record.filled_qty else None
    limit = record.limit_price
    return {
        "id": record.id,
        "client_order_id": record.client_order_id,
        "created_at": stamp(record.submitted_at, record.seq),
        "updated_at": stamp(record.updated_at, record.seq),
        "submitted_at": stamp(record.submitted_at, record.seq),
        "filled_at": stamp(record.filled_at, record.seq) if record.status == "filled" else None,
        **ended,
        **UNUSED,
        "asset_id": asset_id(record.symbol),
        "symbol": record.symbol,
        "asset_class": ASSET_CLASS,
        "notional": None if record.notional is None else plain(record.notional),
        "qty": None if record.qty is None else plain(record.qty),
        "filled_qty": plain(record.filled_qty),
        "filled_avg_price": None if average is None else plain(average.quantize(MICRO)),
        "order_class": "",
        "order_type": record.type,
        "type": record.type,
        "side": record.side,
        "position_intent": f"{record.side}_to_{'open' if record.buys else 'close'}",
        "time_in_force": record.tif,
        "limit_price": None if limit is None else plain(limit),
        "status": record.status,
        "extended_hours": False,
    }


def position(world: World, view: View | Book, holding: Holding) -> dict[str, object]:
    """Render a holding at today's price."""
    trade = world.prices.last_trade(holding.symbol, world.book.time)
    before = world.prices.previous_close(holding.symbol, world.book.time)
    price = trade.price if trade else ZERO
    last_price = before.price if before else price
    qty, value = holding.qty, holding.qty * price
    sells = [o for o in view.live.values() if o.symbol == holding.symbol and not o.buys]
    free = qty - sum((o.remaining for o in sells), ZERO)
    gain, today = value - holding.cost, (price - last_price) * qty
    return {
        "asset_id": asset_id(holding.symbol),
        "symbol": holding.symbol,
        "exchange": VENUE,
        "asset_class": ASSET_CLASS,
        "asset_marginable": True,
        "qty": plain(qty),
        "qty_available": plain(free),
        "side": "long" if qty > 0 else "short",
        "avg_entry_price": plain((holding.cost / qty).quantize(MICRO)),
        "cost_basis": plain(holding.cost),
        "market_value": plain(value),
        "current_price": plain(price),
        "lastday_price": plain(last_price),
        "change_today": ratio(price - last_price, last_price),
        "unrealized_pl": plain(gain),
        "unrealized_plpc": ratio(gain, holding.cost),
        "unrealized_intraday_pl": plain(today),
        "unrealized_intraday_plpc": ratio(today, last_price * qty),
    }


def asset(world: World, symbol: str) -> dict[str, object] | None:
    """Render a symbol; None if it is unknown. An override of null leaves its field out."""
    facts = asset_facts(world, symbol)
    if facts is None:
        return None
    document: dict[str, object] = {
        "id": asset_id(symbol),
        "class": ASSET_CLASS,
        "exchange": VENUE,
        "symbol": symbol,
        "name": symbol,
        "easy_to_borrow": False,
        "attributes": [],
        **facts,
    }
    return {name: value for name, value in document.items() if value is not None and name != "known"}


def activity(record: Activity) -> dict[str, object]:
    """Render something that happened to the account."""
    base: dict[str, object] = {"id": record.id, "activity_type": record.kind, "qty": plain(record.qty)}
    if record.symbol:
        base["symbol"] = record.symbol
    if record.kind != "FILL":
        midnight = datetime.combine(new_york_date(record.at), time(0))
        return base | {
            "date": f"{midnight:%Y-%m-%dT%H:%M:%SZ}",
            "net_amount": plain(record.amount),
            "per_share_amount": plain(record.price),
            "status": "executed",
        }
    return base | {
        "type": "partial_fill" if record.leaves_qty else "fill",
        "transaction_time": stamp(record.at, record.seq),
        "price": plain(record.price),
        "side": record.side,
        "order_id": record.order_id,
        "cum_qty": plain(record.cum_qty),
        "leaves_qty": plain(record.leaves_qty),
        "order_status": record.order_status,
    }


def calendar_day(world: World, day: date) -> dict[str, str]:
    """Render a session of the calendar."""
    early = half_day(day)
    return {
        "date": day.isoformat(),
        "open": "09:30",
        "close": "13:00" if early else "16:00",
        "session_open": "0400",
        "session_close": "1700" if early else "2000",
        "settlement_date": world.prices.calendar.after(day).isoformat(),
    }
