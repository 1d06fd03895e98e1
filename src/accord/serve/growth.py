"""New and edited items in a pipeline that answers."""

from __future__ import annotations

import pyarrow as pa

from accord.core.columns import ITEM
from accord.core.errors import AccordError
from accord.core.run import Run
from accord.data.store.events import Fields
from accord.data.store.seeding import derived
from accord.pipeline.arriving import item_rows
from accord.pipeline.growing import grow
from accord.pipeline.pipeline import Pipeline
from accord.serve.logs import Log, where


def grown_with(pipeline: Pipeline, items: dict[str, Fields], run: Run, log: Log) -> Pipeline:
    """The pipeline with new items placed and edited ones read again; one that cannot be placed is left out, and said.

    Items that are as the pipeline knows them cost next to nothing.
    """
    try:
        fresh = _unlike(pipeline, items)
        return grow(pipeline, [(name, items[name]) for name in fresh], run) if fresh else pipeline
    except AccordError as error:
        if len(items) == 1:
            log.warning("item left out", **where(error))
            return pipeline
    for name, fields in items.items():
        pipeline = grown_with(pipeline, {name: fields}, run, log)
    return pipeline


def _unlike(pipeline: Pipeline, items: dict[str, Fields]) -> list[str]:
    """The items that the pipeline does not know, or knows otherwise."""
    table, numbers = pipeline.data.items, pipeline.data.item_numbers
    kept = [name for name in table.column_names if name not in derived(table)]
    known = [name for name in items if name in numbers]
    ours = table.select(kept).take(pa.array([numbers[name] for name in known], pa.int64())).to_pylist()
    theirs = item_rows([(name, items[name]) for name in known], table.schema).select(kept).to_pylist()
    same = {mine[ITEM] for mine, other in zip(ours, theirs, strict=True) if mine == other}
    return [name for name in items if name not in same]
