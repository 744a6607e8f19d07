from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from core.exhibits import DAYS, changed, exhibit, scaled, sound, told, with_cell
from trimtab.core.actions import Action
from trimtab.core.gates.moves import RATIOS, jumps, splits, trades_apart, unexplained
from trimtab.core.limits import Gates
from trimtab.core.portfolio import Quote

ROW = 30
"""The session of the move: 30 bars are before it."""
DAY = f"SPY {DAYS[ROW]}"
NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


def test_a_jump_without_a_reason_halts() -> None:
    """A fall of 25 % from 101 to 75 on usual volume."""
    (found,) = jumps(exhibit(scaled(sound(), "SPY", {ROW: 0.75})))
    assert (found.name, found.halts) == (DAY, True)
    assert found.seen == "-24.3%, volume 1.0 times the usual"


@pytest.mark.parametrize(("factor", "doubted"), [(0.791, True), (0.802, False), (1.18, False), (1.22, True)])
def test_a_jump_begins_beyond_a_fifth(factor: float, doubted: bool) -> None:  # noqa: FBT001 - a table's column
    bars = scaled(sound(), "SPY", {ROW: factor})
    assert told(jumps(exhibit(bars))) == ([(DAY, True)] if doubted else [])


def test_heavy_trading_confirms_a_jump() -> None:
    """Three times the usual volume, at twice the usual turnover: told, but believed."""
    fallen = scaled(sound(), "SPY", {ROW: 0.75})
    for volume, halts in ((2.99e6, True), (3.0e6, False)):
        assert told(jumps(exhibit(with_cell(fallen, ROW, "SPY", volume=volume)))) == [(DAY, halts)]


def test_more_shares_for_the_same_money_confirm_nothing() -> None:
    """A split of 11 for 2 that was not applied: 5.5 times the shares, no more USD."""
    bars = scaled(sound(), "SPY", {ROW: 2 / 11})
    volume = bars.volume.copy()
    volume[ROW:, 1] *= 5.5
    assert (DAY, True) in told(jumps(exhibit(changed(bars, volume=volume))))


def test_the_usual_volume_is_the_median_of_twenty_bars() -> None:
    """One earlier day of huge volume does not make today's look small, and older days don't count."""
    bars = with_cell(scaled(sound(), "SPY", {ROW: 0.75}), ROW - 3, "SPY", volume=1e9)
    volume = bars.volume.copy()
    volume[: ROW - 20, 1], volume[ROW, 1] = 1e8, 3e6
    assert told(jumps(exhibit(changed(bars, volume=volume)))) == [(DAY, False)]


def test_a_jump_with_no_bars_before_to_compare_halts() -> None:
    """On the second bar there is no usual volume yet that could speak for it... but one bar's."""
    bars = with_cell(scaled(sound(), "SPY", {1: 0.5}), 0, "SPY", volume=0.0)
    (found,) = jumps(exhibit(bars))
    assert found.halts
    assert found.seen.endswith("no usual volume to compare")


def test_a_storm_explains_a_jump() -> None:
    """After 20 days of moves of 8 %, one of 25 % is no surprise; after calm days it is."""
    sway = {row: (1.08 if row % 2 else 1 / 1.08) for row in range(ROW - 20, ROW)}
    bars = scaled(sound(), "SPY", {**sway, ROW: 0.75})
    assert told(jumps(exhibit(bars))) == [(DAY, False)]
    assert told(jumps(exhibit(bars, limits=Gates(stormy=2.5)))) == [(DAY, True)]


def test_what_moves_with_the_market_is_no_jump() -> None:
    """Five symbols fall by a quarter: the median explains it. Four have no median that does."""
    names = ("A", "B", "C", "D", "E")
    for many, doubted in ((5, 0), (4, 4)):
        bars = sound(names[:many])
        for symbol in names[:many]:
            bars = scaled(bars, symbol, {ROW: 0.75})
        assert len(jumps(exhibit(bars))) == doubted


def test_a_market_that_stands_still_explains_nothing() -> None:
    """One of five falls; so does one that lags 15 % and more behind the market."""
    names = ("A", "B", "C", "D", "E")
    bars = scaled(sound(names), "C", {ROW: 0.75})
    assert told(jumps(exhibit(bars))) == [(f"C {DAYS[ROW]}", True)]
    for symbol in names:
        bars = scaled(bars, symbol, {ROW: 0.9})  # C is at 0.675, the others at 0.9
    assert told(jumps(exhibit(bars))) == [(f"C {DAYS[ROW]}", True)]


def test_a_move_is_measured_from_the_last_bar_there_is() -> None:
    """A hole does not hide the jump beside it."""
    bars = scaled(sound(), "SPY", {ROW: 0.7})
    gone = dict.fromkeys(("open", "high", "low", "close", "volume", "raw_close"), np.nan)
    assert told(jumps(exhibit(with_cell(bars, ROW - 1, "SPY", **gone)))) == [(DAY, True)]


@pytest.mark.parametrize("ratio", [*RATIOS, *(1 / ratio for ratio in RATIOS)])
def test_a_split_that_was_not_applied_halts(ratio: float) -> None:
    """Whatever the volume says: it grows with the number of shares."""
    bars = scaled(sound(), "SPY", {ROW: 1 / ratio})
    volume = bars.volume.copy()
    volume[ROW:, 1] *= 5 * ratio
    assert told(splits(exhibit(changed(bars, volume=volume)))) == [(DAY, True)]


def test_the_drift_of_a_split_day_does_not_hide_it() -> None:
    """4 for 1 and +5 % on the day: the range covers the ratio, and turnover is the usual."""
    bars = scaled(sound(), "SPY", {ROW: 0.25 * 1.05})
    column = bars.symbols.index("SPY")
    low = bars.low.copy()
    low[ROW, column] = bars.close[ROW - 1, column] * 0.251
    volume = bars.volume.copy()
    volume[ROW:, column] *= 4
    assert told(splits(exhibit(changed(bars, low=low, volume=volume)))) == [(DAY, True)]


def test_a_crash_that_crosses_a_ratio_shows_in_turnover() -> None:
    """-52 % with the half within the day's range, on 20 times the shares: a crash, not a split."""
    bars = scaled(sound(), "SPY", {ROW: 0.48})
    high = bars.high.copy()
    high[ROW, 1] = bars.close[ROW - 1, 1] * 0.54
    volume = bars.volume.copy()
    volume[ROW, 1] = 2e7
    crash = exhibit(changed(bars, high=high, volume=volume))
    assert told(splits(crash)) == []
    assert told(jumps(crash)) == [(DAY, False)]


def test_an_announced_split_explains_only_prices_that_are_not_adjusted_for_it() -> None:
    """In adjusted prices the move of a split has no place; in raw ones nothing else is expected."""
    bars = scaled(sound(), "SPY", {ROW: 0.25})
    split = [Action("SPY", DAYS[ROW], "split", "forward_split", ratio=4.0)]
    for adjustment in ("all", "split", None):
        assert told(splits(exhibit(bars, split, adjustment=adjustment))) == [(DAY, True)]
    for adjustment in ("raw", "dividend"):
        raw = exhibit(bars, split, adjustment=adjustment)
        assert told(splits(raw)) == told(jumps(raw)) == []
        assert abs(unexplained(raw)[ROW, 1]) < 0.02


def test_an_announced_dividend_explains_prices_that_are_not_adjusted_for_it() -> None:
    bars = scaled(sound(), "SPY", {ROW: 0.7})
    paid = [Action("SPY", DAYS[ROW], "dividend", "cash_dividend", amount=30.0)]
    assert told(jumps(exhibit(bars, paid, adjustment="raw"))) == []
    assert told(jumps(exhibit(bars, paid, adjustment="split"))) == []
    assert told(jumps(exhibit(bars, paid, adjustment="all"))) == [(DAY, True)]


def test_a_spin_off_explains_any_move() -> None:
    """What it is worth is not announced; it explains its own day and no other."""
    bars = scaled(sound(), "SPY", {ROW: 0.5})
    spun = Action("SPY", DAYS[ROW], "other", "spin_off")
    assert told(jumps(exhibit(bars, [spun]))) == told(splits(exhibit(bars, [spun]))) == []
    late = Action("SPY", DAYS[ROW + 1], "other", "spin_off")
    assert told(jumps(exhibit(bars, [late]))) == [(DAY, True)]


@pytest.mark.parametrize(
    ("last", "halts"), [("75.00", False), ("82.49", False), ("82.51", True), ("67.49", True), (None, True)]
)
def test_after_a_jump_the_market_must_be_where_the_bars_say(last: str | None, halts: bool) -> None:  # noqa: FBT001 - a table's column
    """A last trade within 10 % of the last close; none at all speaks for nothing."""
    bars = scaled(sound(), "SPY", {len(DAYS) - 1: 75.0 / sound().close[-1, 1]})
    shown = exhibit(with_cell(bars, -1, "SPY", volume=9e6))
    moved = jumps(shown)
    assert told(moved) == [(f"SPY {DAYS[-1]}", False)]
    price = None if last is None else Decimal(last)
    quotes = {"SPY": Quote("SPY", Decimal(0), Decimal(0), NOW, price, NOW)}
    assert bool(trades_apart(shown, moved, quotes)) is halts
    assert told(trades_apart(shown, moved, {})) == [(f"SPY {DAYS[-1]}", True)]
    assert trades_apart(shown, [], {}) == []


def test_context_is_not_judged() -> None:
    """A jump among the sessions before the look-back is only what later ones are compared with."""
    bars = scaled(sound(), "SPY", {ROW: 0.75})
    assert told(jumps(exhibit(bars, context=ROW))) == [(DAY, True)]
    assert told(jumps(exhibit(bars, context=ROW + 1))) == []
    assert told(jumps(exhibit(bars, context=len(DAYS)))) == [(DAY, True)]  # no session would be left to judge
