"""Terminal: what others wrote is shown and never obeyed; colours are the page's own."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.cli.terminal import SEAL, Terminal
from trimtab.show.page import CODES, Page, harmless

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Desk

REASON = "a\x1b[2Jb\x9b31mc\x1b]0;title\x07d\re\x08f\x7fg\u202eh\x1b[0mi"
SHOWN = "a�[2Jb�31mc�]0;title�d e�f�g�h�[0mi"
CONTROL = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]"
OURS = re.compile(r"\x1b\[(?:0|\d+(?:;\d+)*)m")


def on_a_terminal(folder: Path, *words: str) -> str:
    """Give what a command writes on a terminal."""
    ours, theirs = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"}
    command = [sys.executable, "-m", "trimtab", *words]
    with subprocess.Popen(command, cwd=folder, env=environ, stdout=theirs, stderr=theirs) as child:
        os.close(theirs)
        said = b""
        try:
            while data := os.read(ours, 65536):
                said += data
        except OSError:  # how Linux tells that nobody writes any more
            pass
        child.wait(timeout=60)
    os.close(ours)
    return said.decode().replace("\r\n", "\n")


def test_a_reason_cannot_drive_the_terminal(desk: Desk) -> None:
    """Whoever may write a flag may be read, on a terminal and through a pipe, and clears no screen."""
    assert desk("halt", REASON).status == 0
    assert SHOWN in " ".join(desk("run").err.split())
    assert SHOWN in " ".join(desk("status").out.split())
    for words in (("status",), ("history",), ("show", "last")):
        piped, said = desk(*words), on_a_terminal(desk.folder, *words)
        assert not re.search(CONTROL, piped.out + piped.err)
        assert "\x1b[1m" in said
        assert not re.search(CONTROL, OURS.sub("", said))


def test_a_document_escapes_what_it_holds(desk: Desk) -> None:
    """With --json stdout is ASCII, C1 controls too, and the value is the one that was stored."""
    assert desk("halt", REASON, "--json").status == 0
    out = desk("status", "--json").out
    assert out.isascii()
    assert not re.search(CONTROL, out)
    assert json.dumps(REASON)[1:-1] in out


def test_an_error_shows_what_was_typed(desk: Desk) -> None:
    """What is wrong is told on stderr, by the same way out."""
    done = desk("show", "x\x1b[2Jy")
    assert done.status == 2
    assert "x�[2Jy" in done.err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_any_encoding_can_be_written_to(desk: Desk, encoding: str) -> None:
    """A check mark that a stream can't write is a question mark, and no bug after the trades."""
    environ = os.environ | {"PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "trimtab"]
    for words in (["run"], ["status"], ["show", "last"], ["verify"], ["run", "--next", "--json"]):
        done = subprocess.run(
            [*command, *words], cwd=desk.folder, env=environ, capture_output=True, check=False
        )
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False), words
        said = done.stderr if "--json" in words else done.stdout
        assert b"? fetch" in said or words[0] in {"show", "verify"}


def test_half_a_character_is_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON can hold what no stream takes: it is replaced, and is no traceback."""
    Terminal.of(json=False).say("a\ud800b")
    Terminal.of(json=False).complain("c\udfffd")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("a�b\n", "c�d\n")


@given(st.text(st.sampled_from("\x1b[0;31mabc\x9b\x07\r\n\t")), st.sampled_from(sorted(CODES)))
def test_only_the_pages_own_colours_pass(text: str, name: str) -> None:
    """Whatever a text holds, painted or not: no control is left but tab, newline, and what was painted."""
    bare = harmless(text, SEAL)
    assert len(bare) == len(text)
    assert not re.search(CONTROL, bare)
    painted = harmless(Page(colour=True, seal=SEAL).paint(text, name), SEAL)
    assert painted == f"\x1b[{CODES[name]}m{bare}\x1b[0m"
