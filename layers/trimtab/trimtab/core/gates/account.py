"""Account: whether an account may trade, and adds up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.verdict import Verdict, named, subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.portfolio import Portfolio

__all__ = ["EQUITY_TOLERANCE", "equity_identity", "judge_account"]

EQUITY_TOLERANCE = 0.005
"""Largest difference between the account's equity and cash plus holdings, fraction of equity."""


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
        Verdict("account_blocked", "account", not blocked, named(blocked), "no block", "account flags"),
        Verdict(
            "currency", "account", account.currency == "USD", account.currency, "USD", "account currency"
        ),
        Verdict("short_position", subject(shorts), not shorts, named(shorts), "none", "negative holdings"),
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
