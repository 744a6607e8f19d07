"""Measure: one contender on one work item, in this process alone.

    python benchmarks/measure.py MODULE KIND ITEM DATA_FOLDER

loads the data, lets the contender make its own form of it, runs the item's first rule untimed, then measures
a run of all of them, and its peak memory. Afterwards it compares every equity curve with the reference's, on
the contender's terms. The last line it prints is what it found, as JSON.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import reference
from work import ITEMS, Task, Terms

RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in a unit of ru_maxrss (getrusage(2))."""


def peak_bytes() -> int:
    """Give the most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT


def measure(module: str, kind: str, item: str, folder: Path) -> dict[str, object]:
    """Give seconds, peak memory and the largest relative difference from the reference.

    `imported_bytes` is the peak before the data was loaded: the interpreter and the libraries.
    """
    adapter = import_module(module)
    imported = peak_bytes()
    task = Task.load(ITEMS[item], folder)
    run = adapter.contender(task, kind)
    rules = task.item.rules
    run(rules[:1])
    gc.collect()
    start = time.perf_counter()
    curves = run(rules)
    seconds = time.perf_counter() - start
    peak = peak_bytes()
    terms = adapter.terms(task, kind) if hasattr(adapter, "terms") else Terms(task.decisions())
    expected = [reference.backtest(task.close, rule, terms).equity for rule in rules]
    difference = max(
        float(np.max(np.abs(np.asarray(mine) / theirs - 1)))
        for mine, theirs in zip(curves, expected, strict=True)
    )
    return {
        "seconds": seconds,
        "peak_bytes": peak,
        "imported_bytes": imported,
        "prices_bytes": task.close.nbytes,
        "difference": difference,
        "final_usd": float(np.asarray(curves[0])[-1]),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(measure(*sys.argv[1:4], Path(sys.argv[4]))))
