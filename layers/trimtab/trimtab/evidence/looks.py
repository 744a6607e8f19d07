"""Looks: the page's colours, type and layout: light, dark, wide, narrow and printed.

The colours of the areas are Okabe and Ito's, "Color Universal Design", 2008, which colour-blind readers tell
apart, paled for large surfaces; blue against orange carries gain and loss.
"""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1a1f26; --quiet: #5b6673; --rule: #e5e8ec; --zero: #8b95a1; --tint: #f5f7f9;
  --own: #0072b2; --own-soft: rgb(0 114 178 / .14); --other: #8d97a4; --other-bar: #c3cad2;
  --up: 0 114 178; --down: 213 94 0;
  --s0: #4092c3; --s1: #ecb740; --s2: #40b695; --s3: #d99bbd; --s4: #8fcdf0; --s5: #df8640; --s6: #f3ea71;
  --s7: #6b7480; --rest: #b3bbc5; --cash: #e9ecef;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #12161b; --ink: #e6eaef; --quiet: #9aa6b3; --rule: #262d35; --zero: #6d7885; --tint: #1a2027;
    --own: #56b4e9; --own-soft: rgb(86 180 233 / .18); --other: #8a95a2; --other-bar: #46505b;
    --up: 42 140 205; --down: 222 108 28;
    --s0: #2c7fb5; --s1: #c08b1a; --s2: #148a69; --s3: #a96b8d; --s4: #6aaed6; --s5: #b4571a; --s6: #bdb545;
    --s7: #8793a0; --rest: #56606b; --cash: #262d35;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial,
    sans-serif;
  font-variant-numeric: tabular-nums lining-nums;
}
main { max-width: 1120px; margin: 0 auto; padding: 56px 32px 96px; }
header { margin-bottom: 40px; }
h1, h2, h3, p, figure, dl, dd { margin: 0; }
h1 { font-size: 34px; line-height: 1.15; font-weight: 650; letter-spacing: -.02em; overflow-wrap: anywhere; }
h2 { font-size: 20px; line-height: 1.3; font-weight: 650; letter-spacing: -.01em; }
h3 { font-size: 14px; font-weight: 650; margin-bottom: 6px; }
section { margin-top: 64px; }
h2 + .quiet { margin-bottom: 18px; }
.eyebrow { color: var(--own); font-size: 13px; font-weight: 650; margin-bottom: 8px; }
.eyebrow { letter-spacing: .08em; text-transform: uppercase; }
.quiet, .facts { color: var(--quiet); }
.facts { margin-top: 12px; display: flex; flex-wrap: wrap; gap: 2px 20px; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; }
.unseen { clip-path: inset(50%); white-space: nowrap; }
abbr { text-decoration: none; cursor: help; border-bottom: 1px dotted var(--zero); }

.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 0 32px; }
.tiles > div { border-top: 1px solid var(--rule); padding: 16px 0 22px; }
.tiles dt, .tiles .quiet { font-size: 13px; }
.tiles dt { color: var(--quiet); }
.tiles .big { font-size: 27px; line-height: 1.3; font-weight: 600; letter-spacing: -.015em; }
.tiles .big { white-space: nowrap; }
header + section { margin-top: 0; }

.chart { display: flex; flex-wrap: wrap; align-items: center; gap: 0 6px; }
.legend { list-style: none; margin: 0 auto 0 0; padding: 0; order: -1; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 22px; }
.legend { font-size: 13px; color: var(--quiet); min-height: 28px; align-items: center; }
.legend b { color: var(--ink); font-weight: 600; }
.swatch { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 7px; }
.frame { flex: 0 0 100%; position: relative; height: 340px; margin-top: 14px; padding: 0 0 26px 56px; }
.frame.low { height: 240px; }
.plot { position: relative; height: 100%; cursor: crosshair; touch-action: pan-y; outline-offset: 3px; }
.plot svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; display: block; }
.left, .below { color: var(--quiet); font-size: 12px; line-height: 16px; }
.left { position: absolute; left: 0; top: 0; bottom: 26px; width: 46px; text-align: right; }
.left span { position: absolute; right: 0; transform: translateY(50%); }
.below { position: absolute; left: 56px; right: 0; bottom: 0; height: 18px; }
.below span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.below .first { transform: translateX(0); }
.below .last { transform: translateX(-100%); }
.cross { position: absolute; top: 0; bottom: 0; width: 1px; background: var(--quiet); }
.cross { opacity: 0; pointer-events: none; }
.pick { position: absolute; opacity: 0; pointer-events: none; }
.pick + label { font-size: 13px; color: var(--quiet); padding: 3px 10px; border-radius: 6px; }
.pick + label { cursor: pointer; }
.pick:checked + label { color: var(--ink); background: var(--tint); font-weight: 600; }
.pick:focus-visible + label { outline: 2px solid var(--own); }
.pick.log:checked ~ .frame.linear, .pick.linear:checked ~ .frame.log { display: none; }

path, line, rect { vector-effect: non-scaling-stroke; }
.rule { stroke: var(--rule); }
.zero { stroke: var(--zero); }
.line { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
.line.own { stroke: var(--own); stroke-width: 2; }
.line.other { stroke: var(--other); stroke-width: 1.25; }
.low .line { stroke-width: 1; }
.low .line.own { stroke-width: 1.25; }
.area.own { fill: var(--own-soft); }
.stack { stroke: var(--paper); stroke-width: .75; }
.bar.own, i.own { fill: var(--own); background: var(--own); }
.bar.other { fill: var(--other-bar); }
i.other { background: var(--other); }
.s0 { fill: var(--s0); } .s1 { fill: var(--s1); } .s2 { fill: var(--s2); } .s3 { fill: var(--s3); }
.s4 { fill: var(--s4); } .s5 { fill: var(--s5); } .s6 { fill: var(--s6); } .s7 { fill: var(--s7); }
.rest { fill: var(--rest); } .cash { fill: var(--cash); }
i.s0 { background: var(--s0); } i.s1 { background: var(--s1); } i.s2 { background: var(--s2); }
i.s3 { background: var(--s3); } i.s4 { background: var(--s4); } i.s5 { background: var(--s5); }
i.s6 { background: var(--s6); } i.s7 { background: var(--s7); } i.rest { background: var(--rest); }
i.cash { background: var(--cash); }

.box { overflow: auto; max-width: 100%; outline-offset: 3px; }
.tall { max-height: 498px; }
.tall thead th { position: sticky; top: 0; background: var(--paper); }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { padding: 7px 0 7px 20px; text-align: right; white-space: nowrap; font-weight: 400; }
th:first-child { padding-left: 0; text-align: left; }
.text { text-align: left; }
thead th { color: var(--quiet); font-size: 13px; box-shadow: inset 0 -1px var(--rule); }
tbody tr + tr > * { border-top: 1px solid var(--rule); }
.told { max-height: 498px; }
.told th, .told td { vertical-align: top; }
.told td:last-child { white-space: normal; min-width: 180px; overflow-wrap: anywhere; }
.narrow { margin-top: 28px; max-width: 420px; }
.narrow thead th:first-child { width: 40%; }
.part { padding-left: 16px; }
.groups { display: grid; gap: 36px 64px; }
.groups { grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
.group { margin: 0; }
.heat table { font-size: 13px; table-layout: fixed; min-width: 760px; }
.heat th, .heat td { padding: 6px 8px; text-align: right; }
.heat th:first-child { text-align: left; padding-left: 0; }
.heat th:first-child { position: sticky; left: 0; background: var(--paper); }
.heat tbody tr + tr > * { border-top-color: var(--paper); }
.heat b { font-weight: 650; }
.up { background: rgb(var(--up) / var(--t)); }
.down { background: rgb(var(--down) / var(--t)); }

.dots { fill: none; stroke: var(--own); stroke-width: 6; stroke-linecap: round; opacity: .5; }
.dots.picked { stroke: rgb(var(--down)); stroke-width: 10; opacity: 1; }
i.picked { background: rgb(var(--down)); }
.mind { border-left: 3px solid rgb(var(--down)); background: var(--tint); padding: 14px 18px; }
.mind { border-radius: 0 8px 8px 0; max-width: 76ch; }
.surface table { width: auto; min-width: 0; table-layout: auto; }
.surface th, .surface td { padding: 6px 12px; }
.pair { display: grid; gap: 36px 48px; }
.pair { grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
.across { margin-top: 4px; }

.code + .code { margin-top: 24px; }
pre { margin: 0; padding: 16px 18px; background: var(--tint); border-radius: 8px; max-height: 480px; }
pre { font: 13px/1.55 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
section > dl:not(.tiles) { columns: 2; column-gap: 64px; font-size: 13px; }
section > dl:not(.tiles) > div { break-inside: avoid; padding-bottom: 12px; }
section > dl:not(.tiles) dt { font-weight: 600; }
section > dl:not(.tiles) dd { color: var(--quiet); }

@media screen and (max-width: 1100px) {
  .many .minor { display: none; }
}
@media screen and (max-width: 760px) {
  main { padding: 32px 20px 64px; }
  h1 { font-size: 27px; }
  section { margin-top: 48px; }
  .tiles { grid-template-columns: repeat(2, 1fr); gap: 0 20px; }
  .tiles .big { font-size: 22px; }
  .frame { height: 260px; padding-left: 46px; }
  .frame.low { height: 200px; }
  .left { width: 38px; }
  .below { left: 46px; }
  .minor { display: none; }
  table { font-size: 13px; }
  th, td { padding-left: 12px; }
  .group tbody th { white-space: normal; }
  .line.own { stroke-width: 1.5; }
  .line.other, .low .line, .low .line.own { stroke-width: 1; }
  section > dl:not(.tiles) { columns: 1; }
}
@media print {
  @page { margin: 14mm; }
  body { font-size: 11px; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  main { max-width: none; padding: 0; }
  section { margin-top: 28px; }
  figure, tr, .group { break-inside: avoid; }
  h2, h2 + .quiet { break-after: avoid; }
  .pick + label { display: none; }
  .tall thead th, .heat th:first-child { position: static; }
  .box, pre { overflow: visible; max-height: none; }
  table, thead th { font-size: 10px; }
  abbr { border: 0; }
  .groups { grid-template-columns: 1fr 1fr; gap: 20px 32px; }
  .heat table, .heat thead th { font-size: 9px; min-width: 0; }
  .heat th, .heat td { padding: 3px 4px; }
  .tiles .big { font-size: 19px; } .tiles dt, .tiles .quiet, .legend { font-size: 10px; }
  .left, .below { font-size: 9px; }
  th, td { padding-top: 3px; padding-bottom: 3px; }
  .frame { height: 240px; } .frame.low { height: 170px; }
}
"""
