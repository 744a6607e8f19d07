"""Kit: a small made-up market, and what a sweep over it takes."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

from backtesting.walks import bars_of, market

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.core.bars import Bars

SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")
CONFIG = {
    "strategy": {"name": "momentum", "params": {"symbols": list(SYMBOLS), "top_n": 2}},
    "schedule": {"job_interval": "monthly"},
}
GRID = {
    "params": {"lookback": [42, 63, 126], "top_n": [1, 2, 9], "skip": 5},
    "universes": {"all": list(SYMBOLS), "half": list(SYMBOLS[:3])},
    "walk_forward": {"train": 250, "test": 125},
    "plan": "exact",
}
"""3 x 3 x 2 combinations, of which the 6 with `top_n` 9 can't be made."""
WINDOWS = 4


def made_up() -> Bars:
    """Give three years of a market."""
    tape = market(SYMBOLS, date(2016, 1, 4), date(2018, 12, 28), seed=11, walk=0.012, gap=0.003)
    return bars_of(tape)


def laid_out(folder: Path, **changes: object) -> None:
    """Write config.json, grid.json and bars.parquet into a folder; `changes` are of the grid."""
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "grid.json").write_text(json.dumps(GRID | changes))
    made_up().frame().drop("raw_close").write_parquet(folder / "bars.parquet")
