"""Gates: how long judging bars takes, by their number. `python benchmarks/gates.py`.

The bars are made up: sound ones of 20 symbols, with a dividend a quarter. Each gate passes over all of them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.actions import Action
from trimtab.core.bars import Bars
from trimtab.core.gates import Exhibit, examine
from trimtab.core.limits import Gates

if TYPE_CHECKING:
    from datetime import date

SYMBOLS = tuple(f"S{number:02}" for number in range(20))
QUARTER = 63
"""Sessions between two dividends."""
REPEATS = 15


def made_up(sessions: int) -> tuple[Bars, list[Action]]:
    """Give bars of 20 symbols that no gate doubts, and the dividends that their prices are adjusted for."""
    generator = np.random.default_rng(7)
    days = np.datetime64("1990-01-01") + np.arange(sessions).astype("timedelta64[D]")
    moves = np.clip(generator.normal(0.0, 0.01, (sessions, len(SYMBOLS))), -0.05, 0.05)
    close = 100.0 * np.exp(np.cumsum(moves, axis=0))
    raw, actions = close.copy(), []
    for row in range(sessions - 1, 0, -QUARTER):
        amount = 0.01 * raw[row - 1]
        raw[:row] *= 1 + amount / raw[row - 1]
        day: date = days[row].item()
        actions += [
            Action(symbol, day, "dividend", "cash_dividend", amount=float(paid))
            for symbol, paid in zip(SYMBOLS, amount, strict=True)
        ]
    volume = generator.uniform(1e6, 2e6, close.shape)
    return Bars(days, SYMBOLS, close, close * 1.01, close * 0.99, close, volume, raw), actions


def main() -> None:
    """Print the time of judging, and of each row, for three sizes."""
    print("| rows | gates, ms CPU | a row, ns |\n|---|---|---|")
    for rows in (5_000, 50_000, 500_000):
        bars, actions = made_up(rows // len(SYMBOLS))
        spent = []
        for _ in range(REPEATS):
            began = time.process_time()
            findings = examine(Exhibit.of(bars, bars.sessions, Gates(), actions))
            spent.append(time.process_time() - began)
        if findings:
            raise SystemExit(f"the bars are not sound: {findings[0]}")
        best = min(spent)
        print(f"| {rows:,} | {best * 1e3:.1f} | {best / rows * 1e9:.0f} |")


if __name__ == "__main__":
    main()
