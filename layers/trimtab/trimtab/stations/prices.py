"""Prices: the stations that turn a universe into judged bars, and bars into weights."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from trimtab.core.allocation import Allocation, allocate
from trimtab.core.gates import GATES, Exhibit, judge_bars, revised, summed_up, trades_apart
from trimtab.core.record import inputs_digest
from trimtab.core.schedule import BAR_DELAY, complete_sessions
from trimtab.errors import Halted
from trimtab.stations import past

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from trimtab.core.bars import Bars
    from trimtab.core.finding import Finding
    from trimtab.core.mandate import Mandate
    from trimtab.core.record import Document
    from trimtab.ports import World
    from trimtab.stations.arrive import Today
    from trimtab.stations.evidence import Evidence

TOLD_BEFORE = timedelta(days=14)
"""Actions are asked for from so long before the first bar: one record a month then tells of all of it."""
NEWS_SESSIONS = 5
"""A warning about a bar is told for so many sessions; its verdict stands in every record."""


def fetch(world: World, mandate: Mandate, today: Today, evidence: Evidence) -> Bars:
    """Fetch the daily bars of the universe that strategy and gates need, up to the last complete session.

    With them come the corporate actions of these sessions, which say what may have moved the prices, and
    those of the session itself, which may have moved the holdings since.

    Raises:
        Unreachable: the feed fails past its retries.
        Halted: the calendar does not reach back far enough.
    """
    past_sessions = expected_sessions(mandate, today)
    if not past_sessions:
        raise Halted(
            "no_calendar", "the calendar has no earlier session", seen=today.session, hint="try later"
        )
    bars = world.market.bars(mandate.universe, past_sessions[0], today.now - BAR_DELAY)
    bars = bars.up_to(past_sessions[-1])
    evidence.bars = bars
    evidence.inputs_digest = inputs_digest(bars)
    evidence.actions = world.market.actions(mandate.universe, past_sessions[0] - TOLD_BEFORE, today.session)
    return bars


def expected_sessions(mandate: Mandate, today: Today) -> list[date]:
    """Give the sessions that a run needs, oldest first: those whose bars must be there."""
    return complete_sessions(today.calendar, today.session, today.now)[-mandate.sessions_needed :]


def validate(world: World, bars: Bars, mandate: Mandate, today: Today, evidence: Evidence) -> Bars:
    """Judge the bars by every data gate; what only warns is noted while it is news.

    Raises:
        Halted: a gate refuses; its name is the code.
        Unreachable: the last trade of a symbol that jumped can't be read.
    """
    expected = expected_sessions(mandate, today)
    exhibit = Exhibit.of(
        bars,
        expected,
        mandate.gates,
        evidence.actions,
        feed=mandate.feed,
        adjustment=mandate.adjustment,
        context=max(0, len(expected) - mandate.lookback),
    )
    judged = judge_bars(exhibit, mandate.universe, mandate.least_history)
    evidence.verdicts += judged.verdicts
    _refuse(evidence)
    news = [finding for finding in judged.warnings if finding.session in expected[-NEWS_SESSIONS:]]
    for verdict in summed_up([*news, *_revisions(world, exhibit, mandate, evidence)], (*GATES, "revised")):
        if verdict.detail:
            evidence.note(
                "warning",
                "validate",
                verdict.rule,
                f"{verdict.seen} ({verdict.detail.removeprefix('only a warning: ')})",
            )
    _confirm_jumps(world, exhibit, judged.warnings, evidence)
    return bars


def _refuse(evidence: Evidence) -> None:
    """Stop at the first verdict that does not pass.

    Raises:
        Halted: there is one.
    """
    for verdict in evidence.verdicts:
        if not verdict.passed:
            raise Halted(
                verdict.rule,
                f"the bars of {verdict.subject} are refused: {verdict.detail}",
                seen=verdict.seen,
                allowed=verdict.allowed,
                hint=_HINTS.get(verdict.rule, _DOUBTED if verdict.rule in _MAY_BE_TRUE else _WRONG),
            )


def _confirm_jumps(world: World, exhibit: Exhibit, warned: Sequence[Finding], evidence: Evidence) -> None:
    """Hold the symbols that jumped in the last session against their last trade.

    Raises:
        Halted: the market is not where the bars say.
        Unreachable: the trades can't be read.
    """
    last = exhibit.bars.sessions[-1].item()
    moved = [finding for finding in warned if finding.rule == "jump" and finding.session == last]
    if moved:
        quotes = world.market.quotes([finding.symbol for finding in moved])
        evidence.verdicts += summed_up(trades_apart(exhibit, moved, quotes), ("trade_apart",))
        _refuse(evidence)


def _revisions(world: World, exhibit: Exhibit, mandate: Mandate, evidence: Evidence) -> list[Finding]:
    """Give the bars that changed since the last run under this configuration saw them."""
    earlier = past.last_inputs(world, mandate, evidence)
    found = [] if earlier is None else revised(exhibit, earlier)
    evidence.verdicts += summed_up(found, ("revised",))
    return found


_MAY_BE_TRUE = frozenset({"jump", "split", "factor", "dividend", "huge_dividend", "quiet", "trade_apart"})
_DOUBTED = 'look it up; if it is true, add "SYMBOL YYYY-MM-DD" to data.gates.accept; else wait for the vendor'
_WRONG = "the data vendor may mend it; nothing is traded on doubtful prices"
_HINTS = {
    "missing_symbol": "check the spelling (BRK.B, not brk-b), and that it was listed then; else leave it out",
}


def strategy(bars: Bars, equity: float, mandate: Mandate) -> Allocation:
    """Ask the owner's rule for target weights.

    Raises:
        Halted: the rule raised, or its weights are not acceptable.
    """
    try:
        asked = mandate.rule(bars.history(lookback=mandate.lookback), equity)
        return allocate(asked, mandate.universe)
    except Halted:
        raise
    except (Exception, SystemExit) as error:  # a strategy that exits would end the run without a record
        raise Halted(
            "strategy_failed",
            f"the strategy raised {type(error).__name__}: {error}",
            seen=type(error).__name__,
            allowed="weights by symbol",
            hint="run the strategy on its own with the same bars (inputs.parquet of this run)",
        ) from error


def decide(
    bars: Bars, equity: float, mandate: Mandate, decision: Document | None, today: Today, evidence: Evidence
) -> tuple[str, ...]:
    """Take weights from the strategy, or from this period's decision; give the symbols that trade today.

    Raises:
        Halted: the strategy's weights are not acceptable.
    """
    if decision is None:
        evidence.weights = strategy(bars, equity, mandate).as_dict()
        weights = {symbol: repr(weight) for symbol, weight in evidence.weights.items()}
        evidence.decision = {"session": str(today.session), "weights": weights, "pending": []}
        return mandate.universe
    decided = decision["weights"]
    evidence.weights = {symbol: float(decided.get(symbol, 0.0)) for symbol in mandate.universe}
    evidence.decision = decision
    return tuple(symbol for symbol in mandate.universe if symbol in decision["pending"])
