from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mistakes.bench import Bench, Mistake
from mistakes.table import GROUPS, HEAD, PAGE, row

if TYPE_CHECKING:
    from pathlib import Path

MISTAKES = [mistake for group in GROUPS.values() for mistake in group]


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.done for mistake in MISTAKES])
def test_a_mistake_meets_one_helpful_message(tmp_path: Path, mistake: Mistake) -> None:
    """It is answered with its exit status, code and advice, and its line of docs/mistakes.md says so."""
    said = mistake.make(Bench(tmp_path))
    assert (said.status, said.error.get("code")) == (mistake.status, mistake.code), said.error
    assert mistake.says in said.text, said.error
    assert said.error.get("hint") or said.error.get("allowed"), (
        "it says neither what is allowed nor what to do"
    )
    assert row(mistake, said) in PAGE.read_text().splitlines(), "docs/mistakes.md: run make reference"


def test_there_are_fifty_and_no_others_on_the_page() -> None:
    """The page has a line for each mistake and no line besides."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and "| `" in line]
    assert len(lines) == len(MISTAKES) >= 50
    assert PAGE.read_text().startswith(HEAD.format(count=len(MISTAKES)))
