"""Snippets: the code blocks of the Markdown pages, and a folder in which a page's blocks are run in order.

A comment above a block says what is special about it:

    <!-- not run: why -->           nobody runs it here
    <!-- file: NAME -->             it is the file of that name
    <!-- before: trimtab … -->      what the reader has done by then
    <!-- serves: … -->              a local exchange answers at its address
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack, chdir, closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import trimtab
from trimtab.adapters.exchange import Exchange
from trimtab.adapters.sample import synthetic
from trimtab.adapters.sandbox import serve
from trimtab.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OUTSIDE = {
    "apt": "installs on a machine",
    "apt-get": "installs on a machine",
    "aws": "needs an AWS account",
    "crontab": "changes a machine's schedule",
    "curl": "asks another machine",
    "docker": "needs Docker",
    "git": "needs a clone",
    "journalctl": "needs a machine with systemd",
    "make": "sets up an environment; its targets have their own tests",
    "pip": "installs from the network",
    "sam": "deploys on AWS",
    "scp": "needs another machine",
    "ssh": "needs another machine",
    "sudo": "changes a machine",
    "useradd": "changes a machine",
    "systemctl": "needs a machine with systemd",
    ".": "is of the shell that types it",
}
"""Programs that a page names and a test does not start, and why."""
PERHAPS = ("sqlite3",)
"""Programs that are run where they are installed."""
SERVING = ("sandbox", "dashboard", "serve")
"""Verbs that run until they are stopped; their own tests start them."""


@dataclass(frozen=True, slots=True)
class Block:
    """A code block: its language (empty where none is named), text, line in its page, and marks."""

    language: str
    text: str
    line: int
    marks: dict[str, str]


def blocks(page: str) -> list[Block]:
    """Give the fenced code blocks of a page's text."""
    found = []
    for match in re.finditer(r"^```([\w-]*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        above = re.search(r"((?:<!--[^>]*-->\n)*)\Z", page[: match.start()])
        marks = dict(re.findall(r"<!-- ([\w ]+): (.*?) -->", above[1] if above else ""))
        found.append(Block(match[1], match[2], page[: match.start()].count("\n") + 1, marks))
    return found


@dataclass(slots=True)
class Reader:
    """Somebody who types what a page says, in an empty folder and a shell of their own."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    outer: list[tuple[Path, dict[str, str]]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def read(self, block: Block) -> None:
        """Do what a block says.

        Raises:
            AssertionError: a command fails, or prints something else than the page shows.
        """
        if "not run" in block.marks:
            self.skipped.append(block.marks["not run"])
        elif "file" in block.marks:
            (self.folder / block.marks["file"]).write_text(block.text)
        elif block.language in {"sh", "bash", "shell"}:
            with self._served(block) as text:
                self._before(block)
                for line in lines(text):
                    self._type(line)
        elif block.language in {"", "console"} and block.text.startswith("$ "):
            self._before(block)
            self._session(block.text)
        elif block.language == "python":
            self._python(block.text)

    def _before(self, block: Block) -> None:
        for line in lines(block.marks.get("before", "")):
            self._type(line)

    def _session(self, text: str) -> None:
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            refused = "error:" in shown or "FAIL" in shown
            printed = self._type(command, refused=refused)
            if printed is not None:
                differing = missing(shown, printed)
                assert not differing, f"$ {command} no longer prints\n{differing}\nbut\n{printed[:1500]}"

    def _type(self, line: str, *, refused: bool = False) -> str | None:
        """Type one command; give what it printed, None where it is not run here."""
        words = shlex.split(line, comments=True)
        if words and words[0] in {"(", ")", "export"}:
            self._scope(words)
            return ""
        kept = dict(self.environ)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, value = words.pop(0).partition("=")
            self.environ[name] = value
        try:
            return self._start(words, line, refused=refused)
        finally:  # a variable before a command is that command's alone
            self.environ = kept

    def _scope(self, words: list[str]) -> None:
        """Set variables; between brackets on lines of their own, until the second one."""
        if words == ["("]:
            self.outer.append((self.folder, dict(self.environ)))
        elif words == [")"]:
            self.folder, self.environ = self.outer.pop()
        else:
            self.environ.update(word.split("=", 1) for word in words[1:])

    def _start(self, words: list[str], line: str, *, refused: bool) -> str | None:
        """Start a command's program, where it is run here."""
        program = words[0] if words else ":"
        if program in OUTSIDE or (program == "trimtab" and words[1] in SERVING):
            self.skipped.append(OUTSIDE.get(program, "serves until it is stopped"))
            return None
        if program in PERHAPS and shutil.which(program) is None:
            self.skipped.append(f"{program} is not installed")
            return None
        if program == "cd":
            self.folder /= words[1]
            return ""
        if program == "trimtab" and not re.search(r"[|<>&;`$]", re.sub(r"'[^']*'|\"[^\"]*\"", "", line)):
            return self._trimtab(words[1:], line, refused=refused)
        return self._shell(line, refused=refused)

    def _trimtab(self, words: list[str], line: str, *, refused: bool) -> str:
        printed = StringIO()
        with self._here(), redirect_stdout(printed), redirect_stderr(printed):
            status = main(words)
        assert (status != 0) is refused, f"$ {line} exits {status}:\n{printed.getvalue()}"
        return printed.getvalue()

    def _shell(self, line: str, *, refused: bool) -> str:
        programs = self.folder.parent / "bin"
        programs.mkdir(exist_ok=True)
        for name, words in (("trimtab", "-m trimtab"), ("python", "")):
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
            (programs / name).chmod(0o755)
        home = {"HOME": str(self.folder.parent), "PYTHONPATH": str(Path(trimtab.__file__).parents[1])}
        path = os.pathsep.join([str(programs), os.environ["PATH"]])
        done = subprocess.run(
            ["sh", "-ec", line],
            cwd=self.folder,
            env=self._plain(os.environ) | home | {"PATH": path} | self.environ,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        assert (done.returncode != 0) is refused, f"$ {line} exits {done.returncode}:\n{done.stdout}"
        return done.stdout

    def _python(self, text: str) -> None:
        named = re.match(r"# (\w+\.py)\n", text)
        if named:
            (self.folder / named[1]).write_text(text)
            return
        for own in self.folder.glob("*.py"):
            sys.modules.pop(own.stem, None)  # another folder's, which a test before has imported
        sys.path.insert(0, str(self.folder))
        try:
            with self._here(), redirect_stdout(StringIO()):
                exec(compile(text, "a block of the page", "exec"), {"__name__": "page"})  # noqa: S102 - our own pages
        finally:
            sys.path.remove(str(self.folder))

    @contextmanager
    def _here(self) -> Iterator[None]:
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self._plain(before) | {"COLUMNS": "100"} | self.environ)
        try:
            with chdir(self.folder):
                yield
        finally:
            os.environ.clear()
            os.environ.update(before)
            for name, module in list(sys.modules.items()):  # another page has a module of that name, too
                if str(getattr(module, "__file__", None)).startswith(str(self.folder)):
                    del sys.modules[name]

    @staticmethod
    def _plain(environ: Mapping[str, str]) -> dict[str, str]:
        """Give an environment without anything that this machine's owner or pytest decided."""
        return {n: v for n, v in environ.items() if not n.startswith(("TRIMTAB_", "APCA_", "PYTEST"))}

    @contextmanager
    def _served(self, block: Block) -> Iterator[str]:
        """Serve a local exchange for a block that wants one, and give its text with the real address."""
        with ExitStack() as stack:
            text = block.text
            if "serves" in block.marks:
                exchange = stack.enter_context(closing(Exchange.open(synthetic(("GLD", "SPY", "TLT")))))
                sandbox = stack.enter_context(serve(exchange, speed=0, rate_limit=None))
                text = text.replace("http://127.0.0.1:8420", sandbox.url)
            yield text


def lines(text: str) -> list[str]:
    """Give the commands of a shell block: continued lines joined, comments and empty lines left out."""
    whole = text.replace("\\\n", " ").splitlines()
    return [line.strip() for line in whole if line.strip() and not line.lstrip().startswith("#")]


def left(text: str) -> set[str]:
    """Give the variables that a shell block leaves exported: those between brackets end with them."""
    names: set[str] = set()
    inside = 0
    for line in lines(text):
        words = shlex.split(line, comments=True)
        inside += (words == ["("]) - (words == [")"])
        if words[:1] == ["export"] and not inside:
            names |= {word.split("=", 1)[0] for word in words[1:]}
        elif words[:1] == ["unset"]:
            names -= set(words[1:])
    return names


def missing(shown: str, printed: str) -> str:
    """Give the first line of what a page shows that is not printed, in order; numbers and ids may differ."""
    told = iter(map(_shape, printed.splitlines()))
    for line in shown.splitlines():
        if _shape(line) in {"", "…"}:
            continue
        if _shape(line) not in told:
            return line
    return ""


def _shape(line: str) -> str:
    """Give a line with its numbers, ids and blanks made alike."""
    line = re.sub(r"\b\d{8}T\d{6}Z-[0-9a-f]{8}\b|\b[0-9a-f]{8,64}\b", "0", line)
    return re.sub(r"\s+", " ", re.sub(r"-?\d[\d,.:%-]*", "0", line)).strip()
