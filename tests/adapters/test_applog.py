from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from trimtab.adapters.applog import BACKUPS, AppLog

if TYPE_CHECKING:
    from pathlib import Path


def test_each_line_is_json_with_time_level_and_event(tmp_path: Path) -> None:
    """A line stands for one event and can be read by a program; its folder is made."""
    log = AppLog(tmp_path / "store/app.log")
    log.line("run", run_id="r1", reason='a "quoted"\nline')
    log.line("error", level=logging.ERROR, code="bug")
    log.close()
    first, second = map(json.loads, (tmp_path / "store/app.log").read_text().splitlines())
    assert first["event"] == "run"
    assert first["reason"] == 'a "quoted"\nline'
    assert first["at"].endswith("Z")
    assert (second["level"], second["code"]) == ("error", "bug")


def test_nothing_is_made_before_the_first_line(tmp_path: Path) -> None:
    """Opening a log touches no file."""
    AppLog(tmp_path / "store/app.log").close()
    assert list(tmp_path.iterdir()) == []


def test_it_stays_small(tmp_path: Path) -> None:
    """The file rotates at its size, and only so many old ones are kept."""
    log = AppLog(tmp_path / "app.log", max_bytes=200)
    for number in range(50):
        log.line("run", number=number)
    log.close()
    assert len(list(tmp_path.iterdir())) == BACKUPS + 1
    assert all(path.stat().st_size <= 200 for path in tmp_path.iterdir())


def test_a_log_that_cannot_be_written_is_let_go(tmp_path: Path) -> None:
    """Neither a folder in the way nor a file as its parent raises."""
    (tmp_path / "app.log").mkdir()
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "app.log", tmp_path / "file/app.log"):
        log = AppLog(path)
        log.line("run")
        log.close()
