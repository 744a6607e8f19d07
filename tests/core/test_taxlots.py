from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.taxlots import Closed, Count, Event, Ledger, Moved, Split, Trade, ledger, term

D = Decimal
DAY = date(2024, 3, 1)


def on(days: int) -> date:
    """Give a day so many after the first."""
    return DAY + timedelta(days=days)


def buy(qty: str, price: str, days: int = 0, fee: str = "0") -> Trade:
    return Trade(f"b{days}", "AAA", "buy", D(qty), D(price), on(days), D(fee))


def sell(qty: str, price: str, days: int = 1, fee: str = "0") -> Trade:
    return Trade(f"s{days}", "AAA", "sell", D(qty), D(price), on(days), D(fee))


def gains(found: Ledger) -> list[Decimal | None]:
    return [one.gain for one in found.closed]


def test_the_oldest_lot_is_sold_first() -> None:
    """Two lots, a sale over one and a half: the first is gone, of the second the half is left at its cost."""
    found = ledger([buy("10", "5"), buy("10", "8", 1), sell("15", "9", 2)])
    assert [(one.qty, one.cost, one.gain) for one in found.closed] == [
        (D(10), D(50), D(40)),
        (D(5), D(40), D(5)),
    ]
    assert [(lot.qty, lot.cost, lot.acquired) for lot in found.held["AAA"]] == [(D(5), D(40), on(1))]


def test_fees_are_part_of_basis_and_proceeds() -> None:
    """What was paid to buy adds to the cost, what was paid to sell takes from the proceeds."""
    found = ledger([buy("10", "5", fee="1"), sell("10", "6", fee="2")])
    assert gains(found) == [D(7)]


@pytest.mark.parametrize(
    ("acquired", "sold", "held"),
    [
        ("2023-02-05", "2024-02-05", "short"),  # the day of the purchase does not count
        ("2023-02-05", "2024-02-06", "long"),
        ("2023-12-31", "2024-12-31", "short"),
        ("2023-12-31", "2025-01-01", "long"),
        ("2024-02-28", "2025-02-28", "short"),  # begins on the 29th, which 2025 lacks
        ("2024-02-28", "2025-03-01", "long"),
        ("2024-02-29", "2025-02-28", "short"),
        ("2024-02-29", "2025-03-01", "long"),
        ("2023-02-28", "2024-02-29", "short"),  # begins on the 1st of March
        ("2023-02-28", "2024-03-01", "long"),
        ("2024-03-01", "2024-03-01", "short"),
    ],
)
def test_more_than_a_year_counts_from_the_day_after(acquired: str, sold: str, held: str) -> None:
    """Publication 550: the day after the purchase begins the year, the day of the sale ends it."""
    assert term(date.fromisoformat(acquired), date.fromisoformat(sold)) == held


def washed(found: Ledger) -> list[tuple[Decimal, Decimal]]:
    return [(one.washed, one.disallowed) for one in found.closed]


@pytest.mark.parametrize(("days", "shares"), [(0, 10), (1, 10), (30, 10), (31, 0)])
def test_a_purchase_after_a_loss_washes_it_for_thirty_days(days: int, shares: int) -> None:
    """Bought again on the day itself, or up to 30 days later, and no longer."""
    found = ledger([buy("10", "9"), sell("10", "5", 100), buy("10", "5", 100 + days)])
    assert washed(found) == [(D(shares), D(4 * shares))]


@pytest.mark.parametrize(("days", "shares"), [(69, 0), (70, 4), (99, 4), (100, 4)])
def test_a_purchase_before_a_loss_washes_it_for_thirty_days(days: int, shares: int) -> None:
    """Bought at most 30 days before, and still held after the sale: as many shares as were bought."""
    found = ledger([buy("10", "9"), buy("4", "9", days), sell("10", "5", 100)])
    assert washed(found) == [(D(shares), D(4 * shares))]


def test_shares_that_are_sold_replace_nothing() -> None:
    """Who buys and sells all of it within 30 days has a loss, and no wash sale."""
    assert washed(ledger([buy("10", "9"), sell("10", "5", 5)])) == [(D(0), D(0))]


@pytest.mark.parametrize("parts", [["100"], ["60", "40"], ["40", "60"], ["1", "98", "1"]])
def test_a_sale_that_fills_in_parts_is_one_sale(parts: list[str]) -> None:
    """What the second part sells a moment later replaces nothing that the first part sold, nor does more."""
    bought = [buy("60", "100"), buy("40", "100", 8)]
    found = ledger([*bought, *(sell(qty, "90", 18) for qty in parts)])
    assert sum((one.disallowed for one in found.closed), D(0)) == 0
    assert sum((one.gain or D(0) for one in found.closed), D(0)) == -1000
    held = ledger([*bought, buy("30", "100", 9), *(sell(qty, "90", 18) for qty in parts)])
    assert sum((one.washed for one in held.closed), D(0)) == 30
    asked = ledger(bought).estimate(sell("100", "90", 18))
    assert sum((one.disallowed for one in asked), D(0)) == 0


def test_orders_of_one_day_are_seen_together() -> None:
    """The law counts days: what another order of the day sells is not held after it."""
    bought = [buy("60", "100"), buy("40", "100", 8)]
    together = ledger([*bought, sell("60", "90", 18), sell("40", "80", 18)])
    assert washed(together) == [(D(0), D(0)), (D(0), D(0))]
    apart = ledger([*bought, sell("60", "90", 18), sell("40", "80", 19)])
    assert washed(apart) == [(D(40), D(400)), (D(0), D(0))]


def test_a_purchase_between_two_sales_of_a_day_is_another() -> None:
    """Bought and sold at a loss, and bought again on the same day: as far as it is held when the day ends."""
    day = [buy("10", "9"), sell("10", "5", 0), buy("10", "5", 0)]
    assert washed(ledger(day)) == [(D(10), D(40))]
    assert washed(ledger([*day, sell("4", "5", 0)])) == [(D(6), D(24)), (D(0), D(0))]
    left = ledger([buy("6", "9"), buy("4", "9"), sell("5", "5", 0)])
    assert washed(left) == [(D(0), D(0))]


def test_what_is_bought_again_washes_an_earlier_loss_though_it_is_sold_that_day() -> None:
    """A purchase after the day of the loss counts, whatever becomes of it."""
    found = ledger([buy("10", "9"), sell("10", "5", 100), buy("10", "5", 105), sell("10", "6", 105)])
    assert washed(found) == [(D(10), D(40)), (D(0), D(0))]


def test_sold_at_cost_is_no_loss() -> None:
    """What dividing a cost leaves in the ninth decimal takes no shares away from a real loss."""
    found = ledger([buy("3", "1", fee="0.000000002"), sell("1", "1"), buy("5", "9", 3), sell("2", "0.5", 5)])
    assert [one.washed for one in found.closed] == [D(0), D(2)]


def test_a_count_that_rounds_down_leaves_no_more_spent_than_held() -> None:
    """A millionth of a share that a count takes from a lot can't be matched, nor taken back, later."""
    found = ledger([buy("10", "9"), buy("4", "9", 90), sell("10", "5", 100)])
    found.take(Count(on(101), {"AAA": D("3.999999")}))
    assert [(lot.qty, lot.spent) for lot in found.held["AAA"]] == [(D("3.999999"), D("3.999999"))]
    found.take(buy("5", "9", 102))
    assert found.closed[0].washed == D(9)


def test_a_gain_is_never_washed() -> None:
    """Only losses are disallowed."""
    found = ledger([buy("10", "5"), buy("10", "5", 50), sell("10", "9", 60), buy("10", "9", 61)])
    assert washed(found) == [(D(0), D(0))]


def test_shares_bought_once_replace_once() -> None:
    """Of two losses of ten shares, one purchase of twelve takes the first and two shares of the second."""
    found = ledger([buy("20", "9"), sell("10", "5", 100), sell("10", "5", 101), buy("12", "5", 102)])
    assert washed(found) == [(D(10), D(40)), (D(2), D(8))]
    assert found.losses("AAA", on(110)) == [found.closed[1]]
    assert found.losses("AAA", on(132)) == []


def test_a_split_between_loss_and_purchase_counts() -> None:
    """Ten shares sold before a two for one are twenty after it."""
    found = ledger([buy("10", "9"), sell("10", "5", 100), Split("AAA", on(105), 2.0), buy("5", "3", 106)])
    assert washed(found) == [(D("2.5"), D(10))]


def test_an_estimate_changes_nothing() -> None:
    """What a sale would close is what it closes then, and asking leaves the books."""
    found = ledger([buy("10", "9"), buy("4", "8", 90)])
    asked = found.estimate(sell("12", "5", 100))
    assert found.shares("AAA") == D(14)
    found.take(sell("12", "5", 100))
    found.settle()
    assert found.closed == asked
    assert [one.washed for one in asked] == [D(2), D(0)]


def test_what_was_there_before_has_an_unknown_basis() -> None:
    """Shares that a count finds, or that are sold beyond all lots, have no cost, no gain and no term."""
    found = ledger([Count(DAY, {"AAA": D(10)}), buy("5", "8", 0), sell("20", "9", 400)])
    assert [(one.qty, one.gain, one.term) for one in found.closed] == [
        (D(10), None, "unknown"),
        (D(5), D(5), "long"),
        (D(5), None, "unknown"),
    ]
    assert found.moved == [Moved("AAA", DAY, D(10))]


def test_a_count_takes_out_what_went_elsewhere() -> None:
    """The oldest lots go, at no gain; what a split's rounding leaves goes by without a word."""
    found = ledger([buy("10", "9"), Count(on(1), {"AAA": D("9.999999999")}), Count(on(2), {"AAA": D(4)})])
    assert found.shares("AAA") == D(4)
    assert found.moved == [Moved("AAA", on(2), D("-5.999999999"))]
    assert found.closed == []


@pytest.mark.parametrize(
    ("ratio", "shares"), [(4.0, "40"), (0.1, "1"), (1 / 3, "3.333333333"), (0.3333, "3.333")]
)
def test_a_split_keeps_the_basis(ratio: float, shares: str) -> None:
    """Other shares, the same cost; a vendor's 0.3333 of four digits is what it says."""
    found = ledger([buy("10", "9"), Split("AAA", on(1), ratio)])
    assert [(lot.qty, lot.cost) for lot in found.held["AAA"]] == [(D(shares), D(90))]


quantities = st.integers(1, 10**8).map(lambda n: D(n).scaleb(-6))
prices = st.integers(1, 10**6).map(lambda n: D(n).scaleb(-2))


@st.composite
def trades(draw: st.DrawFn, ratios: tuple[float, ...] = ()) -> list[Event]:
    """Draw a history of one symbol in which nothing is sold that is not held."""
    events: list[Event] = []
    day = 0
    for n in range(draw(st.integers(1, 25))):
        day += draw(st.integers(0, 40))
        held = ledger(events).shares("AAA")
        kind = draw(st.sampled_from(["buy", "sell", *(["split"] if ratios else [])]))
        if kind == "split":
            day += 1
            events.append(Split("AAA", on(day), draw(st.sampled_from(ratios))))
        elif kind == "sell" and held > 0:
            part = draw(st.integers(1, 1000))
            qty = (held * part / 1000).quantize(D("1e-9")) or held
            events.append(Trade(f"f{n}", "AAA", "sell", qty, draw(prices), on(day)))
        else:
            events.append(Trade(f"f{n}", "AAA", "buy", draw(quantities), draw(prices), on(day)))
    return events


def value(events: list[Event], side: str) -> Decimal:
    return sum((e.qty * e.price for e in events if isinstance(e, Trade) and e.side == side), D(0))


@settings(max_examples=60, deadline=None)
@given(trades(), prices)
def test_shares_and_money_are_conserved(events: list[Event], last: Decimal) -> None:
    """Bought less sold is held, lot by lot; what was realised and what is not are all that was made."""
    found = ledger(events)
    counted = {side: D(0) for side in ("buy", "sell")}
    for event in events:
        assert isinstance(event, Trade)
        counted[event.side] += event.qty
    assert found.shares("AAA") == counted["buy"] - counted["sell"]
    assert sum((one.qty for one in found.closed), D(0)) == counted["sell"]
    realised = sum((one.gain or D(0) for one in found.closed), D(0))
    open_cost = sum((lot.cost or D(0) for lot in found.held["AAA"]), D(0))
    made = value(events, "sell") + found.shares("AAA") * last - value(events, "buy")
    assert realised + found.shares("AAA") * last - open_cost == made


@settings(max_examples=60, deadline=None)
@given(trades((2.0, 0.5, 1 / 3, 1.05)))
def test_laws_of_every_history(events: list[Event]) -> None:
    """Whatever splits: the basis is conserved, lots stay in order, and only losses are washed."""
    found = ledger(events)
    spent = sum((one.cost or D(0) for one in found.closed), D(0))
    spent += sum((lot.cost or D(0) for lot in found.held["AAA"]), D(0))
    assert spent == value(events, "buy")
    days = [lot.acquired for lot in found.held["AAA"] if lot.acquired]
    assert days == sorted(days)
    for one in found.closed:
        assert 0 <= one.washed <= one.qty
        assert one.disallowed >= 0
        assert one.washed == 0 or (one.gain or D(0)) < 0
    for lot in found.held["AAA"]:
        assert lot.qty > 0
        assert 0 <= lot.spent <= lot.qty


@settings(max_examples=60, deadline=None)
@given(trades())
def test_a_loss_is_washed_as_the_rule_says(events: list[Event]) -> None:
    """No purchase within 30 days of a sale: nothing is washed, and never more than was bought."""
    found = ledger(events)
    bought = [e for e in events if isinstance(e, Trade) and e.side == "buy"]

    def near(one: Closed) -> bool:
        return any(abs((b.day - one.sold).days) <= 30 for b in bought)

    assert all(near(one) for one in found.closed if one.washed)
    washed_shares = sum((one.washed for one in found.closed), D(0))
    assert washed_shares <= sum((b.qty for b in bought), D(0))


def totals(found: Ledger) -> dict[int, list[Decimal]]:
    """Give what was received, paid, gained and washed away by year, USD."""
    years: dict[int, list[Decimal]] = {}
    for one in found.closed:
        sums = years.setdefault(one.sold.year, [D(0)] * 4)
        parts = (one.proceeds, one.cost or D(0), one.gain or D(0), one.disallowed)
        years[one.sold.year] = [a + b for a, b in zip(sums, parts, strict=True)]
    return years


@st.composite
def parted(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """Draw a history, and the same with some executions in parts, another symbol's between them."""
    whole: list[Event] = []
    parts: list[Event] = []
    day, held = 0, 0
    for n in range(draw(st.integers(2, 14))):
        day += draw(st.sampled_from([0, 0, 1, 5, 20, 31]))
        if draw(st.integers(0, 9)) == 9:
            day, held = day + 1, held * 2
            for events in (whole, parts):
                events.append(Split("AAA", on(day), 2.0))
        side = draw(st.sampled_from(["buy", "sell", "sell"])) if held else "buy"
        qty = draw(st.integers(1, held if side == "sell" else 40))
        held += qty if side == "buy" else -qty
        one = Trade(f"f{n}", "AAA", side, D(qty) / 4, D(draw(st.integers(1, 6))) / 3, on(day))
        whole.append(one)
        first = draw(st.integers(0, qty))
        cuts = [D(some) / 4 for some in (first, qty - first) if some]
        for i, some in enumerate(cuts):
            parts.append(Trade(f"f{n}.{i}", "AAA", side, some, one.price, one.day))
            parts.append(Trade(f"o{n}.{i}", "BBB", "buy", D(1), D(1), one.day))
    return whole, parts


@settings(max_examples=150, deadline=None)
@given(parted())
def test_in_how_many_parts_an_order_fills_changes_no_total(both: tuple[list[Event], list[Event]]) -> None:
    """Proceeds, basis, gain and wash sales of each year are those of the same trades filled at once."""
    whole, parts = (totals(ledger(events)) for events in both)
    assert whole.keys() == parts.keys()
    for year, sums in whole.items():
        assert all(abs(a - b) < D("1e-6") for a, b in zip(sums, parts[year], strict=True))
