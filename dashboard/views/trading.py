"""Trading: turnover, what execution cost in basis points, and orders that fell short."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import streamlit as st

from dashboard import charts
from dashboard.frame import begin, figures, listed, literal, nothing_yet, show, table
from dashboard.sheets import amount, part, text
from trimtab.errors import Halted
from trimtab.evidence.board import reading
from trimtab.evidence.board.dealing import by_month, by_symbol, totals
from trimtab.evidence.words import NOTHING, money, number, percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from dashboard.frame import Look
    from trimtab.core.record import Document

YEAR_BACK, ALL = "12 months", "All"
CLOSE = "the close that sized the order"
ARRIVAL = "the price when the order was sent"
ONE_SIDED = "Half of all that was bought and sold, by mean equity."
BPS = "A basis point is a hundredth of a percent. Above zero is a cost, below it a gain."


def since(runs: pl.DataFrame) -> str:
    """Ask for the range, and give its first session."""
    known = runs["session"].drop_nulls()
    first, last = (str(known.min()), str(known.max())) if len(known) else ("", "")
    if not known.is_empty() and date.fromisoformat(last) - date.fromisoformat(first) > timedelta(days=366):
        picked = st.segmented_control("Range", [YEAR_BACK, ALL], default=YEAR_BACK, key="since")
        if picked != ALL:
            back = date.fromisoformat(last) - timedelta(days=365)
            return str(back.replace(day=1))
    return ""


def summary(whole: Mapping[str, float], months: pl.DataFrame) -> None:
    """Show the sums."""
    turnover = months["turnover_pct"].drop_nulls()
    mean = float(turnover.sum()) / len(turnover) if len(turnover) else None
    share = 100 * whole.get("filled", 0) / whole["orders"] if whole.get("orders") else None
    of_close = f"What fills cost against {CLOSE}; the market's move since then is in it. {BPS}"
    items = [
        ("Traded", money(whole.get("value", 0.0)), "Value of all that was bought and sold."),
        ("Turnover a month", percent(mean), f"On average. {ONE_SIDED}"),
        ("Against the close", _bps(whole.get("close_bps")), of_close),
        ("Against arrival", _bps(whole.get("arrival_bps")), f"What fills cost against {ARRIVAL}. {BPS}"),
        ("Wholly filled", percent(share, 1), "Of all orders that were sent."),
    ]
    figures([item for item in items if item[0] != "Against arrival" or "arrival_bps" in whole])


def _bps(value: float | None) -> str:
    return NOTHING if value is None else f"{number(value, 1)} bps"


def monthly(seen: Look, months: pl.DataFrame) -> None:
    """Draw turnover and cost by month."""
    st.subheader("Turnover", anchor=False, help=ONE_SIDED)
    labels = months["month"].to_list()
    show(charts.columns(labels, _floats(months["turnover_pct"]), "Turnover", "%", seen.ink))
    name, of = ("arrival_bps", ARRIVAL) if months["arrival_bps"].is_not_null().any() else ("close_bps", CLOSE)
    st.subheader("Execution", anchor=False, help=f"Fills against {of}, weighted by value. {BPS}")
    if months[name].is_null().all():
        st.write("No fill has a price to be held against yet.")
        return
    show(charts.columns(labels, _floats(months[name]), "Cost", "bps", seen.ink))


def _floats(values: pl.Series) -> NDArray[np.float64]:
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy()


def distribution(seen: Look, months: pl.DataFrame) -> None:
    """Draw how far orders filled from their reference, of the last twelve months at most."""
    last = months["month"].max()
    first = f"{int(str(last)[:4]) - 1}{str(last)[4:]}" if last else ""
    frame = seen.shelf.frame(reading.slips, first)
    if frame.is_empty():
        return
    of = ARRIVAL if frame["of"][0] == "arrival" else CLOSE
    show(charts.costs(frame.select("bps", "orders").drop_nulls(), of, seen.ink))
    st.caption(f"Orders of the last twelve months by their cost against {of}, in bins of 2 basis points.")


def symbols(dealt: pl.DataFrame) -> None:
    """Show the sums by symbol."""
    st.subheader("By symbol", anchor=False)
    frame = by_symbol(dealt)
    shown = {
        "symbol": text("Symbol"),
        "value": amount("Traded, USD", 0),
        "orders": amount("Orders", 0),
        "partial": amount("In part", 0, "Ended with some shares."),
        "unfilled": amount("Unfilled", 0, "Ended with none."),
        "close_bps": amount("Against the close, bps", 1, BPS),
    }
    if frame["arrival_bps"].is_not_null().any():
        shown["arrival_bps"] = amount("Against arrival, bps", 1, BPS)
    table(frame, shown, "By symbol")


def shortfall(seen: Look, first: str) -> None:
    """Show the orders that ended without all their shares."""
    st.subheader("Orders that fell short", anchor=False, help="The rest is planned anew by a later run.")
    frame = seen.shelf.frame(reading.short, first)
    if frame.is_empty():
        st.write("Every order of this range was filled wholly.")
        return
    listed(
        frame.with_columns((100 * pl.col("filled_qty") / pl.col("qty")).alias("part")),
        {
            "session": text("Session"),
            "symbol": text("Symbol"),
            "side": text("Side"),
            "qty": amount("Shares", 4),
            "filled_qty": amount("Filled", 4),
            "part": part("Filled, %"),
            "status": text("Status"),
            "type": text("Type"),
            "reason": text("Why it was sent", wide=True),
        },
        "Orders that fell short",
    )


@st.fragment
def taxed(seen: Look) -> None:
    """Offer the tax lots: to follow every share of ten years takes seconds."""
    about = "By first in, first out. An aid, and no tax advice: what the broker reports counts."
    st.subheader("Tax lots", anchor=False, help=about)
    with st.expander("Gains realised, and the shares that are held", key="lots", on_change="rerun") as box:
        if not box.open:
            return
        try:
            document = seen.shelf.lots()
        except (Halted, OSError) as error:
            st.warning(f"**The lots can't be told.** {literal(error)}")
            return
        if not document["lots"] and not document["sales"]:
            st.write("No share is recorded as held or sold.")
            return
        _realised(document)
        _held_lots(document)


def _realised(document: Document) -> None:
    columns = {
        "year": text("Year"),
        "term": text("Term", "Long: held for more than a year."),
        "sales": amount("Sales", 0),
        "proceeds": amount("Proceeds, USD"),
        "cost": amount("Basis, USD"),
        "gain": amount("Gain, USD"),
        "wash_loss": amount("Wash sales, USD", meaning="Losses that may be disallowed."),
    }
    rows = [[row[name] for name in columns] for row in reversed(document["years"])]
    if rows:
        st.markdown("**Realised**")
        table(rows, columns, "Realised")


def _held_lots(document: Document) -> None:
    columns = {
        "symbol": text("Symbol"),
        "acquired": text("Bought"),
        "qty": amount("Shares", 4),
        "cost": amount("Basis, USD"),
        "value": amount("Worth, USD"),
        "gain": amount("Gain, USD", meaning="Not realised."),
        "days": amount("Days", 0),
        "term": text("Term"),
    }
    rows = [[row[name] for name in columns] for row in document["lots"]]
    if rows:
        st.markdown(f"**Held**, as of {literal(document['as_of'] or 'unknown')}")
        schema = dict.fromkeys(columns, pl.String())
        listed(pl.DataFrame(rows, schema=schema, orient="row", strict=False), columns, "Lots")


def page() -> None:
    """Lay the page out."""
    seen = begin("Trading", "What was bought and sold, at what cost, and what was not filled.")
    runs = seen.shelf.frame(reading.runs)
    if runs.is_empty():
        nothing_yet(seen)
    first = since(runs)
    dealt = seen.shelf.frame(reading.dealt).filter(pl.col("month") >= first[:7])  # read once for any range
    if dealt.is_empty():
        st.info("No order has been sent in this range.")
        return
    months = by_month(dealt, seen.shelf.frame(reading.equity)).filter(pl.col("month") >= first[:7])
    summary(totals(dealt), months)
    monthly(seen, months)
    distribution(seen, months)
    symbols(dealt)
    shortfall(seen, first)
    taxed(seen)


page()
