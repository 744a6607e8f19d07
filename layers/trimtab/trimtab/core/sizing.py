"""Sizing: how much of what to trade, as arrays: band, guard, new cash, caps, turnover, cash, lots.

`size` does the arithmetic on float64 arrays, so that a backtest can call it thousands of times a second;
reasons are flags in an array, which `plan` words on demand.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING

import numpy as np

from trimtab.core.lots import round_down

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from trimtab.core.limits import Execution, Risk
    from trimtab.core.quotes import Touch

    Floats = NDArray[np.float64]


class Why(IntFlag):
    """Reasons of orders and holds; the lower-case name is the stable code that the reason opens with."""

    TO_TARGET = 0
    EXIT = 1
    STAGED = 2
    MAX_ORDER_USD = 4
    MAX_ADV_SHARE = 8
    MAX_TURNOVER = 16
    CASH = 32
    IN_BAND = 64
    MIN_ORDER = 128
    WHOLE_SHARE = 256
    RESTS = 512
    NO_QUOTE = 1024
    MAX_GAP = 2048
    MAX_SPREAD = 4096
    AT_TARGET = 8192
    NO_WEIGHT = 16384
    CASH_FIRST = 32768


SHORTENED = Why.STAGED | Why.MAX_ORDER_USD | Why.MAX_ADV_SHARE | Why.MAX_TURNOVER | Why.CASH
"""What makes an order smaller than its gap."""
GUARDED = Why.NO_QUOTE | Why.MAX_GAP | Why.MAX_SPREAD
"""What the quote guard holds back."""
LEFT_SHORT = SHORTENED | GUARDED | Why.CASH_FIRST
"""What leaves a symbol short of its target, to be gone on with at the next session."""
ALONE = Why.IN_BAND | Why.RESTS | GUARDED | Why.CASH_FIRST
"""What replaces every reason before it."""

_NOISE = 1 + 1e-12
"""A limit counts as passed above this much of it; smaller than what the review forgives."""
_GUARD_FLAG = {"no_quote": Why.NO_QUOTE, "max_gap": Why.MAX_GAP, "max_spread": Why.MAX_SPREAD}


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """What a plan is made from, all arrays (m,) in the order of `symbols`.

    `weights` as asked (fractions of `equity`); `held` shares; `price` last closes, USD a share; `whole`
    where only whole shares trade; `active` where trading is wanted today; `volume` 20-day average, shares
    (inf where it is not judged); `cash`, `equity` and `sent` (value this session sent earlier) in USD.
    `universe` is how many symbols may be traded, where `symbols` are fewer (0: as many). A backtest reviews
    k plans at once: then the arrays are (k, m), and cash, equity and sent (k, 1).
    """

    symbols: tuple[str, ...]
    weights: NDArray[np.float64]
    held: NDArray[np.float64]
    price: NDArray[np.float64]
    whole: NDArray[np.bool_]
    active: NDArray[np.bool_]
    volume: NDArray[np.float64]
    cash: float
    equity: float
    sent: float = 0.0
    universe: int = 0

    @property
    def breadth(self) -> int:
        """How many symbols may be traded."""
        return self.universe or len(self.symbols)


Mark = tuple[Why, "NDArray[np.bool_]"]
"""A reason, and the symbols (m,) that it holds for."""
Marks = list[Mark]


@dataclass(frozen=True, slots=True, eq=False)
class Sized:
    """The sizes of a plan, arrays (m,): `target` and signed `quantity` in shares.

    `weights` are the asked ones after the cash buffer, fractions of equity; `gap` is what the quantity
    would be if nothing shortened it, in shares; `whole` is the book's; `marks` say what held, shortened or
    dropped an order on its way. A backtest sizes thousands of plans and asks few of them why: the flags are
    put together when they are asked for.
    """

    weights: NDArray[np.float64]
    target: NDArray[np.float64]
    gap: NDArray[np.float64]
    quantity: NDArray[np.float64]
    whole: NDArray[np.bool_]
    marks: tuple[Mark, ...] = ()

    @property
    def why(self) -> NDArray[np.int32]:
        """The reasons of each symbol (m,), `Why` flags: who rests or is guarded is only that, caps add up."""
        too_small = np.where(self.whole, int(Why.WHOLE_SHARE), int(Why.MIN_ORDER))
        at_rest = np.where(self.target == 0, too_small, int(Why.AT_TARGET))
        moves = np.where(_leaves(self), int(Why.EXIT), int(Why.TO_TARGET))
        why = np.where(self.gap == 0, np.where(self.weights == 0, int(Why.NO_WEIGHT), at_rest), moves)
        for flag, mask in self.marks:
            why = np.where(mask, int(flag) if flag & ALONE else why | int(flag), why)
        return why.astype(np.int32)

    def marked(self, flags: Why) -> NDArray[np.bool_]:
        """Say of each symbol (m,) whether one of `flags`, all of them marks, holds for it."""
        found = np.zeros(self.gap.shape, dtype=np.bool_)
        wanted = int(flags)
        for flag, mask in self.marks:
            if int(flag) & wanted:
                found |= mask
        return found


def buffered(weights: NDArray[np.float64], buffer: float) -> NDArray[np.float64]:
    """Scale weights (m,) that sum above 1 - buffer down to it."""
    total = float(weights.sum())
    return weights * ((1 - buffer) / total) if total > 1 - buffer else weights


def wanted(book: Book, execution: Execution) -> Sized:
    """Give each symbol's gap to its target; the quantity is 0 where it stays within the band or rests."""
    weights = buffered(book.weights, execution.cash_buffer)
    goal = weights * book.equity
    target = round_down(goal / book.price, book.whole)
    gap = target - book.held
    drift = np.abs(goal - book.held * book.price)
    # a first purchase drifts by its whole goal, and below a goal of 0 lies nothing: both are beyond any band
    in_band = drift < np.minimum(execution.band_relative * goal, execution.band * book.equity)
    rests = ~book.active
    quantity = np.where(in_band | rests, 0.0, gap)
    return Sized(weights, target, gap, quantity, book.whole, ((Why.IN_BAND, in_band), (Why.RESTS, rests)))


def _leaves(sized: Sized) -> NDArray[np.bool_]:
    """Say of each symbol (m,) whether all that is held is to be sold."""
    return np.asarray((sized.weights == 0) & (sized.gap < 0))


def size(book: Book, execution: Execution, risk: Risk, guard: NDArray[np.int32] | None = None) -> Sized:
    """Turn targets into order quantities: band, guard, new cash, caps, turnover, cash, rounding, smallest.

    `guard` (m,) holds `Why` flags of symbols whose quote may not be traded on today, else 0. Sells become
    lots before the buys are fitted to the cash, so that what rounding leaves unsold is not spent.
    """
    wish = wanted(book, execution)
    gap, marks = wish.quantity, list(wish.marks)
    if guard is not None:
        held_back = (guard != 0) & (gap != 0)
        marks += [(flag, held_back & (guard == int(flag))) for flag in GUARDED]
        gap = np.where(held_back, 0.0, gap)
    if execution.cash_flow_first:
        gap = _cash_first(gap, wish, book, execution, risk, marks)
    sells, leaves = gap < 0, _leaves(wish)
    quantity = _within_turnover(_capped(np.abs(gap), book, risk, marks), book, risk, marks)
    exits = leaves & (quantity >= -gap) if np.count_nonzero(leaves) else None
    lots = _in_lots(quantity, exits, book, execution, marks)
    funds = book.cash + float(np.where(sells, lots, 0.0).dot(book.price))
    buys = _within_cash(np.where(sells, 0.0, quantity), max(funds, 0.0), book, marks)
    if buys is not None:
        lots = np.where(sells, lots, _in_lots(buys, None, book, execution, marks))
    return Sized(wish.weights, wish.target, wish.gap, np.where(sells, -lots, lots), wish.whole, tuple(marks))


def _cash_first(gap: Floats, wish: Sized, book: Book, orders: Execution, risk: Risk, marks: Marks) -> Floats:
    """Put off what is sold only in part while new cash waits, and fit the buys, shares (m,), to that cash.

    New is what stands above the cash that the targets leave, from the band's worth on.
    """
    new = book.cash - book.equity * (1 - float(wish.weights.sum()))
    buys, later = np.where(gap > 0, gap, 0.0), (gap < 0) & ~_leaves(wish)
    if not buys.any() or new < orders.band * book.equity:
        return gap
    cut: Marks = [(Why.CASH_FIRST, later)]
    buys = buys if (fitted := _within_cash(buys, new, book, cut)) is None else fitted
    if not (_in_lots(_capped(buys, book, risk, []), None, book, orders, []) > 0).any():
        return gap  # it buys nothing by itself: sells that waited for it would wait for ever
    marks += cut
    return np.where(later, 0.0, np.where(gap > 0, buys, gap))


def order_sizes(symbols: Sequence[str], risk: Risk) -> float | NDArray[np.float64]:
    """Give the largest order, fraction of equity: one for all, or (m,) where a symbol has its own."""
    if not risk.max_order_size_by_symbol:
        return risk.max_order_size
    return np.array([risk.order_size(symbol) for symbol in symbols])


def _capped(wish: Floats, book: Book, risk: Risk, marks: Marks) -> Floats:
    """Cut each order to `max_order_size`, `max_order_usd` and `max_adv_share`."""
    staged = order_sizes(book.symbols, risk) * book.equity
    traded, usd = risk.max_adv_share * book.volume, risk.max_order_usd
    most = min(staged, usd) if isinstance(staged, float) else np.minimum(staged, usd)
    tightest = np.minimum(most / book.price, traded)
    if not np.count_nonzero(wish > tightest * _NOISE):
        return wish
    quantity = wish
    caps = (
        (Why.STAGED, staged / book.price),
        (Why.MAX_ORDER_USD, usd / book.price),
        (Why.MAX_ADV_SHARE, traded),
    )
    for flag, cap in caps:
        over = quantity > cap * _NOISE
        marks.append((flag, over))
        quantity = np.where(over, cap, quantity)
    return quantity


def _within_turnover(quantity: Floats, book: Book, risk: Risk, marks: Marks) -> Floats:
    """Scale all orders by one factor, so that the session's value stays within `max_turnover`."""
    total = float(quantity.dot(book.price))
    room = max(risk.max_turnover * book.equity - book.sent, 0.0)
    if not total > room * _NOISE:
        return quantity
    marks.append((Why.MAX_TURNOVER, quantity > 0))
    return _scaled(quantity, room / total, book)


def _within_cash(buys: Floats, funds: float, book: Book, marks: Marks) -> Floats | None:
    """Scale the buys by one factor, so that the funds, USD, pay for them; None where they do as it is."""
    cost = float(buys.dot(book.price))
    if not cost > funds * _NOISE:  # also where a NaN is in it: the review refuses that by name
        return None
    marks.append((Why.CASH, buys > 0))
    return _scaled(buys, funds / cost, book)


def _scaled(quantity: Floats, factor: float, book: Book) -> Floats:
    """Scale orders by one factor; what breaks off whole shares makes whole ones again, the largest first.

    Otherwise ten orders of one share each, scaled to half a share, would never be traded.
    """
    scaled = quantity * factor
    broken = book.whole & (scaled > 0)
    if not broken.any():
        return scaled
    kept = np.where(broken, np.floor(scaled), scaled)
    left = float((scaled - kept) @ book.price)
    for i in np.argsort((kept - scaled) * book.price, kind="stable"):
        if broken[i] and book.price[i] <= left and kept[i] + 1 <= quantity[i]:
            kept[i] += 1
            left -= book.price[i]
    return kept


def _in_lots(
    quantity: Floats, exits: NDArray[np.bool_] | None, book: Book, execution: Execution, marks: Marks
) -> Floats:
    """Round down (full `exits` keep their exact quantity) and turn what is too small into holds."""
    rounded = round_down(quantity, book.whole)
    if exits is not None:
        rounded = np.where(exits, quantity, rounded)
    dropped = (quantity > 0) & (rounded * book.price < execution.min_order_usd)
    if not np.count_nonzero(dropped):
        return rounded
    fractions = dropped & book.whole & (rounded == 0)
    marks += [(Why.WHOLE_SHARE, fractions), (Why.MIN_ORDER, dropped & ~fractions)]
    return np.where(dropped, 0.0, rounded)


def guards(symbols: Sequence[str], touches: Mapping[str, Touch]) -> NDArray[np.int32]:
    """Give the `Why` flag (m,) of each symbol that its quote holds back, else 0."""
    held = (touches[symbol].held if symbol in touches else None for symbol in symbols)
    return np.array([0 if h is None else int(_GUARD_FLAG[h]) for h in held], dtype=np.int32)
