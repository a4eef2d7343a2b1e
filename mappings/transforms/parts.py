"""What several transforms do: try the quick way on all cells, the slow way on those that are left."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl


def left_over(cells: pl.Series, values: pl.Series) -> pl.Series | None:
    """Positions of the cells that are there but have no value; None if there are none."""
    if values.null_count() == cells.null_count():
        return None
    positions = (cells.is_not_null() & values.is_null()).arg_true()
    return positions if positions.len() else None


def then(cells: pl.Series, values: pl.Series, slower: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """`values`, with what `slower` makes of the cells that have none yet."""
    positions = left_over(cells, values)
    if positions is None:
        return values
    found = slower(cells.gather(positions))
    return values.scatter(positions, found) if found.null_count() < found.len() else values


def where(mask: pl.Series, cells: pl.Series) -> pl.Series:
    """The cells where `mask` is true, null elsewhere (`cells` itself if it is true wherever there is a cell)."""
    if mask.all():
        return cells
    return cells.to_frame("c").select(pl.when(mask).then(pl.col("c")))["c"]


def each(cells: pl.Series, function: Callable[[str], object], dtype: pl.DataType) -> pl.Series:
    """`function` of each cell that is not null, once for equal ones: for cells that no quicker way could read."""
    known: dict[str | None, object] = {cell: function(cell) for cell in cells.unique().drop_nulls().to_list()}
    return pl.Series([known.get(cell) for cell in cells.to_list()], dtype=dtype)
