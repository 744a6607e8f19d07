"""Dealing: turnover and the cost of execution, by month and by symbol, of sums that trades.db made."""

from __future__ import annotations

import polars as pl

__all__ = ["by_month", "by_symbol", "totals"]

SUMS = (
    *("orders", "filled", "partial", "unfilled", "value"),
    *("against_close", "of_close", "against_arrival", "of_arrival"),
)


def by_month(dealt: pl.DataFrame, worth: pl.DataFrame) -> pl.DataFrame:
    """Give each month's sums, its mean equity, and its turnover as one-sided % of that, oldest first.

    One-sided: half of all that was bought and sold. A month in which equity was read and nothing traded is
    there, too.
    """
    equity = (
        worth.filter(pl.col("equity") > 0, pl.col("session").is_not_null())
        .group_by(pl.col("session").str.slice(0, 7).alias("month"))
        .agg(pl.col("equity").mean())
    )
    sums = dealt.group_by("month").agg(pl.col(*SUMS).sum())
    joined = equity.join(sums, on="month", how="full", coalesce=True).sort("month")
    return _costs(joined.with_columns(pl.col("value", "orders").fill_null(0))).with_columns(
        (50 * pl.col("value") / pl.col("equity")).alias("turnover_pct")
    )


def by_symbol(dealt: pl.DataFrame) -> pl.DataFrame:
    """Give each symbol's sums, the most traded first."""
    return _costs(dealt.group_by("symbol").agg(pl.col(*SUMS).sum())).sort("value", "symbol", descending=True)


def totals(dealt: pl.DataFrame) -> dict[str, float]:
    """Give the sums over everything, with the costs in basis points."""
    row = _costs(dealt.select(pl.col(*SUMS).sum())).row(0, named=True)
    return {name: float(value) for name, value in row.items() if value is not None}


def _costs(sums: pl.DataFrame) -> pl.DataFrame:
    """Add what was paid beyond the reference prices in basis points of it; null without such prices."""
    return sums.with_columns(
        pl.when(pl.col(f"of_{name}") > 0)
        .then(1e4 * pl.col(f"against_{name}") / pl.col(f"of_{name}"))
        .alias(f"{name}_bps")
        for name in ("close", "arrival")
    )
