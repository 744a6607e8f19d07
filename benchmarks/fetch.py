"""Fetch: what it costs to fetch a universe's daily bars, as CPU seconds and memory of the process that asks.

A sandbox in a process of its own serves a made-up tape over HTTP on loopback; a fresh process asks it for
the bars of every symbol, adjusted and raw, and makes `Bars` of them (`fetch_sides.py`). What the sandbox
costs does not count.

This script imports little: a process begins with the memory of the one that started it, so a large parent
would be measured instead of the client.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SIDES = str(Path(__file__).with_name("fetch_sides.py"))
SIZES = "10,100,1000,3000,10000"
LIMITS = {3_000: (6.0, 400.0), 10_000: (20.0, 1_000.0)}
"""By symbols: seconds of CPU for the fetch, and 10^6 bytes of memory of the process; both below."""
NO_LIMIT = (float("inf"), float("inf"))
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in a unit of ru_maxrss (getrusage(2))."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What fetching cost: CPU seconds and seconds by the clock from the first request to `Bars`.

    `process_s` is the CPU of the whole process, imports included, `peak_mb` its memory (10^6 bytes); `bars`
    came in both series together.
    """

    symbols: int
    bars: int
    cpu_s: float
    process_s: float
    peak_mb: float
    wall_s: float

    @property
    def held(self) -> bool:
        """Whether it keeps the limits of its size."""
        cpu, peak = LIMITS.get(self.symbols, NO_LIMIT)
        return self.cpu_s < cpu and self.peak_mb < peak

    def row(self) -> str:
        """Give a line of the table."""
        microseconds = self.cpu_s / self.bars * 1e6
        numbers = f"{self.symbols:>8,}{self.bars:>11,}{self.cpu_s:>9.2f}{microseconds:>10.2f}"
        rest = f"{self.process_s:>11.2f}{self.peak_mb:>9.0f}{self.wall_s:>9.1f}"
        return numbers + rest + ("" if self.held else "  over")


HEAD = f"{'symbols':>8}{'bars':>11}{'CPU [s]':>9}{'[us/bar]':>10}{'process':>11}{'peak MB':>9}{'wall':>9}"


@contextmanager
def sandbox(count: int) -> Iterator[dict[str, Any]]:
    """Start a sandbox of so many symbols, and give what it says of itself."""
    command = [sys.executable, SIDES, "serve", str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield json.loads(process.stdout.readline() if process.stdout else b"")
    finally:
        process.communicate()


def measure(told: dict[str, Any]) -> Cost:
    """Fetch once in a fresh process, and give what it cost.

    Raises:
        RuntimeError: it fails.
    """
    command = [sys.executable, SIDES, "ask"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a process without pipes")
    process.stdin.write(json.dumps(told).encode() + b"\n")
    process.stdin.close()
    said = process.stdout.read()
    process.stdout.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the client ended with exit status {process.returncode}")
    process_s, peak_mb = used.ru_utime + used.ru_stime, used.ru_maxrss * RSS_UNIT / 1e6
    return Cost(len(told["symbols"]), process_s=process_s, peak_mb=peak_mb, **json.loads(said))


def main() -> int:
    """Measure each size, print a line each, and give 0 where the limits hold, else 1."""
    parser = argparse.ArgumentParser(description="Measure what fetching a universe's bars costs.")
    parser.add_argument("--sizes", default=SIZES, help="numbers of symbols (default: %(default)s)")
    print("Bars of 300 sessions, adjusted and raw", HEAD, sep="\n", flush=True)
    held = True
    for size in parser.parse_args().sizes.split(","):
        with sandbox(int(size)) as told:
            cost = measure(told)
        print(cost.row(), flush=True)
        held &= cost.held
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
