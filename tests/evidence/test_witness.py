from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trimtab.core.bars import Bars
from trimtab.errors import Misconfigured
from trimtab.evidence.witness import Day, chained, days_of, row_seen, scaled, stretch, unbroken


def bars(first: str, closes: list[float], symbol: str = "AAA") -> Bars:
    """Give one symbol's bars of consecutive days; each opens at its close."""
    sessions = np.datetime64(first, "D") + np.arange(len(closes)).astype("timedelta64[D]")
    price = np.array(closes)[:, None]
    return Bars(sessions, (symbol,), price, price, price, price, np.full_like(price, 100.0), price)


def record(session: str | None = "2024-01-03", **changes: object) -> dict[str, Any]:
    """Give what a comparison reads of a record: a run that read the account, and traded nothing."""
    return {
        "session": session,
        "dry_run": False,
        "outcome": "in_band",
        "account": {"cash": "1"},
        "cash": "1000.5",
        "closes": {"AAA": "10.0"},
        "positions_before": [{"symbol": "AAA", "qty": "2.5"}],
        "decision": {"session": session, "weights": {}, "pending": []},
        "orders": [],
        "fills": [],
        "flows": [],
    } | changes


def order(
    slot: int, filled: str, *, side: str = "buy", price: str = "10", **changes: object
) -> dict[str, Any]:
    """Give an order of AAA as a record keeps it."""
    return {
        "client_order_id": f"tt1-0-20240103-AAA-{slot}",
        "symbol": "AAA",
        "side": side,
        "filled_qty": filled,
        "filled_avg_price": price,
    } | changes


def plan(**changes: object) -> dict[str, Any]:
    """Give a stored plan: it found 900 USD and a share of AAA at 9, and buys 3."""
    return {
        "cash": "900",
        "base": {"AAA": "1"},
        "prices": {"AAA": "9.0"},
        "orders": [{"symbol": "AAA", "side": "buy", "qty": "3"}],
        "decision": {"session": "2024-01-03", "weights": {}, "pending": []},
    } | changes


def test_a_run_without_a_plan_shows_the_account() -> None:
    """Cash, shares and closes of the record, the session that it saw, and that it decided."""
    seen = bars("2024-01-01", [9.0, 10.0])
    (day,) = days_of([(record(), seen)], {})
    assert (day.cash, day.held, day.closes) == (1000.5, {"AAA": 2.5}, {"AAA": 10.0})
    assert (day.planned, day.decided, day.outcome) == (None, True, "in_band")
    assert day.seen_on == np.datetime64("2024-01-02")
    assert day.observed


def test_the_stored_plan_beats_what_a_later_run_saw() -> None:
    """A run may have died after its orders: the plan holds what was there before them."""
    (day,) = days_of([(record(), None)], {"2024-01-03": plan()})
    assert (day.cash, day.held, day.closes) == (900.0, {"AAA": 1.0}, {"AAA": 9.0})
    assert day.planned == {"AAA": 3.0}
    (alone,) = days_of([], {"2024-01-03": plan()})
    assert (alone.cash, alone.planned, alone.outcome) == (900.0, {"AAA": 3.0}, "")


def test_a_sale_is_negative_and_slots_add_up() -> None:
    """Two slots of one order are one quantity, and what they paid is one sum of money."""
    orders = [order(0, "2", side="sell", price="10"), order(1, "1", side="sell", price="11")]
    selling = plan(orders=[{"symbol": "AAA", "side": "sell", "qty": "3"}])
    (day,) = days_of([(record(orders=orders), None)], {"2024-01-03": selling})
    assert day.planned == {"AAA": -3.0}
    assert day.filled == {"AAA": (-3.0, -31.0)}


def test_executions_are_more_exact_than_their_average() -> None:
    """Where they are complete, they are the money; else the rounded average is."""
    orders = [order(0, "3", price="10.33")]
    name = orders[0]["client_order_id"]
    fills = [
        {"fill_id": "a", "client_order_id": name, "qty": "1", "price": "10"},
        {"fill_id": "b", "client_order_id": name, "qty": "2", "price": "10.5"},
    ]
    (day,) = days_of([(record(orders=orders, fills=fills), None)], {})
    assert day.filled == {"AAA": (3.0, 31.0)}
    (day,) = days_of([(record(orders=orders, fills=fills[:1]), None)], {})
    assert day.filled == {"AAA": (3.0, 3 * 10.33)}


def test_what_a_later_run_found_belongs_to_its_session() -> None:
    """A fill that came late is told by the next session's record, with the order's own session."""
    first = record(orders=[order(0, "1")])
    later = record("2024-01-04", orders=[order(0, "4", session="2024-01-03")])
    days = days_of([(first, None), (later, None)], {})
    assert [day.filled for day in days] == [{"AAA": (4.0, 40.0)}, {}]


def test_a_dry_run_and_a_run_without_a_session_leave_no_day() -> None:
    """They did nothing, or nobody knows when."""
    assert days_of([(record(dry_run=True), None), (record(None), None)], {}) == []


def test_a_run_that_did_not_look_is_no_observation() -> None:
    """A closed market, or a period that is decided, shows no account."""
    closed = record(account=None, closes={}, positions_before=[], decision=None, outcome="closed")
    (day,) = days_of([(closed, None)], {})
    assert (day.observed, day.decided, day.outcome) == (False, False, "closed")


def test_deposits_of_money_and_of_shares_are_told_apart() -> None:
    """Each counts in USD, in the session whose run saw it first."""
    flows = [{"symbol": "", "amount": "500.00"}, {"symbol": "AAA", "amount": "-20.00"}]
    (day,) = days_of([(record(flows=flows), None)], {})
    assert (day.flow, day.flow_in_kind) == (500.0, -20.0)


def test_a_stretch_begins_with_a_decision_and_ends_with_a_look() -> None:
    """What was decided before the range has no beginning in it; what was not looked at has no end."""
    seen = bars("2024-01-01", [9.0, 10.0])
    carried = record("2024-01-02", decision={"session": "2024-01-01"})
    runs = [(carried, seen), (record("2024-01-03"), seen), (record("2024-01-04"), seen)]
    closed = record("2024-01-05", account=None, closes={}, outcome="closed")
    found = stretch(days_of([*runs, (closed, None)], {}))
    assert [str(day.session) for day in found] == ["2024-01-03", "2024-01-04"]


@pytest.mark.parametrize("count", [0, 1])
def test_too_little_is_refused(count: int) -> None:
    """One look at the account has nothing to be compared with."""
    runs = [(record(), bars("2024-01-01", [9.0, 10.0]))] * count
    with pytest.raises(Misconfigured) as refused:
        stretch(days_of(runs, {}))
    assert refused.value.code == "nothing_to_compare"
    assert str(refused.value.seen).startswith(f"{count} sessions")


def test_prices_are_chained_to_the_first_ones() -> None:
    """A later run saw the past at half the price: what is new counts twice, in half as many shares."""
    before, after = bars("2024-01-01", [8.0, 10.0]), bars("2024-01-01", [4.0, 5.0, 6.0])
    days = [Day(np.datetime64("2024-01-03"), bars=before), Day(np.datetime64("2024-01-04"), bars=after)]
    whole = chained(days, ("AAA",))
    assert whole.close[:, 0].tolist() == [8.0, 10.0, 12.0]
    assert whole.volume[:, 0].tolist() == [100.0, 100.0, 50.0]
    assert unbroken(days)


def test_a_symbol_that_comes_or_goes_keeps_its_own_prices() -> None:
    """Where two runs share no price of it, it is taken as it is."""
    first, second = bars("2024-01-01", [8.0, 10.0]), bars("2024-01-01", [1.0, 2.0, 3.0], "BBB")
    days = [Day(np.datetime64("2024-01-03"), bars=first), Day(np.datetime64("2024-01-04"), bars=second)]
    whole = chained(days, ("AAA", "BBB"))
    assert whole.close[-1].tolist()[1] == 3.0
    assert np.isnan(whole.close[-1, 0])


def test_runs_that_looked_back_too_little_are_known() -> None:
    """Between them lie sessions that none of them saw."""
    days = [
        Day(np.datetime64("2024-01-03"), bars=bars("2024-01-01", [8.0, 10.0])),
        Day(np.datetime64("2024-01-09"), bars=bars("2024-01-05", [8.0, 10.0])),
    ]
    assert not unbroken(days)


def test_other_prices_are_scaled_to_what_the_first_run_saw() -> None:
    """A file that was adjusted later gives the same returns in the first run's shares."""
    first = Day(np.datetime64("2024-01-03"), closes={"AAA": 10.0}, seen_on=np.datetime64("2024-01-02"))
    assert scaled(bars("2024-01-01", [4.0, 5.0, 6.0]), first, ("AAA",)).close[:, 0].tolist() == [
        8.0,
        10.0,
        12.0,
    ]


def test_a_file_must_hold_the_symbols_and_the_first_session() -> None:
    """Else it is refused, with what it lacks."""
    first = Day(np.datetime64("2024-01-03"), closes={"AAA": 10.0}, seen_on=np.datetime64("2024-01-02"))
    with pytest.raises(Misconfigured, match="missing_symbol") as refused:
        scaled(bars("2024-01-01", [4.0, 5.0]), first, ("AAA", "BBB"))
    assert refused.value.seen == "BBB"
    with pytest.raises(Misconfigured, match="prices_gap"):
        scaled(bars("2024-01-03", [4.0, 5.0]), first, ("AAA",))


def test_a_day_without_prices_of_its_own_saw_the_session_before() -> None:
    """A plan whose run died tells no session: it was sized by the closes before it."""
    assert row_seen(bars("2024-01-01", [4.0, 5.0, 6.0]), Day(np.datetime64("2024-01-03"))) == 1
