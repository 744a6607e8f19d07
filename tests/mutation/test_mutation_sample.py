"""Mutation, a sample: a few changes to the plan's arithmetic, each of which a test must notice."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mutation.mutants import mutants_of

ROOT = Path(__file__).resolve().parents[2]
MUTATE = ROOT / "tests/mutation/mutate.py"
SURVIVORS = ROOT / "tests/mutation/survivors.txt"
SOURCE = ROOT / "layers/trimtab/trimtab"
QUICK = tuple(f"tests/core/test_plan{part}.py" for part in ("", "_cash_first", "_edges", "_marks"))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Start the campaign as a person would."""
    command = [sys.executable, str(MUTATE), "--only", "core/sizing.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_sample_of_mutants_dies() -> None:
    """Fifteen changes to the plan, chosen by a seed: the examples alone see each of them."""
    done = run("--sample", "15", "--seed", "1", "--tests", *QUICK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"all +15 mutants +15 killed +0 survived", done.stdout)


def test_mutants_that_nobody_looks_at_survive() -> None:
    """The campaign can fail: tests that never call the plan kill nothing, and the survivors are named."""
    done = run("--sample", "3", "--seed", "1", "--tests", "tests/core/test_nyse.py")
    assert done.returncode == 1
    assert done.stdout.count("not explained: core/sizing.py::") == 3


def test_every_survivor_is_a_mutant_of_today_and_explained() -> None:
    """survivors.txt names mutants that exist, each with a class that docs/mutation.md explains."""
    rows = [row.split("\t") for row in SURVIVORS.read_text().splitlines()]
    targets = [
        path
        for pattern in ("core/sizing.py", "core/plan.py", "core/risk.py", "execute/*.py")
        for path in SOURCE.glob(pattern)
    ]
    mutants = {m.id for path in targets for m in mutants_of(path, path.relative_to(SOURCE).as_posix())}
    assert {name for _, name in rows} - mutants == set()
    explained = re.findall(r"^\| `([a-z]+)` \|", (ROOT / "docs/mutation.md").read_text(), flags=re.MULTILINE)
    assert {reason for reason, _ in rows} <= set(explained)


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ("def f(a, b):\n    return a < b\n", ["a <= b", "a >= b", "return None"]),
        ("def f(a, b):\n    return a and not b\n", ["a or not b", "b", "return None"]),
        ("LIMIT = 3\n", ["4", "2"]),
        ("def f(self):\n    self.n += 1\n", ["pass", "self.n -= 1", "2", "0"]),
        ("def f(x):\n    if x:\n        raise ValueError('too much')\n", ["not x", "pass"]),
        ("def f(x):\n    return max(x, key='size')\n", ["return None", "min(x, key='size')", "'size_'"]),
        ("class Why(IntFlag):\n    STAGED = 2\n", []),
    ],
)
def test_what_counts_as_a_change(tmp_path: Path, source: str, changes: list[str]) -> None:
    """Comparisons, arithmetic, logic, constants, results, statements; neither texts for people nor enums."""
    path = tmp_path / "module.py"
    path.write_text(source)
    news = [mutant.id.split(" -> ")[1] for mutant in mutants_of(path, "module.py")]
    assert sorted(news) == sorted(changes)
