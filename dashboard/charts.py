"""Charts: Altair's, in colours that colour-blind readers tell apart, light and dark.

The colours are Okabe and Ito's, "Color Universal Design", 2008, as on a backtest's page; no meaning is in a
colour alone. Data reaches a chart as data: names of columns are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import altair as alt
import polars as pl

from trimtab.evidence.board.days import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Inks",
    "bars",
    "calendar",
    "columns",
    "curves",
    "fall",
    "heat",
    "inks",
    "said",
    "spread",
    "weights",
]

Drawn = alt.Chart | alt.LayerChart
LEAST_BPS = 11.0
"""How far the axis of costs reaches at least, basis points."""
OWN = "Portfolio"
FLOW = "Deposit or withdrawal"


@dataclass(frozen=True, slots=True)
class Inks:
    """The colours of a light or a dark page."""

    own: str
    second: str
    third: str
    quiet: str
    paper: str
    ink: str
    up: str
    down: str
    outcomes: tuple[str, ...]


LIGHT = Inks(
    *("#0072b2", "#8d97a4", "#d55e00", "#dfe3e8", "#ffffff", "#1a1f26", "#0072b2", "#d55e00"),
    ("#0072b2", "#7cc3ea", "#c9d3dc", "#cbb8e0", "#9aa6b3", "#d55e00", "#e69f00", "#ffffff"),
)
DARK = Inks(
    *("#56b4e9", "#8a95a2", "#e8843c", "#2c343d", "#12161b", "#e6eaef", "#2a8ccd", "#de6c1c"),
    ("#56b4e9", "#2b5f86", "#3a444f", "#6f5a8c", "#5d6875", "#e8743b", "#e6b422", "#12161b"),
)
"""The outcomes' are in the order of `MEANINGS`."""


def _sized(chart: Drawn | alt.FacetChart, height: int | alt.Step) -> Drawn:
    """Give a chart of a height, pixels, or of so many a row."""
    return cast("Drawn", chart.properties(height=height))


def said(outcome: str) -> str:
    """Give an outcome as people read it."""
    return outcome.replace("_", " ")


def inks(*, dark: bool) -> Inks:
    """Give the colours of the page."""
    return DARK if dark else LIGHT


def weights(lines: pl.DataFrame, ink: Inks) -> Drawn:
    """Draw what is held against target and band: symbol, weight, target, low, high (%), state."""
    base = alt.Chart(lines).encode(y=alt.Y("symbol:N", sort=None, title=None, axis=alt.Axis(labelLimit=90)))
    scale = alt.Scale(zero=True, nice=True)
    tips = [
        alt.Tooltip("symbol:N", title="Symbol"),
        alt.Tooltip("weight:Q", title="Held, %", format=".2f"),
        alt.Tooltip("target:Q", title="Target, %", format=".2f"),
        alt.Tooltip("low:Q", title="Band from, %", format=".2f"),
        alt.Tooltip("high:Q", title="Band to, %", format=".2f"),
    ]
    band = base.mark_bar(height=14, opacity=0.28, color=ink.own, cornerRadius=2).encode(
        x=alt.X("low:Q", title="Part of the portfolio, %", scale=scale), x2="high:Q", tooltip=tips
    )
    target = base.mark_tick(thickness=2, size=20, color=ink.ink).encode(x="target:Q", tooltip=tips)
    held = base.mark_point(filled=True, size=95, opacity=1).encode(
        x="weight:Q",
        color=alt.Color(
            "state:N",
            scale=alt.Scale(domain=["in its band", "out of its band"], range=[ink.own, ink.third]),
            legend=alt.Legend(title=None, orient="top"),
        ),
        shape=alt.Shape(
            "state:N",
            scale=alt.Scale(domain=["in its band", "out of its band"], range=["circle", "diamond"]),
        ),
        tooltip=tips,
    )
    return _sized(band + target + held, alt.Step(26))


def curves(frame: pl.DataFrame, flows: pl.DataFrame, names: Sequence[str], ink: Inks) -> Drawn:
    """Draw levels over time (session, name, level; 100 at the first), and the flows (session, usd, kind)."""
    colours = [ink.own, ink.second, ink.third][: len(names)]
    dashes = [[1, 0], [1, 0], [5, 3]][: len(names)]
    domain = list(names)
    at = alt.X("session:T", title=None, axis=alt.Axis(format="%b %Y", labelOverlap=True, tickCount=6))
    lines = (
        alt.Chart(frame)
        .mark_line(strokeWidth=1.8, clip=True)
        .encode(
            x=at,
            y=alt.Y("level:Q", title="100 at the beginning", scale=alt.Scale(zero=False)),
            color=alt.Color(
                "name:N",
                scale=alt.Scale(domain=domain, range=colours),
                legend=alt.Legend(title=None, orient="top", labelLimit=260),
            ),
            strokeDash=alt.StrokeDash("name:N", scale=alt.Scale(domain=domain, range=dashes), legend=None),
        )
    )
    near = alt.selection_point(nearest=True, on="pointerover", fields=["session"], empty=False)
    tips = [alt.Tooltip("session:T", title="Close of", format="%Y-%m-%d")]
    keys = {name: f"level_{i}" for i, name in enumerate(domain)}  # a symbol's dot would be taken for a path
    tips += [alt.Tooltip(f"{key}:Q", title=name, format=".2f") for name, key in keys.items()]
    keyed = frame.with_columns(pl.col("name").replace_strict(keys, return_dtype=pl.String).alias("key"))
    rule = (
        alt.Chart(keyed.select("session", "level", "key"))
        .transform_pivot("key", value="level", groupby=["session"])
        .mark_rule(color=ink.second)
        .encode(x=at, opacity=alt.when(near).then(alt.value(0.6)).otherwise(alt.value(0)), tooltip=tips)
        .add_params(near)
    )
    layers: list[Any] = [lines, rule]
    if len(flows):
        layers.append(
            alt.Chart(flows)
            .mark_point(shape="triangle-up", size=90, filled=True, opacity=0.95, color=ink.ink, yOffset=-2)
            .encode(
                x=at,
                y=alt.value("height"),
                tooltip=[
                    alt.Tooltip("session:T", title=FLOW, format="%Y-%m-%d"),
                    alt.Tooltip("usd:Q", title="USD", format=",.2f"),
                    alt.Tooltip("kind:N", title="What"),
                ],
            )
        )
    return _sized(alt.layer(*layers), 340)


def fall(frame: pl.DataFrame, ink: Inks) -> Drawn:
    """Draw how far the portfolio is below its highest close so far: session, under (%)."""
    chart = (
        alt.Chart(frame)
        .mark_area(line={"color": ink.down, "strokeWidth": 1.2}, color=ink.down, opacity=0.25)
        .encode(
            x=alt.X("session:T", title=None, axis=alt.Axis(format="%b %Y", labelOverlap=True, tickCount=6)),
            y=alt.Y("under:Q", title="Below the high, %"),
            tooltip=[
                alt.Tooltip("session:T", title="Close of", format="%Y-%m-%d"),
                alt.Tooltip("under:Q", title="Below the high, %", format=".2f"),
            ],
        )
    )
    return _sized(chart, 170)


def heat(months: pl.DataFrame, ink: Inks) -> Drawn:
    """Draw each month's return: year, month (name), return_pct; strong colour means far from zero."""
    order = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    most = max(4.0, float(months["return_pct"].abs().quantile(0.95) or 0.0)) if len(months) else 4.0
    base = alt.Chart(months).encode(
        x=alt.X("month:N", sort=order, title=None, axis=alt.Axis(orient="top", labelAngle=0)),
        y=alt.Y("year:N", sort="descending", title=None),
        tooltip=[
            alt.Tooltip("year:N", title="Year"),
            alt.Tooltip("month:N", title="Month"),
            alt.Tooltip("return_pct:Q", title="Return, %", format="+.2f"),
        ],
    )
    scale = alt.Scale(
        domain=[-most, 0, most], range=[ink.down, ink.paper, ink.up], clamp=True, interpolate="rgb"
    )
    cells = base.mark_rect(stroke=ink.paper, strokeWidth=1.5, opacity=0.75).encode(
        color=alt.Color("return_pct:Q", scale=scale, legend=None)
    )
    figures = base.mark_text(fontSize=11, color=ink.ink).encode(text=alt.Text("return_pct:Q", format="+.1f"))
    return _sized(cells + figures, alt.Step(26))


def calendar(days: pl.DataFrame, ink: Inks) -> Drawn:
    """Draw a cell a session: session, week (its Monday), weekday, outcome, runs, reason, sign."""
    present = [name for name in MEANINGS if said(name) in set(days["outcome"])]
    colours = [ink.outcomes[list(MEANINGS).index(name)] for name in present]
    base = alt.Chart(days).encode(
        x=alt.X(
            "week:O",
            title=None,
            axis=alt.Axis(
                labelAngle=0, labelOverlap=True, labelExpr="timeFormat(toDate(datum.value), '%b %y')",
                labelSeparation=14, ticks=False,
            ),
        ),
        y=alt.Y("weekday:O", title=None, sort=["Mon", "Tue", "Wed", "Thu", "Fri"]),
        tooltip=[
            alt.Tooltip("session:T", title="Session", format="%Y-%m-%d"),
            alt.Tooltip("outcome:N", title="Outcome"),
            alt.Tooltip("runs:Q", title="Runs"),
            alt.Tooltip("reason:N", title="Why"),
        ],
    )  # fmt: skip
    cells = base.mark_rect(cornerRadius=2, stroke=ink.second, strokeWidth=0.5).encode(
        color=alt.Color(
            "outcome:N",
            scale=alt.Scale(domain=[said(name) for name in present], range=colours),
            legend=alt.Legend(title=None, orient="top", columns=0, symbolType="square"),
        )
    )
    signs = base.mark_text(fontSize=11, fontWeight="bold", color=ink.ink).encode(text="sign:N")
    return _sized(cells + signs, alt.Step(18))


def columns(frame: pl.DataFrame, value: str, title: str, ink: Inks) -> Drawn:
    """Draw a column a month: month (its first day) and a value."""
    chart = (
        alt.Chart(frame)
        .mark_bar(color=ink.own, cornerRadiusEnd=2)
        .encode(
            x=alt.X("month:T", timeUnit="yearmonth", title=None, axis=alt.Axis(format="%b %Y", tickCount=6)),
            y=alt.Y(f"{value}:Q", title=title),
            tooltip=[
                alt.Tooltip("month:T", title="Month", format="%b %Y"),
                alt.Tooltip(f"{value}:Q", title=title, format=",.2f"),
            ],
        )
    )
    return _sized(chart, 220)


def spread(frame: pl.DataFrame, ink: Inks) -> Drawn:
    """Draw how many orders filled how far from their reference: bps (bins of 2), orders."""
    far = max(LEAST_BPS, float(frame.select(pl.col("bps").abs().max()).item() or 0.0) + 1)
    scale = alt.Scale(domain=[-far, far], nice=False)
    base = alt.Chart(frame.with_columns((pl.col("bps") - 1).alias("low"), (pl.col("bps") + 1).alias("high")))
    counts = base.mark_bar().encode(
        x=alt.X("low:Q", title="Basis points; right of zero is a cost", bin="binned", scale=scale),
        x2="high:Q",
        y=alt.Y("orders:Q", title="Orders"),
        color=alt.condition("datum.bps > 0", alt.value(ink.down), alt.value(ink.up)),
        tooltip=[
            alt.Tooltip("bps:Q", title="Around, basis points"),
            alt.Tooltip("orders:Q", title="Orders"),
        ],
    )
    zero = alt.Chart(pl.DataFrame({"zero": [0]})).mark_rule(color=ink.ink).encode(x="zero:Q")
    return _sized(counts + zero, 220)


def bars(frame: pl.DataFrame, ink: Inks) -> Drawn:
    """Draw how long each station took: station, seconds."""
    chart = (
        alt.Chart(frame)
        .mark_bar(color=ink.own, cornerRadiusEnd=2)
        .encode(
            x=alt.X("seconds:Q", title="Seconds"),
            y=alt.Y("station:N", sort=None, title=None),
            tooltip=[
                alt.Tooltip("station:N", title="Station"),
                alt.Tooltip("seconds:Q", title="Seconds", format=".3f"),
            ],
        )
    )
    return _sized(chart, alt.Step(22))
