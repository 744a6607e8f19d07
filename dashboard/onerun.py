"""One run: inputs, plan with reasons, verdicts, orders, fills and explanation, as its record holds them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import streamlit as st

from dashboard.frame import figures, literal, moment, table
from trimtab.evidence.words import NOTHING, money, percent
from trimtab.show.page import Page, number
from trimtab.show.run import Facts, last_prices, turnover
from trimtab.show.status import record_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dashboard.frame import Look
    from trimtab.core.record import Document

WIDTH = 100
"""Characters of a line of the explanation."""
column = st.column_config


def show(seen: Look, run: Mapping[str, Any]) -> None:
    """Show a run in full; of one without a readable record, what trades.db holds."""
    title = f"Run of {run['session'] or 'an unknown session'}"
    st.subheader(literal(title), anchor=False)
    st.caption(f"{literal(run['run_id'])} · {moment(run['started_at'])} New York · {literal(run['mode'])}")
    record = seen.shelf.record(run["session"], run["run_id"])
    st.text(str(run["reason"] or run["outcome"]))
    if record is None:
        st.warning(
            "The record of this run can't be read: it is missing or damaged. trades.db holds the above."
        )
        return
    try:
        _whole(seen, record)
    except (KeyError, TypeError, ValueError, AttributeError):
        st.warning("The rest of this record can't be read: it is damaged, or of another version.")


def _whole(seen: Look, record: Document) -> None:
    moved = turnover(record)
    figures(
        [
            ("Equity", money(number(record["equity"])), "What the plan was sized with."),
            (
                "Traded",
                NOTHING if moved is None else percent(100 * moved),
                "Value of the fills, % of equity.",
            ),
            ("Orders", str(sum(1 for order in record["orders"] if order["sent"])), "Sent by this run."),
            ("Checks", _score(record), "Gates and risk rules that passed, of all that were asked."),
        ]
    )
    names = ["Plan", "Orders", "Checks", "Inputs", "Explanation"]
    plan, orders, checks, inputs, explained = st.tabs(names)
    with plan:
        _plan(record)
    with orders:
        _orders(record)
    with checks:
        _checks(record)
    with inputs:
        _inputs(seen, record)
    with explained:
        facts = Facts(f"config {record['config_digest'][:12]}", seen.shelf.root.name, past=True)
        st.code(record_text(record, facts, Page(WIDTH), whole=True), language=None, wrap_lines=False)


def _score(record: Document) -> str:
    verdicts = record["verdicts"]
    return f"{sum(1 for v in verdicts if v['passed'])} of {len(verdicts)}"


def _frame(rows: Sequence[Sequence[object]], names: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=list(names), orient="row", infer_schema_length=None, strict=False)


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
        names = ("symbol", "side", "qty", "value", "type", "limit", "reason")
        table(_frame(rows, names), {
            "symbol": column.TextColumn("Symbol", pinned=True), "side": column.TextColumn("Side"),
            "qty": column.NumberColumn("Shares", format="%.4f"),
            "value": column.NumberColumn("Value, USD", format="localized", step=1),
            "type": column.TextColumn("Type"), "limit": column.NumberColumn("Limit, USD", format="%.2f"),
            "reason": column.TextColumn("Why", width="large"),
        })  # fmt: skip
    held = [(h["symbol"], _pct(h["weight"]), _pct(h["target"]), h["reason"]) for h in record["holds"]]
    if held:
        st.markdown("**Left alone**")
        table(_frame(held, ("symbol", "weight", "target", "reason")), {
            "symbol": column.TextColumn("Symbol", pinned=True),
            "weight": column.NumberColumn("Held, %", format="%.2f"),
            "target": column.NumberColumn("Target, %", format="%.2f"),
            "reason": column.TextColumn("Why", width="large"),
        })  # fmt: skip
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
        (o["symbol"], o["side"], number(o["qty"]), number(o["filled_qty"]), number(o["filled_avg_price"]),
         o["status"], moment(o["submitted_at"], day=False), o.get("ended") or "", o["client_order_id"])
        for o in record["orders"]
    ]  # fmt: skip
    if not rows:
        st.write("This run sent and found no order.")
        return
    names = ("symbol", "side", "qty", "filled", "price", "status", "at", "ended", "id")
    table(_frame(rows, names), {
        "symbol": column.TextColumn("Symbol", pinned=True), "side": column.TextColumn("Side"),
        "qty": column.NumberColumn("Shares", format="%.4f"),
        "filled": column.NumberColumn("Filled", format="%.4f"),
        "price": column.NumberColumn("Average price, USD", format="%.4f"),
        "status": column.TextColumn("Status"), "at": column.TextColumn("Sent, New York"),
        "ended": column.TextColumn("How it ended"), "id": column.TextColumn("Order"),
    })  # fmt: skip
    fills = [
        (f["symbol"], f["side"], number(f["qty"]), number(f["price"]), moment(f["at"], day=False))
        for f in record["fills"]
    ]
    if fills:
        st.markdown("**Fills**")
        table(_frame(fills, ("symbol", "side", "qty", "price", "at")), {
            "symbol": column.TextColumn("Symbol", pinned=True), "side": column.TextColumn("Side"),
            "qty": column.NumberColumn("Shares", format="%.4f"),
            "price": column.NumberColumn("Price, USD", format="%.4f"),
            "at": column.TextColumn("At, New York"),
        })  # fmt: skip


def _checks(record: Document) -> None:
    rows = [
        (
            "passed" if v["passed"] else "REFUSED",
            v["rule"],
            v["subject"],
            v["seen"],
            v["allowed"],
            v["detail"],
        )
        for v in sorted(record["verdicts"], key=lambda v: bool(v["passed"]))
    ]
    if not rows:
        st.write("This run came to no check.")
        return
    table(_frame(rows, ("result", "rule", "subject", "seen", "allowed", "detail")), {
        "result": column.TextColumn("Result", pinned=True), "rule": column.TextColumn("Check"),
        "subject": column.TextColumn("Of"), "seen": column.TextColumn("Seen"),
        "allowed": column.TextColumn("Allowed"), "detail": column.TextColumn("What it is", width="large"),
    })  # fmt: skip


def _inputs(seen: Look, record: Document) -> None:
    bars = seen.shelf.bars(record["session"], record["run_id"])
    if bars is not None and len(bars.sessions):
        st.write(
            f"Daily bars of {len(bars.symbols)} symbols, {len(bars.sessions)} sessions: "
            f"{bars.sessions[0]} to {bars.sessions[-1]}."
        )
    quotes = [
        (q["symbol"], number(q["bid"]), number(q["ask"]), moment(q["at"], day=False))
        for q in record["quotes"]
    ]
    if quotes:
        st.markdown("**Quotes**")
        table(_frame(quotes, ("symbol", "bid", "ask", "at")), {
            "symbol": column.TextColumn("Symbol", pinned=True),
            "bid": column.NumberColumn("Bid, USD", format="%.2f"),
            "ask": column.NumberColumn("Ask, USD", format="%.2f"),
            "at": column.TextColumn("At, New York"),
        })  # fmt: skip
    digests = [
        (name, record.get(f"{name}_digest") or NOTHING) for name in ("plan", "inputs", "config", "code")
    ]
    st.markdown("**Digests** (SHA-256)", help="Equal digests mean the same content.")
    table(_frame(digests, ("of", "digest")), {
        "of": column.TextColumn("Of"), "digest": column.TextColumn("Digest", width="large"),
    })  # fmt: skip
    with st.expander("Configuration that decided"):
        st.code(json.dumps(record["config"], indent=2), language="json")
