from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from trimtab.cli.parser import VERBS

if TYPE_CHECKING:
    from cli.conftest import Desk


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_a_script_knows_every_verb_and_is_sound(desk: Desk, shell: str) -> None:
    """Each shell's script names every verb and --config; a shell that is installed can read it."""
    done = desk("completion", shell)
    assert done.status == 0
    assert not {verb for verb in VERBS if verb not in done.out}
    assert "config" in done.out
    program = shutil.which(shell)
    if program is not None:
        subprocess.run([program, "-n"], input=done.out, text=True, check=True, timeout=20)


COMPLETE = """
. ./script
COMP_WORDS=(trimtab {words}); COMP_CWORD={place}; COMP_LINE="trimtab {words}"
_shtab_trimtab
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("reb", "rebuild"),
        ("run --dea", "--deadline"),
        ("data fe", "fetch"),
        ("run --config con", "config.json"),
    ],
)
def test_bash_completes_verbs_flags_and_files(desk: Desk, words: str, expected: str) -> None:
    """What stands before the cursor is completed by what fits."""
    (desk.folder / "script").write_text(desk("completion", "bash").out)
    asked = COMPLETE.format(words=words, place=len(words.split()))
    done = subprocess.run(["bash", "-c", asked], check=True, capture_output=True, text=True, timeout=20)
    assert expected in done.stdout.split()


def test_an_unknown_shell_is_exit_2(desk: Desk) -> None:
    """The shells there are stand in the error."""
    done = desk("completion", "csh")
    assert done.status == 2
    assert "fish" in done.err
