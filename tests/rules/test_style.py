"""Style: ruff's rules and those that ruff does not know; each bites."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rules.copied import PACKAGE, ROOT, project_files, python_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rules.copied import Copy

LONGEST_FUNCTION = 60
LONGEST_FILE = 450

HEAD = '"""Planted: an example."""\n\nfrom __future__ import annotations\n\n'
CLOCK = HEAD + "import datetime as dt\n\nNOW = dt.datetime.now(dt.UTC)\n"
IMPURE = {
    "the clock": CLOCK,
    "the clock under another name": HEAD + "from datetime import UTC, datetime as d\n\nNOW = d.now(UTC)\n",
    "today": HEAD + "import datetime as dt\n\nfirst = dt.date.today\n",
    "a timer": HEAD + "import time\n\nNOW = time.monotonic()\n",
    "chance": HEAD + "import random\n\nrandom.seed(1)\n",
    "numpy's chance": HEAD + "import numpy as np\n\nX = np.random.default_rng(1)\n",
    "a uuid": HEAD + "from uuid import uuid4\n\nX = uuid4()\n",
    "the environment": HEAD + "from os import environ\n\nX = environ['A']\n",
    "a file": HEAD + "from pathlib import Path\n\nX = Path('a')\n",
    "a log": HEAD + "import logging\n\nlogging.basicConfig()\n",
}


def ruff_codes(copy: Copy, path: str) -> set[str]:
    """Give the codes that ruff raises on one file of the copied package."""
    done = copy.run("ruff", "check", "--no-cache", "--output-format", "json", f"{PACKAGE}/{path}")
    return {found["code"] for found in json.loads(done.stdout)}


@pytest.mark.parametrize("arguments", [("check",), ("format", "--check")])
def test_the_project_is_clean(arguments: tuple[str, ...]) -> None:
    """Unplanted, the whole project passes ruff and is formatted."""
    ruff = Path(sys.executable).parent / "ruff"
    done = subprocess.run(
        [ruff, *arguments], cwd=ROOT, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("room", ["core", "strategies"])
@pytest.mark.parametrize("source", IMPURE.values(), ids=IMPURE)
def test_a_pure_room_refuses(copy: Copy, room: str, source: str) -> None:
    """Clock, chance, environment, files and logs are banned by name in core and strategies."""
    copy.plant(f"{room}/planted.py", source)
    assert "TID251" in ruff_codes(copy, f"{room}/planted.py")


def test_an_adapter_may_use_the_clock(copy: Copy) -> None:
    """What core may not, an adapter may: the ban is the room's."""
    copy.plant("adapters/planted.py", CLOCK)
    assert ruff_codes(copy, "adapters/planted.py") == set()


@pytest.mark.parametrize("room", ["core", "strategies", "adapters"])
def test_every_room_has_the_whole_rule_set(copy: Copy, room: str) -> None:
    """An undocumented, untyped, printing function and a blanket noqa are refused everywhere."""
    copy.plant(
        f"{room}/planted.py", HEAD + "\ndef total(x):\n    print(x)  # noqa\n    return x\n\nprint(total)\n"
    )
    expected = {"D103", "ANN001", "ANN201", "PGH004", "T201"}
    assert ruff_codes(copy, f"{room}/planted.py") >= expected


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Give each function's name and length in lines, decorators and docstring included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            yield node.name, node.end_lineno - first + 1


def test_no_function_is_long() -> None:
    """A function fits a screen."""
    assert list(functions("@x\ndef f():\n    pass\n")) == [("f", 3)]
    long = {
        f"{path.relative_to(ROOT)}::{name}": lines
        for path in python_files()
        for name, lines in functions(path.read_text())
        if lines > LONGEST_FUNCTION
    }
    assert not long


def test_no_file_is_long() -> None:
    """A file is read in one sitting."""
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in python_files()}
    assert len(lines) > 10
    assert not {path: count for path, count in lines.items() if count > LONGEST_FILE}


def printing(source: str) -> bool:
    """Say whether a source calls print, whatever noqa it carries."""
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return any(isinstance(called, ast.Name) and called.id == "print" for called in calls)


def test_only_the_command_line_prints() -> None:
    """Stdout belongs to the command line: `--json` promises one document there."""
    assert printing("print(1)  # noqa: T201 - example")
    package = ROOT / PACKAGE
    for path in python_files(PACKAGE, "functions", "dashboard"):
        in_cli = path == package / "cli.py" or path.is_relative_to(package / "cli")
        assert in_cli or not printing(path.read_text()), path.relative_to(ROOT)


def test_every_module_opens_with_its_noun() -> None:
    """A module's docstring opens "Noun: what it is"."""
    for path in python_files(PACKAGE):
        first = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0]
        assert re.match(r"[A-Z][\w.'` -]*: \S", first), f"{path.relative_to(ROOT)}: {first!r}"


def unexplained(source: str) -> list[str]:
    """Give the comments that switch a check off and do not say why, as `line: comment`."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [(t.start[0], t.string) for t in tokens if t.type == tokenize.COMMENT]
    switch = re.compile(
        r"#\s*(noqa\b(: *[A-Z]+\d+(, *[A-Z]+\d+)*)?|type: *ignore(\[[^]]*\])?|pragma: no \w+)"
    )
    found = [(line, text, switch.search(text)) for line, text in comments]
    return [f"{line}: {text}" for line, text, match in found if match and not reason(text, match)]


def reason(comment: str, match: re.Match[str]) -> bool:
    """Say whether a word beside the switches explains the comment."""
    rest = comment[: match.start()] + re.sub(
        r"#\s*(noqa|type: *ignore)\S*( *[A-Z]+\d+,?)*", "", comment[match.end() :]
    )
    return re.search(r"[A-Za-z]{3}", rest) is not None


def test_every_silenced_check_says_why() -> None:
    """A `noqa`, `type: ignore` or `pragma` carries its reason in the same comment."""
    silent = (
        "x = 1  # noqa: E501",
        "x = 1  # type: ignore[arg-type]",
        "x = 1  # noqa: E501, D100",
        "x = 1  # noqa",
    )
    assert all(unexplained(source) for source in silent)
    assert not unexplained("x = 1  # noqa: E501 - the address is one word")
    assert not unexplained("x = 1  # type: ignore[arg-type]  # the stub is wrong here")
    found = {str(path.relative_to(ROOT)): unexplained(path.read_text()) for path in python_files()}
    assert not {path: lines for path, lines in found.items() if lines}


def test_no_test_patches() -> None:
    """Fakes that ship with the package stand in for the outside: no mock, no replaced attribute."""
    patching = re.compile(r"unittest[.]mock|\bmocker\b|monkeypatch[.]set(attr|item)\b")
    assert patching.search("monkeypatch" + ".setattr(x, 'y', 1)")
    assert not [path.relative_to(ROOT) for path in python_files("tests") if patching.search(path.read_text())]


# Written so that the patterns do not match themselves.
MACHINE = re.compile(
    r"(?<![\w.$}-])(/(home|root|Users|work)/\w|[A-Z]:\\\\?Users)"
    r"|py[p]i[.]org|python[h]osted|index[-]url\b(?! )|arti[f]actory|extra[-]index"
)


def text_of(path: Path) -> str:
    """Give a file's text; of a file that is none, nothing."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def test_no_file_knows_the_machine() -> None:
    """No absolute path of a machine and no registry's address stands in the project."""
    assert MACHINE.search("see " + "/ho" + "me/someone/x")
    assert MACHINE.search("--index" + "-url=x")
    assert not MACHINE.search("https://example.org/home/page ./work/x")
    found = {
        str(path.relative_to(ROOT)): match[0]
        for path in project_files()
        if (match := MACHINE.search(text_of(path).replace("--no-emit-index" + "-url", "")))
    }
    assert not found
