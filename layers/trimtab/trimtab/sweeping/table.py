"""Table: a sweep's outcomes as one frame, a row a cell, in the order of the grid."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from trimtab.sweeping.judged import Outcome

__all__ = ["frame"]


def frame(outcomes: Sequence[Outcome]) -> pl.DataFrame:
    """Give the outcomes as a frame: the cell, `param_…`, `in_sample_…`, `out_of_sample_…`, and what failed.

    It depends on the outcomes and their order alone, not on who played them or when.
    """
    import polars as pl  # noqa: PLC0415 - a cell in Lambda need not pay for frames

    cells = [outcome.cell for outcome in outcomes]
    columns: dict[str, pl.Series] = {
        "digest": pl.Series([one.digest for one in outcomes], dtype=pl.String),
        "combination": pl.Series([cell.combination for cell in cells], dtype=pl.Int64),
        **{
            name: pl.Series([getattr(cell, name) for cell in cells], dtype=pl.String)
            for name in ("strategy", "universe", "rebalance", "fill")
        },
        "cost_bps": pl.Series([cell.cost_bps for cell in cells], dtype=pl.Float64),
        **{
            name: pl.Series([getattr(cell.window, name) for cell in cells], dtype=pl.String).str.to_date()
            for name in ("start", "end", "test_end")
        },
    }
    names = sorted({name for cell in cells for name in cell.params})
    columns |= {f"param_{name}": _series([cell.params.get(name) for cell in cells]) for name in names}
    for side in ("in_sample", "out_of_sample"):
        columns |= _side(outcomes, side)
    for i, part in enumerate(("code", "message")):
        told = [None if one.failed is None else one.failed[i] for one in outcomes]
        columns[f"failed_{part}"] = pl.Series(told, dtype=pl.String)
    return pl.DataFrame(columns)


def _side(outcomes: Sequence[Outcome], side: str) -> dict[str, pl.Series]:
    figures = [getattr(outcome, side) or {} for outcome in outcomes]
    names = dict.fromkeys(name for one in figures for name in one)
    return {f"{side}_{name}": _series([one.get(name) for one in figures]) for name in names}


def _series(values: Sequence[object]) -> pl.Series:
    """Give a column: of one kind, or, where values are mixed or nested, of their JSON."""
    import polars as pl  # noqa: PLC0415 - as above

    kinds = {type(value) for value in values if value is not None}
    for allowed, kind in (
        ({bool}, pl.Boolean),
        ({int}, pl.Int64),
        ({int, float}, pl.Float64),
        ({str}, pl.String),
    ):
        if kinds <= allowed:
            return pl.Series(values, dtype=kind, strict=False)
    texts = [None if value is None else json.dumps(value, sort_keys=True) for value in values]
    return pl.Series(texts, dtype=pl.String)
