"""Docs of the command line: every verb, flag and exit status of the program is in docs/cli.md."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from trimtab.adapters.sandbox.control import ROUTES
from trimtab.cli.parser import DATA, VERBS, build
from trimtab.show.document import EXIT_STATUS

DOCS = (Path(__file__).parents[2] / "docs/cli.md").read_text()
COMMON = {"--config", "--json", "--help"}


def section(verb: str) -> str:
    """Give a verb's part of the page; empty where there is none."""
    found = re.search(rf"^## {verb}\n(.*?)(?=^## |\Z)", DOCS, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def flags(verb: str) -> set[str]:
    """Give every flag that a verb's parser takes, and those of its parts."""
    return taken(parts_of(build())[verb])


def parts_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Give the parsers of a parser's verbs or parts, by name."""
    found = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]  # noqa: SLF001 - no other way
    return {name: part for action in found for name, part in action.choices.items()}


def taken(parser: argparse.ArgumentParser) -> set[str]:
    """Give every flag that a parser and its parts take."""
    own = {option for action in parser._actions for option in action.option_strings}  # noqa: SLF001 - no other way
    return own.union(*map(taken, parts_of(parser).values()))


@pytest.mark.parametrize("part", DATA)
def test_every_part_of_data_is_told(part: str) -> None:
    """A part has its synopsis in the section."""
    assert f"`trimtab data {part} " in section("data")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_flag_is_told(verb: str) -> None:
    """A verb has its section, in which each of its flags stands, and a line in the table."""
    assert f"| [`{verb}`](#{verb}) |" in DOCS
    own = {flag for flag in flags(verb) if flag.startswith("--")} - COMMON
    missing = {flag for flag in own if not re.search(rf"{flag}(?![\w-])", section(verb))}
    assert section(verb)
    assert not missing


@pytest.mark.parametrize("verb", VERBS)
def test_no_flag_is_told_that_is_not_there(verb: str) -> None:
    """What a verb's section names in its synopsis or its list, its parser takes."""
    told = set(re.findall(rf"trimtab {verb}[^`\n]*?\[(--[a-z-]+)", section(verb)))
    told |= {
        f
        for line in re.findall(r"^- (.*?):", section(verb), re.MULTILINE)
        for f in re.findall(r"`(--[a-z-]+)", line)
    }
    assert told <= flags(verb)


def test_the_common_flags_and_exit_statuses_are_told() -> None:
    """--config, --json, and each exit status with the outcomes that give 0."""
    assert "`--config FILE`" in DOCS
    assert "`--json`" in DOCS
    table = dict(re.findall(r"^\| (\d+) \| (.*) \|$", DOCS, re.MULTILINE))
    assert set(table) == {"0", "1", "2", "3", "4", "130"}
    for outcome, status in EXIT_STATUS.items():
        assert outcome in table[str(status)]


@pytest.mark.parametrize(("method", "path"), [(method, path.pattern) for method, path, _ in ROUTES])
def test_the_sandboxs_own_endpoints_are_told(method: str, path: str) -> None:
    """Each has a line in the table of the sandbox's section, with its methods."""
    lines = [line for line in section("sandbox").splitlines() if f" {path}`" in line or f"{path}` |" in line]
    assert any(re.search(rf"`{method}\b", line) for line in lines)
