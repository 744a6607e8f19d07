from __future__ import annotations

import re

import pytest

from trimtab.show.errors import error_text
from trimtab.show.page import Column, Page, advice, percent, table, usd
from trimtab.show.run import STATIONS, stations

COLUMNS = (Column("symbol"), Column("USD", right=True), Column("why"))
ROWS = [("AAA", "1.00", "to_target: " + "word " * 30), ("B", "10,000.00", "")]


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_table_keeps_to_the_page_and_loses_no_word(width: int) -> None:
    """Its last column is wrapped, not cut."""
    lines = table(Page(width), "Orders", COLUMNS, ROWS).splitlines()
    assert max(map(len, lines)) <= width
    assert " ".join(lines).count("word") == 30
    assert lines[1].index("USD") + 3 == lines[2].index("1.00") + 4


def test_a_table_may_be_cut_to_one_line_a_row() -> None:
    """Where a row must stay one line, what is left out is marked."""
    lines = table(Page(80), "Runs", COLUMNS, ROWS, cut=True).splitlines()
    assert len(lines) == 4
    assert lines[2].endswith("…")


def test_a_table_without_rows_is_nothing() -> None:
    """No title without content."""
    assert table(Page(), "Orders", COLUMNS, []) == ""


def test_colour_is_only_where_it_is_wanted() -> None:
    """A plain page holds no escape sequence, and a coloured one says the same."""
    plain = table(Page(100), "Orders", COLUMNS, ROWS)
    painted = table(Page(100, colour=True), "Orders", COLUMNS, ROWS)
    assert "\x1b" not in plain
    assert "\x1b[1m" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == plain


@pytest.mark.parametrize("value", [None, "", "nan", "inf"])
def test_what_is_unknown_is_a_dash(value: str | None) -> None:
    """An absent or senseless number is not shown as 0."""
    assert (usd(value), percent(value)) == ("-", "-")


def test_a_flag_or_a_host_is_never_broken() -> None:
    """What a person copies out of a text stays whole: lines break between words only."""
    words = "https://paper-api.alpaca.markets --no-dry-run"
    for width in range(20, 60):
        assert set(Page(width).wrap(f"hint: {words} {words}").split()) == {"hint:", *words.split()}
    assert advice("send", "trimtab run --no-dry-run").splitlines()[1] == "  trimtab run --no-dry-run"


def test_an_error_is_three_lines() -> None:
    """What, seen and allowed, hint; a missing part takes no line."""
    whole = {"code": "c", "message": "m", "seen": "s", "allowed": "a", "hint": "h"}
    assert error_text(whole, Page()) == "error: c: m\n  seen: s; allowed: a\n  hint: h"
    assert error_text({"code": "c", "message": "m"}, Page()) == "error: c: m"


@pytest.mark.parametrize(
    ("record", "passed", "stopped"),
    [
        ({"stage": None, "outcome": "traded", "code": "traded"}, 8, 0),
        ({"stage": None, "outcome": "in_band", "code": "in_band"}, 8, 0),
        ({"stage": None, "outcome": "in_band", "code": "done"}, 1, 0),
        ({"stage": None, "outcome": "dry_run", "code": "dry_run"}, 6, 0),
        ({"stage": None, "outcome": "closed", "code": "no_session"}, 0, 0),
        ({"stage": "risk", "outcome": "halted", "code": "max_orders"}, 5, 1),
        ({"stage": "execute", "outcome": "interrupted", "code": "deadline"}, 6, 1),
    ],
)
def test_the_line_shows_how_far_a_run_came(record: dict[str, str | None], passed: int, stopped: int) -> None:
    """Every station is drawn once: passed, stopped at, or not reached."""
    drawn = stations(record, Page())
    assert (drawn.count("✓"), drawn.count("✗")) == (passed, stopped)
    assert drawn.count("·") == len(STATIONS) - passed - stopped
