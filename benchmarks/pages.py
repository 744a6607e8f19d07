"""Dashboard: how long each page takes in a real browser, on ten years of daily runs with 94,000 orders.

Each page is opened with an empty cache, then some are used: from the click until what it changes is painted.
Times of the clock say nothing on a machine that is busy; so the processor time of the server and of the
browser is measured beside them: what a page costs wherever it is opened. The first paint is the browser's
own (first contentful paint of the Paint Timing API): what Streamlit shows while the page is on its way.
`FOLDER` keeps the store for the next time.

    PYTHONPATH=tests .venv/bin/python benchmarks/pages.py [FOLDER]
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from dashboard_kit import PAGES, chromium, decade, write_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

WIDTH = 40
WAIT_MS = 600_000
DONE = "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"
DRAWN = "[...document.querySelectorAll('.tt img')].every(image => image.complete)"
FIRST = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
PAINTED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
SHOWN = "document.querySelector('[data-testid=stMain]').innerText"
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print a table."""
    kept = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    if not (kept / "store/trades.db").exists():
        decade(kept / "store", width=WIDTH)
    weights = {f"S{n:03d}": 0.95 / WIDTH for n in range(WIDTH)}
    config = write_config(
        kept, kept / "store", strategy={"name": "fixed_weights", "params": {"weights": weights}}
    )
    with served(config) as (url, server), sync_playwright() as playwright:
        meter = Meter(server)
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        print("load average", os.getloadavg())
        print("| page | first paint, s | title, s | drawn, s | server CPU, s | browser CPU, s |")
        print("|---|---|---|---|---|---|")
        for turn in ("first", "again"):
            for name in PAGES:
                page = browser.new_page()
                page.set_default_timeout(WAIT_MS)
                address = url if name == "now" else f"{url}/{name}"
                print(f"| {name}, {turn} | {opened(page, address, meter)} |")
                page.close()
        page = browser.new_page()
        page.set_default_timeout(WAIT_MS)
        opened(page, url, meter)
        print("\n| used | painted, s | server CPU, s | browser CPU, s |\n|---|---|---|---|")
        for what, click in USES.items():
            print(f"| {what} | {used(page, click, meter)} |")
        browser.close()


def opened(page: Page, address: str, meter: Meter) -> str:
    """Open a page, and give its times as cells."""
    before, begun = meter.read(), time.monotonic()
    page.goto(address)
    page.locator("h1").first.wait_for()
    titled = time.monotonic() - begun
    page.wait_for_function(DONE)
    page.wait_for_function(DRAWN)
    page.evaluate(PAINTED)
    drawn = time.monotonic() - begun
    first = page.evaluate(FIRST) / 1e3
    return f"{first:.2f} | {titled:.2f} | {drawn:.2f} | {meter.since(before)}"


def used(page: Page, click: Callable[[Page], object], meter: Meter) -> str:
    """Do something on a page, and give how long it took until what it changes was painted, as cells."""
    shown = page.evaluate(SHOWN)
    before, begun = meter.read(), time.monotonic()
    click(page)
    page.wait_for_function(f"shown => {SHOWN} !== shown && {DONE}", arg=shown)
    page.wait_for_function(DRAWN)
    page.evaluate(PAINTED)
    return f"{time.monotonic() - begun:.2f} | {meter.since(before)}"


def _go(name: str) -> Callable[[Page], object]:
    return lambda page: page.get_by_role("link", name=name).click()


def _radio(name: str) -> Callable[[Page], object]:
    return lambda page: page.get_by_role("radio", name=name, exact=True).click()


def _pick(label: str, text: str) -> Callable[[Page], object]:
    def pick(page: Page) -> None:
        page.get_by_label(label, exact=True).fill(text)
        page.get_by_role("option").first.click()

    return pick


USES: dict[str, Callable[[Page], object]] = {
    "Now to Performance": _go("Performance"),
    "Performance, 5 years": _radio("5 years"),
    "Performance, 1 year": _radio("1 year"),
    "Performance, without the backtest": lambda page: page.locator("[data-testid=stCheckbox]").first.click(),
    "Performance to Runs": _go("Runs"),
    "Runs, the checks of a run": lambda page: page.get_by_role("tab", name="Checks").click(),
    "Runs, another run": _pick("Run", "2026-03"),
    "Runs, only those that halted": lambda page: page.get_by_role("button", name="halted").click(),
    "Runs to Trading": _go("Trading"),
    "Trading, ten years": _radio("All"),
    "Trading to Health": _go("Health"),
    "Health, only errors": lambda page: page.get_by_role("button", name="error", exact=True).click(),
}
"""What is done on the pages, one after the other, in one session."""


class Meter:
    """Processor time: of the server, and of the browser with what drives it."""

    def __init__(self, server: int) -> None:
        self._server = server

    def read(self) -> tuple[float, float]:
        """Give the seconds so far."""
        own, server = _tree(os.getpid()), _tree(self._server)
        return server, own - server

    def since(self, before: tuple[float, float]) -> str:
        """Give the seconds since a reading, as cells."""
        return " | ".join(f"{now - then:.2f}" for now, then in zip(self.read(), before, strict=True))


def _tree(root: int) -> float:
    """Give the seconds of processor time of a process and all below it, those that ended too."""
    spent: dict[int, float] = {}
    below: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        spent[int(folder.name)] = sum(map(int, fields[11:15])) / TICKS
        below.setdefault(int(fields[1]), []).append(int(folder.name))
    total, left = 0.0, [root]
    while left:
        one = left.pop()
        total += spent.get(one, 0.0)
        left += below.get(one, [])
    return total


@contextmanager
def served(config: Path) -> Iterator[tuple[str, int]]:
    """Serve the dashboard, and give its address and its process."""
    command = [sys.executable, "-m", "trimtab", "dashboard", "--json", "--port", "0", "--config", config]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline() if process.stdout else "{}")["url"], process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


if __name__ == "__main__":
    main()
