from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from rules.copied import ROOT
from trimtab.adapters.sqlite import SqliteTrades

if TYPE_CHECKING:
    from pathlib import Path


def test_the_documented_schema_is_the_schema(tmp_path: Path) -> None:
    """docs/store.md lists every table of trades.db with its columns, and every view."""
    path = tmp_path / "trades.db"
    SqliteTrades(path).add({})
    with closing(sqlite3.connect(path)) as base:
        names = base.execute("SELECT name, type FROM sqlite_master WHERE name NOT LIKE 'sqlite%'").fetchall()
        tables = {
            name: [row[1] for row in base.execute(f"PRAGMA table_info({name})")]
            for name, kind in names
            if kind == "table"
        }
    text = (ROOT / "docs/store.md").read_text().split("## trades.db")[1]
    documented = {
        name: cells.split(", ") for name, cells in re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE)
    }
    assert {name: columns for name, columns in documented.items() if name in tables} == tables
    assert set(documented) - set(tables) == {name for name, kind in names if kind == "view"}
