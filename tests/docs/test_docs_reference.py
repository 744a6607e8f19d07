"""Docs of reference: docs/reference is what the code says, and nothing in the code is without its text."""

from __future__ import annotations

import ast
import re

import pytest

from rules.copied import ROOT
from tools import codes, reference, texts

RECOVER = ROOT / "docs/recover.md"


@pytest.mark.parametrize("name", reference.pages())
def test_a_page_is_what_the_code_says(name: str) -> None:
    """Each page of docs/reference is the one that `make reference` writes."""
    written = (ROOT / "docs/reference" / name).read_text()
    assert written == reference.pages()[name], f"docs/reference/{name}: run make reference"


def test_no_page_is_left_over() -> None:
    """A page that nothing makes any more is not kept."""
    assert {path.name for path in (ROOT / "docs/reference").iterdir()} == set(reference.pages())


def test_every_code_says_what_to_do() -> None:
    """Each code that stops a command has one row in docs/recover.md, and each row is of such a code."""
    rows = re.findall(r"^\| ((?:`[a-z0-9_]+`(?:, )?)+) \|", RECOVER.read_text(), re.MULTILINE)
    told = [code for row in rows for code in re.findall(r"`([a-z0-9_]+)`", row)]
    stopping = codes.every() - set(codes.ends())
    assert stopping - set(told) == set(), "no row in docs/recover.md"
    assert set(told) - stopping == set(), "no such code any more"
    assert len(told) == len(set(told))


def test_every_text_is_of_something() -> None:
    """What tools/texts.py explains is still there."""
    assert set(texts.ENDS) == set(codes.ends())
    assert set(texts.NOTES) == set(codes.noted())
    assert set(texts.GATES) < set(codes.gates())
    schema = reference.tables()
    assert not {name for name in texts.COLUMNS if f"| `{name}` |" not in schema}


def test_what_says_nothing_is_refused() -> None:
    """An empty text, a code without a row and a code that can't be told stop the making of the pages."""
    with pytest.raises(ValueError, match="something is not said"):
        reference.table(("rule", "holds that"), [("`nothing`", " ")])
    with pytest.raises(ValueError, match="made_up has no row"):
        reference._link("made_up", reference.recovery())  # noqa: SLF001 - what every row of the page goes through
    with pytest.raises(ValueError, match="which codes can this be"):
        codes._codes(ast.parse("computed()", mode="eval").body, {}, "here.py:1")  # noqa: SLF001 - as above


def test_the_codes_that_are_found_are_those_of_the_sources() -> None:
    """No code that stands as a plain text in an error's call is missed."""
    sources = "\n".join(path.read_text() for path in codes.PACKAGE.rglob("*.py"))
    plain = set(re.findall(r'(?:Misconfigured|Halted|Interrupted)\(\s*"([a-z0-9_]+)"', sources))
    assert len(plain) > 60
    assert plain <= {found.code for found in codes.raised()}
