from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from trimtab.backtesting.terms import Costs
from trimtab.core.bars import FIELDS, Bars
from trimtab.core.limits import Execution, Risk
from trimtab.errors import Misconfigured
from trimtab.evidence.compare import PARTS, Comparison, Player, compare
from trimtab.evidence.witness import Day, chained, scaled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.core.bars import History

SESSIONS = np.array(
    ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"],
    dtype="datetime64[D]",
)
OPEN, CLOSE = (100.0, 100.0, 102.0, 104.0, 110.0, 110.0), (100.0, 101.0, 103.0, 110.0, 110.0, 110.0)
CASH = 10_000.0


def half(_history: History, _equity: float) -> dict[str, float]:
    """Ask for half of it in AAA: 50 shares of the 10,000 USD that the account begins with."""
    return {"AAA": 0.5}


LOOSE = Execution(band=0.5, band_relative=0.9, cash_buffer=0.0)
"""A drift is left alone: after its first order the backtest trades no more."""
FREE = Risk(max_order_size=1.0, max_turnover=2.0, max_position=1.0, max_adv_share=1.0, max_equity_move=0.9)
PLAYER = Player(half, 1, 1, "daily", LOOSE, FREE, Costs(0.0))


def market(
    closes: Sequence[float] = CLOSE, opens: Sequence[float] = OPEN, symbols: tuple[str, ...] = ("AAA",)
) -> Bars:
    """Give bars of symbols that all have these prices."""
    close, opened = (np.tile(np.array(p)[:, None], (1, len(symbols))) for p in (closes, opens))
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    return Bars(SESSIONS[: len(close)], symbols, opened, high, low, close, np.full_like(close, 1e6), close)


@dataclass(frozen=True)
class Told:
    """What happens at one session: before its run `stray` and `flow` USD, then a plan (None: no run), fills.

    `filled` are signed shares and USD a share; `factor` is what this morning's split or dividend multiplies
    the past prices by, and `split` the shares that one becomes.
    """

    planned: Mapping[str, float] | None = field(default_factory=dict)
    filled: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    stray: float = 0.0
    flow: float = 0.0
    factor: Mapping[str, float] = field(default_factory=dict)
    split: Mapping[str, float] = field(default_factory=dict)


def walk(bars: Bars, told: Mapping[int, Told], held: Mapping[str, float] | None = None) -> list[Day]:
    """Give the days of an account that is told what happens from the second session on.

    Prices are the raw ones of `bars`; each run sees them adjusted as of its own morning.
    """
    cash, shares, factors = CASH, dict(held or {}), np.ones(bars.close.shape)
    days = []
    for i in range(1, len(bars.sessions)):
        day = told.get(i, Told())
        for j, symbol in enumerate(bars.symbols):
            factors[:i, j] *= day.factor.get(symbol, 1.0)
            shares[symbol] = shares.get(symbol, 0.0) * day.split.get(symbol, 1.0)
        cash += day.stray + day.flow
        filled = {s: (q, q * price) for s, (q, price) in day.filled.items()}
        if day.planned is None:
            days.append(Day(bars.sessions[i], outcome="halted"))
            continue
        seen = adjusted(bars, factors, i)
        closes = dict(zip(bars.symbols, seen.close[-1].tolist(), strict=True))
        days.append(
            Day(
                bars.sessions[i],
                cash,
                dict(shares),
                closes,
                seen.sessions[-1],
                day.planned,
                filled,
                flow=day.flow,
                decided=True,
                bars=seen,
                outcome="traded",
            )
        )
        cash -= sum(usd for _, usd in filled.values())
        for symbol, (quantity, _) in filled.items():
            shares[symbol] = shares.get(symbol, 0.0) + quantity
    return days


def adjusted(bars: Bars, factors: np.ndarray, rows: int) -> Bars:
    """Give the first rows with prices times their factors."""
    grids = {name: getattr(bars, name)[:rows] * factors[:rows] for name in FIELDS if name != "volume"}
    return Bars(
        bars.sessions[:rows], bars.symbols, **grids, volume=bars.volume[:rows], raw_close=bars.close[:rows]
    )


def compared(days: list[Day], player: Player = PLAYER, symbols: tuple[str, ...] = ("AAA",)) -> Comparison:
    """Compare on the prices that the days saw, and hold the law: the parts sum to the gap."""
    found = compare(days, chained(days, symbols), player)
    assert set(found.parts) == set(PARTS)
    total = np.sum([found.parts[name] for name in PARTS], axis=0)
    np.testing.assert_allclose(np.cumsum(total), found.gap, atol=1e-7)
    return found


def sums(found: Comparison) -> dict[str, float]:
    """Give the parts that are not nothing, in whole cents."""
    totals = {name: round(float(amounts.sum()), 2) for name, amounts in found.parts.items()}
    return {name: total for name, total in totals.items() if total}


BUY = Told({"AAA": 50.0}, {"AAA": (50.0, 100.0)})
"""What the backtest does, too."""


def test_an_account_that_did_as_the_backtest_leaves_no_gap() -> None:
    """The same order at the same price: both are worth the same at every close."""
    found = compared(walk(market(), {1: BUY}))
    assert sums(found) == {}
    assert found.sessions.tolist() == SESSIONS[:5].tolist()
    assert found.live.tolist() == found.played.tolist() == [10_000.0, 10_050.0, 10_150.0, 10_500.0, 10_500.0]
    assert [(d.symbol, d.filled, d.played, d.why) for d in found.deals] == [("AAA", 50.0, 50.0, "")]


def test_a_worse_price_is_the_price_part() -> None:
    """50 shares bought 1 USD above the open cost 50 USD: 100 basis points of 5,000 USD."""
    found = compared(walk(market(), {1: Told({"AAA": 50.0}, {"AAA": (50.0, 101.0)})}))
    assert sums(found) == {"price": -50.0}
    assert found.traded == 5_000.0
    assert [deal.price_usd for deal in found.deals] == [-50.0]


def test_a_better_sale_is_a_gain() -> None:
    """A sale above the open brings more than the backtest's."""
    sold = replace(PLAYER, rule=lambda _history, _equity: {"AAA": 0.0})
    days = walk(market(), {1: Told({"AAA": -40.0}, {"AAA": (-40.0, 100.5)})}, {"AAA": 40.0})
    assert sums(compared(days, sold)) == {"price": 20.0}


def test_a_day_late_is_the_timing_part() -> None:
    """A run that halts in session 1 lets 50 shares be bought in session 2, at 102 instead of 100."""
    late = Told({"AAA": 50.0}, {"AAA": (50.0, 102.0)})
    found = compared(halted_first(walk(market(), {2: late})))
    assert sums(found) == {"timing": -100.0}
    assert [(str(session), outcome) for session, outcome in found.missed] == [("2024-01-03", "halted")]
    assert [deal.why for deal in found.deals] == ["timing", "made up"]


def halted_first(days: list[Day]) -> list[Day]:
    """Let the first run have read the account and decided, but stored no plan."""
    return [replace(days[0], planned=None, outcome="halted"), *days[1:]]


def test_an_unfilled_rest_is_the_unfilled_part() -> None:
    """20 of 50 shares are bought a session later, 2 USD dearer."""
    part = Told({"AAA": 50.0}, {"AAA": (30.0, 100.0)})
    rest = Told({"AAA": 20.0}, {"AAA": (20.0, 102.0)})
    found = compared(walk(market(), {1: part, 2: rest}))
    assert sums(found) == {"unfilled": -40.0}
    assert [deal.why for deal in found.deals] == ["unfilled", "made up"]


def test_what_is_never_filled_misses_every_later_move() -> None:
    """50 shares that were never bought miss the rise from 100 to 110."""
    found = compared(walk(market(), {1: Told({"AAA": 50.0})}))
    assert sums(found) == {"unfilled": -500.0}
    assert found.parts["unfilled"].tolist() == [0.0, -50.0, -100.0, -350.0, 0.0]


def test_another_size_is_the_plan_part() -> None:
    """40 shares planned where the backtest bought 50 miss the rise of 10."""
    found = compared(walk(market(), {1: Told({"AAA": 40.0}, {"AAA": (40.0, 100.0)})}))
    assert sums(found) == {"plan": -100.0}


def test_a_fee_is_the_cost_part() -> None:
    """Cash that left the account beside its fills; a backtest with costs has its own."""
    days = walk(market(), {1: BUY, 3: Told(stray=-1.25)})
    assert sums(compared(days)) == {"cost": -1.25}
    found = compared(days, replace(PLAYER, costs=Costs(10.0)))
    assert sums(found) == {"cost": 3.75}


def test_a_dividend_that_is_not_paid_is_missed() -> None:
    """On its ex-date the past is adjusted by 1 - 2 / 110: the backtest has it, a paper account has not."""
    prices = market((100.0, 101.0, 103.0, 110.0, 108.0, 108.0), (100.0, 100.0, 102.0, 104.0, 108.0, 108.0))
    factor = {"AAA": 1 - 2 / 110}
    found = compared(walk(prices, {1: BUY, 4: Told(factor=factor)}))
    assert sums(found) == {"dividends": -100.0}
    paid = compared(walk(prices, {1: BUY, 4: Told(stray=100.0, factor=factor)}))
    assert sums(paid) == {}
    late = compared(walk(prices, {1: BUY, 4: Told(factor=factor), 5: Told(stray=100.0)}))
    assert sums(late) == {}


def test_a_split_changes_nothing() -> None:
    """Two shares for one at half the price; orders after it are told in the new shares."""
    halved = (100.0, 101.0, 103.0, 55.0, 55.0, 55.0)
    opens = (100.0, 100.0, 102.0, 52.0, 55.0, 55.0)
    split = Told({"AAA": 10.0}, {"AAA": (10.0, 52.0)}, factor={"AAA": 0.5}, split={"AAA": 2.0})
    found = compared(walk(market(halved, opens), {1: BUY, 3: split}))
    assert sums(found) == {"plan": 30.0}
    assert [(d.filled, d.price) for d in found.deals] == [(50.0, 100.0), (10.0, 52.0)]
    assert found.live[-1] == pytest.approx(10_500.0 + 30.0)


def test_a_split_on_the_day_of_an_order_is_told_in_new_shares() -> None:
    """The backtest's shares and price are told as the account counts them that day."""
    split = Told({"AAA": 100.0}, {"AAA": (100.0, 50.0)}, factor={"AAA": 0.5}, split={"AAA": 2.0})
    first = walk(market(), {1: Told()})[0]
    prices = market((100.0, 101.0, 51.5, 55.0, 55.0, 55.0), (100.0, 100.0, 51.0, 52.0, 55.0, 55.0))
    days = walk(prices, {1: Told(), 2: split})
    later = replace(PLAYER, rule=lambda history, _: {"AAA": 0.5 * (history.sessions[-1] > SESSIONS[0])})
    found = compared([first, *days[1:]], later)
    (deal,) = found.deals
    assert (deal.filled, deal.price, deal.played_price) == (100.0, 50.0, 51.0)
    assert deal.played == pytest.approx(CASH * 0.5 / 50.5, abs=2e-6)


def test_a_deposit_is_in_both() -> None:
    """Money that a person brought in is no gain of the account's over the backtest."""
    found = compared(walk(market(), {1: BUY, 3: Told(flow=500.0)}))
    assert sums(found) == {}
    assert found.played[-1] == 11_000.0


def test_both_begin_with_what_the_account_held() -> None:
    """20 shares and the cash: half of 12,000 USD is 60 shares, so 40 are bought."""
    days = walk(market(), {1: Told({"AAA": 40.0}, {"AAA": (40.0, 100.0)})}, {"AAA": 20.0})
    found = compared(days, replace(PLAYER, execution=Execution(band=0.1, band_relative=0.2, cash_buffer=0.0)))
    assert found.live[0] == found.played[0] == 12_000.0
    assert sums(found) == {}


def test_a_symbol_that_is_not_the_portfolios_is_left_to_the_residual() -> None:
    """What was spent on it is missing from cash, and nothing explains it."""
    days = walk(market(), {1: BUY, 2: Told({}, {"ZZZ": (1.0, 30.0)})})
    assert sums(compared(days)) == {"residual": -30.0}


def test_a_pause_of_several_sessions_is_bridged() -> None:
    """Sessions without any run have their closes from the next one's prices."""
    days = walk(market(), {1: BUY})
    found = compared([days[0], days[-1]])
    assert sums(found) == {}
    assert len(found.sessions) == 5


def test_a_weekly_schedule_decides_at_the_ends_of_weeks() -> None:
    """The backtest decides at the first close, and at the last of each week: so does the bot."""
    asked = []

    def rule(history: History, _equity: float) -> dict[str, float]:
        asked.append(str(history.sessions[-1]))
        return {"AAA": 0.5}

    compared(walk(market(), {1: BUY}), replace(PLAYER, rule=rule, interval="weekly"))
    assert asked == ["2024-01-02", "2024-01-05"]


def test_the_backtests_notes_are_told() -> None:
    """A plan that a rule refused is named with its session."""
    strict = replace(PLAYER, risk=FREE.model_copy(update={"max_equity_move": 0.001}))
    found = compared(walk(market(), {}, {"AAA": 100.0}), strict)
    session, message = found.notes[0]
    assert str(session) == "2024-01-03"
    assert message.startswith("max_equity_move refuses portfolio: seen 0.0049")


def test_it_is_a_document_of_plain_values() -> None:
    """Dates as text, a price that is not there as null, parts by name."""
    document = compared(halted_first(walk(market(), {}))).document()
    assert document["missed"] == [{"session": "2024-01-03", "outcome": "halted"}]
    assert document["orders"][0] == {
        "session": "2024-01-03",
        "symbol": "AAA",
        "planned": 0.0,
        "filled": 0.0,
        "price": None,
        "played": 50.0,
        "played_price": 100.0,
        "price_usd": 0.0,
        "why": "timing",
    }
    assert list(document["parts_usd"]) == list(PARTS)
    assert document["sessions"][-1]["gap_usd"] == document["gap_usd"] == -500.0


@pytest.mark.parametrize("seed", range(25))
def test_the_parts_explain_any_account_to_the_cent(seed: int) -> None:
    """Whatever an account did, the parts sum to the gap, with no residual, and its curve is its own."""
    rng = np.random.default_rng(seed)
    symbols, bars = ("AAA", "BBB", "CCC"), random_bars(rng, 16)
    told, held = random_life(rng, bars, symbols), {"AAA": 10.0}
    days = [day for day in walk(bars, told, held) if day.planned is not None or rng.random() < 0.5]
    found = compared(days, replace(PLAYER, rule=inverse_price), symbols)
    assert np.abs(found.parts["residual"]).max() < 1e-6
    for day in days[:-1]:
        worth = float(day.cash or 0) + sum(day.held[s] * day.closes[s] for s in symbols if day.observed)
        row = int(np.searchsorted(found.sessions, day.session)) - 1
        assert not day.observed or found.live[row] == pytest.approx(worth, abs=1e-6)


def inverse_price(history: History, _equity: float) -> dict[str, float]:
    """Weigh by the inverse of the last price: so that orders are due at every session."""
    weights = 1 / history.close[-1]
    return dict(zip(history.symbols, (0.95 * weights / weights.sum()).tolist(), strict=True))


def random_bars(rng: np.random.Generator, n: int) -> Bars:
    """Give three symbols over n weekdays whose closes walk."""
    days = np.busday_offset("2024-01-02", np.arange(n), roll="forward").astype("datetime64[D]")
    close = 100 * np.exp(rng.normal(0, 0.03, (n, 3)).cumsum(axis=0))
    opened = close * np.exp(rng.normal(0, 0.01, (n, 3)))
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    return Bars(days, ("AAA", "BBB", "CCC"), opened, high, low, close, np.full((n, 3), 1e6), close)


def random_life(rng: np.random.Generator, bars: Bars, symbols: tuple[str, ...]) -> dict[int, Told]:
    """Give an account's orders, half fills, bad prices, fees, deposits, dividends and missed sessions."""
    told = {}
    for i in range(1, len(bars.sessions)):
        planned = {s: float(rng.integers(1, 9)) for s in symbols if rng.random() < 0.6}
        part = {s: float(rng.choice([0.0, 0.5, 1.0])) * q for s, q in planned.items()}
        price = {s: bars.open[i, symbols.index(s)] * (1 + rng.normal(0, 0.002)) for s in planned}
        told[i] = Told(
            None if i > 1 and rng.random() < 0.2 else planned,
            {s: (part[s], float(price[s])) for s in planned if part[s]},
            stray=float(rng.choice([0.0, 0.0, -1.5, 4.0])),
            flow=float(rng.choice([0.0, 0.0, 0.0, 300.0])),
            factor={s: 0.99 for s in symbols if rng.random() < 0.1},
        )
    return told


def test_prices_that_lack_what_a_run_saw_are_refused() -> None:
    """A file that ends early explains nothing: exit 2, and what would do."""
    days = walk(market(), {1: BUY})
    short = scaled(market().up_to("2024-01-04"), days[0], ("AAA",))
    with pytest.raises(Misconfigured) as refused:
        compare(days, short, PLAYER)
    assert refused.value.code == "prices_gap"
    assert refused.value.seen == "2024-01-02 to 2024-01-04"


def test_the_random_life_is_one_worth_testing() -> None:
    """It has missed sessions, half fills, and dividends."""
    told = [
        random_life(np.random.default_rng(s), random_bars(np.random.default_rng(s), 16), ("AAA",))
        for s in range(5)
    ]
    days = [day for life in told for day in life.values()]
    assert any(day.planned is None for day in days)
    assert any(day.factor for day in days)
    assert any(0 < q < day.planned[s] for day in days if day.planned for s, (q, _) in day.filled.items())
    assert all(first < second for first, second in pairwise(told[0]))
