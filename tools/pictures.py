"""Pictures: what README shows, taken of the real thing: a plan in a terminal, a report, the dashboard."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from tools.codes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDER = ROOT / "docs/images"
COLUMNS = 104
PLAIN = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 24 {width} {height}"
 font-family="ui-monospace,monospace" font-size="20px">
<style>{styles}</style><defs>{lines}</defs><g transform="translate({terminal_x}, {terminal_y})">
<rect x="-{terminal_x}" y="-17" width="{width}" height="{height}" rx="8" fill="#1f2430"/>
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g></svg>
"""
"""A frame for the terminal's text, without fonts from elsewhere."""


def main(_arguments: Sequence[str]) -> int:
    """Take every picture into docs/images."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _trimtab(folder, "init")
        _trimtab(folder, "run", "--sessions", "90")
        _change(folder)
        terminal(_trimtab(folder, "plan"), FOLDER / "plan.svg")
        _trimtab(folder, "backtest", "--start", "2003-01-01", "--benchmark", "IBM", "--report", "report.html")
        with _browser() as browser, _dashboard(folder) as url:
            _shoot(browser, (folder / "report.html").as_uri(), FOLDER / "report.png", "h1")
            _shoot(browser, url, FOLDER / "dashboard.png", "h1, h2, h3")
    for path in sorted(FOLDER.iterdir()):
        print(f"docs/images/{path.name}: {path.stat().st_size / 1000:.0f} kB")
    return 0


def _change(folder: Path) -> None:
    """Move the weights, so that the plan has orders and holds to show."""
    path = folder / "config.json"
    document = json.loads(path.read_text())
    document["strategy"]["params"]["weights"] = {"AAPL": 0.3, "IBM": 0.4, "MSFT": 0.3}
    path.write_text(json.dumps(document))


def terminal(printed: str, path: Path) -> None:
    """Draw what a terminal shows as SVG."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text.from_ansi(f"$ trimtab plan\n{printed.rstrip()}"))
        path.write_text(console.export_svg(title="", code_format=PLAIN, unique_id="t"))


def _trimtab(folder: Path, *words: str) -> str:
    """Run a command as a person sees it: on a terminal, coloured."""
    script = f"import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn({_command(*words)!r})))"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", script],
        cwd=folder,
        env=_environment(),
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return done.stdout.replace("\r\n", "\n")


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "trimtab", *words]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRIMTAB_", "APCA_"))}
    return kept | {"COLUMNS": str(COLUMNS), "LINES": "60", "TERM": "xterm-256color"}


@contextmanager
def _dashboard(folder: Path) -> Iterator[str]:
    """Serve the dashboard of a folder's portfolio, and give its address."""
    server = subprocess.Popen(  # noqa: S603 - our own program
        _command("dashboard", "--port", "0", "--json"),
        cwd=folder,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield json.loads(server.stdout.readline())["url"] if server.stdout else ""
    finally:
        server.terminate()
        server.wait(timeout=20)


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only this needs it

    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


def _shoot(browser: Any, url: str, path: Path, until: str) -> None:  # noqa: ANN401 - Playwright's browser
    """Take a picture of a page once it shows what is waited for."""
    page = browser.new_page(viewport={"width": 1100, "height": 720}, color_scheme="light")
    page.goto(url)
    page.wait_for_selector(until, state="attached", timeout=60_000)
    page.wait_for_timeout(4_000)  # what is drawn last comes in with an animation
    page.screenshot(path=path)
    page.close()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
