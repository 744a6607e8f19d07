"""Prices: the stations that turn a universe into judged bars, and bars into weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.allocation import Allocation, allocate
from trimtab.core.gates import judge_bars
from trimtab.core.record import inputs_digest
from trimtab.core.schedule import BAR_DELAY, complete_sessions
from trimtab.errors import Halted

if TYPE_CHECKING:
    from datetime import date

    from trimtab.core.bars import Bars
    from trimtab.core.mandate import Mandate
    from trimtab.core.record import Document
    from trimtab.ports import World
    from trimtab.stations.arrive import Today
    from trimtab.stations.evidence import Evidence


def fetch(world: World, mandate: Mandate, today: Today, evidence: Evidence) -> Bars:
    """Fetch the daily bars of the universe that strategy and gates need, up to the last complete session.

    Raises:
        Unreachable: the feed fails past its retries.
        Halted: the calendar does not reach back far enough.
    """
    past = expected_sessions(mandate, today)
    if not past:
        raise Halted(
            "no_calendar", "the calendar has no earlier session", seen=today.session, hint="try later"
        )
    bars = world.market.bars(mandate.universe, past[0], today.now - BAR_DELAY).up_to(past[-1])
    evidence.bars = bars
    evidence.inputs_digest = inputs_digest(bars)
    return bars


def expected_sessions(mandate: Mandate, today: Today) -> list[date]:
    """Give the sessions that a run needs, oldest first: those whose bars must be there."""
    return complete_sessions(today.calendar, today.session, today.now)[-mandate.sessions_needed :]


def validate(bars: Bars, mandate: Mandate, today: Today, evidence: Evidence) -> Bars:
    """Judge the bars by every data gate.

    Raises:
        Halted: a gate refuses; its name is the code.
    """
    expected = expected_sessions(mandate, today)
    verdicts = judge_bars(bars, mandate.universe, expected, mandate.least_history)
    evidence.verdicts += verdicts
    for verdict in verdicts:
        if not verdict.passed:
            raise Halted(
                verdict.rule,
                f"the bars of {verdict.subject} are refused: {verdict.detail}",
                seen=verdict.seen,
                allowed=verdict.allowed,
                hint=_HINTS.get(
                    verdict.rule, "the data vendor may mend it; nothing is traded on doubtful prices"
                ),
            )
    return bars


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
