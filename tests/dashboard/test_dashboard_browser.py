"""Browser: every page as a real Chromium paints it, light and dark, at a desk and on a phone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dashboard_kit import PAGES, chromium, decade, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

BROWSER = chromium()
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed: apt-get install chromium")

WAIT_MS = 120_000
DONE = "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"
DRAWN = "[...document.querySelectorAll('.tt img')].every(image => image.complete && image.naturalWidth)"
HEAVY = ("DataFrame", "arrowFormatUtils", "embed", "SyntaxHighlighter", "Plotly", "ECharts")
"""Scripts of Streamlit's that cost more than a page's own drawing."""
LOOKS = {"light, wide": ("light", 1360), "dark, phone": ("dark", 390)}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve two made-up years, full of hostile texts."""
    root = tmp_path_factory.mktemp("served")
    decade(root / "store", years=2, width=6)
    weights = {f"S{n:03d}": 0.158 for n in range(6)}
    strategy = {"name": "fixed_weights", "params": {"weights": weights}}
    config = write_config(root, root / "store", strategy=strategy)
    command = [sys.executable, "-m", "trimtab", "dashboard", "--json", "--port", "0", "--config", config]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only these tests pay for it

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield started
        started.close()


def opened(page: Page, address: str) -> None:
    """Open a page and wait until its script has ended and its charts are drawn."""
    page.goto(address)
    page.locator("h1").first.wait_for()
    page.wait_for_function(DONE)
    page.wait_for_function(DRAWN)


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_painted(url: str, browser: Browser, look: str) -> None:
    """No page fails, runs a hostile text, is wider than the screen, or asks another host for anything."""
    scheme, width = LOOKS[look]
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})  # type: ignore[arg-type]  # light or dark
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    elsewhere: list[str] = []
    loaded: list[str] = []
    faults: list[str] = []
    page.on(
        "request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else elsewhere.append(r.url)
    )
    page.on("request", lambda r: loaded.append(r.url.rsplit("/", 1)[-1]))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    for name in PAGES:
        opened(page, url if name == "now" else f"{url}/{name}")
        assert page.locator("[data-testid=stException]").count() == 0, name
        assert page.locator("img[src=x]").count() == 0, name
        assert page.title() != "1", name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    context.close()
    assert not faults
    assert not [address for address in elsewhere if not address.startswith("ws")]
    assert not [name for name in loaded if any(heavy in name for heavy in HEAVY)]


def test_the_last_run_is_shown_as_text(url: str, browser: Browser) -> None:
    """Unless another one is picked it is shown in full, with the words of `trimtab show`."""
    page = browser.new_page()
    page.set_default_timeout(WAIT_MS)
    opened(page, f"{url}/runs")
    page.get_by_role("tab", name="As text").click()
    page.locator(".tt pre", has_text="main: paper").wait_for()
    page.close()


def test_a_legend_follows_the_pointer(url: str, browser: Browser) -> None:
    """Also on a chart that came later; where the pointer leaves, the last values stand again."""
    page = browser.new_page()
    page.set_default_timeout(WAIT_MS)
    opened(page, f"{url}/performance")
    page.get_by_role("radio", name="3 months").click()
    plot, when = page.locator(".plot").first, page.locator(".legend .when b").first
    page.wait_for_function("!document.querySelector('.below').innerText.includes('2025')")
    last = when.inner_text()
    box = plot.bounding_box()
    assert box is not None
    for part in (0.5, 0.1):
        page.mouse.move(box["x"] + part * box["width"], box["y"] + box["height"] / 2)
    first = when.inner_text()
    assert first < last
    page.mouse.move(0, 0)
    assert when.inner_text() == last
    page.close()
