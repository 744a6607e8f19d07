"""Judged: what a sweep's results say together: each window's pick, how it did after it, how far luck goes."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trimtab.backtesting.stats import ROOT
from trimtab.sweeping.deflated import deflated_sharpe, expected_maximum

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.core.record import Document
    from trimtab.sweeping.cells import Cell, Window

__all__ = ["Outcome", "Pick", "Standing", "following", "picks", "pooled", "standings", "summary"]

BY = "sharpe"
"""The figure that combinations are compared by."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A cell and what came of it: its figures on both sides, or why there are none (code and message)."""

    cell: Cell
    digest: str
    in_sample: Mapping[str, object] | None = None
    out_of_sample: Mapping[str, object] | None = None
    failed: tuple[str, str] | None = None

    @classmethod
    def of(cls, cell: Cell, digest: str, document: Document) -> Outcome:
        """Give the outcome of a result's document."""
        why = document.get("failed")
        failed = None if why is None else (str(why["code"]), str(why["message"]))
        return cls(cell, digest, document.get("in_sample"), document.get("out_of_sample"), failed)

    def figure(self, name: str, *, after: bool = False) -> float | None:
        """Give a figure in sample, or out of it; None where there is none."""
        side = self.out_of_sample if after else self.in_sample
        value = None if side is None else side.get(name)
        return value if isinstance(value, int | float) else None


@dataclass(frozen=True, slots=True)
class Pick:
    """What was best in sample in a window, of `trials` combinations that have a Sharpe ratio.

    `by_luck` is the ratio (annualised) that the best of so many without any skill is expected to show;
    `deflated` the probability that the pick's true ratio lies above it (None: not defined). `after` is the
    pick's ratio out of sample, `rank` its place there among the `ranked` (1: the best), `after_median` the
    median of all.
    """

    window: Window
    best: Outcome
    trials: int
    by_luck: float
    deflated: float | None
    after: float | None
    rank: int | None
    ranked: int
    after_median: float | None


def picks(outcomes: Sequence[Outcome]) -> list[Pick]:
    """Give each window's pick, in their order; a window without a single Sharpe ratio has none."""
    windows: dict[Window, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.figure(BY) is not None:
            windows.setdefault(outcome.cell.window, []).append(outcome)
    return [_pick(window, tried) for window, tried in windows.items()]


def _pick(window: Window, tried: Sequence[Outcome]) -> Pick:
    ratios = _ratios(tried)
    best = tried[int(np.argmax(ratios))]
    variance = float(np.var(ratios / ROOT, ddof=1)) if len(ratios) > 1 else 0.0
    afterwards = sorted((r for one in tried if (r := one.figure(BY, after=True)) is not None), reverse=True)
    after = best.figure(BY, after=True)
    return Pick(
        window,
        best,
        len(tried),
        expected_maximum(len(tried), variance) * ROOT,
        _deflated(best, len(tried), variance),
        after,
        None if after is None else afterwards.index(after) + 1,
        len(afterwards),
        float(np.median(afterwards)) if afterwards else None,
    )


def _ratios(tried: Sequence[Outcome]) -> np.ndarray:
    return np.array([one.figure(BY) for one in tried], dtype=np.float64)


def _deflated(best: Outcome, trials: int, variance: float) -> float | None:
    names = ("daily_mean", "daily_deviation", "daily_returns", "daily_skewness", "daily_kurtosis")
    mean, deviation, count, skewness, kurtosis = (best.figure(name) for name in names)
    if mean is None or not deviation or not count or skewness is None or kurtosis is None:
        return None
    return deflated_sharpe(mean / deviation, int(count), skewness, kurtosis, trials=trials, variance=variance)


def pooled(sides: Sequence[Mapping[str, object] | None], *, apart: bool = True) -> Document:
    """Give the figures of windows as of one: return, Sharpe ratio, days.

    Daily means and squares are added up, so the ratio is exactly that of all their days together. Where the
    windows do not stand `apart`, a day counts once a window, and no return is theirs together: None.
    """
    known = [side for side in sides if side is not None and side.get("daily_deviation") is not None]
    counts, means, spreads, returns = (
        np.array([side[name] for side in known], dtype=np.float64)
        for name in ("daily_returns", "daily_mean", "daily_deviation", "total_return_pct")
    )
    days = float(counts.sum())
    if days < 2:  # noqa: PLR2004 - a deviation takes two
        return {"windows": len(known), "daily_returns": int(days), "sharpe": None, "total_return_pct": None}
    mean = float((counts * means).sum() / days)
    squares = float(((counts - 1) * spreads**2 + counts * (means - mean) ** 2).sum())
    deviation = math.sqrt(squares / (days - 1))
    return {
        "windows": len(known),
        "daily_returns": int(days),
        "sharpe": mean / deviation * ROOT if deviation > 0 else None,
        "total_return_pct": 100 * (float(np.prod(1 + returns / 100)) - 1) if apart else None,
    }


@dataclass(frozen=True, slots=True)
class Standing:
    """A combination over all windows: its mean Sharpe ratio in sample and out of it, and other means."""

    cell: Cell
    windows: int
    before: float | None
    after: float | None
    growth_pct: float | None
    growth_after_pct: float | None
    drawdown_pct: float | None
    failed: tuple[str, str] | None


def standings(outcomes: Sequence[Outcome]) -> list[Standing]:
    """Give each combination's standing, the best in sample first; those without a ratio come last."""
    groups: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.cell.combination, []).append(outcome)
    found = [_standing(group) for group in groups.values()]
    return sorted(found, key=lambda one: (one.before is None, -(one.before or 0.0), one.cell.combination))


def _standing(group: Sequence[Outcome]) -> Standing:
    return Standing(
        group[0].cell,
        len(group),
        _mean(one.figure(BY) for one in group),
        _mean(one.figure(BY, after=True) for one in group),
        _mean(one.figure("cagr_pct") for one in group),
        _mean(one.figure("cagr_pct", after=True) for one in group),
        _mean(one.figure("max_drawdown_pct") for one in group),
        next((one.failed for one in group if one.failed), None),
    )


def _mean(values: object) -> float | None:
    known = [value for value in values if value is not None]  # type: ignore[attr-defined]  # a generator
    return sum(known) / len(known) if known else None


# All of it, as JSON holds it


def summary(outcomes: Sequence[Outcome]) -> Document:
    """Give what a sweep found: counts, the best combinations, each window's pick, and how far luck goes."""
    chosen, ranked = picks(outcomes), standings(outcomes)
    walked = following(chosen)
    failed = [one for one in outcomes if one.failed is not None]
    return {
        "strategy": outcomes[0].cell.strategy,
        "cells": len(outcomes),
        "combinations": len(ranked),
        "windows": len({one.cell.window for one in outcomes}),
        "failed": len(failed),
        "failures": _failures(failed),
        "best": [_standing_document(one) for one in ranked[:SHOWN] if one.before is not None],
        "picks": [_pick_document(pick) for pick in chosen],
        "in_sample": _tried(walked or chosen),
        "out_of_sample": pooled([pick.best.out_of_sample for pick in walked]) if walked else None,
        "warning": warning(chosen),
    }


SHOWN = 20
"""Combinations and failures that a summary names; the table has them all."""
SURE = 0.95
"""The probability from which Bailey and López de Prado (2014) call a result significant."""


def _failures(failed: Sequence[Outcome]) -> list[Document]:
    """Give each different failure once: how many cells it took, and the first of them."""
    alike: dict[tuple[str, str], list[Outcome]] = {}
    for one in failed:
        alike.setdefault(one.failed or ("", ""), []).append(one)
    return [
        {"code": code, "message": message, "cells": len(group), "first": group[0].cell.document()}
        for (code, message), group in list(alike.items())[:SHOWN]
    ]


def following(chosen: Sequence[Pick]) -> list[Pick]:
    """Give the picks whose sessions to judge by follow one another: of windows that overlap, the earliest.

    What several windows say of the same sessions is no more than one of them says. Without such sessions
    there are none.
    """
    found: list[Pick] = []
    until = ""
    for pick in sorted(chosen, key=lambda one: one.window.test_end or ""):
        begin, end = pick.window.end, pick.window.test_end  # ISO dates: their order is that of time
        if end is not None and pick.best.out_of_sample is not None and begin >= until:
            found.append(pick)
            until = end
    return found


def _tried(chosen: Sequence[Pick]) -> Document:
    """Give the figures of picks where they were chosen; those sessions mostly overlap."""
    spans = sorted((pick.window.start, pick.window.end) for pick in chosen)
    apart = all(later[0] > earlier[1] for earlier, later in itertools.pairwise(spans))
    return pooled([pick.best.in_sample for pick in chosen], apart=apart)


def _standing_document(one: Standing) -> Document:
    return {
        **one.cell.terms(),
        "sharpe": one.before,
        "out_of_sample_sharpe": one.after,
        "cagr_pct": one.growth_pct,
        "out_of_sample_cagr_pct": one.growth_after_pct,
        "max_drawdown_pct": one.drawdown_pct,
    }


def _pick_document(pick: Pick) -> Document:
    return {
        "window": pick.window.document(),
        **pick.best.cell.terms(),
        "sharpe": pick.best.figure(BY),
        "trials": pick.trials,
        "sharpe_by_luck": pick.by_luck,
        "deflated_sharpe": pick.deflated,
        "out_of_sample_sharpe": pick.after,
        "out_of_sample_rank": pick.rank,
        "out_of_sample_ranked": pick.ranked,
        "out_of_sample_median": pick.after_median,
    }


def warning(chosen: Sequence[Pick]) -> str:
    """Say plainly what picking the best of many does, of the last window: the pick that one would trade."""
    if not chosen:
        return "No combination has a Sharpe ratio: nothing can be said of any."
    pick = chosen[-1]
    if pick.trials == 1:
        return "One combination was tried here. If you tried others before, this is the best of those too."
    last = "the last window's" if len(chosen) > 1 else "the"
    head = (
        f"{last[0].upper()}{last[1:]} pick is the best of {pick.trials:,} tries. Of as many tries without "
        f"any skill the best is expected to show a Sharpe ratio of {pick.by_luck:.2f}; this one shows "
        f"{pick.best.figure(BY) or 0.0:.2f}."
    )
    if pick.deflated is None:
        return head
    sure = "beyond" if pick.deflated >= SURE else "short of"
    return (
        f"{head} The probability that it is truly better than luck is {100 * pick.deflated:.1f} % (deflated "
        f"Sharpe ratio), {sure} the {100 * SURE:.0f} % that are usually asked for. Tries of earlier sweeps "
        "count too, and are not in this figure."
    )
