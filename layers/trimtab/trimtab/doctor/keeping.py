"""Keeping: the store, trades.db, and what the portfolio waits for."""

from __future__ import annotations

import secrets
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from trimtab.adapters.stores import open_store
from trimtab.core.record import canonical
from trimtab.doctor.check import Result, Visit
from trimtab.stations import history
from trimtab.switch import cure, kill_switch, said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.ports import Store

__all__ = ["approval", "excludes", "halts", "store", "trades"]

RACES = 4
"""So often two writers race for one key."""
PROBE = "halts/doctor_"
"""Where they race: among the flags, which are the only blobs that are ever removed, so that the rights of
`trimtab resume` suffice; and under a name that no portfolio can have."""


def store(visit: Visit) -> Result:
    """Have two writers race for a key, several times: each time exactly one must win.

    Raises:
        OSError: the store can't be written or read.
    """
    url = visit.settings.store_url
    return excludes([open_store(url)[0], open_store(url)[0]])


def excludes(stores: Sequence[Store]) -> Result:
    """Say whether put-if-absent excludes, over connections to one store.

    Raises:
        OSError: the store can't be written or read.
    """
    for _ in range(RACES):
        key = f"{PROBE}{secrets.token_hex(8)}"
        try:
            fault = _race(stores, key)
        finally:
            with suppress(OSError):
                stores[0].delete(key)
        if fault:
            hint = "put the store on a local disk, EFS, or S3 itself: runs at once could trade twice"
            return Result("FAIL", f"{stores[0].url}: {fault}", hint)
        if stores[0].get(key) is not None:
            hint = f"allow deletion below halts/ (trimtab resume needs it), and remove {key}"
            return Result("warn", f"{stores[0].url}: a flag can't be removed", hint)
    return Result("ok", f"{stores[0].url}: written, read, and one of two writers wins")


def _race(stores: Sequence[Store], key: str) -> str:
    """Race once, and say what is wrong; empty where nothing is.

    Raises:
        OSError: the store can't be written or read.
    """
    won: list[bytes] = []
    errors: list[Exception] = []
    start = threading.Barrier(len(stores))

    def write(number: int) -> None:
        data = canonical({"doctor": number, "mark": secrets.token_hex(8)})
        try:
            start.wait(timeout=10)
            if stores[number].put_if_absent(key, data):
                won.append(data)
        except Exception as error:  # noqa: BLE001 - raised again below, in the thread that asked
            errors.append(error)

    threads = [threading.Thread(target=write, args=(n,), name="doctor") for n in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    if len(won) != 1:
        return f"{len(won)} of {len(stores)} writers were told that they were first"
    if stores[-1].get(key) != won[0]:
        return "what is read is not what the first writer wrote"
    if stores[0].put_if_absent(key, b"{}") or stores[-1].get(key) != won[0]:
        return "a blob was written over"
    return ""


def trades(visit: Visit) -> Result:
    """Open trades.db and look at all of it.

    Raises:
        Halted, OSError: it can't be read.
    """
    damage = visit.world.trades.damage()
    if damage is not None:
        hint = "trimtab rebuild makes it anew from the records"
        return Result("FAIL", f"trades.db is damaged: {damage}", hint)
    rows = visit.world.trades.query(
        "SELECT COUNT(*) AS runs, MAX(session) AS last FROM runs WHERE portfolio = ?",
        (visit.settings.portfolio,),
    )
    runs = int(str(rows[0]["runs"])) if rows else 0
    return Result("ok", f"sound, {runs} runs" + (f", the last of {rows[0]['last']}" if runs else ""))


def halts(visit: Visit) -> Result:
    """Look for a flag that keeps the portfolio from trading.

    Raises:
        OSError: the store can't be read.
    """
    flag = kill_switch(visit.world.store, visit.settings.portfolio)
    if flag is None:
        return Result("ok", "no flag")
    return Result("warn", f"{flag[0]} is set: {said(flag[1]) or 'no reason given'}", cure(flag[0]))


def approval(visit: Visit) -> Result:
    """Look whether the newest run waits for a person.

    Raises:
        Halted, OSError: the store can't be read.
    """
    world, portfolio = visit.world, visit.settings.portfolio
    waits = history.waiting(world.store, world.trades, portfolio)
    if waits is None:
        return Result("ok", "nothing waits")
    hint = "look at it (trimtab show last), then trimtab resume; or trimtab plan --out FILE and apply it"
    return Result("warn", f"run {waits.run_id} waits: configuration or code changed", hint)
