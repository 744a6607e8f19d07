"""Halting: the owner's kill switch: the flag first, then the orders in flight; and lifting it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.core.record import account_hash, canonical
from trimtab.ports import Unreachable
from trimtab.stations.evidence import stamp
from trimtab.switch import HALT_ALL, flag_of, raise_flag

if TYPE_CHECKING:
    from datetime import datetime

    from trimtab.core.record import Document
    from trimtab.ports import Store, World
    from trimtab.stations.history import Waiting

QUIET_S = 15.0
"""Seconds without an open order of ours after which none is expected any more: lists lag, and a run that
did not see the flag yet may have sent one."""
PATIENCE_S = 120.0
"""Seconds after which an order that does not end is reported instead of waited for."""
POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Word:
    """What the owner said: who (a person), when (UTC), why, for which portfolio or for all; and its id.

    `approves` is the run of this portfolio whose configuration and code a resume agrees to, if any.
    """

    id: str
    who: str
    at: datetime
    why: str
    portfolio: str
    everyone: bool
    approves: Waiting | None = None

    @property
    def key(self) -> str:
        """The flag that is meant."""
        return HALT_ALL if self.everyone else flag_of(self.portfolio)


@dataclass(frozen=True, slots=True)
class Cleared:
    """What became of the orders in flight, by client order id."""

    cancelled: tuple[str, ...]
    still_open: tuple[str, ...]


def halt(store: Store, word: Word) -> bool:
    """Set the flag and note it as an event; say whether it was not set before.

    Raises:
        OSError: the store can't be written.
    """
    fresh = raise_flag(store, word.key, who=word.who, at=stamp(word.at), why=word.why)
    _note(store, word, "halt", fresh=fresh)
    return fresh


def resume(store: Store, word: Word) -> bool:
    """Note that a person lets it trade again, then remove the flag; say whether there was one.

    Where there is neither a flag nor anything to approve, nothing is written. Who dies in between leaves the
    flag: it is lifted again, and approves nothing more.

    Raises:
        OSError: the store can't be written.
    """
    there = store.get(word.key) is not None
    if there or word.approves is not None:
        _note(store, word, "resume", fresh=there)
    if there:
        store.delete(word.key)
    return there


def event_of(word: Word, code: str) -> Document:
    """Give the event's row: what trades.db keeps of it."""
    return {
        "id": word.id,
        "at": stamp(word.at),
        "run_id": None,
        "level": "warning",
        "stage": None,
        "code": code,
        "message": message_of(word, code),
    }


def message_of(word: Word, code: str) -> str:
    """Say what a person did, to what, why, and what that approved."""
    subject = "every portfolio" if word.everyone else word.portfolio
    approved = "" if word.approves is None else f", approved for {word.portfolio}: {word.approves.told()}"
    return f"{word.who}: {code} {subject}{approved}" + (f": {word.why}" if word.why else "")


def _note(store: Store, word: Word, code: str, *, fresh: bool) -> None:
    more = {"portfolio": word.portfolio, "flag": word.key, "who": word.who, "why": word.why, "fresh": fresh}
    more |= {} if word.approves is None else {"approved": word.approves.document()}
    store.put_if_absent(f"events/{word.id}.json", canonical(event_of(word, code) | more))


def clear(world: World, portfolio: str) -> Cleared:
    """Cancel this portfolio's open orders, and look again until none was open for `QUIET_S` seconds.

    Raises:
        Unreachable, Unauthorized: what is open can't be read.
    """
    prefix = f"tt1-{account_hash(world.broker.account().account_number, portfolio)}-"
    asked: set[str] = set()
    started = quiet_since = world.clock.monotonic()
    while True:
        ours = [order for order in world.broker.open_orders() if order.client_order_id.startswith(prefix)]
        for order in ours:
            in_time = world.clock.monotonic() - started < PATIENCE_S
            if order.client_order_id not in asked and in_time and _ask(world, order.id):
                asked.add(order.client_order_id)
        now = world.clock.monotonic()
        quiet_since = now if ours else quiet_since
        if now - quiet_since >= QUIET_S or now - started >= PATIENCE_S:
            left = {order.client_order_id for order in ours}
            return Cleared(tuple(sorted(asked - left)), tuple(sorted(left)))
        world.clock.sleep(POLL_S)


def _ask(world: World, order_id: str) -> bool:
    """Ask for an order's end; False where the question may not have arrived, and is asked again."""
    try:
        world.broker.cancel(order_id)
    except Unreachable:
        return False
    return True
