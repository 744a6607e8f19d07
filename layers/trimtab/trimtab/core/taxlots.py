"""Taxlots: which shares a sale sold, by first in, first out, and what was gained on them.

Shares are exact, money is USD, days are New York trade dates. A lot whose cost nobody recorded has an unknown
basis, and so has what is gained on it. First in, first out is what counts where the owner names no lots (US
Treasury Regulation 1.1012-1(c)(1)). What a wash sale disallows is told, and moved to no other lot.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Closed", "Count", "Event", "Ledger", "Lot", "Moved", "Split", "Term", "Trade", "ledger", "term"]

ONE_DAY = timedelta(days=1)
WASH_DAYS = timedelta(days=30)
"""A purchase so close to a sale at a loss, before or after, takes the loss away (26 U.S. Code 1091(a))."""
GRAIN = Decimal("1e-9")
"""The least part of a share, and of a USD, that is kept apart."""
LEAST_MOVE = Decimal("1e-5")
"""Fewer shares that come or go by no trade are what a split's rounding leaves."""
LEAST_LOSS = Decimal("1e-7")
"""A smaller loss, USD, is what dividing a cost between parts leaves: sold at what it cost is no loss."""
MOST_PARTS = 10_000
"""A split's ratio is a fraction of whole numbers up to this: 0.3333 of a vendor's is one for three."""
NONE = Decimal(0)

Term = Literal["short", "long", "unknown"]


@dataclass(frozen=True, slots=True)
class Trade:
    """Shares bought or sold at USD a share on a trade date; `name` is the execution's, `fee` in USD."""

    name: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    day: date
    fee: Decimal = NONE


@dataclass(frozen=True, slots=True)
class Split:
    """`ratio` new shares stand for one old from the open of its ex-date on."""

    symbol: str
    day: date
    ratio: float


@dataclass(frozen=True, slots=True)
class Moved:
    """Shares that came in (negative: went out) by no trade of ours: their cost, and price, is unknown."""

    symbol: str
    day: date
    qty: Decimal


@dataclass(frozen=True, slots=True)
class Count:
    """All that the account was seen to hold at some time of a day: shares by symbol."""

    day: date
    held: Mapping[str, Decimal]


Event = Trade | Split | Moved | Count


@dataclass(frozen=True, slots=True)
class Lot:
    """Shares bought at once, as far as they are held: `cost` in USD, fees too; None where it is unknown.

    `acquired` is the trade date, None where that is unknown; `spent` are the shares that count already as
    bought in place of shares sold at a loss; `number` counts what came in, in order.
    """

    symbol: str
    qty: Decimal
    cost: Decimal | None
    acquired: date | None
    name: str = ""
    spent: Decimal = NONE
    number: int = 0

    def split(self, ratio: float) -> Lot:
        """Give it after a split: other shares for the same cost."""
        return replace(self, qty=_split(self.qty, ratio), spent=_split(self.spent, ratio))

    def part(self, qty: Decimal) -> tuple[Lot, Lot | None]:
        """Give `qty` shares of it and what is left, None where that is nothing; the costs sum to its own.

        Its first shares are spent first and sold first, as if each had been bought by itself.
        """
        if qty >= self.qty:
            return self, None
        cost = None if self.cost is None else (self.cost * qty / self.qty).quantize(GRAIN)
        rest = None if self.cost is None or cost is None else self.cost - cost
        gone = min(self.spent, qty)
        return (
            replace(self, qty=qty, cost=cost, spent=gone),
            replace(self, qty=self.qty - qty, cost=rest, spent=self.spent - gone),
        )


@dataclass(frozen=True, slots=True)
class Closed:
    """Shares of one lot that one execution sold: `proceeds` and `cost` in USD, fees in them.

    `washed` are those whose loss may be disallowed, since as many were bought within 30 days of the sale.
    """

    symbol: str
    qty: Decimal
    acquired: date | None
    sold: date
    proceeds: Decimal
    cost: Decimal | None
    name: str
    lot: str = ""
    washed: Decimal = NONE

    @property
    def gain(self) -> Decimal | None:
        """What was gained, USD; None where the cost is unknown."""
        return None if self.cost is None else self.proceeds - self.cost

    @property
    def term(self) -> Term:
        """Whether it was held for more than a year."""
        return "unknown" if self.acquired is None else term(self.acquired, self.sold)

    @property
    def lost(self) -> bool:
        """Whether it was sold at a loss."""
        return self.gain is not None and self.gain <= -LEAST_LOSS

    @property
    def disallowed(self) -> Decimal:
        """The part of the loss that may be disallowed, USD above 0."""
        loss = -(self.gain or NONE)
        return (loss * self.washed / self.qty).quantize(GRAIN) if self.washed and loss > 0 else NONE


@dataclass(slots=True)
class _Loss:
    """A sale at a loss: its place among the closed, and the shares that nothing bought makes up for yet.

    `left` counts today's shares, of which `unit` are one of the sale's: a split may lie between. `last` is
    the number of what came in last before the sale.
    """

    place: int
    left: Decimal
    last: int
    unit: Fraction = Fraction(1)


@dataclass(slots=True)
class Ledger:
    """What became of every share.

    `held` are the lots by symbol, oldest first, `closed` what was sold, `moved` what came or went by no trade
    of ours. What a day sold at a loss is judged by what is held at its end, so in how many parts it was sold
    does not matter; an event of a later day ends a day, and so does `settle`.
    """

    held: dict[str, list[Lot]] = field(default_factory=dict)
    closed: list[Closed] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    _losses: dict[str, list[_Loss]] = field(default_factory=dict)
    _today: list[_Loss] = field(default_factory=list)
    _day: date = date.min
    _last: int = 0
    _shares: dict[str, Decimal] = field(default_factory=dict)

    def shares(self, symbol: str) -> Decimal:
        """Give the shares of a symbol in its lots."""
        return self._shares.get(symbol, NONE)

    def take(self, event: Event) -> None:
        """Take an event in; events come in the order of time, a split before the trades of its day."""
        if event.day > self._day:
            self.settle()
            self._day = event.day
        if isinstance(event, Count):
            self._count(event)
            return
        lots = self.held.setdefault(event.symbol, [])
        if isinstance(event, Split):
            lots[:] = [lot.split(event.ratio) for lot in lots]
            self._shares[event.symbol] = sum((lot.qty for lot in lots), NONE)
            self._split_losses(event)
        elif isinstance(event, Moved):
            self._move(event)
        elif event.side == "buy":
            cost = event.qty * event.price + event.fee
            self._in(Lot(event.symbol, event.qty, cost, event.day, event.name))
            self._wash_after(event)
        else:
            sold = self.sale(event)
            self._out(event.symbol, event.qty)
            for closed in sold:
                self.closed.append(closed)
                if closed.lost:
                    self._today.append(_Loss(len(self.closed) - 1, closed.qty, self._last))

    def settle(self) -> None:
        """End a day: set what it sold at a loss against other purchases near it that are held at its end."""
        for loss in self._today:
            closed = self.closed[loss.place]
            lots = self.held[closed.symbol]
            near = _near(lots, closed.sold)
            done, lots[near:] = _washed(closed, lots[near:], loss.last)
            self.closed[loss.place] = done
            loss.left -= done.washed
            if loss.left > 0:
                self._losses.setdefault(closed.symbol, []).append(loss)
        self._today.clear()

    def sale(self, trade: Trade) -> list[Closed]:
        """Give what a sale would close, lot by lot; shares beyond all lots have an unknown basis."""
        taken = _first(self.held.get(trade.symbol, []), trade.qty)[0]
        beyond = trade.qty - sum((lot.qty for lot in taken), NONE)
        if beyond > 0:
            taken.append(Lot(trade.symbol, beyond, None, None))
        whole = left = trade.qty * trade.price - trade.fee
        found = []
        for lot in taken:
            paid = left if lot is taken[-1] else (whole * lot.qty / trade.qty).quantize(GRAIN)
            left -= paid
            found.append(
                Closed(trade.symbol, lot.qty, lot.acquired, trade.day, paid, lot.cost, trade.name, lot.name)
            )
        return found

    def estimate(self, trade: Trade) -> list[Closed]:
        """Give what a sale would close, and of a loss what earlier purchases would take; nothing is kept."""
        lots = self.held.get(trade.symbol, [])
        _, whole, rest = _first(lots, trade.qty)
        lots, found = [*rest, *lots[whole:]], []
        for closed in self.sale(trade):
            done, lots = _washed(closed, lots, self._last)
            found.append(done)
        return found

    def losses(self, symbol: str, day: date) -> list[Closed]:
        """Give the sales at a loss that a purchase on a day would come too close to, where none did yet."""
        found = []
        for loss in self._losses.get(symbol, ()):
            closed = self.closed[loss.place]
            if closed.sold <= day <= closed.sold + WASH_DAYS and loss.left > 0:
                found.append(closed)
        return found

    def _in(self, lot: Lot) -> None:
        self._last += 1
        self.held[lot.symbol].append(replace(lot, number=self._last))
        self._shares[lot.symbol] = self.shares(lot.symbol) + lot.qty

    def _out(self, symbol: str, qty: Decimal) -> None:
        taken, whole, rest = _first(self.held[symbol], qty)
        self.held[symbol][:whole] = rest
        self._shares[symbol] = self.shares(symbol) - sum((lot.qty for lot in taken), NONE)

    def _move(self, event: Moved) -> None:
        self.moved.append(event)
        if event.qty > 0:
            self._in(Lot(event.symbol, event.qty, None, None))
        else:
            self._out(event.symbol, -event.qty)

    def _count(self, event: Count) -> None:
        """Make the lots what was seen to be there; a rounding difference goes to the newest lot."""
        for symbol in sorted({*self.held, *event.held}):
            apart = event.held.get(symbol, NONE) - self.shares(symbol)
            lots = self.held.setdefault(symbol, [])
            if abs(apart) >= LEAST_MOVE:
                self._move(Moved(symbol, event.day, apart))
            elif apart and lots and lots[-1].qty + apart > 0:
                qty = lots[-1].qty + apart
                lots[-1] = replace(lots[-1], qty=qty, spent=min(lots[-1].spent, qty))
                self._shares[symbol] = event.held.get(symbol, NONE)

    def _split_losses(self, event: Split) -> None:
        for loss in self._losses.get(event.symbol, ()):
            loss.left, loss.unit = _split(loss.left, event.ratio), loss.unit * _exact(event.ratio)

    def _wash_after(self, trade: Trade) -> None:
        """Set the newest lot against what was sold at a loss on days before, sold again or not."""
        lots, open_ones = self.held[trade.symbol], []
        for loss in self._losses.get(trade.symbol, ()):
            closed = self.closed[loss.place]
            if trade.day > closed.sold + WASH_DAYS:
                continue  # and never again: days only go on
            some = min(loss.left, lots[-1].qty - lots[-1].spent)
            if some > 0:
                lots[-1] = replace(lots[-1], spent=lots[-1].spent + some)
                loss.left -= some
                shares = (some * loss.unit.denominator / loss.unit.numerator).quantize(GRAIN)
                self.closed[loss.place] = replace(closed, washed=min(closed.washed + shares, closed.qty))
            if loss.left > 0:
                open_ones.append(loss)
        self._losses[trade.symbol] = open_ones


def _near(lots: list[Lot], day: date) -> int:
    """Give the place from which on lots may have been bought at most 30 days before a day."""
    place = len(lots)
    while place and (lots[place - 1].acquired or day) >= day - WASH_DAYS:
        place -= 1
    return place


def _washed(closed: Closed, lots: list[Lot], last: int) -> tuple[Closed, list[Lot]]:
    """Match a loss with other lots bought at most 30 days before: the sale, and the lots, afterwards.

    What is left of the purchase that was sold, so of its day up to number `last`, replaces nothing (Revenue
    Ruling 56-602).
    """
    if not closed.lost:
        return closed, lots
    after = []
    for lot in lots:
        other = lot.acquired != closed.acquired or lot.number > last
        near = other and lot.acquired is not None and closed.sold - WASH_DAYS <= lot.acquired
        some = min(closed.qty - closed.washed, lot.qty - lot.spent) if near else NONE
        closed = replace(closed, washed=closed.washed + some) if some else closed
        after.append(replace(lot, spent=lot.spent + some) if some else lot)
    return closed, after


def _first(lots: list[Lot], qty: Decimal) -> tuple[list[Lot], int, list[Lot]]:
    """Give the first `qty` shares as lots, how many lots they touch, and what is left of those."""
    taken: list[Lot] = []
    for place, lot in enumerate(lots):
        if qty <= 0:
            return taken, place, []
        part, left = lot.part(qty)
        taken.append(part)
        qty -= part.qty
        if left is not None:
            return taken, place + 1, [left]
    return taken, len(lots), []


def _exact(ratio: float) -> Fraction:
    return Fraction(ratio).limit_denominator(MOST_PARTS)


def _split(qty: Decimal, ratio: float) -> Decimal:
    exact = _exact(ratio)
    return (qty * exact.numerator / exact.denominator).quantize(GRAIN)


def term(acquired: date, sold: date) -> Term:
    """Say whether shares were held for more than one year, counted from the day after they were bought.

    Source: Internal Revenue Service, Publication 550, "Holding Period": the day of the purchase does not
    count, the day of the sale does.
    """
    begins = acquired + ONE_DAY
    try:
        over = begins.replace(year=begins.year + 1)
    except ValueError:  # the 29th of February
        over = date(begins.year + 1, 3, 1)
    return "long" if sold >= over else "short"


def ledger(events: Iterable[Event]) -> Ledger:
    """Give what became of every share; `events` come in the order of time."""
    found = Ledger()
    for event in events:
        found.take(event)
    found.settle()
    return found
