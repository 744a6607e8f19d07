"""Returns: what a portfolio made of its money, time-weighted: deposits and withdrawals are taken out."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from trimtab.core.flows import Point, drawdown, index

if TYPE_CHECKING:
    from trimtab.core.flows import Dated
    from trimtab.core.record import Document
    from trimtab.ports import Trades

__all__ = ["returns"]

WORTH = """
SELECT run_id, equity.session, account_equity FROM equity JOIN runs USING (run_id)
WHERE equity.portfolio = ? AND account_equity IS NOT NULL ORDER BY at, run_id
"""
FLOWS = "SELECT run_id, date, amount FROM flows WHERE portfolio = ? ORDER BY id"


def returns(trades: Trades, portfolio: str) -> Document | None:
    """Give the return since the first run that read the account, as fractions; None below two sessions.

    `flows` is what came in since then, less what went out, USD; `drawdown` the fall from the peak.
    """
    by_run: dict[str, list[Dated]] = {}
    for row in trades.query(FLOWS, (portfolio,)):
        dated = (date.fromisoformat(str(row["date"])), float(str(row["amount"])))
        by_run.setdefault(str(row["run_id"]), []).append(dated)
    points = [
        Point(
            date.fromisoformat(str(row["session"])),
            float(str(row["account_equity"])),
            tuple(by_run.get(str(row["run_id"]), ())),
        )
        for row in trades.query(WORTH, (portfolio,))
    ]
    if len({point.session for point in points}) < 2:  # noqa: PLR2004 - a return has two ends
        return None
    return {
        "since": str(points[0].session),
        "until": str(points[-1].session),
        "time_weighted": f"{index(points)[-1] - 1:.6f}",
        "drawdown": f"{drawdown(points):.6f}",
        "flows": f"{sum(usd for point in points[1:] for _, usd in point.flows):.2f}",
    }
