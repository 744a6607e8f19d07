"""Dashboard: how long each page takes in a real browser, on ten years of daily runs with 94,000 orders.

Times of the clock say nothing on a machine that is busy; so the processor time of the server and of the
browser is measured beside them: what a page costs wherever it is opened. `FOLDER` keeps the store for the
next time.

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
    from collections.abc import Iterator

    from playwright.sync_api import Page

WIDTH = 40
WAIT_MS = 600_000
DONE = "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"
CHARTS = "[...document.querySelectorAll('[data-testid=stVegaLiteChart]')]"
DRAWN = f"{CHARTS}.every(chart => chart.querySelector('svg, canvas'))"
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
    with served(config) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        print("load average", os.getloadavg())
        print("| page | title, s | drawn, s | server CPU, s | browser CPU, s |\n|---|---|---|---|---|")
        for turn in ("first", "again"):
            for name in PAGES:
                page = browser.new_page()
                page.set_default_timeout(WAIT_MS)
                print(f"| {name}, {turn} | {measured(page, url if name == 'now' else f'{url}/{name}')} |")
                page.close()
        page = browser.new_page()
        page.set_default_timeout(WAIT_MS)
        measured(page, f"{url}/performance")
        before, begun = processor(), time.monotonic()
        page.get_by_role("radio", name="5 years").click()
        page.wait_for_timeout(100)
        page.wait_for_function(DONE)
        print(f"| range of 5 years | | {time.monotonic() - begun:.2f} | {spent(before)} |")
        browser.close()


def measured(page: Page, address: str) -> str:
    """Open a page, and give its times as cells."""
    before, begun = processor(), time.monotonic()
    page.goto(address)
    page.locator("h1").first.wait_for()
    titled = time.monotonic() - begun
    page.wait_for_function(DONE)
    page.wait_for_function(DRAWN)
    return f"{titled:.2f} | {time.monotonic() - begun:.2f} | {spent(before)}"


def spent(before: dict[bool, float]) -> str:
    """Give the processor time since, of the server and of the browser, as cells."""
    now = processor()
    return " | ".join(f"{now[own] - before[own]:.2f}" for own in (True, False))


def processor() -> dict[bool, float]:
    """Give the seconds of processor time of our server (True) and of what belongs to the browser (False)."""
    total = {True: 0.0, False: 0.0}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = (folder / "cmdline").read_bytes()
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if b"streamlit" in command or b"chromium" in command:
            total[b"streamlit" in command] += (int(fields[11]) + int(fields[12])) / TICKS
    return total


@contextmanager
def served(config: Path) -> Iterator[str]:
    """Serve the dashboard, and give its address."""
    command = [sys.executable, "-m", "trimtab", "dashboard", "--json", "--port", "0", "--config", config]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline() if process.stdout else "{}")["url"]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


if __name__ == "__main__":
    main()
