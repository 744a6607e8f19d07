"""The broker's own Python clients against the sandbox, unchanged, over loopback."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from exchange_kit import SPLIT_DAY, make_exchange
from trimtab.adapters.sandbox import Sandbox, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "websockets.legacy is deprecated", DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.data.enums import Adjustment
    from alpaca.data.historical import StockHistoricalDataClient
    from alpaca.data.historical.corporate_actions import CorporateActionsClient
    from alpaca.data.requests import (
        CorporateActionsRequest,
        StockBarsRequest,
        StockLatestQuoteRequest,
        StockLatestTradeRequest,
        StockSnapshotRequest,
    )
    from alpaca.data.timeframe import TimeFrame
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import AccountStatus, AssetStatus, OrderSide, QueryOrderStatus, TimeInForce
    from alpaca.trading.requests import (
        GetAssetsRequest,
        GetCalendarRequest,
        GetOrdersRequest,
        LimitOrderRequest,
        MarketOrderRequest,
    )

BUY = {"side": OrderSide.BUY, "time_in_force": TimeInForce.DAY}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with a frozen clock, some sessions after the split."""
    with serve(make_exchange(date(2020, 3, 16)), speed=0.0) as running:
        yield running


@pytest.fixture
def clients(sandbox: Sandbox) -> SimpleNamespace:
    """The typed clients for trading, prices and corporate actions."""
    arguments: dict[str, Any] = {"api_key": "key", "secret_key": "secret", "url_override": sandbox.url}
    return SimpleNamespace(
        trading=TradingClient(**arguments, paper=True),
        data=StockHistoricalDataClient(**arguments),
        actions=CorporateActionsClient(**arguments),
    )


def test_account_clock_calendar_assets(clients: SimpleNamespace) -> None:
    """The models take every field."""
    account = clients.trading.get_account()
    assert (account.status, account.cash, account.currency) == (AccountStatus.ACTIVE, "100000", "USD")
    assert clients.trading.get_clock().is_open
    days = clients.trading.get_calendar(GetCalendarRequest(start=date(2020, 11, 25), end=date(2020, 11, 27)))
    assert [day.close.hour for day in days] == [16, 13]
    assets = clients.trading.get_all_assets(GetAssetsRequest(status=AssetStatus.ACTIVE))
    assert {asset.symbol for asset in assets} == {"AAA", "BBB", "CCC", "DDD"}
    assert clients.trading.get_asset("AAA").fractionable


def test_orders_and_positions(sandbox: Sandbox, clients: SimpleNamespace) -> None:
    """Place, list, look up by either id, cancel; the position shows the fill."""
    market = MarketOrderRequest(symbol="AAA", qty=1.5, client_order_id="market", **BUY)
    clients.trading.submit_order(market)
    limit = LimitOrderRequest(symbol="CCC", qty=3, limit_price=9.5, client_order_id="limit", **BUY)
    resting = clients.trading.submit_order(limit)
    sandbox.exchange.advance(1)
    filled = clients.trading.get_order_by_client_id("market")
    assert (filled.status.value, filled.filled_qty, filled.filled_avg_price) == ("filled", "1.5", "115")
    assert clients.trading.get_order_by_id(filled.id) == filled
    assert [o.client_order_id for o in clients.trading.get_orders()] == ["limit"]
    everything = clients.trading.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL, limit=500))
    assert {o.client_order_id for o in everything} == {"market", "limit"}
    clients.trading.cancel_order_by_id(resting.id)
    sandbox.exchange.advance(1)
    assert clients.trading.get_order_by_id(resting.id).status.value == "canceled"
    (position,) = clients.trading.get_all_positions()
    assert (position.symbol, position.qty, position.qty_available) == ("AAA", "1.5", "1.5")
    assert clients.trading.get_open_position("AAA") == position
    assert clients.trading.get("/account/activities", {"activity_types": "FILL"})[0]["qty"] == "1.5"


def test_cancel_all(clients: SimpleNamespace) -> None:
    """Every open order is asked to end."""
    for name in ("a", "b"):
        clients.trading.submit_order(
            LimitOrderRequest(symbol="CCC", qty=3, limit_price=9.5, client_order_id=name, **BUY)
        )
    assert {found.status for found in clients.trading.cancel_orders()} == {200}
    assert {o.status.value for o in clients.trading.get_orders()} <= {"pending_cancel", "canceled"}


def test_a_duplicate_is_an_api_error(clients: SimpleNamespace) -> None:
    """The client reads status, code and message of a refusal."""
    order = MarketOrderRequest(symbol="AAA", qty=1, client_order_id="same", **BUY)
    clients.trading.submit_order(order)
    with pytest.raises(APIError) as refused:
        clients.trading.submit_order(order)
    assert (refused.value.status_code, refused.value.code) == (422, 40010001)


@pytest.mark.parametrize("adjustment", list(Adjustment))
def test_bars_in_all_adjustments(clients: SimpleNamespace, adjustment: Adjustment) -> None:
    """All pages of all symbols, adjusted as asked."""
    request = StockBarsRequest(
        symbol_or_symbols=["AAA", "BBB", "CCC"],
        timeframe=TimeFrame.Day,
        start=datetime(2020, 2, 24, tzinfo=UTC),
        end=datetime(2020, 3, 16, 13, 44, tzinfo=UTC),
        adjustment=adjustment,
    )
    found = clients.data.get_stock_bars(request).data
    split = adjustment in {Adjustment.SPLIT, Adjustment.ALL}
    dividend = adjustment in {Adjustment.DIVIDEND, Adjustment.ALL}
    assert [len(found[symbol]) for symbol in ("AAA", "BBB", "CCC")] == [16, 16, 16]
    assert found["BBB"][0].close == (25 if split else 50)
    assert found["CCC"][0].close == (9.75 if dividend else 10)


def test_latest_prices_and_actions(clients: SimpleNamespace) -> None:
    """Quotes, trades, snapshots and splits parse."""
    quote = clients.data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="AAA"))["AAA"]
    trade = clients.data.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="AAA"))["AAA"]
    shot = clients.data.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols="AAA"))["AAA"]
    assert quote.ask_price == trade.price == shot.latest_trade.price == shot.daily_bar.open == 115
    request = CorporateActionsRequest(start=date(2020, 3, 1), end=date(2020, 3, 16))
    actions = clients.actions.get_corporate_actions(request).data
    assert actions["forward_splits"][0].ex_date == SPLIT_DAY
    assert actions["cash_dividends"][0].rate == 0.25
