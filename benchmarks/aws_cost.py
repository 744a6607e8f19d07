"""Cost: what a month of the stack costs, from what a run takes and AWS's public prices.

    python benchmarks/aws_cost.py --billed-seconds 2 --memory-mb 512

The prices are those of us-east-1 without taxes, as AWS publishes them on its pricing pages, November 2026.
The tables stand in docs/aws.md; a test holds the two together.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BILLED_S = 10.0
"""Seconds that Lambda bills a run, on average."""
MEMORY_MB = 512
"""Memory that the function is given, and billed for."""

RUNS = 3 * 365 / 12
HOURS = 730
METRICS = 25
"""Metrics that a run writes; one is billed for each hour in which it is written, two of a day's."""
GETS, PUTS = 40, 12
"""Requests to S3 of a run; a list is priced as a PUT."""
LOG_GB = 91 * 20_000 / 1e9
"""A run logs some 20 kB."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row: so many units at a price, of which an account has `free` for nothing every month."""

    what: str
    amount: float
    unit: str
    price: float
    free: float = 0.0

    @property
    def usd(self) -> float:
        """Give the price without what is free."""
        return self.amount * self.price

    @property
    def after_free(self) -> float:
        """Give the price of an account that uses its free units for nothing else."""
        return max(0.0, self.amount - self.free) * self.price


def on_s3(billed_s: float, memory_mb: float) -> tuple[Line, ...]:
    """Give what the stack costs with its store in S3."""
    return (
        Line("Lambda, time", RUNS * billed_s * memory_mb / 1024, "GB-s", 0.0000133334, 400_000),
        Line("Lambda, requests", RUNS, "requests", 0.20 / 1e6, 1e6),
        Line("Scheduler", RUNS, "wake-ups", 1.00 / 1e6, 14e6),
        Line("S3, kept", 1.0, "GB", 0.023),
        Line("S3, reads", RUNS * GETS, "GETs", 0.0004 / 1e3),
        Line("S3, writes and lists", RUNS * PUTS, "PUTs", 0.005 / 1e3),
        Line("KMS, to read secrets", RUNS * 4, "requests", 0.03 / 1e4, 20_000),
        Line("Logs", LOG_GB, "GB", 0.50 + 12 * 0.03, 5),
        Line("Metrics", METRICS * 2 / 24, "metric-months", 0.30, 10),
        Line("Alarms", 10, "alarms", 0.10, 10),
        Line("Dashboard", 1, "dashboards", 3.00, 3),
    )


def on_efs() -> tuple[Line, ...]:
    """Give what a store on EFS adds; the S3 lines fall away."""
    return (
        Line("NAT gateway, hours", HOURS, "hours", 0.045),
        Line("NAT gateway, data", 0.5, "GB", 0.045),
        Line("NAT gateway, its address", HOURS, "hours", 0.005),
        Line("EFS, kept", 1.0, "GB", 0.30),
        Line("EFS, backups", 1.0, "GB", 0.05),
    )


def table(lines: tuple[Line, ...]) -> Iterator[str]:
    """Give the lines as a table in Markdown, with their sum."""
    yield "| what | a month | USD each | USD | after free units |"
    yield "|---|---:|---:|---:|---:|"
    for line in lines:
        amount = f"{line.amount:,.0f}" if line.amount >= 1000 else f"{line.amount:.4g}"
        price = f"{line.price:.10f}".rstrip("0").rstrip(".")
        yield f"| {line.what} | {amount} {line.unit} | {price} | {line.usd:.4f} | {line.after_free:.4f} |"
    sums = sum(line.usd for line in lines), sum(line.after_free for line in lines)
    yield f"| **together** | | | **{sums[0]:.2f}** | **{sums[1]:.2f}** |"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--billed-seconds", type=float, default=BILLED_S)
    parser.add_argument("--memory-mb", type=float, default=MEMORY_MB)
    asked = parser.parse_args()
    print("\n".join(table(on_s3(asked.billed_seconds, asked.memory_mb))))
    print("\nOn EFS, in addition:\n")
    print("\n".join(table(on_efs())))


if __name__ == "__main__":
    main()
