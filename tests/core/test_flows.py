"""Flows: what the account made of its money, deposits and withdrawals taken out."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.flows import Dated, Point, drawdown, equity_move, growth, worth
from trimtab.core.portfolio import Flow

DATA = Path(__file__).parents[2] / ".." / "shared" / "data" / "canonical_etf_daily.parquet"
DAY = date(2021, 3, 1)


def day(n: int) -> date:
    """Give the n-th day."""
    return DAY + timedelta(days=n)


def points(*equity: float, flows: dict[int, list[Dated]] | None = None) -> list[Point]:
    """Give a point a day; `flows` by the day on which a run saw them first."""
    return [Point(day(n), usd, tuple((flows or {}).get(n, ()))) for n, usd in enumerate(equity)]


def test_a_drawdown_is_measured_from_the_highest_point() -> None:
    assert drawdown(points(100, 200, 150, 180)) == pytest.approx(0.1)
    assert drawdown(points(100, 50)) == pytest.approx(0.5)
    assert drawdown(points(100, 110)) == 0
    assert drawdown(points(100)) == drawdown([]) == 0


@pytest.mark.parametrize(("before", "flow"), [(100.0, 1000.0), (100.0, -50.0), (100.0, -100.0), (100.0, 1.0)])
def test_a_flow_alone_is_no_drawdown(before: float, flow: float) -> None:
    """Money that came or went changes equity, and nothing else."""
    seen = points(before, before + flow, before + flow, flows={1: [(day(1), flow)]})
    assert drawdown(seen) == pytest.approx(0)


def test_a_fall_beside_a_flow_is_seen() -> None:
    """Half of the account left and the rest fell by 40 %; 50 came and all of it fell by 40 %."""
    assert drawdown(points(100, 30, flows={1: [(day(1), -50.0)]})) == pytest.approx(0.2)
    assert drawdown(points(100, 150, 90, flows={1: [(day(1), 50.0)]})) == pytest.approx(0.4)


def test_a_small_account_is_no_measure_for_a_large_deposit() -> None:
    """5 USD were there, 100,000 came and lost 1 %: that is 1 %, not all of the 5 and more."""
    assert drawdown(points(5, 99_005, flows={1: [(day(1), 100_000.0)]})) == pytest.approx(0.01, abs=1e-3)


def test_from_nothing_nothing_is_measured() -> None:
    """An account that was empty begins anew with what comes."""
    assert drawdown(points(0, 100, 100, flows={1: [(day(1), 100.0)]})) == 0
    assert drawdown(points(100, 0, 50, flows={1: [(day(1), -100.0)], 2: [(day(2), 50.0)]})) == 0


def test_all_lost_is_all_lost() -> None:
    """Equity of 0, or below, with no flow: a drawdown of one."""
    assert drawdown(points(100, 0)) == drawdown(points(100, -5)) == 1


@pytest.mark.parametrize("flow", [1000.0, 40.0, -60.0])
def test_a_flow_that_is_shown_late_stands_where_it_was(flow: float) -> None:
    """The account had it the day before its activity was listed: neither a gain then nor a loss now."""
    late = points(100, 100 + flow, 100 + flow, flows={2: [(day(1), flow)]})
    assert drawdown(late) == pytest.approx(0, abs=1e-12)
    first = points(100 + flow, 100 + flow, flows={1: [(day(0), flow)]})
    assert drawdown(first) == pytest.approx(0, abs=1e-12)


def test_a_flow_of_today_does_not_hide_a_fall() -> None:
    """Seen on its day, it stands there, though the account moves by more than itself."""
    assert drawdown(points(100, 100, 30, flows={2: [(day(2), 10.0)]})) == pytest.approx(0.8)


@given(
    st.lists(st.tuples(st.floats(0.5, 1.5), st.floats(-0.5, 0.9)), min_size=1, max_size=8), st.floats(1, 1e6)
)
def test_the_flows_never_matter(steps: list[tuple[float, float]], start: float) -> None:
    """Whatever comes at a day's end, the drawdown is that of the growth alone."""
    equity, seen, index = start, [Point(DAY, start)], [1.0]
    for n, (grown, part) in enumerate(steps, 1):
        flow = equity * grown * part if part < 0 else min(equity * part, equity)
        equity = equity * grown + flow
        index.append(index[-1] * grown)
        seen.append(Point(day(n), equity, ((day(n), flow),)))
    assert drawdown(seen) == pytest.approx(1 - index[-1] / max(index), abs=1e-9)


def test_2020_does_not_reach_half() -> None:
    """SPY fell by 34 % of its highest close in the spring of 2020, on its own closes."""
    if not DATA.exists():
        pytest.skip("the market data (../shared/data) is not here")
    rows = pl.read_parquet(DATA).filter(pl.col("symbol") == "SPY")
    column = "date" if "date" in rows.columns else "session"
    rows = rows.with_columns(pl.col(column).cast(pl.Date)).filter(
        pl.col(column).is_between(date(2020, 1, 2), date(2020, 3, 23))
    )
    seen = [Point(when, close) for when, close in rows.sort(column).select(column, "close").iter_rows()]
    assert drawdown(seen) == pytest.approx(0.339, abs=0.003)


# The move since the session before


def move(last: float | None, equity: float, *flows: Dated) -> float | None:
    """Give the move of day 2, after the session of day 1."""
    exact = None if last is None else Decimal(str(last))
    return equity_move(exact, Decimal(str(equity)), flows, day(1))


def test_the_move_takes_flows_since_the_session_before_out() -> None:
    assert move(100, 110) == pytest.approx(0.1)
    assert move(100, 90) == pytest.approx(0.1)
    assert move(100, 150, (day(2), 50.0)) == pytest.approx(0)
    assert move(100, 40, (day(2), -50.0)) == pytest.approx(0.1)
    assert move(100, 150, (day(0), 50.0)) == pytest.approx(0.5)


@pytest.mark.parametrize("equity", [100, 150])
def test_a_flow_of_the_session_before_counts_where_it_moves_less(equity: float) -> None:
    """Before its close or after it: nobody says."""
    assert move(100, equity, (day(1), 50.0)) == pytest.approx(0)


@pytest.mark.parametrize("last", [None, 0, -5])
def test_without_an_equity_of_the_session_before_no_move_is_judged(last: float | None) -> None:
    """The first deposit."""
    assert move(last, 100, (day(2), 100.0)) is None
    assert equity_move(Decimal(1), Decimal(1), (), None) is None


def test_growth_is_never_negative() -> None:
    assert growth(100, 10, 50) == 0
    assert growth(0, 10, 0) == 1


# What a flow is worth


def test_shares_are_worth_their_price() -> None:
    """In or out; cash is what it is; shares that nobody prices are worth what the broker says, or unknown."""
    price = {"AAA": 100.0}
    assert worth(Flow("1", "CSD", DAY, amount=Decimal("12.50")), price) == 12.5
    assert worth(Flow("2", "JNLS", DAY, "AAA", Decimal("-2.5")), price) == -250
    assert worth(Flow("3", "ACATS", DAY, "ZZZ", Decimal(3), Decimal(90)), price) == 90
    assert worth(Flow("4", "ACATS", DAY, "ZZZ", Decimal(3)), price) is None
