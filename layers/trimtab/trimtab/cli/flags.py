"""Flags: those of the verbs that take many, or that are told apart from the rest."""

from __future__ import annotations

import argparse

from trimtab.cli.values import count, days, iso_date, not_negative, number, positive

__all__ = ["apply", "backtest", "doctor", "plan", "prune", "sending", "serve", "sweep"]


def sending(parser: argparse.ArgumentParser) -> None:
    """Add what says whether orders are sent."""
    parser.add_argument(
        "--dry-run",
        action=argparse.BooleanOptionalAction,
        help="send nothing, or send (default: dry_run of the configuration)",
    )


def doctor(parser: argparse.ArgumentParser) -> None:
    """Add those of `doctor`."""
    parser.add_argument("--send", action="store_true", help="send each alert target a message, and a ping")
    parser.add_argument(
        "--no-order", action="store_true", help="paper: leave out the proof by an order that can't fill"
    )


def plan(parser: argparse.ArgumentParser) -> None:
    """Add those of `plan`."""
    parser.add_argument("--out", metavar="FILE", help="save the plan, to be traded by `trimtab apply FILE`")


def apply(parser: argparse.ArgumentParser) -> None:
    """Add those of `apply`."""
    parser.add_argument("file", metavar="FILE", help="what `trimtab plan --out FILE` wrote")
    sending(parser)
    parser.add_argument(
        "--deadline",
        type=positive,
        metavar="S",
        help="send nothing within 30 seconds of this many seconds from now",
    )


def backtest(parser: argparse.ArgumentParser) -> None:
    """Add those of `backtest`."""
    parser.add_argument("--data", metavar="FILE", help="daily bars, parquet or csv (default: the sample)")
    parser.add_argument("--start", type=iso_date, metavar="DATE", help="first session, YYYY-MM-DD, inclusive")
    parser.add_argument("--end", type=iso_date, metavar="DATE", help="last session, inclusive")
    parser.add_argument(
        "--plan",
        choices=["live", "exact"],
        default="live",
        help="`live` plans and reviews as the bot does, `exact` trades to the weights (default: live)",
    )
    parser.add_argument(
        "--fill",
        choices=["close", "next_open"],
        default="next_open",
        help="where orders fill (default: next_open, as the bot's)",
    )
    parser.add_argument(
        "--rebalance",
        choices=["daily", "weekly", "monthly", "quarterly"],
        help="when it decides (default: schedule.job_interval)",
    )
    _money(parser)
    parser.add_argument("--benchmark", metavar="SYMBOL", help="compare with buying and holding it")
    parser.add_argument("--report", metavar="OUT.html", help="write the whole result as one page")
    parser.add_argument("--out", metavar="DIR", help="write equity, trades, weights and reasons as parquet")
    parser.add_argument(
        "--prove", action="store_true", help="show that the strategy sees no future and keeps no state"
    )


def _money(parser: argparse.ArgumentParser) -> None:
    """Add what a backtest begins with, and what trading and time cost or bring."""
    parser.add_argument(
        "--cost-bps",
        type=not_negative,
        default=10.0,
        metavar="B",
        help="cost of an order's value (default: 10)",
    )
    parser.add_argument(
        "--cost-per-share",
        type=not_negative,
        default=0.0,
        metavar="USD",
        help="and of each share (default: 0)",
    )
    parser.add_argument(
        "--cost-minimum",
        type=not_negative,
        default=0.0,
        metavar="USD",
        help="least cost of an order (default: 0)",
    )
    parser.add_argument(
        "--cash", type=positive, default=100_000.0, metavar="USD", help="to begin with (default: 100000)"
    )
    parser.add_argument(
        "--interest",
        type=number,
        default=0.0,
        metavar="R",
        help="on cash, a year; 0.03 is 3 %% (default: 0)",
    )
    parser.add_argument(
        "--contribution",
        type=number,
        default=0.0,
        metavar="USD",
        help="comes in at each decision (default: 0)",
    )


def prune(parser: argparse.ArgumentParser) -> None:
    """Add what pruning takes."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--older-than", type=days, metavar="DAYS", help="of sessions so long before the newest, such as 400d"
    )
    which.add_argument(
        "--keep-sessions", type=count, metavar="N", help="of all but the last N sessions with inputs"
    )
    parser.add_argument(
        "--dry-run",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="list them, or remove them (default: list)",
    )


def serve(parser: argparse.ArgumentParser) -> None:
    """Add what the schedule takes."""
    parser.add_argument(
        "--dry-run",
        action=argparse.BooleanOptionalAction,
        help="for each run: send nothing, or send (default: dry_run of the configuration)",
    )
    parser.add_argument(
        "--check", action="store_true", help="say whether a server of this portfolio lives, and end"
    )


def sweep(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `sweep`."""
    parser.add_argument("--grid", metavar="FILE", required=True, help="what varies, as JSON: docs/sweep.md")
    parser.add_argument("--data", metavar="FILE", help="daily bars, parquet or csv (default: the sample)")
    parser.add_argument("--out", metavar="DIR", help="for what is kept and found (default: GRID-sweep)")
    parser.add_argument("--workers", type=count, metavar="N", help="processes (default: one a core)")
    parser.add_argument("--on", choices=["here", "aws"], default="here", help="who plays (default: here)")
    parser.add_argument("--machine", metavar="ARN", help="on aws: the state machine of the template")
    parser.add_argument("--to", metavar="S3URL", help="on aws: where it is kept (default: store.url/sweeps)")
    parser.add_argument(
        "--memory", type=count, default=1769, metavar="MB", help="on aws: of a function (default: 1769)"
    )
    parser.add_argument(
        "--cost-limit",
        type=not_negative,
        default=5.0,
        metavar="USD",
        help="on aws: what it may cost (default: 5)",
    )
