"""Switch: the verbs of the kill switch: halt, resume."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.adapters.applog import AppLog
from trimtab.adapters.clock import SystemClock
from trimtab.adapters.stores import open_store
from trimtab.cli.failure import understood
from trimtab.cli.opened import options_of, person, program, settings_of
from trimtab.configuration import salvage
from trimtab.desk import Desk, undecided
from trimtab.errors import Halted, Misconfigured
from trimtab.ports import Unauthorized, Unreachable
from trimtab.settings import redactor
from trimtab.show.page import advice
from trimtab.show.status import flag_document
from trimtab.stations import halting, history
from trimtab.stations.evidence import stamp
from trimtab.switch import kill_switch

if TYPE_CHECKING:
    import argparse

    from trimtab.cli.terminal import Terminal
    from trimtab.errors import TrimtabError
    from trimtab.ports import Store, Trades
    from trimtab.settings import Settings

__all__ = ["halt", "resume"]


def halt(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Set the halt flag, and then cancel the orders in flight.

    Raises:
        Misconfigured: the configuration is not usable, and no store can be read out of it.
        OSError: the flag can't be written.
    """
    try:
        settings = settings_of(arguments)
    except Misconfigured as broken:
        return _halt_blindly(arguments, terminal, broken)
    word = _word(arguments, settings.portfolio, arguments.reason)
    fresh = halting.halt(open_store(settings.store_url)[0], word)
    _keep(settings, word, "halt")
    options = options_of(arguments)
    scope = "every portfolio of the store" if word.everyone else settings.portfolio
    terminal.say(f"{'halted' if fresh else 'already halted'}: {scope} ({settings.store_url}/{word.key})")
    cleared = _clear(settings)
    done = cleared if isinstance(cleared, halting.Cleared) else halting.Cleared((), ())
    error = _complaint(cleared)
    terminal.document(_halt_document(word, done, error, fresh=fresh))
    if error is not None:
        terminal.explain(error.document())
        return error.exit_status
    what = ", ".join(done.cancelled) or "none was open"
    everyone = " --all" if word.everyone else ""
    terminal.say(f"open orders of {settings.portfolio} cancelled: {what}")
    for other in _others(settings) if word.everyone else ():
        terminal.say(f"{other}: its open orders are in another account; run halt with its configuration, too")
    terminal.say(f"\n{advice('to lift it', f'{program()} resume{everyone}{options}')}")
    return 0


def _halt_blindly(arguments: argparse.Namespace, terminal: Terminal, error: Misconfigured) -> int:
    """Set the flag though the configuration can't be loaded: to know the store is enough for that.

    A portfolio that never traded from this store is none to rely on: then every one of the store is halted.

    Raises:
        Misconfigured: the store is not known.
        OSError: the flag can't be written.
    """
    found = salvage(arguments.config, os.environ)
    if found.store_url is None:
        terminal.complain("NOTHING IS HALTED: the configuration can't be loaded, and no store is known.")
        error.hint = f"{_NAME_A_STORE}; {error.hint}".removesuffix("; ")
        raise error
    store, trades = open_store(found.store_url)
    known = _bound(store)
    portfolio = found.portfolio if found.portfolio in known else ""
    word = _word(arguments, str(portfolio), arguments.reason)
    word = replace(word, everyone=word.everyone or not portfolio)
    fresh = halting.halt(store, word)
    with suppress(OSError, Halted):
        trades.add({"events": [halting.event_of(word, "halt")]})
    scope = ", ".join(("every portfolio of the store", *known)) if word.everyone else portfolio
    terminal.say(f"{'halted' if fresh else 'already halted'}: {scope} ({found.store_url}/{word.key})")
    terminal.complain(_ONLY_THE_FLAG if known else f"{_STRANGE_STORE}\n{_ONLY_THE_FLAG}")
    terminal.document(_halt_document(word, halting.Cleared((), ()), error, fresh=fresh))
    terminal.explain(error.document())
    return error.exit_status


_NAME_A_STORE = (
    "to halt all the same, name the store, a directory that is there or s3://bucket/prefix:"
    " TRIMTAB_STORE__URL=… trimtab halt"
)
_ONLY_THE_FLAG = (
    "ORDERS IN FLIGHT WERE NOT CANCELLED, only the flag is set: the configuration can't be loaded."
    " Cancel them at the broker, or mend the configuration and run halt again."
)
_STRANGE_STORE = "No portfolio was found that trades from this store: is it the one that the bot uses?"


def _bound(store: Store) -> tuple[str, ...]:
    """Name the portfolios that have traded from the store; none where that can't be read."""
    with suppress(OSError):
        keys = store.list("portfolios/")
        return tuple(key.removeprefix("portfolios/").removesuffix(".json") for key in keys)
    return ()


def _halt_document(
    word: halting.Word, done: halting.Cleared, error: TrimtabError | None, *, fresh: bool
) -> dict[str, object]:
    return {
        "portfolio": word.portfolio or None,
        "flag": word.key,
        "set": fresh,
        "who": word.who,
        "at": stamp(word.at),
        "why": word.why,
        "event": word.id,
        "cancelled": list(done.cancelled),
        "still_open": list(done.still_open),
        "error": None if error is None else error.document(),
    }


def _word(arguments: argparse.Namespace, portfolio: str, why: str) -> halting.Word:
    now = SystemClock().now()
    return halting.Word(
        id=f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
        who=person(),
        at=now,
        why=redactor(os.environ).text(why),
        portfolio=portfolio,
        everyone=arguments.all,
    )


def _keep(settings: Settings, word: halting.Word, code: str) -> None:
    """Put the event into trades.db and the log; the event's file already counts, so a failure may pass."""
    with suppress(OSError, Halted):
        open_store(settings.store_url)[1].add({"events": [halting.event_of(word, code)]})
    log = AppLog(settings.log_file)
    log.line(code, portfolio=word.portfolio, flag=word.key, who=word.who, why=word.why, event_id=word.id)
    log.close()


def _clear(settings: Settings) -> halting.Cleared | Exception:
    """Cancel what is open, or give why that can't be done."""
    try:
        with Desk.of(undecided(settings), os.environ) as desk:
            return halting.clear(desk.world, settings.portfolio)
    except (Unreachable, Unauthorized) as error:
        return error
    except Exception as error:
        known = understood(error)
        if known is None:
            raise
        return known


def _others(settings: Settings) -> list[str]:
    """Name the other portfolios of the store."""
    return [name for name in _bound(open_store(settings.store_url)[0]) if name != settings.portfolio]


def _complaint(cleared: halting.Cleared | Exception) -> Halted | None:
    """Give what keeps the halt from being complete."""
    if isinstance(cleared, Exception):
        return Halted(
            "orders_not_cancelled",
            "the flag is set, so no run sends orders; but open orders could not be looked for or cancelled",
            seen=str(cleared),
            hint="cancel them at the broker, or run halt again when it answers",
        )
    if cleared.still_open:
        return Halted(
            "orders_still_open",
            "the flag is set, so no run sends orders; but cancelled orders have not ended",
            seen=", ".join(cleared.still_open),
            hint="look at the broker, or run halt again",
        )
    return None


def resume(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Lift the halt flag, and approve the configuration and code that the newest run waits for.

    What is approved is said before it is: whoever is stopped in between has not approved more than was shown.

    Raises:
        Misconfigured: the configuration is not usable.
        OSError: the event can't be written, or the flag can't be removed.
    """
    settings = settings_of(arguments)
    store, trades = open_store(settings.store_url)
    waits = _waiting(settings, store, trades)
    word = replace(_word(arguments, settings.portfolio, ""), approves=waits)
    if waits is not None:
        terminal.say(f"approves for {settings.portfolio}: {waits.told()}")
    lifted = halting.resume(store, word)
    if lifted or waits is not None:
        _keep(settings, word, "resume")
    still = flag_document(kill_switch(store, settings.portfolio))
    scope = "every portfolio of the store" if word.everyone else settings.portfolio
    terminal.say(f"resumed: {scope}" if lifted else f"there was no flag {word.key}; nothing to lift")
    if still is not None:
        everyone = " --all" if still["flag"] != word.key and not word.everyone else ""
        verb = f"trimtab resume{everyone}{options_of(arguments)}"
        terminal.say(f"{settings.portfolio} stays halted by {still['flag']}: {still['why']}; {verb} lifts it")
    terminal.document(
        {
            "portfolio": settings.portfolio,
            "flag": word.key,
            "lifted": lifted,
            "approved": None if waits is None else waits.run_id,
            "still_halted_by": still,
        }
    )
    return 0


def _waiting(settings: Settings, store: Store, trades: Trades) -> history.Waiting | None:
    """Give the run that waits for approval; none where trades.db can't be read: the flag comes first."""
    with suppress(OSError, Halted):
        return history.waiting(store, trades, settings.portfolio)
    return None
