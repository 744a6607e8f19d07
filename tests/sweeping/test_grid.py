from __future__ import annotations

import json
from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeping.kit import GRID, SYMBOLS, made_up
from trimtab.errors import Misconfigured
from trimtab.sweep import read_grid
from trimtab.sweeping.cells import MOST_CELLS, Cell, Window, cells_of, combinations, windows
from trimtab.sweeping.grid import Grid, Sample

if TYPE_CHECKING:
    from pathlib import Path


def test_a_range_holds_the_numbers_as_they_are_written() -> None:
    """Both ends included; no float dust from adding up."""
    grid = Grid.of(
        {"params": {"a": {"from": 0.1, "to": 0.7, "step": 0.2}, "b": {"from": 5, "to": 9, "step": 3}}}
    )
    assert grid.params == {"a": (0.1, 0.3, 0.5, 0.7), "b": (5, 8)}
    assert all(isinstance(value, int) for value in grid.params["b"])


@given(begin=st.integers(-50, 50), step=st.integers(1, 9), count=st.integers(1, 40), tenths=st.booleans())
def test_a_range_is_its_first_and_steps(*, begin: int, step: int, count: int, tenths: bool) -> None:
    """Value i is first + i x step, to the last one that is not above `to`."""
    unit = Decimal("0.1") if tenths else Decimal(1)
    first, by = begin * unit, step * unit
    make = float if tenths else int
    document = {"from": make(first), "to": make(first + (count - 1) * by), "step": make(by)}
    assert Grid.of({"params": {"x": document}}).params["x"] == tuple(
        make(first + i * by) for i in range(count)
    )


@pytest.mark.parametrize(
    ("document", "seen", "allowed"),
    [
        ({"parms": {}}, "parms", "params"),
        ({"sample": {"m": 3}}, "sample.m", "n, seed"),
        ({"params": {"x": []}}, "[]", "one value or more"),
        ({"params": {"x": [1, 2, 1]}}, "[1, 2, 1]", "each value once"),
        ({"params": {"x": {"a": 1}}}, '{"a": 1}', "a list of one"),
        ({"params": {"x": {"from": 1, "to": 0, "step": 1}}}, '{"from": 1', "to at or above from"),
        ({"params": {"x": {"from": 1, "to": True, "step": 1}}}, '{"from": 1', "finite numbers"),
        ({"params": {"x": {"from": 0, "to": 1, "step": 1e-9}}}, '{"from": 0', "at most 10,000"),
        ({"starts": ["2020-13-01"]}, "2020-13-01", "YYYY-MM-DD"),
        ({"universes": {"a": ["spy"]}}, "spy", None),
        ({"universes": {"a": ["SPY", "SPY"]}}, '["SPY", "SPY"]', "each value once"),
        ({"fill": "later"}, "later", None),
        ({"cost_bps": [-1]}, "-1", None),
        ({"walk_forward": {"train": 250}}, "", None),
        ([1], "[1]", "params"),
    ],
)
def test_a_wrong_grid_is_refused_with_what_was_seen(document: object, seen: str, allowed: str | None) -> None:
    """And with what is allowed, where a sentence can say it."""
    with pytest.raises(Misconfigured) as refused:
        Grid.of(document)
    assert refused.value.code == "grid"
    assert seen in str(refused.value.seen)
    assert allowed is None or allowed in str(refused.value.allowed)


@pytest.mark.parametrize("text", ["{", '{"cash": 1, "cash": 2}', '{"cash": NaN}', "[" * 99_999])
def test_a_file_that_is_no_grid_is_refused(tmp_path: Path, text: str) -> None:
    """Broken JSON, a key that stands there twice, no number, nested without end, a file that is not there."""
    path = tmp_path / "grid.json"
    for wanted in (path, path):
        with pytest.raises(Misconfigured, match="no grid that can be read"):
            read_grid(wanted)
        path.write_text(text)


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_without_a_sample_every_combination_comes_once(sizes: list[int]) -> None:
    """In the order of the axes, the last turning fastest."""
    assert combinations(sizes, None) == list(product(*map(range, sizes)))


@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4), n=st.integers(1, 50), seed=st.integers(0, 99)
)
def test_a_sample_is_a_part_of_all_and_always_the_same(sizes: list[int], n: int, seed: int) -> None:
    """As many as asked for, none twice, in the order of all."""
    everything = list(product(*map(range, sizes)))
    drawn = combinations(sizes, Sample(n=n, seed=seed))
    assert drawn == combinations(sizes, Sample(n=n, seed=seed))
    assert len(drawn) == min(n, len(everything))
    assert drawn == [one for one in everything if one in set(drawn)]


def test_a_sample_of_a_huge_grid_is_drawn_without_listing_it() -> None:
    """10^15 combinations; the draw is even over them."""
    drawn = combinations([1000] * 5, Sample(n=2000, seed=3))
    first = [places[0] for places in drawn]
    assert 440 < sum(first) / len(first) < 560


def test_too_many_cells_are_refused() -> None:
    """Windows count; a sample helps."""
    with pytest.raises(Misconfigured, match="too many cells"):
        combinations([MOST_CELLS // 2], None, windows=3)
    assert len(combinations([MOST_CELLS], Sample(n=10), windows=3)) == 10


def test_a_walk_forward_splits_without_overlap_of_test_and_train() -> None:
    """Each test follows its train at once, and the tests follow one another."""
    bars = made_up()
    days = [str(day) for day in bars.sessions]
    found = windows(Grid.of(GRID), bars)
    places = [(days.index(w.start), days.index(w.end), days.index(w.test_end or "")) for w in found]
    assert places == [(i * 125, i * 125 + 249, i * 125 + 374) for i in range(4)]


def test_starts_and_ends_make_windows() -> None:
    """Each start with each end, on sessions of the data; a pair without data is refused."""
    bars = made_up()
    found = windows(Grid.of({"starts": ["2016-01-01", "2017-01-01"], "ends": [None, "2018-06-30"]}), bars)
    assert [(w.start, w.end) for w in found] == [
        ("2016-01-04", "2018-12-28"),
        ("2016-01-04", "2018-06-29"),
        ("2017-01-03", "2018-12-28"),
        ("2017-01-03", "2018-06-29"),
    ]
    with pytest.raises(Misconfigured, match="two sessions or more"):
        windows(Grid.of({"starts": "2018-01-01", "ends": "2017-01-01"}), bars)
    with pytest.raises(Misconfigured, match="not one split fits"):
        windows(Grid.of({"walk_forward": {"train": 700, "test": 100}}), bars)


def test_a_cell_is_named_by_all_that_decides_its_result() -> None:
    """Its params, terms and window, what all share, the prices and the code; the number is not among them."""
    spans = [Window("2016-01-04", "2016-12-30", "2017-06-30"), Window("2016-01-04", "2016-12-30")]
    grid = Grid.of({"params": {"top_n": [1, 2]}, "rebalance": ["monthly", "weekly"], "cost_bps": [0, 10]})
    cells = cells_of(grid, spans, strategy="momentum", base={"symbols": list(SYMBOLS)}, universes=["a", "b"])
    names = [cell.digest("common", "prices", "code") for cell in cells]
    assert len(set(names)) == len(cells) == 2 * 2 * 2 * 2 * 2
    one = cells[5]
    again = Cell.of(json.loads(json.dumps(one.document())), combination=99)
    assert again.digest("common", "prices", "code") == names[5]
    others = [
        one.digest(*three)
        for three in (("x", "prices", "code"), ("common", "x", "code"), ("common", "prices", "x"))
    ]
    assert not set(others) & set(names)
