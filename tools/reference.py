"""Reference: the pages of docs/reference, made from the code.

    python -m tools.reference            writes them
    python -m tools.reference --check    exits 1 where one is not what the code says

A name without a text is an error: whoever adds a verb, setting, rule, gate, code or table says what it is.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trimtab as tt
from tools import codes, texts
from trimtab.adapters.sqlite import MIGRATIONS, SqliteTrades
from trimtab.backtesting.result import Result
from trimtab.backtesting.stats import MEANINGS
from trimtab.cli.parser import build
from trimtab.core import risk
from trimtab.core.gates import GATES
from trimtab.core.sizing import Why
from trimtab.evidence.explain import MEANS
from trimtab.evidence.prove import CHECKS
from trimtab.settings import schema
from trimtab.settings.document import describe
from trimtab.settings.loading import OTHERS
from trimtab.settings.secret import KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

FOLDER = codes.ROOT / "docs/reference"
RECOVER = codes.ROOT / "docs/recover.md"
COMPUTED = ("fills", "fills_qty", "fills_value_usd")
"""Columns of views that stand in no table; SQLite's versions tell their types differently."""
NOTICE = "<!-- Made by `make reference` from the code: change that, not this page. -->"


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with `--check` say which are not what the code says."""
    check = "--check" in arguments
    FOLDER.mkdir(parents=True, exist_ok=True)
    stale = [name for name, text in pages().items() if _written(name) != text]
    for name in stale:
        if check:
            print(f"docs/reference/{name} is not what the code says: make reference", file=sys.stderr)
        else:
            (FOLDER / name).write_text(pages()[name])
            print(f"wrote docs/reference/{name}")
    return 1 if check and stale else 0


def pages() -> dict[str, str]:
    """Give every page's text by its file name.

    Raises:
        KeyError: something has no text in `texts`.
    """
    made = {
        "cli": cli,
        "settings": settings,
        "rules": rules,
        "errors": errors,
        "schema": tables,
        "python": api,
    }
    return {f"{name}.md": f"{NOTICE}\n\n{page().rstrip()}\n" for name, page in made.items()}


def _written(name: str) -> str | None:
    path = FOLDER / name
    return path.read_text() if path.exists() else None


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Give a Markdown table; what would end a cell is escaped.

    Raises:
        ValueError: a cell is empty, so something is not said.
    """
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in rows:
        if not all(cell.strip() for cell in row):
            raise ValueError(f"{row}: something is not said")
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |")
    return "\n".join(lines)


# The command line


def cli() -> str:
    """Give the page of every verb and flag."""
    parser = build()
    verbs = _parts(parser)
    text = f"# Command line: every verb and flag\n\n{parser.description}\n{texts.HEADS['cli']}\n\n"
    return text + "\n\n".join(_verb(f"trimtab {name}", part) for name, part in verbs.items())


def _verb(name: str, parser: argparse.ArgumentParser, level: int = 2) -> str:
    own = [action for action in parser._actions if action.option_strings != ["-h", "--help"]]  # noqa: SLF001 - argparse shows them nowhere else
    synopsis = " ".join([name, *(_usage(action) for action in own)])
    example = str(parser.epilog).removeprefix("example:\n").strip()
    rows = [(f"`{_called(action)}`", _help(action)) for action in own if action.dest != "part"]
    inner = [_verb(f"{name} {part}", made, level + 1) for part, made in _parts(parser).items()]
    parts = [
        f"{'#' * level} {name.removeprefix('trimtab ')}",
        str(parser.description),
        f"```text\n{synopsis}\n```",
    ]
    return "\n\n".join([*parts, table(("argument", "is"), rows), f"Example: `{example}`", *inner])


def _parts(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]  # noqa: SLF001 - as above
    return {name: part for action in found for name, part in action.choices.items()}


def _usage(action: argparse.Action) -> str:
    if not action.option_strings:
        name = _placeholder(action)
        return {"?": f"[{name}]", "*": f"[{name} …]"}.get(str(action.nargs), name)
    return f"[{_called(action)}]"


def _called(action: argparse.Action) -> str:
    if not action.option_strings:
        return _placeholder(action)
    names = ", ".join(action.option_strings)
    return names if action.nargs == 0 else f"{names} {_placeholder(action)}"


def _placeholder(action: argparse.Action) -> str:
    if action.choices and not isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
        return "|".join(map(str, action.choices))
    return str(action.metavar or action.dest.upper())


def _help(action: argparse.Action) -> str:
    return str(action.help or "").replace("%%", "%")


# The settings


def settings() -> str:
    """Give the page of every key of config.json and every environment variable."""
    rows = [(f"`{'.'.join(path)}`", _takes(path), default, meaning) for path, default, meaning in keys()]
    if set(texts.ENVIRONMENT) != {*OTHERS, *KEYS, "APCA_API_BASE_URL", "APCA_API_DATA_URL"}:
        raise ValueError("tools/texts.py: ENVIRONMENT is not what the settings read")
    variables = [(f"`{name}`", text) for name, text in texts.ENVIRONMENT.items()]
    return "\n\n".join(
        [
            "# Settings: every key and variable",
            "What they are for, and how they go together: [configuration](../configuration.md).",
            "## config.json",
            texts.HEADS["settings"],
            table(("key", "takes", "default", "meaning"), rows),
            "## Environment",
            table(("variable", "meaning"), variables),
        ]
    )


def keys() -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Give every key that takes a value: its path, default and meaning."""
    yield from _keys(schema(), ())


def _keys(node: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    definitions = schema()["$defs"]
    for name, entry in node["properties"].items():
        section = definitions.get(str(entry.get("$ref")).rsplit("/", 1)[-1])
        if section is not None and "properties" in section:
            yield from _keys(section, (*path, name))
        elif name != "$schema":
            default = f"`{json.dumps(entry['default'])}`" if "default" in entry else "none"
            yield (*path, name), default, entry["description"]


def _takes(path: tuple[str, ...]) -> str:
    return re.sub(r"matching (\^.*\$)", r"matching `\1`", describe(path))


# The rules


def rules() -> str:
    """Give the page of risk rules, gates, holds, latches and what `--prove` looks for."""
    judged = [(f"`{rule.__name__}`", _first(rule)) for rule in risk.RULES]
    reasons = [str(why.name).lower() for why in Why.__members__.values()]
    return "\n\n".join(
        [
            "# Rules, gates and reasons",
            texts.HEADS["rules"],
            "## Risk rules",
            "In the order in which they judge a plan before it is stored.",
            table(("rule", "holds that"), judged),
            "## Gates",
            "In the order in which they judge bars and account before a plan is made.",
            table(("gate", "does"), [(f"`{name}`", _gate(name)) for name in codes.gates()]),
            "## Latches",
            table(("latch", "is set when"), [(f"`{n}`", text) for n, text in texts.LATCHES.items()]),
            "## Reasons of orders and holds",
            table(("reason", "means"), [(f"`{name}`", MEANS[name]) for name in reasons]),
            "## What `backtest --prove` finds",
            table(("finding", "what to do"), [(f"`{code}`", hint) for code, hint in CHECKS.values()]),
        ]
    )


def _gate(name: str) -> str:
    if name == "trade_apart":
        return "Give the symbols that jumped, and whose last trade is not near their last close."
    return texts.GATES[name] if name in texts.GATES else _first(GATES[name])


def _first(function: Callable[..., Any] | type) -> str:
    """Give the first sentence of a docstring."""
    return str(inspect.getdoc(function)).split("\n\n", maxsplit=1)[0].replace("\n", " ")


# The error codes


def errors() -> str:
    """Give the page of every code with which a command stops or a run ends."""
    found: dict[str, list[codes.Raised]] = {}
    for place in codes.raised():
        found.setdefault(place.code, []).append(place)
    places = recovery()
    stops = [(f"`{code}`", _exits(of), _said(of), _link(code, places)) for code, of in sorted(found.items())]
    more = [("`bug`", "1", "a fault in Trimtab, or in a strategy of yours", _link("bug", places))]
    more += [("`stopped`", "130", "stopped by Ctrl-C", _link("stopped", places))]
    judged = [(f"`{name}`", _link(name, places)) for name in dict.fromkeys((*codes.rules(), *codes.gates()))]
    outcomes = [
        (f"`{code}`", f"`{outcome}`", _text(texts.ENDS, code, "ENDS of tools/texts.py"))
        for code, outcome in codes.ends().items()
    ]
    notes = [
        (f"`{code}`", level, _text(texts.NOTES, code, "NOTES of tools/texts.py"))
        for code, level in sorted(codes.noted().items())
    ]
    return "\n\n".join(
        [
            "# Error codes",
            texts.HEADS["errors"],
            "## Codes of errors",
            table(("code", "exit", "says", "what to do"), [*stops, *more]),
            "## Codes of rules and gates",
            "A rule or gate that refuses gives its own name as the code, exit 3: see [rules](rules.md).",
            table(("code", "what to do"), judged),
            "## Codes of runs that end well",
            table(("code", "outcome", "means"), outcomes),
            "## Codes of events",
            "What a run notes and goes on: in its record, in `trades.db` and in `trimtab show`.",
            table(("code", "level", "means"), notes),
        ]
    )


def recovery() -> dict[str, str]:
    """Give the anchor of the section of docs/recover.md in which each code has its row."""
    anchor, found = "", {}
    for line in RECOVER.read_text().splitlines() if RECOVER.exists() else ():
        if line.startswith("## "):
            anchor = re.sub(r"[^a-z0-9 -]", "", line[3:].lower()).replace(" ", "-")
        for row in re.findall(r"^\| ((?:`[a-z0-9_]+`(?:, )?)+) \|", line):
            found |= dict.fromkeys(re.findall(r"`([a-z0-9_]+)`", row), anchor)
    return found


def _text(told: Mapping[str, str], name: str, where: str) -> str:
    if name not in told:
        raise ValueError(f"{name} is told of nowhere: say what it is in {where}")
    return told[name]


def _link(code: str, places: dict[str, str]) -> str:
    if code not in places:
        raise ValueError(f"{code} has no row in docs/recover.md: say there what a person does about it")
    return f"[{places[code].replace('-', ' ')}](../recover.md#{places[code]})"


def _exits(places: list[codes.Raised]) -> str:
    return ", ".join(sorted({codes.KINDS[place.kind] for place in places}))


def _said(places: list[codes.Raised]) -> str:
    said = "; ".join(dict.fromkeys(place.message for place in places if place.message.strip("… ")))
    return said or "what is wrong, in its own words"


# The database


def tables() -> str:
    """Give the page of every table, view and column of trades.db."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trades.db"
        SqliteTrades(path).add({})
        with closing(sqlite3.connect(path)) as base:
            names = base.execute(
                "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%' "
                "ORDER BY type, rowid"
            ).fetchall()
            columns = {name: base.execute(f"PRAGMA table_info({name})").fetchall() for (name,) in names}
            (version,) = base.execute("PRAGMA user_version").fetchone()
    told = dict(re.findall(r"((?:^-- .*\n)+)CREATE (?:TABLE|VIEW) (\w+)", "".join(MIGRATIONS), re.MULTILINE))
    said = {name: " ".join(re.findall(r"^-- (.*)", text, re.MULTILINE)) for text, name in told.items()}
    kinds = {row[1]: row[2] for rows in reversed(columns.values()) for row in rows if row[1] not in COMPUTED}
    parts = [
        _table_of(name, _text(said, name, "a comment above it"), rows, kinds)
        for name, rows in columns.items()
    ]
    head = f"# trades.db: every table and column\n\nSQLite, schema version {version}. {texts.HEADS['schema']}"
    return "\n\n".join([head, *parts])


def _table_of(title: str, said: str, rows: list[tuple[Any, ...]], kinds: dict[str, str]) -> str:
    key = {row[1] for row in rows if row[5]}
    cells = [
        (
            f"`{row[1]}`",
            kinds.get(row[1], "computed") + (", key" if row[1] in key else ""),
            _text(texts.COLUMNS, row[1], "COLUMNS of tools/texts.py"),
        )
        for row in rows
    ]
    return f"## {title}\n\n{said}\n\n{table(('column', 'type', 'holds'), cells)}"


# The Python functions


def api() -> str:
    """Give the page of the public Python names."""
    statistics = [(f"`{name}`", meaning) for name, meaning in MEANINGS.items()]
    strategies = [_function(f"tt.strategies.{name}", made) for name, made in tt.strategies.BUILT_IN.items()]
    return "\n\n".join(
        [
            "# Python functions",
            texts.HEADS["python"],
            _function("tt.read_bars", tt.read_bars),
            _function("tt.backtest", tt.backtest),
            _class("tt.Bars", tt.Bars),
            _class("tt.History", tt.History),
            _class("The result of a backtest", Result),
            "## Statistics\n\n`result.stats` holds these; units are in the names.",
            table(("name", "is"), statistics),
            "## Built-in strategies\n\nFactories: each gives a strategy, a function of history and equity.",
            *strategies,
        ]
    )


def _function(name: str, function: Callable[..., Any], level: int = 3) -> str:
    mark = "#" * (level if name.count(".") > 1 else 2)
    return f"{mark} {name}\n\n```text\n{_signature(name, function)}\n```\n\n{_prose(function)}"


def _class(name: str, kind: type) -> str:
    parts = [f"## {name}", _prose(kind)]
    for member, value in vars(kind).items():
        made = getattr(value, "fget", None) or getattr(value, "__func__", value)
        if member.startswith("_") or not inspect.isfunction(made):
            continue
        shown = member if isinstance(value, property) else _signature(member, made)
        parts.append(f"- `{shown}`: {_first(made)}")
    head, members = parts[:2], parts[2:]
    return "\n\n".join([*head, "\n".join(members)]).rstrip()


def _signature(name: str, function: Callable[..., Any]) -> str:
    parameters = [
        p.replace(annotation=str(p.annotation).strip("'") if p.annotation is not p.empty else p.empty)
        for p in inspect.signature(function).parameters.values()
        if p.name not in {"self", "cls"}
    ]
    pieces = []
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and "*" not in pieces:
            pieces.append("*")
        pieces.append(p.name if p.default is p.empty else f"{p.name}={p.default!r}")
    return f"{name}({', '.join(pieces)})"


def _prose(thing: Callable[..., Any] | type) -> str:
    """Give a docstring as Markdown: its paragraphs, and its sections as lists."""
    text = str(inspect.getdoc(thing))
    for section in ("Args", "Raises"):
        text = re.sub(rf"^{section}:\n", f"**{section}**\n\n", text, flags=re.MULTILINE)
    text = re.sub(r"\n {8,}", " ", text)
    return re.sub(r"^ {4}(\S)", r"- \1", text, flags=re.MULTILINE)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
