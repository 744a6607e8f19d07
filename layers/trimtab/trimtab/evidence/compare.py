"""Compare: what the account made of some sessions beside the backtest of the same ones, and why they differ.

The backtest begins with what the account held, follows the live plan, and fills each order at the open of its
session. Both are valued at the same closes, in shares of the first day (see `witness`).

The gap between them grows by what was filled at another price than the open, by other shares held while
prices moved, and by money that moved beside the fills. Other shares keep the name of their cause until orders
close the difference. What none of this explains is the residual; the parts sum to the gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trimtab.backtesting.ledger import Ledger
from trimtab.backtesting.live import Walk
from trimtab.backtesting.scene import Scene
from trimtab.core.schedule import period
from trimtab.evidence.witness import row_seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from trimtab.backtesting.terms import Costs
    from trimtab.core.bars import Bars
    from trimtab.core.limits import Execution, Risk
    from trimtab.core.mandate import Rule
    from trimtab.core.record import Document
    from trimtab.core.schedule import Interval
    from trimtab.evidence.witness import Day

    Numbers = NDArray[np.float64]

__all__ = ["PARTS", "Comparison", "Deal", "Player", "compare"]

PARTS = ("price", "timing", "unfilled", "plan", "cost", "dividends", "residual")
"""The parts of the gap, in the order in which they are told."""
CAUSES = ("timing", "unfilled", "plan", "dividends", "residual")
"""Why the account holds other shares than the backtest."""
TIMING, UNFILLED, PLAN, DIVIDENDS, RESIDUAL = range(len(CAUSES))
SAME = 1e-9
"""Two quantities that differ by less, as a fraction, are the same."""
CENT = 0.01
"""A difference in shares is told of from so many USD on."""


@dataclass(frozen=True, slots=True)
class Player:
    """Who plays the backtest: a strategy, when it decides, and under which limits and costs.

    `lookback` and `least_history` are in sessions, as in `Mandate`.
    """

    rule: Rule
    lookback: int
    least_history: int
    interval: Interval
    execution: Execution
    risk: Risk
    costs: Costs


class Deal(NamedTuple):
    """One symbol in one session: signed shares as counted that day, USD a share (NaN where there is none).

    `played` is the backtest's. `price_usd` is what the fill's price made of the gap, `why` the shares differ.
    """

    session: np.datetime64
    symbol: str
    planned: float
    filled: float
    price: float
    played: float
    played_price: float
    price_usd: float
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The account beside its backtest over n closes; both start from the first.

    `sessions` (n,); `live` and `played` (n,) equity in USD; `parts` what each session added to the gap, by
    each of `PARTS` (n,) USD; `traded` the account's fills at the opens, USD; `deals` every order of either
    side; `missed` the sessions in which the backtest traded and the account had no plan, with their outcome;
    `notes` of the backtest: session, message.
    """

    sessions: NDArray[np.datetime64]
    live: Numbers
    played: Numbers
    parts: Mapping[str, Numbers]
    traded: float
    deals: tuple[Deal, ...]
    missed: tuple[tuple[np.datetime64, str], ...]
    notes: tuple[tuple[np.datetime64, str], ...]

    @property
    def gap(self) -> Numbers:
        """What the account is worth beyond the backtest at each close (n,), USD."""
        return self.live - self.played

    def document(self) -> Document:
        """Give it as JSON holds it: USD, shares, New York dates."""
        return {
            "start": str(self.sessions[0]),
            "end": str(self.sessions[-1]),
            "start_usd": float(self.live[0]),
            "live_usd": float(self.live[-1]),
            "backtest_usd": float(self.played[-1]),
            "gap_usd": float(self.gap[-1]),
            "parts_usd": {name: float(self.parts[name].sum()) for name in PARTS},
            "traded_usd": self.traded,
            "missed": [{"session": str(session), "outcome": outcome} for session, outcome in self.missed],
            "sessions": [self._session(i) for i in range(len(self.sessions))],
            "orders": [_deal_document(deal) for deal in self.deals],
            "notes": [{"session": str(session), "message": message} for session, message in self.notes],
        }

    def _session(self, i: int) -> Document:
        return {
            "session": str(self.sessions[i]),
            "live_usd": float(self.live[i]),
            "backtest_usd": float(self.played[i]),
            "gap_usd": float(self.gap[i]),
            "parts_usd": {name: float(self.parts[name][i]) for name in PARTS},
        }


def _deal_document(deal: Deal) -> Document:
    document = deal._asdict() | {"session": str(deal.session)}
    return {name: None if value != value else value for name, value in document.items()}  # noqa: PLR0124 - NaN is no JSON


def compare(days: Sequence[Day], bars: Bars, player: Player) -> Comparison:
    """Play the backtest beside the account, and split the gap.

    `days` are a `stretch`; `bars` the prices of the portfolio's symbols in shares of the first day.

    Raises:
        Misconfigured: the prices lack what a run saw.
        Halted: the strategy's weights are not acceptable.
    """
    span = slice(row_seen(bars, days[0]), row_seen(bars, days[-1]) + 1)
    account = _Account(bars, span)
    for day in days:
        account.take(day)
    scene, ledger = _play(account, bars, player, span)
    played = _Played(ledger, span)
    parts, why = _split(account, played)
    return Comparison(
        account.sessions,
        account.equity(),
        played.equity,
        parts,
        float(np.abs(account.filled * account.opens()).sum()),
        tuple(_deals(account, played, why)),
        tuple(_missed(days, account, played)),
        tuple((bars.sessions[row], message) for row, _, message in scene.notes),
    )


class _Account:
    """The account over n closes, in shares of the first day; days are taken in their order.

    Of each session (n, m): `filled`, `planned` signed shares, `spent` signed USD; of what moved between two
    runs without a fill: `slipped` shares, `kept` where their number stayed as counted then, `stray` (n,) USD
    of cash, `flow` (n,) USD of deposits. `basis` (n, m) is what a share of the first day has become.
    """

    def __init__(self, bars: Bars, span: slice) -> None:
        self.sessions, self.symbols = bars.sessions[span], bars.symbols
        whole = _filled_forward(bars.close[: span.stop])
        self.closes, self._open = np.nan_to_num(whole[span]), bars.open[span]
        self._column = {symbol: j for j, symbol in enumerate(bars.symbols)}
        n, m = self.closes.shape
        self.filled, self.planned, self.spent, self.slipped = (np.zeros((n, m)) for _ in range(4))
        self.kept, self.plans = np.zeros((n, m), dtype=np.bool_), np.zeros(n, dtype=np.bool_)
        self.stray, self.flow, self.moved = np.zeros(n), np.zeros(n), np.zeros(n)
        self.basis = np.ones((n, m))
        self.start_cash, self.start = 0.0, np.zeros(m)
        self._cash, self._counted, self._basis, self._begun = 0.0, np.zeros(m), np.ones(m), False

    def take(self, day: Day) -> None:
        """Take a day in: what its run found, then what it traded."""
        row = int(np.searchsorted(self.sessions, day.session))
        if day.observed and (day.seen_on is None or self.sessions[row - 1] == day.seen_on):
            self._find(day, row - 1)
        if row < len(self.sessions) and self.sessions[row] == day.session:
            self._trade(day, row)

    def _find(self, day: Day, row: int) -> None:
        """Take in what a run found at the closes of `row`: nothing to explain on the first day."""
        cash, held = float(day.cash or 0.0), self._spread(day.held)
        with np.errstate(divide="ignore", invalid="ignore"):
            basis = self.closes[row] / self._spread(day.closes)
        basis = np.where(np.isfinite(basis) & (basis > 0), basis, self._basis)
        if self._begun:
            self.flow[row] += day.flow + day.flow_in_kind
            self.stray[row] += cash - self._cash - day.flow
            self.moved[row] += cash - self._cash
            self.kept[row] = np.isclose(held, self._counted, rtol=SAME, atol=0.0)
            self.slipped[row] = held / basis - self._counted / self._basis
        else:
            self.start_cash, self.start, self._begun = cash, held / basis, True
        self._cash, self._counted, self._basis = cash, held, basis
        self.basis[row + 1 :] = basis

    def _trade(self, day: Day, row: int) -> None:
        """Take in what a session planned and filled."""
        self.plans[row] = day.planned is not None
        self.planned[row] = self._spread(day.planned or {}) / self._basis
        shares = self._spread({symbol: filled for symbol, (filled, _) in day.filled.items()})
        self.filled[row] = shares / self._basis
        self.spent[row] = self._spread({symbol: usd for symbol, (_, usd) in day.filled.items()})
        spent = sum(usd for _, usd in day.filled.values())
        self._counted, self._cash = self._counted + shares, self._cash - spent
        self.moved[row] -= spent

    def _spread(self, amounts: Mapping[str, float]) -> Numbers:
        """Lay amounts out by column (m,); what the portfolio does not trade is left out."""
        laid = np.zeros(len(self.symbols))
        for symbol, amount in amounts.items():
            if symbol in self._column:
                laid[self._column[symbol]] = amount
        return laid

    def equity(self) -> Numbers:
        """Give cash and holdings at each close (n,), USD."""
        shares = self.start + np.cumsum(self.filled + self.slipped, axis=0)
        value = np.einsum("ij,ij->i", shares, self.closes)
        return np.asarray(self.start_cash + np.cumsum(self.moved) + value)

    def opens(self) -> Numbers:
        """Give each session's open (n, m), or what was paid where there is none, else the close before."""
        before = np.vstack([self.closes[:1], self.closes[:-1]])
        with np.errstate(divide="ignore", invalid="ignore"):
            paid = np.where(self.filled != 0, self.spent / self.filled, before)
        return np.where(self._open > 0, self._open, paid)


def _filled_forward(close: Numbers) -> Numbers:
    """Give each close, or the last one before it; NaN before the first."""
    known = np.where(np.isnan(close), 0, np.arange(len(close))[:, None])
    return np.take_along_axis(close, np.maximum.accumulate(known, axis=0), axis=0)


def _play(account: _Account, bars: Bars, player: Player, span: slice) -> tuple[Scene, Ledger]:
    """Play the live plan from what the account held at first, with its deposits; fills at the next open."""
    first, last = span.start, span.stop - 1
    scene = Scene(
        bars,
        player.rule,
        _decisions(bars, player.interval, first, last),
        "next_open",
        player.execution.fractional,
        lookback=player.lookback,
        least=player.least_history,
    )
    flows = np.zeros(len(bars.sessions))
    flows[span] = account.flow
    ledger = Ledger.open(
        bars.close, player.costs, account.start_cash, (first, last), None, flows if flows.any() else None
    )
    ledger.shares = account.start.copy()
    ledger.held = ledger.shares.nonzero()[0]
    Walk(scene, ledger, player.execution, player.risk).play()
    return scene, ledger


def _decisions(bars: Bars, interval: Interval, first: int, last: int) -> NDArray[np.int64]:
    """Give the rows that decide: the first, and each before the first session of a period."""
    names = [period(session.item(), interval) for session in bars.sessions[first : last + 1]]
    rows = [i for i in range(last - first) if i == 0 or names[i + 1] != names[i]]
    return np.array(rows, dtype=np.int64) + first


class _Played:
    """The backtest's trades by session (n, m): signed `shares` and `paid` USD; `costs`, `equity` (n,) USD."""

    def __init__(self, ledger: Ledger, span: slice) -> None:
        self.equity = ledger.equity
        shape = span.stop - span.start, ledger.close.shape[1]
        self.shares, self.paid, self.costs = np.zeros(shape), np.zeros(shape), np.zeros(shape[0])
        for row, columns, quantity, price in ledger.trades:
            i = row - span.start
            self.shares[i, columns] += quantity
            self.paid[i, columns] += quantity * price
            self.costs[i] += ledger.costs.total(quantity, price)


def _split(account: _Account, played: _Played) -> tuple[dict[str, Numbers], NDArray[np.str_]]:
    """Give what each session added to the gap by each part (n,), and why each order differs (n, m)."""
    opens, closes, steps, drift = account.opens(), account.closes, _steps(account, played), _drift(account)
    n, m = closes.shape
    held, earned, why = (
        np.zeros((len(CAUSES), m)),
        np.zeros((n, len(CAUSES))),
        np.full((n, m), "", dtype="U9"),
    )
    for i in range(1, n):
        after = _netted(held + steps[i])
        why[i] = _why(steps[i], held.sum(axis=0), after.sum(axis=0), opens[i])
        earned[i] = held @ (opens[i] - closes[i - 1]) + after @ (closes[i] - opens[i])
        held = _netted(after + drift[i])
    parts = {name: earned[:, i] for i, name in enumerate(CAUSES)}
    parts["price"] = (account.filled * opens - account.spent).sum(axis=1)
    parts["cost"] = np.minimum(account.stray, 0.0) + played.costs
    parts["dividends"] += np.maximum(account.stray, 0.0) + (drift[:, DIVIDENDS] * closes).sum(axis=1)
    known = sum((parts[name] for name in PARTS if name != "residual"), np.zeros(n))
    parts["residual"] = np.diff(account.equity() - played.equity, prepend=0.0) - known
    return {name: parts[name] for name in PARTS}, why


def _steps(account: _Account, played: _Played) -> Numbers:
    """Give by how many shares each session's orders let the account differ (n, causes, m)."""
    n, m = account.filled.shape
    steps, planned = np.zeros((n, len(CAUSES), m)), account.plans[:, None]
    steps[:, TIMING] = np.where(planned, 0.0, account.filled - played.shares)
    steps[:, UNFILLED] = np.where(planned, account.filled - account.planned, 0.0)
    steps[:, PLAN] = np.where(planned, account.planned - played.shares, 0.0)
    return steps


def _drift(account: _Account) -> Numbers:
    """Give by how many shares what moved beside the fills lets the account differ (n, causes, m).

    A dividend makes the adjusted past cheaper: what was bought then counts as fewer shares of the first day.
    """
    drift = np.zeros((len(account.slipped), len(CAUSES), account.slipped.shape[1]))
    drift[:, DIVIDENDS] = np.where(account.kept, account.slipped, 0.0)
    drift[:, RESIDUAL] = np.where(account.kept, 0.0, account.slipped)
    return drift


def _netted(held: Numbers) -> Numbers:
    """Let what is held too much for one cause make up for what another lacks (causes, m); the sum stays."""
    total = held.sum(axis=0)
    same = np.where(np.sign(held) == np.sign(total), held, 0.0)
    of = same.sum(axis=0)
    return np.asarray(same * np.divide(total, of, out=np.zeros_like(total), where=of != 0))


def _why(step: Numbers, before: Numbers, after: Numbers, price: Numbers) -> NDArray[np.str_]:
    """Say why each order's shares (m,) differ from the backtest's; nothing where they do not."""
    differs = np.abs(step) * price >= CENT
    closer = np.abs(after) < np.abs(before)
    why = np.where(differs[PLAN], np.where(closer, "made up", "plan"), "")
    why = np.where(differs[UNFILLED], "unfilled", why)
    return np.where(differs[TIMING], "timing", why)


def _deals(account: _Account, played: _Played, why: NDArray[np.str_]) -> Iterator[Deal]:
    """Give every order of either side, by session and symbol, in shares as counted that day."""
    price_usd = account.filled * account.opens() - account.spent
    either = (account.planned != 0) | (account.filled != 0) | (played.shares != 0)
    for i, j in np.argwhere(either).tolist():
        counted = account.basis[i, j]
        filled, shares = account.filled[i, j] * counted, played.shares[i, j] * counted
        yield Deal(
            account.sessions[i],
            account.symbols[j],
            float(account.planned[i, j] * counted),
            float(filled),
            _ratio(account.spent[i, j], filled),
            float(shares),
            _ratio(played.paid[i, j], shares),
            float(price_usd[i, j]),
            str(why[i, j]),
        )


def _ratio(usd: float, shares: float) -> float:
    """Give USD a share; NaN where there are none."""
    return float(usd / shares) if shares else float("nan")


def _missed(days: Sequence[Day], account: _Account, played: _Played) -> Iterator[tuple[np.datetime64, str]]:
    """Give the sessions in which only the backtest had a plan and traded, and what became of theirs."""
    outcomes = {day.session: day.outcome for day in days}
    for i in np.flatnonzero(~account.plans & played.shares.any(axis=1)).tolist():
        session = account.sessions[i]
        yield session, outcomes.get(session) or "no run"
