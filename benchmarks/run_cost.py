"""Run cost: what one run that trades nothing costs, as a whole process, from its start to its end.

Ten symbols in paper mode, against the sandbox on loopback in a process of its own. The first run of the
portfolio buys; each measured one is of a later session, fetches a year and a half of bars, and finds every
holding in its band.

This script imports little: a process begins with the memory of the one that started it, so a large parent
would be measured instead of the run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

SYMBOLS = ("DBC", "EEM", "EFA", "GLD", "IEF", "IWM", "QQQ", "SPY", "TLT", "VNQ")
"""What the sandbox's synthetic market trades."""
LOOKBACK_SESSIONS = 400
FIRST_SESSION = "2020-02-18"
RUNS = 5
MOST_SESSIONS = 4
"""Sessions tried for each measured run: on some, a price leaves its band and something trades."""

CPU_S, PEAK_MB, REQUESTS = 1.0, 120.0, 15
"""The budget: seconds of CPU (below), 10^6 bytes of resident memory, HTTP requests (both at most)."""

RUN = ("run", "--json", "--no-dry-run", "--config", "config.json")
NAME_MODULES = """
import sys
from trimtab.cli import main
status = main(sys.argv[1:])
print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
sys.exit(status)
"""
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in a unit of ru_maxrss (getrusage(2))."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost: CPU seconds (user and system), peak memory (10^6 bytes), HTTP requests."""

    outcome: str
    cpu_s: float
    peak_mb: float
    requests: int


@dataclass(frozen=True, slots=True)
class Bench:
    """A sandbox, and a portfolio's folder and environment to trade on it."""

    url: str
    folder: Path
    environ: dict[str, str]

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask the sandbox's control endpoints.

        Raises:
            RuntimeError: it refuses.
        """
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body).encode())
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"{method} {path}: {response.status} {text!r}")
        document: dict[str, Any] = json.loads(text)
        return document

    def requests(self) -> int:
        """How many requests runs have made so far."""
        seen = self.ask("GET", "/sandbox/log")["requests"]
        return sum(not entry["path"].startswith("/sandbox") for entry in seen)

    def next_session(self) -> None:
        """Go to 10:00 of the next session."""
        self.ask("POST", "/sandbox/clock", {"sessions": 1})


@contextmanager
def bench() -> Iterator[Bench]:
    """Start a sandbox in its own process, with a portfolio beside it that holds its targets."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "sandbox.log").open("wb") as log:
            command = [sys.executable, "-m", "trimtab", "sandbox", "--json", "--synthetic"]
            options = ["--port", "0", "--speed", "0", "--start", FIRST_SESSION]
            server = subprocess.Popen([*command, *options], cwd=folder, stdout=subprocess.PIPE, stderr=log)
        try:
            said = server.stdout.readline() if server.stdout else b""
            if not said:
                raise RuntimeError((folder / "sandbox.log").read_text())
            yield _filled(json.loads(said)["url"], folder)
        finally:
            server.terminate()
            server.communicate(timeout=10)


def _filled(url: str, folder: Path) -> Bench:
    """Write a portfolio's configuration, and let its first run buy.

    Raises:
        RuntimeError: it does not.
    """
    config = {
        "mode": "paper",
        "strategy": {"name": "equal_weight", "params": {"symbols": SYMBOLS}},
        "data": {"lookback_sessions": LOOKBACK_SESSIONS},
        "risk": {"max_turnover": 1.0},
    }
    (folder / "config.json").write_text(json.dumps(config))
    other = {name: value for name, value in os.environ.items() if not name.startswith(("TRIMTAB_", "APCA_"))}
    keys = {"APCA_API_KEY_ID": "bench", "APCA_API_SECRET_KEY": "bench"}
    hosts = {"APCA_API_BASE_URL": url, "APCA_API_DATA_URL": url}
    made = Bench(url, folder, other | keys | hosts)
    made.ask("POST", "/sandbox/behaviour", {"latency_s": 0.0})
    if (outcome := measure(made).outcome) != "traded":
        raise RuntimeError(f"the first run was to buy: {outcome}; {(folder / 'run.log').read_text()}")
    return made


def measure(made: Bench) -> Cost:
    """Run the line once as a process, and give what it cost."""
    before = made.requests()
    answer = made.folder / "run.json"
    with answer.open("wb") as out, (made.folder / "run.log").open("wb") as log:
        command = [sys.executable, "-m", "trimtab", *RUN]
        process = subprocess.Popen(command, cwd=made.folder, env=made.environ, stdout=out, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    document = json.loads(answer.read_text() or "{}")
    return Cost(
        document.get("outcome", f"exit status {process.returncode}"),
        used.ru_utime + used.ru_stime,
        used.ru_maxrss * RSS_UNIT / 1e6,
        made.requests() - before,
    )


def in_band(made: Bench, runs: int) -> list[Cost]:
    """Measure runs of later sessions, as many as asked for, that found every holding in its band.

    Raises:
        RuntimeError: too few do.
    """
    costs: list[Cost] = []
    for _ in range(runs * MOST_SESSIONS):
        made.next_session()
        cost = measure(made)
        if cost.outcome not in {"in_band", "traded"}:
            raise RuntimeError(f"{cost.outcome}: {(made.folder / 'run.log').read_text()}")
        costs += [cost] if cost.outcome == "in_band" else []
        if len(costs) == runs:
            return costs
    raise RuntimeError(f"only {len(costs)} of {runs * MOST_SESSIONS} runs traded nothing")


def modules(made: Bench) -> set[str]:
    """Give the names of the packages that a run of the next session has imported at its end."""
    made.next_session()
    command = [sys.executable, "-c", NAME_MODULES, *RUN]
    done = subprocess.run(
        command, cwd=made.folder, env=made.environ, check=True, capture_output=True, text=True
    )
    return set(done.stderr.splitlines()[-1].split())


def main() -> int:
    """Measure, print the table, and give 0 where the budget holds, else 1."""
    parser = argparse.ArgumentParser(description="Measure one run that trades nothing.")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"runs to measure (default: {RUNS})")
    runs = parser.parse_args().runs
    with bench() as made:
        costs, imported = in_band(made, runs), modules(made)
    cpu = statistics.median(cost.cpu_s for cost in costs)
    peak = statistics.median(cost.peak_mb for cost in costs)
    asked = max(cost.requests for cost in costs)
    pandas = "yes" if "pandas" in imported else "no"
    rows = (
        ("CPU, user and system [s]", f"{cpu:.2f}", f"below {CPU_S:.0f}", cpu < CPU_S),
        ("peak memory [MB]", f"{peak:.0f}", f"{PEAK_MB:.0f}", peak <= PEAK_MB),
        ("requests, the most of any run", str(asked), str(REQUESTS), asked <= REQUESTS),
        ("pandas imported", pandas, "no", pandas == "no"),
    )
    print(f"A run that trades nothing: {len(SYMBOLS)} symbols, paper mode; medians of {runs}")
    for name, seen, allowed, holds in rows:
        print(f"{name:32}{seen:>8}{allowed:>10}{'' if holds else '  over'}")
    return 0 if all(row[-1] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
