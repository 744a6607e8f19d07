"""Risk: every pre-trade rule, one small function each, and the only maker of `Approved`.

A rule takes the plan, the day's conditions and the limits, and gives one verdict; its subject is the
symbol that comes closest to the limit, or the portfolio. No rule can be passed by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import InitVar, dataclass
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.plan import GUARDED, Order, Plan, order_sizes
from trimtab.core.verdict import Verdict
from trimtab.errors import Halted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from numpy.typing import NDArray

    from trimtab.core.limits import Risk
    from trimtab.core.portfolio import Asset

TOLERANCE = 1e-11
"""Relative float noise that a limit forgives."""
POSITION_HEADROOM = 0.05
"""Default `max_position`: the largest target and this much more."""
SLOTS = 4
"""Order ids a symbol may use in a session."""
GUARDED_PART = 3
"""More than one in so many planned symbols held by their quotes: the quotes are doubted, not the symbols."""


@dataclass(frozen=True, slots=True)
class Approval:
    """What decides the trades, by digest, now and where a person has agreed to it.

    `agreed` holds the digests of the portfolio's last plan, and those a person has approved since; it is
    empty before the first plan. `live` says whether real money is traded.
    """

    live: bool
    config: str
    code: str
    agreed: tuple[tuple[str, str], ...] = ()

    def changed(self) -> str:
        """Name what nobody has agreed to: config, code, both, or nothing."""
        if not self.agreed or (self.config, self.code) in self.agreed:
            return ""
        config, code = self.agreed[0]
        return " and ".join(
            name for name, new in (("config", self.config != config), ("code", self.code != code)) if new
        )


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the rules need to know besides the plan: what the broker lists, and what was before.

    `drawdown` and `equity_move` are fractions with flows taken out, the latter None where there is nothing to
    measure by.
    """

    assets: Mapping[str, Asset]
    order_ids: int = 0
    runs_with_orders: int = 0
    drawdown: float = 0.0
    equity_move: float | None = None
    approval: Approval | None = None


Rule = Callable[[Plan, Conditions, "Risk"], Verdict]


@dataclass(frozen=True, slots=True)
class Approved:
    """Orders that passed every rule: the only thing that `execute` takes, and only this module makes it.

    `cash` is the account's cash when the plan was made, USD.
    """

    orders: tuple[Order, ...]
    verdicts: tuple[Verdict, ...]
    cash: Decimal
    _proof: InitVar[object]

    def __post_init__(self, _proof: object) -> None:
        """Refuse to be made elsewhere; the proof is not kept, so that `replace` can't reuse it.

        Raises:
            TypeError: made by hand.
        """
        if _proof is not _PROOF:
            raise TypeError("only review() and adopt() make an Approved")


_PROOF = object()


def review(plan: Plan, conditions: Conditions, risk: Risk, cash: Decimal) -> Approved:
    """Judge a plan by every rule.

    Raises:
        Halted: a rule refuses; its name is the code. `judge` gives all verdicts.
    """
    verdicts = judge(plan, conditions, risk)
    refuse(verdicts)
    return Approved(plan.orders(), verdicts, cash, _PROOF)


def adopt(orders: Sequence[Order], verdicts: Sequence[Verdict], cash: Decimal) -> Approved:
    """Take up a stored plan again: its own verdicts stand as recorded.

    Raises:
        Halted: a recorded verdict refuses, or there is none.
    """
    if not verdicts:
        raise Halted("plan_without_verdicts", "the stored plan was never reviewed", hint="look at the store")
    refuse(verdicts)
    return Approved(tuple(orders), tuple(verdicts), cash, _PROOF)


def judge(plan: Plan, conditions: Conditions, risk: Risk) -> tuple[Verdict, ...]:
    """Give the verdict of every rule, in the order of `RULES`; of `numbers` alone where it refuses."""
    first = numbers(plan, conditions, risk)
    if not first.passed:
        return (first,)
    return (first, *(rule(plan, conditions, risk) for rule in RULES[1:]))


def refuse(verdicts: Sequence[Verdict]) -> None:
    """Stop the run at the first verdict that did not pass.

    Raises:
        Halted: with the rule's name as code.
    """
    for verdict in verdicts:
        if not verdict.passed:
            raise Halted(
                verdict.rule,
                f"{verdict.rule} refuses {verdict.subject}: {verdict.detail}",
                seen=verdict.seen,
                allowed=verdict.allowed,
                hint=_HINTS.get(
                    verdict.rule,
                    f"nothing was sent; the documentation of the risk rules explains {verdict.rule}",
                ),
            )


_HINTS = {
    "max_drawdown": "nothing was sold; trimtab resume lets it trade again, and the peak begins anew",
    "max_equity_move": "look at what moved the account; the next session measures anew",
    "require_approval": "look at what this run planned; trimtab resume approves it from the next run on",
}


def _value(plan: Plan) -> NDArray[np.float64]:
    """Give each order's value (m,), USD."""
    return np.abs(plan.sized.quantity) * plan.book.price


def _after(plan: Plan) -> NDArray[np.float64]:
    """Give each weight (m,) after all orders, fraction of equity."""
    return (plan.book.held + plan.sized.quantity) * plan.book.price / plan.book.equity


def _worst(
    rule: str, plan: Plan, seen: NDArray[np.float64], allowed: NDArray[np.float64], detail: str
) -> Verdict:
    """Judge `seen` against `allowed`, both (m,), by the symbol that comes closest to its limit."""
    i = int(np.argmax(seen / allowed))
    passed = bool(seen[i] <= allowed[i] * (1 + TOLERANCE))
    subject = plan.book.symbols[i] if seen[i] > 0 else "portfolio"
    return Verdict(rule, subject, passed, f"{seen[i]:.10g}", f"{allowed[i]:.10g}", detail)


def _total(rule: str, seen: float, allowed: float, detail: str) -> Verdict:
    passed = seen <= allowed * (1 + TOLERANCE)
    return Verdict(rule, "portfolio", passed, f"{seen:.10g}", f"{allowed:.10g}", detail)


def _count(rule: str, seen: int, allowed: int, detail: str) -> Verdict:
    return Verdict(rule, "portfolio", seen <= allowed, str(seen), str(allowed), detail)


def numbers(plan: Plan, _: Conditions, __: Risk) -> Verdict:
    """No plan from what is no number: all finite, prices and equity above 0, nothing held short."""
    book = plan.book
    wrong = ~(np.isfinite(book.price) & (book.price > 0) & np.isfinite(plan.sized.quantity))
    for parts in (book.weights, book.held):
        wrong |= ~(np.isfinite(parts) & (parts >= 0))
    names = [book.symbols[i] for i in np.flatnonzero(wrong)]
    totals = book.equity > 0 and bool(np.isfinite([book.equity, book.cash, book.sent]).all())
    seen = ", ".join(names[:5]) or f"equity {book.equity:.2f}, cash {book.cash:.2f}, sent {book.sent:.2f}"
    subject, passed = names[0] if names else "portfolio", totals and not names
    detail = "weights, holdings, prices, equity, cash"
    return Verdict("numbers", subject, passed, seen, "finite, prices and equity above 0", detail)


def max_order_size(plan: Plan, _: Conditions, risk: Risk) -> Verdict:
    """No order above its fraction of equity."""
    allowed = order_sizes(plan.book.symbols, risk)
    return _worst("max_order_size", plan, _value(plan) / plan.book.equity, allowed, "order value / equity")


def max_order_usd(plan: Plan, _: Conditions, risk: Risk) -> Verdict:
    """No order above an absolute value."""
    allowed = np.full(len(plan.book.symbols), risk.max_order_usd)
    return _worst("max_order_usd", plan, _value(plan), allowed, "order value, USD")


def max_position(plan: Plan, _: Conditions, risk: Risk) -> Verdict:
    """No weight above its limit after all orders, judged for symbols that an order raises."""
    limit = risk.max_position
    if limit is None:
        limit = min(1.0, float(plan.sized.weights.max(initial=0.0)) + POSITION_HEADROOM)
    raised = np.where(plan.sized.quantity > 0, _after(plan), 0.0)
    return _worst("max_position", plan, raised, np.full(len(raised), limit), "weight after all orders")


def max_exposure(plan: Plan, _: Conditions, risk: Risk) -> Verdict:
    """No more invested than allowed after all orders, judged when an order raises it."""
    buys = bool((plan.sized.quantity > 0).any())
    seen = float(_after(plan).sum()) if buys else 0.0
    return _total("max_exposure", seen, risk.max_exposure, "sum of weights after all orders")


def max_turnover(plan: Plan, _: Conditions, risk: Risk) -> Verdict:
    """No more value sent in a session than allowed, earlier runs counted."""
    seen = (float(_value(plan).sum()) + plan.book.sent) / plan.book.equity
    if not plan.sized.quantity.any():
        seen = min(seen, risk.max_turnover)
    return _total("max_turnover", seen, risk.max_turnover, "value of the session's orders / equity")


def max_adv_share(plan: Plan, _: Conditions, risk: Risk) -> Verdict:
    """No order above its share of the 20-day average volume."""
    share = np.abs(plan.sized.quantity) / np.maximum(plan.book.volume, 1e-9)
    share = np.where(plan.sized.quantity == 0, 0.0, share)
    return _worst(
        "max_adv_share", plan, share, np.full(len(share), risk.max_adv_share), "order / average volume"
    )


def max_orders(plan: Plan, conditions: Conditions, risk: Risk) -> Verdict:
    """No more order ids in a session than allowed."""
    allowed = orders_allowed(risk, len(plan.book.symbols))
    seen = conditions.order_ids + int(np.count_nonzero(plan.sized.quantity))
    return _count("max_orders", seen, allowed, "order ids this session")


def max_requests(plan: Plan, _: Conditions, risk: Risk) -> Verdict:
    """No more order requests in a run than allowed; execute counts the real ones against the same limit."""
    seen = int(np.count_nonzero(plan.sized.quantity))
    return _count("max_requests", seen, requests_allowed(risk, len(plan.book.symbols)), "orders to send")


def orders_allowed(risk: Risk, symbols: int) -> int:
    """Give how many order ids a session may use."""
    return risk.max_orders or SLOTS * symbols


def requests_allowed(risk: Risk, symbols: int) -> int:
    """Give how many order and cancel requests one run may send."""
    return risk.max_requests or 2 * SLOTS * symbols


def max_runs_with_orders(plan: Plan, conditions: Conditions, risk: Risk) -> Verdict:
    """No more runs that send orders in a session than allowed."""
    sends = bool(plan.sized.quantity.any())
    seen = conditions.runs_with_orders + int(sends)
    return _count("max_runs_with_orders", seen if sends else 0, risk.max_runs_with_orders, "runs with orders")


def quotes(plan: Plan, _: Conditions, risk: Risk) -> Verdict:
    """No trading where the quotes of more than a third of the planned symbols cannot be trusted."""
    held = int(np.count_nonzero(plan.sized.why & int(GUARDED)))
    planned = held + int(np.count_nonzero(plan.sized.quantity))
    passed = held <= 1 or GUARDED_PART * held <= planned
    detail = f"planned symbols without a quote within gap {risk.max_gap:g} and spread {risk.max_spread:g}"
    return Verdict("quotes", "portfolio", passed, f"{held} of {planned}", "a third, or one", detail)


def price_collar(plan: Plan, _: Conditions, risk: Risk) -> Verdict:
    """No limit price further beyond its quote than the collar."""
    worst, subject = 0.0, "portfolio"
    for order in plan.orders() if plan.touches else ():
        touch = plan.touches.get(order.symbol)
        if order.limit_price is None or touch is None or touch.bid <= 0:
            continue
        reference = touch.ask if order.side == "buy" else touch.bid
        beyond = abs(float(order.limit_price / reference - 1))
        if beyond > worst:
            worst, subject = beyond, order.symbol
    allowed = risk.price_collar
    passed = worst <= allowed * (1 + TOLERANCE)
    detail = "limit price beyond the quote"
    return Verdict("price_collar", subject, passed, f"{worst:.10g}", f"{allowed:.10g}", detail)


def cash(plan: Plan, _: Conditions, __: Risk) -> Verdict:
    """Never on margin: cash and the planned sells pay for the buys."""
    signed = plan.sized.quantity * plan.book.price
    cost, freed = float(signed[signed > 0].sum()), float(-signed[signed < 0].sum())
    funds = max(plan.book.cash + freed, 0.0)
    return _total("cash", cost, funds, "value of the buys against cash and sells, USD")


def no_short(plan: Plan, _: Conditions, __: Risk) -> Verdict:
    """Never short: no sell above what is held."""
    sells = np.maximum(-plan.sized.quantity, 0.0)
    over = sells - plan.book.held
    i = int(np.argmax(np.where(sells > 0, over, -np.inf)))
    passed = not (sells > plan.book.held).any()
    subject = plan.book.symbols[i] if sells[i] > 0 else "portfolio"
    return Verdict("no_short", subject, passed, f"{sells[i]:.6f}", f"{plan.book.held[i]:.6f}", "shares sold")


def tradable(plan: Plan, conditions: Conditions, _: Risk) -> Verdict:
    """Only symbols of the universe that the broker lists as active and tradable."""
    symbols = plan.book.symbols
    for symbol in [symbols[i] for i in np.flatnonzero(plan.sized.quantity).tolist()]:
        asset = conditions.assets.get(symbol)
        if asset is None or asset.status != "active" or not asset.tradable:
            seen = "unknown" if asset is None else f"{asset.status}, tradable {str(asset.tradable).lower()}"
            return Verdict("tradable", symbol, False, seen, "active, tradable", "what the broker lists")
    return Verdict("tradable", "portfolio", True, "all", "active, tradable", "what the broker lists")


def max_drawdown(_: Plan, conditions: Conditions, risk: Risk) -> Verdict:
    """No order once the account fell too far from its peak."""
    detail = "fall of the account from its peak since the last resume, flows taken out"
    return _total("max_drawdown", conditions.drawdown, risk.max_drawdown, detail)


def max_equity_move(_: Plan, conditions: Conditions, risk: Risk) -> Verdict:
    """No order on a day when the account moved further than its owner thinks possible."""
    seen, allowed = conditions.equity_move, risk.max_equity_move
    if seen is None:
        detail = "not judged: no equity of the session before"
        return Verdict("max_equity_move", "portfolio", True, "unknown", f"{allowed:.10g}", detail)
    detail = "move of the account since the session before, flows taken out"
    return _total("max_equity_move", seen, allowed, detail)


def require_approval(_: Plan, conditions: Conditions, risk: Risk) -> Verdict:
    """No order under a configuration or code that nobody has agreed to."""
    approval, rule = conditions.approval, "require_approval"
    if approval is None:
        return Verdict(rule, "portfolio", True, "unknown", "any", "not judged")
    seen = _digests(approval.config, approval.code)
    asked = risk.require_approval == "always" or (risk.require_approval == "live" and approval.live)
    if not asked or not approval.agreed:
        why = "the first plan" if asked else f"not asked for: {risk.require_approval}"
        return Verdict(rule, "portfolio", True, seen, "any", why)
    changed = approval.changed()
    detail = f"{changed} changed" if changed else "as agreed"
    return Verdict(rule, "portfolio", not changed, seen, _digests(*approval.agreed[0]), detail)


def _digests(config: str, code: str) -> str:
    return f"config {config[:12]}, code {code[:12]}"


RULES: tuple[Rule, ...] = (
    numbers,
    quotes,
    tradable,
    no_short,
    cash,
    max_order_size,
    max_order_usd,
    max_position,
    max_exposure,
    max_turnover,
    max_adv_share,
    max_orders,
    max_requests,
    max_runs_with_orders,
    price_collar,
    max_drawdown,
    max_equity_move,
    require_approval,
)
"""Every rule that a plan passes before it is stored, in the order in which they are judged."""
