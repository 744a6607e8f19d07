"""Looking: the flags of the verbs that read the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.cli.values import count, iso_date
from trimtab.show.document import EXIT_STATUS

if TYPE_CHECKING:
    import argparse

__all__ = ["diff", "explain", "history", "lots", "replay", "show", "status"]


def history(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `history`."""
    parser.add_argument("--limit", type=count, default=20, metavar="N", help="the last N runs (default: 20)")
    parser.add_argument("--since", type=iso_date, metavar="DATE", help="first session, YYYY-MM-DD, inclusive")
    parser.add_argument("--until", type=iso_date, metavar="DATE", help="last session, inclusive")
    parser.add_argument(
        "--outcome",
        action="append",
        choices=list(EXIT_STATUS),
        default=[],
        help="runs that ended so; may be given several times",
    )
    parser.add_argument("--symbol", metavar="SYMBOL", help="runs that ordered it")


def show(parser: argparse.ArgumentParser) -> None:
    """Add which run is meant."""
    parser.add_argument("run", metavar="RUN", help="a run's id, the start of one, or `last`")


def explain(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `explain`."""
    show(parser)
    parser.add_argument("symbol", nargs="?", metavar="SYMBOL", help="one symbol (default: all)")


def lots(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `lots`."""
    parser.add_argument("symbol", nargs="?", metavar="SYMBOL", help="one symbol, lot by lot (default: all)")
    parser.add_argument("--year", type=count, metavar="Y", help="list the sales of this year")
    parser.add_argument("--csv", metavar="FILE", help="write the sales, lot by lot, for a spreadsheet")


def diff(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `diff`."""
    show(parser)
    parser.add_argument("other", metavar="RUN", help="the other one")


def replay(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `replay`."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("run", nargs="?", metavar="RUN", help="a run's id, the start of one, or `last`")
    which.add_argument("--all", action="store_true", help="every run of the portfolio")
    parser.add_argument(
        "--allow-pruned", action="store_true", help="runs whose inputs were pruned count as standing"
    )


def status(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `status`."""
    parser.add_argument("--all", action="store_true", help="every portfolio of the store, a line each")
