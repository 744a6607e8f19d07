"""Makers: how a mistake is made on a bench."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

from trimtab.adapters.exchange import Exchange
from trimtab.adapters.sample import synthetic
from trimtab.adapters.sandbox import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mistakes.bench import Bench, Said

    Environment = Mapping[str, str]
    Make = Callable[[Bench], Said]


def words(*given: str) -> Make:
    """Type these words in a folder with a sound configuration."""

    def make(bench: Bench) -> Said:
        bench.config()
        return bench.say(*given)

    return make


def text(content: str) -> Make:
    """Run with this text as config.json."""

    def make(bench: Bench) -> Said:
        bench.text(content)
        return bench.say("run")

    return make


def config(*given: str, **changes: object) -> Make:
    """Run, or type these words, with these keys of the configuration changed."""

    def make(bench: Bench) -> Said:
        bench.config(**changes)
        return bench.say(*(given or ("run",)))

    return make


def weights(**given: object) -> Make:
    """Run fixed weights."""
    return config(strategy={"name": "fixed_weights", "params": {"weights": given}})


def rule(body: str, **changes: object) -> Make:
    """Run a strategy of one's own."""

    def make(bench: Bench) -> Said:
        bench.rule(body, **changes)
        return bench.say("run")

    return make


def paper(*given: str, **environment: str) -> Make:
    """Run a paper account in this environment."""

    def make(bench: Bench) -> Said:
        bench.paper(**environment)
        return bench.say(*(given or ("run",)))

    return make


def lacking(package: str, *given: str, environment: Environment | None = None, **changes: object) -> Make:
    """Run without a package that the configuration needs."""

    def make(bench: Bench) -> Said:
        bench.environment.update(environment or {})
        bench.config(**changes)
        return bench.without(package, *given)

    return make


def nowhere(bench: Bench) -> Said:
    """Run where no configuration is."""
    return bench.say("run")


def folder_for_file(bench: Bench) -> Said:
    """Name the folder instead of the file in it."""
    bench.config()
    return bench.say("run", "--config", str(bench.folder))


def wide_letters(bench: Bench) -> Said:
    """Save the configuration as UTF-16."""
    (bench.folder / "config.json").write_bytes('{"strategy": 1}'.encode("utf-16"))
    return bench.say("run")


def broken_module(bench: Bench) -> Said:
    """Leave a colon out of one's module."""
    bench.rule("return {}")
    bench.text("def rule(history, equity)\n    return {}\n", "myrule.py")
    return bench.say("run")


def wrong_function(bench: Bench) -> Said:
    """Misspell the function of one's module."""
    bench.rule("return {}", strategy={"name": "myrule:rul"})
    return bench.say("run")


def one_value(bench: Bench) -> Said:
    """Write a strategy that takes one value."""
    bench.rule("return {}")
    bench.text("def rule(history):\n    return {}\n", "myrule.py")
    return bench.say("run")


def no_universe(bench: Bench) -> Said:
    """Name symbols neither in the strategy nor in the configuration."""
    bench.rule("return {}")
    bench.config(strategy={"name": "myrule:rule"})
    return bench.say("run")


def at_sandbox(**changes: object) -> Make:
    """Run a paper account at a sandbox that knows one pair of keys; what the shell holds may be changed."""

    def make(bench: Bench) -> Said:
        with (
            closing(Exchange.open(synthetic(("AAA", "BBB", "CCC")))) as exchange,
            serve(exchange, keys=("PKEXAMPLE", "secret"), speed=0, rate_limit=None) as sandbox,
        ):
            bench.paper(APCA_API_BASE_URL=sandbox.url, APCA_API_DATA_URL=sandbox.url)
            bench.environment.update({name: str(value) for name, value in changes.items() if name.isupper()})
            bench.config(mode="paper", **{key: v for key, v in changes.items() if not key.isupper()})
            return bench.say("run")

    return make


def another_mode(bench: Bench) -> Said:
    """Give a paper account the store of a simulated one."""
    bench.config()
    bench.say("run")
    return at_sandbox(store={"url": "./trimtab-data"})(bench)


def halted(bench: Bench) -> Said:
    """Forget the halt flag."""
    bench.config()
    bench.say("halt", "holiday")
    return bench.say("run")


def no_such_run(bench: Bench) -> Said:
    """Ask for a run that is none."""
    bench.config()
    bench.say("run")
    return bench.say("show", "2031")


def unwritable(bench: Bench) -> Said:
    """Lay the store where no folder can be made."""
    bench.text("", "taken")
    bench.config(store={"url": "./taken/store"})
    return bench.say("run")


def unwritable_init(bench: Bench) -> Said:
    """Write a configuration where no folder can be made."""
    bench.text("", "taken")
    return bench.say("init", "taken/demo")


def damaged(bench: Bench) -> Said:
    """Damage trades.db, and read it."""
    bench.config()
    bench.say("run")
    bench.text("no database", "trimtab-data/trades.db")
    return bench.say("history")


def columns(bench: Bench) -> Said:
    """Play a file without its columns."""
    bench.config()
    bench.text("day,price\n2020-01-02,1\n", "prices.csv")
    return bench.say("backtest", "--data", "prices.csv")


def deaf(bench: Bench) -> Said:
    """Ask a broker that no one answers for."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    bench.paper(APCA_API_BASE_URL=url, APCA_API_DATA_URL=url)
    return bench.say("run", "--deadline", "1")


def taken_port(bench: Bench) -> Said:
    """Serve where something else listens."""
    bench.config()
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        return bench.say("dashboard", "--port", str(taken.getsockname()[1]))
