"""Script: lets the legends of charts follow the pointer, a finger or the arrow keys."""

from __future__ import annotations

__all__ = ["SCRIPT", "WIRE"]

WIRE = r"""
const wire = (chart) => {
  const read = JSON.parse(chart.dataset.hover);
  const when = chart.querySelector(".when b");
  const shown = [...chart.querySelectorAll(".legend li:not(.when) b")];
  const first = [when.textContent, ...shown.map((b) => b.textContent)];
  const days = read.days;
  const length = days ? days[days.length - 1] - days[0] || 1 : 1;
  const at = days ? days.map((day) => (day - days[0]) / length) : read.at;
  const label = (i) => days ? new Date(days[i] * 864e5).toISOString().slice(0, 10) : read.labels[i];
  const format = new Intl.NumberFormat("en-US",
    {minimumFractionDigits: read.places, maximumFractionDigits: read.places});
  const say = (value) => value === null ? "\u2013"
    : format.format(value).replace("-", "\u2212").replace(/^\u2212(0(\.0*)?)$/, "$1") + read.unit;
  const nearest = (x) => {
    let low = 0, high = at.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (at[middle] < x) low = middle; else high = middle;
    }
    return x - at[low] < at[high] - x ? low : high;
  };
  let here = at.length - 1;
  const show = (i) => {
    here = Math.min(Math.max(i, 0), at.length - 1);
    when.textContent = label(here);
    shown.forEach((b, k) => { b.textContent = say(read.values[k][here]); });
    for (const line of chart.querySelectorAll(".cross")) {
      line.style.left = 100 * at[here] + "%";
      line.style.opacity = 1;
    }
  };
  const leave = () => {
    when.textContent = first[0];
    shown.forEach((b, k) => { b.textContent = first[k + 1]; });
    for (const line of chart.querySelectorAll(".cross")) line.style.opacity = 0;
    here = at.length - 1;
  };
  for (const plot of chart.querySelectorAll(".plot")) {
    const follow = (event) => {
      const box = plot.getBoundingClientRect();
      show(nearest((event.clientX - box.left) / box.width));
    };
    plot.tabIndex = 0;
    plot.addEventListener("pointermove", follow);
    plot.addEventListener("pointerdown", follow);
    plot.addEventListener("pointerleave", leave);
    plot.addEventListener("blur", leave);
    plot.addEventListener("keydown", (event) => {
      const step = {ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20}[event.key];
      if (step) { show(here + step); event.preventDefault(); }
    });
  }
};
"""
"""Defines what wires one chart."""

SCRIPT = f"""{WIRE}for (const chart of document.querySelectorAll("[data-hover]")) wire(chart);
"""
"""Vanilla JavaScript; the page's policy names its digest, so that no other script runs."""
