"""Rows that replace some rows of a table or a matrix, or come after them."""

from __future__ import annotations

from typing import cast

import numpy as np
import pyarrow as pa

from accord.core.arrays import Longs, Matrix, stacked

CHUNKS = 64
"""A table of more pieces than this is made one: reading many small ones takes longer."""


def spliced_rows(table: pa.Table, edited: Longs, rows: pa.Table, numbers: Longs) -> pa.Table:
    """The table with each of ``rows`` at its number, or at the end where that is -1; ``edited``: the numbers given."""
    if len(edited):
        order = np.arange(table.num_rows)
        order[edited] = table.num_rows + np.flatnonzero(numbers >= 0)
        table = pa.concat_tables([table, rows]).take(order.tolist())
    table = pa.concat_tables([table, rows.filter(pa.array(numbers < 0))])
    return table.combine_chunks() if table[0].num_chunks > CHUNKS else table


def spliced(matrix: Matrix, edited: Longs, rows: Matrix, numbers: Longs) -> Matrix:
    """The same for the rows of a matrix, dense or sparse."""
    if len(edited):
        order = np.arange(matrix.shape[0])
        order[edited] = matrix.shape[0] + np.flatnonzero(numbers >= 0)
        matrix = cast("Matrix", stacked(matrix, rows)[order])
    return stacked(matrix, cast("Matrix", rows[np.flatnonzero(numbers < 0)]))
