"""Opened: what several verbs begin with: settings, and the options that find them again."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from shlex import quote
from shutil import which
from typing import TYPE_CHECKING

from trimtab.configuration import load

if TYPE_CHECKING:
    import argparse

    from trimtab.settings import Settings

__all__ = ["SENDS_NOTHING", "options_of", "person", "program", "settings_of"]

SENDS_NOTHING = frozenset(
    {
        *("halt", "resume", "status", "history", "show", "explain", "diff", "lots", "dashboard"),
        *("replay", "verify", "rebuild", "prune", "compare", "backtest", "sweep", "data"),
    }
)
"""Verbs that send no order, whatever the settings say: for them mode live needs no TRIMTAB_LIVE, so that who
looks or halts need not switch real money on. A verb that is not named here is asked for it."""


def settings_of(arguments: argparse.Namespace, **flags: object) -> Settings:
    """Load the settings that the arguments name, for their verb.

    Raises:
        Misconfigured: anything about them is wrong.
    """
    return load(arguments.config, flags, os.environ, sends=arguments.verb not in SENDS_NOTHING)


def options_of(arguments: argparse.Namespace) -> str:
    """Give what a suggested command needs to find the same configuration."""
    return f" --config {quote(arguments.config)}" if arguments.config else ""


def program() -> str:
    """Give what calls this program again: its name where the shell finds it, else its path as typed."""
    called = sys.argv[0]
    found = Path(called).name != "trimtab" or which("trimtab") is not None
    return "trimtab" if found else quote(called)


def person() -> str:
    """Name the person at this machine, or the owner where the machine does not know."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "owner"
