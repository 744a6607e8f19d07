"""Plan: a plan to look at before it is traded: what would be sold, bought and held, why, at what cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from shlex import quote
from typing import TYPE_CHECKING, Any

from trimtab.core.costs import Cost, Trade, estimate
from trimtab.core.schedule import NEW_YORK
from trimtab.show.document import run_document
from trimtab.show.page import Column, advice, number, percent, table, usd
from trimtab.show.run import headline, last_prices, outcome, stations, taxes, warnings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.record import Document
    from trimtab.show.page import Page
    from trimtab.show.run import Facts

__all__ = ["After", "after", "cost_of", "plan_text", "planned_document"]

SIGNS = {"sell": "-", "buy": "+", "hold": "="}
COLOURS = {"-": "red", "+": "green"}
LEAD = 2
"""Characters before a row's sign."""


@dataclass(frozen=True, slots=True)
class After:
    """What a symbol, or cash, will be: shares, value (USD) at the last close, weights of equity, target."""

    symbol: str
    shares: float | None
    value: float
    weight_before: float
    weight_after: float
    target: float | None

    def document(self) -> dict[str, str | None]:
        """Give it as JSON, decimals as strings."""
        return {
            "symbol": self.symbol,
            "qty": None if self.shares is None else f"{self.shares:.9f}".rstrip("0").rstrip("."),
            "market_value": f"{self.value:.2f}",
            "weight_before": f"{self.weight_before:.6f}",
            "weight_after": f"{self.weight_after:.6f}",
            "target": None if self.target is None else f"{self.target:.6f}",
        }


def cost_of(record: Document) -> Cost:
    """Estimate what the planned orders cost."""
    prices = last_prices(record)
    quotes = {quote["symbol"]: quote for quote in record["quotes"]}
    trades = [
        Trade(
            order["symbol"],
            order["side"],
            float(order["qty"]),
            prices.get(order["symbol"], 0.0),
            number(quotes.get(order["symbol"], {}).get("bid")) or 0.0,
            number(quotes.get(order["symbol"], {}).get("ask")) or 0.0,
        )
        for order in record["planned"]
    ]
    return estimate(trades, date.fromisoformat(record["session"]))


def after(record: Document) -> list[After]:
    """Give what the portfolio will look like, at the last closes: each symbol of it, then cash.

    Foreign holdings are left out, as they are from the equity.
    """
    equity, cash = number(record["equity"]), number(record["cash"])
    if equity is None or cash is None or not equity > 0:
        return []
    signs = {"buy": 1.0, "sell": -1.0}
    moved = {order["symbol"]: signs[order["side"]] * float(order["qty"]) for order in record["planned"]}
    held = {row["symbol"]: float(row["qty"]) for row in record["positions_before"]}
    prices, rows = last_prices(record), []
    for symbol in record["universe"]:
        price, before = prices.get(symbol, 0.0), held.get(symbol, 0.0)
        shares = before + moved.get(symbol, 0.0)
        target = number(record["weights"].get(symbol)) or 0.0
        if before or shares or target:
            weights = (before * price / equity, shares * price / equity)
            rows.append(After(symbol, shares, shares * price, *weights, target))
    spent = sum(shares * prices.get(symbol, 0.0) for symbol, shares in moved.items())
    rows.append(After("cash", None, cash - spent, cash / equity, (cash - spent) / equity, None))
    return rows


def planned_document(record: Document, saved: Mapping[str, Any] | None) -> Document:
    """Give the run's document of a plan, with its cost, what will be held, and where it was saved."""
    document = run_document(record) | {"cost": None, "after": [row.document() for row in after(record)]}
    if record["session"] is not None:
        cost = cost_of(record)
        document["cost"] = {
            "value": f"{cost.value:.2f}",
            "spread": f"{cost.spread:.2f}",
            "fees": f"{cost.fees:.2f}",
            "total": f"{cost.total:.2f}",
            "bps": f"{cost.bps:.2f}",
            "unquoted": list(cost.unquoted),
        }
    return document | {"saved": None if saved is None else dict(saved)}


def plan_text(record: Document, facts: Facts, page: Page, saved: Mapping[str, Any] | None) -> str:
    """Lay a plan out for people; `saved` is the file it was saved in, its digest and times."""
    parts = [
        headline(record, facts, page),
        stations(record, page),
        _head(record, page),
        warnings(record, page),
        _changes(record, page),
        _weights(record, page),
        taxes(facts, page),
        _summary(record, page),
        _foot(record, facts, page, saved),
    ]
    return "\n\n".join(part for part in parts if part)


def _head(record: Document, page: Page) -> str:
    if record["outcome"] != "dry_run":
        return outcome(record, page)
    if not record["planned"]:
        text = "every holding is where it should be, or held for its reason."
        return page.wrap(f"{page.paint('No changes', 'bold')}: {text}")
    return page.paint("Trimtab would do this:", "bold")


def _changes(record: Document, page: Page) -> str:
    """Lay out what is sold, bought and held, each row with its sign, and why."""
    prices = last_prices(record)
    columns = (
        *(Column(""), Column(""), Column("symbol"), Column("shares", right=True)),
        *(Column("type"), Column("USD", right=True), Column("why")),
    )
    rows = []
    for order in record["planned"]:
        price = prices.get(order["symbol"], number(order["limit_price"]))
        value = None if price is None else float(order["qty"]) * price
        kind = f"limit {order['limit_price']}" if order["limit_price"] else order["type"]
        what = (SIGNS[order["side"]], order["side"], order["symbol"])
        rows.append((*what, order["qty"], kind, usd(value), order["reason"]))
    rows += [
        (SIGNS["hold"], "hold", hold["symbol"], "", "", "", f"{hold['reason']}") for hold in record["holds"]
    ]
    return _painted(table(page, "Changes", columns, rows), page)


def _painted(text: str, page: Page) -> str:
    """Colour the signs at the rows' beginnings."""
    lines = text.splitlines()
    for i, line in enumerate(lines):
        sign = line[LEAD : LEAD + 1]
        if line.startswith(" " * LEAD) and sign in COLOURS:
            lines[i] = line[:LEAD] + page.paint(sign, COLOURS[sign]) + line[LEAD + 1 :]
    return "\n".join(lines)


def _weights(record: Document, page: Page) -> str:
    columns = (
        *(Column("symbol"), Column("now", right=True), Column(""), Column("then", right=True)),
        *(Column("target", right=True), Column("shares then", right=True), Column("USD then", right=True)),
    )
    rows = [
        (
            *(row.symbol, percent(row.weight_before), "→", percent(row.weight_after)),
            "" if row.target is None else percent(row.target),
            row.document()["qty"] or "",
            usd(row.value),
        )
        for row in after(record)
    ]
    return table(page, "Weights, at the last closes", columns, rows) if record["planned"] else ""


def _summary(record: Document, page: Page) -> str:
    """Say in two lines how much is to be done, and what it is likely to cost."""
    if not record["planned"] and not record["holds"]:
        return ""
    sides = [order["side"] for order in record["planned"]]
    count = f"{sides.count('sell')} to sell, {sides.count('buy')} to buy, {len(record['holds'])} to hold"
    first = f"{page.paint('Plan', 'bold')}: {count}."
    if not sides:
        return page.wrap(first)
    cost, equity = cost_of(record), number(record["equity"]) or 0.0
    part = f", {cost.value / equity:.2%} of the equity" if equity > 0 else ""
    lines = [page.wrap(f"{first} {usd(cost.value)} USD move{part}.")]
    known = f"half the spread {usd(cost.spread)}, fees {usd(cost.fees)}"
    if cost.unquoted:
        known = f"fees {usd(cost.fees)}; the spread is not known while there are no quotes"
        if len(cost.unquoted) < len(sides):
            rest = ", ".join(cost.unquoted)
            known = f"half the spread {usd(cost.spread)} without {rest}, fees {usd(cost.fees)}"
    text = f"{page.paint('Cost', 'bold')}: about {usd(cost.total)} USD, {cost.bps:.1f} bps of that: {known}."
    return "\n".join([*lines, page.wrap(text)])


def _foot(record: Document, facts: Facts, page: Page, saved: Mapping[str, Any] | None) -> str:
    lines = [f"store  {facts.store}", "run    not recorded: a plan leaves no record"]
    if saved is not None:
        times = " to ".join(_local(saved[name]) for name in ("opens_at", "expires_at"))
        lines += [
            f"saved  {saved['file']}, {saved['digest'][:12]}",
            f"       to be applied {times} in New York",
        ]
    if facts.seconds is not None:
        lines.append(f"took   {facts.seconds:.2f} s")
    return "\n\n".join(
        part
        for part in ("\n".join(page.paint(line, "dim") for line in lines), _step(record, facts, saved))
        if part
    )


def _local(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(NEW_YORK):%Y-%m-%d %H:%M}"


def _step(record: Document, facts: Facts, saved: Mapping[str, Any] | None) -> str:
    """Give the one thing to do next."""
    if record["outcome"] != "dry_run":
        unhelped = record["outcome"] == "halted" and not (record["error"] or {}).get("hint")
        return advice("mend what stopped it, and plan again") if unhelped else ""
    if saved is not None:
        command = f"{facts.program} apply {quote(saved['file'])}{facts.options} --no-dry-run"
        return advice("trade exactly this plan", command)
    command = f"{facts.program} run{facts.options} --no-dry-run"
    return advice("trade; a session that has its plan already keeps to that one", command)
