"""Setup: the verbs that write and explain a configuration: init, schema."""

from __future__ import annotations

import json
import os
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from trimtab.cli.opened import program
from trimtab.errors import Misconfigured
from trimtab.settings import schema as schema_of
from trimtab.settings import starter
from trimtab.show.page import advice

if TYPE_CHECKING:
    import argparse

    from trimtab.cli.terminal import Terminal

__all__ = ["init", "schema"]

SCHEMA_FILE = "config.schema.json"
_ELSEWHERE = "name a folder that you may write to: trimtab init DIR"


def init(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Write a starter configuration and its schema.

    Raises:
        Misconfigured: a file is there already, or the folder can't be written.
    """
    config = _target(arguments)
    files = {config: starter(), config.parent / SCHEMA_FILE: json.dumps(schema_of(), indent=2) + "\n"}
    there = [str(path) for path in files if path.exists()]
    if there and not arguments.force:
        raise Misconfigured(
            "file_exists",
            f"{there[0]} is there already, and is left as it is",
            seen=", ".join(there),
            allowed="no such file yet",
            hint="trimtab init --force overwrites it; or name another folder: trimtab init DIR",
        )
    try:
        config.parent.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Misconfigured(
            "not_writable", f"can't write {config}", seen=error.strerror, hint=_ELSEWHERE
        ) from error
    options = "" if str(config) == "config.json" else f" --config {quote(str(config))}"
    terminal.say(f"wrote {' and '.join(map(str, files))}\n")
    terminal.say(advice("run it", f"{program()} run{options}"))
    terminal.document({"written": [str(path) for path in files]})
    return 0


def _target(arguments: argparse.Namespace) -> Path:
    """Give where the configuration goes.

    Raises:
        Misconfigured: it is named twice, or is no path.
    """
    if arguments.folder and arguments.config:
        raise Misconfigured(
            "usage", "DIR and --config both say where to write", hint="give one of them: trimtab init DIR"
        )
    if arguments.folder:
        return Path(arguments.folder) / "config.json"
    named = arguments.config or os.environ.get("TRIMTAB_CONFIG") or "config.json"
    if "://" in named:
        raise Misconfigured(
            "usage",
            "a starter is written to a folder",
            seen=named,
            hint="trimtab init DIR, then copy it there",
        )
    return Path(named)


def schema(_arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print the JSON schema of config.json; the same with and without --json."""
    if terminal.json:
        terminal.document(schema_of())
    else:
        terminal.say(json.dumps(schema_of(), indent=2))
    return 0
