"""Books: small worlds for the tests of the plan and its review, and hypothesis strategies that make them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from trimtab.core.limits import Execution, Risk
from trimtab.core.plan import Plan
from trimtab.core.portfolio import Asset
from trimtab.core.risk import Conditions
from trimtab.core.sizing import Book, Sized, size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLAIN = Execution(band=0, band_relative=0, cash_buffer=0, min_order_usd=0.01)
"""No band, no buffer: the caps alone decide."""
WIDE = Risk(max_order_size=1.0, max_turnover=2.0, max_order_usd=1e12, max_position=1.0, max_adv_share=1.0)
"""No cap bites."""


def book_of(
    weights: Mapping[str, float],
    held: Mapping[str, float] | None = None,
    prices: Mapping[str, float] | None = None,
    *,
    cash: float = 0.0,
    whole: bool = False,
) -> Book:
    """Give a book of the symbols of `weights`, priced 100 unless told; equity is cash and holdings."""
    symbols = tuple(weights)
    shares = np.array([(held or {}).get(symbol, 0.0) for symbol in symbols])
    price = np.array([(prices or {}).get(symbol, 100.0) for symbol in symbols])
    m = len(symbols)
    return Book(
        symbols=symbols,
        weights=np.array([weights[symbol] for symbol in symbols], dtype=float),
        held=shares,
        price=price,
        whole=np.full(m, whole),
        active=np.ones(m, dtype=bool),
        volume=np.full(m, np.inf),
        cash=cash,
        equity=cash + float(shares @ price),
    )


def sent(book: Book, quantity: Mapping[str, float], **limits: object) -> Plan:
    """Give a plan that trades exactly these signed shares, whatever sizing would say."""
    shares = np.array([quantity.get(symbol, 0.0) for symbol in book.symbols])
    return Plan(book, Sized(book.weights, book.held + shares, shares, shares, book.whole), **limits)  # type: ignore[arg-type]  # keywords of Plan


def listed(symbols: Sequence[str], *, order_ids: int = 0, runs: int = 0) -> Conditions:
    """Give conditions in which the broker lists every symbol."""
    assets = {symbol: Asset(symbol, "active", tradable=True, fractionable=True) for symbol in symbols}
    return Conditions(assets, order_ids, runs)


def filled(book: Book, sized: Sized) -> Book:
    """Give the next session's book: every order filled at the book's prices."""
    cash = book.cash - float(sized.quantity @ book.price)
    held = np.maximum(book.held + sized.quantity, 0.0)
    return replace(book, held=held, cash=cash, equity=cash + float(held @ book.price))


def sessions(book: Book, execution: Execution, risk: Risk, most: int) -> list[Sized]:
    """Trade a book at fixed prices until a session sends nothing, at most so many sessions."""
    days = []
    for _ in range(most):
        days.append(size(book, execution, risk))
        if not days[-1].quantity.any():
            break
        book = filled(book, days[-1])
    return days


def exact_holdings(book: Book) -> dict[str, Decimal]:
    """Give the holdings as the broker prints them, 9 decimals."""
    return {s: Decimal(f"{h:.9f}") for s, h in zip(book.symbols, book.held, strict=True) if h > 0}


fractions = st.floats(0.01, 1.0)
risks = st.builds(
    Risk,
    max_order_size=fractions,
    max_order_usd=st.floats(1.0, 1e7),
    max_turnover=st.floats(0.01, 2.0),
    max_adv_share=fractions,
    max_order_size_by_symbol=st.dictionaries(st.sampled_from(["S0", "S1", "NONE"]), fractions, max_size=2),
)
executions = st.builds(
    Execution,
    band=st.sampled_from([0.0, 0.005, 0.05]),
    band_relative=st.sampled_from([0.0, 0.2, 0.5]),
    cash_buffer=st.sampled_from([0.0, 0.01, 0.2]),
    min_order_usd=st.sampled_from([0.01, 1.0, 50.0]),
)


@st.composite
def books(draw: st.DrawFn, most: int = 8, least: int = 1) -> Book:
    """Draw a book of `least` to `most` symbols: holdings of 9 decimals, prices from 0.1 cent to 600,000."""
    m = draw(st.integers(least, most))

    def each(values: st.SearchStrategy[float]) -> np.ndarray:
        return np.array(draw(st.lists(values, min_size=m, max_size=m)), dtype=float)

    price = each(st.one_of(st.floats(0.001, 600_000), st.sampled_from([0.01, 1.0, 99.99, 100.0])))
    worth = each(st.one_of(st.just(0.0), st.floats(0, 1e6)))
    held = np.round(worth / price, 9)
    cash = draw(st.one_of(st.just(0.0), st.floats(-100, 1e6)))
    raw = each(st.one_of(st.just(0.0), st.floats(0, 1)))
    total = max(raw.sum(), 1.0)
    equity = cash + float(held @ price)
    if equity <= 1.0:
        cash, equity = cash + 1000.0, equity + 1000.0
    return Book(
        symbols=tuple(f"S{i}" for i in range(m)),
        weights=raw / total,
        held=held,
        price=price,
        whole=each(st.booleans()).astype(bool),
        active=each(st.sampled_from([True, True, True, False])).astype(bool),
        volume=each(st.one_of(st.just(np.inf), st.just(0.0), st.floats(1, 1e7))),
        cash=cash,
        equity=equity,
        sent=draw(st.one_of(st.just(0.0), st.floats(0, 2 * equity))),
    )
