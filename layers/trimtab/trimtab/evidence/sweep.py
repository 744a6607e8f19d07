"""Sweep: the page of a sweep: its surface, what was chosen, what came after, and how far luck goes."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trimtab.evidence import tables
from trimtab.evidence.charts import Layer, Read, bars, figure, frame
from trimtab.evidence.markup import Element, html, node
from trimtab.evidence.scales import Tick, linear, numbered
from trimtab.evidence.script import SCRIPT
from trimtab.evidence.sheet import code, head, section
from trimtab.evidence.words import NOTHING, number, percent
from trimtab.show.sweep import TERMS, alike_in, terms_text
from trimtab.sweeping.judged import picks, standings, summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from trimtab.core.record import Document
    from trimtab.evidence.markup import Node
    from trimtab.sweeping.judged import Outcome, Pick, Standing

    Numbers = NDArray[np.float64]

__all__ = ["sweep_html"]

WIDEST = 30
"""Values that an axis of the surface may have."""
LISTED, FAILURES = 100, 50
"""Rows of the page; the table beside it has all."""
DARKEST = 0.55
SOURCE = (
    "Bailey and López de Prado, The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest "
    "Overfitting, and Non-Normality, Journal of Portfolio Management 40(5), 2014."
)
MEANINGS = {
    "Sharpe ratio": "Mean daily return by its standard deviation, times the root of 252; the rate is 0.",
    "In sample": "Over the sessions that a combination is chosen by.",
    "Out of sample": "Over the sessions after them, which had no part in the choice. What was chosen is "
    "bought at the last close in sample.",
    "By luck": "The Sharpe ratio that the best of as many tries without any skill is expected to show, given "
    "how widely the tries' ratios are spread. Tries that resemble each other count as one each, which "
    "makes this figure strict.",
    "Deflated Sharpe ratio": "The probability that the true ratio of the pick lies above what luck alone is "
    f"expected to show, for its days, skewness and kurtosis. {SOURCE}",
    "Place": "Where the pick came among all combinations out of sample. Chosen blindly it would come in the "
    "middle on average.",
    "Median": "Half of the combinations were better out of sample, half were worse.",
}


def sweep_html(outcomes: Sequence[Outcome], *, title: str, source: str, command: str) -> str:
    """Write the page of a sweep; it takes nothing from a network, and no text of it can become markup."""
    seen = _Seen(outcomes, summary(outcomes), picks(outcomes), standings(outcomes))
    body = node(
        "main",
        _header(title, source, seen),
        _headline(seen),
        section("Mind the many", "What choosing the best of many does.", _mind(seen)),
        _surface(seen),
        _beside(seen),
        _windows(seen),
        _best(seen),
        _failed(seen),
        section("How it was made", "What gives this page again.", code("Command", command)),
        section("Definitions", "What each figure means.", _glossary()),
    )
    return html(node("html", head(f"{title}: sweep"), node("body", body, node("script", SCRIPT)), lang="en"))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the page is made from."""

    outcomes: Sequence[Outcome]
    summary: Document
    picks: Sequence[Pick]
    ranked: Sequence[Standing]

    @property
    def after(self) -> bool:
        """Whether anything was kept to judge by."""
        return any(one.after is not None for one in self.ranked)


def _header(title: str, source: str, seen: _Seen) -> Element:
    whole = seen.summary
    facts = [
        f"{number(whole['combinations'], 0)} combinations",
        f"{number(whole['windows'], 0)} {'window' if whole['windows'] == 1 else 'windows'}",
        *([f"{number(whole['failed'], 0)} cells failed"] if whole["failed"] else []),
        source,
    ]
    return node(
        "header",
        node("p", "Sweep", class_="eyebrow"),
        node("h1", title),
        node("p", [node("span", fact) for fact in facts], class_="facts"),
    )


def _headline(seen: _Seen) -> Element:
    """Give the figures that are asked for first: of the picks, where they were chosen and after it."""
    before, after = seen.summary["in_sample"], seen.summary["out_of_sample"]
    pick = seen.picks[-1] if seen.picks else None
    deflated = None if pick is None or pick.deflated is None else 100 * pick.deflated
    latest = " of the last window" if len(seen.picks) > 1 else ""
    counted = len(seen.picks) if after is None else after["windows"]
    some = f"the picks of {number(counted, 0)} windows that do not overlap"
    whose = "each window's pick" if counted == len(seen.picks) else some
    tiles = [
        ("Sharpe ratio in sample", number(before["sharpe"]), f"of {whose}, all days together"),
        (
            "Sharpe ratio out of sample",
            NOTHING if after is None else number(after["sharpe"]),
            "nothing was kept to judge by"
            if after is None
            else f"of {whose}, over {number(after['daily_returns'], 0)} days",
        ),
        (
            "By luck",
            NOTHING if pick is None else number(pick.by_luck),
            f"expected of the best{latest}, without skill",
        ),
        ("Deflated Sharpe ratio", percent(deflated, 1), f"chance of more than luck{latest}; 95 % is usual"),
    ]
    made = [
        node("div", node("dt", label), node("dd", value, class_="big"), node("dd", below, class_="quiet"))
        for label, value, below in tiles
    ]
    return node("section", node("h2", "In short", class_="unseen"), node("dl", made, class_="tiles"))


def _mind(seen: _Seen) -> Element:
    return node("p", seen.summary["warning"], class_="mind")


# The surface


def _values(one: Standing) -> dict[str, object]:
    return {**one.cell.params, **{name: getattr(one.cell, name) for name in TERMS}}


def _axes(ranked: Sequence[Standing]) -> list[tuple[str, list[object]]]:
    """Give what varies and its values, the widest first."""
    names = dict.fromkeys(name for one in ranked for name in _values(one))
    found = []
    for name in names:
        values = {_key(_values(one).get(name)): _values(one).get(name) for one in ranked}
        if 1 < len(values) <= WIDEST:
            plain = all(isinstance(value, int | float) for value in values.values())
            key = (lambda pair: pair[1]) if plain else (lambda pair: pair[0])
            found.append((name, [value for _, value in sorted(values.items(), key=key)]))
    return sorted(found, key=lambda axis: -len(axis[1]))


def _key(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _surface(seen: _Seen) -> Iterator[Element]:
    axes = _axes(seen.ranked)
    if not axes:
        return
    down = axes[0]
    across: tuple[str, list[object]] = axes[1] if len(axes) > 1 else ("", [None])
    rest = [name for name, _ in axes[2:]]
    means = " and ".join(["the windows", *rest]) if rest else "the windows"
    sides = [("In sample", False), *([("Out of sample", True)] if seen.after else [])]
    drawn = [_map(seen, title, down, across, after=after) for title, after in sides]
    caption = f"Sharpe ratio, the mean over {means}. Blue is above the mean of all, orange below."
    yield section("Surface", caption, node("div", drawn, class_="pair"))


def _map(
    seen: _Seen, title: str, down: tuple[str, list[object]], across: tuple[str, list[object]], *, after: bool
) -> Element:
    """Give one side's surface as a heat map."""
    means = _means(seen, down[0], across[0], after=after)
    rows_of, columns_of = map(_key, down[1]), [_key(value) for value in across[1]]
    grid = np.array([[means.get((row, column), np.nan) for column in columns_of] for row in rows_of])
    known = grid[np.isfinite(grid)]
    middle = float(known.mean()) if len(known) else 0.0
    widest = float(np.abs(known - middle).max()) if len(known) else 0.0
    rows: list[list[Node]] = [
        [_label(value), *(_heat(float(cell), middle, widest or 1.0) for cell in row)]
        for value, row in zip(down[1], grid, strict=True)
    ]
    top = [_label(value) for value in across[1]] if across[0] else ["Sharpe ratio"]
    name = f"{title}: Sharpe ratio by {down[0]}" + (f" and {across[0]}" if across[0] else "")
    below = node("p", f"{across[0]} across" if across[0] else "", class_="quiet across")
    made = tables.table(name, [down[0], *top], rows, look="heat surface")
    return node("div", node("h3", title), made, below)


def _means(seen: _Seen, down: str, across: str, *, after: bool) -> dict[tuple[str, str], float]:
    """Give the mean Sharpe ratio at each place of the surface that has one."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in seen.ranked:
        value = one.after if after else one.before
        if value is not None:
            values = _values(one)
            found[_key(values.get(down)), _key(values.get(across))].append(value)
    return {place: sum(known) / len(known) for place, known in found.items()}


def _label(value: object) -> str:
    return value if isinstance(value, str) else _key(value)


def _heat(value: float, middle: float, widest: float) -> Element:
    if not np.isfinite(value):
        return node("td", NOTHING)
    strength = DARKEST * min(abs(value - middle) / widest, 1.0)
    look = "up" if value > middle else "down" if value < middle else None
    return node("td", number(value), class_=look, style=f"--t:{strength:.2f}")


# In sample and out of it


def _beside(seen: _Seen) -> Iterator[Element]:
    """Draw each combination as a dot: across in sample, up out of sample."""
    both = [
        (one.before, one.after) for one in seen.ranked if one.before is not None and one.after is not None
    ]
    if not both:
        return
    before, after = (np.array(side) for side in zip(*both, strict=True))
    x, y = linear(before, count=6), linear(after)
    apart = float(np.corrcoef(before, after)[0, 1]) if len(both) > 2 else float("nan")  # noqa: PLR2004 - two lie on a line
    told = f"{len(both)} combinations; their correlation is {number(apart)}."
    shapes = [
        _dots(x.at(before), y.at(after), "dots"),
        _dots(x.at(before[:1]), y.at(after[:1]), "dots picked"),
    ]
    below = [Tick(at, label) for at, label, _ in x.ticks()]
    drawn = frame("both", "In sample and out of sample", told, shapes, (y.ticks(), below))
    caption = (
        "Each combination's Sharpe ratio: in sample across, out of sample up. If the choice carried over, "
        f"the dots would rise to the right. Correlation {number(apart)}. Orange: the best in sample."
    )
    yield section("In sample beside out of sample", caption, node("figure", drawn, class_="chart"))


def _dots(x: Numbers, y: Numbers, look: str) -> Element:
    """Draw dots as strokes of no length: round and as large however the drawing is stretched."""
    at = [f"M{1000 * a:.1f},{300 * (1 - b):.1f}h0" for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    return node("path", d="".join(at), class_=look)


def _windows(seen: _Seen) -> Iterator[Element]:
    """Give each window's pick: how it did where it was chosen, after it, and against luck."""
    if not seen.picks:
        return
    drawn: list[Node] = []
    if seen.after and len(seen.picks) > 1:
        names = [pick.window.end for pick in seen.picks]
        sides = ((p.best.figure("sharpe") for p in seen.picks), (p.after for p in seen.picks))
        one, other = (
            np.array([np.nan if v is None else v for v in side], dtype=np.float64) for side in sides
        )
        layers = [Layer("In sample", one, "other"), Layer("Out of sample", other, "own")]
        scale = linear(one, other, zero=True, count=4)
        axes = (scale.ticks(), numbered(names))
        told = "Sharpe ratio of each window's pick, in sample and out of sample."
        drawn.append(
            figure(
                Read(layers, names, "", 2), frame("picks", "Picks", told, bars(layers, scale), axes, "low")
            )
        )
    caption = (
        "What was best in each window, how it did in the sessions after, and what luck would have shown."
    )
    yield section("Picks", caption, *drawn, _picks(seen))


def _picks(seen: _Seen) -> Element:
    terms = seen.summary["picks"]
    alike = alike_in(terms)
    rows: list[list[Node]] = [
        [
            f"{pick.window.start} to {pick.window.end}",
            terms_text(told, alike),
            number(pick.best.figure("sharpe")),
            number(pick.by_luck),
            percent(None if pick.deflated is None else 100 * pick.deflated, 1),
            number(pick.after),
            number(pick.after_median),
            NOTHING if pick.rank is None else f"{pick.rank} of {pick.ranked}",
        ]
        for pick, told in zip(seen.picks, terms, strict=True)
    ]
    names = ["Chosen over", "Pick", "In sample", "By luck", "Deflated", "Out of sample", "Median", "Place"]
    return tables.table("Each window's pick", names, rows, words=2, look="tall")


def _best(seen: _Seen) -> Element:
    shown = [one for one in seen.ranked if one.before is not None][:LISTED]
    terms = [one.cell.terms() for one in shown]
    alike = alike_in(terms)
    rows: list[list[Node]] = [
        [
            terms_text(told, alike),
            number(one.before),
            number(one.after),
            percent(one.growth_pct),
            percent(one.growth_after_pct),
            percent(one.drawdown_pct),
        ]
        for one, told in zip(shown, terms, strict=True)
    ]
    names = ["Combination", "Sharpe", "after", "A year", "after", "Drawdown"]
    caption = "Means over the windows, the best in sample first; `after` is out of sample."
    more = f" The first {len(shown)} of {len(seen.ranked)}." if len(shown) < len(seen.ranked) else ""
    return section(
        "Combinations", caption + more, tables.table("The best combinations", names, rows, look="tall")
    )


def _failed(seen: _Seen) -> Iterator[Element]:
    failed = [one for one in seen.outcomes if one.failed is not None]
    if not failed:
        return
    shown = failed[:FAILURES]
    terms = [one.cell.terms() for one in shown]
    alike = alike_in(terms)
    rows: list[list[Node]] = [
        [one.cell.window.start, *(one.failed or ()), terms_text(told, alike)]
        for one, told in zip(shown, terms, strict=True)
    ]
    names = ["From", "Code", "What happened", "Combination"]
    caption = f"{len(failed)} cells have no figures; they are played again the next time."
    yield section("Failed", caption, tables.table("Failed cells", names, rows, words=4, look="told"))


def _glossary() -> Element:
    return node("dl", [node("div", node("dt", name), node("dd", said)) for name, said in MEANINGS.items()])
