"""Slates as tables of ids."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from accord.core import columns as c
from accord.core.queries import Queries
from accord.core.slate import Slate
from accord.pipeline.pipeline import Pipeline


def as_table(pipeline: Pipeline, queries: Queries, slate: Slate) -> pa.Table:
    """``user_id, item_id, rank`` (from 1), ``score`` and one column a source with its own score (null: no opinion)."""
    rows, places = np.nonzero(slate.filled)
    items = slate.items[rows, places]
    columns: dict[str, Any] = {
        c.USER: pa.array(queries.users[rows].tolist(), pa.string()),
        c.ITEM: pa.array(pipeline.data.item_ids[items].tolist(), pa.string()),
        c.RANK: pa.array((places + 1).astype(np.int32)),
        c.SCORE: pa.array(slate.column(c.SCORE)[rows, places]),
    }
    for name in pipeline.sources:
        values = slate.column(name)[rows, places]
        columns[name] = pa.array(values, mask=np.isnan(values))
    return pa.table(columns)
