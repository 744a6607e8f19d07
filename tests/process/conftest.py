"""Of these tests a sample runs by default, and everything with `WHOLE=1 pytest tests/process`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Case = TypeVar("Case")

WHOLE = bool(os.environ.get("WHOLE"))
WHOLE_S = 3600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the whole its time."""
    for item in items:
        if WHOLE and "process" in item.path.parts:
            item.add_marker(pytest.mark.timeout(WHOLE_S))


class Some(Protocol):
    """The sample, or everything where it is asked for."""

    def __call__(self, sample: Sequence[Case], everything: Callable[[], Sequence[Case]]) -> Sequence[Case]:
        """Choose."""


@pytest.fixture(scope="session")
def some() -> Some:
    """Give what chooses the cases."""

    def choose(sample: Sequence[Case], everything: Callable[[], Sequence[Case]]) -> Sequence[Case]:
        return everything() if WHOLE else sample

    return choose
