"""Words: figures as a person reads them, with their units, and what each statistic is called."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.backtesting.stats import Stat

__all__ = ["BESIDE", "GROUPS", "NOTHING", "days", "money", "number", "percent", "stat"]

NOTHING = "\N{EN DASH}"
"""Stands where there is no figure."""
THIN = "\N{NARROW NO-BREAK SPACE}"
_PLACES = {"beta": 2, "correlation": 2, "years": 1, "sharpe": 2, "sortino": 2, "calmar": 2}

GROUPS: Mapping[str, Mapping[str, str]] = {
    "Return": {
        "opening_equity_usd": "Opening equity",
        "contributions_usd": "Contributions",
        "final_equity_usd": "Final equity",
        "profit_usd": "Profit",
        "total_return_pct": "Total return",
        "cagr_pct": "Return a year",
        "money_weighted_return_pct": "Money-weighted return a year",
        "best_year_pct": "Best year",
        "worst_year_pct": "Worst year",
        "best_month_pct": "Best month",
        "worst_month_pct": "Worst month",
        "positive_months_pct": "Months that gained",
        "best_day_pct": "Best day",
        "worst_day_pct": "Worst day",
    },
    "Risk": {
        "volatility_pct": "Volatility",
        "downside_deviation_pct": "Downside deviation",
        "sharpe": "Sharpe ratio",
        "sortino": "Sortino ratio",
        "max_drawdown_pct": "Largest drawdown",
        "max_drawdown_from": "\N{EM SPACE}began",
        "max_drawdown_trough": "\N{EM SPACE}lowest close",
        "max_drawdown_recovered": "\N{EM SPACE}recovered",
        "max_drawdown_days": "\N{EM SPACE}lasted",
        "longest_drawdown_days": "Longest drawdown",
        "calmar": "Calmar ratio",
        "ulcer_index_pct": "Ulcer index",
    },
    "Trading": {
        "trades": "Trades",
        "turnover_pct_a_year": "Turnover a year",
        "cost_usd": "Costs",
        "cost_drag_pct_a_year": "Costs a year",
        "exposure_pct": "Invested on average",
        "sessions": "Trading days",
        "years": "Years",
    },
    "Against the benchmark": {
        "alpha_pct_a_year": "Alpha a year",
        "beta": "Beta",
        "correlation": "Correlation",
        "tracking_error_pct": "Tracking error",
        "information_ratio": "Information ratio",
    },
}
"""Every statistic that the page shows, by its group, and what it is called.

One that opens with a space tells more of the one above it.
"""

BESIDE: Mapping[str, str] = {
    "total_return_pct": "benchmark_return_pct",
    "cagr_pct": "benchmark_cagr_pct",
    "volatility_pct": "benchmark_volatility_pct",
    "sharpe": "benchmark_sharpe",
    "max_drawdown_pct": "benchmark_max_drawdown_pct",
}
"""The benchmark's figure that stands beside the portfolio's."""


def number(value: float | None, places: int = 2) -> str:
    """Write a number: thousands apart, a real minus; an en dash where there is none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    text = f"{value:,.{places}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text.replace("-", "\N{MINUS SIGN}")


def percent(value: float | None, places: int = 2) -> str:
    """Write a percentage."""
    text = number(value, places)
    return text if text == NOTHING else f"{text}{THIN}%"


def money(value: float | None, places: int = 0) -> str:
    """Write USD."""
    text = number(value, places)
    return text if text == NOTHING else f"{text}{THIN}USD"


def days(value: float | None) -> str:
    """Write calendar days."""
    return f"{number(value, 0)}{THIN}{'day' if value == 1 else 'days'}"


def stat(name: str, value: Stat) -> str:
    """Write a statistic with the unit that its name ends on."""
    if value is None:
        return "not yet" if name == "max_drawdown_recovered" else NOTHING
    if isinstance(value, str):
        return value
    if "_pct" in name:
        return percent(value)
    if name.endswith("_usd"):
        return money(value)
    if name.endswith("_days"):
        return days(value)
    return number(value, 0) if isinstance(value, int) else number(value, _PLACES.get(name, 2))
