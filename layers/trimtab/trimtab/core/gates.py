"""Gates: whether bars may be believed, and an account may trade. Arrays and values in, verdicts out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from numpy.typing import NDArray

    from trimtab.core.bars import Bars
    from trimtab.core.portfolio import Portfolio

EQUITY_TOLERANCE = 0.005
"""Largest difference between the account's equity and cash plus holdings, fraction of equity."""


def judge_bars(
    bars: Bars, universe: Sequence[str], expected: Sequence[date], least: int = 0
) -> list[Verdict]:
    """Judge bars against the universe and the expected sessions (oldest first); stop at the first refusal.

    `least` is the number of sessions that the strategy cannot do without.
    """
    verdicts = [complete(bars, universe)]
    if verdicts[-1].passed:
        days = np.asarray(expected, dtype="datetime64[D]")
        verdicts.append(calendar(bars, days))
    if verdicts[-1].passed:
        verdicts += [long_enough(bars, least), fresh(bars), no_holes(bars), positive(bars)]
    return verdicts


def long_enough(bars: Bars, least: int) -> Verdict:
    """Judge that there is the history without which a strategy would take every symbol for unfit."""
    seen, allowed = f"{len(bars.sessions)} sessions", f"at least {least}"
    detail = "the strategy needs more history than the feed gave"
    return Verdict("short_history", "portfolio", len(bars.sessions) >= least, seen, allowed, detail)


def complete(bars: Bars, universe: Sequence[str]) -> Verdict:
    """Judge that every symbol of the universe has bars, and no other: prices go to symbols by their place."""
    missing = sorted(set(universe) - set(bars.symbols))
    others = sorted(set(bars.symbols) - set(universe))
    seen = f"{len(universe) - len(missing)} of {len(universe)} symbols, {len(others)} others"
    detail = "no bars at all: is the symbol spelt as the broker does, and listed?"
    odd = missing or others
    return Verdict("missing_symbol", _subject(odd), not odd, seen, "every symbol, no other", detail)


def calendar(bars: Bars, expected: NDArray[np.datetime64]) -> Verdict:
    """Judge that the bars' sessions are the calendar's, from the bars' first on to the last complete one."""
    due = expected[expected >= bars.sessions[0]] if len(bars.sessions) else expected
    odd, lost = np.setdiff1d(bars.sessions, expected), np.setdiff1d(due, bars.sessions)
    wrong = np.union1d(odd, lost)
    passed = len(due) > 0 and np.array_equal(bars.sessions, due)
    seen = f"{len(lost)} missing, {len(odd)} unexpected" + (f", first {wrong[0]}" if len(wrong) else "")
    detail = "against the calendar, ascending, each once"
    return Verdict("sessions", "portfolio", passed, seen, "the exchange's sessions", detail)


def fresh(bars: Bars) -> Verdict:
    """Judge that every symbol has a bar of the last complete session."""
    stale = np.flatnonzero(np.isnan(bars.close[-1]))
    names = [bars.symbols[i] for i in stale]
    last = str(bars.sessions[-1])
    seen = f"{len(bars.symbols) - len(names)} of {len(bars.symbols)} symbols"
    return Verdict(
        "stale", _subject(names), not names, seen, f"a bar of {last}", "last session's bar is missing"
    )


def no_holes(bars: Bars) -> Verdict:
    """Judge that no symbol lacks a session after its first bar."""
    present = ~np.isnan(bars.close)
    begun = np.maximum.accumulate(present, axis=0)
    holes = begun & ~present
    names = [bars.symbols[i] for i in np.flatnonzero(holes.any(axis=0))]
    return Verdict(
        "missing_session", _subject(names), not names, str(int(holes.sum())), "0", "sessions without a bar"
    )


def positive(bars: Bars) -> Verdict:
    """Judge that every price of every bar is a finite number above 0."""
    present = ~np.isnan(bars.close)
    wrong = np.zeros(len(bars.symbols), dtype=bool)
    for prices in (bars.open, bars.high, bars.low, bars.close):
        wrong |= (present & ~(np.isfinite(prices) & (prices > 0))).any(axis=0)
    names = [bars.symbols[i] for i in np.flatnonzero(wrong)]
    return Verdict(
        "bad_price", _subject(names), not names, f"{len(names)} symbols", "none", "no finite price above 0"
    )


def judge_account(portfolio: Portfolio, universe: Sequence[str]) -> list[Verdict]:
    """Judge the account: active, unblocked, in USD, whole, and without a short in the universe."""
    account = portfolio.account
    blocks = {
        "trading_blocked": account.trading_blocked,
        "account_blocked": account.account_blocked,
        "trade_suspended_by_user": account.trade_suspended_by_user,
    }
    blocked = [name for name, is_set in blocks.items() if is_set]
    shorts = [p.symbol for p in portfolio.positions if p.qty < 0 and p.symbol in universe]
    return [
        Verdict(
            "account_status",
            "account",
            account.status == "ACTIVE",
            account.status,
            "ACTIVE",
            "account status",
        ),
        Verdict("account_blocked", "account", not blocked, _names(blocked), "no block", "account flags"),
        Verdict(
            "currency", "account", account.currency == "USD", account.currency, "USD", "account currency"
        ),
        Verdict("short_position", _subject(shorts), not shorts, _names(shorts), "none", "negative holdings"),
        equity_identity(portfolio),
    ]


def equity_identity(portfolio: Portfolio) -> Verdict:
    """Judge that the account's equity is its cash and holdings; not judged while a value is missing."""
    account = portfolio.account
    values = [p.market_value for p in portfolio.positions]
    allowed = f"{EQUITY_TOLERANCE:.1%} of equity"
    known = [value for value in values if value is not None]
    if len(known) < len(values) or account.equity <= 0:
        judged = account.equity > 0 or not values
        seen = "a holding has no value" if account.equity > 0 else f"equity {account.equity}"
        return Verdict("equity_identity", "account", judged, seen, allowed, "not judged")
    difference = abs(float((account.cash + sum(known) - account.equity) / account.equity))
    passed = difference <= EQUITY_TOLERANCE
    detail = "equity against cash and holdings"
    return Verdict("equity_identity", "account", passed, f"{difference:.4%}", allowed, detail)


def _names(names: Iterable[str]) -> str:
    """Name up to five."""
    listed = list(names)
    more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""  # noqa: PLR2004 - enough to recognise
    return ", ".join(listed[:5]) + more if listed else "none"


def _subject(names: Sequence[str]) -> str:
    """Name whom a verdict is about: up to five symbols, or the portfolio where there are none."""
    return _names(names) if names else "portfolio"
