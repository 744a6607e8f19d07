"""Replay: a recorded run worked out again from what it saw, and held against what it wrote.

The same stations do it: the strategy, the book, the plan and the risk review. What they were given (prices,
cash, holdings, quotes, listings, what the rules looked back on) is the record's.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from trimtab.core.bars import FIELDS, Bars
from trimtab.core.limits import Execution, Risk
from trimtab.core.mandate import Mandate
from trimtab.core.portfolio import Account, Asset, Portfolio, Position
from trimtab.core.record import canonical, inputs_digest
from trimtab.core.risk import RULES, Approval, Conditions, adopt
from trimtab.core.verdict import Verdict
from trimtab.errors import Halted
from trimtab.evidence.books import Witnessed
from trimtab.evidence.quoted import touches_of
from trimtab.evidence.seal import opened, plan_key
from trimtab.stations import account, prices
from trimtab.stations.arrive import Today
from trimtab.stations.evidence import Evidence
from trimtab.stations.history import Waiting
from trimtab.stations.writeahead import plan_document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trimtab.core.mandate import Rule
    from trimtab.core.plan import Plan
    from trimtab.core.record import Document
    from trimtab.core.risk import Approved
    from trimtab.evidence.seal import Sealed
    from trimtab.ports import Store

__all__ = ["PRUNED", "Decider", "Difference", "Replayed", "Replayer"]

STANDING = frozenset({"equal", "sound", "unmade", "no_plan", "dead"})
"""Results that speak against no record."""
PRUNED = "pruned"
"""The result of a run whose inputs were removed, as a mark says; whoever forges records can forge marks."""
REVIEWED = "numbers"
"""The verdict that shows that a run reached the risk review."""
LOOK_BACK = frozenset(
    {"max_orders", "max_runs_with_orders", "max_drawdown", "max_equity_move", "require_approval"}
)
"""Rules whose conditions records did not keep at first: there, their verdicts stand as recorded."""
OF_VOLUME = frozenset({"max_adv_share"})
"""Rules that measure by volume."""


@dataclass(frozen=True, slots=True)
class Decider:
    """A strategy as it is here now, None where it can't be loaded, and the digest of code that it gives."""

    rule: Rule | None
    code_digest: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One part that is not what was recorded, as short texts."""

    where: str
    recorded: str
    recomputed: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of one run's replay.

    `result` is `equal`, `differs`, `damaged` (a file is not as it was written), `cleared` (its inputs were
    taken away), `pruned` (by `trimtab prune`, as its mark says), `unmade` (its plan is of a run that left no
    record; it is the stored one), `no_plan` (it never made one), `dead`, or of a verification `sound`.
    `weights` are `recomputed` or `recorded`; `detail` says why, or what is wrong.
    """

    run_id: str
    session: str
    result: str
    weights: str | None = None
    detail: str = ""
    differences: tuple[Difference, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether nothing speaks against the record, and nothing is missing to say so."""
        return self.result in STANDING

    def document(self) -> Document:
        """Give it as JSON."""
        return {
            "run_id": self.run_id,
            "session": None if self.session == "none" else self.session,
            "result": self.result,
            "weights": self.weights,
            "detail": self.detail,
            "differences": [
                {"where": d.where, "recorded": d.recorded, "recomputed": d.recomputed}
                for d in self.differences
            ],
        }


@dataclass(slots=True)
class Replayer:
    """What replays runs of one store: how inputs are read, and how a recorded strategy is found.

    `loopback` says whether the broker's host (as in a record, with its port) is this machine.
    `witnessed` is what the records that were found sound say of other files.
    """

    store: Store
    read_inputs: Callable[[bytes], Bars]
    decider: Callable[[Document], Decider]
    loopback: Callable[[str], bool]
    witnessed: Witnessed = field(default_factory=Witnessed)
    _known: dict[bytes, Decider] = field(default_factory=dict)

    def replay(self, folder: str) -> Replayed:
        """Replay the run of a folder; one that took up another's plan, by that run's inputs.

        Raises:
            OSError: the store can't be read.
        """
        sealed = opened(self.store, folder)
        record = sealed.record
        if record is None:
            return _unread(sealed)
        plan = record["plan"]
        if plan is not None and plan["run_id"] != record["run_id"]:
            return self._adopted(sealed, f"{folder.rsplit('/', 1)[0]}/{plan['run_id']}")
        if plan is None and REVIEWED not in {verdict["rule"] for verdict in record["verdicts"]}:
            return Replayed(sealed.run_id, sealed.session, "no_plan", None, _ended(record))
        if sealed.inputs is None:
            return Replayed(sealed.run_id, sealed.session, *sealed.gone)
        return self._held(sealed, record, sealed.inputs)

    def _adopted(self, sealed: Sealed, maker: str) -> Replayed:
        """Replay the run that made the plan, where it left a record."""
        maker_id = maker.rsplit("/", 1)[1]
        found = opened(self.store, maker)
        if found.dead:
            text = f"the plan is the stored one; run {maker_id} made it and left no record"
            return Replayed(sealed.run_id, sealed.session, "unmade", None, text)
        plan = (found.record or {}).get("plan")
        if plan is not None and plan["run_id"] != maker_id:  # two records that name each other made nothing
            text = f"its plan is said to be of run {maker_id}, which made none"
            return Replayed(sealed.run_id, sealed.session, "differs", None, text)
        made = self.replay(maker)
        text = f"it continued the plan of run {maker_id}" + (f": {made.detail}" if made.detail else "")
        return replace(made, run_id=sealed.run_id, detail=text)

    def _held(self, sealed: Sealed, record: Document, inputs: bytes) -> Replayed:
        """Work a run out again, and hold it against its record."""
        bars = self._bars(record, inputs)
        if isinstance(bars, str):
            return Replayed(sealed.run_id, sealed.session, "damaged", None, bars)
        decider = self._decider(record)
        try:
            walk = partial(_passed, record, bars, loopback=self.loopback(record["host"]))
            found = _worked_out(record, walk, decider)
        except Exception as error:  # noqa: BLE001 - a record that no run can have made fails anywhere; it is named
            text = f"it can't be worked out: {type(error).__name__}: {error}"
            return Replayed(sealed.run_id, sealed.session, "differs", None, text)
        differences = tuple(_differences(record, found.document))
        result = "differs" if differences else "equal"
        return Replayed(sealed.run_id, sealed.session, result, found.weights, found.detail, differences)

    def _bars(self, record: Document, inputs: bytes) -> Bars | str:
        """Read a run's inputs, or say what is wrong with them."""
        try:
            bars = _columns(self.read_inputs(inputs), record["universe"])
        except ValueError as error:
            return f"inputs.parquet: {error}"
        right = inputs_digest(bars) == record["inputs_digest"]
        return bars if right else "inputs.parquet: other bars than those of inputs_digest"

    def verify(self, folder: str) -> Replayed:
        """Hold a run's files against their sums and digests, without working anything out.

        Raises:
            OSError: the store can't be read.
        """
        sealed = opened(self.store, folder)
        if sealed.record is None:
            return _unread(sealed)
        self._witness(sealed.record)
        if sealed.cleared:
            return Replayed(sealed.run_id, sealed.session, *sealed.gone)
        bars = None if sealed.inputs is None else self._bars(sealed.record, sealed.inputs)
        if isinstance(bars, str):
            return Replayed(sealed.run_id, sealed.session, "damaged", None, bars)
        return Replayed(sealed.run_id, sealed.session, "sound")

    def _witness(self, record: Document) -> None:
        """Note what a sound record says of files outside its folder."""
        if record["plan"] is not None:
            self.witnessed.plans.add(plan_key(record))
        account = record["account"]
        if account is not None and account["h8"] is not None and not record["dry_run"]:
            self.witnessed.accounts.add((account["h8"], record["mode"]))
        run = Waiting.of(record)
        if run is not None and record["code"] == "require_approval" and not record["dry_run"]:
            self.witnessed.waited.add(run)

    def _decider(self, record: Document) -> Decider:
        key = canonical(record["config"]["strategy"])
        if key not in self._known:
            self._known[key] = self.decider(record["config"])
        return self._known[key]


def _unread(sealed: Sealed) -> Replayed:
    result = "dead" if sealed.dead else "damaged"
    detail = "the run died before it was recorded" if sealed.dead else "; ".join(sealed.faults)
    return Replayed(sealed.run_id, sealed.session, result, None, detail)


def _ended(record: Document) -> str:
    return f"{record['outcome']}: it ended before a plan was reviewed"


def _columns(bars: Bars, universe: list[str]) -> Bars:
    """Give the bars a column for every symbol of the universe: a file has no rows of one without prices."""
    if bars.symbols == tuple(universe):
        return bars
    long = bars.frame()
    names = (*FIELDS, "raw_close")
    columns = {name: long[name].to_numpy() for name in names}
    return Bars.from_columns(long["symbol"].to_numpy(), long["session"].to_numpy(), columns, universe)


@dataclass(frozen=True, slots=True)
class _Found:
    """What came out: the parts of a record, and where the weights are from."""

    document: Document
    weights: str
    detail: str


def _worked_out(record: Document, walk: Callable[[Rule], Document], decider: Decider) -> _Found:
    """Pass the stations from the strategy to the risk review once more; `walk` does, with a rule.

    Weights that the strategy gives otherwise than recorded differ only where its code is the same: other code
    may decide otherwise, and then the plan is worked out from the recorded ones.
    """
    asked = (record["plan"] or record)["weights"]
    taken: Rule = lambda _history, _equity: {symbol: float(weight) for symbol, weight in asked.items()}  # noqa: E731 - a strategy that gives what was recorded
    if _carried(record):
        return _Found(walk(taken), "recorded", "decided in an earlier session")
    if decider.rule is not None:
        try:
            ours = walk(decider.rule)
        except Halted as refused:
            ours = {"weights": str(refused)}
        if ours["weights"] == asked or decider.code_digest == record["code_digest"]:
            return _Found(ours, "recomputed", "")
    same = decider.code_digest == record["code_digest"]
    why = "the strategy can't be loaded" if decider.rule is None or same else "strategy code differs"
    return _Found(walk(taken), "recorded", f"{why}: weights taken as recorded")


def _carried(record: Document) -> bool:
    """Say whether an earlier session of the period decided the weights."""
    decision = (record["plan"] or record)["decision"]
    return decision is not None and decision["session"] != record["session"]


def _passed(record: Document, bars: Bars, rule: Rule, *, loopback: bool) -> Document:
    """Walk the line from the strategy to the review, as `rebalance` does, and give what it words.

    Raises:
        Halted: the strategy's weights are not acceptable.
    """
    mandate = _mandate(record, rule, loopback=loopback)
    evidence = _evidence(record, mandate)
    portfolio = _portfolio(record)
    now = datetime.fromisoformat(record["started_at"])
    today = Today(date.fromisoformat(record["session"]), now, None, ())
    equity = evidence.equity = account.equity_of(portfolio, bars)
    carried = (record["plan"] or record)["decision"] if _carried(record) else None
    active = prices.decide(bars, equity, mandate, carried, today, evidence)
    kept = record.get("conditions")
    sent = (
        float(kept["sent"]) if kept else 0.0
    )  # a session with orders has its plan: nothing is sent before it
    book = account.book_of(portfolio, evidence.weights, bars, equity, mandate, active, sent)
    assets = {asset["symbol"]: Asset(**asset) for asset in record["assets"]}
    plan = account.sized(book, mandate, portfolio, assets, touches_of(record, book, mandate))
    return _worded(record, plan, _conditions(kept, assets), mandate, portfolio.account.cash, evidence)


def _worded(
    record: Document,
    plan: Plan,
    conditions: Conditions,
    mandate: Mandate,
    cash: Decimal,
    evidence: Evidence,
) -> Document:
    """Review a plan, and word it as record and store hold it."""
    approved: Approved | None = None
    with suppress(Halted):  # its verdict says so, too
        approved = account.risk(plan, conditions, mandate, cash, evidence)
    if standing := _standing(record):
        evidence.verdicts = _as_recorded(evidence.verdicts, record, standing)
        approved = None if approved is None else adopt(approved.orders, evidence.verdicts, approved.cash)
    document: Document = {
        "equity": f"{plan.book.equity:.2f}",
        "inputs_digest": record["inputs_digest"],
        "weights": {symbol: repr(weight) for symbol, weight in evidence.weights.items()},
        "planned": evidence.planned,
        "holds": evidence.holds,
        "verdicts": [verdict.document() for verdict in evidence.verdicts],
    }
    if record["plan"] is not None:
        nonce = record["plan"]["nonce"]
        document["plan"] = approved and plan_document(plan, approved, mandate, evidence, nonce)
    return document


def _standing(record: Document) -> frozenset[str]:
    """Name the rules whose verdicts stand as recorded: what they measured is not in the record.

    Of a saved plan the record keeps the bars of the day it was applied, whose volumes may have grown since.
    """
    applied = record.get("applied")
    grown = applied is not None and applied["inputs_digest"] != record["inputs_digest"]
    return (frozenset() if record.get("conditions") else LOOK_BACK) | (OF_VOLUME if grown else frozenset())


def _as_recorded(verdicts: list[Verdict], record: Document, standing: frozenset[str]) -> list[Verdict]:
    """Put the recorded verdicts of these rules in the place of those that were made here."""
    known = {v["rule"]: Verdict(**v) for v in record["verdicts"] if v["rule"] in standing}
    return [known.get(verdict.rule, verdict) for verdict in verdicts]


def _mandate(record: Document, rule: Rule, *, loopback: bool) -> Mandate:
    """Give the mandate that a record was made under, with a rule of ours."""
    config = record["config"]
    return Mandate(
        portfolio=record["portfolio"],
        mode=record["mode"],
        dry_run=record["dry_run"],
        universe=tuple(record["universe"]),
        rule=rule,
        lookback=record["lookback"],
        interval=record["interval"],
        feed=config["data"]["feed"],
        execution=Execution.model_validate_json(canonical(config["execution"])),
        risk=Risk.model_validate_json(canonical(config["risk"])),
        host=record["host"],
        loopback=loopback,
        config=config,
        config_digest=record["config_digest"],
        code_digest=record["code_digest"],
        version=record["code_version"],
    )


def _evidence(record: Document, mandate: Mandate) -> Evidence:
    evidence = Evidence(mandate, record["run_id"], lambda: 0.0)
    evidence.started_at = datetime.fromisoformat(record["started_at"])
    evidence.session = date.fromisoformat(record["session"])
    evidence.h8 = record["account"]["h8"]
    evidence.inputs_digest = (record.get("applied") or record)["inputs_digest"]
    return evidence


def _portfolio(record: Document) -> Portfolio:
    """Give the account as it was before the run's orders: its cash is the plan's where there is one."""
    kept, plan = record["account"], record["plan"]
    cash = Decimal(record["cash"] if plan is None else plan["cash"])
    held = tuple(
        Position(row["symbol"], Decimal(row["qty"]), Decimal(row["qty"]))
        for row in record["positions_before"]
    )
    return Portfolio(Account("", kept["status"], cash, Decimal(kept["equity"])), held)


def _conditions(kept: Document | None, assets: Mapping[str, Asset]) -> Conditions:
    """Give what the rules looked back on, as far as the record kept it."""
    if kept is None:
        return Conditions(assets)
    approval, move = kept["approval"], kept["equity_move"]
    return Conditions(
        assets,
        kept["order_ids"],
        kept["runs_with_orders"],
        float(kept["drawdown"]),
        None if move is None else float(move),
        approval
        and Approval(
            approval["live"], approval["config"], approval["code"], tuple(map(tuple, approval["agreed"]))
        ),
    )


def _differences(record: Document, found: Document) -> list[Difference]:
    """Name each part that came out otherwise: of the plan, byte for byte, and of what the record shows."""
    if "planned" not in found:
        return [Difference("weights", *_apart(str(record["weights"]), found["weights"]))]
    rules = {rule.__name__ for rule in RULES}
    shown = {name: record[name] for name in found if name != "plan"}
    shown["verdicts"] = [verdict for verdict in record["verdicts"] if verdict["rule"] in rules]
    pairs = [(name, shown[name], found[name]) for name in shown]
    if record["plan"] is not None:
        ours = found["plan"] or {}
        names = sorted({*record["plan"], *ours})
        pairs += [(f"plan.{name}", record["plan"].get(name), ours.get(name)) for name in names]
    return [
        Difference(where, *_apart(recorded, recomputed))
        for where, recorded, recomputed in pairs
        if canonical(recorded) != canonical(recomputed)
    ]


def _apart(recorded: object, recomputed: object) -> tuple[str, str]:
    """Give two values as texts, narrowed to the first item in which they differ."""
    if isinstance(recorded, list) and isinstance(recomputed, list):
        for mine, theirs in zip(recorded, recomputed, strict=False):
            if mine != theirs:
                return _apart(mine, theirs)
        return f"{len(recorded)} of them", f"{len(recomputed)} of them"
    if isinstance(recorded, dict) and isinstance(recomputed, dict):
        keys = [k for k in {**recorded, **recomputed} if recorded.get(k) != recomputed.get(k)]
        return tuple(  # type: ignore[return-value]  # of two
            ", ".join(f"{key} {side.get(key)}" for key in keys[:3]) for side in (recorded, recomputed)
        )
    return str(recorded), str(recomputed)
