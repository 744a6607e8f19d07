"""Locks: what is installed is pinned, hashed and the same in every group."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from rules.copied import ROOT

GROUPS = ("core", "alerts", "aws", "dashboard", "demo", "dev", "docs", "optimize", "serve")
BUILT_HERE = ("demo", "dev")
APART = ("audit", "deploy")
"""Tools in an environment of their own, whose pins agree with no other lock's."""
LAYER = "../layers/dependencies/requirements"
"""The lock of the Lambda layer, as `entries` finds it."""


def entries(group: str) -> list[str]:
    """Give a lock's requirements, each with its continuation lines."""
    text = (ROOT / "requirements" / f"{group}.txt").read_text()
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [entry for entry in re.split(r"\n(?=\S)", lines.replace("\\\n", " ")) if entry.strip()]


def pinned(group: str) -> dict[str, set[str]]:
    """Give a lock's versions by name; more than one where platforms differ."""
    versions: dict[str, set[str]] = {}
    for entry in entries(group):
        name, version = re.match(r"([\w.-]+)(?:\[[^]]*\])?==([^\s;]+)", entry).groups()  # type: ignore[union-attr]  # no match shall fail here
        versions.setdefault(canonicalize_name(name), set()).add(version)
    return versions


def wanted(group: str) -> list[Requirement]:
    """Give what pyproject.toml asks for in a group, core's included; in `dev`, everything."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    chosen = extras if group == "dev" else [group] if group in extras else []
    return [
        Requirement(line)
        for line in (*project["dependencies"], *(r for extra in chosen for r in extras[extra]))
    ]


def test_every_group_has_its_lock() -> None:
    """The groups of pyproject.toml, core, the tools apart, and nothing else are locked."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    locked = {path.stem for path in (ROOT / "requirements").glob("*.txt")}
    assert {"core", *extras} == set(GROUPS) == locked - set(APART)
    assert set(APART) <= locked


@pytest.mark.parametrize("group", [*GROUPS, *APART, LAYER])
def test_a_lock_holds_pins_and_hashes_only(group: str) -> None:
    """Each line pins one version with its hashes; no option, address or path slips in."""
    bad = [
        e[:60]
        for e in entries(group)
        if not re.match(r"[\w.-]+(\[[^]]*\])?==\S+ .*--hash=sha256:[0-9a-f]{64}", e)
    ]
    assert len(entries(group)) > 20
    assert not bad


@pytest.mark.parametrize("group", [*GROUPS, LAYER])
def test_a_lock_agrees_with_dev(group: str) -> None:
    """What the tests ran with is what a user installs."""
    dev = pinned("dev")
    assert not {
        name: (seen, dev.get(name))
        for name, seen in pinned(group).items()
        if not seen <= dev.get(name, set())
    }


@pytest.mark.parametrize("group", GROUPS)
def test_a_lock_holds_what_its_group_asks_for(group: str) -> None:
    """Every direct dependency is locked at a version that pyproject.toml accepts."""
    lock = pinned(group)
    for requirement in wanted(group):
        versions = lock.get(canonicalize_name(requirement.name), set())
        assert versions, f"{requirement} is not in {group}.txt: run make lock"
        assert all(version in requirement.specifier for version in versions), f"{requirement}: {versions}"


@pytest.mark.parametrize("group", BUILT_HERE)
def test_a_lock_for_this_repository_can_build_the_package(group: str) -> None:
    """The editable install is built in place, so its locks hold what the build asks for."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    for requirement in map(Requirement, build):
        assert all(version in requirement.specifier for version in pinned(group)[requirement.name])


def test_the_aws_lock_is_lean() -> None:
    """Neither dashboard, demo nor test tools reach the lock that Lambda is built from."""
    assert not {"streamlit", "pytest", "setuptools", "bokeh-sampledata"} & set(pinned("aws"))


def test_the_layers_lock_is_what_a_function_imports() -> None:
    """All that a run and alerts import but what Lambda brings itself; for one Python, so without markers."""
    layer = pinned(LAYER)
    needed = {canonicalize_name(r.name) for group in ("aws", "alerts") for r in wanted(group)}
    assert needed - set(layer) == {"boto3", "shtab"}
    assert not {"boto3", "botocore", "pandas", "streamlit", "pytest"} & set(layer)
    assert not [entry for entry in entries(LAYER) if ";" in entry.split("--hash")[0]]
