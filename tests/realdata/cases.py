"""Cases: what the gates make of real market data, as the tables of docs/gates.md.

The data stands beside the project, in ../shared/data, and is no part of it. `python tests/realdata/cases.py`
prints the tables anew.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from trimtab.core.actions import Action
from trimtab.core.bars import Bars
from trimtab.core.gates import Exhibit, examine, revised
from trimtab.core.limits import Gates
from trimtab.core.nyse import sessions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trimtab.core.finding import Finding

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
CLEAN = (date(2010, 1, 4), date(2019, 12, 31))
"""Ten years of 22 ETFs without a known defect."""


@cache
def read(name: str) -> pl.DataFrame:
    """Give a file of the real data, its categories as texts."""
    return pl.read_parquet(DATA / f"{name}.parquet").with_columns(pl.col(pl.Categorical).cast(pl.String))


def bars_of(frame: pl.DataFrame, day: str = "date") -> Bars:
    """Give the bars of a table with close as told and adj_close: adjusted, with `raw_close` beside."""
    close, adjusted = (
        frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in ("close", "adj_close")
    )
    factor = adjusted / close
    columns = {
        name: frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() * factor
        for name in ("open", "high", "low", "close")
    }
    columns["volume"] = frame["volume"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    columns["raw_close"] = close
    return Bars.from_columns(frame["symbol"].to_list(), frame[day].cast(pl.Date).to_numpy(), columns)


def actions_of(
    frame: pl.DataFrame, day: str = "date", split: str | None = "split", paid: str = "dividend"
) -> list[Action]:
    """Give the splits and dividends that stand in a table's columns."""
    found = [
        Action(symbol, on, "dividend", "cash_dividend", amount=amount)
        for symbol, on, amount in frame.filter(pl.col(paid) != 0)
        .select("symbol", pl.col(day).cast(pl.Date), paid)
        .rows()
    ]
    if split is not None:
        splits = frame.filter((pl.col(split) != 0) & (pl.col(split) != 1))
        rows = splits.select("symbol", pl.col(day).cast(pl.Date), split).rows()
        found += [Action(symbol, on, "split", "split", ratio=ratio) for symbol, on, ratio in rows]
    return found


def counted(findings: Iterable[Finding]) -> Counter[tuple[str, bool]]:
    """Count findings by rule and by whether they halt."""
    return Counter((finding.rule, finding.halts) for finding in findings)


def listed(counts: Counter[tuple[str, bool]]) -> str:
    """Word counts of findings, those that halt first; a warning stands in brackets."""
    ordered = sorted(counts.items(), key=lambda item: (not item[0][1], item[0][0]))
    return (
        ", ".join(f"`{rule}` {n}" if halts else f"(`{rule}` {n})" for (rule, halts), n in ordered)
        or "nothing"
    )


# -- 44 series that a repair tool was made for


def repair_case(case: str, *, fixed: bool) -> list[Finding]:
    """Judge one of the 44 series, broken or repaired: by its own sessions, since most are not the NYSE's."""
    frame = (
        read("yfinance_repair_pairs").filter((pl.col("case") == case) & (pl.col("fixed") == fixed)).sort("ts")
    )
    frame = frame.with_columns(date=pl.col("ts").str.slice(0, 10).str.to_date())
    frame = frame.group_by("symbol", "date", maintain_order=True).agg(  # intraday cases become daily bars
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close", "adj_close").last(),
        pl.col("volume", "dividends").sum(),
        pl.col("stock_splits").max(),
    )
    bars = bars_of(frame)
    told = actions_of(frame, split="stock_splits", paid="dividends")
    return examine(Exhibit.of(bars, frame["date"].to_numpy(), Gates(), told, raw_holds_splits=False))


@cache
def repair_cases() -> tuple[tuple[str, str, list[Finding], list[Finding]], ...]:
    """Give each case's name and defect, what is doubted of it, and what is doubted once it is repaired."""
    names = read("yfinance_repair_pairs").group_by("case").agg(pl.col("defect").first()).sort("case").rows()
    return tuple(
        (
            case,
            defect,
            repair_case(case, fixed=False),
            [] if defect == "no-bad-divs" else repair_case(case, fixed=True),
        )
        for case, defect in names
    )


def verdict_of(defect: str, broken: Sequence[Finding], repaired: Sequence[Finding]) -> str:
    """Say whether the defect was caught: by what is doubted of the broken series and not of the repaired."""
    if defect == "no-bad-divs":
        return "alarm" if any(finding.halts for finding in broken) else "no alarm"
    known = {_doubt(finding) for finding in repaired}
    more = [finding for finding in broken if _doubt(finding) not in known]
    if any(finding.halts for finding in more):
        return "halts"
    return "warns" if more else "not seen"


def _doubt(finding: Finding) -> tuple[str, ...]:
    """Name a doubt: gate and bar, and how far a price moved."""
    moved = finding.seen.partition(",")[0] if finding.rule in {"jump", "split"} else ""
    return finding.rule, finding.name, str(finding.halts), moved


# -- daily snapshots


def snapshots(source: str) -> list[tuple[str, Bars]]:
    """Give one vendor's snapshots, oldest first: when it was taken (UTC), and the bars it held."""
    frame = read("vintages_yahoo_2025_2026").filter(pl.col("source").str.starts_with(source))
    both = frame.with_columns(adj_close=pl.coalesce("adj_close", "close"))
    taken = sorted(frame["asof_utc"].unique())
    found = []
    for at in taken:
        bars = bars_of(both.filter(pl.col("asof_utc") == at))
        if frame["adj_close"].is_null().all():  # one price, and nobody says whether it is the traded one
            bars = replace(bars, raw_close=np.full(bars.close.shape, np.nan))
        found.append((f"{at:%Y-%m-%d %H:%M}", bars))
    return found


def judged_snapshots(source: str) -> list[tuple[str, list[Finding], list[Finding]]]:
    """Give each snapshot's time, what halts in it, and what it revised of the one before."""
    found, earlier = [], None
    for at, bars in snapshots(source):
        due = sessions(bars.sessions[0].item(), bars.sessions[-1].item())
        exhibit = Exhibit.of(bars, due, Gates(), adjustment=None)
        halts = [finding for finding in examine(exhibit) if finding.halts]
        found.append((at, halts, [] if earlier is None else revised(exhibit, earlier)))
        earlier = bars
    return found


# -- stocks and ETFs as traded


@cache
def raw_stocks() -> tuple[Finding, ...]:
    """Judge 129 stocks and ETFs, 1999-2020, as traded and as adjusted, in one universe."""
    frame = read("us_raw_alphavantage_1999_2020").sort("symbol", "date")
    later = pl.col("split").log().cum_sum(reverse=True).over("symbol") - pl.col("split").log()
    frame = frame.with_columns(
        volume=pl.col("volume") * later.exp()
    )  # in today's shares, as vendors adjust it
    bars = bars_of(frame)
    return tuple(examine(Exhibit.of(bars, bars.sessions, Gates(), actions_of(frame))))


# -- clean ETFs


@cache
def clean_etfs(first: date = CLEAN[0], last: date = CLEAN[1]) -> tuple[Finding, ...]:
    """Judge 22 ETFs against the exchange's calendar."""
    frame = read("canonical_etf_daily").filter(pl.col("date").is_between(first, last))
    bars = bars_of(frame)
    told = actions_of(frame, split=None)
    return tuple(examine(Exhibit.of(bars, sessions(first, last), Gates(), told, raw_holds_splits=False)))


# -- tables


def repair_table() -> list[str]:
    """Give the table of the 44 series, a row a case."""
    rows = ["| case | defect | doubted | repaired | verdict |", "|---|---|---|---|---|"]
    for case, defect, broken, repaired in repair_cases():
        rows.append(
            f"| {case} | {defect} | {listed(counted(broken))} |"
            f" {'' if defect == 'no-bad-divs' else listed(counted(repaired))} |"
            f" {verdict_of(defect, broken, repaired)} |"
        )
    return rows


def halting_table(findings: Sequence[Finding]) -> list[str]:
    """Give a table of findings, a row each."""
    rows = ["| where | gate | seen |", "|---|---|---|"]
    return rows + [f"| {finding.name} | `{finding.rule}` | {finding.seen} |" for finding in findings]


def main() -> None:
    """Print the tables of docs/gates.md."""
    out = sys.stdout.write
    out("\n".join(repair_table()) + "\n\n")
    for source in ("guydekowski", "jmlestevez", "kittycapital"):
        for at, halts, changes in judged_snapshots(source):
            for finding in halts:
                out(f"{source} {at} {finding.rule} {finding.name}: {finding.seen}\n")
            if changes:
                out(f"{source} {at} revised: {', '.join(finding.name for finding in changes)}\n")
    out("\n" + "\n".join(halting_table([finding for finding in raw_stocks() if finding.halts])) + "\n")
    out(
        "\n"
        + "\n".join(halting_table([f for f in raw_stocks() if f.rule == "huge_dividend" and not f.halts]))
        + "\n\n"
    )
    out(f"clean: {listed(counted(clean_etfs()))}\n")


if __name__ == "__main__":
    main()
