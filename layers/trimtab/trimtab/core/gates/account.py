"""Account: whether an account may trade, and adds up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.verdict import Verdict, named, subject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.core.actions import Action
    from trimtab.core.limits import Gates
    from trimtab.core.portfolio import Portfolio

__all__ = ["EQUITY_TOLERANCE", "equity_identity", "judge_account", "judge_values"]

EQUITY_TOLERANCE = 0.005
"""Largest difference between the account's equity and cash plus holdings, fraction of equity."""
SMALLEST_SPLIT = 1.5
"""Three new shares for two old: no smaller split is usual. A stock dividend is, and is told as an action."""


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


def judge_values(
    portfolio: Portfolio, last: Mapping[str, float], fresh: Sequence[Action], limits: Gates
) -> Verdict:
    """Judge that no holding was split since its last close (USD a share), as far as anything tells of it.

    The broker books a split before the session opens, and the feed rebases its bars: where one has and the
    other has not, shares after the split at a price before it, or the other way round, would make an equity
    that is not there, and every other symbol would be sold or bought for it. `fresh` are the actions since
    the last bars; a split that nobody has told of shows in a value a share as far from its last close as the
    smallest usual split brings it.
    """
    held = {p.symbol: p for p in portfolio.positions if p.qty > 0 and last.get(p.symbol, 0.0) > 0}
    told = {a.symbol: f"split {a.ratio:g} for 1 on {a.session}" for a in fresh if a.kind == "split"}
    apart = {
        symbol: float(p.market_value / p.qty) / last[symbol]
        for symbol, p in held.items()
        if p.market_value is not None
    }
    most = SMALLEST_SPLIT * (1 - limits.split_tolerance)
    far = {
        symbol: f"{ratio:.4g} times the last close"
        for symbol, ratio in apart.items()
        if not 1 / most < ratio < most
    }
    found = {symbol: told.get(symbol) or far[symbol] for symbol in held if symbol in {*told, *far}}
    seen = ", ".join(found.values()) or "no split, and no such ratio"
    allowed = f"no split since the last close, and {1 / most:.3f} to {most:.3f} times it"
    detail = "a holding's value a share against its last close"
    return Verdict("split_value", subject(list(found)), not found, seen, allowed, detail)


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
