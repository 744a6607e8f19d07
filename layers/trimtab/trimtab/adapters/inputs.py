"""Inputs: bars as the bytes of a parquet file, the same bars always giving the same bytes."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.core.bars import Bars

__all__ = ["inputs_file"]


def inputs_file(bars: Bars) -> bytes:
    """Write bars as parquet: symbol, session, open, high, low, close, volume, raw_close; sorted."""
    buffer = BytesIO()
    bars.frame().write_parquet(buffer, compression="zstd", statistics=False)
    return buffer.getvalue()
