"""Dist: sdist and wheel hold all that a user needs, and run where the repository is not."""

from __future__ import annotations

import re
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import trimtab
from rules.copied import ROOT
from tools import dist, licences


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give the sdist, and the wheel that was built from it."""
    return dist.build(tmp_path_factory.mktemp("dist"))


def test_the_sdist_holds_sources_and_licence(built: tuple[Path, Path]) -> None:
    """Its wheel is built from itself; licence, the dashboard's pages and the AWS stack are in it."""
    with tarfile.open(built[0]) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "dashboard/app.py"} <= names
    stack = {"template.yaml", "samconfig.toml", "functions/rebalance/app.py", "functions/notify/app.py"}
    assert stack | {"layers/dependencies/requirements.txt", "layers/trimtab/Makefile"} <= names


def test_the_wheel_holds_every_module_and_page(built: tuple[Path, Path]) -> None:
    """Every file of the package and of the dashboard is in the wheel, and no test or tool."""
    with zipfile.ZipFile(built[1]) as archive:
        names = set(archive.namelist())
    package = ROOT / "layers/trimtab"
    modules = {path.relative_to(package).as_posix() for path in package.rglob("trimtab/**/*.py")}
    assert modules <= names
    assert "trimtab/py.typed" in names
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "dashboard").rglob("*.py")}
    assert {name.split("/share/trimtab/")[-1] for name in names if "/share/trimtab/" in name} >= pages
    assert not {name for name in names if name.startswith(("tests", "tools", "docs", "benchmarks"))}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_runs_where_the_repository_is_not(built: tuple[Path, Path], tmp_path: Path) -> None:
    """Installed in an environment of its own, with the locked dependencies, it sets up and runs."""
    borrowed = [entry for entry in sys.path if entry.endswith("-packages")]
    python = dist.environment(tmp_path / "environment", borrowed)
    dist.install(python, built[1])
    version, made, run, status, *_, pages = dist.attempt(python, tmp_path / "elsewhere")
    assert version.strip() == f"trimtab {trimtab.__version__}"
    assert "wrote demo/config.json" in made
    assert "Traded: " in run
    assert "Holdings as of session" in status
    assert Path(pages).is_relative_to(tmp_path / "environment")
    assert not Path(pages).is_relative_to(ROOT)


def test_every_dependency_has_its_licence() -> None:
    """docs/licences.md has a row for each locked package, as it states it; none needs a person's look."""
    rows = dict(re.findall(r"^\| (\S+) \| (.*?) \|", licences.PAGE.read_text(), re.MULTILINE))
    assert set(rows) - {"package"} == set(licences.names()), "run make licences"
    installed = {name: stated for name in licences.names() if (stated := licences.licence(name))}
    assert {name: rows[name] for name in installed} == installed, "run make licences"
    assert not {name: odd for name, stated in installed.items() if (odd := licences.unusual(stated))}
    assert licences.unusual("MIT AND GPL-3.0-only") == {"GPL-3.0-only"}
    assert not licences.unusual("GPL-3.0-only OR MIT")
    assert licences.unusual("not stated")
