"""The NYSE's calendar by rule, against the sessions of real prices and the exchange's own list."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from trimtab.core.nyse import easter, half_day, is_session, sessions

DATA = Path(__file__).parents[2] / ".." / "shared" / "data" / "canonical_etf_daily.parquet"


def test_sessions_are_those_on_which_spy_traded() -> None:
    """From SPY's first day to the end of the data, the rule gives each session and no other."""
    if not DATA.is_file():
        pytest.skip(f"no {DATA.name}: the market data beside the repository is not here")
    days = pl.scan_parquet(DATA).filter(pl.col("symbol") == "SPY").select("date").collect()["date"].to_list()
    assert sessions(days[0], days[-1]) == sorted(days)
    assert days[0] < date(2000, 1, 3)
    assert days[-1] > date(2026, 1, 1)


@pytest.mark.parametrize(
    ("day", "open_"),
    [
        ("2001-09-11", False),
        ("2001-09-17", True),
        ("2004-06-11", False),
        ("2007-01-02", False),
        ("2012-10-30", False),
        ("2018-12-05", False),
        ("2025-01-09", False),
        ("2010-12-31", True),  # New Year's Day 2011 is a Saturday: not kept
        ("2021-12-24", False),  # Christmas on a Saturday: kept on the Friday
        ("2021-06-18", True),  # Juneteenth was not yet kept
        ("2022-06-20", False),  # on a Sunday: kept on the Monday
        ("2026-07-03", False),
        ("2024-03-29", False),  # Good Friday
        ("2024-03-30", False),  # a Saturday
    ],
)
def test_closures(day: str, *, open_: bool) -> None:
    """Closures by rule and by event are known."""
    assert is_session(date.fromisoformat(day)) is open_


def test_half_days_of_recent_years() -> None:
    """The early closes that the exchange announced for these years, and no other."""
    announced = ["2023-07-03", "2023-11-24", "2024-07-03", "2024-11-29", "2024-12-24", "2025-07-03"]
    announced += ["2025-11-28", "2025-12-24", "2026-11-27", "2026-12-24"]
    days = sessions(date(2023, 1, 1), date(2026, 12, 31))
    assert [str(day) for day in days if half_day(day)] == announced


@pytest.mark.parametrize("day", ["2022-12-24", "2021-12-24", "2020-07-03", "2021-07-02"])
def test_no_half_day_without_a_session_or_a_rule(day: str) -> None:
    """An eve on a weekend or on a kept holiday is no half day, nor the Friday before a 4th on a Sunday."""
    assert not half_day(date.fromisoformat(day))


def test_half_days_before_2013() -> None:
    """Around a Thursday 4th the Friday was short, not the Wednesday; 2003 had one by decision."""
    days = sessions(date(2002, 1, 1), date(2003, 12, 31))
    short = [str(day) for day in days if half_day(day)]
    assert short[:3] == ["2002-07-05", "2002-11-29", "2002-12-24"]
    assert short[3:] == ["2003-07-03", "2003-11-28", "2003-12-24", "2003-12-26"]
    assert [half_day(date(2013, 7, day)) for day in (3, 5)] == [True, False]


@pytest.mark.parametrize("day", ["2000-04-23", "2008-03-23", "2011-04-24", "2019-04-21", "2024-03-31"])
def test_easter(day: str) -> None:
    """Easter Sunday falls where the almanacs have it."""
    assert easter(int(day[:4])) == date.fromisoformat(day)


def test_no_days_no_sessions() -> None:
    """A range that ends before it begins is empty."""
    assert sessions(date(2020, 1, 3), date(2020, 1, 2)) == []
