from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trimtab as tt
from sweeping.kit import SYMBOLS, made_up
from trimtab.backtesting.track import track_of
from trimtab.core.bars import Bars
from trimtab.sweeping.cells import Cell, Window
from trimtab.sweeping.judged import Outcome, following, picks, pooled, standings, summary
from trimtab.sweeping.trial import Common, moments, trial

BARS = made_up()
COMMON = Common("exact", 100_000.0, fractional=True, config=None)
WINDOW = Window("2016-01-04", "2016-12-30", "2017-06-30")


def rule(top_n: int = 2) -> object:
    """Give momentum over a quarter."""
    return tt.strategies.momentum(list(SYMBOLS), top_n, lookback=63)


def cell(window: Window, combination: int = 0) -> Cell:
    """Give a cell that decides monthly."""
    return Cell(combination, "momentum", {"top_n": 2}, "all", "monthly", "close", 10.0, window)


def test_in_sample_is_the_backtest_of_the_same_dates() -> None:
    """Every figure, to the digits that are kept."""
    found = trial(cell(Window("2016-06-01", "2017-12-29")), rule(), BARS, COMMON)  # type: ignore[arg-type]  # a strategy
    told = tt.backtest(rule(), BARS, start="2016-06-01", end="2017-12-29", rebalance="monthly").stats  # type: ignore[arg-type]  # as above
    assert found["out_of_sample"] is None
    kept = {name: found["in_sample"][name] for name in told}
    assert kept == {n: pytest.approx(v, rel=1e-11) if isinstance(v, float) else v for n, v in told.items()}


def test_out_of_sample_begins_invested_at_the_last_close_to_choose_by() -> None:
    """It decides there, and then at its periods' ends; no day before counts."""
    asked = []

    def watched(history: tt.History, equity: float) -> dict[str, float]:
        asked.append((str(history.sessions[-1]), equity))
        return dict.fromkeys(SYMBOLS, 1 / len(SYMBOLS))

    found = trial(cell(WINDOW), watched, BARS, COMMON)["out_of_sample"]
    after = [day for day, _ in asked if day >= WINDOW.end]
    assert after == ["2016-12-30", "2017-01-31", "2017-02-28", "2017-03-31", "2017-04-28", "2017-05-31"]
    assert dict(asked)["2016-12-30"] == 100_000.0
    assert found["start"] == "2016-12-30"
    assert found["end"] == "2017-06-30"
    assert found["exposure_pct"] > 95


def test_what_comes_after_a_window_does_not_reach_into_it() -> None:
    """In sample the same figures, whatever the prices after its end."""
    later = BARS.sessions > np.datetime64(WINDOW.end)
    grids = {
        name: np.where(later[:, None], getattr(BARS, name) * 3.7, getattr(BARS, name))
        for name in ("open", "high", "low", "close", "volume", "raw_close")
    }
    other = Bars(BARS.sessions, BARS.symbols, **grids)
    one, two = (trial(cell(WINDOW), rule(), bars, COMMON) for bars in (BARS, other))  # type: ignore[arg-type]  # a strategy
    assert one["in_sample"] == two["in_sample"]
    assert one["out_of_sample"] != two["out_of_sample"]


@given(st.lists(st.lists(st.floats(-0.05, 0.05), min_size=2, max_size=40), min_size=1, max_size=6))
def test_pooled_windows_are_as_one(parts: list[list[float]]) -> None:
    """The ratio of all days together, from each part's count, mean and deviation alone."""
    sides = [
        {**moments(np.array(part)), "total_return_pct": 100 * (np.prod(1 + np.array(part)) - 1)}
        for part in parts
    ]
    days = np.concatenate([np.array(part) for part in parts])
    found = pooled(sides)
    assert found["daily_returns"] == len(days)
    assert found["total_return_pct"] == pytest.approx(100 * (np.prod(1 + days) - 1), abs=1e-9)
    if days.std() > 1e-5:
        assert found["sharpe"] == pytest.approx(days.mean() / days.std(ddof=1) * np.sqrt(252), abs=1e-6)


def outcome(combination: int, before: float | None, after: float | None) -> Outcome:
    """Give an outcome with these Sharpe ratios a year."""
    daily = None if before is None else before / np.sqrt(252)
    shape = {"daily_mean": daily, "daily_deviation": 1.0, "daily_returns": 250}
    side = {"sharpe": before, **shape, "daily_skewness": 0.0, "daily_kurtosis": 3.0}
    return Outcome(cell(WINDOW, combination), str(combination), side, {"sharpe": after})


def test_a_pick_is_the_best_in_sample_and_told_its_place_after() -> None:
    """Its rank among all out of sample, and the median; one without a ratio is no try."""
    tried = [outcome(0, 0.5, 1.0), outcome(1, 1.5, 0.2), outcome(2, 1.0, 0.7), outcome(3, None, None)]
    (pick,) = picks(tried)
    assert (pick.best.cell.combination, pick.trials, pick.rank, pick.ranked) == (1, 3, 3, 3)
    assert pick.after_median == pytest.approx(0.7)
    assert 0 < pick.by_luck < 1.5
    assert [one.cell.combination for one in standings(tried)] == [1, 2, 0, 3]


def months(first: int, step: int, count: int) -> list[Window]:
    """Give windows of a year to choose by and half a year to judge by, one each `step` months."""
    firsts = [
        str(np.datetime64("2010-01") + np.timedelta64(i, "M")) + "-01"
        for i in range(first, first + step * count + 18)
    ]
    return [Window(*(firsts[i + k] for k in (0, 12, 18))) for i in range(0, step * count, step)]


def judged(windows: list[Window]) -> list[Outcome]:
    """Give one combination that gains 10 % in each window, and in the 126 sessions after it."""
    side = {**moments(np.array([0.01, -0.005] * 63)), "sharpe": 1.0, "total_return_pct": 10.0}
    return [Outcome(cell(window), window.start, side, side) for window in windows]


@pytest.mark.parametrize(
    ("windows", "counted"),
    [
        (months(0, 6, 4), 4),
        (months(0, 9, 3), 3),
        (months(0, 3, 8), 4),
        (months(0, 6, 4) + months(3, 6, 4), 4),
        (months(3, 6, 4) + months(0, 6, 4)[::-1], 4),
        (months(0, 1, 6), 1),
    ],
)
def test_only_windows_that_follow_one_another_are_compounded(windows: list[Window], counted: int) -> None:
    """Of half years that overlap the earliest counts: its sessions are had once."""
    found = summary(judged(windows))
    after = found["out_of_sample"]
    assert (after["windows"], after["daily_returns"]) == (counted, counted * 126)
    assert after["total_return_pct"] == pytest.approx(100 * (1.1**counted - 1))
    assert len(found["picks"]) == len(windows)
    spans = [(pick.window.end, pick.window.test_end) for pick in following(picks(judged(windows)))]
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))


def test_sessions_to_choose_by_that_overlap_have_no_return_together() -> None:
    """A year each half year; those of years apart have one. Without sessions to judge by it is the same."""
    assert summary(judged(months(0, 6, 4)))["in_sample"]["total_return_pct"] is None
    assert summary(judged(months(0, 6, 4)))["in_sample"]["sharpe"] is not None
    apart = summary(judged(months(0, 13, 2)))["in_sample"]
    assert apart["total_return_pct"] == pytest.approx(21.0)
    plain = [Window("2010-01-04", "2010-12-31"), Window("2010-06-01", "2011-12-30")]
    found = summary(judged(plain))
    assert (found["out_of_sample"], found["in_sample"]["total_return_pct"]) == (None, None)


def test_the_sharpe_ratio_of_moments_is_the_statistics() -> None:
    """The deflated ratio is of the same returns as the figure that is shown."""
    result = tt.backtest(rule(), BARS)  # type: ignore[arg-type]  # a strategy
    shape = moments(track_of(result).daily)
    ratio = (shape["daily_mean"] or 0) / (shape["daily_deviation"] or 1) * np.sqrt(252)
    assert ratio == pytest.approx(result.stats["sharpe"])
