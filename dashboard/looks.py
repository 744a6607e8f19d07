"""Looks: the colours and the style of what the dashboard draws itself, light and dark.

The colours are Okabe and Ito's, "Color Universal Design", 2008, as on a backtest's page; no meaning is in a
colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.evidence.board.days import MEANINGS
from trimtab.evidence.script import WIRE

__all__ = ["SCRIPT", "Inks", "drawing", "inks", "style"]


@dataclass(frozen=True, slots=True)
class Inks:
    """The colours of a light or a dark page."""

    own: str
    second: str
    third: str
    quiet: str
    rule: str
    paper: str
    tint: str
    ink: str
    up: str
    down: str
    outcomes: tuple[str, ...]


LIGHT = Inks(
    *("#0072b2", "#8d97a4", "#d55e00", "#5b6673", "#e5e8ec", "#ffffff", "#f5f7f9", "#1a1f26"),
    *("0 114 178", "213 94 0"),
    ("#0072b2", "#7cc3ea", "#c9d3dc", "#cbb8e0", "#9aa6b3", "#d55e00", "#e69f00", "#ffffff"),
)
DARK = Inks(
    *("#56b4e9", "#8a95a2", "#e8843c", "#9aa6b3", "#262d35", "#12161b", "#1a2027", "#e6eaef"),
    *("42 140 205", "222 108 28"),
    ("#56b4e9", "#2b5f86", "#3a444f", "#6f5a8c", "#5d6875", "#e8743b", "#e6b422", "#12161b"),
)
"""`up` and `down` are red, green and blue; the outcomes' are in the order of `MEANINGS`."""

SCRIPT = f"""<script>(() => {{
if (window.trimtabCharts) return;
window.trimtabCharts = true;
{WIRE}
const wake = (event) => {{
  const chart = event.target.closest && event.target.closest("[data-hover]");
  if (chart && !chart.wired) {{ chart.wired = true; wire(chart); }}
}};
document.addEventListener("pointerover", wake);
document.addEventListener("focusin", wake);
}})();</script>"""
"""Wires a chart when it is first pointed at. It is ours to the letter: no data is ever put into it."""

_STYLE = """
.tt { color: var(--tt-ink); font-size: 14px; line-height: 1.5; }
.tt { font-variant-numeric: tabular-nums lining-nums; }
.tt p, .tt figure { margin: 0; }
.tt i { font-style: normal; }
.tt .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.tt abbr { text-decoration: none; cursor: help; border-bottom: 1px dotted var(--tt-quiet); }
.tt .box { overflow: auto; max-width: 100%; border: 1px solid var(--tt-rule); border-radius: 6px; }
.tt .tall { max-height: 446px; }
.tt table { border-collapse: separate; border-spacing: 0; width: 100%; margin: 0; }
.tt th, .tt td { padding: 6px 12px; text-align: left; white-space: nowrap; font-weight: 400; border: 0; }
.tt tbody tr + tr > * { border-top: 1px solid var(--tt-rule); }
.tt thead th { position: sticky; top: 0; z-index: 1; background: var(--tt-tint); color: var(--tt-quiet); }
.tt thead th { font-size: 13px; border-bottom: 1px solid var(--tt-rule); }
.tt tbody th { position: sticky; left: 0; background: var(--tt-paper); font-weight: 500; }
.tt .right { text-align: right; }
.tt .wide { white-space: normal; min-width: 240px; overflow-wrap: anywhere; }
.tt pre { margin: 0; padding: 14px 16px; background: var(--tt-tint); color: inherit; border-radius: 6px; }
.tt pre { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }
.tt pre { overflow: auto; max-height: 620px; white-space: pre; }

.tt .chart { display: flex; flex-wrap: wrap; }
.tt .legend { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 2px 20px; }
.tt .legend { font-size: 13px; color: var(--tt-quiet); min-height: 26px; align-items: center; }
.tt .legend li { margin: 0; font-size: inherit; }
.tt .legend b { color: var(--tt-ink); font-weight: 600; }
.tt .swatch { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 6px; }
.tt .frame { flex: 0 0 100%; position: relative; height: 340px; margin-top: 10px; padding: 0 0 24px 52px; }
.tt .frame.low { height: 210px; }
.tt .plot { position: relative; height: 100%; cursor: crosshair; touch-action: pan-y; outline-offset: 3px; }
.tt .plot img { position: absolute; inset: 0; width: 100%; height: 100%; max-width: none; display: block; }
.tt .left, .tt .below { color: var(--tt-quiet); font-size: 12px; line-height: 16px; }
.tt .left { position: absolute; left: 0; top: 0; bottom: 24px; width: 44px; text-align: right; }
.tt .left span { position: absolute; right: 0; transform: translateY(50%); white-space: nowrap; }
.tt .below { position: absolute; left: 52px; right: 0; bottom: 0; height: 18px; }
.tt .below span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.tt .below .first { transform: none; } .tt .below .last { transform: translateX(-100%); }
.tt .cross { position: absolute; top: 0; bottom: 0; width: 1px; background: var(--tt-quiet); }
.tt .cross { opacity: 0; pointer-events: none; }
.tt .flow { position: absolute; bottom: -2px; transform: translateX(-50%); font: 12px/1 sans-serif; }
.tt .swatch.own, .tt .swatch.gain, .tt .meter i { background: var(--tt-own); }
.tt .swatch.second { background: var(--tt-second); }
.tt .swatch.third, .tt .swatch.cost { background: var(--tt-third); }

.tt .heat { border: 0; } .tt .heat table { font-size: 13px; table-layout: fixed; min-width: 720px; }
.tt .heat th, .tt .heat td { padding: 5px 6px; text-align: right; }
.tt .heat th:first-child { text-align: left; padding-left: 0; } .tt .heat thead th { background: none; }
.tt .heat b { font-weight: 650; }
.tt .up { background: rgb(var(--tt-up) / var(--t)); }
.tt .down { background: rgb(var(--tt-down) / var(--t)); }

.tt .days { overflow-x: auto; direction: rtl; padding-bottom: 4px; }
.tt .grid { direction: ltr; display: grid; grid-auto-flow: column; grid-template-rows: 18px repeat(5, 17px); }
.tt .grid { grid-auto-columns: minmax(13px, 1fr); gap: 2px; min-width: min-content; margin-top: 8px; }
.tt .grid b { grid-row: 1; font-weight: 400; font-size: 12px; color: var(--tt-quiet); white-space: nowrap; }
.tt .grid b { width: 0; overflow: visible; }
.tt .grid i { border-radius: 2px; box-shadow: inset 0 0 0 1px rgb(128 128 128 / .25); text-align: center; }
.tt .grid i { font: 700 11px/17px sans-serif; color: var(--tt-ink); }

.tt .bullet { position: relative; width: 210px; height: 20px; }
.tt .bullet i { position: absolute; }
.tt .band { top: 3px; height: 14px; min-width: 2px; border-radius: 2px; }
.tt .band { background: var(--tt-own); opacity: .28; }
.tt .goal { top: 0; width: 2px; height: 20px; margin-left: -1px; background: var(--tt-ink); }
.tt .held { top: 5px; width: 10px; height: 10px; margin-left: -5px; border-radius: 5px; }
.tt .held { background: var(--tt-own); }
.tt .held.out { background: var(--tt-third); border-radius: 0; transform: rotate(45deg); }
.tt .meter { width: 120px; height: 8px; background: var(--tt-rule); border-radius: 4px; overflow: hidden; }
.tt .meter i { display: block; height: 8px; }

@media (max-width: 1100px) { .tt .many .minor { display: none; } }
@media (max-width: 760px) {
  .tt .minor { display: none; }
  .tt .frame { height: 250px; padding-left: 44px; } .tt .frame.low { height: 180px; }
  .tt .left { width: 38px; } .tt .below { left: 44px; }
  .tt th, .tt td { padding: 6px 8px; }
}
"""


def inks(*, dark: bool) -> Inks:
    """Give the colours of the page."""
    return DARK if dark else LIGHT


def style(ink: Inks) -> str:
    """Give the style of all that is drawn, as one element."""
    names = ("own", "second", "third", "quiet", "rule", "paper", "tint", "ink", "up", "down")
    colours = "".join(f"--tt-{name}: {getattr(ink, name)}; " for name in names)
    days = "".join(f".tt .o{i} {{ background: {ink.outcomes[i]}; }}\n" for i in range(len(MEANINGS)))
    return f"<style>.tt {{ {colours}}}{_STYLE}{days}</style>"


def drawing(ink: Inks) -> str:
    """Give the style within a drawing, which is an image and sees nothing of the page's."""
    return (
        "path, line, rect { vector-effect: non-scaling-stroke; }"
        f" .rule {{ stroke: {ink.rule}; }} .zero {{ stroke: {ink.quiet}; }}"
        " .line { fill: none; stroke-width: 1.6; stroke-linejoin: round; }"
        f" .line.own {{ stroke: {ink.own}; }} .line.second {{ stroke: {ink.second}; }}"
        f" .line.third {{ stroke: {ink.third}; stroke-dasharray: 5 3; }}"
        f" .line.cost {{ stroke: {ink.third}; stroke-width: 1.2; }}"
        f" .area {{ fill: {ink.third}; fill-opacity: .22; }}"
        f" .bar.own, .bar.gain {{ fill: {ink.own}; }} .bar.cost {{ fill: {ink.third}; }}"
    )
