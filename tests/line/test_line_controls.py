"""Controls on the line: each limit of the safety standard that needs a run, at its edge and beyond it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from line_kit import PRICE, Lab, codes, make_lab, make_switch, make_tape
from trimtab.rebalance import rebalance
from trimtab.stations.arrive import Arrival
from trimtab.switch import HALT_ALL, raise_flag

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.core.record import Document
    from trimtab.ports import Clock


def ended(record: Document) -> tuple[str, str]:
    """Give how a run ended."""
    return record["outcome"], record["code"]


def seen(record: Document, rule: str) -> str:
    """Give what a rule saw."""
    return str(next(v["seen"] for v in record["verdicts"] if v["rule"] == rule))


# Window and clock

WINTER, HALF_DAY, SUMMER = date(2020, 11, 25), date(2020, 11, 27), date(2021, 3, 15)
EDGES = [
    (WINTER, "14:35:00", "20:50:00"),
    (HALF_DAY, "14:35:00", "17:50:00"),
    (date(2021, 3, 12), "14:35:00", "20:50:00"),
    (SUMMER, "13:35:00", "19:50:00"),
]
IDS = ["winter", "half-day", "before-the-change", "summer"]


@pytest.mark.parametrize(("day", "first", "last"), EDGES, ids=IDS)
@pytest.mark.parametrize("late", [False, True], ids=["open", "close"])
def test_the_window_holds_to_the_second(root: Path, day: date, first: str, last: str, late: bool) -> None:  # noqa: FBT001 - a parameter of the example
    """Five minutes after the open, ten before the close; half days and summer time are the calendar's."""
    tape = make_tape(first=date(2020, 9, 1), last=date(2021, 4, 30))
    edge = datetime.fromisoformat(f"{day}T{last if late else first}").replace(tzinfo=UTC)
    outside = edge + timedelta(seconds=2 if late else -1)
    for moment, folder in ((edge - timedelta(seconds=2 if late else 0), "in"), (outside, "out")):
        lab = make_lab(root / folder, tape=tape, start=date(2020, 11, 2))
        lab.exchange.move(moment)
        record = lab.run(lab.changed(dry_run=True))
        expected = ("dry_run", "dry_run") if folder == "in" else ("closed", "outside_window")
        assert ended(record) == expected, record["reason"]


def test_an_event_six_hours_late_trades_only_within_the_window(root: Path) -> None:
    """Of the same day, but after the close: closed."""
    lab = make_lab(root)
    scheduled = lab.exchange.now()
    lab.exchange.advance(6 * 3600.0)
    assert ended(lab.run(arrival=Arrival(scheduled_time=scheduled))) == ("closed", "outside_window")


@dataclass(frozen=True)
class Skewed:
    """A machine's clock that is off by so many seconds."""

    clock: Clock
    by: float

    def now(self) -> datetime:
        """Give a wrong time."""
        return self.clock.now() + timedelta(seconds=self.by)

    def monotonic(self) -> float:
        """Measure durations well."""
        return self.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.clock.sleep(seconds)


@pytest.mark.parametrize(
    ("by", "loopback", "code"),
    [
        (29.9, False, "traded"),
        (-30.0, False, "traded"),
        (30.1, False, "clock_skew"),
        (-30.1, False, "clock_skew"),
        (9000.0, True, "traded"),
    ],
)
def test_half_a_minute_between_the_clocks(root: Path, by: float, loopback: bool, code: str) -> None:  # noqa: FBT001 - a parameter of the example
    """Beyond it neither clock is believed; on this machine's own exchange time is virtual."""
    lab = make_lab(root, behaviour={"tick_s": 0.0})
    world = lab.world()
    record = rebalance(
        replace(world, clock=Skewed(world.clock, by)), lab.changed(loopback=loopback), Arrival()
    )
    assert record["code"] == code
    assert (lab.posts() == []) is (code == "clock_skew")


# The account


@pytest.mark.parametrize(("equity", "passes"), [("100499", True), ("100510", False), ("99490", False)])
def test_equity_is_cash_and_holdings(root: Path, equity: str, passes: bool) -> None:  # noqa: FBT001 - a parameter of the example
    """Within 0.5 %; a difference that stays halts."""
    lab = make_lab(root, max_equity_move=0.5)
    lab.fault("alter", "GET", "/v2/account$", times=0, when="after", fields={"equity": equity})
    record = lab.run()
    assert (record["code"] != "equity_identity") is passes, record["reason"]
    assert bool(lab.posts()) is passes


def test_a_margin_account_is_traded_as_a_cash_account(root: Path) -> None:
    """Four times the buying power, and not a dollar of it: what is bought is paid from cash."""
    lab = make_lab(
        root,
        {"AAA": 0.4, "BBB": 0.3, "CCC": 0.3},
        behaviour={"multiplier": 4},
        max_order_size=1.0,
        max_turnover=2.0,
        cash_buffer=0.0,
    )
    for _ in range(3):
        assert lab.run()["outcome"] in {"traded", "in_band"}
        assert lab.cash() >= 0
        assert sum(lab.weights().values()) <= 1.0
        lab.exchange.step()
    assert sum(lab.weights().values()) == pytest.approx(1.0, abs=1e-4)


def test_a_foreign_holding_is_neither_sold_nor_counted(root: Path) -> None:
    """As much again as the portfolio: the weights are those of the portfolio alone."""
    lab = make_lab(root, {"AAA": 0.2, "BBB": 0.2}, held={"CCC": 5_000})
    record = lab.run()
    assert (record["outcome"], record["equity"]) == ("traded", "100000.00")
    assert lab.held() == {"AAA": Decimal(200), "BBB": Decimal(400), "CCC": Decimal(5_000)}


# Sizes


def test_all_cash_to_half_and_half_takes_three_sessions(root: Path) -> None:
    """A fifth of equity an order: never above it, to the cent."""
    lab = make_lab(root, {"AAA": 0.5, "BBB": 0.5})
    for outcome in ("traded", "traded", "traded", "in_band"):
        record = lab.run()
        assert record["outcome"] == outcome
        cap = float(record["equity"]) * 0.2
        for order in record["orders"]:
            assert float(order["qty"]) * PRICE[order["symbol"]] <= cap * (1 + 1e-9)
        lab.exchange.step()


@pytest.mark.parametrize(("limit", "sessions"), [(10_000.0, 2), (9_999.0, 3)])
def test_an_absolute_cap_is_kept(root: Path, limit: float, sessions: int) -> None:
    """20,000 USD to buy: two orders of 10,000, or three where the cap is a dollar less."""
    lab = make_lab(root, {"AAA": 0.2}, max_order_usd=limit, band=0.0, band_relative=0.0)
    traded = 0
    while lab.run()["outcome"] == "traded":
        traded += 1
        lab.exchange.step()
    assert traded == sessions
    assert lab.held()["AAA"] == 200


def test_a_thin_name_is_bought_by_a_hundredth_of_its_volume(root: Path) -> None:
    """5,000 shares trade on a day: 50 are ours, whatever is wanted; of IEX volume 40 times as many."""
    tape = make_tape()
    volume = tape.volume.copy()
    volume[:, 0] = 5_000.0
    tape = replace(tape, volume=volume)
    lab = make_lab(root / "sip", {"AAA": 0.2}, tape=tape)
    record = lab.run()
    assert [order["qty"] for order in record["orders"]] == ["50"]
    assert record["orders"][0]["reason"].startswith("max_adv_share")
    assert float(seen(record, "max_adv_share")) == pytest.approx(0.01)
    iex = make_lab(root / "iex", {"AAA": 0.2}, tape=tape, feed="iex")
    assert [order["qty"] for order in iex.run()["orders"]] == ["200"]


def test_turnover_counts_what_the_session_sent_before(root: Path) -> None:
    """The plan of a session whose first runs sent half of equity has nothing left to send."""
    lab = make_lab(root, {"AAA": 0.4, "BBB": 0.4}, max_order_size=1.0, max_turnover=0.5)
    record = lab.run()
    assert float(seen(record, "max_turnover")) == pytest.approx(0.5)
    values = [float(order["qty"]) * PRICE[order["symbol"]] for order in record["orders"]]
    assert sum(values) == pytest.approx(50_000, abs=1)
    assert {order["reason"].split(":")[0] for order in record["orders"]} == {"max_turnover"}


# Quotes


@pytest.mark.parametrize(
    ("factor", "held"), [(1.1, set[str]()), (1.101, {"S03"}), (0.9, set[str]()), (0.899, {"S03"})]
)
def test_the_gap_of_one_of_ten(root: Path, factor: float, held: set[str]) -> None:
    """At a tenth from its close it trades; beyond, it is held and the other nine trade."""
    prices = {f"S{n:02}": 100.0 for n in range(10)}
    record = make_lab(root, dict.fromkeys(prices, 0.04), tape=gapped(prices, {"S03": factor})).run()
    assert record["outcome"] == "traded"
    assert {hold["symbol"] for hold in record["holds"]} == held
    assert len(record["orders"]) == 10 - len(held)


@pytest.mark.parametrize(("gaps", "code"), [(3, "traded"), (4, "quotes"), (5, "quotes")])
def test_a_day_like_2020_03_16(root: Path, gaps: int, code: str) -> None:
    """More than a third of ten open 10.4 % lower: nothing is traded."""
    prices = {f"S{n:02}": 100.0 for n in range(10)}
    tape = gapped(prices, {f"S{n:02}": 0.896 for n in range(gaps)})
    assert make_lab(root, dict.fromkeys(prices, 0.04), tape=tape).run()["code"] == code


def gapped(prices: dict[str, float], factors: dict[str, float]) -> Any:  # noqa: ANN401 - a tape
    """Give a tape whose symbols open on START at these parts of their last close, and stay there."""
    tape = make_tape(prices)
    row = int(np.searchsorted(tape.sessions, np.datetime64("2021-03-01")))
    factor = np.array([factors.get(symbol, 1.0) for symbol in tape.symbols])
    opens, close = tape.open.copy(), tape.close.copy()
    opens[row:] *= factor
    close[row:] *= factor
    low, high = np.minimum(opens, close) - 0.01, np.maximum(opens, close) + 0.01
    return replace(tape, open=opens, close=close, low=low, high=high)


@pytest.mark.parametrize(("spread_bps", "code"), [(98.0, "traded"), (102.0, "quotes")])
def test_the_spread_of_every_symbol(root: Path, spread_bps: float, code: str) -> None:
    """A hundredth of the middle; wider, each is held, and with all of them held the run halts."""
    assert make_lab(root, behaviour={"spread_bps": spread_bps}).run()["code"] == code


@pytest.mark.parametrize(("minutes", "traded"), [(14, True), (16, False)])
def test_a_last_trade_stands_in_for_a_quote_for_a_quarter_of_an_hour(
    root: Path,
    minutes: int,
    traded: bool,  # noqa: FBT001 - a parameter of the example
) -> None:
    """Bid and ask are 0: the trade while it is fresh, else a hold."""
    lab = make_lab(root, {"AAA": 0.1}, behaviour={"unquoted": ("AAA",)})
    at = lab.exchange.now() - timedelta(minutes=minutes)
    lab.fault("alter", "GET", "/latest", times=0, when="after", fields={"t": f"{at:%Y-%m-%dT%H:%M:%SZ}"})
    record = lab.run(lab.changed(dry_run=True))
    assert record["outcome"] == "dry_run", record["reason"]
    assert [order["symbol"] for order in record["planned"]] == (["AAA"] if traded else [])
    assert [hold["reason"].split(":")[0] for hold in record["holds"]] == ([] if traded else ["no_quote"])


@pytest.mark.parametrize("collar", [0.01, 0.002])
def test_a_limit_stands_at_its_collar_and_not_beyond(root: Path, collar: float) -> None:
    """A whole order is a marketable limit: the ask and a hundredth, rounded inwards."""
    lab = make_lab(root, {"AAA": 0.2}, fractional=False, price_collar=collar)
    record = lab.run()
    (order,) = record["orders"]
    assert Decimal(order["limit_price"]) <= Decimal(100) * (1 + Decimal(str(collar)))
    assert float(order["limit_price"]) == pytest.approx(100 * (1 + collar), abs=0.01)
    assert float(seen(record, "price_collar")) <= collar


# Counts


def stopped_after(lab: Lab, posts: int) -> Document:
    """Run until so many orders were sent in all, then have the owner's flag set; lift it afterwards."""

    def watch(verb: str, key: str) -> None:
        if (verb, key) == ("get", HALT_ALL) and len(lab.posts()) == posts:
            raise_flag(lab.store, HALT_ALL, who="owner", at="now", why="stop")

    lab.watch = watch
    record = lab.run()
    lab.watch = None
    lab.store.delete(HALT_ALL)
    return record


def test_the_third_run_with_orders_sends_and_the_fourth_does_not(root: Path) -> None:
    """By default three runs of a session may send orders; the fourth is refused, and sends nothing."""
    prices = {f"S{n:02}": 100.0 for n in range(5)}
    lab = make_lab(root, dict.fromkeys(prices, 0.04), tape=make_tape(prices))
    for n in (1, 2, 3):
        assert ended(stopped_after(lab, n)) == ("interrupted", "kill_switch")
        assert len(lab.posts()) == n
        lab.exchange.advance(60.0)
    assert ended(lab.run()) == ("halted", "max_runs_with_orders")
    assert len(lab.posts()) == 3
    lab.exchange.step()
    assert lab.run()["outcome"] == "traded"
    assert set(lab.held()) == set(prices)


@pytest.mark.parametrize(("left", "sends"), [(29.0, False), (90.0, True)])
def test_no_order_in_the_last_half_minute(root: Path, left: float, sends: bool) -> None:  # noqa: FBT001 - a parameter of the example
    """With less left the run halts before its first order, and says so."""
    lab = make_lab(root)
    lab.seconds_left = lambda: left
    record = lab.run()
    assert bool(lab.posts()) is sends
    assert (record["code"] == "deadline") is not sends


@pytest.mark.parametrize(("key", "limit"), [("max_orders", 3), ("max_requests", 3)])
def test_as_many_orders_as_allowed_and_not_one_more(root: Path, key: str, limit: int) -> None:
    """Three symbols want three orders: three are allowed, of two none is sent."""
    assert make_lab(root / "at", **{key: limit}).run()["outcome"] == "traded"
    beyond = make_lab(root / "beyond", **{key: limit - 1})
    record = beyond.run()
    assert ended(record) == ("halted", key)
    assert codes(record["verdicts"]) == {key}
    assert beyond.posts() == []


def test_every_run_that_plans_records_every_rules_verdict(root: Path) -> None:
    """What was seen and allowed stands in the record, whatever was refused; so does a dry run's."""
    from trimtab.core.risk import RULES  # noqa: PLC0415 - of this law alone

    rules = {rule.__name__ for rule in RULES}
    lab = make_switch(root)
    for record in (lab.run(lab.changed(dry_run=True)), lab.run(), make_lab(root / "b", max_orders=1).run()):
        verdicts = [v for v in record["verdicts"] if v["rule"] in rules]
        assert {v["rule"] for v in verdicts} == rules
        assert all(v["seen"] and v["allowed"] for v in verdicts)
