"""Gates: whether bars may be believed, and an account may trade. Arrays and values in, verdicts out.

Each gate is a small function over an `Exhibit` that gives `Finding`s: the bars it doubts, and whether a run
halts for them or only warns. `judge_bars` passes them in order and makes one verdict of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.core.gates import factors, file, moves, prices, shape
from trimtab.core.gates.account import EQUITY_TOLERANCE, equity_identity, judge_account, judge_values
from trimtab.core.gates.exhibit import Adjustment, Exhibit
from trimtab.core.gates.moves import trades_apart
from trimtab.core.gates.revisions import revised
from trimtab.core.verdict import Verdict, subject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trimtab.core.actions import Action
    from trimtab.core.bars import Bars
    from trimtab.core.finding import Finding
    from trimtab.core.limits import Gates

__all__ = [
    "EQUITY_TOLERANCE",
    "GATES",
    "Adjustment",
    "Exhibit",
    "Judged",
    "equity_identity",
    "examine",
    "judge_account",
    "judge_bars",
    "judge_file",
    "judge_values",
    "revised",
    "summed_up",
    "trades_apart",
]

GATES: dict[str, Callable[[Exhibit], list[Finding]]] = {
    "missing_session": shape.missing_sessions,
    "bad_price": prices.bad_prices,
    "impossible_bar": prices.impossible_bars,
    "open_outside": prices.opens_outside,
    "wild_range": prices.wild_ranges,
    "quiet": prices.quiet,
    "jump": moves.jumps,
    "split": moves.splits,
    "factor": factors.factors,
    "dividend": factors.dividends_unseen,
    "huge_dividend": factors.dividends_too_large,
    "repeated_dividend": factors.repeated_dividends,
}
"""Every gate over single bars, by its code, in the order in which they are judged."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the gates said: a verdict of each, and each doubt."""

    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Give the doubts that stop nothing."""
        return tuple(finding for finding in self.findings if not finding.halts)


def judge_bars(exhibit: Exhibit, universe: Sequence[str], least: int = 0) -> Judged:
    """Judge bars against the universe and the expected sessions, then bar by bar.

    `least` is the number of sessions that the strategy cannot do without. Where symbols or sessions are not
    those expected, the bars are not looked at singly.
    """
    bars = exhibit.bars
    verdicts = [shape.complete(bars, universe)]
    if verdicts[-1].passed:
        verdicts.append(shape.calendar(bars, exhibit.expected))
    if not verdicts[-1].passed:
        return Judged(tuple(verdicts))
    verdicts += [shape.long_enough(bars, least), shape.fresh(bars)]
    findings = examine(exhibit)
    return Judged((*verdicts, *summed_up(findings)), tuple(findings))


def examine(exhibit: Exhibit) -> list[Finding]:
    """Give every doubt about the bars, gate by gate."""
    return [finding for gate in GATES.values() for finding in gate(exhibit)]


def judge_file(bars: Bars, actions: Sequence[Action], limits: Gates) -> list[Finding]:
    """Give every doubt about a file of bars, held against the exchange's calendar."""
    exhibit = file.exhibit_of(bars, actions, limits)
    return [*file.lost_sessions(exhibit), *file.stale_symbols(exhibit), *examine(exhibit)]


def summed_up(findings: Sequence[Finding], rules: Sequence[str] = tuple(GATES)) -> list[Verdict]:
    """Make one verdict of each rule's findings: it passes unless one halts, and names the gravest first."""
    verdicts = []
    for rule in rules:
        of_rule = sorted(
            (finding for finding in findings if finding.rule == rule), key=lambda finding: not finding.halts
        )
        if not of_rule:
            verdicts.append(Verdict(rule, "portfolio", passed=True, seen="none", allowed="none"))
            continue
        first = of_rule[0]
        more = f", and {len(of_rule) - 1} more" if len(of_rule) > 1 else ""
        verdicts.append(
            Verdict(
                rule,
                subject(list(dict.fromkeys(finding.symbol for finding in of_rule))),
                not first.halts,
                f"{first.name}: {first.seen}{more}",
                first.allowed,
                first.detail if first.halts else f"only a warning: {first.detail}",
            )
        )
    return verdicts
