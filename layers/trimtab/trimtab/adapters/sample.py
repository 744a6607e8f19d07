"""Sample: a market that needs no account, no key and no network, real where a package holds it.

Real: daily prices as traded of AAPL, FB, GOOG, IBM and MSFT, 2000-03 to 2013-03, in the package
`bokeh_sampledata` (group `demo`). Otherwise synthetic: made of a seed and the symbols' names.
"""

from __future__ import annotations

import hashlib
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trimtab.adapters.exchange.tape import Tape
from trimtab.adapters.files import read_frame
from trimtab.core.nyse import sessions as nyse_sessions
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

__all__ = ["SAMPLE_SYMBOLS", "embedded", "sample", "sample_file", "synthetic"]

SAMPLE_SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")

SAMPLE_SPLITS = {("AAPL", "2000-06-21"): 2.0, ("AAPL", "2005-02-28"): 2.0, ("MSFT", "2003-02-18"): 2.0}
"""New shares for one old by symbol and ex-date (the companies' own split histories)."""

FIRST, LAST = date(2014, 1, 2), date(2024, 12, 31)
"""The synthetic market's first and last session."""

LARGEST_MOVE = 0.20
"""The largest daily log return of the synthetic market, either way."""


def embedded(symbols: Sequence[str], seed: int = 1) -> Tape:
    """Give a tape of `symbols`: the sample where it is installed and holds them all, else synthetic.

    Raises:
        ValueError: no symbols are given.
    """
    if set(symbols) <= set(SAMPLE_SYMBOLS) and sample_file() is not None:
        return sample(symbols)
    return synthetic(symbols, seed)


def sample_file() -> Path | None:
    """Find the sample's file without importing its package; None where it is not installed."""
    spec = find_spec("bokeh_sampledata")
    folders = [] if spec is None else spec.submodule_search_locations or []
    files = (Path(folder) / "_data" / "stocks.csv.gz" for folder in folders)
    return next((file for file in files if file.is_file()), None)


def sample(symbols: Sequence[str] = SAMPLE_SYMBOLS) -> Tape:
    """Give the real daily prices of `symbols`, with splits and dividends.

    The file's prices are as traded; its adj_close / close grows by split x (1 + D / C) on an ex-date, D the
    dividend and C that day's close, so D is worked out of it, rounded to 1/100 of a cent.

    Raises:
        Misconfigured: the package is not installed, or does not hold a symbol.
    """
    file = sample_file()
    if file is None:
        raise Misconfigured("sample", "bokeh_sampledata is not installed", hint="pip install 'trimtab[demo]'")
    missing = sorted(set(symbols).difference(SAMPLE_SYMBOLS))
    if missing or not symbols:
        raise Misconfigured(
            "sample", "no such prices", seen=missing or "none", allowed=", ".join(SAMPLE_SYMBOLS)
        )
    frame = _with_actions(read_frame(file), symbols)
    years = frame["date"].dt.year().unique().sort().to_list()
    return Tape.from_frame(frame, f"real daily prices {years[0]}-{years[-1]} (bokeh_sampledata)")


def _with_actions(frame: pl.DataFrame, symbols: Sequence[str]) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 - a synthetic market does not pay for polars

    key = pl.concat_str("symbol", pl.col("date").cast(pl.String), separator=" ")
    splits = {f"{symbol} {day}": shares for (symbol, day), shares in SAMPLE_SPLITS.items()}
    jump = (pl.col("factor") / pl.col("factor").shift(1)).over("symbol")
    paid = pl.col("close") * (pl.col("jump") / pl.col("split") - 1.0)
    return (
        frame.filter(pl.col("symbol").is_in(list(symbols)))
        .sort("symbol", "date")
        .with_columns(
            factor=pl.col("adj_close") / pl.col("close"),
            split=key.replace_strict(splits, default=1.0, return_dtype=pl.Float64),
        )
        .with_columns(jump=jump)
        .with_columns(dividend=paid.fill_null(0.0).round(4).abs())
        .drop("adj_close", "factor", "jump")
    )


def synthetic(symbols: Sequence[str], seed: int = 1, first: date = FIRST, last: date = LAST) -> Tape:
    """Give a made-up market over the NYSE's sessions `first` to `last`: cents, fat tails, one common factor.

    A symbol's prices follow from `seed` and its name alone, whatever else is asked for. The log return is
    beta x market + own, both Student t of 4 degrees of freedom; no splits, no dividends.

    Raises:
        ValueError: no symbols are given.
    """
    if not symbols:
        raise ValueError("a synthetic market needs one symbol or more")
    names = tuple(sorted(set(symbols)))
    days = np.asarray(nyse_sessions(first, last), dtype="datetime64[D]")
    market = 0.0003 + 0.007 * _generator(seed, "").standard_t(4, len(days))
    grids = np.stack([_one_symbol(_generator(seed, name), market) for name in names], axis=-1)
    ones = np.ones((len(days), len(names)))
    opened, high, low, close, volume = grids
    name = f"synthetic market, seed {seed}"
    return Tape(name, days, names, opened, high, low, close, volume, split=ones, dividend=0.0 * ones)


def _generator(seed: int, name: str) -> np.random.Generator:
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])


def _one_symbol(generator: np.random.Generator, market: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give open, high, low, close (USD, whole cents) and volume (shares) of one symbol, (5, n)."""
    n = len(market)
    beta, own = generator.uniform(0.4, 1.4), generator.uniform(0.003, 0.009)
    move = np.clip(beta * market + own * generator.standard_t(4, n), -LARGEST_MOVE, LARGEST_MOVE)
    close = generator.uniform(30.0, 250.0) * np.exp(np.cumsum(move))
    overnight = np.clip(0.5 * move + 0.002 * generator.standard_normal(n), -LARGEST_MOVE, LARGEST_MOVE)
    opened = close * np.exp(overnight - move)
    reach = np.abs(0.004 * generator.standard_normal((2, n)))
    high = np.maximum(opened, close) * np.exp(reach[0])
    low = np.minimum(opened, close) * np.exp(-reach[1])
    volume = 1e6 * np.exp(generator.normal(1.2, 0.35, n)) * (1.0 + 15.0 * np.abs(move))
    prices = np.maximum(np.round(np.stack([opened, high, low, close]), 2), 0.01)
    grid: NDArray[np.float64] = np.concatenate([prices, np.round(volume)[None]])
    return grid
