"""Compare: a portfolio's runs beside the backtest of the same sessions, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.show.page import Column, percent, table, usd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.core.record import Document
    from trimtab.show.page import Page

__all__ = ["MEANS", "cents", "compare_text"]

MEANS = {
    "price": "fills at another price than the session's open",
    "timing": "sessions without a plan, until what they left undone was made up",
    "unfilled": "planned shares that were not filled, until they were made up",
    "plan": "orders of another size than the backtest's",
    "cost": "money that left the account beside its fills, less the backtest's costs",
    "dividends": "money that came in beside its fills, less the dividends that are in the prices",
    "residual": "what none of these explains",
}
"""What each part of the gap is."""
LISTED = 10
"""So many sessions and orders are listed; --json has all of them."""
MOST_PARTS = 3
"""So many parts have a column of their own."""
HALF_A_CENT, SMALL_USD = 0.005, 1.0
"""Less than these is not told of a price, and of a size."""
WORDS = {"timing": "no plan", "plan": "other size"}


def compare_text(document: Document, page: Page) -> str:
    """Say by how much the account and its backtest differ, which parts that is, and where it comes from."""
    parts = [
        _head(document, page),
        _parts(document, page),
        _sessions(document, page),
        _orders(document, page),
    ]
    return "\n\n".join(part for part in [*parts, _remarks(document, page)] if part)


def cents(amounts: Sequence[float]) -> list[float]:
    """Round amounts to whole cents that sum to the rounded sum: each is off by less than a cent."""
    rounded, whole, before = [], 0.0, 0.0
    for amount in amounts:
        whole += amount
        rounded.append(round(round(whole, 2) - before, 2) + 0.0)
        before = round(whole, 2)
    return rounded


def _head(document: Document, page: Page) -> str:
    first, last, start = document["start"], document["end"], document["start_usd"]
    name = page.paint(f"{document['portfolio']}: {document['mode']}", "bold")
    sessions = len(document["sessions"]) - 1
    span = f"{_count(sessions, 'session')}, from the close of {first} to that of {last}"
    head = f"{name}, {document['strategy']}, {span}"
    live, played, gap = (document[key] for key in ("live_usd", "backtest_usd", "gap_usd"))
    lines = [
        ("account", usd(live), percent(live / start - 1)),
        ("backtest", usd(played), percent(played / start - 1)),
        ("gap", usd(round(gap, 2) + 0.0), f"{_bp(gap, start)} bp"),
    ]
    columns = Column(""), Column("USD", right=True), Column("since the start", right=True)
    prices = page.paint(f"prices  {document['prices']}", "dim")
    return f"{page.wrap(head, '  ')}\n{prices}\n\n{table(page, 'Worth at the end', columns, lines)}"


def _parts(document: Document, page: Page) -> str:
    """Lay out the parts of the gap, in cents that sum to it."""
    names, start = list(document["parts_usd"]), document["start_usd"]
    amounts = cents(list(document["parts_usd"].values()))
    rows = [
        (name, usd(amount), _bp(amount, start), _meaning(name, document))
        for name, amount in zip(names, amounts, strict=True)
    ]
    rows.append(("gap", usd(round(sum(amounts), 2)), _bp(document["gap_usd"], start), ""))
    columns = Column("part"), Column("USD", right=True), Column("bp", right=True), Column("what it is")
    return table(page, "What the gap is made of", columns, rows)


def _meaning(name: str, document: Document) -> str:
    traded = document["traded_usd"]
    if name == "price" and traded:
        return f"{MEANS[name]}: {_bp(document['parts_usd'][name], traded)} bp of {usd(traded)} USD traded"
    return MEANS[name]


def _sessions(document: Document, page: Page) -> str:
    """List the sessions that moved the gap most, with the parts that are not nothing."""
    rows = sorted(document["sessions"], key=_moved, reverse=True)[:LISTED]
    shown = sorted((row for row in rows if _moved(row) >= HALF_A_CENT), key=lambda row: str(row["session"]))
    names, rest = _columns(shown, list(document["parts_usd"]))
    titles = ["gap so far", "grew by", *names, *(["others"] if rest else [])]
    columns = [Column("session"), *(Column(title, right=True) for title in titles)]
    lines = [_session(row, names, rest) for row in shown]
    return table(page, "Sessions that moved it most, USD", columns, lines)


def _columns(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Give the parts that have a column, the largest, and those that are told together."""
    size = {name: sum(abs(row["parts_usd"][name]) for row in rows) for name in names}
    there = [n for n in names if any(abs(row["parts_usd"][n]) >= HALF_A_CENT for row in rows)]
    largest = sorted(there, key=lambda name: size[name], reverse=True)[:MOST_PARTS]
    own = [name for name in names if name in largest]
    return own, [name for name in there if name not in own]


def _session(row: Mapping[str, Any], names: Sequence[str], rest: Sequence[str]) -> tuple[str, ...]:
    """Give a session's line; its amounts sum to what the gap grew by."""
    told = [row["parts_usd"][name] for name in names]
    others = [sum(row["parts_usd"][name] for name in rest)] if rest else []
    amounts = cents([*told, *others])
    grown = round(sum(amounts), 2) + 0.0
    return (row["session"], usd(round(row["gap_usd"], 2) + 0.0), usd(grown), *map(usd, amounts))


def _moved(row: Mapping[str, Any]) -> float:
    """Give how much a session's largest part moved the gap, whichever way, USD."""
    return max(abs(float(amount)) for amount in row["parts_usd"].values())


def _orders(document: Document, page: Page) -> str:
    """List the orders whose prices or sizes differ most from the backtest's."""
    differ = sorted((o for o in document["orders"] if _differs(o)), key=_weight, reverse=True)
    shown = sorted(differ[:LISTED], key=lambda order: (order["session"], order["symbol"]))
    columns = (
        *(Column("session"), Column("symbol"), Column("planned", right=True), Column("filled", right=True)),
        *(Column("backtest", right=True), Column("price USD", right=True), Column("why")),
    )
    return table(page, "Orders that differ most, in shares", columns, [_order(order) for order in shown])


def _order(order: Mapping[str, Any]) -> tuple[str, ...]:
    shares = (_shares(order[name]) for name in ("planned", "filled", "played"))
    price = usd(round(order["price_usd"], 2) + 0.0)
    return (order["session"], order["symbol"], *shares, price, WORDS.get(order["why"], order["why"]))


def _differs(order: Mapping[str, Any]) -> bool:
    return bool(abs(order["price_usd"]) >= HALF_A_CENT or (order["why"] and _weight(order) >= SMALL_USD))


def _weight(order: Mapping[str, Any]) -> float:
    """Give the USD by which an order differs, in price or in size."""
    price = order["price"] or order["played_price"] or 0.0
    return abs(float(order["price_usd"])) + abs(float(order["filled"] - order["played"])) * float(price)


def _remarks(document: Document, page: Page) -> str:
    """Say what a reader must know to believe it."""
    said = []
    if document["missed"]:
        days = ", ".join(
            f"{missed['session']} ({missed['outcome']})" for missed in document["missed"][:LISTED]
        )
        more = len(document["missed"]) - LISTED
        said.append(f"sessions without a plan: {days}" + (f" and {more} more" if more > 0 else ""))
    if document["runs_of_another_config"]:
        count = f"{document['runs_of_another_config']} of {_count(document['runs'], 'run')}"
        said.append(f"{count} had another configuration than the one that the backtest plays")
    said += [f"the backtest on {note['session']}: {note['message']}" for note in document["notes"][:LISTED]]
    return "\n".join(page.paint(page.wrap(f"note: {text}", "  "), "yellow") for text in said)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _bp(amount: float, of: float) -> str:
    """Write an amount in basis points of another; a dash where there is nothing to measure by."""
    return f"{round(amount / of * 1e4, 1) + 0.0:,.1f}" if of else "-"


def _shares(quantity: float) -> str:
    return f"{quantity:,.3f}" if quantity else "-"
