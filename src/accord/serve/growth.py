"""New and edited items in a pipeline that answers."""

from __future__ import annotations

from accord.core.errors import AccordError
from accord.core.run import Run
from accord.data.store.events import Fields
from accord.pipeline.pipeline import Pipeline
from accord.serve.logs import Log, where


def grown_with(pipeline: Pipeline, items: dict[str, Fields], run: Run, log: Log) -> Pipeline:
    """The pipeline with new items placed and edited ones read again; one that cannot be placed is left out, and said.

    Items that are as the pipeline knows them cost nothing.
    """
    try:
        return _grown(pipeline, items, run)
    except AccordError as error:
        if len(items) == 1:
            log.warning("item left out", **where(error))
            return pipeline
    for name, fields in items.items():
        pipeline = grown_with(pipeline, {name: fields}, run, log)
    return pipeline


def _grown(pipeline: Pipeline, items: dict[str, Fields], run: Run) -> Pipeline:
    from accord.pipeline.growing import edit, grow

    known = pipeline.data.item_numbers
    new = [(name, fields) for name, fields in items.items() if name not in known]
    old = [(name, fields) for name, fields in items.items() if name in known]
    pipeline = grow(pipeline, new, run) if new else pipeline
    return edit(pipeline, old, run) if old else pipeline
