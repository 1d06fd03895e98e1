"""Fill an empty store with what a pipeline was trained on, so that everybody has a history from the first request."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from accord.core import columns as c
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.core.run import Run
from accord.data.store.base import Store
from accord.data.store.events import Appended, Fields
from accord.data.store.limits import MAX_VALUE
from accord.data.store.scanning import SCHEMAS

CHUNK = 20_000
"""Items or users that are written at a time."""
EVENTS = 100_000
"""Events that are written at a time. Every commit writes each page that it touched, and a chunk touches nearly all
of the index of the users, whatever its size."""
SEEDED = "seeded"
"""The key under which the store remembers with what it was filled, and whether it was finished."""
_OWN = frozenset({c.USER_NUMBER, c.ITEM_NUMBER, c.WEIGHT, c.TIME, c.EVENT, c.VALUE})


def seed(store: Store, data: Dataset, run: Run | None = None) -> bool:
    """Fill an empty store with a dataset's items, users and events; goes on where it was killed.

    Event ``n`` gets the id ``train-n``. Events without a clock get the time of the seeding, and keep their order.
    Standardised columns are left out, for ``as_dataset`` makes them anew; other columns of events become their
    context, as text. Returns whether anything was done: a store that was filled before, or that has rows of its own,
    stays as it is. Raises ``InputError`` where it was half filled with another dataset.
    """
    run = run or Run(cache=None)
    progress = _progress(store, data)
    if progress["done"]:
        return False
    store.put_meta(SEEDED, json.dumps(progress))
    erased = _erased(store, data)
    for chunk in run.progress.track(_chunks(data.items), "storing items"):
        store.add_facts("items", list(_fields(chunk, c.ITEM)))
    for chunk in run.progress.track(_chunks(data.users), "storing users"):
        store.add_facts("users", [row for row in _fields(chunk, c.USER) if row[0] not in erased])
    _store_events(store, data, progress["started"], erased, run)
    store.put_meta(SEEDED, json.dumps({**progress, "done": True}))
    return True


def _store_events(store: Store, data: Dataset, seeded: float, erased: set[str], run: Run) -> None:
    """Add all events in order; one chunk is made while the one before is written."""
    gone = pa.array(sorted(erased), pa.string())
    with ThreadPoolExecutor(1) as writer:
        waits: Future[Appended] | None = None
        for start in run.progress.track(list(range(0, data.n_events, EVENTS)), "storing events"):
            batch = _events(data, start, seeded)
            batch = batch.filter(pc.invert(pc.is_in(batch["user_id"], gone)))
            if waits is not None:
                waits.result()
            waits = writer.submit(store.add_events, batch)
        if waits is not None:
            waits.result()


def _progress(store: Store, data: Dataset) -> dict[str, Any]:
    """How far the seeding is: with what, since when, whether done."""
    text = store.meta(SEEDED)
    if text is None:
        counts = store.counts()
        done = any(counts[table] for table in ("events", "items", "users"))
        return {"data": data.fingerprint, "started": time.time(), "done": done}
    found = json.loads(text)
    if not found["done"] and found["data"] != data.fingerprint:
        remedy = "Finish with the same dataset, or give a new store."
        raise InputError("the store is half filled with another dataset", place="--store", remedy=remedy)
    return found


def derived(table: pa.Table) -> set[str]:
    """The columns that an import added to numeric ones: ``NAME_z``, ``NAME_missing``."""
    names = set(table.column_names)
    return {f"{name}{end}" for name in names for end in ("_z", "_missing") if f"{name}{end}" in names}


def _chunks(table: pa.Table) -> list[pa.Table]:
    return [table.slice(start, CHUNK) for start in range(0, table.num_rows, CHUNK)]


def _fields(table: pa.Table, key: str) -> Iterator[tuple[str, Fields]]:
    """Each row's id and what is known of it."""
    left_out = derived(table) | {key}
    names = [
        name for name in table.column_names if name not in left_out and _is_storable(table.schema.field(name).type)
    ]
    columns = [table[name].to_pylist() for name in names]
    for number, row_id in enumerate(table[key].to_pylist()):
        values = {name: column[number] for name, column in zip(names, columns, strict=True)}
        yield str(row_id), {name: value for name, value in values.items() if _is_known(value)}


def _is_storable(kind: Any) -> bool:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _is_text(kind.value_type)
    return _is_text(kind) or _is_plain(kind)


def _is_text(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_plain(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def _is_known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _events(data: Dataset, start: int, seeded: float) -> pa.RecordBatch:
    """A chunk of events; ``seeded``: the time of those without one."""
    table = data.events.slice(start, EVENTS)
    rows, n = slice(start, start + EVENTS), table.num_rows
    times = data.event_times[rows]
    columns: dict[str, Any] = {
        "event_id": [f"train-{number}" for number in range(start, start + n)],
        "user_id": data.user_ids[data.event_users[rows]],
        "item_id": data.item_ids[data.event_items[rows]],
        "event": [str(kind or "") for kind in _column(table, c.EVENT)],
        "timestamp": np.where(np.isnan(times), seeded, times),
        "value": _column(table, c.VALUE),
        "weight": data.event_weights[rows].astype(np.float64),
        "impression_id": [None] * n,
        "context": _contexts(table),
    }
    schema = SCHEMAS["events"]
    return pa.record_batch([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


def _column(table: pa.Table, name: str) -> list[Any]:
    if name not in table.column_names:
        return [None] * table.num_rows
    return [value if _is_known(value) else None for value in table[name].to_pylist()]


def _contexts(table: pa.Table) -> list[str | None]:
    """Every other column of an event that is plain, as JSON text."""
    names = [
        field.name
        for field in table.schema
        if field.name not in _OWN and (_is_text(field.type) or _is_plain(field.type))
    ]
    columns = {name: _column(table, name) for name in names}
    return [_context({name: values[n] for name, values in columns.items()}) for n in range(table.num_rows)]


def _context(values: dict[str, Any]) -> str | None:
    known = {name: _as_text(name, value) for name, value in values.items() if value is not None}
    return json.dumps(known, ensure_ascii=False) if known else None


def _as_text(name: str, value: Any) -> str:
    return str(value) if name == c.TEXT else str(value)[:MAX_VALUE]


def _erased(store: Store, data: Dataset) -> set[str]:
    """Users who were erased since the seeding began."""
    users = data.user_ids.tolist()
    return {user for user, gone in zip(users, store.erased(users), strict=True) if gone}
