"""Kill: `kill -9` before and after every request of a run that sells and buys, over real HTTP.

A sample of the boundaries runs by default; `WHOLE=1 pytest tests/process` takes all of them, and
`python tests/process/campaign.py` prints the table's rows, too.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from process import sweeps
from process.sweeps import LATE, Cell, cells, requests_of, strike, sweep, terminated, wrong_of
from process.wire import AFTER, BEFORE

if TYPE_CHECKING:
    from process.conftest import Some

EVERY = 24
FIRST_ORDER = 1


def order_of(scenario: str, nth: int = FIRST_ORDER) -> int:
    """The number of the request that sends the nth order."""
    numbers = [n for n, name in enumerate(requests_of(scenario), start=1) if name == "POST /v2/orders"]
    return numbers[nth - 1]


def test_the_run_sells_and_buys() -> None:
    """The run whose boundaries these are sends two sells, looks at them, and then sends two buys."""
    names = requests_of("calm")
    posts = [n for n, name in enumerate(names) if name == "POST /v2/orders"]
    assert len(posts) == 4
    assert posts[2] - posts[1] > 3
    assert len(names) >= 30
    assert len(cells("calm")) == 2 * len(names) + 4


def test_after_a_kill_at_any_request_one_more_run_converges(some: Some) -> None:
    """Orders and fills are the stored plan's, in trades.db as at the exchange; then nothing is sent."""
    sample = [
        *cells("calm", EVERY, 3),
        Cell("calm", order_of("calm"), LATE),
        Cell("calm", order_of("calm", 3), AFTER),
        Cell("slow", order_of("calm", 2), AFTER),
    ]
    results = sweep(strike, some(sample, lambda: [c for name in sweeps.SCENARIOS for c in cells(name)]))
    assert not wrong_of(results)
    assert sum(result.struck for result in results) >= 0.9 * len(results)


def test_after_sigterm_one_more_run_converges(some: Some) -> None:
    """No order follows it, the run is recorded and says how it ended, and the next run completes the plan."""
    numbers = ((1, BEFORE), (order_of("calm"), AFTER), (order_of("calm", 3), BEFORE))
    sample = [Cell("calm", number, moment, signal.SIGTERM) for number, moment in numbers]
    results = sweep(strike, some(sample, terminated))
    assert not wrong_of(results)
    assert all(result.struck for result in results)


def test_the_sweep_sees_what_is_left_undone() -> None:
    """Without the re-run, a kill after an order leaves fills that no plan's end and no record tells of."""
    result = strike(Cell("calm", order_of("calm", 2), AFTER), again=False)
    text = "\n".join(result.wrong)
    assert "order only on one side" in text
    assert "filled of" in text
