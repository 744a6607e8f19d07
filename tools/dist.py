"""Dist: sdist and wheel, built from what git holds, and tried outside of the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tools.codes import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"
TRIED = (
    ("--version",),
    ("init", "demo"),
    ("run", "--config", "demo/config.json"),
    ("status", "--config", "demo/config.json"),
    ("dashboard", "--help"),
    ("completion", "bash"),
)
"""What an installed wheel has to do, in this order, in an empty folder."""
PAGES = "from trimtab.cli import dashboard; print(dashboard._app())"


def main(_arguments: Sequence[str]) -> int:
    """Build into dist/, install the wheel with its locked dependencies elsewhere, and run it."""
    with tempfile.TemporaryDirectory() as folder:
        sdist, wheel = build(Path(folder))
        python = environment(Path(folder) / "environment")
        lock = ROOT / "requirements/dashboard.txt"
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(python)]
        _run([*pip, "install", "--require-hashes", "--no-deps", "--requirement", str(lock)])
        install(python, wheel)
        attempt(python, Path(folder) / "elsewhere")
        (ROOT / "dist").mkdir(exist_ok=True)
        for made in (sdist, wheel):
            shutil.copy(made, ROOT / "dist")
            print(f"dist/{made.name}: built, installed and run")
    return 0


def build(folder: Path) -> tuple[Path, Path]:
    """Build the sdist from a copy of what git holds, and the wheel from the unpacked sdist."""
    source, made = folder / "source", folder / "made"
    made.mkdir()
    listed = _run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    sdist = made / _built("build_sdist", made, source)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return sdist, made / _built("build_wheel", made, unpacked)


def _built(hook: str, made: Path, source: Path) -> str:
    return _run([sys.executable, "-c", BUILD, hook, str(made)], source).splitlines()[-1]


def environment(folder: Path, borrowed: Sequence[str] = ()) -> Path:
    """Make an empty environment and give its Python; `borrowed` are folders of packages that it sees, too."""
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text("\n".join(borrowed))
    return folder / "bin/python"


def install(python: Path, wheel: Path) -> None:
    """Install the wheel, and nothing besides."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(python)]
    _run([*pip, "install", "--no-deps", "--no-index", str(wheel)])


def attempt(python: Path, folder: Path) -> list[str]:
    """Run the installed program in an empty folder; give what each command printed, and where the pages are.

    Raises:
        RuntimeError: a command failed.
    """
    folder.mkdir()
    printed = [_run([str(python.parent / "trimtab"), *words], folder) for words in TRIED]
    return [*printed, _run([str(python), "-c", PAGES], folder).strip()]


def _run(command: Sequence[str], folder: Path | None = None) -> str:
    """Run a command with nothing of this repository on its path, and give what it printed.

    Raises:
        RuntimeError: it failed; its last words are the message.
    """
    ours = ("PYTHON", "TRIMTAB_", "APCA_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(  # noqa: S603 - our own programs
        command, cwd=folder, env=clean, check=False, capture_output=True, text=True, timeout=600
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:6])} failed:\n{(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
