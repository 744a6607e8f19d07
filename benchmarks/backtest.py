"""Backtest: Trimtab, the tools it is compared with and a plain numpy loop, on the same work, in one run.

    python benchmarks/backtest.py [--items W1,W2] [--only ours,bt] [--processes N] [--limit SECONDS]

Makes the data and the peers' environment where they are missing. Every measurement is a process of its own;
each round measures every contender once, so that noise falls on all alike. Prints seconds, and ratios to the
loop; a run of everything also writes results.json, backtest.svg and the table in README.md.

This script imports no numpy: a process begins with the memory of the one that started it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path

from chart import draw, rounded

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build"
DATA, PEERS = BUILD / "bench-data", BUILD / "bench-peers"
LOCK, README = HERE / "requirements-peers.txt", HERE / "README.md"
BEGIN, END = "<!-- backtest.py writes from here -->\n", "<!-- backtest.py writes to here -->\n"

ITEMS = ("W1", "W2", "W3", "W4")
LARGEST = "W3"
"""The item whose memory is told: the one with the largest prices."""
ROUNDS = 3
LIMIT_S = 900.0
"""The longest a measuring process may take, warming up included."""
REPEATED_BELOW_S = 60.0
"""What takes longer is measured once: its noise is small beside it, and the others wait for it."""
TOLERANCE = 1e-9
"""The largest relative difference from the reference's equity."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Who computes: a module with a `contender`, its kind, the items it is asked for.

    With a plan of its own it makes other trades than the reference on purpose.
    """

    name: str
    module: str
    kind: str = "-"
    package: str = ""
    items: tuple[str, ...] = ITEMS
    own_plan: bool = False

    @property
    def is_peer(self) -> bool:
        """Say whether it needs the environment of the peers."""
        return bool(self.package)

    def title(self, versions: dict[str, str]) -> str:
        """Give its name, with the version of its package."""
        return (
            self.name.replace(self.package, f"{self.package} {versions[self.package]}")
            if self.package
            else self.name
        )


REFERENCE = Contender("numpy loop", "reference")
CONTENDERS = (
    REFERENCE,
    Contender("Trimtab, exact", "ours", "exact"),
    Contender("Trimtab, live", "ours", "live", own_plan=True),
    Contender("raptorbt", "peers.raptorbt", "-", "raptorbt"),
    Contender("skfolio", "peers.skfolio", "-", "skfolio"),
    Contender("vectorbt, Rust", "peers.vectorbt", "rust", "vectorbt"),
    Contender("vectorbt", "peers.vectorbt", "plain", "vectorbt"),
    Contender("bt", "peers.bt", "-", "bt"),
    Contender("backtrader", "peers.backtrader", "-", "backtrader", ("W1", "W2")),
)


@dataclass(slots=True)
class Series:
    """What the processes found of one contender on one item, and why there is no more."""

    contender: Contender
    item: str
    found: list[dict[str, float]] = field(default_factory=list)
    skipped: str = ""

    @property
    def seconds(self) -> float | None:
        """Give the median."""
        return self._median("seconds")

    @property
    def peak_mb(self) -> float | None:
        """Give the median of the peak memory, in 10^6 bytes."""
        peak = self._median("peak_bytes")
        return None if peak is None else peak / 1e6

    @property
    def peak_of_prices(self) -> float | None:
        """Give the peak memory as a multiple of the price matrix."""
        peak = self._median("peak_bytes")
        return None if peak is None else peak / self.found[0]["prices_bytes"]

    @property
    def difference(self) -> float | None:
        """Give the largest relative difference from the reference's equity."""
        return max((each["difference"] for each in self.found), default=None)

    @property
    def wanted(self) -> bool:
        """Say whether another round should measure it."""
        return not self.skipped and (self.seconds or 0.0) <= REPEATED_BELOW_S

    def _median(self, key: str) -> float | None:
        return statistics.median(each[key] for each in self.found) if self.found else None


def make_peers() -> str:
    """Install the peers where their lock changed, and give why that failed, else an empty string."""
    stamp, edition = PEERS / "lock.sha256", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == edition:
        return ""
    print("Installing the tools to compare with (about two minutes)", file=sys.stderr)
    venv.create(PEERS, with_pip=True, clear=True)
    pip = [PEERS / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    command = [*pip, "--require-hashes", "--no-deps", "--requirement", LOCK]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        return _last_line(done.stderr)
    stamp.write_text(edition)
    return ""


def _last_line(text: str) -> str:
    return next(iter(reversed(text.strip().splitlines())), "no reason given")


def locked_versions() -> dict[str, str]:
    """Give the locked version of each package of the peers' environment."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK.read_text(), flags=re.MULTILINE))


def measure(series: Series, limit_s: float) -> None:
    """Run one process, and add what it found or why it found nothing."""
    contender = series.contender
    python = str(PEERS / "bin" / "python") if contender.is_peer else sys.executable
    command = [python, HERE / "measure.py", contender.module, contender.kind, series.item, DATA]
    environ = os.environ | {"RAPTORBT_NO_VERSION_CHECK": "1", "PYTHONHASHSEED": "0"}
    try:
        done = subprocess.run(
            command, env=environ, check=False, capture_output=True, text=True, timeout=limit_s
        )
    except subprocess.TimeoutExpired:
        series.skipped = f"over {limit_s:.0f} s with its first, untimed run"
        return
    if done.returncode:
        series.skipped = _last_line(done.stderr) or f"exit status {done.returncode}"
        return
    series.found.append(json.loads(_last_line(done.stdout)))


def measure_all(contenders: list[Contender], items: list[str], rounds: int, limit_s: float) -> list[Series]:
    """Measure every contender on every item, one round after another."""
    missing = make_peers() if any(contender.is_peer for contender in contenders) else ""
    everything = [Series(who, item) for item in items for who in contenders if item in who.items]
    for series in everything:
        series.skipped = missing if series.contender.is_peer else ""
    for each_round in range(rounds):
        for series in everything:
            if series.wanted:
                print(f"{each_round + 1} {series.item} {series.contender.name}", file=sys.stderr)
                measure(series, limit_s)
    return everything


def document(everything: list[Series]) -> dict[str, object]:
    """Give what results.json holds."""
    versions = locked_versions()
    base = {series.item: series.seconds for series in everything if series.contender is REFERENCE}
    rows = []
    for series in everything:
        seconds, reference = series.seconds, base.get(series.item)
        rows.append(
            {
                "contender": series.contender.title(versions),
                "item": series.item,
                "seconds": seconds,
                "ratio": seconds / reference if seconds is not None and reference else None,
                "all_seconds": [each["seconds"] for each in series.found],
                "peak_mb": series.peak_mb,
                "peak_of_prices": series.peak_of_prices,
                "difference": series.difference,
                "own_plan": series.contender.own_plan,
                "skipped": series.skipped,
            }
        )
    machine = {
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    return {"machine": machine, "rows": rows}


def disagreements(everything: list[Series]) -> list[str]:
    """Name the contenders whose equity is not the reference's, or is and ought not to be."""
    return [
        f"{series.contender.name} on {series.item} differs from the reference by {series.difference:.1e}"
        for series in everything
        if series.difference is not None and (series.difference <= TOLERANCE) == series.contender.own_plan
    ]


def table(found: dict[str, object]) -> str:
    """Give the results as a Markdown table: seconds, and how many times the loop's."""
    rows: list[dict[str, object]] = found["rows"]
    cells = {(row["contender"], row["item"]): row for row in rows}
    items = sorted({str(row["item"]) for row in rows})
    titles = list(dict.fromkeys(str(row["contender"]) for row in rows))
    memory = [f"peak memory on {LARGEST}, MB (x prices)"] if LARGEST in items else []
    lines = [
        " | ".join(["| seconds (x numpy loop)", *items, *memory, "largest difference |"]),
        "|" + "---|" * (len(items) + len(memory) + 2),
    ]
    for title in titles:
        mine = {item: cells.get((title, item)) for item in items}
        line = [title, *(_time(row) for row in mine.values())]
        line += [_memory(mine[LARGEST])] if memory else []
        line += [_difference([row for row in mine.values() if row])]
        lines.append("| " + " | ".join(line) + " |")
    return "\n".join(lines) + "\n"


def _time(row: dict[str, object] | None) -> str:
    if row is None:
        return ""
    if not isinstance(row["seconds"], float):
        return "skipped"
    ratio = row["ratio"]
    beside = f" ({rounded(ratio)})" if isinstance(ratio, float) else ""
    return rounded(row["seconds"]) + beside


def _memory(row: dict[str, object] | None) -> str:
    if row is None or not isinstance(row["peak_mb"], float):
        return ""
    return f"{row['peak_mb']:,.0f} ({row['peak_of_prices']:.1f})"


def _difference(rows: list[dict[str, object]]) -> str:
    if any(row["own_plan"] for row in rows):
        return "plans itself"
    seen = [row["difference"] for row in rows if isinstance(row["difference"], float)]
    return f"{max(seen):.0e}" if seen else ""


def write(found: dict[str, object]) -> None:
    """Write the results, the chart, and the table between its marks in README.md."""
    (HERE / "results.json").write_text(json.dumps(found, indent=1) + "\n")
    (HERE / "backtest.svg").write_text(draw(found))
    before, rest = README.read_text().split(BEGIN)
    after = rest.split(END)[1]
    README.write_text(before + BEGIN + "\n" + table(found) + "\n" + END + after)


def main() -> int:
    """Measure and tell; give 0 where every equity curve agrees with the reference's, else 1."""
    parser = argparse.ArgumentParser(description="Compare backtests on the same work.")
    parser.add_argument("--items", default=",".join(ITEMS), help="work items (default: %(default)s)")
    parser.add_argument("--only", default="", help="modules beside the reference, as ours,bt (default: all)")
    parser.add_argument("--processes", type=int, default=ROUNDS, help="a measurement (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds a process (%(default)s)")
    options = parser.parse_args()
    only = {name for name in options.only.split(",") if name}
    chosen = [each for each in CONTENDERS if not only or each.module.removeprefix("peers.") in only]
    contenders = chosen if REFERENCE in chosen else [REFERENCE, *chosen]
    items = options.items.split(",")

    subprocess.run([sys.executable, HERE / "market.py", DATA], check=True)
    everything = measure_all(contenders, items, options.processes, options.limit)
    found = document(everything)
    print(table(found))
    for series in everything:
        if series.skipped:
            print(f"{series.contender.name} on {series.item}: skipped, {series.skipped}")
    if contenders == list(CONTENDERS) and items == list(ITEMS):
        write(found)
    differing = disagreements(everything)
    print(*differing, sep="\n", end="\n" if differing else "")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
