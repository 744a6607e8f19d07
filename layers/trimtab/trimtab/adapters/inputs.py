"""Inputs: bars as the bytes of a parquet file, the same bars always giving the same bytes."""

from __future__ import annotations

from io import BytesIO

from trimtab.core.bars import Bars

__all__ = ["inputs_file", "read_inputs"]


def inputs_file(bars: Bars) -> bytes:
    """Write bars as parquet: symbol, session, open, high, low, close, volume, raw_close; sorted."""
    buffer = BytesIO()
    bars.frame().write_parquet(buffer, compression="zstd", statistics=False)
    return buffer.getvalue()


def read_inputs(data: bytes) -> Bars:
    """Read what `inputs_file` wrote.

    Raises:
        ValueError: it is not that.
    """
    import polars as pl  # noqa: PLC0415 - a run without an earlier one does not pay for it here

    try:
        return Bars.from_frame(pl.read_parquet(BytesIO(data)))
    except (pl.exceptions.PolarsError, OSError, TypeError) as error:
        raise ValueError(f"no inputs: {error}") from error
