from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.adapters.guest import GuestTrades
from trimtab.adapters.sqlite import SqliteTrades
from trimtab.core.bars import Bars
from trimtab.core.nyse import is_session, sessions
from trimtab.core.schedule import period
from trimtab.evidence.board import curve, days, dealing, health, pace, reading, standing

if TYPE_CHECKING:
    from pathlib import Path

RUN = {"run_id": "r", "session": "2026-03-02", "mode": "paper", "dry_run": 0, "outcome": "traded"}
NOW = datetime(2026, 3, 10, 15, tzinfo=UTC)


def runs(*rows: dict[str, object]) -> pl.DataFrame:
    """Give a frame of runs, each with what differs from an ordinary one."""
    whole = [dict.fromkeys(reading.RUNS) | RUN | row for row in rows]
    return pl.DataFrame(whole, schema=dict(reading.RUNS))


def outcomes(frame: pl.DataFrame, now: datetime = NOW) -> dict[str, str]:
    found = days.calendar(frame, days.until(frame, now))
    return {str(day): outcome for day, outcome in found.select("session", "outcome").iter_rows()}


def test_a_session_without_a_run_is_missing() -> None:
    """From the first run on to yesterday, a session that nobody ran is shown; a weekend is none."""
    found = outcomes(runs({"session": "2026-03-02"}, {"session": "2026-03-05"}))
    assert found == {
        "2026-03-02": "traded",
        "2026-03-03": "missing",
        "2026-03-04": "missing",
        "2026-03-05": "traded",
        "2026-03-06": "missing",
        "2026-03-09": "missing",
    }


def test_a_simulated_store_ends_with_its_last_run() -> None:
    """Its clock is its own: no session is missing behind it."""
    frame = runs(
        {"session": "2026-03-02", "mode": "simulated"}, {"session": "2026-03-04", "mode": "simulated"}
    )
    assert outcomes(frame) == {"2026-03-02": "traded", "2026-03-03": "missing", "2026-03-04": "traded"}


def test_days_before_the_first_real_run_are_not_missing() -> None:
    """Dry runs are shown, and promise nothing."""
    frame = runs(
        {"session": "2026-03-02", "dry_run": 1, "outcome": "dry_run"},
        {"session": "2026-03-05"},
        {"session": "2026-03-09"},
    )
    assert outcomes(frame) == {
        "2026-03-02": "dry_run",
        "2026-03-05": "traded",
        "2026-03-06": "missing",
        "2026-03-09": "traded",
    }


@given(st.permutations(["traded", "halted", "interrupted", "in_band", "closed"]), st.integers(1, 5))
def test_the_best_of_a_day_counts_in_any_order(order: list[str], count: int) -> None:
    """A later run heals an earlier one, and a later in_band does not undo a trade."""
    frame = runs(*({"outcome": outcome} for outcome in order[:count]))
    best = next(name for name in days.MEANINGS if name in order[:count])
    assert outcomes(frame, datetime(2026, 3, 2, 23, tzinfo=UTC)) == {"2026-03-02": best}


def test_a_run_on_a_closed_day_is_no_session() -> None:
    """A wake-up on a Sunday is neither an outcome of a session nor a missing one."""
    frame = runs({"session": "2026-03-01", "outcome": "closed"}, {"session": "2026-03-02"})
    assert "2026-03-01" not in outcomes(frame)


def worth(values: list[tuple[str, float]]) -> pl.DataFrame:
    rows = [{"session": s, "at": f"{s}T15:00:00Z", "run_id": s, "equity": e, "cash": 0.0} for s, e in values]
    frame = pl.DataFrame(rows, schema=dict(reading.EQUITY))
    return frame.with_columns(pl.col("equity").alias("worth"))


def flow(session: str, amount: float) -> pl.DataFrame:
    row = {"run_id": session, "date": session, "kind": "CSD", "symbol": "", "amount": amount}
    return pl.DataFrame([row], schema=dict(reading.FLOWS))


NO_FLOWS = pl.DataFrame(schema=dict(reading.FLOWS))
FIRST = sessions(date(2026, 1, 5), date(2026, 3, 31))


@given(st.lists(st.floats(0.95, 1.05), min_size=3, max_size=40), st.integers(1, 39), st.floats(10, 50_000))
def test_a_deposit_leaves_the_curve_alone(moves: list[float], at: int, usd: float) -> None:
    """The same returns with money paid in between make the same curve."""
    at = min(at, len(moves) - 1)
    plain, paid = [100_000.0], [100_000.0]
    for i, move in enumerate(moves[1:], start=1):
        plain.append(plain[-1] * move)
        paid.append(paid[-1] * move + (usd if i == at else 0.0))
    names = [str(day) for day in FIRST[: len(moves)]]
    one = curve.curve(worth(list(zip(names, plain, strict=True))), NO_FLOWS)
    other = curve.curve(worth(list(zip(names, paid, strict=True))), flow(names[at], usd))
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(one.index, other.index, rtol=1e-9)
    assert [mark[1] for mark in other.flows] == [usd]


def test_points_stand_at_the_close_before_the_run() -> None:
    """A run values the account at the closes of the session before; a weekend lies between."""
    found = curve.curve(worth([("2026-03-02", 1.0), ("2026-03-03", 1.1)]), NO_FLOWS)
    assert found is not None
    assert found.sessions.astype(str).tolist() == ["2026-02-27", "2026-03-02"]
    assert found.index.tolist() == pytest.approx([1.0, 1.1])


def test_one_session_is_no_curve() -> None:
    """Nor are two runs of one session."""
    assert curve.curve(worth([("2026-03-02", 1.0), ("2026-03-02", 2.0)]), NO_FLOWS) is None


def test_a_range_begins_at_one() -> None:
    """Its statistics are its own, and a flow at its first close is not in it."""
    whole = curve.curve(worth([(str(day), 100.0 + i) for i, day in enumerate(FIRST[:20])]), NO_FLOWS)
    assert whole is not None
    part = curve.within(whole, FIRST[9])
    assert part is not None
    assert part.index[0] == 1.0
    assert len(part.sessions) == 10
    assert curve.within(whole, date(2030, 1, 1)) is None


def test_another_curve_is_laid_beside_at_the_same_closes() -> None:
    """It begins where both do, at one's own level; one that ends long before is refused."""
    own = curve.curve(worth([(str(day), 100.0 * 1.01**i) for i, day in enumerate(FIRST[:10])]), NO_FLOWS)
    assert own is not None
    prices = np.arange(50.0, 60.0)
    level = curve.beside(own, own.sessions, prices)
    assert level is not None
    np.testing.assert_allclose(level, prices / 50)
    later = curve.beside(own, own.sessions[4:], prices[4:])
    assert later is not None
    assert np.isnan(later[:4]).all()
    assert later[4] == pytest.approx(own.index[4])
    assert curve.beside(own, own.sessions[:1] - np.timedelta64(400, "D"), prices[:1]) is None


@given(st.integers(1, 5_000), st.integers(1, 1_000))
def test_thinning_keeps_both_ends(count: int, most: int) -> None:
    """As few rows as asked, ascending, evenly apart but for the first step."""
    rows = curve.thinned(count, most)
    assert (rows[0], rows[-1]) == (0, count - 1)
    assert len(rows) <= most + 1
    assert (np.diff(rows) > 0).all()
    assert len(set(np.diff(rows)[1:].tolist())) <= 1


def test_statistics_agree_with_hand_computation() -> None:
    """A year of one steady fall and recovery."""
    rise = [(str(day), 100.0 + abs(10 - i)) for i, day in enumerate(FIRST[:21])]
    found = curve.curve(worth(rise), NO_FLOWS)
    assert found is not None
    stats = curve.statistics(found, None)
    assert stats["total_return_pct"] == pytest.approx(0.0)
    assert stats["max_drawdown_pct"] == pytest.approx(100 * (100 / 110 - 1))
    assert stats["cagr_pct"] is None


@pytest.mark.parametrize(("step", "a_year"), [(1, 252.0), (5, None), (21, None)])
def test_figures_a_year_are_of_the_points_that_there_are(step: int, a_year: float | None) -> None:
    """Daily points by 252; of weekly and monthly ones there are fewer a year, and their names say so."""
    when = sessions(date(2015, 1, 2), date(2019, 12, 31))[::step]
    moves = np.random.default_rng(5).normal(0.001, 0.02, len(when) - 1)
    values = 100.0 * np.concatenate([[1.0], np.cumprod(1 + moves)])
    found = curve.curve(worth(list(zip(map(str, when), values.tolist(), strict=True))), NO_FLOWS)
    assert found is not None
    other = np.linspace(1.0, 2.0, len(when))
    stats = curve.statistics(found, other)
    years = (found.sessions[-1] - found.sessions[0]).astype(int) / 365.25
    count = a_year or (len(when) - 1) / years
    assert pace.points_a_year(found.sessions) == pytest.approx(count)
    assert stats["volatility_pct"] == pytest.approx(100 * moves.std(ddof=1) * count**0.5)
    assert stats["sharpe"] == pytest.approx(moves.mean() / moves.std(ddof=1) * count**0.5)
    base = other[1:] / other[:-1] - 1
    assert stats["tracking_error_pct"] == pytest.approx(100 * (moves - base).std(ddof=1) * count**0.5)
    beta = np.cov(moves, base)[0, 1] / base.var(ddof=1)
    assert stats["alpha_pct_a_year"] == pytest.approx(100 * count * (moves.mean() - beta * base.mean()))
    told = pace.meanings(found.sessions)
    assert set(stats) <= set(told)
    assert pace.is_daily(found.sessions) is (step == 1)
    rare = [name for name, text in told.items() if "252" in text or "daily" in text]
    assert bool(rare) is (step == 1)


def test_some_missing_days_leave_a_curve_daily() -> None:
    """The gap that counts is the usual one: a bot that slept for some days still has daily points."""
    closes = np.array(FIRST[:10] + FIRST[13:20], dtype="datetime64[D]")
    assert pace.points_a_year(closes) == 252
    assert pace.points_a_year(np.array(FIRST[:20:2], dtype="datetime64[D]")) < 140
    assert pace.points_a_year(np.array([FIRST[0], FIRST[0]], dtype="datetime64[D]")) == 252  # no division


@pytest.mark.parametrize("interval", ["daily", "weekly", "monthly"])
def test_a_backtest_beside_the_account_decides_at_its_first_close(
    interval: Literal["daily", "weekly", "monthly"],
) -> None:
    """The bot decides at its first run, whatever the day; then each period decides at its last close."""
    when = sessions(date(2020, 1, 2), date(2020, 4, 30))
    price = dict.fromkeys(("open", "high", "low", "close"), 100.0)
    table = [{"symbol": "AAA", "session": day, "volume": 1e6, **price} for day in when]
    start = date(2020, 1, 15)
    asked = curve.deciding(Bars.from_frame(pl.DataFrame(table)), start, interval)
    pairs = itertools.pairwise(day for day in when if day > start)
    ends = [day for day, after in pairs if period(after, interval) != period(day, interval)]
    assert asked == [start, *ends]


def held(*rows: tuple[str, float, float | None]) -> pl.DataFrame:
    table = [(symbol, 1.0, value, value, target) for symbol, value, target in rows]
    return pl.DataFrame(table, schema=dict(reading.HELD), orient="row")


BANDS = {"band": 0.02, "band_relative": 0.2}


def test_weights_bands_and_foreign_holdings() -> None:
    """Weights are of cash and what is the bot's; the tighter of the two bands counts; foreign has neither."""
    frame = held(("AAA", 500.0, 0.5), ("BBB", 50.0, 0.05), ("XYZ", 999.0, None))
    lines = {line.symbol: line for line in standing.holdings(frame, 450.0, BANDS, ["AAA", "BBB"])}
    assert lines["AAA"].weight == pytest.approx(0.5)
    assert (lines["AAA"].low, lines["AAA"].high) == pytest.approx((0.48, 0.52))
    assert (lines["BBB"].low, lines["BBB"].high) == pytest.approx((0.04, 0.06))
    assert lines["XYZ"].foreign
    assert lines["XYZ"].weight is None
    assert lines["cash"].weight == pytest.approx(0.45)
    assert not any(line.outside for line in lines.values())


@given(st.floats(0.01, 0.9), st.floats(-0.2, 0.2))
def test_outside_means_beyond_the_band(target: float, drift: float) -> None:
    """A holding is out of its band just where its drift passes the tighter limit."""
    value = max(target + drift, 0.0) * 1_000
    (line, _) = standing.holdings(held(("AAA", value, target)), 1_000 - value, BANDS, None)
    width = min(0.02, 0.2 * target)
    if abs(abs(value / 1_000 - target) - width) > 1e-9:
        assert line.outside is (abs(value / 1_000 - target) > width)


def test_the_line_shows_where_a_run_stopped() -> None:
    """Passed, stopped, not reached; times where the record keeps them, in either shape."""
    line = standing.stations(
        {"stage": "risk", "code": "cash", "outcome": "halted"}, {"fetch": 1.5, "risk": None}
    )
    assert [stop.state for stop in line] == ["passed"] * 5 + ["stopped"] + ["not reached"] * 2
    assert [stop.seconds for stop in line[:2]] == [1.5, None]
    line = standing.stations(
        {"stage": None, "code": "traded", "outcome": "traded"}, [{"station": "plan", "seconds": 2}]
    )
    assert {stop.state for stop in line} == {"passed"}
    assert line[4].seconds == 2.0


@given(st.datetimes(datetime(2020, 1, 1), datetime(2029, 12, 20)))  # noqa: DTZ001 - made aware below
def test_the_next_run_is_the_first_session_time_ahead(moment: datetime) -> None:
    """It is ahead, on a session, at the hour, and no session time lies between."""
    now = moment.replace(tzinfo=UTC)
    due = standing.next_run(now, "10:00", "America/New_York")
    assert due is not None
    assert due > now
    assert (due.hour, due.minute) == (10, 0)
    assert is_session(due.date())
    between = sessions(now.date() - timedelta(days=1), due.date() - timedelta(days=1))
    assert all(datetime(day.year, day.month, day.day, 10, tzinfo=due.tzinfo) <= now for day in between)


def test_costs_are_weighted_and_signed() -> None:
    """Sums over months and symbols keep the cost in basis points of the value."""
    row = dict.fromkeys(reading.DEALT, 0) | {"month": "2026-01", "symbol": "AAA", "orders": 2, "filled": 2}
    one = row | {
        "value": 1_001.0,
        "against_close": 1.0,
        "of_close": 1_000.0,
        "against_arrival": None,
        "of_arrival": None,
    }
    other = one | {"symbol": "BBB", "against_close": -3.0, "of_close": 3_000.0}
    frame = pl.DataFrame([one, other], schema=dict(reading.DEALT))
    whole = dealing.totals(frame)
    assert whole["close_bps"] == pytest.approx(-5.0)
    assert "arrival_bps" not in whole
    assert dealing.by_symbol(frame)["close_bps"].to_list() == pytest.approx([-10.0, 10.0])
    months = dealing.by_month(frame, worth([("2026-01-05", 10_000.0), ("2026-02-02", 10_000.0)]))
    assert months["turnover_pct"].to_list() == pytest.approx([50 * 2_002 / 10_000, 0.0])


def test_an_order_is_held_against_its_run_s_close(tmp_path: Path) -> None:
    """Orders are summed by month and symbol; the close is the run's last look, else its first, else none."""
    order: dict[str, object] = {"run_id": "r", "portfolio": "main", "qty": "10", "filled_qty": "10"}
    part: dict[str, object] = {"filled_qty": "4"}
    orders: list[dict[str, object]] = [
        {"session": "2026-01-05", "symbol": "AAA", "side": "buy", "filled_avg_price": "101"},
        {"session": "2026-01-06", "symbol": "AAA", "side": "sell", "filled_avg_price": "101"},
        {"session": "2026-02-02", "symbol": "AAA", "side": "buy", "filled_avg_price": "100"},
        {"session": "2026-01-05", "symbol": "BBB", "side": "buy", "filled_avg_price": "54"} | part,
        {"session": "2026-01-05", "symbol": "CCC", "side": "buy", "filled_qty": "0"},
    ]
    seen = (("before", "AAA", "90"), ("after", "AAA", "100"), ("before", "BBB", "50"))
    positions = [{"run_id": "r", "phase": phase, "symbol": name, "price": usd} for phase, name, usd in seen]
    path = tmp_path / "trades.db"
    numbered = [order | some | {"client_order_id": str(n)} for n, some in enumerate(orders)]
    SqliteTrades(path).add({"orders": numbered, "positions": positions})
    with GuestTrades(path).sight() as view:
        assert view is not None
        found = {(row["month"], row["symbol"]): row for row in reading.dealt(view, "main").to_dicts()}
        assert reading.dealt(view, "other").is_empty()
    names = ("orders", "filled", "partial", "unfilled", "value", "against_close", "of_close", "of_arrival")
    assert {key: tuple(row[name] for name in names) for key, row in found.items()} == {
        ("2026-01", "AAA"): (2, 2, 0, 0, 2_020, 0, 2_000, None),
        ("2026-02", "AAA"): (1, 1, 0, 0, 1_000, 0, 1_000, None),
        ("2026-01", "BBB"): (1, 0, 1, 0, 216, 16, 200, None),
        ("2026-01", "CCC"): (1, 0, 0, 1, None, None, None, None),
    }


def test_changes_name_what_changed_and_when() -> None:
    """Newest first; a run that says nothing of itself changes nothing."""
    frame = runs(
        {"run_id": "a", "config_digest": "1" * 64, "version": "1"},
        {"run_id": "b", "config_digest": None, "version": "1"},
        {"run_id": "c", "config_digest": "2" * 64, "version": "2"},
    )
    found = health.changes(frame)
    assert found.select("run_id", "before", "what").rows() == [
        ("c", "b", "version"),
        ("c", "a", "configuration"),
    ]


def test_differences_name_keys_to_their_end() -> None:
    """Nested keys are dotted, and what is on one side only is shown, too."""
    found = health.differences({"a": {"b": 1, "c": 2}, "x": []}, {"a": {"b": 1, "c": 3}, "y": "z"})
    assert [row[0] for row in found] == ["a.c", "x", "y"]
