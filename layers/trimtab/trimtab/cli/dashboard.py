"""Dashboard: the verb that serves the store as pages to look at, until it is told to stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import webbrowser
from contextlib import closing, suppress
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

import trimtab
from trimtab.adapters.loopback import is_loopback
from trimtab.cli.opened import settings_of
from trimtab.configuration import located
from trimtab.errors import Halted, Misconfigured

if TYPE_CHECKING:
    import argparse
    from types import FrameType

    from trimtab.cli.terminal import Terminal

__all__ = ["dashboard"]

APP, SERVE = "dashboard/app.py", "serve.py"
OPEN = "--open"
READY_S, POLL_S, STOP_S = 60.0, 0.1, 10.0
"""How long the server may take to answer, between two looks, and to end: seconds."""


def dashboard(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        Misconfigured: the configuration, the address or the installation is not usable.
        Halted: the server ended by itself.
    """
    settings = settings_of(arguments)
    store = settings.store_url
    app, port = _app(), arguments.port or _free_port(arguments.host)
    _judge(arguments, app, settings.folder)
    _demand_free(arguments.host, port)
    path = located(arguments.config, os.environ)
    command = [
        *(sys.executable, str(app.with_name(SERVE)), "run", str(app)),
        *(f"--server.address={arguments.host}", f"--server.port={port}", "--server.headless=true"),
        *("--logger.hideWelcomeMessage=true", "--logger.level=error"),
        *(["--", OPEN] if arguments.open else ()),
    ]
    place = path if "://" in path else str(Path(path).absolute())
    environ = {name: value for name, value in os.environ.items() if name != "TRIMTAB_CONFIG_PARAMETER"}
    environ |= {"TRIMTAB_CONFIG": place}
    server = subprocess.Popen(  # noqa: S603 - our own program, and an address that was checked
        command, cwd=settings.folder, env=environ, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno()
    )
    return _serve(server, _url(arguments.host, port), store, terminal, look=arguments.browser)


def _serve(server: subprocess.Popen[bytes], url: str, store: str, terminal: Terminal, *, look: bool) -> int:
    """Say where it is once it answers, and wait until it is told to stop.

    Raises:
        Halted: it ended by itself, or never answered.
    """

    def end(_number: int, _frame: FrameType | None) -> None:
        server.terminate()
        asked.append(True)

    asked: list[bool] = []
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if _answers(server, url):
            terminal.say(f"dashboard  {url}\nstore      {store}\nCtrl-C stops it")
            terminal.document({"url": url, "store": store}, indent=None)
            if look:
                webbrowser.open(url)
        status = server.wait()
    finally:
        _stop(server)
        for number, handler in before.items():
            signal.signal(number, handler)
    if not asked:
        raise Halted(
            "dashboard_ended",
            "the dashboard's server ended by itself",
            seen=f"exit status {status}",
            hint="what it wrote above says why",
        )
    terminal.say("stopped")
    return 0


def _answers(server: subprocess.Popen[bytes], url: str) -> bool:
    """Wait until the server answers; False where it ends before."""
    deadline = time.monotonic() + READY_S
    while server.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{url}/_stcore/health", timeout=5):  # noqa: S310 - our own http address
            return True
        if time.monotonic() > deadline:
            server.terminate()
        time.sleep(POLL_S)
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.terminate()
    try:
        server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _app() -> Path:
    """Find the dashboard's pages: beside the package in a checkout, else where they were installed.

    Raises:
        Misconfigured: they, or Streamlit, are not there.
    """
    if util.find_spec("streamlit") is None:
        raise Misconfigured(
            "no_streamlit",
            "the dashboard needs Streamlit, which is not installed",
            seen="no streamlit",
            allowed="the extra `dashboard`",
            hint='pip install "trimtab[dashboard]"',
        )
    checkout = Path(trimtab.__file__).resolve().parents[3] / APP
    for found in (checkout, *_installed()):
        if found.is_file():
            return found
    raise Misconfigured(
        "no_dashboard",
        "the dashboard's pages are not installed",
        seen=checkout,
        allowed=APP,
        hint="install trimtab again, from its wheel or its repository: both hold them",
    )


def _installed() -> list[Path]:
    """Give where an installation says that it put the pages."""
    with suppress(metadata.PackageNotFoundError):
        files = metadata.files("trimtab") or ()
        return [Path(str(file.locate())).resolve() for file in files if str(file).endswith(APP)]
    return []


def _judge(arguments: argparse.Namespace, app: Path, folder: Path) -> None:
    """Keep a dashboard without a login on this machine.

    Raises:
        Misconfigured: the address is the network's, and there is neither a login nor the owner's word.
    """
    if arguments.open or is_loopback(arguments.host):
        return
    places = (folder, app.parent, Path.home())
    secrets = [place / ".streamlit/secrets.toml" for place in places]
    if any(path.is_file() and "[auth]" in path.read_text(errors="replace") for path in secrets):
        return
    raise Misconfigured(
        "exposed",
        "anybody in the network could look at the portfolio",
        seen=f"--host {arguments.host}, and no login",
        allowed="127.0.0.1, or a login in .streamlit/secrets.toml",
        hint="set up a login (docs/dashboard.md), or add --open where something else guards the way",
    )


def _url(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - it is not bound here
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _free_port(host: str) -> int:
    with closing(socket.socket(_family(host))) as taken, suppress(OSError):
        taken.bind((host, 0))
        return int(taken.getsockname()[1])
    return 0


def _demand_free(host: str, port: int) -> None:
    """Raise where the address can't be listened on.

    Raises:
        Misconfigured: it is taken, or not this machine's.
    """
    with closing(socket.socket(_family(host))) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            raise Misconfigured(
                "port",
                f"can't listen on {host}:{port}",
                seen=error.strerror,
                allowed="a free port",
                hint="--port 0 takes a free one",
            ) from error
