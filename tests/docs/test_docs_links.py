"""Docs' links: each leads to a file, and to a heading in it, and every page can be reached from the index."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from rules.copied import ROOT, project_files

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [path for path in project_files() if path.suffix == ".md" and "tests" not in path.parts[-3:]]
INDEX = ROOT / "docs/index.md"


@cache
def prose(page: Path) -> str:
    """Give a page without its code."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", lambda code: code[0] if "](" not in code[0] else "", text)


def links(text: str) -> list[str]:
    """Give where a page's links and pictures lead, those inside the repository."""
    return [
        target
        for target in re.findall(r"\]\(([^)\s]+)(?: \"[^\"]*\")?\)", text)
        if not re.match(r"[a-z]+:", target)
    ]


def anchors(page: Path) -> set[str]:
    """Give the names by which a repository's page links to its headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in plain}


def broken(page: Path, text: str) -> list[str]:
    """Give the links of a page that lead nowhere."""
    bad = []
    for link in links(text):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        known = not anchor or (target.suffix == ".md" and target.is_file() and anchor in anchors(target))
        if not (target.exists() and known):
            bad.append(link)
    return bad


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_link_leads_somewhere(page: Path) -> None:
    """A link names a file that is there, and a heading that is in it."""
    assert broken(page, prose(page)) == []


def test_a_broken_link_is_seen() -> None:
    """A page, a heading and a picture that are not there are found; a link elsewhere is not looked at."""
    text = "[a](none.md) [b](risk.md#none) ![c](none.png) [d](#none) [e](https://example.org/x) [f](risk.md)"
    assert broken(INDEX, text) == ["none.md", "risk.md#none", "none.png", "#none"]


def test_every_page_can_be_reached() -> None:
    """From docs/index.md a reader comes to every page of docs/."""
    seen: set[Path] = set()
    ahead = [INDEX]
    while ahead:
        page = ahead.pop().resolve()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        ahead += [page.parent / link.partition("#")[0] for link in links(prose(page))]
    pages = {page for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert {str(page.relative_to(ROOT)) for page in pages - seen} == set(), "link it in docs/index.md"


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_test_that_is_named_is_there(page: Path) -> None:
    """A page that says what shows its claim names a file or folder of `tests` that exists."""
    named = re.findall(r"`(tests/[\w./-]+)`", page.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []
