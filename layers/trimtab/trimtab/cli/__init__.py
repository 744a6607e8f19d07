"""Cli: the command line: parse, dispatch, exit status.

0 the run did what it should, 1 a bug, 2 usage or configuration, 3 halted, 4 interrupted; 130 stopped by
Ctrl-C. Each verb's module is imported only when it is called: a run pays for nothing else.
"""

from __future__ import annotations

import sys
import traceback
from importlib import import_module
from typing import TYPE_CHECKING

from trimtab.cli.failure import understood
from trimtab.cli.parser import VERBS, parse
from trimtab.cli.terminal import Terminal, forgive
from trimtab.show.errors import bug_document

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

BUG, STOPPED, PIPE_CLOSED = 1, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status. `argv` None: the process's own arguments."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    forgive()
    terminal = Terminal.of(json="--json" in arguments)
    try:
        return _dispatch(arguments, terminal)
    except SystemExit as end:  # --help and --version
        return int(end.code or 0)
    except KeyboardInterrupt:
        hint = "what was stored before stands: run again in this session, and it finishes the same plan"
        terminal.fail({"code": "stopped", "message": "stopped by Ctrl-C", "hint": hint})
        return STOPPED
    except BrokenPipeError:
        terminal.detach()
        return PIPE_CLOSED
    except Exception as error:  # noqa: BLE001 - the last place that can say what went wrong
        return _failed(error, terminal)


def _dispatch(arguments: Sequence[str], terminal: Terminal) -> int:
    parsed = parse(arguments)
    module = import_module(f"trimtab.cli.{VERBS[parsed.verb].module}")
    status: int = getattr(module, parsed.verb)(parsed, terminal)
    return status


def _failed(error: Exception, terminal: Terminal) -> int:
    known = understood(error)
    if known is not None:
        terminal.fail(known.document())
        return known.exit_status
    terminal.complain("".join(traceback.format_exception(error)))
    terminal.fail(bug_document(error))
    return BUG
