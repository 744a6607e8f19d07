"""Corporate actions: each once, by ex-date, whatever page, chunk or type told it; none made up."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange_kit import DIVIDEND_DAY, SPLIT_DAY, make_exchange
from scripted_http import Asked, Reply, ScriptedServer
from trimtab.adapters.alpaca import AlpacaMarket
from trimtab.adapters.sandbox import serve
from trimtab.core.actions import Action
from trimtab.ports import Unauthorized, Unreachable

if TYPE_CHECKING:
    from alpaca_kit import Connect

PATH = "/v1/corporate-actions"
START, END = date(2026, 3, 2), date(2026, 3, 6)
DAY = date(2026, 3, 4)
Entry = dict[str, object]


def page(groups: object, token: object = None) -> dict[str, object]:
    """Give a page of corporate actions."""
    return {"corporate_actions": groups, "next_page_token": token}


def entry(number: int = 1, **fields: object) -> Entry:
    """Give an action's fields: symbol and dates, unless told otherwise."""
    whole = {"id": f"id-{number}", "symbol": "SPY", "ex_date": str(DAY), "process_date": "2026-04-20"}
    return {key: value for key, value in (whole | fields).items() if value is not None}


def found(server: ScriptedServer, market: AlpacaMarket, groups: object, *symbols: str) -> tuple[Action, ...]:
    """Give what the market says where the host says this."""
    server.on("GET", PATH, Reply(body=page(groups)))
    return market.actions(symbols or ("SPY", "TLT"), START, END)


def merger(**fields: object) -> Entry:
    """Give a merger, in which another company takes SPY over."""
    parts = {"symbol": None, "acquiree_symbol": "SPY", "acquirer_symbol": "BIG", "ex_date": None}
    return entry(**(parts | {"effective_date": str(DAY)} | fields))


UNIT: Entry = {"symbol": None, "old_symbol": "SPY", "new_symbol": "X", "alternate_symbol": "Y"}
UNIT |= {"ex_date": None, "effective_date": str(DAY)}
SPUN = {"symbol": None, "source_symbol": "SPY", "new_symbol": "NEW", "source_rate": 1, "new_rate": 0.25}
RENAMED = {"symbol": None, "old_symbol": "OLD", "new_symbol": "SPY", "ex_date": None}
TYPES = {
    "forward": ("forward_splits", entry(new_rate=3, old_rate=2), ("split", 1.5, 0.0)),
    "reverse": ("reverse_splits", entry(new_rate=1, old_rate=50), ("split", 0.02, 0.0)),
    "unit": ("unit_splits", entry(**UNIT, new_rate=1, old_rate=4), ("split", 0.25, 0.0)),
    "stock dividend": ("stock_dividends", entry(rate=0.05), ("split", 1.05, 0.0)),
    "cash dividend": ("cash_dividends", entry(rate=0.125, special=False), ("dividend", 1.0, 0.125)),
    "in dollars": ("cash_dividends", entry(rate=1, currency="USD"), ("dividend", 1.0, 1.0)),
    "in euros": ("cash_dividends", entry(rate=1, currency="EUR"), ("other", 1.0, 0.0)),
    "spin-off": ("spin_offs", entry(**SPUN), ("other", 1.0, 0.0)),
    "cash merger": ("cash_mergers", merger(rate=5.37), ("other", 1.0, 0.0)),
    "stock merger": ("stock_mergers", merger(acquirer_rate=0.8, acquiree_rate=1), ("other", 1.0, 0.0)),
    "both": ("stock_and_cash_mergers", merger(cash_rate=7.8), ("other", 1.0, 0.0)),
    "rights": ("rights_distributions", entry(**(SPUN | {"new_symbol": "SPY.RT"})), ("other", 1.0, 0.0)),
    "renamed": ("name_changes", entry(**RENAMED, process_date=str(DAY)), ("other", 1.0, 0.0)),
    "redeemed": ("redemptions", entry(ex_date=None, process_date=str(DAY), rate=1), ("other", 1.0, 0.0)),
    "worthless": ("worthless_removals", entry(ex_date=None, process_date=str(DAY)), ("other", 1.0, 0.0)),
    "unknown": ("tender_offers", entry(symbol=None, target_symbol="SPY"), ("other", 1.0, 0.0)),
    "no rate": ("cash_dividends", entry(), ("other", 1.0, 0.0)),
    "rate in words": ("cash_dividends", entry(rate="some"), ("other", 1.0, 0.0)),
    "true": ("forward_splits", entry(new_rate=True, old_rate=1), ("other", 1.0, 0.0)),
    "split to nothing": ("forward_splits", entry(new_rate=0, old_rate=1), ("other", 1.0, 0.0)),
    "split of nothing": ("forward_splits", entry(new_rate=1, old_rate=0), ("other", 1.0, 0.0)),
    "paid back": ("cash_dividends", entry(rate=-0.5), ("other", 1.0, 0.0)),
    "far too much": ("cash_dividends", entry(rate=10**30), ("other", 1.0, 0.0)),
}


@pytest.mark.parametrize(("group", "told", "expected"), TYPES.values(), ids=TYPES.keys())
def test_every_type_is_one_of_three_kinds(
    group: str, told: Entry, expected: tuple[str, float, float], server: ScriptedServer, market: AlpacaMarket
) -> None:
    """On its ex-date, else its effective date, else when it is processed; under the broker's own name."""
    [action] = found(server, market, {group: [told]})
    kind, ratio, amount = expected
    assert action == Action("SPY", DAY, kind, group[:-1], ratio, amount)  # type: ignore[arg-type]  # a kind


def test_the_question_is_wider_than_the_answer(server: ScriptedServer, market: AlpacaMarket) -> None:
    """The host selects by the date of processing; what acts outside of the range is left out."""
    days = ["2026-03-01", "2026-03-02", "2026-03-06", "2026-03-07"]
    told = [entry(i, ex_date=day, rate=0.5) for i, day in enumerate(days)]
    actions = found(server, market, {"cash_dividends": told, "spin_offs": None})
    assert [str(action.session) for action in actions] == days[1:3]
    assert server.asked[0].query == {
        "symbols": "SPY,TLT",
        "start": "2026-01-01",
        "end": "2026-09-22",
        "limit": "1000",
        "sort": "asc",
    }


def test_pages_and_chunks_are_one_sorted_answer(server: ScriptedServer, market: AlpacaMarket) -> None:
    """What two chunks are told, or two pages, counts once; a change of name is of both symbols."""
    parts = {"symbol": None, "old_symbol": "S0000", "new_symbol": "S0999", "ex_date": None}
    renamed = entry(1000, **parts, process_date=str(DAY))

    def script(asked: Asked) -> Reply:
        symbols = asked.query["symbols"].split(",")
        ends = [symbols[0], symbols[1], symbols[-1]]
        dividends = [entry(int(symbol[1:]), symbol=symbol, rate=0.1) for symbol in ends]
        if asked.query.get("page_token") is None:
            return Reply(body=page({"cash_dividends": dividends[:2], "name_changes": [renamed]}, "more"))
        return Reply(body=page({"cash_dividends": dividends[1:]}))

    server.on("GET", PATH, script)
    actions = market.actions([f"S{i:04d}" for i in range(1000)], START, END)
    dividends = [action.symbol for action in actions if action.kind == "dividend"]
    assert dividends == ["S0000", "S0001", "S0499", "S0500", "S0501", "S0999"]
    assert [action.symbol for action in actions if action.kind == "other"] == ["S0000", "S0999"]
    assert {asked.query.get("page_token") for asked in server.asked} == {None, "more"}


def test_a_buyer_keeps_its_own_shares(server: ScriptedServer, market: AlpacaMarket) -> None:
    """Actions of others are none of ours: who takes over, what is spun off, a symbol not asked for."""
    dividends = [entry(3, rate=1)]
    groups = {"stock_mergers": [merger()], "spin_offs": [entry(2, **SPUN)], "cash_dividends": dividends}
    assert found(server, market, groups, "BIG", "NEW") == ()
    assert market.actions([], START, END) == ()


BROKEN = {
    "array": ([], "object was due"),
    "no actions": ({"next_page_token": None}, "without corporate_actions"),
    "no token": ({"corporate_actions": {}}, "next_page_token"),
    "empty token": (page({}, ""), "neither a token nor null"),
    "token again": (page({}, "a"), "came twice"),
    "group of text": (page({"spin_offs": "none"}), "array was due"),
    "entry of text": (page({"spin_offs": ["none"]}), "object was due"),
    "no symbol": (page({"cash_dividends": [entry(symbol=None, rate=1)]}), "without symbol"),
    "no date": (page({"cash_dividends": [entry(ex_date=None, process_date=None)]}), "the date 'None'"),
    "no such date": (page({"cash_dividends": [entry(ex_date="2026-02-30")]}), "2026-02-30"),
    "a time for a date": (page({"cash_dividends": [entry(ex_date=1772427600)]}), "1772427600"),
    "one id twice": (page({"cash_dividends": [entry(rate=1), entry(rate=2)]}), "differently"),
}


@pytest.mark.parametrize(("body", "why"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_page_of_actions_is_unreachable(
    body: object, why: str, server: ScriptedServer, market: AlpacaMarket
) -> None:
    server.on("GET", PATH, Reply(body=body))
    with pytest.raises(Unreachable, match=why):
        market.actions(["SPY"], START, END)


def test_keys_are_refused_and_garbage_is_asked_for_again(
    server: ScriptedServer, market: AlpacaMarket
) -> None:
    server.on("GET", PATH, [Reply(body=b'{"corporate'), Reply(500), Reply(body=page({}))])
    assert market.actions(["SPY"], START, END) == ()
    server.on("GET", PATH, Reply(401, {"message": "unauthorized."}))
    with pytest.raises(Unauthorized):
        market.actions(["SPY"], START, END)


def test_the_tape_of_the_sandbox_is_told_exactly(connect: Connect) -> None:
    """What the exchange's tape splits and pays is what the market says, up to today and to the last page."""
    exchange = make_exchange(date(2020, 3, 16))
    exchange.go(date(2020, 3, 16), time(10))
    with serve(exchange, speed=0) as sandbox:
        market = AlpacaMarket(connect("data", url=sandbox.url))
        split = Action("BBB", SPLIT_DAY, "split", "forward_split", ratio=2.0)
        dividend = Action("CCC", DIVIDEND_DAY, "dividend", "cash_dividend", amount=0.25)
        symbols = ("DDD", "CCC", "BBB", "AAA", "ZZZ")
        assert market.actions(symbols, date(2020, 2, 24), date(2020, 4, 9)) == (split, dividend)
        assert market.actions(symbols, SPLIT_DAY, SPLIT_DAY) == (split,)
        assert market.actions(("AAA", "CCC"), SPLIT_DAY, DIVIDEND_DAY) == (dividend,)
        assert market.actions(symbols, DIVIDEND_DAY + timedelta(days=1), date(2020, 4, 9)) == ()
    exchange.close()
