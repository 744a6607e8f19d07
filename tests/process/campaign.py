"""Campaign: the promises over real processes and real HTTP, in whole: the table's rows, and each failure.

`python tests/process/campaign.py [NAME ...]` takes about half an hour on two idle cores; NAME is one of those
below, all without any. Exit status 1 where anything was wrong.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from process import drills, mends, pairs, slow, sweeps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SLEEPY = 6
"""Workers for cases that mostly wait."""


CAMPAIGN: dict[str, tuple[Callable[[Any], sweeps.Result], Callable[[], Iterable[Any]], int]] = {
    "kill": (sweeps.strike, lambda: sweeps.cells("calm"), sweeps.WORKERS),
    "kill-slow": (sweeps.strike, lambda: sweeps.cells("slow"), 3),
    "kill-partial": (sweeps.strike, lambda: sweeps.cells("partial"), 4),
    "terminate": (sweeps.strike, sweeps.terminated, sweeps.WORKERS),
    "pairs": (pairs.meet, pairs.pairs, SLEEPY),
    "store": (mends.break_it, mends.breaks, sweeps.WORKERS),
    "drill": (drills.drill_it, drills.drills, SLEEPY),
    "deadline": (slow.slow_down, lambda: slow.SLOW, SLEEPY),
}
"""By name: what judges a case, the cases, and how many run side by side."""


def main(names: list[str]) -> int:
    """Run parts of the campaign, or all; give the exit status."""
    say("| part | boundaries | struck | converged | seconds |", "|---|---|---|---|---|")
    failed = False
    for name in names or CAMPAIGN:
        judge, every, workers = CAMPAIGN[name]
        began = time.monotonic()
        results = sweeps.sweep(judge, every(), workers)
        say(sweeps.row(name, results, time.monotonic() - began))
        ends = Counter(end for result in results for end in result.ends)
        wrong = sweeps.wrong_of(results)
        sys.stderr.write(f"{name} ended: {dict(ends)}\n" + "".join(f"{text}\n" for text in wrong))
        failed = failed or bool(wrong)
    return int(failed)


def say(*lines: str) -> None:
    """Write lines at once."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
