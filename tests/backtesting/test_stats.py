from __future__ import annotations

import json
import math
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trimtab as tt
from backtesting.small import always, bars_of
from published.published_kit import ETF, bars, curve, table
from trimtab.backtesting.result import Result
from trimtab.backtesting.stats import MEANINGS, Stat, drawdowns, monthly, statistics, yearly
from trimtab.backtesting.terms import Costs
from trimtab.core.bars import Bars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

OPENED = 1_000.0
MIXED = (1.0, 10.0, -4.0, 2.0, 3.0, 2.0, 1.0, -10.0)
"""The daily returns, %, that empyrical's own tests use as `mixed_returns`, without their first NaN."""
NEGATIVE = (0.0, -6.0, -7.0, -1.0, -9.0, -2.0, -6.0, -8.0, -5.0)
"""Its `negative_returns`."""

moves = st.lists(
    # smaller moves than a millionth drown in what adding and taking out a contribution leaves of a float64
    st.floats(-0.3, 0.3).map(lambda move: move if abs(move) >= 1e-6 else 0.0),
    min_size=2,
    max_size=40,
)
amounts = st.floats(0.0, 5_000.0)


def days(count: int, apart: int = 1, first: date = date(2020, 1, 30)) -> NDArray[np.datetime64]:
    """Give days at a distance from each other."""
    return np.datetime64(first, "D") + (apart * np.arange(count)).astype("timedelta64[D]")


def result_of(
    value: Sequence[float] | Numbers,
    sessions: NDArray[np.datetime64],
    flow: Sequence[float] | None = None,
    benchmark: Sequence[float] | None = None,
) -> Result:
    """Give the result of a backtest that went so, without trades: equity in USD at each close."""
    curve = np.array(value, dtype=float)
    grid = curve[:, None]
    made = Bars(sessions, ("A",), grid, grid, grid, grid, grid, grid)
    return Result(
        made,
        0,
        curve,
        curve.copy(),
        None if flow is None else np.array(flow, dtype=float),
        [],
        Costs(0.0),
        [],
        {},
        benchmark=None if benchmark is None else np.array(benchmark, dtype=float),
        benchmark_name="" if benchmark is None else "B",
    )


def grown(returns: Sequence[float], flow: Sequence[float] | None = None) -> list[float]:
    """Give equity that returned so after the first session; each flow comes in at its close."""
    value = [OPENED]
    for i, part in enumerate(returns):
        value.append(value[-1] * (1 + part) + (0.0 if flow is None else flow[i]))
    return value


def found(result: Result, name: str, risk_free_pct: float = 0.0) -> float:
    """Give a statistic that is a number."""
    value = statistics(result, risk_free_pct=risk_free_pct)[name]
    assert isinstance(value, int | float), name
    return float(value)


def assert_close(one: Stat, other: Stat, name: str) -> None:
    """Say that two figures are the same, to a millionth."""
    if isinstance(one, float) and isinstance(other, float):
        assert one == pytest.approx(other, rel=1e-6, abs=1e-6), name
    else:
        assert one == other, name


def test_a_year_on_paper() -> None:
    """100, 110, 88, 132 at 2020-01-31, 02-28, 06-30 and 2021-01-31: every figure as a pencil gives it."""
    sessions = np.array(["2020-01-31", "2020-02-28", "2020-06-30", "2021-01-31"], dtype="datetime64[D]")
    stats = statistics(result_of([100.0, 110.0, 88.0, 132.0], sessions))
    years = 366 / 365.25
    growth = 100 * (1.32 ** (1 / years) - 1)
    daily = np.array([0.1, -0.2, 0.5])
    assert stats == pytest.approx(
        {
            "sessions": 4,
            "start": "2020-01-31",
            "end": "2021-01-31",
            "years": years,
            "opening_equity_usd": 100,
            "contributions_usd": 0,
            "final_equity_usd": 132,
            "profit_usd": 32,
            "total_return_pct": 32,
            "cagr_pct": growth,
            "money_weighted_return_pct": 100 * (1.32 ** (365 / 366) - 1),
            "volatility_pct": 100 * math.sqrt((0.1**2 + 0.2**2 + 0.5**2 - 3 * (0.4 / 3) ** 2) / 2 * 252),
            "downside_deviation_pct": 100 * math.sqrt(0.2**2 / 3 * 252),
            "sharpe": (0.4 / 3) / daily.std(ddof=1) * math.sqrt(252),
            "sortino": (0.4 / 3) / math.sqrt(0.2**2 / 3) * math.sqrt(252),
            "calmar": growth / 20,
            "max_drawdown_pct": -20,
            "max_drawdown_from": "2020-02-28",
            "max_drawdown_trough": "2020-06-30",
            "max_drawdown_recovered": "2021-01-31",
            "max_drawdown_days": 338,
            "longest_drawdown_days": 338,
            "ulcer_index_pct": 100 * math.sqrt(0.2**2 / 4),
            "best_day_pct": 50,
            "worst_day_pct": -20,
            "best_month_pct": 50,
            "worst_month_pct": -20,
            "positive_months_pct": 50,
            "best_year_pct": 50,
            "worst_year_pct": -12,
            "trades": 0,
            "turnover_pct_a_year": 0,
            "cost_usd": 0,
            "cost_drag_pct_a_year": 0,
            "exposure_pct": 0,
        }
    )


def test_trades_on_paper() -> None:
    """All into one symbol at the first close and out at the second, at 1 %: how the cost counts."""
    prices = bars_of({"A": [100.0, 100.0, 100.0]})

    def in_and_out(history: tt.History, _equity: float) -> dict[str, float]:
        return {"A": 1 / 1.01} if len(history.sessions) == 1 else {}

    result = tt.backtest(in_and_out, prices, rebalance="daily", cost_bps=100.0, cash=1_010.0)
    stats = result.stats
    assert result.value.tolist() == pytest.approx([1_000.0, 990.0, 990.0])
    assert stats["opening_equity_usd"] == pytest.approx(1_010.0)
    assert stats["total_return_pct"] == pytest.approx(100 * (990 / 1_010 - 1))
    assert stats["worst_day_pct"] == pytest.approx(-1.0)
    assert (stats["trades"], stats["cost_usd"]) == (2, pytest.approx(20.0))
    assert stats["exposure_pct"] == pytest.approx(100 / 3)
    assert stats["turnover_pct_a_year"] is None


def test_turnover_is_half_of_what_was_traded() -> None:
    """Over a year: half of all bought and sold, and all costs, by mean equity, a year."""
    prices = bars_of({"A": [100.0] * 300})
    result = tt.backtest(always(A=0.5), prices, rebalance=[prices.sessions[0]], cost_bps=0.0, cash=1_000.0)
    years = found(result, "years")
    assert years > 1
    assert found(result, "turnover_pct_a_year") == pytest.approx(25 / years)
    assert found(result, "exposure_pct") == pytest.approx(50)


@pytest.mark.parametrize(
    ("returns", "name", "expected"),
    [
        (MIXED, "sharpe", 1.7238613961706866),
        (MIXED, "sortino", 2.605531251673693),
        (NEGATIVE, "sharpe", -24.406808633910085),
        (NEGATIVE, "sortino", -13.532743075043401),
    ],
)
def test_the_ratios_of_empyrical(returns: Sequence[float], name: str, expected: float) -> None:
    """The values that the tests of empyrical (quantopian/empyrical, test_stats) hold; 252 days, no rate."""
    value = grown([move / 100 for move in returns])
    assert found(result_of(value, days(len(value))), name) == pytest.approx(expected, rel=1e-9)


def test_the_table_of_ffn() -> None:
    """DBC 2010-2013 as ffn's documentation prints it; half a unit of the last digit."""
    frame = table("ffn_dbc_2010_2013.csv")
    value = frame["dbc"].cast(pl.Float64).to_numpy()
    stats = statistics(result_of(value, frame["Date"].cast(pl.Date).to_numpy().astype("datetime64[D]")))
    shown = {name: stats[name] for name in ("total_return_pct", "cagr_pct", "max_drawdown_pct", "sharpe")}
    assert shown == pytest.approx(
        {"total_return_pct": 1.66, "cagr_pct": 0.41, "max_drawdown_pct": -24.34, "sharpe": 0.11}, abs=0.005
    )
    more = ("volatility_pct", "best_day_pct", "worst_day_pct", "best_month_pct", "worst_month_pct")
    assert [stats[name] for name in more] == pytest.approx([16.84, 4.34, -6.70, 9.89, -14.62], abs=0.005)


def test_a_published_curve_by_independent_formulas() -> None:
    """60/40 on real prices: total, growth, drawdown, months, years agree with the published results' kit."""
    prices = bars(ETF, ["IEF", "SPY"], "2004-01-02", "2012-12-31")
    result = tt.backtest(tt.strategies.fixed_weights(weights={"SPY": 0.6, "IEF": 0.4}), prices)
    path = curve(result, 100_000.0)
    assert found(result, "total_return_pct") == pytest.approx(path.total)
    assert found(result, "cagr_pct") == pytest.approx(path.growth(365.25))
    assert found(result, "max_drawdown_pct") == pytest.approx(path.drawdown)
    assert result.monthly["return_pct"].to_list() == pytest.approx(list(path.by("M").values()))
    assert result.yearly["return_pct"].to_list() == pytest.approx(list(path.by("Y").values()))
    assert found(result, "worst_year_pct") == pytest.approx(min(path.by("Y").values()))


@given(returns=moves, data=st.data())
def test_contributions_leave_the_time_weighted_figures_alone(
    returns: list[float], data: st.DataObject
) -> None:
    """Whatever comes in, returns, deviations and drawdowns are those of the same moves without it."""
    flow = data.draw(st.lists(amounts, min_size=len(returns), max_size=len(returns)))
    sessions = days(len(returns) + 1, apart=30)
    plain = statistics(result_of(grown(returns), sessions))
    paid = statistics(result_of(grown(returns, flow), sessions, [0.0, *flow]))
    assert paid["contributions_usd"] == pytest.approx(sum(flow))
    of_money = {"contributions_usd", "final_equity_usd", "profit_usd", "money_weighted_return_pct"}
    for name in plain.keys() - of_money:
        if not name.startswith(("max_drawdown_", "longest", "positive")) or name == "max_drawdown_pct":
            assert_close(paid[name], plain[name], name)


@given(returns=moves, flow=amounts, times=st.floats(0.01, 1_000.0))
def test_the_size_of_the_account_matters_to_nothing_but_usd(
    returns: list[float], flow: float, times: float
) -> None:
    """Equity and flows so many times as large: USD scale, all else stays."""
    flows = [flow if i % 3 == 0 else 0.0 for i in range(len(returns))]
    value, sessions = np.array(grown(returns, flows)), days(len(returns) + 1, apart=20)
    small = statistics(result_of(value, sessions, [0.0, *flows]))
    large = statistics(result_of(times * value, sessions, [0.0, *(times * part for part in flows)]))
    for name, one in small.items():
        if name in {"max_drawdown_pct", "cagr_pct", "volatility_pct", "worst_month_pct"}:
            assert_close(large[name], one, name)
        if name.endswith("_usd"):
            assert isinstance(one, float)
            assert large[name] == pytest.approx(times * one, rel=1e-6, abs=1e-6 * times), name


@given(value=st.lists(st.floats(1.0, 1_000.0), min_size=2, max_size=30))
def test_drawdowns_are_those_of_brute_force(value: list[float]) -> None:
    """The deepest is the worst loss of any pair of closes; the list covers each session below a high once."""
    result = result_of(value, days(len(value)))
    worst = min(value[j] / value[i] - 1 for i in range(len(value)) for j in range(i, len(value)))
    assert found(result, "max_drawdown_pct") == pytest.approx(100 * worst, abs=1e-9)
    names, under = [str(day) for day in result.sessions], set()
    for fall in drawdowns(result, top=len(value)):
        begin = names.index(str(fall["from"]))
        end = len(names) if fall["to"] is None else names.index(str(fall["to"]))
        assert not under & set(range(begin + 1, end))
        under |= set(range(begin + 1, end))
        assert min(value[begin + 1 : end]) == value[names.index(str(fall["trough"]))]
        assert fall["depth_pct"] == pytest.approx(100 * (min(value[begin + 1 : end]) / value[begin] - 1))
        assert fall["to"] is None or value[end] >= value[begin] * (1 - 1e-9)
    assert under == {i for i in range(len(value)) if value[i] < max(value[: i + 1]) * (1 - 1e-12)}


@given(returns=moves, flow=st.lists(st.floats(-50.0, 500.0), min_size=40, max_size=40))
@settings(deadline=None)
def test_the_money_weighted_return_discounts_everything_to_zero(
    returns: list[float], flow: list[float]
) -> None:
    """What was put in and what is left, each discounted from its day, sum to nothing."""
    flows = flow[: len(returns)]
    value, sessions = grown(returns, flows), days(len(returns) + 1, apart=200)
    stats = statistics(result_of(value, sessions, [0.0, *flows]))
    rate = stats["money_weighted_return_pct"]
    if rate is None:
        assert min(value) < 0 or value[-1] < 1e-3 * sum(map(abs, flows)) or len(returns) < 2
        return
    assert isinstance(rate, float)
    paid = [-OPENED, *(-part for part in flows)]
    paid[-1] += value[-1]
    parts = [amount * (1 + rate / 100) ** (-200 * i / 365) for i, amount in enumerate(paid)]
    assert sum(parts) == pytest.approx(0, abs=1e-7 * sum(map(abs, parts)))


def test_money_weighted_against_a_spreadsheet() -> None:
    """-10,000, 2,750, 4,250, 3,250, 2,750 on the days of the spreadsheet's own example of XIRR: 37.3363 %."""
    sessions = np.array(
        ["2008-01-01", "2008-03-01", "2008-10-30", "2009-02-15", "2009-04-01"], dtype="datetime64[D]"
    )
    value = [10_000.0, 7_000.0, 3_000.0, 500.0, 2_750.0]
    result = result_of(value, sessions, [0.0, -2_750.0, -4_250.0, -3_250.0, 0.0])
    assert found(result, "money_weighted_return_pct") == pytest.approx(37.3362535, abs=1e-5)


@given(
    value=st.lists(st.just(0.0) | st.floats(0.01, 1e6), min_size=2, max_size=20),
    flow=st.lists(st.floats(-1e5, 1e5), min_size=20, max_size=20),
    apart=st.sampled_from([1, 30, 400]),
    beside=st.booleans(),
)
def test_every_figure_is_finite_or_nothing(
    value: list[float], flow: list[float], apart: int, *, beside: bool
) -> None:
    """Whatever the curve, even one that falls to nothing: JSON can hold it, and every name is defined."""
    sessions = days(len(value), apart)
    benchmark = [100.0 + i % 3 for i in range(len(value))] if beside else None
    stats = statistics(result_of(value, sessions, flow[: len(value)], benchmark))
    json.dumps(stats, allow_nan=False)
    named = [name for name in MEANINGS if beside or name in stats]
    assert set(stats) == set(named)
    assert len(set(MEANINGS) - set(stats)) == (0 if beside else 10)


def test_a_straight_line_has_no_ratios() -> None:
    """Without any deviation, and without a fall, what is divided by them is not defined."""
    stats = statistics(result_of([100.0, 100.0, 100.0], days(3, apart=400)))
    assert (stats["volatility_pct"], stats["max_drawdown_pct"]) == (0.0, 0.0)
    assert [stats[name] for name in ("sharpe", "sortino", "calmar", "max_drawdown_from")] == [None] * 4


def test_below_a_year_nothing_is_given_a_year() -> None:
    """A span below 360 days has no compound growth, no money-weighted return, no turnover a year."""
    stats = statistics(result_of([100.0, 120.0], days(2, apart=359)))
    yearly_rates = ("cagr_pct", "money_weighted_return_pct", "turnover_pct_a_year", "calmar")
    assert [stats[name] for name in yearly_rates] == [None] * 4
    assert found(result_of([100.0, 120.0], days(2, apart=360)), "cagr_pct") > 20


def test_the_risk_free_rate_comes_off_each_day() -> None:
    """A 252nd of 25.2 % a year is 0.1 % a day, off the mean and off what counts as a loss."""
    daily = np.array([0.002, -0.001, 0.003, 0.0005])
    value = grown(daily.tolist())
    excess = daily - 0.001
    result = result_of(value, days(5))
    sharpe = excess.mean() / daily.std(ddof=1) * math.sqrt(252)
    assert found(result, "sharpe", 25.2) == pytest.approx(sharpe)
    downside = math.sqrt((np.minimum(excess, 0) ** 2).mean())
    assert found(result, "sortino", 25.2) == pytest.approx(excess.mean() / downside * math.sqrt(252))


def test_twice_the_benchmark_less_a_bit_each_day() -> None:
    """A curve that moves by 2 b - 0.0001 has a beta of 2, a correlation of 1 and an alpha of -2.52 %."""
    base = [0.01, -0.02, 0.015, 0.003, -0.004]
    own = [2 * move - 0.0001 for move in base]
    result = result_of(grown(own), days(6), benchmark=grown(base))
    assert found(result, "beta") == pytest.approx(2)
    assert found(result, "correlation") == pytest.approx(1)
    assert found(result, "alpha_pct_a_year") == pytest.approx(-2.52)
    gap = np.array(base) - 0.0001
    assert found(result, "tracking_error_pct") == pytest.approx(100 * gap.std(ddof=1) * math.sqrt(252))
    assert found(result, "information_ratio") == pytest.approx(gap.mean() / gap.std(ddof=1) * math.sqrt(252))
    assert found(result, "benchmark_return_pct") == pytest.approx(100 * (grown(base)[-1] / OPENED - 1))


@given(returns=moves)
def test_months_and_years_compound_to_the_whole(returns: list[float]) -> None:
    """The product of all months, and of all years, is the total return; each is named once."""
    result = result_of(grown(returns), days(len(returns) + 1, apart=11), benchmark=grown(returns))
    whole = 1 + found(result, "total_return_pct") / 100
    for rows in (monthly(result), yearly(result)):
        for column in ("return_pct", "benchmark_pct"):
            parts = [1 + float(row[column] or 0.0) / 100 for row in rows]
            assert math.prod(parts) == pytest.approx(whole)
    names = [(row["year"], row["month"]) for row in monthly(result)]
    assert names == sorted(set(names))


def test_a_portfolio_that_opens_with_nothing_begins_with_its_first_flow() -> None:
    """No cash, 100 paid in at the second close, 110 at the third: the return is 10 %."""
    result = result_of([0.0, 100.0, 110.0], days(3), [0.0, 100.0, 0.0])
    assert found(result, "total_return_pct") == pytest.approx(10)
    assert found(result, "profit_usd") == pytest.approx(10)


def test_the_result_gives_them_as_frames() -> None:
    """The result's statistics are the function's, and its tables have typed columns, also when empty."""
    result = result_of([100.0, 90.0, 101.0], days(3))
    assert result.stats == statistics(result)
    result.stats["sessions"] = 0
    assert result.stats["sessions"] == 3
    assert result.drawdowns.schema == {
        "from": pl.Date,
        "trough": pl.Date,
        "to": pl.Date,
        "depth_pct": pl.Float64,
        "days": pl.Int64,
    }
    assert result.drawdowns.row(0)[:3] == (date(2020, 1, 30), date(2020, 1, 31), date(2020, 2, 1))
    assert result.monthly.rows() == [
        (2020, 1, pytest.approx(-10.0), None),
        (2020, 2, pytest.approx(100 * 11 / 90), None),
    ]
    assert result.yearly.rows() == [(2020, pytest.approx(1.0), None)]
    assert len(result_of([100.0, 101.0], days(2)).drawdowns) == 0
