"""Panels: the charts of a backtest: its curve, its falls, its years, its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.backtesting import stats
from trimtab.backtesting.track import benchmark_track, flow_of, opening_of, track_of
from trimtab.evidence import tables
from trimtab.evidence.charts import Layer, Read, areas, bars, curves, figure, frame, under
from trimtab.evidence.markup import node
from trimtab.evidence.scales import linear, logarithmic, numbered, telling_rows, time_ticks
from trimtab.evidence.words import THIN, money, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from trimtab.backtesting.result import Result
    from trimtab.evidence.markup import Element

    Numbers = NDArray[np.float64]
    Days = NDArray[np.datetime64]

__all__ = ["drawdown", "equity", "money_in", "paid_in", "weights", "years"]

OWN, OTHER = "own", "other"
"""How the portfolio and its benchmark are drawn."""
NAMED = 8
"""At most so many symbols have a colour of their own; the rest are one area."""
AREA_POINTS = 400
GREAT = 1_000.0
"""From so many USD on nobody asks for cents."""
LOG_FROM = 3.0
"""A curve whose highest value is so many times its lowest opens on a logarithmic scale."""


def paid_in(result: Result) -> bool:
    """Say whether money came in or went out between the first and the last session."""
    return bool(flow_of(result).any())


def equity(result: Result, name: str) -> Element:
    """Draw the curve beside its benchmark: in USD, or, where money came in, what 100 USD became."""
    start = 100.0 if paid_in(result) else opening_of(result)
    layers = [Layer("Portfolio", start * track_of(result).index, OWN)]
    other = benchmark_track(result)
    if other is not None:
        layers.append(Layer(name, start * other.index, OTHER))
    ends = "; ".join(f"{layer.name} {money(float(layer.values[-1]))}" for layer in layers)
    told = f"From {money(start)} on {result.sessions[0]} to, on {result.sessions[-1]}: {ends}."
    return _over_time("curve", "Equity over time", told, layers, result.sessions)


def money_in(result: Result) -> Element:
    """Draw the account's equity above what was paid into it."""
    paid = opening_of(result) + np.cumsum(flow_of(result))
    layers = [Layer("Equity", result.value, OWN), Layer("Paid in", paid, OTHER)]
    told = f"In the end {money(float(result.value[-1]))}, of which {money(float(paid[-1]))} were paid in."
    return _over_time("account", "Equity and what was paid in", told, layers, result.sessions)


def drawdown(result: Result, name: str) -> Element:
    """Draw how far each close is below the highest so far, %."""
    layers = [Layer("Portfolio", 100 * track_of(result).under, OWN)]
    other = benchmark_track(result)
    if other is not None:
        layers.append(Layer(name, 100 * other.under, OTHER))
    told = "; ".join(f"{layer.name}: at the lowest {percent(float(layer.values.min()))}" for layer in layers)
    days, layers = _thinned(layers, result.sessions)
    one_percent = np.array([-1.0])
    scale = linear(one_percent, *(layer.values for layer in layers), zero=True, count=4)
    shapes = [under(layers[0], days, scale), *curves(layers, days, scale)]
    drawn = frame(
        "falls", "Drawdown over time", told, shapes, (scale.ticks(f"{THIN}%"), time_ticks(days)), "low"
    )
    return figure(Read(layers, days, "%", 1), drawn)


def years(result: Result, name: str) -> Element:
    """Draw each calendar year's return, %, beside the benchmark's."""
    rows = stats.yearly(result)
    layers = [Layer("Portfolio", _column(rows, "return_pct"), OWN)]
    if result.benchmark is not None:
        layers.append(Layer(name, _column(rows, "benchmark_pct"), OTHER))
    scale = linear(*(layer.values for layer in layers), zero=True, count=4)
    labels = [str(row["year"]) for row in rows]
    worst, best = layers[0].values.min(), layers[0].values.max()
    told = f"{len(rows)} calendar years, from {percent(float(worst))} to {percent(float(best))}."
    ticks = (scale.ticks(f"{THIN}%"), numbered(labels))
    return figure(
        Read(layers, labels, "%", 1),
        frame("years", "Return of each year", told, bars(layers, scale), ticks, "low"),
    )


def weights(result: Result) -> tuple[Element, Element]:
    """Draw what part of equity each holding was, stacked to 100 %, and give the same as a table."""
    layers = _holdings(result)
    rows = np.unique(np.linspace(0, len(result.value) - 1, AREA_POINTS).astype(np.int64))
    days = result.sessions[rows]
    shown = [Layer(layer.name, layer.values[rows], layer.look) for layer in layers]
    told = "On average " + ", ".join(f"{x.name} {percent(100 * float(x.values.mean()), 1)}" for x in layers)
    scale = linear(np.array([0.0, 100.0]), count=4)
    ticks = (scale.ticks(f"{THIN}%"), time_ticks(days))
    drawn = frame("weights", "Weights over time", f"{told}.", areas(shown, days), ticks)
    parts = [Layer(layer.name, 100 * layer.values, layer.look) for layer in shown]
    listed = tables.shares(
        [(layer.name, layer.look) for layer in layers],
        [float(layer.values.mean()) for layer in layers],
        [float(layer.values[-1]) for layer in layers],
    )
    return figure(Read(parts, days, "%", 1), drawn), listed


def _over_time(key: str, title: str, told: str, layers: Sequence[Layer], sessions: Days) -> Element:
    """Draw curves over time on a linear and, where it tells more, a logarithmic scale to choose from."""
    days, layers = _thinned(layers, sessions)
    values = [layer.values for layer in layers]
    scales = {"linear": linear(*values), "log": logarithmic(*values)}
    frames = [
        frame(
            f"{key}-{kind}", title, told, curves(layers, days, scale), (scale.ticks(), time_ticks(days)), kind
        )
        for kind, scale in scales.items()
        if scale is not None
    ]
    log = scales["log"]
    picks = [] if log is None else _picks(key, first="log" if log.high > LOG_FROM * log.low else "linear")
    return figure(Read(layers, days, "USD", 0 if values[0][0] >= GREAT else 2), *frames, picks=picks)


def _picks(key: str, first: str) -> list[Element]:
    """Give the switch between the two scales: it needs no script."""
    made = []
    for kind, label in (("log", "Log scale"), ("linear", "Linear")):
        name = f"{key}-pick-{kind}"
        checked = "checked" if kind == first else None
        made.append(
            node("input", type="radio", name=f"{key}-pick", id=name, class_=f"pick {kind}", checked=checked)
        )
        made.append(node("label", label, for_=name))
    return made


def _thinned(layers: Sequence[Layer], sessions: Days) -> tuple[Days, list[Layer]]:
    """Leave out the points that no screen would show."""
    rows = telling_rows([layer.values for layer in layers])
    return sessions[rows], [Layer(layer.name, layer.values[rows], layer.look) for layer in layers]


def _holdings(result: Result) -> list[Layer]:
    """Give each holding's part of equity (n,), the largest on average first, then the others, then cash."""
    path = np.clip(np.nan_to_num(result.weight_path(), posinf=0.0, neginf=0.0), 0.0, None)
    mean = path.mean(axis=0)
    order = [column for column in np.argsort(-mean, kind="stable").tolist() if mean[column] > 0]
    named, others = (order, []) if len(order) <= NAMED else (order[: NAMED - 1], order[NAMED - 1 :])
    layers = [Layer(result.symbols[column], path[:, column], f"s{i}") for i, column in enumerate(named)]
    if others:
        layers.append(Layer(f"{len(others)} others", path[:, others].sum(axis=1), "rest"))
    return [*layers, Layer("Cash", np.clip(1 - path.sum(axis=1), 0.0, 1.0), "cash")]


def _column(rows: Sequence[dict[str, stats.Stat]], name: str) -> Numbers:
    return np.array([row[name] for row in rows], dtype=np.float64)
