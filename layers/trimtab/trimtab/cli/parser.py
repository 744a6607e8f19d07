"""Parser: every verb and flag, each verb with an example; a wrong word is an error like any other."""

from __future__ import annotations

import argparse
import difflib
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

from trimtab import __version__
from trimtab.cli import flags as _flags
from trimtab.cli import looking
from trimtab.cli.values import clock_time as _time
from trimtab.cli.values import count as _count
from trimtab.cli.values import iso_date as _date
from trimtab.cli.values import not_negative as _speed
from trimtab.cli.values import port as _port
from trimtab.cli.values import positive as _positive
from trimtab.cli.values import share as _share
from trimtab.cli.values import usd as _usd
from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["DATA", "VERBS", "Verb", "build", "parse"]


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: the module of its function, what it does, an example, and what adds its own flags."""

    module: str
    does: str
    example: str
    flags: Callable[[argparse.ArgumentParser], None]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Refuse what was typed.

        Raises:
            Misconfigured: always.
        """
        raise Misconfigured("usage", message, hint=f"`{self.prog} --help` shows an example")


class _Help(argparse.RawDescriptionHelpFormatter):
    """What stands under `--help`: each verb in a line with what it does."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        self._action_max_length = max(map(len, VERBS)) + 4  # argparse forgets that verbs are indented twice


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the arguments of the command line; `words` of what is given are the arguments themselves.

    Raises:
        Misconfigured: a verb or a flag is unknown, missing or not what it takes.
        SystemExit: --help or --version was asked for and given.
    """
    parser = build()
    if not arguments:
        parser.print_help()
        raise Misconfigured("usage", "a verb is missing", allowed=", ".join(VERBS))
    first = arguments[0]
    if first not in VERBS and not first.startswith("-"):
        raise _unknown_verb(first)
    parsed, unknown = parser.parse_known_args(arguments)
    if parsed.verb is None:
        raise Misconfigured("usage", "a verb is missing", allowed=", ".join(VERBS))
    if unknown:
        raise _unknown_word(parser, parsed.verb, unknown[0])
    parsed.words = list(arguments)
    return parsed


def _unknown_word(parser: argparse.ArgumentParser, verb: str, word: str) -> Misconfigured:
    verbs = next(a.choices for a in parser._actions if isinstance(a.choices, dict))  # noqa: SLF001 - no other way
    flags = _options(verbs[verb])
    near = difflib.get_close_matches(word, flags, n=1)
    place = " after the verb" if word in flags else ""
    return Misconfigured(
        "usage",
        f"trimtab {verb} does not take {word!r}",
        seen=word,
        allowed=", ".join(flags),
        hint=f"did you mean {near[0]}{place}?" if near else f"`trimtab {verb} --help` shows an example",
    )


def _options(parser: argparse.ArgumentParser) -> list[str]:
    """Give the flags of a verb and of its parts."""
    parts = [a.choices for a in parser._actions if isinstance(a, argparse._SubParsersAction)]  # noqa: SLF001 - no other way
    within = [flag for choices in parts for part in choices.values() for flag in _options(part)]
    own = [flag for flag in parser._option_string_actions if flag.startswith("--")]  # noqa: SLF001 - as above
    return list(dict.fromkeys(own + within))


def _unknown_verb(name: str) -> Misconfigured:
    near = difflib.get_close_matches(name, VERBS, n=1)
    return Misconfigured(
        "usage",
        f"there is no verb {name!r}",
        seen=name,
        allowed=", ".join(VERBS),
        hint=f"did you mean `trimtab {near[0]}`?" if near else "`trimtab --help` lists them",
    )


def build() -> argparse.ArgumentParser:
    """Make the parser of the whole program."""
    parser = _Parser(
        prog="trimtab",
        description="Keeps a portfolio at its target weights on Alpaca: unattended, exactly once, explained.",
        epilog="example:\n  trimtab init && trimtab run\n\n"
        "exit status: 0 as it should, 1 a bug, 2 usage or configuration,\n"
        "  3 halted (this run sent nothing), 4 interrupted (run again in the session)",
        formatter_class=_Help,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"trimtab {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs", parser_class=_Parser)
    for name, verb in VERBS.items():
        _common(_added(verbs, name, verb))
    return parser


def _added(group: Any, name: str, verb: Verb) -> argparse.ArgumentParser:  # noqa: ANN401 - argparse names it not
    """Add a verb, or a part of one, to those of a parser."""
    added: argparse.ArgumentParser = group.add_parser(
        name,
        help=verb.does,
        description=f"{verb.does[0].upper()}{verb.does[1:]}.",
        epilog=f"example:\n  {verb.example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verb.flags(added)
    return added


def _common(parser: argparse.ArgumentParser, **default: Any) -> None:  # noqa: ANN401 - a flag's default
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="the configuration (default: TRIMTAB_CONFIG, else config.json)",
        **default,
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON document on stdout; people's text to stderr", **default
    )


def _none(_parser: argparse.ArgumentParser) -> None:
    pass


def _init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", metavar="DIR", help="where to write (default: here)")
    parser.add_argument("--force", action="store_true", help="overwrite what is there")


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dry-run",
        action=argparse.BooleanOptionalAction,
        help="send nothing, or send (default: dry_run of the configuration)",
    )
    parser.add_argument(
        "--finish", action="store_true", help="continue an unfinished plan of another config or code"
    )
    parser.add_argument(
        "--deadline",
        type=_positive,
        metavar="S",
        help="send nothing within 30 s of this many seconds from now",
    )
    steps = parser.add_mutually_exclusive_group()
    steps.add_argument("--next", action="store_true", help="simulated mode: move to the next session first")
    steps.add_argument(
        "--sessions", type=_count, metavar="N", help="simulated mode: --next, N times, until one run stops"
    )


def _halt(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reason", nargs="?", default="", metavar="REASON", help="why, for the record")
    _resume(parser)


def _resume(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="every portfolio of the store")


def _compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", nargs="*", metavar="RUN", help="the first run, and perhaps the last (default: all)"
    )
    parser.add_argument("--start", type=_date, metavar="DATE", help="first session, YYYY-MM-DD, inclusive")
    parser.add_argument("--end", type=_date, metavar="DATE", help="last session, inclusive")
    parser.add_argument(
        "--data", metavar="FILE", help="daily bars, parquet or csv (default: what the runs saw)"
    )
    parser.add_argument(
        "--cost-bps", type=_speed, default=0.0, metavar="B", help="cost in the backtest (default: 0)"
    )


def _data(parser: argparse.ArgumentParser) -> None:
    parts = parser.add_subparsers(
        dest="part", metavar="PART", title="parts", required=True, parser_class=_Parser
    )
    for name, part in DATA.items():
        _common(
            _added(parts, name, part), default=argparse.SUPPRESS
        )  # what stands before it is not overwritten


def _data_fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "symbol", nargs="*", metavar="SYMBOL", help="whose bars (default: the universe); the file's too"
    )
    parser.add_argument(
        "--start", type=_date, metavar="DATE", help="first session, inclusive (default: the file's, or 2016)"
    )
    parser.add_argument(
        "--end", type=_date, metavar="DATE", help="last session, inclusive (default: the last whole one)"
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="parquet file (default: data.file of the configuration, else bars.parquet beside it)",
    )
    parser.add_argument("--anew", action="store_true", help="fetch all anew, whatever the file holds")


def _data_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="daily bars, parquet or csv (default: where `data fetch` puts them)",
    )


def _sandbox(parser: argparse.ArgumentParser) -> None:
    data = parser.add_mutually_exclusive_group()
    data.add_argument("--data", metavar="FILE", help="daily bars to replay, parquet or csv")
    data.add_argument("--synthetic", action="store_true", help="replay a made-up market")
    parser.add_argument("--start", type=_date, metavar="DATE", help="first session, YYYY-MM-DD")
    parser.add_argument("--time", type=_time, metavar="HH:MM", help="New York time there, from 10:00 on")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=_port, default=8420, help="port, 0 for a free one (default: 8420)")
    parser.add_argument(
        "--cash", type=_usd, default=Decimal(100_000), metavar="USD", help="cash to begin with"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of account number and chance")
    parser.add_argument(
        "--speed",
        type=_speed,
        default=1.0,
        metavar="X",
        help="virtual seconds a second, 0: frozen (default: 1)",
    )
    parser.add_argument(
        "--partial", type=_share, default=0.0, metavar="P", help="share of orders that fill in parts"
    )
    parser.add_argument("--spread-bps", type=_speed, default=0.0, metavar="B", help="spread of quotes")
    parser.add_argument("--store", metavar="DIR", help="keep its state there (default: in memory)")


DATA = {
    "fetch": Verb(
        "data",
        "get daily bars from Alpaca into a parquet file, or bring it up to date",
        "trimtab data fetch SPY TLT --start 2018-01-01",
        _data_fetch,
    ),
    "check": Verb(
        "data", "say what is wrong with a file of daily bars", "trimtab data check bars.parquet", _data_check
    ),
}
"""The parts of `data`."""


def _dashboard(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=_port, default=8501, help="port, 0 for a free one (default: 8501)")
    parser.add_argument("--browser", action="store_true", help="open it in the browser")
    parser.add_argument(
        "--open", action="store_true", help="no login, though --host is the network's: else guarded"
    )


def _completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=["bash", "fish", "zsh"], help="the shell to print it for")


VERBS = {
    "init": Verb(
        "setup",
        "write a starter config.json and its schema, for a simulated portfolio",
        "trimtab init demo && trimtab run --config demo/config.json",
        _init,
    ),
    "schema": Verb(
        "setup", "print the JSON schema of config.json", "trimtab schema > config.schema.json", _none
    ),
    "doctor": Verb(
        "doctor",
        "look at everything a run stands on: configuration, account, data, store, alerts",
        "trimtab doctor --send",
        _flags.doctor,
    ),
    "plan": Verb(
        "line",
        "plan the session, or the next one where the market is closed, and send nothing",
        "trimtab plan --out plan.json",
        _flags.plan,
    ),
    "apply": Verb(
        "line",
        "trade exactly a saved plan, or refuse and say what has moved",
        "trimtab apply plan.json --no-dry-run",
        _flags.apply,
    ),
    "run": Verb(
        "line",
        "run the whole line once: what the schedule calls",
        "trimtab run --no-dry-run --sessions 5",
        _run,
    ),
    "serve": Verb(
        "serve",
        "wake at the times of the schedule and run, until told to stop",
        "trimtab serve",
        _flags.serve,
    ),
    "backtest": Verb(
        "backtest",
        "play the strategy over history, planned and reviewed as the bot does",
        "trimtab backtest --start 2005-01-01 --report backtest.html",
        _flags.backtest,
    ),
    "sweep": Verb(
        "sweep",
        "play a grid of backtests on every core, and hold the best against luck",
        "trimtab sweep --grid grid.json",
        _flags.sweep,
    ),
    "data": Verb("data", "fetch daily bars into a file, and check one", "trimtab data fetch", _data),
    "status": Verb(
        "reading",
        "say how the portfolio stands: last run, holdings, halt flag",
        "trimtab status",
        looking.status,
    ),
    "history": Verb(
        "reading", "list past runs, all or some", "trimtab history --outcome halted", looking.history
    ),
    "show": Verb("reading", "show everything that is recorded of a run", "trimtab show last", looking.show),
    "explain": Verb("explain", "say why a run ordered what it did", "trimtab explain last", looking.explain),
    "diff": Verb("diff", "say what changed between two runs", "trimtab diff 20260105 last", looking.diff),
    "lots": Verb("lots", "show tax lots and what was realised", "trimtab lots --year 2026", looking.lots),
    "replay": Verb(
        "replay", "work recorded runs out again, and compare", "trimtab replay --all", looking.replay
    ),
    "verify": Verb("replay", "hold the records against their sums", "trimtab verify", _none),
    "rebuild": Verb("replay", "make trades.db anew from the records", "trimtab rebuild", _none),
    "prune": Verb(
        "prune",
        "take old inputs out of the store; records stay",
        "trimtab prune --older-than 400d --no-dry-run",
        _flags.prune,
    ),
    "compare": Verb(
        "compare",
        "set the runs beside the backtest of the same sessions, and split the gap",
        "trimtab compare --start 2026-01-02",
        _compare,
    ),
    "sandbox": Verb(
        "sandbox",
        "serve a local Alpaca-compatible exchange that replays bars on a virtual clock",
        "trimtab sandbox --data bars.parquet --start 2020-02-18",
        _sandbox,
    ),
    "dashboard": Verb(
        "dashboard",
        "serve the store as pages to look at in a browser",
        "trimtab dashboard --config demo/config.json --browser",
        _dashboard,
    ),
    "halt": Verb(
        "switch",
        "stop this portfolio: set the halt flag and cancel its open orders",
        'trimtab halt "earnings week"',
        _halt,
    ),
    "resume": Verb("switch", "lift the halt flag", "trimtab resume", _resume),
    "completion": Verb("completion", "print shell completion", "trimtab completion bash", _completion),
}
"""Every verb by its name."""
