"""New events in a trained pipeline, without a fit: what can be counted is counted, the rest waits for the next fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from accord.core import columns as c
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit, InputError
from accord.core.roles import Recommender, Updates
from accord.core.run import Run
from accord.core.tables import names
from accord.pipeline.pipeline import Pipeline


def update(pipeline: Pipeline, events: pa.Table, run: Run) -> Pipeline:
    """The pipeline with more events: a new one, which shares with the old one all that does not change.

    ``events``: columns ``user_id`` and ``item_id``, and those of the log that are known: ``timestamp``, ``weight``
    (1 where it is missing), ``event``, ``value`` and others. They are taken as newer than all that the pipeline
    knows, in the order of their times. Unknown users are added; unknown items must have been grown before. Histories,
    numbers of events, and the sources that count learn at once; see ``Pipeline.events`` for items that were cold.
    Raises ``InputError`` naming an item that is not known, or a column that is missing.
    """
    if not events.num_rows:
        return pipeline
    data = _with_events(pipeline.data, events)
    sources = {name: _updated(name, source, data, events.num_rows, run) for name, source in pipeline.sources.items()}
    fallback = _updated("fallback", pipeline.fallback, data, events.num_rows, run)
    return replace(pipeline, data=data, sources=sources, fallback=fallback, fresh=pipeline.fresh + events.num_rows)


def _updated(name: str, source: Recommender, data: Dataset, fresh: int, run: Run) -> Recommender:
    if not isinstance(source, Updates):
        return source
    try:
        return source.update(data, fresh)
    except CannotFit as reason:
        run.progress.note(f"{name} waits for the next fit: {reason}")
        return source


def _with_events(data: Dataset, events: pa.Table) -> Dataset:
    """The data with the events at the end, oldest first, and with users that are new."""
    for name in (c.USER, c.ITEM):
        if name not in events.column_names:
            raise InputError(f"no column {name!r}", place="events", value=events.column_names)
    if c.TIME in events.column_names:
        events = events.sort_by(c.TIME)  # Arrow sorts stably
    users, items = names(events, c.USER), names(events, c.ITEM)
    strange = [name for name in items if name not in data.item_numbers]
    if strange:
        raise InputError("there is no such item", place="events", value=strange[0], remedy="Grow by it first.")
    new = list(dict.fromkeys(name for name in users if name not in data.user_numbers))
    numbers = data.user_numbers | dict(zip(new, range(data.n_users, data.n_users + len(new)), strict=True))
    rows: dict[str, Any] = {name: events[name] for name in events.column_names if name not in (c.USER, c.ITEM)}
    rows[c.USER_NUMBER] = np.array([numbers[name] for name in users], np.int32)
    rows[c.ITEM_NUMBER] = np.array([data.item_numbers[name] for name in items], np.int32)
    weights = rows.get(c.WEIGHT, pa.nulls(len(users), pa.float32()))
    rows[c.WEIGHT] = pc.fill_null(weights, pa.scalar(1.0, weights.type))
    return data.with_newest(pa.table(rows), pa.table({c.USER: pa.array(new, pa.string())}))
