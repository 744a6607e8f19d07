"""Plumbing: the Makefile, CI, pre-commit and pytest's own settings do what they say."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest
import yaml

from rules.copied import ROOT, environment

if TYPE_CHECKING:
    from pathlib import Path

    from rules.copied import Copy


def start(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command, cwd=cwd, env=environment(), check=False, capture_output=True, text=True, timeout=60
    )


def test_make_help_lists_every_target() -> None:
    """Every target that is meant for people is explained."""
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = re.findall(r"^  ([a-z-]+) +[A-Z]", start("make", "help").stdout, re.MULTILINE)
    assert phony
    assert sorted(listed) == sorted(phony[1].split())


def test_make_test_runs_every_check_in_order(tmp_path: Path) -> None:
    """One command sets up and runs style, types, rooms and tests."""
    steps = start("make", "-n", "test", f"VENV={tmp_path}/venv").stdout
    places = [
        steps.index(f"{step}\n")
        for step in (
            "install --require-hashes --no-deps --requirement requirements/dev.txt",
            "install --no-deps --no-build-isolation --editable .",
            "bin/ruff check",
            "bin/ruff format --check",
            "bin/mypy",
            "bin/lint-imports",
            "bin/pytest -n 2 --dist worksteal",
        )
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("group", ["demo", "dev"])
def test_a_second_set_up_does_nothing_until_the_lock_changes(tmp_path: Path, group: str) -> None:
    """The stamp spares the second installation, and an older stamp does not."""
    stamp = tmp_path / f"{group}.stamp"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").touch()
    stamp.touch()
    assert start("make", "-q", stamp, f"VENV={tmp_path}").returncode == 0
    assert start("make", "-q", stamp, f"VENV={tmp_path}", "-W", f"requirements/{group}.txt").returncode == 1


def test_an_old_python_is_refused_with_advice(tmp_path: Path) -> None:
    """A Python below 3.11 stops the set-up with what was seen and what to do."""
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.1 && exit 0\nexit 1\n')
    old.chmod(0o755)
    done = start("make", f"{tmp_path}/venv/bin/python", f"VENV={tmp_path}/venv", f"PYTHON={old}")
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert "Python 3.9.1" in done.stderr
    assert not (tmp_path / "venv").exists()


CLOSINGS = {
    "tests passed": ("3 passed in 0.10s", 0, 0),
    "a test failed": ("1 failed, 2 passed in 0.10s", 1, 1),
    "tests passed but make failed": ("3 passed in 0.10s", 1, 1),
    "no test ran": ("no tests ran in 0.01s", 0, 1),
    "all were skipped": ("4 skipped in 0.01s", 0, 1),
    "no closing line": ("All checks passed!", 0, 1),
}


@pytest.mark.parametrize(("line", "status", "expected"), CLOSINGS.values(), ids=CLOSINGS)
def test_ci_succeeds_only_where_tests_passed(tmp_path: Path, line: str, status: int, expected: int) -> None:
    """CI runs `make test`, ends with pytest's closing line, and fails when no test passed."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    (tmp_path / "Makefile").write_text(f"test:\n\t@echo '{line}'; exit {status}\n")
    done = start(tmp_path / ".ci/run")
    assert min(done.returncode, 1) == expected, done.stderr
    if " in 0." in line:
        assert done.stdout.splitlines()[-1] == line


def test_readme_names_the_two_commands() -> None:
    """What CI runs is what the README tells people to run."""
    readme = (ROOT / "README.md").read_text()
    assert "make demo" in readme
    assert "make test" in readme
    assert "make test" in (ROOT / ".ci/run").read_text()


def test_pre_commit_runs_what_make_runs() -> None:
    """Every hook is local, from the environment, and the four checks are there."""
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    entries = [hook["entry"] for hook in repositories[0]["hooks"]]
    programs = ("ruff check", "ruff format", "mypy", "lint-imports")
    assert [
        entry.startswith(f".venv/bin/{program}") for entry, program in zip(entries, programs, strict=True)
    ]
    assert all(entry.startswith(".venv/bin/") for entry in entries)


WARNING = "import warnings\n\ndef test_it():\n    {}\n    assert True\n"


@pytest.mark.parametrize("kind", ["DeprecationWarning", "UserWarning", "ResourceWarning", None])
def test_a_warning_is_an_error(copy: Copy, kind: str | None) -> None:
    """A test that warns fails; the same test without the warning passes."""
    (copy.root / "tests").mkdir()
    body = f"warnings.warn('planted', {kind})" if kind else "pass"
    (copy.root / "tests/test_planted.py").write_text(WARNING.format(body))
    done = copy.run("pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:xdist")
    assert done.returncode == (1 if kind else 0), done.stdout + done.stderr
    assert (f"{kind}: planted" in done.stdout) is bool(kind)


def test_the_changelog_has_an_unreleased_part() -> None:
    """What is new and not yet out stands on top, in Keep a Changelog's form."""
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"


def test_the_licence_is_the_declared_one() -> None:
    """LICENSE holds what pyproject.toml names."""
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License\n")
