"""Chart: the backtest benchmark's seconds as bars on a logarithmic axis, an SVG drawn by hand.

It brings its own background, and another in dark surroundings, so that it reads on any page.
"""

from __future__ import annotations

import math
from html import escape
from typing import Any

WIDTH, LEFT, RIGHT = 860, 170, 150
ROW, BAR, HEAD, GAP, TOP = 22, 14, 50, 14, 40
LEAST_S, DECADES = 1e-4, 7
"""The axis begins at a tenth of a millisecond."""

WORK = {
    "W1": "5 funds at fixed weights, 240 decisions",
    "W2": "500 stocks by momentum, 228 decisions",
    "W3": "3,000 stocks by momentum, 993 decisions",
    "W4": "W2 with 100 sets of parameters",
}

STYLE = """
.page{fill:#ffffff}.text{fill:#24292f}.quiet{fill:#57606a}.line{stroke:#d0d7de}
.peer{fill:#8c96a0}.loop{fill:#57606a}.ours{fill:#0969da}
text{font:13px system-ui,sans-serif}.title{font-weight:600}.tick{font-size:11px}
.value{stroke:#ffffff;stroke-width:4px;paint-order:stroke}
@media(prefers-color-scheme:dark){.page{fill:#0d1117}.text{fill:#e6edf3}.quiet{fill:#9198a1}
.line{stroke:#30363d}.peer{fill:#6e7681}.loop{fill:#b1bac4}.ours{fill:#4493f8}.value{stroke:#0d1117}}
"""


def draw(found: dict[str, Any]) -> str:
    """Give the chart of what `backtest.document` gives: one panel an item, fastest first."""
    panels = []
    top = TOP
    for item in sorted({row["item"] for row in found["rows"]}):
        rows = [row for row in found["rows"] if row["item"] == item and row["seconds"]]
        rows.sort(key=lambda row: row["seconds"])
        panels += _panel(item, rows, top)
        top += HEAD + ROW * len(rows) + GAP
    title = "Seconds for the same backtests (logarithmic; less is better)"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" role="img">',
            f"<title>{title}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{WIDTH}" height="{top}" rx="6"/>',
            f'<text class="text title" x="16" y="28">{title}</text>',
            *panels,
            "</svg>\n",
        ]
    )


def rounded(value: float) -> str:
    """Give two significant digits, more before the point, and no exponent."""
    return f"{value:,.0f}" if value >= 10 else f"{float(f'{value:.2g}'):.10f}".rstrip("0").rstrip(".")


def _panel(item: str, rows: list[dict[str, Any]], top: int) -> list[str]:
    height = ROW * len(rows)
    bottom = top + HEAD + height
    drawn = [f'<text class="text title" x="16" y="{top + 22}">{item}: {WORK[item]}</text>']
    for decade in range(DECADES + 1):
        seconds = LEAST_S * 10**decade
        x = _x(seconds)
        drawn.append(f'<line class="line" x1="{x}" x2="{x}" y1="{bottom - height - 6}" y2="{bottom}"/>')
        drawn.append(
            f'<text class="quiet tick" text-anchor="middle" x="{x}" y="{bottom - height - 10}">'
            f"{seconds:.4g}</text>"
        )
    for place, row in enumerate(rows):
        drawn += _bar(row, top + HEAD + ROW * place)
    return drawn


def _bar(row: dict[str, Any], y: int) -> list[str]:
    name, end = row["contender"], _x(row["seconds"])
    kind = "ours" if name.startswith("Trimtab") else "loop" if name == "numpy loop" else "peer"
    beside = "" if row["ratio"] is None else f" · {rounded(row['ratio'])}x"
    text = y + BAR - 2
    return [
        f'<text class="text" text-anchor="end" x="{LEFT - 8}" y="{text}">{escape(name)}</text>',
        f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{round(end - LEFT, 1)}" height="{BAR}" rx="2"/>',
        f'<text class="quiet value" x="{end + 6:.1f}" y="{text}">{rounded(row["seconds"])} s{beside}</text>',
    ]


def _x(seconds: float) -> float:
    share = min(max(math.log10(seconds / LEAST_S) / DECADES, 0.002), 1.0)
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)
