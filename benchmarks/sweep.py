"""Sweep: what `trimtab sweep` takes on W4's grid: one core against two, and the memory of many cells.

    python benchmarks/sweep.py [--rounds N] [--combinations N] [--plan exact|live]

Each measurement is the whole command, as a user calls it, with nothing kept from before. Memory is the
proportional set size (PSS) of the command and everything it started, added up every 50 ms from
/proc/<pid>/smaps_rollup: a page that several processes share counts once, those of mapped prices, too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "build" / "bench-data"
LOOKBACKS = list(range(63, 253, 21))
TOPS = [5, 10, 20, 30, 40, 50, 60, 75, 100, 150]
PAUSE_S = 0.05

RULE = """
import sys
sys.path.insert(0, {here!r})
from ours import momentum

def rule(symbols, lookback, top):
    decide = momentum(lookback, top)
    decide.symbols = tuple(symbols)
    return decide
"""
WRITE = """
import sys
sys.path.insert(0, {here!r})
from pathlib import Path
from ours import bars
from work import ITEMS, Task
market = bars(Task.load(ITEMS["W4"], Path(sys.argv[1])))
market.frame().drop("raw_close").write_parquet(sys.argv[2])
print(" ".join(market.symbols))
"""


def lay_out(folder: Path, combinations: int, plan: str) -> None:
    """Write W4 as a grid: 10 look-backs x 10 sizes; with more, its look-backs stand closer."""
    code = WRITE.format(here=str(HERE))
    command = [sys.executable, "-c", code, DATA, folder / "bars.parquet"]
    written = subprocess.run(command, check=True, capture_output=True, text=True)
    symbols = written.stdout.split()
    each = combinations // len(TOPS)
    lookbacks = LOOKBACKS if each == len(LOOKBACKS) else list(range(252 - each + 1, 253))
    grid = {
        "params": {"lookback": lookbacks, "top": TOPS},
        "universes": {"stocks": symbols},
        "rebalance": "monthly",
        "fill": "close",
        "cash": 1_000_000,
        "plan": plan,
    }
    (folder / "grid.json").write_text(json.dumps(grid))
    (folder / "rule.py").write_text(RULE.format(here=str(HERE)))
    config = {"strategy": {"name": "rule:rule", "params": {"lookback": 252, "top": 50}}, "universe": symbols}
    (folder / "config.json").write_text(json.dumps(config))


def tree(root: int) -> list[int]:
    """Give a process and all below it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def pss(pid: int) -> int:
    """Give a process's proportional set size, bytes; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def sweep(folder: Path, cores: int, *, weigh: bool) -> tuple[float, int]:
    """Sweep anew; give its seconds, and the peak memory of all its processes together, bytes."""
    command = [sys.executable, "-m", "trimtab", "sweep", "--grid", "grid.json", "--data", "bars.parquet"]
    command += ["--out", f"out-{time.monotonic_ns()}", "--json"]
    began = time.monotonic()
    running = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, range(cores)),  # noqa: PLW1509 - this process has one thread
    )
    peak = 0
    while weigh and running.poll() is None:
        peak = max(peak, sum(map(pss, tree(running.pid))))
        time.sleep(PAUSE_S)
    told = running.communicate()[1]
    if running.returncode:
        raise SystemExit(told.decode())
    return time.monotonic() - began, peak


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description="Measure a sweep of W4's grid.")
    parser.add_argument("--rounds", type=int, default=3, help="of one core and two (default: %(default)s)")
    parser.add_argument("--combinations", type=int, default=2000, help="of the weighed one (%(default)s)")
    parser.add_argument("--plan", default="exact", choices=["exact", "live"], help="(default: %(default)s)")
    options = parser.parse_args()
    subprocess.run([sys.executable, HERE / "market.py", DATA], check=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(folder, len(LOOKBACKS) * len(TOPS), options.plan)
        rounds = [[sweep(folder, n, weigh=False)[0] for n in (1, 2)] for _ in range(options.rounds)]
        one, two = (statistics.median(side) for side in zip(*rounds, strict=True)) if rounds else (0.0, 0.0)
        if rounds:
            print(f"W4, {options.plan} plan, the whole command: one core {one:.2f} s, two {two:.2f} s")
            print(f"ratio of medians {two / one:.2f}; of each round", [round(b / a, 2) for a, b in rounds])
        if options.combinations:
            lay_out(folder, options.combinations, options.plan)
            wall, peak = sweep(folder, 2, weigh=True)
            print(f"{options.combinations:,} combinations: {wall:.0f} s, at most {peak / 1e6:,.0f} MB (PSS)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
