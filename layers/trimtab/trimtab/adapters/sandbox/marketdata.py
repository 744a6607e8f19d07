"""Market data: Alpaca's stock and corporate-action endpoints over the exchange's tape.

`iex` shows the same prices as `sip` here. Corporate actions are told up to today; their process date is
their ex-date, and their CUSIPs are made up.
"""

from __future__ import annotations

import re
import uuid
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from trimtab.adapters.exchange.book import NAMESPACE
from trimtab.adapters.exchange.hours import DAY, NEW_YORK, new_york_date
from trimtab.adapters.exchange.prices import Bar
from trimtab.adapters.exchange.records import Refusal
from trimtab.adapters.sandbox import bars
from trimtab.adapters.sandbox.render import stamp
from trimtab.adapters.sandbox.wire import Request, Response, answer, read_date, read_instant, read_list

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from fractions import Fraction

    from trimtab.adapters.exchange.engine import World

    Handler = Callable[["MarketData", World, Request, str], Response]

__all__ = ["ROUTES", "MarketData"]

FEEDS = ("sip", "iex", "delayed_sip")
DELAY = timedelta(minutes=15)
PAGE = 10_000
TAPE, VENUE = "B", "P"


class MarketData:
    """The data host's memory: the layouts of the queries being paged through."""

    def __init__(self) -> None:
        self.shelf = bars.Shelf({})


def _limit(request: Request, default: int, most: int) -> int:
    text = request.query.get("limit") or str(default)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise Refusal(400, None, f"invalid limit {text!r}: must be between 1 and {most}")
    return int(text)


def _symbols(request: Request, name: str) -> tuple[str, ...]:
    """Give the symbols asked for, sorted."""
    symbols = (name,) if name else tuple(sorted(set(read_list(request, "symbols"))))
    if not symbols:
        raise Refusal(400, None, "symbols is required")
    return symbols


def _feed(request: Request, default: str) -> str:
    feed = request.query.get("feed") or default
    if feed not in FEEDS:
        raise Refusal(400, None, f"invalid feed {feed!r}: the sandbox serves {', '.join(FEEDS)}")
    return feed


def _too_recent() -> Refusal:
    return Refusal(403, 42210000, "subscription does not permit querying recent SIP data")


def _query(world: World, request: Request, symbols: tuple[str, ...]) -> tuple[bars.Query, int]:
    """Read a query for bars, and the row at which its page starts.

    Raises:
        Refusal: a parameter is not served, or the data is too recent for the plan.
    """
    if request.query.get("timeframe") not in {"1Day", "1D"}:
        raise Refusal(
            400, None, f"invalid timeframe {request.query.get('timeframe')!r}: the sandbox serves 1Day"
        )
    feed, now = _feed(request, "sip"), world.book.time
    delayed = feed != "iex" and not world.behaviour.entitled
    newest = now - DELAY if delayed else now
    start, as_of = 0, newest
    if request.query.get("page_token"):
        start, as_of = bars.read_token(request.query["page_token"])
    end = read_instant(request.query["end"]) if request.query.get("end") else as_of
    if delayed and feed == "sip" and end > max(newest, as_of):
        raise _too_recent()
    first = (
        _date_from(read_instant(request.query["start"])) if request.query.get("start") else new_york_date(now)
    )
    adjustment = request.query.get("adjustment") or "raw"
    newest_first = request.query.get("sort") == "desc"
    return bars.Query(symbols, first, new_york_date(end), adjustment, as_of, newest_first), start


def _date_from(instant: datetime) -> date:
    """Give the first New York date whose midnight is not before an instant."""
    local = instant.astimezone(NEW_YORK)
    return local.date() if local.time() == time(0) else local.date() + DAY


def get_bars(data: MarketData, world: World, request: Request, name: str) -> Response:
    """GET /v2/stocks/bars and /v2/stocks/{symbol}/bars: daily, `limit` in all."""
    limit = min(_limit(request, 1000, PAGE), world.behaviour.page_rows)
    query, start = _query(world, request, _symbols(request, name))
    layout = data.shelf.get(world.prices, query)
    arrays = bars.page(layout, start, limit)
    more = start + limit < len(layout.symbol)
    token = f'"{bars.write_token(start + limit, query.as_of)}"' if more else "null"
    if name:
        body = f'{{"bars":{arrays.get(name, "[]")},"symbol":"{name}","next_page_token":{token}}}'
    else:
        inner = ",".join(f'"{symbol}":{text}' for symbol, text in arrays.items())
        body = f'{{"bars":{{{inner}}},"next_page_token":{token}}}'
    return Response(200, body.encode())


def _serve_latest(
    world: World,
    request: Request,
    name: str,
    words: tuple[str, str],
    show: Callable[[World, str], dict[str, object] | None],
) -> Response:
    """Answer with one thing a symbol: `words` are its singular and plural."""
    feed = _feed(request, "sip" if world.behaviour.entitled else "iex")
    if feed == "sip" and not world.behaviour.entitled:
        raise _too_recent()
    symbols = [s for s in _symbols(request, name) if s in world.prices.column]
    shown = {s: found for s in symbols if (found := show(world, s)) is not None}
    if not name:
        return answer({words[1]: shown})
    if name not in shown:
        raise Refusal(404, None, f"no {words[0]} found for {name}")
    return answer({"symbol": name, words[0]: shown[name]})


def quote(world: World, symbol: str) -> dict[str, object] | None:
    """Render the latest quote."""
    found = world.prices.quote(symbol, world.book.time, world.behaviour.spread_bps)
    if found is None:
        return None
    quoted = symbol not in world.behaviour.unquoted
    return {
        "t": stamp(found.at),
        "ap": float(found.ask) if quoted else 0,
        "as": 100 if quoted else 0,
        "ax": VENUE,
        "bp": float(found.bid) if quoted else 0,
        "bs": 100 if quoted else 0,
        "bx": VENUE,
        "c": ["R"],
        "z": TAPE,
    }


def trade(world: World, symbol: str) -> dict[str, object] | None:
    """Render the latest trade."""
    found = world.prices.last_trade(symbol, world.book.time)
    if found is None:
        return None
    return {
        "t": stamp(found.at),
        "p": float(found.price),
        "s": 100,
        "x": VENUE,
        "i": 1,
        "c": ["@"],
        "z": TAPE,
    }


def _bar(opened: str, found: Bar) -> dict[str, object]:
    prices = {"o": found.open, "h": found.high, "l": found.low, "c": found.close}
    rounded = {name: round(price, 4) for name, price in prices.items()}
    volume = round(found.volume)
    average = round(sum(rounded.values()) / 4, 4)
    return {"t": opened, **rounded, "v": volume, "n": volume // 100 + 1, "vw": average}


def _daily(world: World, symbol: str, row: int) -> dict[str, object] | None:
    """Render the bar of the last session up to `row` that has one, raw."""
    row = world.prices.last_bar(symbol, row)
    if row < 0:
        return None
    return _bar(bars.midnight(world.prices.dates[row]), world.prices.bar(symbol, row, world.book.time))


def minute_bar(world: World, symbol: str) -> dict[str, object] | None:
    """Render the latest minute bar: flat at the last trade."""
    found = world.prices.last_trade(symbol, world.book.time)
    if found is None:
        return None
    price = float(found.price)
    return _bar(f"{found.at:%Y-%m-%dT%H:%M:00Z}", Bar(price, price, price, price, 100.0))


def snapshot(world: World, symbol: str) -> dict[str, object] | None:
    """Render a snapshot; before the open its daily bar is the previous session's."""
    row = world.prices.last_bar(symbol, world.prices.opened(world.book.time))
    if row < 0:
        return None
    return {
        "latestTrade": trade(world, symbol),
        "latestQuote": quote(world, symbol),
        "minuteBar": minute_bar(world, symbol),
        "dailyBar": _daily(world, symbol, row),
        "prevDailyBar": _daily(world, symbol, row - 1),
    }


def get_quotes(_data: MarketData, world: World, request: Request, name: str) -> Response:
    """GET /v2/stocks/quotes/latest and /v2/stocks/{symbol}/quotes/latest."""
    return _serve_latest(world, request, name, ("quote", "quotes"), quote)


def get_trades(_data: MarketData, world: World, request: Request, name: str) -> Response:
    """GET /v2/stocks/trades/latest and /v2/stocks/{symbol}/trades/latest."""
    return _serve_latest(world, request, name, ("trade", "trades"), trade)


def get_latest_bars(_data: MarketData, world: World, request: Request, name: str) -> Response:
    """GET /v2/stocks/bars/latest and /v2/stocks/{symbol}/bars/latest: minute bars."""
    return _serve_latest(world, request, name, ("bar", "bars"), minute_bar)


def get_snapshots(_data: MarketData, world: World, request: Request, name: str) -> Response:
    """GET /v2/stocks/snapshots and /v2/stocks/{symbol}/snapshot."""
    symbols = [s for s in _symbols(request, name) if s in world.prices.column]
    shown = {s: found for s in symbols if (found := snapshot(world, s)) is not None}
    if not name:
        return answer(shown)
    if name not in shown:
        raise Refusal(404, None, f"no snapshot found for {name}")
    return answer({"symbol": name, **shown[name]})


def get_actions(_data: MarketData, world: World, request: Request, _name: str) -> Response:
    """GET /v1/corporate-actions: splits and cash dividends, by process date, `limit` in all."""
    today = new_york_date(world.book.time)
    start = read_date(request.query.get("start") or today.isoformat())
    end = min(read_date(request.query.get("end") or today.isoformat()), today)
    limit, kinds = _limit(request, 100, 1000), set(read_list(request, "types"))
    symbols = set(read_list(request, "symbols"))
    found = [
        (kind, document)
        for day in world.prices.dates
        if start <= day <= end
        for kind, document in _actions_of(world, day)
        if (not kinds or kind in kinds) and (not symbols or document["symbol"] in symbols)
    ]
    if request.query.get("sort") == "desc":
        found.reverse()
    token = request.query.get("page_token")
    first = bars.read_token(token)[0] if token else 0
    groups: dict[str, list[dict[str, object]]] = {}
    for kind, document in found[first : first + limit]:
        groups.setdefault(f"{kind}s", []).append(document)
    more = first + limit < len(found)
    following = bars.write_token(first + limit, world.book.time) if more else None
    return answer({"corporate_actions": groups, "next_page_token": following})


def _actions_of(world: World, day: date) -> list[tuple[str, dict[str, object]]]:
    """Give the actions of a session: their type, and what is told of them."""
    found = []
    for symbol, (ratio, dividend) in world.prices.actions(day).items():
        if ratio != 1:
            found.append(_split(symbol, day, ratio))
        if dividend:
            details = {
                "cusip": symbol,
                "rate": dividend,
                "special": False,
                "foreign": False,
                "currency": "USD",
            }
            found.append(("cash_dividend", _action("cash_dividend", symbol, day) | details))
    return found


def _split(symbol: str, day: date, ratio: Fraction) -> tuple[str, dict[str, object]]:
    kind = "forward_split" if ratio > 1 else "reverse_split"
    cusip = {"cusip": symbol} if ratio > 1 else {"old_cusip": symbol, "new_cusip": symbol}
    rates = {"new_rate": ratio.numerator, "old_rate": ratio.denominator}
    return kind, _action(kind, symbol, day) | cusip | rates


def _action(kind: str, symbol: str, day: date) -> dict[str, object]:
    identity = str(uuid.uuid5(NAMESPACE, f"{kind}/{symbol}/{day}"))
    return {"id": identity, "symbol": symbol, "ex_date": day.isoformat(), "process_date": day.isoformat()}


ROUTES: tuple[tuple[str, re.Pattern[str], Handler], ...] = tuple(
    ("GET", re.compile(pattern), handler)
    for pattern, handler in (
        (r"/v2/stocks/bars", get_bars),
        (r"/v2/stocks/bars/latest", get_latest_bars),
        (r"/v2/stocks/quotes/latest", get_quotes),
        (r"/v2/stocks/trades/latest", get_trades),
        (r"/v2/stocks/snapshots", get_snapshots),
        (r"/v2/stocks/(?P<name>[^/]+)/bars", get_bars),
        (r"/v2/stocks/(?P<name>[^/]+)/bars/latest", get_latest_bars),
        (r"/v2/stocks/(?P<name>[^/]+)/quotes/latest", get_quotes),
        (r"/v2/stocks/(?P<name>[^/]+)/trades/latest", get_trades),
        (r"/v2/stocks/(?P<name>[^/]+)/snapshot", get_snapshots),
        (r"/v1/corporate-actions", get_actions),
    )
)
"""Method, path and handler of each endpoint; the path's group `name` is handed on."""
