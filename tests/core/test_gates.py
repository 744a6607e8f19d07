from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.exhibits import DAYS, SYMBOLS, changed, sound, told, with_cell
from trimtab.core.actions import Action
from trimtab.core.bars import FIELDS
from trimtab.core.gates import Exhibit, judge_account, judge_bars, judge_values
from trimtab.core.limits import Gates
from trimtab.core.portfolio import Account, Portfolio, Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.actions import Kind
    from trimtab.core.bars import Bars
    from trimtab.core.gates import Judged
    from trimtab.core.verdict import Verdict


def judged(
    bars: Bars, universe: Sequence[str] = SYMBOLS, days: Sequence[date] = DAYS, least: int = 0
) -> Judged:
    return judge_bars(Exhibit.of(bars, days, Gates()), universe, least)


def refusing(verdicts: Sequence[Verdict]) -> list[tuple[str, str]]:
    return [(v.rule, v.subject) for v in verdicts if not v.passed]


def holed(cells: list[tuple[int, int]]) -> Bars:
    """Give sound bars with none in some cells, (session, symbol)."""
    bars = sound()
    grids = {name: getattr(bars, name).copy() for name in (*FIELDS, "raw_close")}
    for grid in grids.values():
        for cell in cells:
            grid[cell] = np.nan
    return changed(bars, **grids)


def test_sound_bars_pass_every_gate() -> None:
    """Nothing is doubted, and each gate says so of the portfolio."""
    found = judged(sound())
    assert found.findings == ()
    assert refusing(found.verdicts) == []
    assert [v.rule for v in found.verdicts] == [
        *("missing_symbol", "sessions", "short_history", "stale"),
        *("missing_session", "bad_price", "impossible_bar", "open_outside", "wild_range", "quiet"),
        *("jump", "split", "factor", "dividend", "huge_dividend", "repeated_dividend"),
    ]
    assert {v.subject for v in found.verdicts} == {"portfolio"}


def test_less_history_than_the_strategy_needs_is_refused() -> None:
    """A strategy that lacks history would find no symbol fit and sell everything."""
    assert refusing(judged(sound(), least=len(DAYS)).verdicts) == []
    assert refusing(judged(sound(), least=len(DAYS) + 1).verdicts) == [("short_history", "portfolio")]


def test_a_symbol_without_bars_is_refused_by_name() -> None:
    assert refusing(judged(sound(("AGG", "SPY"))).verdicts) == [("missing_symbol", "TLT")]


def test_a_symbol_that_was_not_asked_for_is_refused() -> None:
    """Prices go to symbols by their place: one too many would shift them."""
    assert refusing(judged(sound(("AGG", "QQQ", "SPY", "TLT"))).verdicts) == [("missing_symbol", "QQQ")]


@pytest.mark.parametrize(
    ("days", "seen"),
    [
        (DAYS[:-1], "1 missing, 0 unexpected, first 2026-02-27"),
        ([*DAYS[:3], *DAYS[4:]], "1 missing, 0 unexpected, first 2026-01-07"),
        ([*DAYS, date(2026, 2, 28)], "0 missing, 1 unexpected, first 2026-02-28"),  # a Saturday
        ([*DAYS, date(2026, 3, 2)], "0 missing, 1 unexpected, first 2026-03-02"),  # the future
        ([DAYS[0], *DAYS], "0 missing, 0 unexpected"),  # twice
        ([*DAYS[:2][::-1], *DAYS[2:]], "0 missing, 0 unexpected"),  # unsorted
        ([], "39 missing"),
    ],
)
def test_sessions_are_the_calendars(days: list[date], seen: str) -> None:
    """Each session once, ascending, none of a weekend or the future, the last complete one included."""
    verdicts = judged(sound(days=days)).verdicts
    assert refusing(verdicts) == [("sessions", "portfolio")]
    assert verdicts[-1].seen.startswith(seen)


def test_no_session_at_all_is_refused() -> None:
    """Where neither calendar nor bars have a session, there is nothing to price with."""
    assert refusing(judged(sound(days=[]), days=[]).verdicts) == [("sessions", "portfolio")]


def test_nothing_is_missing_before_the_first_bar() -> None:
    """Bars may begin later than the look-back, all of them or one symbol's."""
    assert refusing(judged(sound(days=DAYS[5:])).verdicts) == []
    assert refusing(judged(holed([(row, 1) for row in range(7)])).verdicts) == []


def test_a_stale_symbol_is_refused() -> None:
    """The last complete session's bar is there for every symbol."""
    assert ("stale", "TLT") in refusing(judged(holed([(-1, 2)])).verdicts)


def test_a_hole_is_refused() -> None:
    """A session without a bar after a symbol's first, wherever it is."""
    found = judged(holed([(4, 0), (9, 1), (10, 1)]))
    assert refusing(found.verdicts) == [("missing_session", "AGG, SPY")]
    assert [finding.seen for finding in found.findings] == [
        "1 missing: 2026-01-08",
        "2 missing: 2026-01-15, 2026-01-16",
    ]


def test_one_hole_on_a_thin_feed_only_warns() -> None:
    """A thin symbol has no trade on one exchange on some days; a second one is too many."""
    for cells, halts in (([(4, 0)], False), ([(4, 0), (7, 0)], True)):
        thin = Exhibit.of(holed(cells), DAYS, Gates(), feed="iex")
        assert told(judge_bars(thin, SYMBOLS).findings) == [("AGG 2026-01-08", halts)]


def test_the_first_verdict_that_fails_names_the_gravest_finding() -> None:
    """A warning beside a refusal does not hide it."""
    bars = with_cell(with_cell(sound(), 3, "AGG", open=500.0, high=500.0), 5, "SPY", low=120.0)
    verdict = next(v for v in judged(bars).verdicts if not v.passed)
    assert (verdict.rule, verdict.subject) == ("impossible_bar", "SPY")
    assert verdict.seen.startswith("SPY 2026-01-09: o 100.1 h 101 l 120 c 100")


def test_many_names_are_cut() -> None:
    """A message names five symbols and counts the others."""
    many = [f"S{n}" for n in range(8)]
    (verdict,) = judged(sound(()), many).verdicts
    assert verdict.subject == "S0, S1, S2, S3, S4 and 3 more"


ACCOUNT = Account("PA1", "ACTIVE", Decimal("5000.00"), Decimal("10000.00"))
SPY = Position("SPY", Decimal(10), Decimal(10), Decimal("5000.00"))


def account(**fields: object) -> list[tuple[str, str]]:
    portfolio = Portfolio(replace(ACCOUNT, **fields), (SPY,))  # type: ignore[arg-type]  # fields of Account
    return refusing(judge_account(portfolio))


def test_a_sound_account_passes() -> None:
    assert account() == []


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"status": "ACCOUNT_CLOSED"}, "account_status"),
        ({"status": "ONBOARDING"}, "account_status"),
        ({"status": ""}, "account_status"),
        ({"trading_blocked": True}, "account_blocked"),
        ({"account_blocked": True}, "account_blocked"),
        ({"trade_suspended_by_user": True}, "account_blocked"),
        ({"currency": "EUR"}, "currency"),
        ({"equity": Decimal("10050.26")}, "equity_identity"),
        ({"cash": Decimal("4949.99")}, "equity_identity"),
        ({"equity": Decimal(0), "cash": Decimal(-5000)}, "equity_identity"),
        ({"equity": Decimal(-1)}, "equity_identity"),
    ],
)
def test_each_field_of_an_account_can_refuse(fields: dict[str, object], rule: str) -> None:
    """One field mutated, one gate refuses."""
    assert account(**fields) == [(rule, "account")]


def test_equity_may_differ_by_half_a_percent() -> None:
    """At 0.5 % exactly the identity still holds."""
    assert account(cash=Decimal("4950.00")) == []
    assert account(cash=Decimal("5050.00")) == []


def test_a_holding_without_value_leaves_the_identity_unjudged() -> None:
    """The broker may leave `market_value` out; the verdict says so."""
    portfolio = Portfolio(ACCOUNT, (replace(SPY, market_value=None),))
    verdicts = judge_account(portfolio)
    assert refusing(verdicts) == []
    assert verdicts[-1].seen == "a holding has no value"


def test_a_short_is_refused_wherever_it_is() -> None:
    """What a foreign one was sold for stands in the cash, too: it would be invested, and is owed."""
    short = Position("XYZ", Decimal(-1), Decimal(-1), Decimal(0))
    assert refusing(judge_account(Portfolio(ACCOUNT, (SPY, short)))) == [("short_position", "XYZ")]


@pytest.mark.parametrize(
    ("ratio", "refused"),
    [
        *((usual, True) for usual in (1.5, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 50)),
        *((1 / usual, True) for usual in (1.5, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 50)),
        (1.5 * 0.98, True),
        (1.5 * 0.9799, False),
        (1 / (1.5 * 0.98), True),
        (1 / (1.5 * 0.9799), False),
        (1.0, False),
        (1.3, False),
        (0.7, False),
    ],
)
def test_a_holding_a_split_away_from_its_close_is_refused(ratio: float, *, refused: bool) -> None:
    """A split is booked before the session; bars that are not rebased by then would size every order."""
    held = Position("SPY", Decimal(1000), Decimal(1000), Decimal(repr(1000 * 50.0 * ratio)))
    verdict = judge_values(Portfolio(ACCOUNT, (held,)), {"SPY": 50.0}, (), Gates())
    assert (verdict.rule, verdict.passed) == ("split_value", not refused)
    assert verdict.subject == ("SPY" if refused else "portfolio")


def test_only_what_has_a_value_and_a_close_is_held_against_it() -> None:
    """No value, a foreign holding, a close of nothing: not judged here."""
    unknown = Position("SPY", Decimal(10), Decimal(10), None)
    foreign, worthless = (Position(s, Decimal(10), Decimal(10), Decimal(1000)) for s in ("XYZ", "TLT"))
    portfolio = Portfolio(ACCOUNT, (unknown, foreign, worthless))
    assert judge_values(portfolio, {"SPY": 50.0, "TLT": 0.0}, (), Gates()).passed


@pytest.mark.parametrize(
    ("symbol", "kind", "ratio", "refused"),
    [
        ("SPY", "split", 2.0, True),
        ("SPY", "split", 1.05, True),
        ("SPY", "split", 0.04, True),
        ("SPY", "dividend", 1.0, False),
        ("TLT", "split", 2.0, False),
    ],
)
def test_a_holding_that_is_told_to_have_split_since_its_close_is_refused(
    symbol: str, kind: Kind, ratio: float, *, refused: bool
) -> None:
    """Whatever its ratio, whichever of broker and feed is late: its value a share may show nothing of it."""
    held = Position("SPY", Decimal(1000), Decimal(1000), Decimal(50_000))
    fresh = Action(symbol, date(2026, 3, 2), kind, "told", ratio)
    verdict = judge_values(Portfolio(ACCOUNT, (held,)), {"SPY": 50.0, "TLT": 20.0}, [fresh], Gates())
    assert verdict.passed is not refused
    assert (verdict.subject, f"split {ratio:g} for 1 on 2026-03-02" in verdict.seen) == (
        ("SPY", True) if refused else ("portfolio", False)
    )
