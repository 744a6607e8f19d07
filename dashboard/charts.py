"""Charts: what a page draws, as HTML whose curves and bars are images: no chart library is loaded for them.

What comes from data becomes a text or an attribute of an element, escaped when it is written, and nothing
else. A chart's legend follows the pointer.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np

from dashboard.looks import drawing
from trimtab.evidence import charts as drawn
from trimtab.evidence import tables
from trimtab.evidence.board.days import MEANINGS
from trimtab.evidence.charts import Layer, Read
from trimtab.evidence.markup import node
from trimtab.evidence.scales import linear, numbered, spread, time_ticks
from trimtab.evidence.words import THIN, money, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

    from dashboard.looks import Inks
    from trimtab.evidence.board.curve import Curve
    from trimtab.evidence.holding import Holding
    from trimtab.evidence.markup import Element
    from trimtab.evidence.scales import Tick

    Numbers = NDArray[np.float64]
    Days = NDArray[np.datetime64]

__all__ = ["OWN", "bullet", "calendar", "columns", "costs", "curves", "fall", "meter", "months", "said"]

OWN = "Portfolio"
LOOKS = ("own", "second", "third")
"""How one's own curve and those beside it are drawn."""
ONE_PERCENT = np.array([-1.0])
LABELS = 12
"""At most so many labels stand below bars."""
FEW_LABELS = 7
"""The same of labels that no screen leaves out."""
SIGNS = {"missing": "✕", "halted": "!", "interrupted": "!!"}
"""What stands in the cell of a day to look at, for those who see no difference in its colour."""
CUT = 160
"""Letters of a reason at the pointer."""
NAME_WEEKS = 3
"""Weeks that the name of a month takes."""
BIN = 2
"""Basis points of a bin."""


def said(outcome: str) -> str:
    """Give an outcome as people read it."""
    return outcome.replace("_", " ")


def curves(own: Curve, levels: Mapping[str, Numbers], rows: NDArray[np.int64], ink: Inks) -> Element:
    """Draw levels over time at some rows of the curve, 100 at the first, and mark the flows."""
    days = own.sessions[rows].astype("datetime64[D]")
    layers = [
        Layer(name, 100 * level[rows], look)
        for (name, level), look in zip(levels.items(), LOOKS, strict=False)
    ]
    scale = linear(*(layer.values for layer in layers))
    told = f"Curves of {', '.join(levels)}, 100 at the first close; the statistics have the figures."
    frame = drawn.frame(
        "levels",
        "Value over time",
        told,
        drawn.curves(layers, days, scale),
        (scale.ticks(), time_ticks(days)),
    )
    frame[0].extend(_flows(own, days))
    return _pictured(drawn.figure(Read(layers, days, "", 2), frame), ink)


def _flows(own: Curve, days: Days) -> list[Element]:
    places = spread(np.concatenate([days[:1], *([day] for day, _, _ in own.flows), days[-1:]]))[1:-1]
    marks = []
    for (day, usd, kind), at in zip(own.flows, places.tolist(), strict=True):
        what = f"{day}: {'deposit' if usd > 0 else 'withdrawal'} ({kind}), {money(usd, 2)}"
        marks.append(node("i", "▲", class_="flow", style=f"left:{100 * at:.2f}%", title=what))
    return marks


def fall(under: Numbers, days: Days, ink: Inks) -> Element:
    """Draw how far the portfolio is below its highest close so far, %."""
    layer = Layer("Below the high", under, "cost")
    scale = linear(ONE_PERCENT, under, zero=True, count=4)
    shapes = [drawn.under(layer, days, scale), *drawn.curves([layer], days, scale)]
    told = f"The drawdown of the portfolio; at the lowest {number(float(under.min()), 1)} %."
    ticks = (scale.ticks(f"{THIN}%"), time_ticks(days))
    frame = drawn.frame("falls", "Drawdown over time", told, shapes, ticks, "low")
    return _pictured(drawn.figure(Read([layer], days, "%", 2), frame), ink)


def months(own: Curve) -> Element:
    """Give each month's return, %: years down, months across, the year at the end."""
    of_months = [
        {"year": int(name[:4]), "month": int(name[5:]), "return_pct": move}
        for name, move in own.track.periods("M")
    ]
    of_years = [{"year": int(name), "return_pct": move} for name, move in own.track.periods("Y")]
    return _whole(tables.months(of_months, of_years[::-1], None))


def columns(labels: Sequence[str], values: Numbers, name: str, unit: str, ink: Inks) -> Element:
    """Draw a column a month; a month without a value has none."""
    scale = linear(values[np.isfinite(values)], zero=True, count=4)
    layer = Layer(name, values, "own")
    ticks = (scale.ticks(f"{THIN}{unit}" if unit == "%" else ""), _some(numbered(labels)))
    told = f"{name} of each month, {unit}."
    frame = drawn.frame(name.lower(), name, told, drawn.bars([layer], scale), ticks, "low")
    return _pictured(drawn.figure(Read([layer], labels, unit, 2), frame), ink)


def _some(ticks: list[Tick]) -> list[Tick]:
    """Leave out what would not fit."""
    return ticks if len(ticks) <= LABELS else [tick for tick in ticks if not tick.minor]


def costs(frame: pl.DataFrame, of: str, ink: Inks) -> Element:
    """Draw how many orders filled how far from their reference: bps (middle of a bin), orders."""
    known = dict(frame.iter_rows())
    far = max(10, *(abs(int(bps)) for bps in known))
    bins = np.arange(-far - far % BIN, far + BIN, BIN)
    counts = np.array([known.get(float(bps), 0) for bps in bins], dtype=np.float64)
    layers = [
        Layer("Orders that gained", np.where(bins <= 0, counts, np.nan), "gain"),
        Layer("Orders that cost", np.where(bins > 0, counts, np.nan), "cost"),
    ]
    scale = linear(counts, zero=True, count=4)
    labels = [f"{number(float(bps), 0)} bps" for bps in bins]
    step = BIN * -(-len(bins) // FEW_LABELS)
    below = [
        tick._replace(minor=False)
        for tick, bps in zip(numbered(labels), bins, strict=True)
        if bps % step == 0
    ]
    shapes = drawn.bars(layers, scale, beside=False)
    told = f"Orders by their cost against {of}; right of zero is a cost."
    made = drawn.frame("costs", "Orders by cost", told, shapes, (scale.ticks(), below), "low")
    figure = drawn.figure(Read(layers, labels, "", 0), made)
    sums = ["All", *(number(float(np.nansum(layer.values)), 0) for layer in layers)]
    for text, shown in zip(figure.iter("b"), sums, strict=True):  # the legend, until a bar is pointed at
        text.text = shown
    return _pictured(figure, ink)


def calendar(days: pl.DataFrame) -> Element:
    """Give a cell a session: session, outcome, runs, reason; a legend with counts over it."""
    counts = dict(days.group_by("outcome").len().iter_rows())
    places = {name: i for i, name in enumerate(MEANINGS)}
    legend = [
        node(
            "li",
            node("i", class_=f"swatch o{places[name]}", aria_hidden="true"),
            node(
                "span", f"{SIGNS[name]} {said(name)}" if name in SIGNS else said(name), title=MEANINGS[name]
            ),
            " ",
            node("b", number(counts[name], 0)),
        )
        for name in MEANINGS
        if name in counts
    ]
    first = days["session"].dt.truncate("1w").min()
    cells = [
        _cell((session - first).days // 7 + 1, session.isoweekday(), *row)
        for session, *row in days.select("session", "outcome", "runs", "reason").iter_rows()
    ]
    told = "Sessions by outcome: " + ", ".join(
        f"{said(name)} {counts[name]}" for name in MEANINGS if name in counts
    )
    grid = node("div", _heads(days, first), cells, class_="grid", role="img", aria_label=told)
    return _whole(node("ul", legend, class_="legend"), node("div", grid, class_="days", tabindex="0"))


def _cell(week: int, weekday: int, outcome: str, runs: int, reason: str) -> Element:
    known = list(MEANINGS)
    text = f"{said(outcome)}, {runs} run{'s' * (runs != 1)}: {reason[:CUT]}"
    return node(
        "i",
        SIGNS.get(outcome, ""),
        class_=f"o{known.index(outcome)}" if outcome in known else None,
        style=f"grid-column:{week};grid-row:{weekday + 1}",
        title=text,
    )


def _heads(days: pl.DataFrame, first: object) -> list[Element]:
    """Name each month above its first whole week."""
    found: dict[tuple[int, int], int] = {}
    for session in days["session"]:
        found.setdefault((session.year, session.month), (session - first).days // 7 + 1)
    names = days["session"].dt.strftime("%b %y").unique(maintain_order=True).to_list()
    places = list(zip(names, found.values(), strict=True))
    following = [*(week for _, week in places[1:]), 10_000]
    kept = [pair for pair, after in zip(places, following, strict=True) if after - pair[1] >= NAME_WEEKS]
    return [node("b", name, style=f"grid-column:{week}") for name, week in kept]


def bullet(line: Holding, most: float) -> Element | str:
    """Draw a holding's weight against target and band, on a scale from 0 to `most` (fractions)."""
    if line.weight is None or line.goal is None:
        return ""
    marks = []
    if line.low is not None and line.high is not None:
        marks.append(
            node(
                "i",
                class_="band",
                style=f"left:{_at(line.low, most)};width:{_at(line.high - line.low, most)}",
            )
        )
    marks.append(node("i", class_="goal", style=f"left:{_at(line.goal, most)}"))
    look = "held out" if line.outside else "held"
    marks.append(node("i", class_=look, style=f"left:{_at(line.weight, most)}"))
    told = f"held {100 * line.weight:.2f} %, target after the cash buffer {100 * line.goal:.2f} %"
    return node("div", marks, class_="bullet", role="img", aria_label=told, title=told)


def _at(fraction: float, most: float) -> str:
    return f"{100 * min(max(fraction / most, 0.0), 1.0):.2f}%"


def meter(value: float, most: float) -> Element:
    """Draw a number as a part of the largest one."""
    width = _at(value, most) if most > 0 else "0%"
    return node("div", node("i", style=f"width:{width}"), class_="meter", aria_hidden="true")


def _whole(*parts: Element) -> Element:
    return node("div", parts, class_="tt")


def _pictured(figure: Element, ink: Inks) -> Element:
    """Turn each drawing into an image: a page takes no drawings as they are."""
    for plot in figure.iter("div"):
        if plot.get("class") != "plot":
            continue
        plot.set("tabindex", "0")
        drawing_ = plot[0]
        told = ". ".join(str(part.text) for part in drawing_[:2])
        drawing_.set("xmlns", "http://www.w3.org/2000/svg")
        drawing_.insert(0, node("style", drawing(ink)))
        data = base64.b64encode(ET.tostring(drawing_, encoding="utf-8")).decode()
        plot[0] = node("img", src=f"data:image/svg+xml;base64,{data}", alt=told)
    return _whole(figure)
