"""Values of table columns as numbers that are the same for the same value on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from accord.core.arrays import Longs
from accord.core.keys import key_of


def labels_of(column: pa.ChunkedArray[Any]) -> tuple[Longs, Longs]:
    """The row and the key of every value of a column; lists have several, nulls none."""
    values: Any = column.combine_chunks()
    rows = np.arange(len(values))
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        rows, values = pc.list_parent_indices(values).to_numpy(), pc.list_flatten(values)
    some = values.is_valid().to_numpy(zero_copy_only=False)
    coded = values.drop_null().dictionary_encode()
    keys = np.array([key_of(value) for value in coded.dictionary.to_pylist()], np.int64)
    return rows[some].astype(np.int64), keys[coded.indices.to_numpy()]
