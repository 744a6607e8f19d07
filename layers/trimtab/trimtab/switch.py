"""Switch: the kill switch and the latch, flags in the store that every run reads before every order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from trimtab.core.record import canonical
from trimtab.errors import Halted

if TYPE_CHECKING:
    from trimtab.ports import Store

HALT_ALL = "HALT"


def flag_of(portfolio: str) -> str:
    """Give the key of one portfolio's flag."""
    return f"halts/{portfolio}"


def kill_switch(store: Store, portfolio: str) -> tuple[str, str] | None:
    """Give the flag that halts this portfolio and what is written in it, or None."""
    for key in (HALT_ALL, flag_of(portfolio)):
        data = store.get(key)
        if data is not None:
            return key, data.decode("utf-8", "replace").strip()
    return None


def cure(flag: str) -> str:
    """Say what clears a flag."""
    return "trimtab resume --all clears it" if flag == HALT_ALL else "trimtab resume clears it"


def said(text: str) -> str:
    """Give what a flag says, for people: ours is JSON of who, at and why; any other text as it is."""
    try:
        flag = json.loads(text)
        return f"{flag['why'] or 'no reason given'} (by {flag['who']}, {flag['at']})"
    except (ValueError, KeyError, TypeError):
        return text


def judge_kill_switch(store: Store, portfolio: str) -> None:
    """Stop the run where the owner, or a latch, said halt.

    Raises:
        Halted: code `kill_switch`.
    """
    flag = kill_switch(store, portfolio)
    if flag is not None:
        raise Halted(
            "kill_switch",
            f"{flag[0]} is set",
            seen=said(flag[1]) or flag[0],
            allowed="no flag",
            hint=cure(flag[0]),
        )


def latch(store: Store, portfolio: str, *, at: str, why: str) -> None:
    """Keep every later run of a portfolio from trading until a person resumes, and note it as an event.

    Raises:
        OSError: the store can't be written.
    """
    key = flag_of(portfolio)
    fresh = raise_flag(store, key, who="trimtab", at=at, why=why)
    name = f"latch-{portfolio}-{''.join(letter for letter in at if letter.isalnum())}"
    event = {"id": name, "at": at, "run_id": None, "level": "error", "stage": "execute", "code": "latch"}
    more = {"portfolio": portfolio, "flag": key, "who": "trimtab", "why": why, "fresh": fresh, "message": why}
    store.put_if_absent(f"events/{name}.json", canonical(event | more))


def raise_flag(store: Store, key: str, *, who: str, at: str, why: str) -> bool:
    """Set a flag; say whether this call set it. A flag that is set keeps its first reason."""
    return store.put_if_absent(key, canonical({"who": who, "at": at, "why": why}))
