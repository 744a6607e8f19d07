from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.exhibits import DAYS, PRICES, changed, exhibit, scaled, sound, told, with_cell
from trimtab.core.actions import Action
from trimtab.core.gates import revised
from trimtab.core.gates.factors import (
    dividends_too_large,
    dividends_unseen,
    factors,
    half_unit,
    repeated_dividends,
)
from trimtab.core.limits import Gates

if TYPE_CHECKING:
    from trimtab.core.bars import Bars

ROW = 20
DAY = f"SPY {DAYS[ROW]}"


def split(ratio: float, row: int = ROW) -> Action:
    return Action("SPY", DAYS[row], "split", "forward_split", ratio=ratio)


def dividend(amount: float, row: int = ROW) -> Action:
    return Action("SPY", DAYS[row], "dividend", "cash_dividend", amount=amount)


def raw_of(bars: Bars, *actions: Action) -> Bars:
    """Give adjusted bars with the raw closes that these actions make of them, as a vendor adjusts."""
    raw = bars.raw_close.copy()
    for action in sorted(actions, key=lambda action: action.session, reverse=True):
        row = DAYS.index(action.session)
        if action.kind == "split":
            raw[:row, 1] *= action.ratio
        else:
            # raw before - amount is what the adjusted close before stands for
            raw[:row, 1] *= (raw[row - 1, 1] + action.amount) / raw[row - 1, 1]
    return changed(bars, raw_close=raw)


def test_announced_actions_explain_the_factor() -> None:
    """Splits and dividends, several, on their dates."""
    actions = [split(4.0, 10), dividend(1.5, 15), dividend(0.2, 25), split(0.1, 30)]
    assert factors(exhibit(raw_of(sound(), *actions), actions)) == []


@pytest.mark.parametrize(
    "told_as", [[], [split(4.0, ROW - 1)], [split(4.0, ROW + 1)], [split(5.0)], [dividend(75.0)]]
)
def test_a_factor_off_its_announced_action_halts(told_as: list[Action]) -> None:
    """Unannounced, a day early, a day late, of another size, or of another kind."""
    bars = raw_of(sound(), split(4.0))
    assert (DAY, True) in told(factors(exhibit(bars, told_as)))


def test_an_announced_action_that_was_not_applied_halts() -> None:
    """Adjusted and raw prices are the same: nobody adjusted them."""
    assert told(factors(exhibit(sound(), [dividend(1.0)]))) == [(DAY, True)]
    assert told(factors(exhibit(sound(), [split(2.0)]))) == [(DAY, True)]


@pytest.mark.parametrize(("off", "doubted"), [(0.0015, False), (0.0025, True)])
def test_a_factor_may_differ_by_the_tolerance(off: float, doubted: bool) -> None:  # noqa: FBT001 - a table's column
    bars = sound()
    raw = bars.raw_close.copy()
    raw[:ROW, 1] *= 1 + off
    shown = exhibit(changed(bars, raw_close=raw))
    assert told(factors(shown)) == ([(DAY, True)] if doubted else [])
    lax = exhibit(changed(bars, raw_close=raw), limits=Gates(factor_tolerance=0.003))
    assert factors(lax) == []


def test_rounding_to_cents_is_no_move() -> None:
    """At 0.5 USD a cent is 2 %: adjusted prices that are rounded to cents are not held to more than that."""
    actions = [split(200.0)]
    bars = raw_of(scaled(sound(), "SPY", {0: 0.005}), *actions)
    rounded = {name: np.round(getattr(bars, name), 2) for name in PRICES}
    assert factors(exhibit(changed(bars, **rounded), actions)) == []
    assert half_unit(rounded["close"]) == 0.005


@pytest.mark.parametrize(
    ("prices", "unit"),
    [
        ([1.5, 2.25], 0.005),
        ([1.5, 2.255], 0.0005),
        ([1.1234, np.nan], 0.00005),
        ([1.12345], 0.0),
        ([], 0.005),
    ],
)
def test_the_unit_of_prices_is_told_from_them(prices: list[float], unit: float) -> None:
    assert half_unit(np.array(prices)) == unit


def test_each_adjustment_is_held_to_its_own_actions() -> None:
    """Split-adjusted prices do not move for a dividend, nor dividend-adjusted ones for a split."""
    actions = [split(2.0, 10), dividend(2.0)]
    for adjustment, applied in (("split", actions[:1]), ("dividend", actions[1:])):
        bars = raw_of(sound(), *applied)
        assert factors(exhibit(bars, actions, adjustment=adjustment)) == []
        assert factors(exhibit(bars, actions, adjustment="all")) != []
    for adjustment in ("raw", None):
        assert factors(exhibit(sound(), actions, adjustment=adjustment)) == []


def test_raw_closes_that_know_of_splits_are_not_held_to_them() -> None:
    """Some vendors adjust the close that they call raw for splits."""
    paid = [dividend(2.0)]
    bars = raw_of(sound(), *paid)
    actions = [split(2.0, 10), *paid]
    assert factors(exhibit(bars, actions, raw_holds_splits=False)) == []
    assert told(factors(exhibit(bars, actions))) == [(f"SPY {DAYS[10]}", True)]


def test_a_spin_offs_day_is_not_judged() -> None:
    bars = raw_of(sound(), dividend(20.0))
    assert factors(exhibit(bars, [Action("SPY", DAYS[ROW], "other", "spin_off")])) == []


def test_a_dividend_above_the_price_halts() -> None:
    """No factor could be due for it."""
    assert told(factors(exhibit(sound(), [dividend(150.0)]))) == [(DAY, True)]


def test_a_dividend_that_the_price_does_not_know_halts() -> None:
    """10 % paid, and the traded price stood still."""
    paid = [dividend(10.0)]
    unseen = changed(raw_of(sound(), *paid), raw_close=sound().raw_close)
    assert told(dividends_unseen(exhibit(unseen, paid))) == [(DAY, True)]
    assert dividends_unseen(exhibit(raw_of(sound(), *paid), paid)) == []


def test_a_small_dividend_need_not_be_seen() -> None:
    assert dividends_unseen(exhibit(sound(), [dividend(5.0)])) == []
    assert dividends_unseen(exhibit(sound(), [dividend(5.2)])) != []


def test_in_a_wild_series_a_dividend_may_go_unseen() -> None:
    """What is missing must be more than four of the usual daily moves: here they are 5 %."""
    wild = scaled(sound(), "SPY", {row: (1.05 if row % 2 else 1 / 1.05) for row in range(1, len(DAYS))})
    assert dividends_unseen(exhibit(wild, [dividend(10.0)])) == []


def test_a_split_told_as_a_dividend_halts_and_a_spin_off_warns() -> None:
    """Half of the price paid looks like two for one; a third like nothing usual."""
    for paid, expected in ((50.0, [(DAY, True)]), (40.0, [(DAY, False)]), (19.0, [])):
        bars = raw_of(sound(), dividend(paid * 100.0 / (100.0 - paid)))
        actions = [dividend(paid / 100.0 * bars.raw_close[ROW - 1, 1])]
        assert told(dividends_too_large(exhibit(bars, actions))) == expected


@pytest.mark.parametrize(
    ("second", "amount", "doubted"),
    [
        (ROW + 1, 0.5, True),
        (ROW + 5, 0.5, True),
        (ROW + 6, 0.5, False),
        (ROW + 1, 0.62, True),
        (ROW + 1, 0.63, False),
    ],
)
def test_the_same_dividend_twice_warns(second: int, amount: float, doubted: bool) -> None:  # noqa: FBT001 - a table's column
    actions = [
        dividend(0.5),
        dividend(amount, second),
        Action("TLT", DAYS[ROW + 1], "dividend", "cash", amount=0.5),
    ]
    found = repeated_dividends(exhibit(sound(), actions))
    assert told(found) == ([(f"SPY {DAYS[second]}", False)] if doubted else [])


def test_actions_outside_of_the_bars_are_left_out() -> None:
    """Before the first session, after the last, and of another symbol."""
    early = Action("SPY", DAYS[0].replace(year=2025), "split", "forward_split", ratio=2.0)
    late = Action("SPY", DAYS[-1].replace(year=2027), "split", "forward_split", ratio=2.0)
    other = Action("QQQ", DAYS[ROW], "split", "forward_split", ratio=2.0)
    assert factors(exhibit(sound(), [early, late, other])) == []


@given(st.floats(0.2, 5.0))
def test_one_factor_for_a_whole_history_is_no_revision_after_an_action(factor: float) -> None:
    """A dividend or a split since re-bases an adjusted history; raw prices stay."""
    earlier = sound(days=DAYS[:ROW])
    bars = scaled(sound(), "SPY", {0: factor}, *PRICES)
    assert revised(exhibit(bars, [dividend(1.0)]), earlier) == []


def test_a_history_that_moved_without_an_action_is_told() -> None:
    bars = scaled(sound(), "SPY", {0: 0.99}, *PRICES)
    (found,) = revised(exhibit(bars), sound(days=DAYS[:ROW]))
    assert (found.name, found.seen, found.halts) == ("SPY", "its whole history by 0.99", False)


def test_a_changed_bar_is_told() -> None:
    """An adjusted close, a raw close, a bar that came and one that went."""
    earlier = sound(days=DAYS[:ROW])
    assert revised(exhibit(sound()), earlier) == []
    gone = dict.fromkeys((*PRICES, "volume", "raw_close"), np.nan)
    for values in ({"close": 100.2}, {"raw_close": 100.2}, gone):
        changed_since = with_cell(sound(), 5, "SPY", **values)
        assert told(revised(exhibit(changed_since), earlier)) == [(f"SPY {DAYS[5]}", False)]
        back = revised(exhibit(sound()), with_cell(earlier, 5, "SPY", **values))
        assert told(back) == [(f"SPY {DAYS[5]}", False)]
    assert revised(exhibit(with_cell(sound(), 5, "SPY", close=100.04)), earlier) == []


def test_other_symbols_and_sessions_are_not_compared() -> None:
    assert revised(exhibit(sound()), sound(("QQQ",))) == []
    assert revised(exhibit(sound(days=DAYS[ROW:])), sound(days=DAYS[:ROW])) == []
    assert told(revised(exhibit(sound(("AGG", "SPY"))), scaled(sound(), "SPY", {ROW: 1.1}))) != []
