from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rules.copied import Copy, copy_to

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """Give a copy of the package to plant violations in."""
    return copy_to(tmp_path)
