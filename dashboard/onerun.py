"""One run: plan with reasons, orders, checks, explanation, comparison and inputs, as its record holds them.

Each part is made when it is looked at.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import streamlit as st

from dashboard.charts import said
from dashboard.frame import figures, literal, moment, preformatted, table, told
from dashboard.sheets import amount, clock, text
from trimtab.evidence.diff import diff
from trimtab.evidence.explain import explain
from trimtab.evidence.words import NOTHING, money, percent
from trimtab.show.diff import diff_text
from trimtab.show.page import Page, number
from trimtab.show.run import Facts, last_prices, turnover
from trimtab.show.status import record_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dashboard.frame import Look
    from trimtab.core.record import Document

WIDTH = 110
"""Characters of a line of a text in letters of one width."""
BEFORE = 20
"""Runs before the shown one that it can be compared with."""
LOST = "The record of this run can't be read: it is missing or damaged. trades.db holds the above."
ODD = "The rest of this record can't be read: it is damaged, or of another version."


@st.fragment
def show(seen: Look, runs: pl.DataFrame, run_id: str) -> None:
    """Show a run in full; of one without a readable record, what trades.db holds."""
    run = runs.row(by_predicate=pl.col("run_id") == run_id, named=True)
    title = f"Run of {run['session'] or 'an unknown session'}"
    st.subheader(literal(title), anchor=False)
    st.caption(f"{literal(run_id)} · {moment(run['started_at'])} New York · {literal(run['mode'])}")
    st.text(str(run["reason"] or run["outcome"]))
    with told():
        _recorded(seen, runs, seen.shelf.record(run["session"], run_id))


def _recorded(seen: Look, runs: pl.DataFrame, record: Document | None) -> None:
    """Show what a run's record holds, part by part."""
    if record is None:
        st.warning(LOST)
        return
    try:
        _figures(record)
        _parts(seen, runs, record)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        st.warning(ODD)


def _figures(record: Document) -> None:
    moved, verdicts = turnover(record), record["verdicts"]
    passed = sum(1 for verdict in verdicts if verdict["passed"])
    traded = NOTHING if moved is None else percent(100 * moved)
    figures(
        [
            ("Equity", money(number(record["equity"])), "What the plan was sized with."),
            ("Traded", traded, "Value of the fills, % of equity."),
            ("Orders", str(sum(1 for order in record["orders"] if order["sent"])), "Sent by this run."),
            ("Checks", f"{passed} of {len(verdicts)}", "Gates and risk rules that passed, of all asked."),
        ]
    )


def _parts(seen: Look, runs: pl.DataFrame, record: Document) -> None:
    """Offer the parts, and make the one that is looked at."""
    parts: dict[str, Callable[[], None]] = {
        "Plan": lambda: _plan(record),
        "Orders": lambda: _orders(record),
        "Checks": lambda: _checks(record),
        "Explanation": lambda: _explanation(record),
        "Comparison": lambda: _comparison(seen, runs, record),
        "Inputs": lambda: _inputs(seen, record),
        "As text": lambda: _text(seen, record),
    }
    tabs = st.tabs(list(parts), key="part", on_change="rerun")
    for tab, make in zip(tabs, parts.values(), strict=True):
        if tab.open:
            with tab, told():
                make()


def _plan(record: Document) -> None:
    prices = last_prices(record)
    rows = [
        (
            *(o["symbol"], o["side"], number(o["qty"]), _value(o, prices)),
            *(o["type"], number(o["limit_price"]), o["reason"]),
        )
        for o in record["planned"]
    ]
    if rows:
        st.markdown("**Planned orders**")
        columns = {
            "symbol": text("Symbol"),
            "side": text("Side"),
            "qty": amount("Shares", 4),
            "value": amount("Value, USD", 0),
            "type": text("Type"),
            "limit": amount("Limit, USD"),
            "reason": text("Why", wide=True),
        }
        table(rows, columns, "Planned orders")
    held = [(h["symbol"], _pct(h["weight"]), _pct(h["target"]), h["reason"]) for h in record["holds"]]
    if held:
        st.markdown("**Left alone**")
        columns = {
            "symbol": text("Symbol"),
            "weight": amount("Held, %"),
            "target": amount("Target, %"),
            "reason": text("Why", wide=True),
        }
        table(held, columns, "Left alone")
    if not rows and not held:
        st.write("This run came to no plan of its own.")


def _value(order: Mapping[str, Any], prices: Mapping[str, float]) -> float | None:
    price, shares = prices.get(order["symbol"], number(order["limit_price"])), number(order["qty"])
    return None if price is None or shares is None else price * shares


def _pct(fraction: object) -> float | None:
    value = number(fraction)
    return None if value is None else 100 * value


def _orders(record: Document) -> None:
    rows = [
        (
            *(
                o["symbol"],
                o["side"],
                number(o["qty"]),
                number(o["filled_qty"]),
                number(o["filled_avg_price"]),
            ),
            *(o["status"], o["submitted_at"], o.get("ended") or "", o["client_order_id"]),
        )
        for o in record["orders"]
    ]
    if not rows:
        st.write("This run sent and found no order.")
        return
    columns = {
        "symbol": text("Symbol"),
        "side": text("Side"),
        "qty": amount("Shares", 4),
        "filled": amount("Filled", 4),
        "price": amount("Average price, USD", 4),
        "status": text("Status"),
        "at": clock("Sent, New York", form="%H:%M:%S"),
        "ended": text("How it ended"),
        "id": text("Order"),
    }
    table(rows, columns, "Orders")
    fills = [(f["symbol"], f["side"], number(f["qty"]), number(f["price"]), f["at"]) for f in record["fills"]]
    if fills:
        st.markdown("**Fills**")
        columns = {
            "symbol": text("Symbol"),
            "side": text("Side"),
            "qty": amount("Shares", 4),
            "price": amount("Price, USD", 4),
            "at": clock("At, New York", form="%H:%M:%S"),
        }
        table(fills, columns, "Fills")


def _checks(record: Document) -> None:
    names = ("rule", "subject", "seen", "allowed", "detail")
    rows = [
        ("passed" if v["passed"] else "REFUSED", *(v[name] for name in names))
        for v in sorted(record["verdicts"], key=lambda v: bool(v["passed"]))
    ]
    if not rows:
        st.write("This run came to no check.")
        return
    titles = ("Result", "Check", "Of", "Seen", "Allowed")
    columns = {title: text(title) for title in titles} | {"detail": text("What it is", wide=True)}
    table(rows, columns, "Checks")


def _explanation(record: Document) -> None:
    """Show what bound each symbol, and the chain of one that is picked."""
    chains = {chain.symbol: chain for chain in explain(record)}
    if not chains:
        st.write("There is no plan to explain.")
        return
    picked = st.selectbox("Symbol", list(chains), key="explained", width=200)
    chain = chains[picked]
    st.markdown(f"**{literal(f'{chain.symbol}: {chain.action}, {chain.binding}')}**: {literal(chain.means)}")
    steps = [(step.name, step.says) for step in chain.steps]
    table(
        steps, {"step": text("Step"), "says": text("What it came to", wide=True)}, f"Chain of {chain.symbol}"
    )
    st.markdown("**Every symbol**")
    rows = [(c.symbol, c.action, c.binding, c.means) for c in chains.values()]
    columns = {
        "symbol": text("Symbol"),
        "action": text("Done"),
        "binding": text("Bound by"),
        "means": text("What that means", wide=True),
    }
    table(rows, columns, "What bound each symbol")


def _comparison(seen: Look, runs: pl.DataFrame, record: Document) -> None:
    """Show what changed since an earlier run that is picked."""
    rows = runs.select("run_id", "session", "outcome", "dry_run").rows()
    place = next(i for i, row in enumerate(rows) if row[0] == record["run_id"])
    before = rows[max(0, place - BEFORE) : place][::-1]
    if not before:
        st.write("No run came before this one.")
        return
    names = {row[0]: f"{row[1] or 'no session'} · {said(row[2])} · {row[0]}" for row in before}
    picked = st.selectbox("Compare with", list(names), format_func=lambda run_id: names[run_id])
    since = next(i for i, row in enumerate(rows) if row[0] == picked)
    between = rows[since : place + 1]
    found = [seen.shelf.record(row[1], row[0]) for row in between]
    known = [one for one in found if one is not None]
    if found[0] is None:
        st.warning("The record of that run can't be read: it is missing or damaged.")
        return
    preformatted(diff_text(diff(known), Page(WIDTH)))


def _inputs(seen: Look, record: Document) -> None:
    bars = seen.shelf.bars(record["session"], record["run_id"])
    if bars is not None and len(bars.sessions):
        st.write(
            f"Daily bars of {len(bars.symbols)} symbols, {len(bars.sessions)} sessions: "
            f"{bars.sessions[0]} to {bars.sessions[-1]}."
        )
    quotes = [(q["symbol"], number(q["bid"]), number(q["ask"]), q["at"]) for q in record["quotes"]]
    if quotes:
        st.markdown("**Quotes**")
        columns = {
            "symbol": text("Symbol"),
            "bid": amount("Bid, USD"),
            "ask": amount("Ask, USD"),
            "at": clock("At, New York", form="%H:%M:%S"),
        }
        table(quotes, columns, "Quotes")
    digests = [(of, record.get(f"{of}_digest") or NOTHING) for of in ("plan", "inputs", "config", "code")]
    st.markdown("**Digests** (SHA-256)", help="Equal digests mean the same content.")
    table(digests, {"of": text("Of"), "digest": text("Digest")}, "Digests")
    st.markdown("**Configuration that decided**")
    preformatted(json.dumps(record["config"], indent=2))


def _text(seen: Look, record: Document) -> None:
    """Show what `trimtab show` prints."""
    store = seen.shelf.url.rstrip("/").rsplit("/", 1)[-1]
    facts = Facts(f"config {record['config_digest'][:12]}", store, past=True)
    preformatted(record_text(record, facts, Page(WIDTH), whole=True))
