"""Rooms: the import contracts hold, and each of them bites."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rules.copied import PACKAGE, ROOT, python_files

if TYPE_CHECKING:
    from rules.copied import Copy

PLANTED = {
    "core imports an adapter": ("rooms", "core/limits.py", "trimtab.adapters"),
    "core imports a port": ("rooms", "core/limits.py", "trimtab.ports"),
    "a port imports an adapter": ("rooms", "ports.py", "trimtab.adapters"),
    "an adapter imports a strategy, its sibling": ("rooms", "adapters/__init__.py", "trimtab.strategies"),
    "a strategy imports an adapter, its sibling": ("rooms", "strategies/__init__.py", "trimtab.adapters"),
    "errors import core": ("rooms", "errors.py", "trimtab.core.limits"),
    "a station imports a later one": ("stations", "core/limits.py", "trimtab.core.portfolio"),
    "the store imports the broker": ("outside", "adapters/directory.py", "trimtab.adapters.alpaca"),
    "a directory imports S3": ("outside", "adapters/directory.py", "trimtab.adapters.s3"),
    "the wire imports a service": ("outside", "adapters/webhook.py", "trimtab.adapters.notify"),
    "a watcher imports a service": ("outside", "adapters/healthchecks.py", "trimtab.adapters.notify"),
    "the exchange imports its source of data": (
        "outside",
        "adapters/exchange/__init__.py",
        "trimtab.adapters.files",
    ),
    "a backtest imports a port": ("rooms", "backtesting/terms.py", "trimtab.ports"),
    "a sweep's cells import who plays them": ("rooms", "sweeping/cells.py", "trimtab.adapters"),
    "a sweep imports chance": ("pure", "sweeping/cells.py", "random"),
    "core imports a backtest": ("rooms", "core/limits.py", "trimtab.backtesting"),
    "evidence imports an adapter, its sibling": ("rooms", "evidence/words.py", "trimtab.adapters"),
    "a backtest imports a clock": ("pure", "backtesting/terms.py", "time"),
    "core imports chance": ("pure", "core/limits.py", "random"),
    "core imports the environment": ("pure", "core/limits.py", "os"),
    "core imports a vendor": ("pure", "core/limits.py", "alpaca"),
    "a strategy imports a clock": ("pure", "strategies/__init__.py", "time"),
    "a strategy logs": ("pure", "strategies/__init__.py", "logging"),
    "an adapter imports pandas": ("light", "adapters/__init__.py", "pandas"),
}


def dotted(path: str) -> str:
    """Give the module name of a file of the package."""
    return "trimtab." + path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def test_the_project_keeps_its_contracts() -> None:
    """Unplanted, every import contract is kept."""
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter], cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    assert re.search(r"Contracts: [4-9] kept, 0 broken", done.stdout)


@pytest.mark.parametrize(("contract", "path", "imported"), PLANTED.values(), ids=PLANTED)
def test_a_planted_import_breaks_its_contract(copy: Copy, contract: str, path: str, imported: str) -> None:
    """An import against the rooms fails the check, which names it."""
    copy.plant(path, f"\nimport {imported}\n")
    done = copy.run("lint-imports", "--no-cache", "--contract", contract)
    assert done.returncode == 1, done.stdout
    assert f"{dotted(path)} -> {imported} (" in " ".join(done.stdout.split())


@pytest.mark.parametrize(("contract", "path"), [("rooms", "helpers.py"), ("stations", "core/helpers.py")])
def test_a_module_without_a_room_breaks_the_contract(copy: Copy, contract: str, path: str) -> None:
    """A new module must be given its room, or its station, before it passes."""
    copy.plant(path, '"""Helpers: nobody knows."""\n')
    done = copy.run("lint-imports", "--no-cache", "--contract", contract)
    assert done.returncode == 1
    assert f"- {dotted(path)}\n" in done.stdout


def imports(path: Path) -> set[str]:
    """Give the dotted names that a file imports, `from a import b` as `a.b`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_arrivals_outside_the_package_keep_to_themselves() -> None:
    """`functions` and `dashboard` never import the command line or each other."""
    for path in python_files("functions", "dashboard"):
        own = path.relative_to(ROOT).parts[0]
        others = {"functions", "dashboard"} - {own}
        bad = {
            name
            for name in imports(path)
            if name.split(".")[0] in others or f"{name}.".startswith("trimtab.cli.")
        }
        assert not bad, f"{path.relative_to(ROOT)} imports {bad}"


def test_the_package_imports_no_arrival_outside_it() -> None:
    """Nothing in the package imports `functions`, `dashboard` or the tests."""
    for path in python_files(PACKAGE):
        bad = {name for name in imports(path) if name.split(".")[0] in {"functions", "dashboard", "tests"}}
        assert not bad, f"{path.relative_to(ROOT)} imports {bad}"


def impure_calls(source: str) -> list[str]:
    """Give the built-in doors to the outside that a source calls, as `name:line`."""
    doors = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint", "compile"}
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [f"{c.func.id}:{c.lineno}" for c in calls if isinstance(c.func, ast.Name) and c.func.id in doors]


def test_pure_rooms_call_no_door_to_the_outside() -> None:
    """Core and strategies call no built-in that reads, writes or runs text."""
    assert impure_calls("x = 1\nopen('a')") == ["open:2"]
    for path in python_files(f"{PACKAGE}/core", f"{PACKAGE}/strategies"):
        assert not impure_calls(path.read_text()), path.relative_to(ROOT)
