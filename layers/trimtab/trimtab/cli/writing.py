"""Writing: a file that somebody asked for by a flag, and what is told where it can't be written."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from trimtab.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["writing"]


@contextmanager
def writing(what: str, hint: str) -> Iterator[None]:
    """Write files of the reader's choice: that one can't be written is no fault of the store.

    Raises:
        Misconfigured: one can't be written.
    """
    try:
        yield
    except OSError as error:
        raise Misconfigured(
            "not_writable",
            f"{what} can't be written",
            seen=": ".join(str(part) for part in (error.filename, error.strerror or error) if part),
            allowed="a file, in a folder that is there and can be written",
            hint=hint,
        ) from error
