from __future__ import annotations

from script_kit import load_script

run_cost = load_script("benchmarks/run_cost.py")


def test_a_run_that_trades_nothing_is_frugal() -> None:
    """With ten symbols in their bands, a run of the command asks at most 15 times, and imports no pandas."""
    with run_cost.bench() as made:
        [cost] = run_cost.in_band(made, 1)
        imported = run_cost.modules(made)
    assert 0 < cost.requests <= run_cost.REQUESTS == 15
    assert imported >= {"trimtab", "alpaca", "numpy", "polars"}
    assert "pandas" not in imported
