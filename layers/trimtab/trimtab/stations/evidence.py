"""Evidence: what one run has seen and done so far; the only mutable thing on the line."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from trimtab.core.lots import plain, printed
from trimtab.core.record import VERSION, Document
from trimtab.core.schedule import hours_of, session_of
from trimtab.core.verdict import Verdict
from trimtab.errors import Halted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime
    from decimal import Decimal

    from trimtab.core.actions import Action
    from trimtab.core.bars import Bars
    from trimtab.core.mandate import Mandate
    from trimtab.core.portfolio import Account, Asset, Position, Quote, SessionHours
    from trimtab.core.risk import Conditions
    from trimtab.errors import Interrupted
    from trimtab.execute.floor import Chain


@dataclass(slots=True)
class Evidence:
    """What a run has seen and done. Stations add to it; `record` writes it down, whatever stopped the run.

    `more` are the keys of a run that saves a plan, or applies a saved one.
    """

    mandate: Mandate
    run_id: str
    monotonic: Callable[[], float]
    started_at: datetime | None = None
    finished_at: datetime | None = None
    session: date | None = None
    outcome: str = ""
    stage: str | None = None
    code: str = ""
    reason: str = ""
    error: Document | None = None
    account: Account | None = None
    h8: str | None = None
    equity: float | None = None
    bars: Bars | None = None
    actions: tuple[Action, ...] = ()
    inputs_digest: str | None = None
    weights: dict[str, float] = field(default_factory=dict)
    positions_before: list[dict[str, str | None]] = field(default_factory=list)
    positions_after: list[dict[str, str | None]] = field(default_factory=list)
    quotes: list[Document] = field(default_factory=list)
    assets: list[Document] = field(default_factory=list)
    conditions: Document | None = None
    plan: Document | None = None
    planned: list[Document] = field(default_factory=list)
    holds: list[Document] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    orders: list[Document] = field(default_factory=list)
    fills: list[Document] = field(default_factory=list)
    decision: Document | None = None
    events: list[Document] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    resumed: str | None = None
    account_equity: Decimal | None = None
    flows: list[Document] = field(default_factory=list)
    calendar: tuple[SessionHours, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)
    more: Document = field(default_factory=dict)
    _started: float = 0.0
    _entered: float = 0.0
    _station: str = ""

    def enter(self, station: str) -> None:
        """Note that the run is in a station now, and how many seconds it was in the one before."""
        now = self.monotonic()
        if self._station:
            self.timings[self._station] = self.timings.get(self._station, 0.0) + now - self._entered
        self.stage, self._station, self._entered = station, station, now

    def note(self, level: str, stage: str, code: str, message: str) -> None:
        """Add an event: something a person may want to know."""
        at = None if self.started_at is None else stamp(self.started_at)
        event_id = f"{self.run_id}-{len(self.events)}"
        self.events.append(
            {"id": event_id, "at": at, "level": level, "stage": stage, "code": code, "message": message}
        )

    def begin(self, now: datetime) -> None:
        """Take the broker's clock as this run's, in its id too."""
        self.started_at, self.session, self._started = now, session_of(now), self.monotonic()
        self.run_id = f"{now:%Y%m%dT%H%M%SZ}-{self.run_id.rpartition('-')[2]}"

    def finish(self) -> None:
        """Note the end, on the broker's clock, and the time in the last station."""
        stage = self.stage
        self.enter(self._station)
        self.stage = stage
        if self.started_at is not None:
            self.finished_at = self.started_at + timedelta(seconds=self._entered - self._started)

    def end(self, outcome: str, code: str, reason: str) -> None:
        """Note that the run ended well."""
        self.outcome, self.stage, self.code, self.reason = outcome, None, code, reason

    def stop(self, error: Halted | Interrupted) -> None:
        """Note what stopped the run; the station it was in stays."""
        self.outcome = "halted" if isinstance(error, Halted) else "interrupted"
        self.code, self.reason, self.error = error.code, str(error), error.document()
        self.note("error", self.stage or "", error.code, str(error))

    def take_plan(self, plan: Document) -> None:
        """Take the stored plan as this run's: what it says counts, whoever made it."""
        self.plan = plan
        self.weights = {symbol: float(weight) for symbol, weight in plan["weights"].items()}
        self.decision, self.equity, self.holds = plan["decision"], float(plan["equity"]), plan["holds"]
        shown = ("symbol", "side", "type", "qty", "limit_price", "reason")
        self.planned = [{name: order[name] for name in shown} for order in plan["orders"]]
        judged = {verdict["rule"] for verdict in plan["verdicts"]}
        of_plan = [Verdict(**verdict) for verdict in plan["verdicts"]]
        self.verdicts = [verdict for verdict in self.verdicts if verdict.rule not in judged] + of_plan

    def conclude(self, chains: Sequence[Chain]) -> None:
        """Note that the plan is done: what was traded, what stayed unfilled, what a later session owes."""
        unfilled = [chain for chain in chains if chain.ended != "filled"]
        short = () if self.plan is None else self.plan["short"]
        owed = {*short, *(chain.order.symbol for chain in unfilled)}
        if self.decision is not None:
            self.decision = self.decision | {"pending": sorted(owed)}
        if not chains:
            self.end(
                "in_band", "in_band", "in_band: every holding is where it should be, or held for its reason"
            )
            return
        text = f"traded: {orders(len(chains))}"
        for chain in unfilled:
            text += (
                f"; {chain.order.symbol} {plain(chain.filled)} of {plain(chain.order.qty)} ({chain.ended})"
            )
        self.end("traded", "traded", text)

    def closes(self) -> dict[str, str]:
        """Give the last close of each symbol, USD a share, that sized the plan; empty without bars."""
        if self.bars is None or not len(self.bars.close):
            return {}
        last = self.bars.close[-1].tolist()
        return {symbol: repr(price) for symbol, price in zip(self.bars.symbols, last, strict=True)}

    def data_age_s(self) -> float | None:
        """Give the seconds from the close of the last bar to the run's start; None without either."""
        if self.bars is None or not len(self.bars.sessions) or self.started_at is None:
            return None
        hours = hours_of(self.calendar, self.bars.sessions[-1].item())
        return None if hours is None else round((self.started_at - hours.closes).total_seconds(), 3)

    def document(self) -> Document:
        """Give record.json."""
        mandate = self.mandate
        return {
            "version": VERSION,
            "run_id": self.run_id,
            "portfolio": mandate.portfolio,
            "session": None if self.session is None else self.session.isoformat(),
            "mode": mandate.mode,
            "host": mandate.host,
            "dry_run": mandate.dry_run,
            "outcome": self.outcome,
            "stage": self.stage,
            "code": self.code,
            "reason": self.reason,
            "error": self.error,
            "started_at": None if self.started_at is None else stamp(self.started_at),
            "finished_at": None if self.finished_at is None else stamp(self.finished_at),
            "equity": None if self.equity is None else f"{self.equity:.2f}",
            "cash": None if self.account is None else printed(self.account.cash),
            "account": None if self.account is None else account_document(self.account, self.h8),
            "universe": list(mandate.universe),
            "interval": mandate.interval,
            "lookback": mandate.lookback,
            "config": dict(mandate.config),
            "config_digest": mandate.config_digest,
            "code_digest": mandate.code_digest,
            "code_version": mandate.version,
            "inputs_digest": self.inputs_digest,
            "plan_digest": None if self.plan is None else self.plan["plan_digest"],
            "plan": self.plan,
            "decision": self.decision,
            "weights": {symbol: repr(weight) for symbol, weight in self.weights.items()},
            "closes": self.closes(),
            "positions_before": self.positions_before,
            "positions_after": self.positions_after,
            "quotes": self.quotes,
            "assets": self.assets,
            "conditions": self.conditions,
            "actions": [action.document() for action in self.actions],
            "planned": self.planned,
            "holds": self.holds,
            "verdicts": [verdict.document() for verdict in self.verdicts],
            "orders": self.orders,
            "fills": self.fills,
            "events": self.events,
            "resumed": self.resumed,
            "account_equity": None if self.account_equity is None else printed(self.account_equity),
            "flows": self.flows,
            "timings": {station: round(seconds, 3) for station, seconds in self.timings.items()},
            "data_age_s": self.data_age_s(),
            **self.more,
        }


def orders(count: int) -> str:
    """Say how many orders, for people."""
    return "1 order" if count == 1 else f"{count} orders"


def stamp(moment: datetime) -> str:
    """Write an instant as UTC ISO 8601 with microseconds and Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def account_document(account: Account, h8: str | None) -> Document:
    """Give what a record keeps of the account: never its number, only h8."""
    return {
        "h8": h8,
        "status": account.status,
        "currency": account.currency,
        "cash": printed(account.cash),
        "equity": printed(account.equity),
        "last_equity": None if account.last_equity is None else printed(account.last_equity),
        "buying_power": None if account.buying_power is None else printed(account.buying_power),
    }


def position_document(position: Position, price: Decimal | float | None) -> dict[str, str | None]:
    """Give a row of `positions`: shares, last close and value (USD), as texts."""
    value = None if price is None else f"{float(position.qty) * float(price):.2f}"
    return {
        "symbol": position.symbol,
        "qty": printed(position.qty),
        "price": None if price is None else f"{float(price):.4f}",
        "market_value": value,
    }


def quote_document(quote: Quote) -> Document:
    """Give what a record keeps of a quote."""
    return {
        "symbol": quote.symbol,
        "bid": printed(quote.bid),
        "ask": printed(quote.ask),
        "at": None if quote.at is None else stamp(quote.at),
        "last": None if quote.last is None else printed(quote.last),
        "last_at": None if quote.last_at is None else stamp(quote.last_at),
    }


def asset_document(asset: Asset) -> dict[str, Any]:
    """Give what a record keeps of an asset."""
    return {
        "symbol": asset.symbol,
        "status": asset.status,
        "tradable": asset.tradable,
        "fractionable": asset.fractionable,
    }


def conditions_document(sent: float, conditions: Conditions) -> Document:
    """Give what a record keeps of what the rules looked back on: exact floats, and `sent` in USD."""
    approval, move = conditions.approval, conditions.equity_move
    return {
        "sent": repr(float(sent)),
        "order_ids": conditions.order_ids,
        "runs_with_orders": conditions.runs_with_orders,
        "drawdown": repr(float(conditions.drawdown)),
        "equity_move": None if move is None else repr(float(move)),
        "approval": approval
        and {
            "live": approval.live,
            "config": approval.config,
            "code": approval.code,
            "agreed": [list(pair) for pair in approval.agreed],
        },
    }
