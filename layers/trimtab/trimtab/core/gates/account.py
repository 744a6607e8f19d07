"""Account: whether an account may trade, and adds up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.gates.moves import RATIOS
from trimtab.core.verdict import Verdict, named, subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.limits import Gates
    from trimtab.core.portfolio import Portfolio

__all__ = ["EQUITY_TOLERANCE", "equity_identity", "judge_account", "judge_values"]

EQUITY_TOLERANCE = 0.005
"""Largest difference between the account's equity and cash plus holdings, fraction of equity."""
_NOISE = 1e-12


def judge_account(portfolio: Portfolio) -> list[Verdict]:
    """Judge the account: active, unblocked, in USD, whole, and without a short.

    A short outside the universe counts, too: what it was sold for stands in the cash, and is owed.
    """
    account = portfolio.account
    blocks = {
        "trading_blocked": account.trading_blocked,
        "account_blocked": account.account_blocked,
        "trade_suspended_by_user": account.trade_suspended_by_user,
    }
    blocked = [name for name, is_set in blocks.items() if is_set]
    shorts = [p.symbol for p in portfolio.positions if p.qty < 0]
    return [
        Verdict(
            "account_status",
            "account",
            account.status == "ACTIVE",
            account.status,
            "ACTIVE",
            "account status",
        ),
        Verdict("account_blocked", "account", not blocked, named(blocked), "no block", "account flags"),
        Verdict(
            "currency", "account", account.currency == "USD", account.currency, "USD", "account currency"
        ),
        Verdict("short_position", subject(shorts), not shorts, named(shorts), "none", "negative holdings"),
        equity_identity(portfolio),
    ]


def judge_values(portfolio: Portfolio, last: Mapping[str, float], limits: Gates) -> Verdict:
    """Judge that no holding's value stands to its last close (USD a share) as a usual split would.

    The broker books a split before the session opens. Where the feed has not rebased its bars by then, shares
    after the split at a price before it would make an equity that is not there, and every other symbol would
    be sold or bought for it.
    """
    apart = {
        p.symbol: float(p.market_value / p.qty) / last[p.symbol]
        for p in portfolio.positions
        if p.market_value is not None and p.qty > 0 and last.get(p.symbol, 0.0) > 0
    }
    found = [symbol for symbol, ratio in apart.items() if _like_split(ratio, limits.split_tolerance)]
    seen = ", ".join(f"{apart[symbol]:.4g} times the last close" for symbol in found) or "no such ratio"
    detail = "a holding's value a share against its last close"
    allowed = f"not within {limits.split_tolerance:.0%} of a split's ratio"
    return Verdict("split_value", subject(found), not found, seen, allowed, detail)


def _like_split(ratio: float, tolerance: float) -> bool:
    usual = (*RATIOS, *(1 / usual for usual in RATIOS))
    return any(abs(ratio / split - 1) <= tolerance + _NOISE for split in usual)


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
