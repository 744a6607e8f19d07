from __future__ import annotations

from script_kit import load_script

fetch = load_script("benchmarks/fetch.py")


def test_the_benchmark_fetches_every_bar_of_both_series() -> None:
    """The client process checks the closes against the tape; here, that it got all and is measured."""
    with fetch.sandbox(40) as told:
        cost = fetch.measure(told)
    assert cost.bars == 2 * 40 * 300
    assert 0 < cost.cpu_s < cost.process_s
    assert cost.peak_mb > 20
    assert cost.held


def test_the_limits_bite() -> None:
    """A size without limits holds; one above its limit of time or memory does not."""
    assert not fetch.Cost(3_000, 1, cpu_s=6.1, process_s=7.0, peak_mb=100.0, wall_s=1.0).held
    assert not fetch.Cost(10_000, 1, cpu_s=1.0, process_s=7.0, peak_mb=1_001.0, wall_s=1.0).held
    assert fetch.Cost(3_000, 1, cpu_s=5.9, process_s=7.0, peak_mb=399.0, wall_s=1.0).held
