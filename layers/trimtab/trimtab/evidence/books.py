"""Books: trades.db held against the records, and files that no run's sums cover against themselves.

Nothing here is believed over the records: `trimtab rebuild` makes trades.db anew from them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from trimtab.core.record import canonical, plan_digest
from trimtab.errors import Halted
from trimtab.stations.history import Waiting
from trimtab.stations.past import gathered
from trimtab.switch import HALT_ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from trimtab.core.record import Document
    from trimtab.ports import Store, Trades

__all__ = ["Books", "Witnessed", "audited", "loose"]

TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
KEY = "SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk"
DAMAGED = "database_damaged"
STANDING = frozenset({"equal", "missing"})
MISSING = "it is not there; the next run that is not dry makes it anew, as `trimtab rebuild` does"


@dataclass(frozen=True, slots=True)
class Books:
    """What trades.db is, against the records.

    `result` is `equal`, `differs`, `damaged`, `missing`, or `unknown` where a record is damaged, so that
    nothing can be held against it. `differences` name rows.
    """

    result: str
    detail: str = ""
    differences: tuple[str, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether nothing speaks against it."""
        return self.result in STANDING

    def document(self) -> Document:
        """Give it as JSON."""
        return {"result": self.result, "detail": self.detail, "differences": list(self.differences)}


def audited(store: Store, trades: Trades, made: Trades) -> Books:
    """Hold trades.db against all records of the store; `made` is an empty one to make it anew in.

    Raises:
        Halted: trades.db is of a newer version.
        OSError: the store can't be read.
    """
    damage = trades.damage()
    if damage is not None:
        return Books("damaged", damage)
    try:
        runs, whole = gathered(store)
    except Halted as error:
        return Books("unknown", str(error))
    made.add(whole)
    try:
        if runs and not trades.query("SELECT 1 FROM runs LIMIT 1"):
            return Books("missing", MISSING)
        names = [str(row["name"]) for row in made.query(TABLES)]
        found = tuple(text for name in names for text in _apart(name, made, trades))
    except Halted as error:
        if error.code != DAMAGED:
            raise
        return Books("damaged", str(error.seen))
    return Books("differs" if found else "equal", "", found)


def _apart(table: str, made: Trades, there: Trades) -> Iterator[str]:
    """Name each row of a table that is not what the records say."""
    keys = [str(row["name"]) for row in made.query(KEY, (table,))]
    recorded, found = (
        {tuple(row[k] for k in keys): row for row in _rows(base, table)} for base in (made, there)
    )
    for key in sorted({*recorded, *found}, key=str):
        name = f"{table} {' '.join(map(str, key))}"
        ours, theirs = recorded.get(key), found.get(key)
        if theirs is None:
            yield f"{name}: recorded, but not in trades.db"
        elif ours is None:
            yield f"{name}: in trades.db, but not recorded"
        elif ours != theirs:
            column = next(column for column in ours if ours[column] != theirs.get(column))
            yield f"{name}: {column} is {theirs.get(column)}, recorded {ours[column]}"


def _rows(base: Trades, table: str) -> list[dict[str, object]]:
    return base.query(f"SELECT * FROM {table}")  # noqa: S608 - the name is the schema's own


@dataclass(frozen=True, slots=True)
class Witnessed:
    """What sound records say of files outside their folders: the plans they hold, the accounts they are of.

    `plans` are keys; `accounts` the account's hash and mode of runs that were not dry; `waited` those of
    these runs that stopped for a person's approval.
    """

    plans: set[str] = field(default_factory=set)
    accounts: set[tuple[str, str]] = field(default_factory=set)
    waited: set[Waiting] = field(default_factory=set)


def loose(store: Store, portfolio: str, known: Witnessed) -> list[str]:
    """Name the files outside the runs' folders that are not as they were written.

    They are the plans of runs that left no record, the file that binds the portfolio to its account, and
    what people said (halt, resume, latch): a resume approves only what a recorded run waited for.

    Raises:
        OSError: the store can't be read.
    """
    plans = (key for key in store.list(f"plans/{portfolio}/") if key not in known.plans)
    event = partial(_event, portfolio=portfolio, waited=known.waited)
    checks: list[tuple[str, Callable[[str, bytes], str]]] = [(key, _plan) for key in plans]
    checks += [(key, event) for key in store.list("events/")]
    faults = [f"{key}: {text}" for key, check in checks if (text := check(key, store.get(key) or b""))]
    key = f"portfolios/{portfolio}.json"
    faults += [f"{key}: {text}" for text in _bound(store.get(key), known.accounts)]
    return faults


def _plan(key: str, blob: bytes) -> str:
    """Say what is wrong with a plan of which no record tells; its digest leaves out who made it, and when."""
    plan = _object(blob)
    if plan is None:
        return "no plan"
    if key != f"plans/{plan.get('portfolio')}/{plan.get('session')}.json":
        return "of another session or portfolio"
    return "" if plan_digest(plan) == plan.get("plan_digest") else "not the plan of its plan_digest"


def _event(key: str, blob: bytes, portfolio: str, waited: Collection[Waiting]) -> str:
    """Say what is wrong with an event: its parts say it twice; `waited` are the runs that it may approve."""
    event = _object(blob)
    if event is None or event.get("id") != key.removeprefix("events/").removesuffix(".json"):
        return "no event of this name"
    who, why, code, whose = (event.get(name) for name in ("who", "why", "code", "portfolio"))
    latched = code == "latch"
    everyone = event.get("flag") == HALT_ALL
    subject = "every portfolio" if everyone else whose
    run = Waiting.of(event.get("approved"))
    approved = "" if run is None else f", approved for {whose}: {run.told()}"
    message = f"{who}: {code} {subject}{approved}" + (f": {why}" if why else "")
    moment = "".join(letter for letter in str(event.get("at")) if letter.isalnum())
    known = {
        "id": f"latch-{whose}-{moment}" if latched else event["id"],
        "message": why if latched else message,
        "flag": HALT_ALL if everyone else f"halts/{whose}",
        "code": code if code in {"halt", "resume", "latch"} else None,
        "level": "error" if latched else "warning",
        "stage": "execute" if latched else None,
        "run_id": None,
    }
    if "approved" in event:  # a resume has it where it approved a run, and nothing else has
        known["approved"] = run.document() if run is not None and code == "resume" else None
    wrong = [name for name, value in known.items() if event.get(name) != value or name not in event]
    if wrong:
        return f"its {wrong[0]} does not fit the rest"
    if run is not None and whose == portfolio and run not in waited:
        return f"approves {run.told()}; no record says that it waited for this"
    return ""


def _bound(blob: bytes | None, accounts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Say where the file that binds a portfolio is not of the account that its runs were on."""
    if blob is None:
        return
    bound = _object(blob)
    for h8, mode in sorted(accounts):
        if bound != {"h8": h8, "mode": mode}:
            yield f"binds another account than that of its runs: {mode}, {h8}"


def _object(blob: bytes) -> Document | None:
    """Read a JSON object as `canonical` writes it; None where it is none."""
    try:
        found = json.loads(blob)
    except ValueError:
        return None
    return found if isinstance(found, dict) and canonical(found) == blob else None
