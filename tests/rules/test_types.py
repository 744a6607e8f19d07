"""Types: mypy --strict is on, and bites."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from rules.copied import PACKAGE, ROOT, Copy

if TYPE_CHECKING:
    from pathlib import Path

HEAD = '"""Planted: an example."""\n\n'
TYPED = HEAD + "def double(x: int) -> int:\n    return 2 * x\n"
PLANTED = {
    "an untyped function": (HEAD + "def double(x):\n    return 2 * x\n", "[no-untyped-def]"),
    "a wrong type": (TYPED + "y: str = double(1)\n", "[assignment]"),
    "a bare generic": (HEAD + "def first(x: list) -> object:\n    return x[0]\n", "[type-arg]"),
    "code that cannot run": (TYPED + "def f(x: int) -> int:\n    return x\n    return 2\n", "[unreachable]"),
    "an ignore without need": (TYPED + "z: int = double(1)  # type: ignore[arg-type]\n", "[unused-ignore]"),
}


@pytest.fixture
def small(tmp_path: Path) -> Copy:
    """Give a copy of the rules over a package of one module: enough for the rules, and quick."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    copy = Copy(tmp_path)
    copy.plant("__init__.py", HEAD)
    copy.plant("py.typed", "")
    return copy


def test_typed_code_passes(small: Copy) -> None:
    """Unplanted, the same module passes."""
    small.plant("planted.py", TYPED)
    done = small.run("mypy", "--cache-dir", str(small.root / "cache"))
    assert done.returncode == 0, done.stdout


def test_strictness_bites(small: Copy) -> None:
    """Each planted fault is found, under its own code."""
    for number, (source, _) in enumerate(PLANTED.values()):
        small.plant(f"planted{number}.py", source)
    done = small.run("mypy", "--cache-dir", str(small.root / "cache"))
    assert done.returncode == 1
    for number, (name, (_, code)) in enumerate(PLANTED.items()):
        lines = [
            line for line in done.stdout.splitlines() if line.startswith(f"{PACKAGE}/planted{number}.py")
        ]
        assert [line for line in lines if line.endswith(code)], f"{name}: {lines}"
