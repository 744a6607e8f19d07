"""Market: the synthetic prices of the backtest benchmark, made from a seed.

    python benchmarks/market.py FOLDER

writes each universe's sessions, symbols and closes as .npy files, so that a measured process only loads them.
Returns have a market factor, eleven sector factors and noise, all Student-t; prices are whole cents.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.nyse import sessions

if TYPE_CHECKING:
    from numpy.typing import NDArray

EDITION = 1
"""To be raised where the same seed gives other prices: data on disk is then made again."""
SEED = 20050103
FIRST_SESSION = date(2005, 1, 3)
SESSIONS = 5040
SECTORS = 11
DEGREES_OF_FREEDOM = 4
LATE_SHARE, DELISTED_SHARE = 0.30, 0.25
SHORTEST_LIFE = 60
"""Sessions between a symbol's first bar and its last, at least."""


@dataclass(frozen=True, slots=True)
class Universe:
    """How many symbols, and which shares of them are listed late and delisted early."""

    name: str
    symbols: int
    late: float = LATE_SHARE
    delisted: float = DELISTED_SHARE


UNIVERSES = (Universe("etfs", 5, 0.0, 0.0), Universe("stocks500", 500), Universe("stocks3000", 3000))


def calendar(count: int) -> NDArray[np.datetime64]:
    """Give the first `count` NYSE sessions of the benchmark."""
    last = FIRST_SESSION + timedelta(days=count * 3 // 2 + 30)
    return np.array(sessions(FIRST_SESSION, last)[:count], dtype="datetime64[D]")


def closes(universe: Universe, count: int = SESSIONS, seed: int = SEED) -> NDArray[np.float64]:
    """Give (count, symbols) closing prices in USD, NaN before listing and after delisting."""
    random = np.random.default_rng([seed, universe.symbols, count])
    m = universe.symbols
    market = 0.0005 + 0.008 * _noise(random, (count, 1))
    sectors = 0.006 * _noise(random, (count, SECTORS))
    beta, sector = random.uniform(0.6, 1.4, m), random.integers(0, SECTORS, m)
    returns = _noise(random, (count, m))
    returns *= random.uniform(0.008, 0.016, m)
    returns += sectors[:, sector]
    returns += market * beta
    np.clip(returns, -0.4, 0.6, out=returns)
    price = np.log1p(returns, out=returns)
    np.cumsum(price, axis=0, out=price)
    np.exp(price, out=price)
    price *= random.lognormal(np.log(80), 0.4, m)
    price *= 100
    np.rint(price, out=price)
    price /= 100
    for column, (first, stop) in enumerate(_lives(universe, count, random)):
        price[:first, column] = np.nan
        price[stop:, column] = np.nan
    return price


def _noise(random: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Draw Student-t noise of variance 1."""
    noise = random.standard_t(DEGREES_OF_FREEDOM, shape)
    noise *= np.sqrt((DEGREES_OF_FREEDOM - 2) / DEGREES_OF_FREEDOM)
    return noise


def _lives(universe: Universe, count: int, random: np.random.Generator) -> list[tuple[int, int]]:
    """Draw the rows at which each symbol's bars begin, and at which they have ended."""
    m = universe.symbols
    first, stop = np.zeros(m, dtype=int), np.full(m, count)
    late = random.permutation(m)[: round(universe.late * m)]
    first[late] = random.integers(1, count * 4 // 5, len(late))
    gone = random.permutation(m)[: round(universe.delisted * m)]
    stop[gone] = random.integers(first[gone] + SHORTEST_LIFE, count)
    return list(zip(first.tolist(), stop.tolist(), strict=True))


def names(count: int) -> tuple[str, ...]:
    """Give that many symbols, ascending."""
    return tuple(f"S{i:04}" for i in range(count))


def write(folder: Path) -> None:
    """Write every universe, unless this edition is there already."""
    stamp = folder / f"edition-{EDITION}"
    if stamp.exists():
        return
    for universe in UNIVERSES:
        where = folder / universe.name
        where.mkdir(parents=True, exist_ok=True)
        np.save(where / "sessions.npy", calendar(SESSIONS))
        np.save(where / "symbols.npy", np.array(names(universe.symbols)))
        np.save(where / "close.npy", closes(universe))
    stamp.touch()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
