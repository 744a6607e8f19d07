"""Statistics: what a backtest's curve and trades amount to; units in the names, definitions in `MEANINGS`.

Everything but the money-weighted return is made from the time-weighted daily returns of `track`:
contributions neither help nor hurt. The first session's counts in every compounded figure, and not in means
and deviations, which take the n - 1 returns from one close to the next. The risk-free rate is a parameter,
% a year, 0 unless given; a day's part is its 252nd.

Sources: no annualised return below a year: GIPS Standards 2020 (CFA Institute), 2.A. Sharpe ratio: Sharpe,
"The Sharpe Ratio", J. of Portfolio Management 21(1), 1994. Sortino ratio: Sortino and van der Meer, "Downside
Risk", J. of Portfolio Management 17(4), 1991. Calmar ratio: Young, "Calmar Ratio: A Smoother Tool",
Futures 20(1), 1991. Ulcer index: Martin and McCann, "The Investor's Guide to Fidelity Funds", 1989. Alpha:
Jensen, "The Performance of Mutual Funds in the Period 1945-1964", J. of Finance 23(2), 1968. Tracking error,
information ratio: Goodwin, "The Information Ratio", Financial Analysts J. 54(4), 1998. Compounding, drawdown,
turnover: Bacon, "Practical Portfolio Performance Measurement and Attribution", 2nd ed. 2008.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from trimtab.backtesting.track import (
    DAYS_A_YEAR,
    STILL,
    Stat,
    Track,
    Unit,
    benchmark_track,
    flow_of,
    money_weighted,
    opening_of,
    track_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from trimtab.backtesting.result import Result

    Numbers = NDArray[np.float64]

__all__ = ["MEANINGS", "Stat", "drawdowns", "monthly", "of_track", "statistics", "yearly"]

SESSIONS_A_YEAR = 252
ROOT = math.sqrt(SESSIONS_A_YEAR)
"""What a daily deviation is multiplied by to be one a year."""

MEANINGS: Mapping[str, str] = {
    "sessions": "Trading days from the first to the last, both counted.",
    "start": "The first session.",
    "end": "The last session.",
    "years": "Calendar days from the first to the last session, by 365.25.",
    "opening_equity_usd": "What the portfolio opened with, before its first trade.",
    "contributions_usd": "What was paid in later, less what was taken out.",
    "final_equity_usd": "What the portfolio was worth at the last close.",
    "profit_usd": "Final equity, less opening equity and contributions.",
    "total_return_pct": "Time-weighted: the returns of all sessions compounded; contributions left out.",
    "cagr_pct": "Compound annual growth rate: the yearly return that compounds to the total return over the "
    "calendar days, 365.25 a year. Not given below a year.",
    "money_weighted_return_pct": "The yearly rate that discounts opening equity, contributions and final "
    "equity to zero (XIRR, actual days over 365): what each dollar earned while it was in.",
    "volatility_pct": "Standard deviation of daily returns (n - 1), times the root of 252.",
    "downside_deviation_pct": "Root of the mean square of daily returns below the risk-free rate, those "
    "above it counted as zero, times the root of 252.",
    "sharpe": "Mean daily return above the risk-free rate by the standard deviation of it, times the root "
    "of 252.",
    "sortino": "Mean daily return above the risk-free rate by the downside deviation, times the root of 252.",
    "calmar": "Compound annual growth rate by the depth of the largest drawdown, over the whole span.",
    "max_drawdown_pct": "The largest fall of the time-weighted curve below its highest close so far.",
    "max_drawdown_from": "The session of the high before the largest drawdown.",
    "max_drawdown_trough": "The session of its lowest close.",
    "max_drawdown_recovered": "The first session back at the high; none if it has not come back.",
    "max_drawdown_days": "Calendar days from that high to the recovery, or to the last session.",
    "longest_drawdown_days": "The most calendar days from a high to the recovery, or to the last session.",
    "ulcer_index_pct": "Root of the mean square of the daily drawdowns: deep and long ones weigh most.",
    "best_day_pct": "The highest return of a session.",
    "worst_day_pct": "The lowest return of a session.",
    "best_month_pct": "The highest return of a calendar month; the first and last may be parts.",
    "worst_month_pct": "The lowest return of a calendar month; the first and last may be parts.",
    "positive_months_pct": "Months with a return above zero, of all months.",
    "best_year_pct": "The highest return of a calendar year; the first and last may be parts.",
    "worst_year_pct": "The lowest return of a calendar year; the first and last may be parts.",
    "trades": "Orders that traded.",
    "turnover_pct_a_year": "One-sided: half of all that was bought and sold, by mean equity, a year. The "
    "first purchase counts.",
    "cost_usd": "What all trades cost together.",
    "cost_drag_pct_a_year": "Cost by mean equity, a year.",
    "exposure_pct": "The mean part of equity that was invested at a close; the rest was cash.",
    "benchmark_return_pct": "The benchmark's return over the same sessions.",
    "benchmark_cagr_pct": "The benchmark's compound annual growth rate.",
    "benchmark_volatility_pct": "The benchmark's volatility, defined as the portfolio's.",
    "benchmark_sharpe": "The benchmark's Sharpe ratio, defined as the portfolio's.",
    "benchmark_max_drawdown_pct": "The benchmark's largest fall below its highest close so far.",
    "alpha_pct_a_year": "Jensen's alpha: mean daily return above the risk-free rate, less beta times the "
    "benchmark's, times 252.",
    "beta": "Covariance of daily returns with the benchmark's, by the benchmark's variance.",
    "correlation": "Of daily returns with the benchmark's.",
    "tracking_error_pct": "Standard deviation of the daily difference to the benchmark (n - 1), times the "
    "root of 252.",
    "information_ratio": "Mean daily difference to the benchmark by its standard deviation, times the root "
    "of 252.",
}
"""What each figure is, in plain words."""


def statistics(result: Result, *, risk_free_pct: float = 0.0) -> dict[str, Stat]:
    """Give every figure of `MEANINGS`, those of a benchmark only where there is one.

    `risk_free_pct` is % a year. Figures are finite; None where one is not defined.
    """
    track, other = track_of(result), benchmark_track(result)
    rate = risk_free_pct / 100 / SESSIONS_A_YEAR
    figures: dict[str, object] = {
        "sessions": len(track.sessions),
        "start": str(track.sessions[0]),
        "end": str(track.sessions[-1]),
        "years": track.days / DAYS_A_YEAR,
        **_money(result, track),
        **_risk(track, rate, SESSIONS_A_YEAR),
        **_falls(track),
        **_extremes(track),
        **_trading(result, track),
        **({} if other is None else _against(track, other, rate, SESSIONS_A_YEAR)),
    }
    return {name: _plain(value) for name, value in figures.items()}


def of_track(
    track: Track, other: Track | None, *, risk_free_pct: float = 0.0, a_year: float = SESSIONS_A_YEAR
) -> dict[str, Stat]:
    """Give the figures of `MEANINGS` that a curve alone tells, and those against another of its sessions.

    `risk_free_pct` is % a year; `a_year` how many of the track's returns make one: fewer than 252 where its
    closes lie further apart than a session. Figures are finite; None where one is not defined.
    """
    rate = risk_free_pct / 100 / a_year
    figures: dict[str, object] = {
        "sessions": len(track.sessions),
        "years": track.days / DAYS_A_YEAR,
        "total_return_pct": 100 * (track.index[-1] - 1),
        "cagr_pct": track.growth_pct(),
        **_risk(track, rate, a_year),
        **_falls(track),
        **_extremes(track),
        **({} if other is None else _against(track, other, rate, a_year)),
    }
    return {name: _plain(value) for name, value in figures.items()}


def drawdowns(result: Result, top: int = 10) -> list[dict[str, Stat]]:
    """Give the deepest falls below the highest close so far: from, trough, to, depth_pct, days.

    The deepest comes first. `from` is the session of the high, `to` the first one back at it (None: not yet),
    `days` the calendar days between them, or until the last session. `depth_pct` is negative.
    """
    return track_of(result).drawdowns(top)


def monthly(result: Result) -> list[dict[str, Stat]]:
    """Give each calendar month's return: year, month, return_pct, benchmark_pct (None without one).

    The first is against the opening equity; it and the last may be parts of a month.
    """
    return [
        {"year": int(name[:4]), "month": int(name[5:]), "return_pct": own, "benchmark_pct": other}
        for name, own, other in _by(result, "M")
    ]


def yearly(result: Result) -> list[dict[str, Stat]]:
    """Give each calendar year's return: year, return_pct, benchmark_pct (None without one), as `monthly`."""
    return [
        {"year": int(name), "return_pct": own, "benchmark_pct": other}
        for name, own, other in _by(result, "Y")
    ]


def _by(result: Result, unit: Unit) -> list[tuple[str, Stat, Stat]]:
    own, other = track_of(result).periods(unit), benchmark_track(result)
    besides = [None] * len(own) if other is None else [move for _, move in other.periods(unit)]
    return [(name, _plain(move), _plain(base)) for (name, move), base in zip(own, besides, strict=True)]


def _plain(value: object) -> Stat:
    """Give a figure as JSON holds it: finite, or None."""
    if value is None or isinstance(value, str | int):
        return value
    number = float(value)  # type: ignore[arg-type]  # what is left is a number
    return number if math.isfinite(number) else None


def _money(result: Result, track: Track) -> dict[str, object]:
    opening, paid, final = opening_of(result), float(flow_of(result).sum()), float(result.value[-1])
    return {
        "opening_equity_usd": opening,
        "contributions_usd": paid,
        "final_equity_usd": final,
        "profit_usd": final - opening - paid,
        "total_return_pct": 100 * (track.index[-1] - 1),
        "cagr_pct": track.growth_pct(),
        "money_weighted_return_pct": money_weighted(result) if track.years else None,
    }


def _deviation(daily: Numbers) -> float | None:
    """Give the standard deviation (n - 1); None where it is none, or noise."""
    deviation = float(daily.std(ddof=1)) if len(daily) > 1 else 0.0
    return deviation if deviation > STILL else None


def _ratio(daily: Numbers, deviation: float | None, root: float) -> float | None:
    """Give the mean by a deviation, times the root of the returns a year."""
    return None if deviation is None else float(daily.mean()) / deviation * root


def _risk(track: Track, rate: float, a_year: float) -> dict[str, object]:
    excess, root = track.daily - rate, math.sqrt(a_year)
    downside = float(np.sqrt(np.mean(np.minimum(excess, 0) ** 2))) if len(excess) else 0.0
    return {
        "volatility_pct": 100 * root * float(track.daily.std(ddof=1)) if len(excess) > 1 else None,
        "downside_deviation_pct": 100 * root * downside,
        "sharpe": _ratio(excess, _deviation(excess), root),
        "sortino": _ratio(excess, downside if downside > STILL else None, root),
    }


def _falls(track: Track) -> dict[str, object]:
    growth, falls = track.growth_pct(), track.drawdowns(1)
    nothing: dict[str, Stat] = {"from": None, "trough": None, "to": None, "depth_pct": 0.0, "days": 0}
    worst = falls[0] if falls else nothing
    depth = float(worst["depth_pct"] or 0.0)
    return {
        "calmar": None if growth is None or depth == 0 else growth / -depth,
        "max_drawdown_pct": depth,
        "max_drawdown_from": worst["from"],
        "max_drawdown_trough": worst["trough"],
        "max_drawdown_recovered": worst["to"],
        "max_drawdown_days": worst["days"],
        "longest_drawdown_days": track.longest_fall(),
        "ulcer_index_pct": 100 * float(np.sqrt(np.mean(track.under**2))),
    }


def _extremes(track: Track) -> dict[str, object]:
    days = 100 * track.daily
    months = np.array([move for _, move in track.periods("M")])
    years = np.array([move for _, move in track.periods("Y")])
    return {
        "best_day_pct": days.max() if len(days) else None,
        "worst_day_pct": days.min() if len(days) else None,
        "best_month_pct": months.max(),
        "worst_month_pct": months.min(),
        "positive_months_pct": 100 * np.mean(months > 0),
        "best_year_pct": years.max(),
        "worst_year_pct": years.min(),
    }


def _trading(result: Result, track: Track) -> dict[str, object]:
    _rows, _columns, quantity, price, cost = result.trade_arrays()
    mean, invested = float(result.value.mean()), result.value > 0
    scale = 100 / mean / track.years if track.years and mean > 0 else None
    in_cash = np.divide(result.cash, result.value, out=np.ones(len(invested)), where=invested)
    return {
        "trades": int(np.count_nonzero(quantity)),
        "turnover_pct_a_year": None if scale is None else scale * float(np.abs(quantity * price).sum()) / 2,
        "cost_usd": cost.sum(),
        "cost_drag_pct_a_year": None if scale is None else scale * float(cost.sum()),
        "exposure_pct": 100 * float(1 - in_cash.mean()),
    }


def _against(track: Track, other: Track, rate: float, a_year: float) -> dict[str, object]:
    """Compare daily returns, `a_year` of them a year, with a benchmark's of the same days."""
    own, base, root = track.daily, other.daily, math.sqrt(a_year)
    spread, gap = _deviation(base), own - base
    beta = None if spread is None else float(np.cov(own, base)[0, 1]) / spread**2
    steady = spread is None or _deviation(own) is None
    excess = None if beta is None else (own - rate).mean() - beta * (base - rate).mean()
    return {
        "benchmark_return_pct": 100 * (other.index[-1] - 1),
        "benchmark_cagr_pct": other.growth_pct(),
        "benchmark_volatility_pct": 100 * root * float(base.std(ddof=1)) if len(base) > 1 else None,
        "benchmark_sharpe": _ratio(base - rate, spread, root),
        "benchmark_max_drawdown_pct": 100 * float(other.under.min()),
        "alpha_pct_a_year": None if excess is None else 100 * a_year * excess,
        "beta": beta,
        "correlation": None if steady else np.corrcoef(own, base)[0, 1],
        "tracking_error_pct": 100 * root * float(gap.std(ddof=1)) if len(gap) > 1 else None,
        "information_ratio": _ratio(gap, _deviation(gap), root),
    }
