"""What the gates make of real market data, held against docs/gates.md; skipped where it is not there."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from realdata import cases
from rules.copied import ROOT

if TYPE_CHECKING:
    from trimtab.core.finding import Finding

pytestmark = pytest.mark.skipif(
    not cases.DATA.is_dir(), reason="the real market data is not at ../shared/data beside the project"
)


def undocumented(lines: list[str]) -> set[str]:
    """Give the lines that docs/gates.md does not have."""
    return set(lines) - set((ROOT / "docs/gates.md").read_text().splitlines())


def names(findings: list[Finding], rule: str) -> set[str]:
    return {finding.name for finding in findings if finding.rule == rule}


def test_broken_series_are_caught_and_sound_ones_are_not() -> None:
    """Of 37 real defects 30 or more halt, no sound series does, and the table says which."""
    verdicts = [cases.verdict_of(defect, *found) for _, defect, *found in cases.repair_cases()]
    assert Counter(verdicts) == {"halts": 32, "warns": 3, "not seen": 2, "no alarm": 7}
    assert undocumented(cases.repair_table()) == set()


def test_a_half_applied_split_is_caught_on_its_day() -> None:
    """KLAC, 10 for 1, in the snapshot in which it appeared, and in no other."""
    judged = cases.judged_snapshots("guydekowski")
    assert [at for at, halts, _ in judged if halts] == ["2026-06-12 01:13"]
    halts, mended = next((halts, i) for i, (_, halts, _) in enumerate(judged) if halts)
    assert names(halts, "split") | names(halts, "jump") == {"KLAC 2026-06-03", "KLAC 2026-06-11"}
    assert names(judged[mended + 1][2], "revised") == {"KLAC 2026-06-11"}


def test_a_late_re_basing_is_told() -> None:
    """Each ex-date of the summer of 2026, when the history was divided a day late."""
    told = {
        finding.symbol for _, _, changes in cases.judged_snapshots("guydekowski")[2:] for finding in changes
    }
    assert told == {"AAPL", "HYG", "IWM", "JPM", "KLAC", "KO", "MSFT", "QQQ", "SPY", "TLT", "XOM"}


def test_a_lost_session_is_caught_on_its_day() -> None:
    """2025-09-15, gone from eleven symbols two days later."""
    judged = cases.judged_snapshots("jmlestevez")
    assert [at for at, halts, _ in judged if halts] == ["2025-09-17 06:28"]
    lost = next(halts for _, halts, _ in judged if halts)
    assert {finding.rule for finding in lost} == {"missing_session"}
    assert len(lost) == 11


def test_a_spliced_history_is_told_on_its_day() -> None:
    """TLT, four of whose eight bars stood on another basis."""
    spliced = {at: changes for at, _, changes in cases.judged_snapshots("kittycapital") if changes}
    assert list(spliced) == ["2026-02-06 10:06"]
    assert {finding.symbol for finding in spliced["2026-02-06 10:06"]} == {"TLT"}


def test_wrong_actions_and_gaps_are_flagged() -> None:
    """What halts in 618,333 bars of 129 stocks and ETFs is what the document lists."""
    halting = [finding for finding in cases.raw_stocks() if finding.halts]
    assert undocumented(cases.halting_table(halting)) == set()
    wrong = {finding.name for finding in halting if finding.rule in {"factor", "dividend", "huge_dividend"}}
    assert wrong == {
        *("ABT 2004-05-03", "F 2000-08-03", "GOOGL 2014-04-03"),
        *("KSU 2000-07-13", "RTX 2020-04-03", "SO 2001-04-03"),
    }
    assert names(halting, "missing_session") == {"EDV 2008-01-30", "SPGI 2003-03-21"}


def test_real_crashes_pass_with_a_warning() -> None:
    """Apple's worst day and Morgan Stanley's best one."""
    jumps = {f.name: f.halts for f in cases.raw_stocks() if f.rule in {"jump", "split"}}
    assert jumps["AAPL 2000-09-29"] is False
    assert jumps["MS 2008-10-13"] is False


def test_ten_clean_years_raise_no_halt() -> None:
    """22 ETFs, 2010 to 2019."""
    assert [finding for finding in cases.clean_etfs() if finding.halts] == []
