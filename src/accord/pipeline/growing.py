"""New and edited items in a trained pipeline, without a fit: encoded, and placed by their content in every source.

Nothing is changed: a new pipeline shares the old arrays, and whoever still holds the old one gets the old answers.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from accord.core import columns as c
from accord.core.arrays import Longs, Matrix
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.core.run import Run
from accord.core.tables import names
from accord.pipeline.arriving import Arriving, item_rows
from accord.pipeline.columns import all_vectors
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.splicing import spliced, spliced_rows


def grow(pipeline: Pipeline, items: Arriving, run: Run) -> Pipeline:
    """The pipeline with more items: ids, and fields by name as they stand in the catalogue.

    An unknown id gets the next number and is placed by its content. A known id is an edit: its row is replaced, it is
    encoded anew, and what its content says follows, while its events keep counting; sources that regress on content
    (``ease``, ``slit``, ``bridge_ridge``) follow at the next fit where the item had events. Of an id that comes twice
    the last counts. Only these items are encoded; time and memory grow with them, and little with the catalogue.
    Raises ``InputError`` naming the item, the field and the value where one does not fit the catalogue's types.
    """
    rows = item_rows(list(dict(items).items()), pipeline.data.items.schema)
    return grow_by_rows(pipeline, rows, run)


def edit(pipeline: Pipeline, items: Arriving, run: Run) -> Pipeline:
    """As ``grow``, for items that are known. Raises ``InputError`` for an id that is not."""
    strange = [name for name, _ in items if name not in pipeline.data.item_numbers]
    if strange:
        raise InputError("there is no such item", place=c.ITEM, value=strange[0], remedy="Use grow for new items.")
    return grow(pipeline, items, run)


def grow_by_rows(pipeline: Pipeline, rows: pa.Table, run: Run) -> Pipeline:
    """As ``grow``, with the items as rows in the catalogue's columns, each id once."""
    if not rows.num_rows:
        return pipeline
    known = all_vectors(pipeline, run)
    encoded: dict[str, Matrix] = {}
    for name in known:
        with run.step(f"encode {rows.num_rows} items: {name}"):
            encoded[name] = pipeline.encoders[name].encode(rows, run)
    return placed(pipeline, rows, known, encoded)


def placed(pipeline: Pipeline, rows: pa.Table, known: dict[str, Matrix], encoded: dict[str, Matrix]) -> Pipeline:
    """The pipeline with items whose vectors are there; ``known`` holds those of the items before."""
    data, edited = _with_rows(pipeline.data, rows, known, encoded)
    heads = {name: head.grow(data.n_items) for name, head in pipeline.heads.items()}
    return replace(
        pipeline,
        data=data,
        sources={name: source.grow(data, edited) for name, source in pipeline.sources.items()},
        fallback=pipeline.fallback.grow(data, edited),
        heads=heads,
    )


def _with_rows(
    data: Dataset, rows: pa.Table, known: dict[str, Matrix], encoded: dict[str, Matrix]
) -> tuple[Dataset, Longs]:
    """The data with these rows in their places or at the end, and the numbers of the items that were known."""
    numbers = np.array([data.item_numbers.get(name, -1) for name in names(rows, c.ITEM)], dtype=np.int64)
    edited = numbers[numbers >= 0]
    vectors = {name: spliced(matrix, edited, encoded[name], numbers) for name, matrix in known.items()}
    return data.with_items(spliced_rows(data.items, edited, rows, numbers), vectors), edited
