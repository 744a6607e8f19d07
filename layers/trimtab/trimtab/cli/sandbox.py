"""Sandbox: the verb that serves a local Alpaca-compatible exchange until it is told to stop."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.adapters.exchange.exchange import RUN_TIME, Exchange
from trimtab.adapters.exchange.hours import new_york_date
from trimtab.adapters.exchange.records import Behaviour
from trimtab.adapters.files import read_tape
from trimtab.adapters.sample import sample, sample_file, synthetic
from trimtab.adapters.sandbox import serve
from trimtab.errors import Misconfigured
from trimtab.show.sandbox import sandbox_text

if TYPE_CHECKING:
    import argparse
    from types import FrameType

    from trimtab.adapters.exchange.tape import Tape
    from trimtab.adapters.sandbox import Sandbox
    from trimtab.cli.terminal import Terminal

__all__ = ["SYNTHETIC", "sandbox"]

SYNTHETIC = ("DBC", "EEM", "EFA", "GLD", "IEF", "IWM", "QQQ", "SPY", "TLT", "VNQ")
"""What the made-up market trades."""
CALM = Behaviour()


def sandbox(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        Misconfigured: the data, the start or the port can't be used.
        Halted: the tape ends before the start.
    """
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    exchange = _exchange(arguments)
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with _served(exchange, arguments) as server:
            document = _document(server)
            terminal.say(sandbox_text(document, terminal.page))
            terminal.document(document, indent=None)
            stop.wait()
        terminal.say("stopped")
    finally:
        exchange.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _tape(arguments: argparse.Namespace) -> Tape:
    if arguments.data:
        return read_tape(arguments.data)
    if arguments.synthetic or sample_file() is None:
        return synthetic(SYNTHETIC, arguments.seed)
    return sample()


def _exchange(arguments: argparse.Namespace) -> Exchange:
    tape = _tape(arguments)
    behaviour = Behaviour(partial_probability=arguments.partial, spread_bps=arguments.spread_bps)
    path = None
    if arguments.store:
        path = Path(arguments.store) / "exchange" / "sandbox.db"
    exchange = Exchange.open(
        tape,
        arguments.start,
        arguments.cash,
        arguments.seed,
        behaviour=None if behaviour == CALM else behaviour,
        path=path,
    )
    if arguments.time:
        _go(exchange, arguments)
    return exchange


def _go(exchange: Exchange, arguments: argparse.Namespace) -> None:
    """Go to the wanted time of the first session.

    Raises:
        Misconfigured: it lies in the past of the exchange's clock.
    """
    try:
        exchange.go(new_york_date(exchange.now()), arguments.time)
    except ValueError as error:
        exchange.close()
        raise Misconfigured(
            "sandbox_time",
            str(error),
            seen=f"--time {arguments.time:%H:%M}",
            allowed=f"{RUN_TIME:%H:%M} or later",
        ) from None


def _served(exchange: Exchange, arguments: argparse.Namespace) -> Sandbox:
    """Begin to serve.

    Raises:
        Misconfigured: the address can't be listened on.
    """
    try:
        return serve(exchange, arguments.host, arguments.port, speed=arguments.speed)
    except OSError as error:
        raise Misconfigured(
            "port",
            f"can't listen on {arguments.host}:{arguments.port}",
            seen=error.strerror,
            allowed="a free port",
            hint="--port 0 takes a free one",
        ) from error


def _document(server: Sandbox) -> dict[str, object]:
    exchange = server.exchange
    now = exchange.now()
    return {
        "url": server.url,
        "session": new_york_date(now).isoformat(),
        "now": now.isoformat(),
        "data": exchange.tape.name,
        "symbols": len(exchange.tape.symbols),
        "first_session": str(exchange.tape.sessions[0]),
        "last_session": str(exchange.tape.sessions[-1]),
        "caveats": list(exchange.tape.caveats),
        "speed": exchange.clock.speed,
    }
