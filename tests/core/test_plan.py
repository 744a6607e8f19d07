from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from core.books import PLAIN, WIDE, book_of, exact_holdings, sent, sessions
from trimtab.core.limits import Execution, Risk
from trimtab.core.plan import Hold, Order, Plan, priced
from trimtab.core.quotes import Touch
from trimtab.core.sizing import Book, Sized, Why, buffered, guards, size, wanted

DEFAULT = Execution()
"""The contract's defaults: band 0.5 % and 20 %, buffer 1 %, smallest order 1 USD."""


def bought(book: Book, execution: Execution = PLAIN, risk: Risk = WIDE) -> dict[str, float]:
    """Give the signed shares by symbol that sizing trades."""
    quantity = size(book, execution, risk).quantity.tolist()
    return dict(zip(book.symbols, quantity, strict=True))


def each_of(plan: Plan) -> list[Order | Hold]:
    """Give the orders and the holds of a plan."""
    return [*plan.orders(), *plan.holds()]


def codes(book: Book, execution: Execution = PLAIN, risk: Risk = WIDE) -> dict[str, str]:
    """Give the code of each symbol's order or hold."""
    plan = Plan(book, size(book, execution, risk))
    return {each.symbol: each.reason.split(":")[0] for each in each_of(plan)}


# What the contract and the safety standard say, by example


def test_all_cash_to_halves_takes_three_sessions() -> None:
    """100 % cash → 50/50: 20 %, 40 %, 49.5 % of equity; no order ever passes the cap; then nothing."""
    days = sessions(book_of({"SPY": 0.5, "TLT": 0.5}, cash=100_000.0), DEFAULT, Risk(), 9)
    assert [(day.quantity * 100 / 100_000).round(6).tolist() for day in days] == [
        [0.2, 0.2],
        [0.2, 0.2],
        [0.095, 0.095],
        [0.0, 0.0],
    ]


def test_a_staged_order_says_so() -> None:
    """The reason opens with its code and tells what is held, what is wanted and what is done today."""
    book = book_of({"SPY": 0.5}, cash=100_000.0)
    (order,) = Plan(book, size(book, DEFAULT, Risk())).orders()
    assert (
        order.reason == "staged: 0.00% held, 50.00% wanted, buys 20.00% today and the rest in later sessions"
    )


def test_a_gap_of_exactly_the_cap_is_not_staged() -> None:
    """An order at the cap but for float noise is whole: no later session owes anything."""
    for held in (0.0, 0.1, 0.3, 0.7, 1 / 3):
        book = book_of({"SPY": held + 0.2}, {"SPY": held * 1000}, cash=100_000.0 * (1 - held))
        plan = Plan(book, size(book, PLAIN, WIDE.model_copy(update={"max_order_size": 0.2})))
        assert plan.short_of_target() == ()
        assert plan.orders()[0].reason.startswith("to_target")


def test_a_gap_just_above_the_cap_is_staged() -> None:
    """The cap forgives float noise and nothing else."""
    risk = WIDE.model_copy(update={"max_order_size": 0.2})
    book = book_of({"A": 0.2 * (1 + 1e-9)}, prices={"A": 1.0}, cash=1e6)
    assert bought(book, PLAIN, risk) == {"A": 200_000.0}
    assert codes(book, PLAIN, risk) == {"A": "staged"}


def test_float_noise_above_a_cap_stages_nothing() -> None:
    """A gap of exactly the cap, in floats that miss it by their last bit: nothing is left for tomorrow."""
    risk = WIDE.model_copy(update={"max_order_size": 0.1})
    book = book_of({"A": 0.1}, prices={"A": 32.85714285714286}, cash=100_059.2)
    assert wanted(book, PLAIN).quantity[0] > 0.1 * book.equity / book.price[0]
    assert codes(book, PLAIN, risk) == {"A": "to_target"}


def test_noise_never_sells_more_than_is_held() -> None:
    """A holding that ends a thousandth of a lot below a lot is not rounded up when nearly all of it goes."""
    book = book_of({"A": 1e-13}, {"A": 1_000_000.000000999}, {"A": 1.0}, cash=0.0)
    assert -bought(book)["A"] <= 1_000_000.000000999
    assert (
        Plan(book, size(book, PLAIN, WIDE), exact_holdings(book)).orders()[0].qty <= exact_holdings(book)["A"]
    )


def test_the_exact_order_never_passes_the_exact_holding() -> None:
    """Should floats ever ask for more than the broker printed, the order takes what was printed."""
    book = book_of({"A": 0.5}, {"A": 9.0}, cash=100.0)
    (order,) = sent(book, {"A": -8.000001}, holdings={"A": Decimal("8.0000005")}).orders()
    assert order.qty == Decimal("8.0000005")


def test_a_symbols_own_cap_rules() -> None:
    """`max_order_size_by_symbol` overrides the cap both ways; a name that is not in the book is ignored."""
    risk = Risk(
        max_order_size=0.2, max_order_size_by_symbol={"A": 0.05, "B": 0.4, "ZZZ": 0.9}, max_turnover=2.0
    )
    book = book_of({"A": 0.3, "B": 0.3, "C": 0.3}, cash=1000.0)
    assert bought(book, PLAIN, risk) == {"A": 0.5, "B": 3.0, "C": 2.0}


def test_absolute_and_volume_caps() -> None:
    """`max_order_usd` and `max_adv_share` cut one order each, and their codes say which."""
    book = book_of({"A": 0.4, "B": 0.4}, cash=100_000.0)
    book = replace(book, volume=np.array([1e9, 10_000.0]))
    risk = WIDE.model_copy(update={"max_order_usd": 30_000.0, "max_adv_share": 0.01})
    assert bought(book, PLAIN, risk) == {"A": 300.0, "B": 100.0}
    assert codes(book, PLAIN, risk) == {"A": "max_order_usd", "B": "max_adv_share"}


def test_a_symbol_without_volume_is_held_with_its_reason() -> None:
    """No volume allows no order; the hold says why."""
    book = replace(book_of({"A": 0.5}, cash=1000.0), volume=np.zeros(1))
    (hold,) = Plan(book, size(book, PLAIN, WIDE)).holds()
    assert hold.reason == "max_adv_share: it hardly trades"


@pytest.mark.parametrize(
    ("weight", "shares", "code"),
    [
        (0.10, 10.4, "in_band"),  # 0.4 % of equity, 4 % of the target
        (0.10, 10.6, "to_target"),  # beyond 0.5 % of equity
        (0.01, 1.19, "in_band"),
        (0.01, 1.21, "to_target"),  # beyond 20 % of the target
        (0.01, 0.79, "to_target"),
        (0.001, 0.0, "to_target"),  # a first purchase
        (0.0, 0.1, "exit"),
        (0.0, 0.0, "no_weight"),
    ],
)
def test_the_band_is_absolute_and_relative(weight: float, shares: float, code: str) -> None:
    """Left alone only while below both; a first purchase and an exit are never in the band."""
    cash = 10_000.0 - 100 * shares
    book = book_of({"A": weight}, {"A": shares}, cash=cash)
    assert codes(book, Execution(cash_buffer=0)) == {"A": code}


def test_beyond_the_band_the_order_goes_to_the_target() -> None:
    """Not to the band's edge."""
    book = book_of({"A": 0.10}, {"A": 20.0}, cash=8000.0)
    assert bought(book, Execution(cash_buffer=0)) == {"A": -10.0}


def test_a_drift_at_the_bands_edge_is_traded() -> None:
    """The band holds what is below it, so 0.5 % exactly is beyond."""
    book = book_of({"A": 0.25}, {"A": 20.0}, cash=8000.0)
    assert codes(book, Execution(band=0.05, cash_buffer=0, band_relative=0.9))["A"] == "to_target"


def test_whole_shares_round_down() -> None:
    """Where only whole shares trade, the target is whole; less than one is a hold that says so."""
    book = book_of({"A": 0.35, "B": 0.05}, cash=1000.0, whole=True)
    assert bought(book) == {"A": 3.0, "B": 0.0}
    assert codes(book) == {"A": "to_target", "B": "whole_share"}
    plan = Plan(book, size(book, PLAIN, WIDE))
    assert [(order.type, str(order.limit_price)) for order in plan.orders()] == [("limit", "101.00")]


def test_a_cap_below_one_whole_share_holds() -> None:
    """Staging can't split a share: held, and still owed."""
    book = book_of({"A": 0.5}, prices={"A": 300.0}, cash=1000.0, whole=True)
    plan = Plan(book, size(book, PLAIN, WIDE.model_copy(update={"max_order_size": 0.2})))
    assert plan.holds()[0].reason == "whole_share: the order would be less than one whole share"
    assert plan.short_of_target() == ("A",)


def test_a_full_exit_sells_the_exact_holding() -> None:
    """All 9 decimals of it, whole shares or not; a partial sale keeps to 6 and never passes the holding."""
    book = book_of({"A": 0.0, "B": 0.25}, {"A": 1.234567123, "B": 3.123456789}, cash=500.0)
    for whole in (False, True):
        plan = Plan(replace(book, whole=np.full(2, whole)), size(book, PLAIN, WIDE), exact_holdings(book))
        exit_, partial = plan.orders()
        assert (exit_.side, exit_.qty, exit_.reason[:5]) == ("sell", Decimal("1.234567123"), "exit:")
        assert (exit_.base, partial.base) == (Decimal("1.234567123"), Decimal("3.123456789"))
        assert partial.qty == partial.qty.quantize(Decimal("0.000001"))


def test_a_staged_exit_is_no_full_exit() -> None:
    """A cap cuts an exit to lots; the last of it goes exact."""
    book = book_of({"A": 0.0}, {"A": 30.123456789}, cash=7000.0)
    risk = WIDE.model_copy(update={"max_order_size": 0.2})
    plan = Plan(book, size(book, PLAIN, risk), exact_holdings(book))
    assert plan.sized.quantity.tolist() == [-20.024691]  # a fifth of 10,012.35 USD, in lots
    assert plan.orders()[0].qty == Decimal("20.024691")
    assert plan.orders()[0].reason.startswith("staged")
    rest = replace(book, held=np.array([10.123456789]), cash=9000.0)
    assert Plan(rest, size(rest, PLAIN, risk), exact_holdings(rest)).orders()[0].qty == Decimal(
        "10.123456789"
    )


def test_turnover_scales_every_order_by_one_factor() -> None:
    """Sells and buys alike, earlier runs of the session counted; each says so."""
    book = book_of({"A": 0.0, "B": 0.4}, {"A": 4.0}, cash=600.0)
    risk = WIDE.model_copy(update={"max_turnover": 0.5})
    assert bought(book, PLAIN, risk) == {"A": -2.5, "B": 2.5}
    assert set(codes(book, PLAIN, risk).values()) == {"max_turnover"}
    third = replace(book, sent=400.0)
    assert bought(third, PLAIN, risk) == {"A": -0.5, "B": 0.5}
    assert bought(replace(book, sent=500.0), PLAIN, risk) == {"A": 0.0, "B": 0.0}
    assert bought(replace(book, sent=900.0), PLAIN, risk) == {"A": 0.0, "B": 0.0}


def test_turnover_at_its_limit_is_not_scaled() -> None:
    book = book_of({"A": 0.0, "B": 0.25}, {"A": 2.5}, cash=750.0)
    assert codes(book, PLAIN, WIDE.model_copy(update={"max_turnover": 0.5})) == {
        "A": "exit",
        "B": "to_target",
    }


def test_buys_are_scaled_to_cash_and_sells() -> None:
    """When the sells are staged, what they do not free is not spent; sells are not scaled."""
    book = book_of({"A": 0.0, "B": 0.6, "C": 0.3}, {"A": 10.0}, cash=0.0)
    risk = WIDE.model_copy(update={"max_order_size_by_symbol": {"A": 0.3}})
    assert bought(book, PLAIN, risk) == {"A": -3.0, "B": 2.0, "C": 1.0}
    assert codes(book, PLAIN, risk) == {"A": "staged", "B": "cash", "C": "cash"}


def test_what_rounding_leaves_unsold_is_not_spent() -> None:
    """Whole shares: the sell of 1.5 becomes 1, and the buys fit what that frees."""
    book = book_of({"A": 0.5, "B": 0.5}, {"A": 4.0}, {"A": 1000.0, "B": 10.0}, cash=0.0, whole=True)
    risk = WIDE.model_copy(update={"max_order_size": 0.4})
    assert bought(book, PLAIN, risk) == {"A": -1.0, "B": 100.0}


def test_what_is_too_small_to_sell_is_not_spent() -> None:
    """A sell below the smallest order is a hold, so it pays for nothing."""
    book = book_of({"A": 0.0, "B": 1.0}, {"A": 0.009, "B": 9.991}, cash=0.0)
    assert bought(book, Execution(min_order_usd=1.0, cash_buffer=0)) == {"A": 0.0, "B": 0.0}


def test_no_cash_holds_the_buys() -> None:
    """Without cash nothing is bought; of negative cash the sells pay the debt first."""
    book = book_of({"A": 0.5, "B": 0.5}, {"A": 5.0}, cash=-10.0)
    assert bought(book) == {"A": -2.55, "B": 2.45}
    resting = replace(book, active=np.array([False, True]))
    assert bought(resting)["B"] == 0.0
    assert codes(resting)["B"] == "cash"


def test_orders_below_the_smallest_are_holds() -> None:
    """At the smallest order it is sent; a cent below it is held."""
    for usd, code in ((1.00, "to_target"), (0.99, "min_order")):
        book = book_of({"A": usd / 1000}, prices={"A": 1.0}, cash=1000.0)
        assert codes(book, Execution(cash_buffer=0, min_order_usd=1.0)) == {"A": code}


def test_weights_are_scaled_down_to_the_buffer() -> None:
    """Only where they sum above 1 - buffer, and all by one factor."""
    assert buffered(np.array([0.5, 0.5]), 0.01).tolist() == [0.495, 0.495]
    assert buffered(np.array([0.5, 0.49]), 0.01).tolist() == [0.5, 0.49]
    assert buffered(np.array([0.0, 0.0]), 0.01).tolist() == [0.0, 0.0]


def test_guarded_symbols_are_held_with_the_quotes_reason() -> None:
    """A symbol whose quote may not be traded on is a hold; one that would not trade keeps its own reason."""
    book = book_of({"A": 0.3, "B": 0.3, "C": 0.0}, cash=1000.0)
    touches = {s: Touch(Decimal(9), Decimal(9), "max_gap", "quoted 9") for s in ("A", "C")}
    flags = guards(book.symbols, touches)
    assert flags.tolist() == [Why.MAX_GAP, 0, Why.MAX_GAP]
    plan = Plan(book, size(book, PLAIN, WIDE, flags), {}, touches)
    assert [(h.symbol, h.reason) for h in plan.holds()] == [
        ("A", "max_gap: quoted 9"),
        ("C", "no_weight: no target and nothing held"),
    ]
    assert plan.short_of_target() == ("A",)


def test_resting_symbols_are_held() -> None:
    """Where today is not their day, nothing is traded, not even an exit, and nothing is owed."""
    book = replace(book_of({"A": 0.5, "B": 0.0}, {"B": 5.0}, cash=500.0), active=np.zeros(2, dtype=bool))
    assert codes(book) == {"A": "rests", "B": "rests"}
    assert Plan(book, size(book, PLAIN, WIDE)).short_of_target() == ()


def test_a_held_price_is_the_quotes_far_side() -> None:
    """Whole quantities are limits at the collar from the quote, or the last close; fractions are market."""
    touch = Touch(Decimal("9.99"), Decimal("10.01"))
    assert priced("buy", Decimal(3), touch, 10.0, 0.01) == ("limit", Decimal("10.11"))
    assert priced("sell", Decimal(3), touch, 10.0, 0.01) == ("limit", Decimal("9.90"))
    assert priced("buy", Decimal(3), None, 10.0, 0.01) == ("limit", Decimal("10.10"))
    assert priced("buy", Decimal("3.5"), touch, 10.0, 0.01) == ("market", None)


def test_orders_are_sells_first() -> None:
    book = book_of({"A": 0.5, "B": 0.0, "C": 0.5, "D": 0.0}, {"B": 5.0, "D": 5.0}, cash=0.0)
    orders = Plan(book, size(book, PLAIN, WIDE)).orders()
    assert [(order.symbol, order.side) for order in orders] == [
        ("B", "sell"),
        ("D", "sell"),
        ("A", "buy"),
        ("C", "buy"),
    ]


def test_documents_are_the_contracts() -> None:
    """Orders and holds go out as the contract's keys, decimals as strings."""
    book = book_of({"A": 0.25, "B": 0.0}, cash=1000.0)
    plan = Plan(book, size(book, PLAIN, WIDE))
    assert plan.orders()[0].document() == {
        "symbol": "A",
        "side": "buy",
        "type": "market",
        "qty": "2.5",
        "limit_price": None,
        "reason": "to_target: 0.00% held, 25.00% wanted",
    }
    assert plan.holds()[0].document() == {
        "symbol": "B",
        "weight": "0.000000",
        "target": "0.000000",
        "reason": "no_weight: no target and nothing held",
    }


def test_every_flag_that_can_hold_has_a_text() -> None:
    """No hold goes without a sentence after its code."""
    book = book_of({"A": 0.5}, cash=1000.0)
    for why in Why:
        if (
            why in Why.STAGED | Why.MAX_ORDER_USD | Why.EXIT
            or why in Why.NO_QUOTE | Why.MAX_GAP | Why.MAX_SPREAD
        ):
            continue  # never alone on a hold, or told by the quote
        one = np.ones(1)
        sized = Sized(book.weights, one, one, np.zeros(1), book.whole, ((why, one.astype(bool)),))
        code, _, text = Plan(book, sized).holds()[0].reason.partition(": ")
        assert code == str(why.name).lower()
        assert text or why == Why.TO_TARGET


@pytest.mark.parametrize("price", [1e-6, 1e-3, 1.0, 6e5, 1e9])
def test_prices_of_any_size(price: float) -> None:
    """A tiny and a huge price are sized without noise: half of the equity, rounded down to a lot."""
    book = book_of({"A": 0.5}, prices={"A": price}, cash=1e6)
    usd = bought(book)["A"] * price
    assert 5e5 - 1e-6 * price <= usd * (1 + 1e-9)
    assert usd <= 5e5 * (1 + 1e-9)


def test_one_symbol_and_an_empty_plan() -> None:
    """A book of one symbol at its target plans nothing and says so."""
    book = book_of({"A": 0.5}, {"A": 5.0}, cash=500.0)
    plan = Plan(book, size(book, PLAIN, WIDE))
    assert plan.orders() == ()
    assert [hold.reason for hold in plan.holds()] == ["at_target: nothing to trade"]
