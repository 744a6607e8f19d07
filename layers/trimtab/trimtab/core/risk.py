"""Risk: every pre-trade rule, one small function each, and the only maker of `Approved`.

A rule takes the plan, the day's conditions and the limits, and measures what it sees against what it
allows; its verdict's subject is the symbol that comes closest to the limit, or the portfolio. No rule can be
passed by. Rules work along the last axis of their arrays, so that a backtest has many plans judged at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import InitVar, dataclass
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.plan import Order, Plan
from trimtab.core.sizing import GUARDED, order_sizes
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


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """What a rule sees against what it allows: a value each symbol (m,), or one the whole plan (1,).

    Of k plans at once they are (k, m) or (k, 1); `allowed` may be one number for all. `noise` is the part of
    the limit that is forgiven.
    """

    rule: str
    seen: NDArray[np.float64]
    allowed: NDArray[np.float64] | float
    detail: str
    noise: float = TOLERANCE

    def passed(self) -> NDArray[np.bool_]:
        """Say whether everything is within its limit, one answer a plan."""
        return np.asarray((self.seen <= self.allowed * (1 + self.noise)).all(axis=-1))

    def verdict(self, symbols: Sequence[str], *, each: bool) -> Verdict:
        """Word it for one plan; where it is of `each` symbol, by the one that comes closest to its limit."""
        allowed = np.broadcast_to(np.asarray(self.allowed), self.seen.shape)
        with np.errstate(divide="ignore", invalid="ignore"):  # where nothing is allowed
            i = int(np.argmax(self.seen / allowed))
        subject = symbols[i] if each and self.seen[i] > 0 else "portfolio"
        passed = bool(self.passed())
        return Verdict(self.rule, subject, passed, f"{self.seen[i]:.10g}", f"{allowed[i]:.10g}", self.detail)


Rule = Callable[[Plan, Conditions, "Risk"], "Measure | Verdict"]


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
    return (first, *(_worded(rule, plan, conditions, risk) for rule in RULES[1:]))


def _worded(rule: Rule, plan: Plan, conditions: Conditions, risk: Risk) -> Verdict:
    seen = rule(plan, conditions, risk)
    return seen if isinstance(seen, Verdict) else seen.verdict(plan.book.symbols, each=rule in EACH)


def passes(plan: Plan, conditions: Conditions, risk: Risk) -> NDArray[np.bool_]:
    """Say of each of k plans, stacked, whether every rule lets it pass that measures something.

    The others (`OF_A_DAY`) ask what only a day at the broker has: listings, quotes of limits, approval.
    """
    fine = ~_wrong(plan).any(axis=-1) & _totals(plan)
    for rule in RULES[1:]:
        if rule not in OF_A_DAY:
            measure = rule(plan, conditions, risk)
            fine = fine & (measure.passed() if isinstance(measure, Measure) else measure.passed)
    return np.asarray(fine)


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


def _sum(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add up over the symbols: (1,), or (k, 1) of k plans."""
    return np.asarray(values.sum(axis=-1, keepdims=True))


def _orders(plan: Plan) -> NDArray[np.float64]:
    """Count the orders: (1,), or (k, 1) of k plans."""
    return _sum((plan.sized.quantity != 0).astype(np.float64))


def _one(value: float) -> NDArray[np.float64]:
    """Give one value as a row of one; k of them, (k, 1), as they are."""
    return np.atleast_1d(np.asarray(value, dtype=np.float64))


def _wrong(plan: Plan) -> NDArray[np.bool_]:
    """Say of each symbol (m,) whether a number of it is none, its price not above 0, or it is short."""
    book = plan.book
    right = np.isfinite(book.price) & (book.price > 0) & np.isfinite(plan.sized.quantity)
    for parts in (book.weights, book.held):
        right &= np.isfinite(parts) & (parts >= 0)
    return np.asarray(~right)


def _totals(plan: Plan) -> NDArray[np.bool_]:
    """Say whether equity, cash and what was sent are numbers, the equity above 0; one answer a plan."""
    book = plan.book
    fine = np.atleast_1d(np.asarray(book.equity) > 0)
    for amount in (book.equity, book.cash, book.sent):
        fine = fine & np.isfinite(amount)
    return np.asarray(fine.all(axis=-1))


def numbers(plan: Plan, _: Conditions, __: Risk) -> Verdict:
    """No plan from what is no number: all finite, prices and equity above 0, nothing held short."""
    book = plan.book
    names = [book.symbols[i] for i in np.flatnonzero(_wrong(plan))]
    seen = ", ".join(names[:5]) or f"equity {book.equity:.2f}, cash {book.cash:.2f}, sent {book.sent:.2f}"
    subject, passed = names[0] if names else "portfolio", bool(_totals(plan)) and not names
    detail = "weights, holdings, prices, equity, cash"
    return Verdict("numbers", subject, passed, seen, "finite, prices and equity above 0", detail)


def max_order_size(plan: Plan, _: Conditions, risk: Risk) -> Measure:
    """No order above its fraction of equity."""
    allowed = order_sizes(plan.book.symbols, risk)
    return Measure("max_order_size", _value(plan) / plan.book.equity, allowed, "order value / equity")


def max_order_usd(plan: Plan, _: Conditions, risk: Risk) -> Measure:
    """No order above an absolute value."""
    return Measure("max_order_usd", _value(plan), risk.max_order_usd, "order value, USD")


def max_position(plan: Plan, _: Conditions, risk: Risk) -> Measure:
    """No weight above its limit after all orders, judged for symbols that an order raises."""
    largest = plan.sized.weights.max(axis=-1, keepdims=True, initial=0.0)
    limit = np.minimum(1.0, largest + POSITION_HEADROOM) if risk.max_position is None else risk.max_position
    raised = np.where(plan.sized.quantity > 0, _after(plan), 0.0)
    return Measure("max_position", raised, limit, "weight after all orders")


def max_exposure(plan: Plan, _: Conditions, risk: Risk) -> Measure:
    """No more invested than allowed after all orders, judged when an order raises it."""
    buys = (plan.sized.quantity > 0).any(axis=-1, keepdims=True)
    seen = np.where(buys, _sum(_after(plan)), 0.0)
    return Measure("max_exposure", seen, risk.max_exposure, "sum of weights after all orders")


def max_turnover(plan: Plan, _: Conditions, risk: Risk) -> Measure:
    """No more value sent in a session than allowed, earlier runs counted."""
    seen = (_sum(_value(plan)) + plan.book.sent) / plan.book.equity
    seen = np.where(_orders(plan) > 0, seen, np.minimum(seen, risk.max_turnover))
    return Measure("max_turnover", seen, risk.max_turnover, "value of the session's orders / equity")


def max_adv_share(plan: Plan, _: Conditions, risk: Risk) -> Measure:
    """No order above its share of the 20-day average volume."""
    share = np.abs(plan.sized.quantity) / np.maximum(plan.book.volume, 1e-9)
    share = np.where(plan.sized.quantity == 0, 0.0, share)
    return Measure("max_adv_share", share, risk.max_adv_share, "order / average volume")


def max_orders(plan: Plan, conditions: Conditions, risk: Risk) -> Measure:
    """No more order ids in a session than allowed."""
    allowed = orders_allowed(risk, plan.book.breadth)
    return Measure("max_orders", conditions.order_ids + _orders(plan), allowed, "order ids this session")


def max_requests(plan: Plan, _: Conditions, risk: Risk) -> Measure:
    """No more order requests in a run than allowed; execute counts the real ones against the same limit."""
    return Measure("max_requests", _orders(plan), requests_allowed(risk, plan.book.breadth), "orders to send")


def orders_allowed(risk: Risk, symbols: int) -> int:
    """Give how many order ids a session may use."""
    return risk.max_orders or SLOTS * symbols


def requests_allowed(risk: Risk, symbols: int) -> int:
    """Give how many order and cancel requests one run may send."""
    return risk.max_requests or 2 * SLOTS * symbols


def max_runs_with_orders(plan: Plan, conditions: Conditions, risk: Risk) -> Measure:
    """No more runs that send orders in a session than allowed."""
    seen = np.where(_orders(plan) > 0, conditions.runs_with_orders + 1.0, 0.0)
    return Measure("max_runs_with_orders", seen, risk.max_runs_with_orders, "runs with orders")


def quotes(plan: Plan, _: Conditions, __: Risk) -> Measure:
    """No trading where the quotes of more than a third of the planned symbols cannot be trusted."""
    held = _sum(plan.sized.marked(GUARDED).astype(np.float64))
    allowed = np.maximum((held + _orders(plan)) // GUARDED_PART, 1.0)
    return Measure(
        "quotes", held, allowed, "symbols held by their quotes; a third of the plan, or one, may be"
    )


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


def cash(plan: Plan, _: Conditions, __: Risk) -> Measure:
    """Never on margin: cash and the planned sells pay for the buys."""
    signed = plan.sized.quantity * plan.book.price
    cost, freed = _sum(np.maximum(signed, 0.0)), _sum(np.maximum(-signed, 0.0))
    funds = np.maximum(plan.book.cash + freed, 0.0)
    return Measure("cash", cost, funds, "value of the buys against cash and sells, USD")


def no_short(plan: Plan, _: Conditions, __: Risk) -> Measure:
    """Never short: no sell above what is held, not by the least part of a share."""
    sells = np.maximum(-plan.sized.quantity, 0.0)
    held = np.where(sells > 0, plan.book.held, np.inf)
    return Measure("no_short", sells, held, "shares sold against shares held", noise=0.0)


def tradable(plan: Plan, conditions: Conditions, _: Risk) -> Verdict:
    """Only symbols of the universe that the broker lists as active and tradable."""
    symbols = plan.book.symbols
    for symbol in [symbols[i] for i in np.flatnonzero(plan.sized.quantity).tolist()]:
        asset = conditions.assets.get(symbol)
        if asset is None or asset.status != "active" or not asset.tradable:
            seen = "unknown" if asset is None else f"{asset.status}, tradable {str(asset.tradable).lower()}"
            return Verdict("tradable", symbol, False, seen, "active, tradable", "what the broker lists")
    return Verdict("tradable", "portfolio", True, "all", "active, tradable", "what the broker lists")


def max_drawdown(_: Plan, conditions: Conditions, risk: Risk) -> Measure:
    """No order once the account fell too far from its peak."""
    detail = "fall of the account from its peak since the last resume, flows taken out"
    return Measure("max_drawdown", _one(conditions.drawdown), risk.max_drawdown, detail)


def max_equity_move(_: Plan, conditions: Conditions, risk: Risk) -> Measure | Verdict:
    """No order on a day when the account moved further than its owner thinks possible."""
    seen, allowed = conditions.equity_move, risk.max_equity_move
    if seen is None:
        detail = "not judged: no equity of the session before"
        return Verdict("max_equity_move", "portfolio", True, "unknown", f"{allowed:.10g}", detail)
    detail = "move of the account since the session before, flows taken out"
    return Measure("max_equity_move", _one(seen), allowed, detail)


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

EACH = frozenset({max_order_size, max_order_usd, max_position, max_adv_share, no_short})
"""The rules that measure each symbol."""
OF_A_DAY = frozenset({tradable, price_collar, require_approval})
"""The rules that only a day at the broker can be judged by."""
