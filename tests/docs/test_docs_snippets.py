"""Docs' snippets: every command and code block of the pages does what the page says."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from backtesting.small import NAN, bars_of
from docs.snippets import OUTSIDE, SERVING, Block, Reader, blocks, left, lines, missing
from rules.copied import ROOT, project_files
from trimtab.adapters.sample import synthetic
from trimtab.cli.parser import VERBS
from trimtab.settings import Settings, load

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in project_files()
    if path.suffix == ".md" and not {"tests", "reference", "data"} & set(path.relative_to(ROOT).parts)
]
SHELL = {"sh", "bash", "shell"}
RUN = {"", "console", "python", *SHELL}
STAYING = {
    *("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "APCA_API_SECRET_KEY_PARAMETER"),
    *("TRIMTAB_ALERT_URLS", "TRIMTAB_HEARTBEAT_URL", "TRIMTAB_MODE", "TRIMTAB_LIVE"),
}
"""What a page may leave exported: the account, who is told, and the mode, which each page sets itself."""
READ = {"json", "toml"}
SHOWN = {"text", "mermaid", "yaml", "ini", "sql", "dockerfile", "caddyfile"}
"""Languages that nothing runs: pictures, outputs, and other programs' files."""


def of(page: str) -> list[Block]:
    """Give a page's blocks."""
    return blocks((ROOT / page).read_text())


def bars(folder: Path) -> None:
    """Write the file of bars that pages speak of."""
    tape = synthetic(("GLD", "SPY", "TLT"))
    rows = [
        {"symbol": s, "session": day, "open": p, "high": p, "low": p, "close": p, "volume": 1e6}
        for s, p in (("GLD", 100.0), ("SPY", 200.0), ("TLT", 90.0))
        for day in tape.sessions[:300].tolist()
    ]
    pl.DataFrame(rows).write_parquet(folder / "bars.parquet")


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.language in RUN for b in of(page))])
def test_what_a_page_says_to_type_works(tmp_path: Path, page: str) -> None:
    """A page's commands are typed in order in an empty folder; each succeeds, or fails as it is shown to."""
    reader = Reader(tmp_path / "reader")
    reader.folder.mkdir()
    bars(reader.folder)
    for block in of(page):
        try:
            reader.read(block)
        except AssertionError as wrong:
            raise AssertionError(f"{page}, line {block.line}: {wrong}") from None


MINE = [(page, block) for page in PAGES for block in of(page) if block.text.startswith("# mine.py")]


@pytest.mark.parametrize(("page", "block"), MINE, ids=[page for page, _ in MINE])
def test_a_strategy_that_a_page_shows_leaves_what_has_no_price_alone(page: str, block: Block) -> None:
    """One listed too late, one without a bar today and one never: none is held; nothing else is cash."""
    held: dict[str, Any] = {}
    exec(compile(block.text, page, "exec"), held)  # noqa: S102 - a page of the project
    closes = {"A": [10.0, 10.0, 11.0], "B": [NAN, 9.0, 20.0], "C": [9.0, 20.0, NAN], "D": [NAN] * 3}
    assert held["strongest"](list("ABCD"), days=3)(bars_of(closes).history(), 1e5) == {"A": 1.0}
    assert held["strongest"](list("BCD"), days=3)(bars_of(closes).select("BCD").history(), 1e5) == {}


def test_the_pages_that_show_a_strategy_are_these() -> None:
    """None escapes by another first line."""
    assert [page for page, _ in MINE] == ["docs/configuration.md", "docs/strategy.md"]


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.language in READ for b in of(page))])
def test_the_json_and_toml_of_a_page_is_sound(tmp_path: Path, page: str) -> None:
    """JSON that holds settings is a configuration that is taken."""
    for block in of(page):
        if block.language == "toml":
            tomllib.loads(block.text)
        if block.language == "json" and set(document := json.loads(block.text)) <= settings():
            (tmp_path / "config.json").write_text(
                json.dumps({"strategy": {"name": "equal_weight"}} | document)
            )
            load(tmp_path / "config.json", {}, {})


def settings() -> set[str]:
    """Give the keys of config.json."""
    return {"$schema", *Settings.model_fields}


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_known_language(page: str) -> None:
    """No block escapes by a language that nobody looks at, and no reason is empty."""
    assert {block.language for block in of(page)} <= RUN | READ | SHOWN
    assert all(reason.strip() for block in of(page) for reason in block.marks.values())


@pytest.mark.parametrize("page", PAGES)
def test_a_command_in_the_text_is_one(page: str) -> None:
    """Every `trimtab verb` in the text is a verb of the program."""
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    verbs = set(re.findall(r"`trimtab ([a-z]+)[ `]", text))
    assert verbs <= set(VERBS)


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.language in SHELL for b in of(page))])
def test_nothing_that_a_page_exports_trades_otherwise_later(page: str) -> None:
    """No block leaves a strategy, store, host or limit in the shell; one at a local exchange, nothing."""
    for block in of(page):
        if block.language in SHELL:
            kept = left(block.text) - (set() if "serves" in block.marks else STAYING)
            assert not kept, f"{page}, line {block.line}: {', '.join(sorted(kept))} outlives its block"


def test_brackets_keep_what_is_exported(tmp_path: Path) -> None:
    """What is set between them is there, and gone after them."""
    reader = Reader(tmp_path)
    reader.read(blocks("```sh\nexport A=1\n(\nexport A=2 B=3\ntest $A$B = 23\n)\ntest $A$B = 1\n```")[0])
    assert reader.environ == {"A": "1"}
    assert left("export A=1\n(\nexport B=3\n)\nexport C=1 D=2\nunset C") == {"A", "D"}


def test_a_broken_page_is_noticed(tmp_path: Path) -> None:
    """A command that fails, an output that is no more, and Python that raises are each seen."""
    for text in ("```sh\ntrimtab rnu\n```", "```sh\nfalse\n```", "```\n$ trimtab --version\nnothing\n```"):
        (block,) = blocks(text)
        with pytest.raises(AssertionError):
            Reader(tmp_path).read(block)
    with pytest.raises(ZeroDivisionError):
        Reader(tmp_path).read(blocks("```python\n1 / 0\n```")[0])
    assert missing("orders 12\n…\nend", "orders 7\nmore\nend") == ""
    assert missing("orders 12\nfills", "orders 7\nmore") == "fills"


def test_what_is_not_run_says_why(tmp_path: Path) -> None:
    """A mark, a program from outside and a verb that serves are left out, each with its reason."""
    text = "<!-- not run: it costs money -->\n```sh\nfalse\n```\n```sh\ndocker run\ntrimtab serve\n```"
    reader = Reader(tmp_path)
    for block in blocks(text):
        reader.read(block)
    assert reader.skipped == ["it costs money", OUTSIDE["docker"], "serves until it is stopped"]
    assert "sandbox" in SERVING
    assert lines("one \\\n two\n\n# three") == ["one   two"]
