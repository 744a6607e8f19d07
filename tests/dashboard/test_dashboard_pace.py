"""Pace: the page Performance of a portfolio whose runs are a month apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dashboard_kit import at_page, lines, monthly, texts, write_config

if TYPE_CHECKING:
    from pathlib import Path


def test_performance_of_a_monthly_portfolio_counts_months(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read once a month: figures are of these points, and the backtest buys at the first, as it did."""
    monthly(tmp_path / "store")
    config = write_config(tmp_path, tmp_path / "store", schedule={"job_interval": "monthly"})
    app = at_page(config, "performance", monkeypatch)
    assert not app.exception, app.exception[0].stack_trace
    said = texts(app)
    assert "The runs read the account about 13 times a year here." in said  # three periods in 83 days
    assert "Best period" in said
    assert "Best day" not in said
    drawn = lines(app, "Backtest")
    assert len(drawn["Portfolio"]) == 4
    assert drawn["Backtest"][1] != 100.0
    without_costs = pytest.approx(drawn["Portfolio"][1:], abs=2.0)
    assert drawn["Backtest"][1:] == without_costs
