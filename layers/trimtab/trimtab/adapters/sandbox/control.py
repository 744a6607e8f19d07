"""Control: the sandbox's own endpoints under /sandbox: its state, clock, faults and log. No keys needed."""

from __future__ import annotations

import re
from dataclasses import asdict, fields
from datetime import date, time
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from trimtab.adapters.exchange.hours import new_york_date
from trimtab.adapters.exchange.records import Behaviour, Refusal
from trimtab.adapters.sandbox.faults import Fault
from trimtab.adapters.sandbox.wire import Request, Response, answer, read_instant
from trimtab.errors import TrimtabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.adapters.exchange.exchange import Exchange
    from trimtab.adapters.sandbox.face import Face

    Handler = Callable[["Face", Request], Response]

__all__ = ["ROUTES"]

WORDS = ("halted", "rejecting", "unquoted")


def state(face: Face, _request: Request) -> Response:
    """GET /sandbox: what it is, what it can't serve, where its clock stands, how it behaves."""
    exchange, tape = face.exchange, face.exchange.tape
    with exchange.work() as world:
        now = world.book.time
        return answer(
            {
                "name": tape.name,
                "caveats": [
                    *tape.caveats,
                    "iex shows the same prices as sip",
                    "US equities, daily bars only",
                ],
                "first_session": str(tape.sessions[0]),
                "last_session": str(tape.sessions[-1]),
                "symbols": len(tape.symbols),
                "now": now.isoformat(),
                "session": new_york_date(now).isoformat(),
                "is_open": world.prices.calendar.is_open(now),
                "speed": exchange.clock.speed,
                "account_number": exchange.account_number,
                "seed": world.book.seed,
                "behaviour": asdict(world.behaviour),
                "faults": face.faults.document(),
            }
        )


def clock(face: Face, request: Request) -> Response:
    """POST /sandbox/clock.

    `set` goes to an instant, `session` (and `time`) to a session, `sessions` (and `time`) so many on, `time`
    alone to that time today,
    `advance_s` so many seconds on; `speed` runs from there.
    """
    exchange, wish = face.exchange, request.json()
    unknown = set(wish) - {"set", "session", "sessions", "time", "advance_s", "speed"}
    if unknown:
        raise Refusal(422, None, f"unknown: {', '.join(sorted(unknown))}")
    try:
        _move(exchange, wish)
        if "speed" in wish:
            exchange.clock.run(float(wish["speed"]))
    except TrimtabError as error:
        raise Refusal(422, None, str(error)) from None
    except (TypeError, ValueError) as error:
        raise Refusal(422, None, str(error)) from None
    return state(face, request)


def _move(exchange: Exchange, wish: dict[str, Any]) -> None:
    """Move the clock as asked."""
    to = time.fromisoformat(wish.get("time", "10:00"))
    if "time" in wish and not {"session", "sessions"} & set(wish):
        exchange.go(new_york_date(exchange.now()), to)
    if "set" in wish:
        exchange.move(read_instant(wish["set"]))
    if "session" in wish:
        exchange.go(date.fromisoformat(wish["session"]), to)
    if "sessions" in wish:
        exchange.step(int(wish["sessions"]), to)
    if "advance_s" in wish:
        exchange.advance(float(wish["advance_s"]))


def account(face: Face, request: Request) -> Response:
    """POST /sandbox/account: fields that the account shows from now on; null takes one back."""
    wish = request.json()
    kept = {**face.exchange.behaviour.flags, **wish}
    face.exchange.behave(flags={name: value for name, value in kept.items() if value is not None})
    return state(face, request)


def assets(face: Face, request: Request) -> Response:
    """POST /sandbox/assets: by symbol, fields to show, and whether it is halted, rejecting or unquoted."""
    behaviour = face.exchange.behaviour
    shown: dict[str, dict[str, object]] = {s: dict(fields_) for s, fields_ in behaviour.assets.items()}
    lists = {word: set(getattr(behaviour, word)) for word in WORDS}
    for symbol, wish in request.json().items():
        if not isinstance(wish, dict):
            raise Refusal(422, None, f"{symbol}: expected an object")
        for word in WORDS:
            if word in wish:
                (lists[word].add if wish[word] else lists[word].discard)(symbol)
        shown.setdefault(symbol, {}).update({k: v for k, v in wish.items() if k not in WORDS})
    sorted_lists = {word: tuple(sorted(symbols)) for word, symbols in lists.items()}
    face.exchange.behave(assets=shown, **sorted_lists)
    return state(face, request)


def behaviour(face: Face, request: Request) -> Response:
    """POST /sandbox/behaviour: any field of `Behaviour`."""
    wish = request.json()
    unknown = set(wish) - {field.name for field in fields(Behaviour)}
    if unknown:
        raise Refusal(422, None, f"unknown: {', '.join(sorted(unknown))}")
    plain = {name: float(value) if isinstance(value, Decimal) else value for name, value in wish.items()}
    tuples = {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}
    if "delays" in wish:
        tuples["delays"] = {view: float(seconds) for view, seconds in wish["delays"].items()}
    face.exchange.behave(**tuples)
    return state(face, request)


def journal(face: Face, request: Request) -> Response:
    """POST /sandbox/journal: bring in or take out `amount` USD, or `qty` shares of `symbol`."""
    wish = request.json()
    try:
        shares, amount = Decimal(str(wish.get("qty", 0))), Decimal(str(wish.get("amount", 0)))
    except InvalidOperation:
        raise Refusal(422, None, "qty and amount are numbers") from None
    face.exchange.journal(str(wish.get("symbol", "")), shares, amount)
    return state(face, request)


def get_faults(face: Face, _request: Request) -> Response:
    """GET /sandbox/faults: the rules in force."""
    return answer(face.faults.document())


def post_fault(face: Face, request: Request) -> Response:
    """POST /sandbox/faults: put a rule in force."""
    wish = request.json()
    floats = {name: float(value) if isinstance(value, Decimal) else value for name, value in wish.items()}
    face.faults.add(Fault.read(floats))
    return get_faults(face, request)


def delete_faults(face: Face, request: Request) -> Response:
    """DELETE /sandbox/faults: take all rules back."""
    face.faults.clear()
    return get_faults(face, request)


def get_log(face: Face, _request: Request) -> Response:
    """GET /sandbox/log: the requests seen, oldest first, and how many of each method and path."""
    return answer(face.log.document())


ROUTES: tuple[tuple[str, re.Pattern[str], Handler], ...] = tuple(
    (method, re.compile(pattern), handler)
    for method, pattern, handler in (
        ("GET", r"/sandbox", state),
        ("POST", r"/sandbox/clock", clock),
        ("POST", r"/sandbox/account", account),
        ("POST", r"/sandbox/assets", assets),
        ("POST", r"/sandbox/behaviour", behaviour),
        ("POST", r"/sandbox/journal", journal),
        ("GET", r"/sandbox/faults", get_faults),
        ("POST", r"/sandbox/faults", post_fault),
        ("DELETE", r"/sandbox/faults", delete_faults),
        ("GET", r"/sandbox/log", get_log),
    )
)
"""Method, path and handler of each endpoint."""
