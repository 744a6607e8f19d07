"""Terms: which sessions decide, and what is refused, with what was seen and what is allowed."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

import trimtab as tt
from backtesting.small import always, bars_of
from trimtab.backtesting.terms import decisions
from trimtab.core.nyse import sessions
from trimtab.errors import Misconfigured

DAYS = np.array(sessions(date(2020, 12, 1), date(2021, 7, 15)), dtype="datetime64[D]")


def decided(rebalance: object) -> list[str]:
    """Name the sessions that decide."""
    return [str(day) for day in DAYS[decisions(DAYS, rebalance, 0, len(DAYS) - 1)]]


def test_a_period_is_decided_at_its_last_close() -> None:
    """Months, quarters and ISO weeks, the last of which crosses the year."""
    months = [
        "2020-12-31",
        "2021-01-29",
        "2021-02-26",
        "2021-03-31",
        "2021-04-30",
        "2021-05-28",
        "2021-06-30",
    ]
    assert decided("monthly") == months
    assert decided("quarterly") == ["2020-12-31", "2021-03-31", "2021-06-30"]
    weeks = decided("weekly")
    assert weeks[:6] == ["2020-12-04", "2020-12-11", "2020-12-18", "2020-12-24", "2020-12-31", "2021-01-08"]
    assert "2021-04-01" in weeks  # Good Friday is no session
    assert len(decided("daily")) == len(DAYS) - 1


def test_named_sessions_decide_in_their_order() -> None:
    """Dates, texts and datetime64, unsorted, twice, and outside of the span."""
    named = [np.datetime64("2021-03-02"), "2021-02-01", date(2021, 2, 1), "2021-07-15"]
    assert decided(named) == ["2021-02-01", "2021-03-02"]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown period": ({"rebalance": "yearly"}, "daily, weekly, monthly, quarterly"),
    "a number as dates": ({"rebalance": 5}, "a list of sessions"),
    "a day without a session": ({"rebalance": ["2021-03-06"]}, "no session"),
    "a start that is no date": ({"start": "March"}, "YYYY-MM-DD"),
    "an end before the start": ({"start": "2021-03-03", "end": "2021-03-02"}, "two sessions"),
    "a fill of its own": ({"fill": "vwap"}, "close, next_open"),
    "a plan of its own": ({"plan": "best"}, "exact, live"),
    "a negative cost": ({"cost_bps": -1.0}, "0 or more"),
    "a cost that is no number": ({"cost_per_share": float("nan")}, "0 or more"),
    "cash as text": ({"cash": "1000"}, "finite number"),
    "a benchmark without bars": ({"benchmark": "SPX"}, "A"),
    "interest as text": ({"interest": "3 %"}, "finite number"),
    "contributions on a Saturday": ({"contributions": {"2021-03-06": 1.0}}, "no session"),
    "a configuration as text": ({"plan": "live", "config": "config.json"}, "mapping"),
    "a limit that is none": ({"plan": "live", "config": {"risk": {"max_turnover": None}}}, "null"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_usable_is_refused(case: str) -> None:
    """Each says what was seen and what is allowed."""
    given, told = REFUSED[case]
    with pytest.raises(Misconfigured) as caught:
        tt.backtest(always(A=0.5), bars_of({"A": [10.0, 11.0, 12.0]}), **{"rebalance": "daily", **given})
    assert told in str(caught.value)
    assert caught.value.seen is not None


def test_progress_is_told() -> None:
    """A part of 0 to 1, ascending."""
    parts: list[float] = []
    tt.backtest(always(A=0.5), bars_of({"A": [10.0] * 50}), rebalance="daily", progress=parts.append)
    assert parts == sorted(parts)
    assert 0 <= parts[0] < parts[-1] <= 1
