"""How well each item fits some words: the pipeline's own encoders read the words as the title of an item."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from accord.core import columns as c
from accord.core.arrays import Floats, Matrix
from accord.core.errors import InputError
from accord.core.roles import Encoder
from accord.core.run import Run
from accord.pipeline.pipeline import Pipeline

PROSE = (c.TITLE, c.DESCRIPTION, c.TEXT)
"""Columns that words may stand in, the first that the items have."""


def fitting(pipeline: Pipeline, words: str, run: Run) -> Floats:
    """``float32[n_items]``: from 0, no better than any item, to 1, the best fit of all.

    It is the mean over all encoders that understand the words (in any language that one of them knows) of the cosine
    with each item, less the mean cosine of the catalogue, as a share of the best; so encoders whose cosines are large
    for everything count no more than others. All zeros where no encoder understands the words. Raises ``InputError``
    where the pipeline has no encoded text. Memory is one number an item and encoder.
    """
    table = asked(pipeline.data.items, words)
    columns = pipeline.data.vectors
    shares = [
        _shares(columns[name], encoder, table, run) for name, encoder in pipeline.encoders.items() if name in columns
    ]
    if table is None or not shares:
        raise InputError(
            "the pipeline reads no texts", place="text", remedy="Train one with encoders on items that have titles."
        )
    understood = [share for share in shares if share.any()]
    return np.stack(understood or shares).mean(axis=0)


def asked(items: pa.Table, words: str) -> pa.Table | None:
    """Two rows as in the items table: one that says the words and nothing else, one that says nothing."""
    prose = next((name for name in PROSE if name in items.column_names), None)
    if prose is None:
        return None
    columns = {field.name: pa.nulls(2, field.type) for field in items.schema}
    return pa.table(columns | {prose: pa.array([words, None], items.schema.field(prose).type)})


def _shares(vectors: Matrix, encoder: Encoder, table: pa.Table | None, run: Run) -> Floats:
    """What one encoder says; zeros where the words say no more to it than nothing does."""
    nothing = np.zeros(vectors.shape[0], np.float32)
    if table is None:
        return nothing
    rows = _dense(encoder.encode(table, run))
    if not rows[0].any() or np.array_equal(rows[0], rows[1]):
        return nothing
    cosines = np.asarray(vectors @ rows[0], dtype=np.float32)
    above = np.maximum(cosines - cosines.mean(), 0)
    best = float(above.max(initial=0))
    return above / best if best > 0 else nothing


def _dense(rows: Matrix) -> Floats:
    return rows.toarray() if isinstance(rows, csr_array) else np.asarray(rows)
