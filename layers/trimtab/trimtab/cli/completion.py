"""Completion: the verb that prints what teaches a shell to complete verbs, flags and files."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from trimtab.cli.parser import build

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.cli.terminal import Terminal

__all__ = ["completion"]


def completion(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print the script for a shell. It is made once: completing starts no Python."""
    import shtab  # noqa: PLC0415 - no other verb pays for it

    parser = build()
    kinds = {"FILE": shtab.FILE, "OUT.html": shtab.FILE, "DIR": shtab.DIRECTORY}
    for action in _actions(parser):
        if action.metavar in kinds:
            action.complete = kinds[str(action.metavar)]  # type: ignore[attr-defined]  # where shtab looks
    script = shtab.complete(parser, shell=arguments.shell)
    if terminal.json:
        terminal.document({"shell": arguments.shell, "script": script})
    else:
        terminal.say(script)
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Give every argument of a parser and of its verbs and parts."""
    for action in parser._actions:  # noqa: SLF001 - argparse shows them nowhere else
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            for part in action.choices.values():
                yield from _actions(part)
