"""Charts: curves, areas and bars as SVG that stretches with the page; their labels are text beside it.

The drawing alone is stretched, so letters and line widths stay as they are from a phone to a poster. Every
chart says in words what it shows, and its legend holds the last values: the page's script only makes these
follow the pointer.

Why drawn here: a chart library would put three to five megabytes of its own JavaScript into every report, or
bring pandas along. These charts are a few dozen kilobytes, made with the standard library and numpy.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trimtab.evidence.markup import Element, node
from trimtab.evidence.scales import Scale, Tick, spread
from trimtab.evidence.words import NOTHING, THIN, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from trimtab.evidence.markup import Node

    Numbers = NDArray[np.float64]
    Days = NDArray[np.datetime64]

__all__ = ["Layer", "Read", "areas", "bars", "curves", "figure", "frame", "under"]

WIDTH, HEIGHT = 1000.0, 300.0
"""Units of a drawing; it is stretched to its place on the page."""
YEAR = 4
"""Letters of a label that may hang over the edge by half."""
EDGE = 0.05
"""Nearer to it a longer one is set to it."""
MANY = 15
"""More labels than these want a wide screen."""
SHOULDER = 0.12
"""The part of a slot that stays free on either side of its bars."""


class Layer(NamedTuple):
    """Something drawn: its name, its values (n,), and the class that colours it."""

    name: str
    values: Numbers
    look: str


class Read(NamedTuple):
    """What the legend tells at each point: the places, their labels or days, and how values are written."""

    layers: Sequence[Layer]
    labels: Sequence[str] | Days
    unit: str
    places: int

    def data(self) -> str:
        """Give it as JSON for the page's script: days count from 1970-01-01."""
        count = len(self.labels)
        if isinstance(self.labels, np.ndarray):
            where = {"days": self.labels.astype("datetime64[D]").astype(int).tolist()}
        else:
            where = {
                "labels": list(self.labels),
                "at": [round((i + 0.5) / count, 4) for i in range(count)],
            }
        found = {
            **where,
            "unit": f"{THIN}{self.unit}",
            "places": self.places,
            "values": [_rounded(layer.values, self.places) for layer in self.layers],
        }
        return json.dumps(found, separators=(",", ":"))

    def legend(self) -> Element:
        """Give the legend: each layer's colour, name and last value, and the label that they are of."""
        items = [
            node(
                "li",
                node("i", class_=f"swatch {layer.look}", aria_hidden="true"),
                node("span", layer.name),
                " ",
                node("b", _said(layer.values[-1], self.places, self.unit)),
            )
            for layer in self.layers
        ]
        return node("ul", node("li", node("b", str(self.labels[-1])), class_="when"), items, class_="legend")


def figure(read: Read, *frames: Node, picks: Sequence[Node] = (), look: str = "") -> Element:
    """Put a legend over one or more frames."""
    return node(
        "figure", picks, read.legend(), frames, class_=f"chart {look}".strip(), data_hover=read.data()
    )


def frame(
    key: str,
    title: str,
    told: str,
    shapes: Sequence[Node],
    ticks: tuple[Sequence[Tick], Sequence[Tick]],
    look: str = "",
) -> Element:
    """Draw shapes behind an axis at the left and one below; `told` says in words what is seen."""
    left, below = ticks
    many = " many" if len(below) > MANY else ""
    drawing = node(
        "svg",
        node("title", title, id=f"{key}-title"),
        node("desc", told, id=f"{key}-told"),
        [_rule(tick) for tick in left],
        shapes,
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        preserveAspectRatio="none",
        role="img",
        aria_labelledby=f"{key}-title {key}-told",
    )
    return node(
        "div",
        node("div", drawing, node("i", class_="cross"), class_="plot"),
        node("div", [_left(tick) for tick in left], class_="left", aria_hidden="true"),
        node("div", [_below(tick) for tick in below], class_=f"below{many}", aria_hidden="true"),
        class_=f"frame {look}".strip(),
    )


def curves(layers: Sequence[Layer], days: Days, scale: Scale) -> list[Element]:
    """Draw lines over time; the first lies on top."""
    x = spread(days)
    return [
        node("path", d=_line(x, scale.at(layer.values)), class_=f"line {layer.look}")
        for layer in reversed(layers)
    ]


def under(layer: Layer, days: Days, scale: Scale) -> Element:
    """Fill what lies between a curve and zero."""
    zero = float(scale.at(np.zeros(1))[0])
    x = spread(days)
    return node("path", d=_closed(x, scale.at(layer.values), zero), class_=f"area {layer.look}")


def areas(layers: Sequence[Layer], days: Days) -> list[Element]:
    """Stack parts of one whole; the first lies at the bottom."""
    x = spread(days)
    tops = np.minimum(np.cumsum([layer.values for layer in layers], axis=0), 1.0)
    drawn = [
        node("path", d=_closed(x, top, 0.0), class_=f"stack {layer.look}")
        for layer, top in zip(layers, tops, strict=True)
    ]
    return drawn[::-1]


def bars(layers: Sequence[Layer], scale: Scale, *, beside: bool = True) -> list[Element]:
    """Draw bars from zero, one a layer in each slot: beside each other, or each as wide as the slot."""
    zero = float(scale.at(np.zeros(1))[0])
    count = len(layers[0].values)
    width = (1 - 2 * SHOULDER) / (len(layers) if beside else 1) / count
    drawn = []
    for i, layer in enumerate(layers):
        for slot, top in enumerate(scale.at(np.nan_to_num(layer.values)).tolist()):
            left = (slot + SHOULDER) / count + (i * width if beside else 0)
            drawn.append(_rect(left, width, zero, top, layer.look))
    return [*drawn, _rule(Tick(zero, ""), "zero")]


def _rect(left: float, width: float, zero: float, top: float, look: str) -> Element:
    return node(
        "rect",
        x=f"{left * WIDTH:.1f}",
        y=f"{(1 - max(zero, top)) * HEIGHT:.1f}",
        width=f"{width * WIDTH:.1f}",
        height=f"{abs(top - zero) * HEIGHT:.1f}",
        class_=f"bar {look}",
    )


def _points(x: Numbers, y: Numbers) -> str:
    known = np.isfinite(y)
    across, down = (x[known] * WIDTH).tolist(), ((1 - y[known]) * HEIGHT).tolist()
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, down, strict=True))


def _line(x: Numbers, y: Numbers) -> str:
    return f"M{_points(x, y)}"


def _closed(x: Numbers, y: Numbers, base: float) -> str:
    floor = f"{(1 - base) * HEIGHT:.1f}"
    return f"M{x[0] * WIDTH:.1f},{floor} {_points(x, y)} {x[-1] * WIDTH:.1f},{floor}Z"


def _rule(tick: Tick, look: str = "rule") -> Element:
    y = f"{(1 - tick.at) * HEIGHT:.1f}"
    return node("line", x1="0", x2=f"{WIDTH:g}", y1=y, y2=y, class_=look)


def _left(tick: Tick) -> Element:
    return node("span", tick.label, style=f"bottom:{100 * tick.at:.2f}%")


def _below(tick: Tick) -> Element:
    wide = len(tick.label) > YEAR
    edge = "first" if wide and tick.at < EDGE else "last" if wide and tick.at > 1 - EDGE else ""
    look = " ".join(filter(None, (edge, "minor" if tick.minor else "")))
    return node("span", tick.label, style=f"left:{100 * tick.at:.2f}%", class_=look or None)


def _rounded(values: Numbers, places: int) -> list[float | None]:
    """Round for the page; null where there is no value."""
    finite = np.isfinite(values).tolist()
    rounded = np.round(np.nan_to_num(values), places).tolist()
    whole = [int(value) if places == 0 else value for value in rounded]
    return [value if known else None for value, known in zip(whole, finite, strict=True)]


def _said(value: float, places: int, unit: str) -> str:
    text = number(float(value), places)
    return text if text == NOTHING else f"{text}{THIN}{unit}"
