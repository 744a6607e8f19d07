"""Bench: an empty folder in which a mistake is made, and what the program said."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trimtab
from trimtab.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EQUAL = {"name": "equal_weight", "params": {"symbols": ["AAA", "BBB", "CCC"]}}


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said: its exit status and its error (empty where there is none)."""

    status: int
    error: dict[str, str]

    @property
    def text(self) -> str:
        """All of the error's words."""
        return " ".join(str(value) for value in self.error.values() if value)


@dataclass(frozen=True, slots=True)
class Bench:
    """A folder of one's own, and an environment without anything of this machine's."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def config(self, **changes: object) -> None:
        """Write a simulated portfolio's config.json with these keys changed."""
        self.text(json.dumps({"strategy": EQUAL, "dry_run": False} | changes))

    def text(self, text: str, name: str = "config.json") -> None:
        """Write a file."""
        (self.folder / name).write_text(text)

    def weights(self, **weights: object) -> None:
        """Write a portfolio of fixed weights."""
        self.config(strategy={"name": "fixed_weights", "params": {"weights": weights}})

    def rule(self, body: str, **changes: object) -> None:
        """Write a strategy of one's own in myrule.py, and a portfolio that names it."""
        self.text(f"def rule(history, equity):\n    {body}\n", "myrule.py")
        self.config(**({"strategy": {"name": "myrule:rule"}, "universe": ["AAA", "BBB"]} | changes))

    def paper(self, **environment: str) -> None:
        """Write a paper portfolio; its keys are in the environment."""
        self.config(mode="paper")
        keys = {"APCA_API_KEY_ID": "PKEXAMPLE", "APCA_API_SECRET_KEY": "secret"}
        self.environment.update(keys | environment)

    def say(self, *words: str) -> Said:
        """Give one command in this process, and read its error."""
        out = StringIO()
        with self._here(), redirect_stdout(out), redirect_stderr(StringIO()):
            status = main([*words, "--json"])
        return Said(status, self._error(out.getvalue()))

    def without(self, package: str, *words: str) -> Said:
        """Give one command in a Python that has every package of this one but this."""
        farm = self.folder / "packages"
        farm.mkdir()
        for place in [Path(entry) for entry in sys.path if entry.endswith("-packages")]:
            for entry in place.iterdir():
                hidden = entry.name.lower().replace("_", "-").startswith((package, "__editable"))
                if not hidden and not (farm / entry.name).exists():
                    (farm / entry.name).symlink_to(entry)
        path = os.pathsep.join([str(Path(trimtab.__file__).parents[1]), str(farm)])
        done = subprocess.run(
            [sys.executable, "-S", "-m", "trimtab", *words, "--json"],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": path} | self.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Said(done.returncode, self._error(done.stdout))

    @contextmanager
    def _here(self) -> Iterator[None]:
        own = ("TRIMTAB_", "APCA_")
        before = {name: value for name, value in os.environ.items() if name.startswith(own)}
        for name in before:
            del os.environ[name]
        os.environ.update(self.environment)
        try:
            with chdir(self.folder):
                yield
        finally:
            for name in self.environment:
                os.environ.pop(name, None)
            os.environ.update(before)
            for name, module in list(sys.modules.items()):  # the next bench has a module of that name, too
                if str(getattr(module, "__file__", None)).startswith(str(self.folder)):
                    del sys.modules[name]

    def _error(self, out: str) -> dict[str, str]:
        error: dict[str, Any] = (json.loads(out) if out.strip() else {}).get("error") or {}
        return {name: self._plain(str(value)) for name, value in error.items() if value}

    def _plain(self, text: str) -> str:
        """Give a text without this run's folder, ports and Python's own words, which change with it."""
        text = text.replace(f"{self.folder}/", "").replace(str(self.folder), "this folder")
        text = re.sub(r"(127\.0\.0\.1|localhost):\d+", r"\1:8420", text)
        text = re.sub(r"at line \d+, column \d+: [A-Z].*", "at its line and column", text)
        return re.sub(r"(SyntaxError|HTTPConnectionPool).*", r"\1: …", text)


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake: what was done, how it is made, and the exit status, code and words of what is said."""

    done: str
    make: Callable[[Bench], Said]
    status: int
    code: str
    says: str
