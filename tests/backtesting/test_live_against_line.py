"""Live against line: the real line, session by session, and the backtest of the same dates trade the same."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

import trimtab as tt
from backtesting.walks import fills, live, market, owner, same_dates, trades

if TYPE_CHECKING:
    from pathlib import Path

FIVE = ("AAA", "BBB", "CCC", "DDD", "EEE")
START = date(2021, 1, 4)
LOT = 1.5e-6
"""The line adds cash up in decimals, the backtest in floats: at the edge of a lot they may round apart."""
FIXED = tt.strategies.fixed_weights(weights=dict(zip(FIVE, (0.4, 0.3, 0.2, 0.05, 0.05), strict=True)))

CASES: dict[str, tuple[Any, dict[str, Any], dict[str, float]]] = {
    "daily, calm": (FIXED, {"interval": "daily"}, {"walk": 0.02, "gap": 0.01}),
    "monthly": (FIXED, {"interval": "monthly"}, {"walk": 0.03, "gap": 0.02}),
    "gaps, no buffer": (FIXED, {"interval": "daily", "cash_buffer": 0.0}, {"walk": 0.04, "gap": 0.06}),
    "whole shares": (FIXED, {"interval": "daily", "fractional": False}, {"walk": 0.04, "gap": 0.05}),
    "tight limits, weekly": (
        tt.strategies.momentum(symbols=FIVE, top_n=3, lookback=60, skip=5),
        {"interval": "weekly", "cash_buffer": 0.0, "max_order_size": 0.1, "max_turnover": 0.3},
        {"walk": 0.03, "gap": 0.04},
    ),
    "no band, thin volume": (
        tt.strategies.inverse_volatility(symbols=FIVE, lookback=20),
        {"interval": "daily", "band": 0.0, "band_relative": 0.0, "max_adv_share": 1e-4},
        {"walk": 0.02, "gap": 0.03},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_backtest_trades_what_the_bot_trades(tmp_path: Path, case: str) -> None:
    """Every fill: the same session, symbol, side and price, and the same shares to a millionth."""
    strategy, limits, moves = CASES[case]
    end = date(2021, 5, 28) if limits["interval"] == "monthly" else date(2021, 2, 26)
    tape = market(FIVE, date(2020, 6, 1), end, seed=len(case), **moves)
    mandate = owner(strategy, **limits)
    lab, records = live(tmp_path, tape, START, end, mandate)
    result = same_dates(tape, START, end, mandate)
    real, played = fills(lab), trades(result)
    assert len(real) > len(FIVE)
    assert [(day, symbol, price) for day, symbol, _, price in real] == [
        (day, symbol, pytest.approx(price)) for day, symbol, _, price in played
    ]
    assert [qty for _, _, qty, _ in real] == pytest.approx([qty for _, _, qty, _ in played], abs=LOT)
    assert float(lab.world().broker.account().cash) == pytest.approx(result.cash[-1], abs=0.01)
    halted = [record["session"] for record in records if record["outcome"] == "halted"]
    refused = [str(tape.sessions[row + 1]) for row, code, _ in result.notes if code == "refused"]
    assert refused == halted
