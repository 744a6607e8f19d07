from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.exhibits import DAYS, exhibit, sound, told, with_cell
from trimtab.core.gates import GATES
from trimtab.core.gates.prices import bad_prices, impossible_bars, opens_outside, quiet, wild_ranges
from trimtab.core.limits import Gates

THIRD = f"SPY {DAYS[3]}"


@given(
    st.sampled_from(["open", "high", "low", "close"]),
    st.sampled_from([0.0, -0.01, np.inf, -np.inf]),
    st.integers(0, len(DAYS) - 1),
    st.sampled_from(["AGG", "SPY", "TLT"]),
)
def test_a_price_that_is_none_halts(field: str, price: float, row: int, symbol: str) -> None:
    """Zero, negative or infinite, in any price column, of any session and symbol."""
    found = bad_prices(exhibit(with_cell(sound(), row, symbol, **{field: price})))
    assert told(found) == [(f"{symbol} {DAYS[row]}", True)]


@pytest.mark.parametrize("field", ["open", "high", "low", "volume"])
def test_a_bar_that_lacks_a_value_halts(field: str) -> None:
    found = bad_prices(exhibit(with_cell(sound(), 3, "SPY", **{field: np.nan})))
    assert told(found) == [(THIRD, True)]


@pytest.mark.parametrize("volume", [-1.0, np.inf])
def test_a_volume_that_is_none_halts(volume: float) -> None:
    assert told(bad_prices(exhibit(with_cell(sound(), 3, "SPY", volume=volume)))) == [(THIRD, True)]


@pytest.mark.parametrize(
    ("low", "high", "close", "doubted"),
    [
        (99.0, 101.0, 100.0, False),
        (100.0, 100.0, 100.0, False),
        (101.0, 99.0, 100.0, True),  # high below low
        (99.0, 101.0, 101.0100, False),  # 1e-4 above the high
        (99.0, 101.0, 101.0103, True),
        (99.0, 101.0, 98.9902, False),  # 1e-4 below the low
        (99.0, 101.0, 98.9900, True),
    ],
)
def test_a_bar_must_not_contradict_itself(low: float, high: float, close: float, doubted: bool) -> None:  # noqa: FBT001 - a table's column
    """Low, close and high stand in this order, within 1e-4 for a vendor's rounding."""
    bars = with_cell(sound(), 3, "SPY", low=low, high=high, close=close)
    assert told(impossible_bars(exhibit(bars))) == ([(THIRD, True)] if doubted else [])


@pytest.mark.parametrize(
    ("opened", "doubted"), [(101.01, False), (101.02, True), (98.991, False), (98.9, True)]
)
def test_an_open_outside_only_warns(opened: float, doubted: bool) -> None:  # noqa: FBT001 - a table's column
    bars = with_cell(sound(), 3, "SPY", open=opened)
    assert told(opens_outside(exhibit(bars))) == ([(THIRD, False)] if doubted else [])


@pytest.mark.parametrize(
    ("values", "doubted"),
    [({"low": 70.0}, False), ({"low": 69.99}, True), ({"high": 140.0}, False), ({"high": 140.01}, True)],
)
def test_a_wild_low_or_high_warns(values: dict[str, float], doubted: bool) -> None:  # noqa: FBT001 - a table's column
    bars = with_cell(sound(), 3, "SPY", **values)
    assert told(wild_ranges(exhibit(bars))) == ([(THIRD, False)] if doubted else [])


@pytest.mark.parametrize("still", [{"volume": 0.0}, {"open": 50.0, "high": 50.0, "low": 50.0, "close": 50.0}])
@pytest.mark.parametrize(("length", "halts"), [(1, False), (2, False), (3, True), (4, True)])
def test_three_quiet_bars_in_a_row_halt(still: dict[str, float], length: int, halts: bool) -> None:  # noqa: FBT001 - a table's column
    """No volume, or one price all day; told once, at the last of the row."""
    bars = sound()
    for row in range(3, 3 + length):
        bars = with_cell(bars, row, "SPY", **still)
    (found,) = quiet(exhibit(bars))
    assert (found.name, found.halts) == (f"SPY {DAYS[2 + length]}", halts)
    assert found.seen == f"{length} in a row, up to this one"


def test_quiet_bars_apart_are_told_apart() -> None:
    """A bar with volume between them starts the count anew; the limit is the owner's."""
    bars = sound()
    for row in (3, 4, 6, 7):
        bars = with_cell(bars, row, "SPY", volume=0.0)
    assert told(quiet(exhibit(bars))) == [(f"SPY {DAYS[4]}", False), (f"SPY {DAYS[7]}", False)]
    strict = exhibit(bars, limits=Gates(quiet_sessions=2))
    assert told(quiet(strict)) == [(f"SPY {DAYS[4]}", True), (f"SPY {DAYS[7]}", True)]


def test_what_the_owner_accepts_is_no_longer_told() -> None:
    """One bar, and not its neighbour."""
    bars = with_cell(with_cell(sound(), 3, "SPY", high=0.0), 4, "SPY", high=0.0)
    limits = Gates(accept=(THIRD,))
    assert told(bad_prices(exhibit(bars, limits=limits))) == [(f"SPY {DAYS[4]}", True)]


@pytest.mark.parametrize("gate", GATES)
def test_no_gate_stumbles(gate: str) -> None:
    """No bars, one session, one symbol, holes, and numbers that are none: each is judged, none raises."""
    empty = sound(())
    nothing = sound(days=[])
    holes = with_cell(sound(), 3, "SPY", **dict.fromkeys(("open", "high", "low", "close"), np.nan))
    wrong = with_cell(sound(), 3, "SPY", close=0.0, volume=np.nan, raw_close=-1.0)
    for bars in (empty, nothing, sound(days=DAYS[:1]), sound(("SPY",)), holes, wrong):
        assert isinstance(GATES[gate](exhibit(bars)), list)
