from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from core.exhibits import DAYS, changed, scaled, sound, told
from trimtab.core.actions import Action
from trimtab.core.bars import FIELDS, Bars
from trimtab.core.gates import judge_file
from trimtab.core.gates.file import basis_of, due_in
from trimtab.core.limits import Gates

ROW = 20
SPLIT = Action("SPY", DAYS[ROW], "split", "split", ratio=4.0)
PAID = Action("SPY", DAYS[10], "dividend", "dividend", amount=1.0)


def traded(bars: Bars) -> Bars:
    """Give adjusted bars with the closes that were traded before a split of 4 for 1."""
    raw = bars.raw_close.copy()
    raw[:ROW, 1] *= 4.0
    return changed(bars, raw_close=raw)


@pytest.mark.parametrize(
    ("bars", "actions", "basis"),
    [
        (sound(), [], (None, True)),
        (traded(sound()), [], (None, True)),  # nobody says what moved the factor
        (traded(sound()), [SPLIT], ("all", True)),
        (scaled(sound(), "SPY", {0: 4.0, ROW: 0.25}), [SPLIT], ("raw", True)),
        (sound(), [SPLIT], ("split", False)),
        (sound(), [PAID], ("raw", True)),
        (sound(), [Action("QQQ", DAYS[ROW], "split", "split", ratio=4.0)], ("raw", True)),
    ],
)
def test_the_basis_is_told_from_prices_and_actions(
    bars: Bars, actions: list[Action], basis: tuple[str | None, bool]
) -> None:
    """As traded, adjusted for splits, adjusted for all, or nothing tells."""
    assert basis_of(bars, actions) == basis


def test_a_sound_file_is_sound_on_each_basis() -> None:
    """The same market, as traded, adjusted with the traded close beside, or adjusted for splits alone."""
    for bars in (traded(sound()), scaled(sound(), "SPY", {0: 4.0, ROW: 0.25}), sound()):
        volume = bars.volume.copy()
        assert judge_file(changed(bars, volume=volume), [SPLIT], Gates()) == []


def test_a_lost_session_and_a_symbol_that_ends_are_told() -> None:
    """A session that no symbol has would halt a run; a symbol that ends may be delisted."""
    grids = {name: getattr(sound(), name).copy() for name in (*FIELDS, "raw_close")}
    for grid in grids.values():
        grid[30:, 2] = np.nan
    kept = [row for row in range(len(DAYS)) if row != 5]
    bars = Bars(sound().sessions[kept], sound().symbols, **{name: grid[kept] for name, grid in grids.items()})
    found = judge_file(bars, [], Gates())
    assert [(finding.rule, finding.symbol, finding.session, finding.halts) for finding in found] == [
        ("sessions", "", DAYS[5], True),
        ("stale", "TLT", DAYS[29], False),
    ]


def test_before_1998_a_files_own_sessions_count() -> None:
    """The calendar's rules begin there."""
    days = [date(1997, 12, 29), date(1997, 12, 31), date(1998, 1, 2), date(1998, 1, 6)]
    assert due_in(sound(days=days)).astype(str).tolist() == [
        *("1997-12-29", "1997-12-31"),
        *("1998-01-02", "1998-01-05", "1998-01-06"),
    ]
    assert len(due_in(sound(days=[]))) == 0
    assert told(judge_file(sound(days=[]), [], Gates())) == []
