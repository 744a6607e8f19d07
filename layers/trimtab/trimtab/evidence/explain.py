"""Explain: the chain that led to each order and each hold of a recorded run, from its price to its fills.

It is read from the record alone; the numbers on the way are made by `core.sizing.wanted`,
which sized the plan.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.limits import Execution
from trimtab.core.lots import plain
from trimtab.core.record import canonical
from trimtab.core.sizing import Book, wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.record import Document
    from trimtab.core.sizing import Sized

__all__ = ["Explained", "Step", "explain"]

MEANS = {
    "to_target": "nothing bound: the order goes to the target",
    "exit": "nothing bound: all of it is sold, no weight is wanted",
    "staged": "risk.max_order_size: no order above its part of equity; the rest follows in later sessions",
    "max_order_usd": "risk.max_order_usd: no order above this value, the rest follows in later sessions",
    "max_adv_share": "risk.max_adv_share: no order above its share of the average volume",
    "max_turnover": "risk.max_turnover: the session's orders are scaled to what may be turned over",
    "cash_first": "execution.cash_flow_first: new cash is used before it is sold",
    "cash": "cash: the buys are scaled to what cash and sells pay for",
    "in_band": "execution.band and band_relative: the drift is below both",
    "at_target": "nothing to trade: less than the smallest lot away from the target",
    "no_weight": "nothing to trade: no weight is wanted and nothing is held",
    "min_order": "execution.min_order_usd: the order would be smaller",
    "whole_share": "whole shares only: what is left over would be less than one",
    "cash_buffer": "execution.cash_buffer: the weights asked for are scaled to leave it",
    "rests": "schedule.job_interval: decided in an earlier session, and not left short then",
    "no_quote": "quote hold: no usable quote and no fresh trade",
    "max_gap": "quote hold, risk.max_gap: quoted too far from the last close",
    "max_spread": "quote hold, risk.max_spread: bid and ask are too far apart",
    "wash_trade": "the broker refused it as a wash trade: another order of the account stands against it",
    "refused": "the broker refused it",
    "rejected": "the broker rejected it",
    "timeout": "execution.fill_timeout_s: it was not filled in time, and the rest cancelled",
    "slots": "every order id of the session is used",
    "window": "risk.window: trading had ended for the day before it was sent, or sent again",
    "sell_refused": "the broker refused a sell, and before all sells have ended nothing is bought",
    "unavailable": "nothing is free to sell",
    "max_orders": "risk.max_orders: the session's order ids are used up",
    "tradable": "the broker does not list it as active and tradable",
}
"""What each binding constraint is, with its key in config.json where it has one."""


REALISES_NOTHING = "nothing is realised"
STOPPED = frozenset({"halted", "interrupted"})
"""The outcomes of a run that did not pass the whole line."""
SHARE_NOISE = 1e-6
"""Less than this part of a share is no fraction that rounding cut off."""


@dataclass(frozen=True, slots=True)
class Step:
    """One link of the chain: its name, and what it says."""

    name: str
    says: str


@dataclass(frozen=True, slots=True)
class Explained:
    """One symbol's chain: what was done (`buy`, `sell`, `hold`), and the constraint that decided how much."""

    symbol: str
    action: str
    binding: str
    means: str
    steps: tuple[Step, ...]

    def document(self) -> Document:
        """Give it as JSON."""
        steps = [{"step": step.name, "says": step.says} for step in self.steps]
        return {
            "symbol": self.symbol,
            "action": self.action,
            "binding": self.binding,
            "means": self.means,
            "steps": steps,
        }


def explain(record: Document, taxes: Mapping[str, str] | None = None) -> tuple[Explained, ...]:
    """Explain every symbol that the run's plan orders or holds, in their order; none without a plan.

    `taxes` say of orders what they would realise; they end each chain, where they are given.
    """
    planned = {row["symbol"]: row for row in record["planned"]}
    held = {row["symbol"]: row for row in record["holds"]}
    if not planned and not held:
        return ()
    book = _book(record)
    wish = wanted(book, _execution(record))
    chains = (
        _explained(record, book, wish, i, planned.get(symbol) or held[symbol])
        for i, symbol in enumerate(book.symbols)
        if symbol in planned or symbol in held
    )
    if taxes is None:
        return tuple(chains)
    return tuple(
        replace(chain, steps=(*chain.steps, Step("taxes", taxes.get(chain.symbol, REALISES_NOTHING))))
        for chain in chains
    )


def _execution(record: Document) -> Execution:
    return Execution.model_validate_json(canonical(record["config"]["execution"]))


def _book(record: Document) -> Book:
    """Lay out what the plan was made from; the volume plays no part before the caps."""
    plan, symbols = record["plan"], tuple(record["universe"])
    source = plan or record
    prices = plan["prices"] if plan else record["closes"]
    held = plan["base"] if plan else {row["symbol"]: row["qty"] for row in record["positions_before"]}
    decision = source["decision"]
    carried = decision["session"] != record["session"]
    whole = {asset["symbol"] for asset in record["assets"] if not asset["fractionable"]}
    fractional = _execution(record).fractional
    return Book(
        symbols=symbols,
        weights=np.array([float(source["weights"].get(s, 0)) for s in symbols]),
        held=np.array([float(held.get(s, 0)) for s in symbols]),
        price=np.array([float(prices[s]) for s in symbols]),
        whole=np.array([not fractional or s in whole for s in symbols]),
        active=np.array([not carried or s in decision["pending"] for s in symbols]),
        volume=np.full(len(symbols), np.inf),
        cash=float(source["cash"]),
        equity=float(source["equity"]),
    )


def _explained(record: Document, book: Book, wish: Sized, i: int, row: Document) -> Explained:
    symbol = book.symbols[i]
    slots = [order for order in record["orders"] if order["symbol"] == symbol and _today(order, record)]
    binding = _binding(record, symbol, row, slots) or _on_the_way(book, wish, i)
    steps = (
        Step("price", f"{book.price[i]:.4f} USD, the last close"),
        Step("weight", _weight(record, book, i)),
        Step("target", _target(book, wish, i)),
        Step("drift", _drift(book, wish, i)),
        Step("band", _band(record, book, wish, i)),
        Step("quote", _quote(record, symbol)),
        Step("rounding", _rounding(record, symbol)),
        Step("caps", _caps(wish, i, row)),
        Step("verdicts", _verdicts(record, symbol)),
        Step("slots", "; ".join(map(_slot, slots)) or _unsent(record, symbol)),
        Step("fills", _fills(record, slots)),
    )
    means = MEANS.get(binding) or _unnamed(binding, record)
    return Explained(symbol, row.get("side", "hold"), binding, means, steps)


def _unnamed(binding: str, record: Document) -> str:
    if any(verdict["rule"] == binding and not verdict["passed"] for verdict in record["verdicts"]):
        return f"the rule {binding} refused the plan: nothing was sent"
    return f"the run ended before this order was sent: {record['reason']}"


def _today(order: Document, record: Document) -> bool:
    """Say whether an order is of this session: a record may take in those of earlier ones."""
    return bool(order.get("session", record["session"]) == record["session"])


def _binding(record: Document, symbol: str, row: Document, slots: list[Document]) -> str:
    """Name what decided: a rule that refused, what ended the order short, else the plan's own reason.

    Nothing where the order goes to its target: what made the target so is to be looked for.
    """
    refused = _refused(record, symbol)
    if refused:
        return str(refused[0]["rule"])
    ended = _ended(record, symbol, slots)
    if ended and ended != "filled":
        return "wash_trade" if "wash trade" in ended.lower() else ended.partition(":")[0]
    if "side" in row and not slots and record["outcome"] in STOPPED:
        return _stopped(record, str(row["side"]))
    reason = str(row["reason"]).partition(":")[0]
    return "" if reason == "to_target" else reason


def _ended(record: Document, symbol: str, slots: list[Document]) -> str:
    """Give what ended an order: the broker may have refused it, or a quote held it, before it had an id."""
    told = re.search(
        rf"; {re.escape(symbol)} [\d.]+ of [\d.]+ \((.*?)\)(?=; \S+ [\d.]+ of |$)", record["reason"]
    )
    if told is not None:
        return told[1]
    return str(slots[-1].get("ended") or "") if slots else ""


def _stopped(record: Document, side: str) -> str:
    """Name what stopped the run before an order was sent; of a refused sell, what the broker said."""
    if record["code"] != "sell_refused" or side == "buy":
        return str(record["code"])
    return "wash_trade" if "wash trade" in record["reason"].lower() else "refused"


def _on_the_way(book: Book, wish: Sized, i: int) -> str:
    """Name what kept a target below the weight asked for: whole shares, or the cash buffer."""
    unrounded = wish.weights[i] * book.equity / book.price[i]
    if book.whole[i] and unrounded - wish.target[i] > SHARE_NOISE:
        return "whole_share"
    return "to_target" if wish.weights[i] == book.weights[i] else "cash_buffer"


def _refused(record: Document, symbol: str) -> list[Document]:
    """Give the verdicts that refuse, those of the symbol first."""
    found = [verdict for verdict in record["verdicts"] if not verdict["passed"]]
    return sorted(found, key=lambda verdict: verdict["subject"] != symbol)


def _weight(record: Document, book: Book, i: int) -> str:
    decided = (record["plan"] or record)["decision"]["session"]
    by = record["config"]["strategy"]["name"]
    return f"{book.weights[i]:.2%} asked by {by}, decided on {decided}"


def _target(book: Book, wish: Sized, i: int) -> str:
    kept = "" if wish.weights[i] == book.weights[i] else " after the cash buffer"
    goal = wish.weights[i] * book.equity
    return (
        f"{wish.weights[i]:.2%} of {book.equity:,.2f} USD{kept}: {goal:,.2f} USD, {_shares(wish.target[i])}"
    )


def _drift(book: Book, wish: Sized, i: int) -> str:
    value = book.held[i] * book.price[i]
    away = value / book.equity - wish.weights[i]
    return f"{_shares(book.held[i])} held, {value / book.equity:.2%}: {away:+.2%} from the target"


def _band(record: Document, book: Book, wish: Sized, i: int) -> str:
    execution = _execution(record)
    goal = wish.weights[i] * book.equity
    drift = abs(goal - book.held[i] * book.price[i])
    edge = min(execution.band_relative * goal, execution.band * book.equity)
    if not book.active[i]:
        return "not looked at: it rests until the next decision"
    return f"{drift:,.2f} USD away, {'within' if drift < edge else 'beyond'} the band of {edge:,.2f} USD"


def _quote(record: Document, symbol: str) -> str:
    quote = next((row for row in record["quotes"] if row["symbol"] == symbol), None)
    return "not asked for" if quote is None else f"bid {quote['bid']}, ask {quote['ask']}"


def _rounding(record: Document, symbol: str) -> str:
    asset = next((row for row in record["assets"] if row["symbol"] == symbol), None)
    if not _execution(record).fractional:
        return "down to whole shares: execution.fractional is false"
    if asset is not None and not asset["fractionable"]:
        return "down to whole shares: the broker does not trade it in fractions"
    return "down to 6 decimals"


def _caps(wish: Sized, i: int, row: Document) -> str:
    code = str(row["reason"]).partition(":")[0]
    sign = {"buy": "buy ", "sell": "sell "}.get(row.get("side", ""), "")
    planned = f"{sign}{row['qty']} shares" if "qty" in row else "hold"
    return f"{_shares(abs(wish.quantity[i]))} wanted, planned: {planned} ({code})"


def _verdicts(record: Document, symbol: str) -> str:
    refused = _refused(record, symbol)
    if not refused:
        return f"all {len(record['verdicts'])} passed"
    return "; ".join(
        f"{v['rule']} refuses {v['subject']}: {v['seen']}, allowed {v['allowed']}" for v in refused
    )


def _slot(order: Document) -> str:
    kind = order["type"] if order["limit_price"] is None else f"limit {order['limit_price']}"
    ended = "" if order.get("ended") in {None, "", "filled"} else f" ({order['ended']})"
    filled = f"{order['filled_qty']} of {order['qty']} shares"
    return f"{order['client_order_id']}: {order['side']}, {kind}, {order['status']}, {filled}{ended}"


def _unsent(record: Document, symbol: str) -> str:
    ended = _ended(record, symbol, [])
    return "no order in this record" + (f" ({ended})" if ended else "")


def _fills(record: Document, slots: list[Document]) -> str:
    ours = {order["client_order_id"] for order in slots}
    fills = [fill for fill in record["fills"] if fill["client_order_id"] in ours]
    return "; ".join(f"{fill['qty']} at {fill['price']} USD, {fill['at']}" for fill in fills) or "none"


def _shares(quantity: float) -> str:
    number = plain(Decimal(f"{quantity:.9f}"))
    return f"{number} share{'s' * (number != '1')}"
