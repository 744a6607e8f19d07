"""Sides: the two processes of the fetch benchmark, the sandbox that serves and the client that asks.

    python benchmarks/fetch_sides.py serve SYMBOLS
    python benchmarks/fetch_sides.py ask

The sandbox says on stdout where it is and what it has, as one line of JSON, and serves until stdin ends; the
client reads that line from stdin, fetches everything, and says what it cost.
"""

from __future__ import annotations

import json
import random
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import islice, product
from string import ascii_uppercase
from time import perf_counter, process_time

import numpy as np

from trimtab.adapters.alpaca import AlpacaHost, AlpacaMarket, Keys, ReadPolicy
from trimtab.adapters.clock import SystemClock

SESSIONS = 300
FIRST_SESSION, LAST_SESSION = date(2024, 10, 1), date(2025, 12, 31)
SEED = 20241001
DAYS_OF_ACTION = 5
"""On these many sessions, spread over the tape, one symbol in ten splits and one in three pays a dividend."""
DELAY = timedelta(minutes=16)
UNPACED = 1_000_000
"""Requests a minute: the pace of 180 is left out, since it waits and costs nothing."""


def names(count: int) -> tuple[str, ...]:
    """Give so many made-up symbols of four letters, in ascending order."""
    return tuple("".join(letters) for letters in islice(product(ascii_uppercase, repeat=4), count))


def serve(count: int) -> None:
    """Serve random walks in whole cents, with splits and dividends, until stdin ends."""
    # The client, which is measured, does not import these.
    from trimtab.adapters.exchange import Exchange  # noqa: PLC0415 - as said
    from trimtab.adapters.exchange.tape import Tape  # noqa: PLC0415 - as said
    from trimtab.adapters.sandbox import serve as listen  # noqa: PLC0415 - as said
    from trimtab.core.nyse import sessions  # noqa: PLC0415 - as said

    days = sessions(FIRST_SESSION, LAST_SESSION)[: SESSIONS + 1]
    draw = np.random.default_rng([SEED, count])
    shape = (len(days), count)
    close = np.round(draw.uniform(5, 400, count) * np.exp(np.cumsum(draw.normal(0, 0.015, shape), axis=0)), 2)
    up, down = (1 + np.abs(draw.normal(0, 0.01, shape)) for _ in range(2))
    split, dividend = np.ones(shape), np.zeros(shape)
    for row in np.linspace(0, len(days) - 1, DAYS_OF_ACTION + 2).astype(int)[1:-1]:
        split[row, draw.random(count) < 1 / 10] = 2.0
        dividend[row, draw.random(count) < 1 / 3] = 0.05
    tape = Tape(
        f"benchmark of {count}",
        np.array(days, dtype="datetime64[D]"),
        names(count),
        open=np.round(close * up / down, 2),
        high=np.round(close * up, 2),
        low=np.round(close / down, 2),
        close=close,
        volume=np.floor(draw.uniform(1e4, 1e8, shape)),
        split=split,
        dividend=dividend,
    )
    exchange = Exchange.open(tape, days[-1])
    with listen(exchange, speed=0, rate_limit=None) as sandbox:
        told = {"url": sandbox.url, "now": exchange.now().isoformat(), "symbols": tape.symbols}
        print(json.dumps(told | {"bars": SESSIONS * count, "sum": close[:SESSIONS].sum()}), flush=True)
        sys.stdin.read()
    exchange.close()


def ask() -> None:
    """Fetch every bar of the sandbox told of on stdin, and print what that cost.

    Raises:
        RuntimeError: the bars are not the tape's.
    """
    told = json.loads(sys.stdin.readline())
    now = datetime.fromisoformat(told["now"]).astimezone(UTC)
    rng = random.Random(SEED)  # noqa: S311 - it spreads retries
    policy = ReadPolicy(per_minute=UNPACED)
    host = AlpacaHost(told["url"], "data", Keys("bench", "bench"), SystemClock(), rng=rng, policy=policy)
    began, wall = process_time(), perf_counter()
    bars = AlpacaMarket(host).bars(told["symbols"], FIRST_SESSION, now - DELAY)
    cost = {"cpu_s": process_time() - began, "wall_s": perf_counter() - wall}
    host.close()
    bars = bars.up_to(now.date() - timedelta(days=1))
    count = int(np.isfinite(bars.close).sum())
    if count != told["bars"] or not np.isclose(bars.raw_close.sum(), told["sum"], rtol=1e-12):
        raise RuntimeError(f"{count} bars came of {told['bars']}, or others")
    print(json.dumps(cost | {"bars": 2 * count}))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        ask()
