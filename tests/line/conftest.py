"""Where the laboratories keep their stores."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Give a folder in memory where there is such a place: a run makes each blob durable, ten times over."""
    if not MEMORY.is_dir():
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="trimtab-tests-", dir=MEMORY))
    yield folder
    shutil.rmtree(folder)
