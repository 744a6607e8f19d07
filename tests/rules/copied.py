"""Copy: the project's sources in a scratch folder, where a violation can be planted and a check run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The repository's folder."""
PACKAGE = "layers/trimtab/trimtab"
"""Where the package lies in it."""


@cache
def project_files() -> tuple[Path, ...]:
    """Give every file of the project that git holds or would take, absolute, in ascending order."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = {ROOT / name for name in listed.split("\0") if name}
    return tuple(sorted(path for path in paths if path.is_file()))


def python_files(*folders: str) -> tuple[Path, ...]:
    """Give the project's Python files below these folders; without any, all of them."""
    roots = [ROOT / folder for folder in folders] or [ROOT]
    return tuple(
        path
        for path in project_files()
        if path.suffix == ".py" and any(path.is_relative_to(root) for root in roots)
    )


def environment() -> dict[str, str]:
    """Give this process's environment without what an outer make or pytest put there."""
    return {
        key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS", "PYTEST"))
    }


@dataclass(frozen=True, slots=True)
class Copy:
    """The package, its rules and nothing else, below `root`."""

    root: Path

    def plant(self, path: str, text: str) -> None:
        """Append `text` to the package's file `path`, which is made where it is not there."""
        target = self.root / PACKAGE / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("a") as file:
            file.write(text)

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment in the copy, whose package is the one that it sees."""
        found = Path(sys.executable).parent / program
        return subprocess.run(
            [found, *arguments],
            cwd=self.root,
            env=environment() | {"PYTHONPATH": str(self.root / "layers/trimtab"), "NO_COLOR": "1"},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )


def copy_to(folder: Path) -> Copy:
    """Give a fresh copy of the package's sources and the rules' settings in `folder`."""
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / PACKAGE, folder / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    return Copy(folder)
