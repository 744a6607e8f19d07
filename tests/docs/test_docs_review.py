"""Docs of plan, apply and doctor: their tables are the code's, and the example session is run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

from rules.copied import PACKAGE, ROOT
from trimtab.adapters.sample import sample_file
from trimtab.doctor import CHECKS
from trimtab.stations.unmoved import WORDS

if TYPE_CHECKING:
    from pathlib import Path

import pytest

REVIEW = (ROOT / "docs/review.md").read_text()
CLI = (ROOT / "docs/cli.md").read_text()


def test_every_refusal_of_a_saved_plan_is_told() -> None:
    """docs/review.md lists each code, and no other."""
    listed = re.findall(r"^\| `(apply_\w+)` \|", REVIEW, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == {*WORDS, "apply_stored"}


def test_every_check_of_doctor_is_told_in_its_order() -> None:
    """docs/cli.md lists the checks that a visit makes."""
    section = CLI.split("\n## doctor\n")[1].split("\n## ", maxsplit=1)[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [check.name for check in CHECKS]


def commands() -> list[tuple[str, list[str]]]:
    """Give each command of the example with the lines that it is said to print."""
    blocks = "\n".join(re.findall(r"^```\n(.*?)^```", REVIEW, re.MULTILINE | re.DOTALL))
    parts = re.split(r"^\$ ", blocks, flags=re.MULTILINE)[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2].splitlines()) for part in parts]


def run(folder: Path, command: str) -> str:
    """Run one command as a shell would, and give all that it prints."""
    words = shlex.split(command)
    given = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
    own = {name: value for name, value in os.environ.items() if not name.startswith(("TRIMTAB_", "APCA_"))}
    place = {"PYTHONPATH": str((ROOT / PACKAGE).parent), "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", *words[len(given) :]],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=own | place | given,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.mark.skipif(sample_file() is None, reason="the example's prices are of bokeh_sampledata (extra demo)")
def test_the_example_is_what_happens(tmp_path: Path) -> None:
    """Every line of docs/review.md's session is printed by its command, in this order."""
    run(tmp_path, "trimtab init")
    told = commands()
    assert [command.split("trimtab ")[1].split()[0] for command, _ in told] == [
        *("plan", "apply", "apply", "apply", "replay")
    ]
    for command, lines in told:
        printed = run(tmp_path, command).splitlines()
        at = 0
        for line in lines:
            if line not in {"", "…"}:
                assert line in printed[at:], f"{command}: {line}\n" + "\n".join(printed)
                at = printed.index(line, at) + 1
