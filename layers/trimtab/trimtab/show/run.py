"""Run: one run as a page: where it went, what it ordered and left alone, and what it holds now."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from trimtab.core.schedule import NEW_YORK
from trimtab.show.page import Column, advice, number, percent, table, usd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.record import Document
    from trimtab.show.page import Page

__all__ = ["STATIONS", "Facts", "fills", "holdings", "next_step", "run_text", "turnover"]

STATIONS = ("fetch", "validate", "positions", "strategy", "plan", "risk", "execute", "record")
"""The stations in the order in which a run passes them."""

NARROW = 80
"""On a page of so many columns the line of stations needs its gaps."""
COLOURS = {"halted": "red", "interrupted": "red", "closed": "yellow", "dry_run": "yellow"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a page says of a run beyond its record.

    `data` names the prices, `store` is where the record lies, `seconds` how long the run took on this
    machine. A suggested command begins with `program` and `verb`, needs `options` to find the same
    configuration, and `sending` where this run was told by a flag to send. `planned_only` says that nothing
    is recorded, `past` that the run was an earlier one, after which there is no next step. `taxes` say by
    symbol what an order would realise.
    """

    data: str
    store: str
    seconds: float | None = None
    program: str = "trimtab"
    verb: str = "run"
    options: str = ""
    sending: str = ""
    planned_only: bool = False
    past: bool = False
    taxes: Mapping[str, str] = field(default_factory=dict)


def run_text(record: Document, facts: Facts, page: Page) -> str:
    """Lay a run out for people."""
    parts = [
        headline(record, facts, page),
        stations(record, page),
        outcome(record, page),
        moved(record, page),
        warnings(record, page),
        orders(record, page),
        holds(record, page),
        taxes(facts, page),
        fills(record, page),
        holdings(record, page),
        footer(record, facts, page),
    ]
    return "\n\n".join(part for part in parts if part)


def headline(record: Document, facts: Facts, page: Page) -> str:
    """Say whose run it is, on what prices, and when."""
    dry = ", dry run" if record["dry_run"] or facts.planned_only else ""
    first = page.paint(f"{record['portfolio']}: {record['mode']}{dry}", "bold")
    when = f"session {record['session'] or 'unknown'}"
    if record["started_at"]:
        moment = datetime.fromisoformat(record["started_at"]).astimezone(NEW_YORK)
        kind = " (virtual time)" if record["mode"] == "simulated" else ""
        day = "" if str(moment.date()) == record["session"] else f"planned on {moment:%Y-%m-%d} at "
        when += f", {day}{moment:%H:%M} in New York{kind}"
    return f"{first}, {facts.data}\n{when}"


def reached(record: Document) -> tuple[int, bool]:
    """Give how many stations the run passed, and whether the next one stopped it."""
    if record["stage"] is not None:
        return STATIONS.index(record["stage"]), True
    ends = {"closed": 0, "not_due": 0, "done": 1, "unfinished": 1, "dry_run": 6}
    key = record["code"] if record["code"] in ends else record["outcome"]
    return ends.get(key, len(STATIONS)), False


def stations(record: Document, page: Page) -> str:
    """Draw the line of stations: passed, where it stopped, and not reached."""
    passed, stopped = reached(record)
    marks = [page.paint(f"✓ {name}", "green") for name in STATIONS[:passed]]
    rest = STATIONS[passed:]
    if stopped:
        marks.append(page.paint(f"✗ {rest[0]}", "bold", "red"))
        rest = rest[1:]
    gap = "  " if page.width > NARROW else " "
    return gap.join([*marks, *(page.paint(f"· {name}", "dim") for name in rest)])


def outcome(record: Document, page: Page) -> str:
    """Say in one line what became of the run."""
    name, reason = record["outcome"], str(record["reason"])
    detail = reason.partition(": ")[2] or reason
    if name == "in_band":
        return page.wrap(f"{page.paint('No changes', 'bold')}: {detail}.")
    if name == "dry_run":
        text = f"{page.paint('Nothing was sent', 'bold', 'yellow')}: {detail}."
        return page.wrap(text)
    if name == "traded":
        return page.wrap(f"{page.paint('Traded', 'bold', 'green')}: {detail}.")
    if name == "closed":
        return page.wrap(f"{page.paint('Closed', 'bold', 'yellow')}: {detail}.")
    if name == "not_due":
        return page.wrap(f"{page.paint('Not due', 'bold')}: {detail}.")
    meaning = "nothing was sent" if name == "halted" else "orders were or may have been sent"
    return page.paint(f"{name.capitalize()}: {meaning}.", "bold", COLOURS[name])


def moved(record: Document, page: Page) -> str:
    """Lay out what keeps a saved plan from being applied: what it is now, and what it was."""
    rows = [
        (v["rule"].removeprefix("apply_"), v["subject"], v["allowed"], v["seen"])
        for v in record["verdicts"]
        if v["rule"].startswith("apply_") and not v["passed"]
    ]
    columns = (Column("what"), Column("of"), Column("when planned"), Column("now"))
    return table(page, "Moved since the plan was saved", columns, rows)


def warnings(record: Document, page: Page) -> str:
    """Say what the owner should look at, though it stopped nothing."""
    found = [str(event["message"]) for event in record["events"] if event["level"] == "warning"]
    return "\n".join(page.paint(page.wrap(f"warning: {text}", "  "), "yellow") for text in found)


def last_prices(record: Document) -> dict[str, float]:
    """Give the last known price of each symbol, USD a share: the closes that sized the plan come first."""
    known: dict[str, object] = {row["symbol"]: row["price"] for row in record["positions_before"]}
    known |= {order["symbol"]: order["price"] for order in (record["plan"] or {}).get("orders", [])}
    known |= record.get("closes") or {}
    prices = {symbol: number(price) for symbol, price in known.items()}
    return {symbol: price for symbol, price in prices.items() if price is not None}


def orders(record: Document, page: Page) -> str:
    """Lay out what the plan orders: side, symbol, shares, kind, value in USD, and why."""
    if record["code"] == "done":
        return ""  # the plan that an earlier run of the session has traded already
    prices = last_prices(record)
    columns = (
        *(Column("side"), Column("symbol"), Column("shares", right=True), Column("type")),
        *(Column("USD", right=True), Column("why")),
    )
    rows = []
    for order in record["planned"]:
        price = prices.get(order["symbol"], number(order["limit_price"]))
        value = None if price is None else float(order["qty"]) * price
        kind = f"limit {order['limit_price']}" if order["limit_price"] else order["type"]
        rows.append((order["side"], order["symbol"], order["qty"], kind, usd(value), order["reason"]))
    return table(page, "Orders", columns, rows)


def holds(record: Document, page: Page) -> str:
    """Lay out what the plan leaves alone, and why."""
    if record["code"] == "done":
        return ""
    columns = (
        Column("symbol"),
        Column("weight", right=True),
        Column("target", right=True),
        Column("why"),
    )
    rows = [
        (hold["symbol"], percent(hold["weight"]), percent(hold["target"]), hold["reason"])
        for hold in record["holds"]
    ]
    return table(page, "Holds", columns, rows)


def taxes(facts: Facts, page: Page) -> str:
    """Lay out what the orders would realise at the last closes."""
    columns = (Column("symbol"), Column("first in, first out, at the last closes"))
    return table(page, "Taxes, estimated", columns, sorted(facts.taxes.items()))


def fills(record: Document, page: Page) -> str:
    """Lay out what became of the orders: shares filled, at what price, and how each ended."""
    columns = (
        *(Column("side"), Column("symbol"), Column("filled", right=True), Column("of", right=True)),
        *(Column("at USD", right=True), Column("USD", right=True), Column("status")),
    )
    rows = []
    for order in record["orders"]:
        price = number(order["filled_avg_price"])
        value = None if price is None else float(order["filled_qty"]) * price
        ended = order.get("ended") or ""
        status = order["status"] if ended in {"", "filled"} else f"{order['status']} ({ended})"
        filled = (order["filled_qty"], order["qty"] or "-", order["filled_avg_price"] or "-", usd(value))
        rows.append((order["side"], order["symbol"], *filled, status))
    return table(page, "Fills", columns, rows)


def holdings(record: Document, page: Page, when: str = "") -> str:
    """Lay out shares before and after, and what they are worth then; weights are of cash and holdings."""
    before = {row["symbol"]: row for row in record["positions_before"]}
    traded = bool(record["positions_after"]) or bool(record["fills"])
    after = {row["symbol"]: row for row in record["positions_after"]} if traded else before
    if not before and not after:
        return ""
    cash = number(record["cash"]) or 0.0
    foreign = set(after) - set(record["universe"])
    whole = cash + sum(number(row["market_value"]) or 0.0 for s, row in after.items() if s not in foreign)
    shares = (Column("before", right=True), Column("after", right=True)) if traded else ()
    columns = (
        *(Column("symbol"), *(shares or (Column("shares", right=True),))),
        *(Column("close", right=True), Column("USD", right=True)),
        *(Column("weight", right=True), Column("target", right=True)),
    )
    rows = [
        _holding(symbol, before.get(symbol), after.get(symbol), record, whole)
        for symbol in sorted({*before, *after})
    ]
    cash_before = _cash_before(record) if traded else cash
    weight = percent(cash / whole) if whole else "-"
    rows.append(("cash", usd(cash_before), usd(cash), "", usd(cash), weight, ""))
    if not traded:
        rows = [(symbol, *row) for symbol, _, *row in rows]
    title = "Holdings, before and after" if traded else "Holdings"
    return table(page, title + when, columns, rows)


def _holding(
    symbol: str, before: Document | None, after: Document | None, record: Document, whole: float
) -> tuple[str, ...]:
    row = after or {"qty": "0", "price": before and before["price"], "market_value": "0"}
    foreign = symbol not in record["universe"]
    value = number(row["market_value"])
    weight = None if foreign or value is None or not whole else value / whole
    target = "foreign" if foreign else percent(record["weights"].get(symbol, 0))
    shares = "0" if before is None else before["qty"]
    return (symbol, shares, row["qty"], usd(row["price"]), usd(value), percent(weight), target)


def _cash_before(record: Document) -> float | None:
    """Give the cash before this run's fills, USD."""
    signs = {"buy": 1, "sell": -1}
    ours = {order["client_order_id"] for order in record["orders"] if order["sent"]}
    moved = sum(
        signs[fill["side"]] * Decimal(fill["qty"]) * Decimal(fill["price"])
        for fill in record["fills"]
        if fill["client_order_id"] in ours
    )
    cash = number(record["cash"])
    return None if cash is None else cash + float(moved)


def footer(record: Document, facts: Facts, page: Page) -> str:
    """Say where the record lies, how long it took, and what to do next."""
    lines = [f"store  {facts.store}", f"run    {record['run_id'] or 'not recorded'}"]
    if facts.seconds is not None:
        lines.append(f"took   {facts.seconds:.2f} s")
    quiet = "\n".join(page.paint(line, "dim") for line in lines)
    step = "" if facts.past else next_step(record, facts)
    return "\n\n".join(part for part in (quiet, step) if part)


def next_step(record: Document, facts: Facts) -> str:
    """Give the one thing to do next, and the command that does it."""
    run = f"{facts.program} run{facts.options}"
    if record["outcome"] == "halted":
        hinted = record["error"] and record["error"]["hint"]
        return "" if hinted else advice("mend what stopped it, and run again")
    again = f"{facts.program} {facts.verb}{facts.options}"
    if record["outcome"] == "interrupted":
        return advice("finish the same plan, and no more than it, in this session", run + facts.sending)
    if record["outcome"] == "dry_run":
        return advice("send them", f"{again} --no-dry-run")
    if record["mode"] == "simulated":
        return advice("move to the next session", f"{run}{facts.sending} --next")
    return advice(
        "wait for the next session; the holdings until then", f"{facts.program} status{facts.options}"
    )


def turnover(record: Document) -> float | None:
    """Give the value of this run's fills as a fraction of the sizing equity."""
    equity = number(record["equity"])
    moved = sum(float(fill["qty"]) * float(fill["price"]) for fill in record["fills"])
    return moved / equity if equity else None
