"""What a store knows, as a dataset to learn from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from accord.core import columns as c
from accord.core.dataset import Dataset
from accord.core.errors import DataError
from accord.data.catalogue import Facts, extended, read_fact
from accord.data.numbering import FIRST, finished, numbered, present
from accord.data.store.base import Store
from accord.data.store.events import Fields
from accord.data.store.limits import MAX_CONTEXT, MAX_FIELDS, fields_of
from accord.data.store.seeding import derived

_READ = (c.USER, c.ITEM, c.EVENT, c.TIME, c.VALUE, c.WEIGHT, "context")
_NO_EVENTS = pa.table(
    {name: pa.array([], pa.float64() if name in (c.TIME, c.VALUE, c.WEIGHT) else pa.string()) for name in _READ}
)


def as_dataset(store: Store, base: Dataset | None = None, *, needs_events: bool = True) -> Dataset:
    """The store's items, users and events as a dataset in the order of time.

    Deleted items and the events on them are left out; items and users that only events name are there. With a
    ``base``, the columns are its columns, in its types (what does not fit is null), and its links are taken over
    without the people who were erased. Without one, types are found as an import finds them, for at most
    ``MAX_FIELDS`` fields and ``MAX_CONTEXT`` circumstances, the most frequent ones.
    Holds all events in memory, some 150 bytes each. Raises ``DataError`` where there is no event and one is needed.
    """
    stored, deleted = _items(store)
    log = numbered(_events(store, deleted, base, needed=needs_events))
    items = _facts(stored, c.ITEM, base.items if base else None)
    users = _facts(_stored(store, "users"), c.USER, base.users if base else None)
    items = extended(items, c.ITEM, present(log.items, log.events[c.ITEM_NUMBER]))
    users = extended(users, c.USER, present(log.users, log.events[c.USER_NUMBER]))
    events = finished(log, users.frame[c.USER], items.frame[c.ITEM])
    tables = [_ordered(frame, like) for frame, like in _with_base(events, items, users, base)]
    return Dataset(*tables, links=_links(store, base) if base else {}, order="time")


def _items(store: Store) -> tuple[list[tuple[str, Fields]], set[str]]:
    """The items that there are, and the ids of deleted ones."""
    kept: list[tuple[str, Fields]] = []
    deleted: set[str] = set()
    for batch in store.scan("items"):
        for row in batch.to_pylist():
            if row["deleted"]:
                deleted.add(row[c.ITEM])
            else:
                kept.append((row[c.ITEM], fields_of(row["fields"])))
    return kept, deleted


def _stored(store: Store, table: Any) -> list[tuple[str, Fields]]:
    return [(row[c.USER], fields_of(row["fields"])) for batch in store.scan(table) for row in batch.to_pylist()]


def _events(store: Store, deleted: set[str], base: Dataset | None, *, needed: bool) -> pl.DataFrame:
    """Ids, time, kind, value, weight and circumstances of all events on items that are there, oldest first."""
    gone = pa.array(sorted(deleted), pa.string())
    batches = []
    for batch in store.scan("events"):
        table = pa.Table.from_batches([batch]).select(list(_READ))
        batches.append(table.filter(pc.invert(pc.is_in(table[c.ITEM], gone))))
    if not sum(table.num_rows for table in batches) and needed:
        raise DataError("no event to learn from", place="--store", remedy="Send events first.")
    table = pa.concat_tables(batches) if batches else _NO_EVENTS
    frame = pl.DataFrame(pl.from_arrow(table)).sort(c.TIME, maintain_order=True)
    frame = frame.with_columns(
        pl.col(c.WEIGHT).cast(pl.Float32), pl.when(pl.col(c.EVENT) != "").then(pl.col(c.EVENT)).alias(c.EVENT)
    )
    wanted = None if base is None else base.events.column_names
    frame = frame.with_columns(_circumstances(frame["context"], wanted)).drop("context")
    if wanted is None:
        return frame.drop(name for name in (c.EVENT, c.VALUE) if not frame[name].count())
    return frame.drop(name for name in (c.EVENT, c.VALUE) if name not in wanted)


def _circumstances(contexts: pl.Series, wanted: list[str] | None) -> list[pl.Series]:
    """One text column for each circumstance that is wanted, or None: for the most frequent ones."""
    distinct = {text: json.loads(text) for text in contexts.drop_nulls().unique().to_list()}
    if wanted is None:
        counts = Counter(name for context in distinct.values() for name in context)
        wanted = [name for name, _ in counts.most_common(MAX_CONTEXT)]
    names = [name for name in wanted if name not in (*_READ, *FIRST[:-1])]
    rows = contexts.to_list()
    return [pl.Series(name, [distinct[row].get(name) if row else None for row in rows], pl.String) for name in names]


def _facts(rows: list[tuple[str, Fields]], key: str, like: pa.Table | None) -> Facts:
    """Items or users as a table, without standardised columns; ``numbers`` names those that are to get some."""
    ids = pl.Series(key, [name for name, _ in rows], dtype=pl.String)
    if like is None:
        counts = Counter(name for _, fields in rows for name in fields)
        names = [name for name, _ in counts.most_common(MAX_FIELDS) if name != key]
        found = [read_fact(_inferred(name, [fields.get(name) for _, fields in rows])) for name in names]
        numbers = tuple(name for name, read in zip(names, found, strict=True) if read.note == "number")
        values = [read.values.alias(name) for name, read in zip(names, found, strict=True)]
        return Facts(pl.DataFrame([ids, *values]), numbers=numbers)
    types = dict(pl.DataFrame(pl.from_arrow(like.slice(0, 0))).schema)
    left_out = derived(like)
    columns = {name: kind for name, kind in types.items() if name != key and name not in left_out}
    values = [_typed(name, [fields.get(name) for _, fields in rows], kind) for name, kind in columns.items()]
    numbers = tuple(name for name in columns if f"{name}_z" in left_out)
    return Facts(pl.DataFrame([ids, *values]), numbers=numbers)


def _inferred(name: str, values: list[Any]) -> pl.Series:
    """A column of one kind of value; of several: lists where there is one, else text."""
    kinds = {type(value) for value in values if value is not None}
    if list in kinds:
        return pl.Series(name, [_as_list(value) for value in values], pl.List(pl.String))
    if kinds <= {int, float}:
        return pl.Series(name, values, pl.Float64 if float in kinds else pl.Int64)
    if kinds == {bool}:
        return pl.Series(name, values, pl.Boolean)
    return pl.Series(name, [None if value is None else _as_label(value) for value in values], pl.String)


def _typed(name: str, values: list[Any], kind: Any) -> pl.Series:
    """A column of the given type; null where a value does not fit."""
    if isinstance(kind, pl.List):
        return pl.Series(name, [_as_list(value) for value in values], pl.List(pl.String)).cast(kind, strict=False)
    if kind.is_numeric() or isinstance(kind, pl.Boolean):
        return pl.Series(name, values, kind, strict=False)
    labels = [None if value is None or isinstance(value, list) else _as_label(value) for value in values]
    return pl.Series(name, labels, pl.String).cast(kind, strict=False)


def _as_list(value: Any) -> list[str] | None:
    return value if value is None or isinstance(value, list) else [_as_label(value)]


def _as_label(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _with_base(
    events: pl.DataFrame, items: Facts, users: Facts, base: Dataset | None
) -> Iterator[tuple[pl.DataFrame, pa.Table | None]]:
    """Each table with the one whose columns it is to have."""
    likes = (base.events, base.items, base.users) if base else (None, None, None)
    return zip((events, items.frame, users.frame), likes, strict=True)


def _ordered(frame: pl.DataFrame, like: pa.Table | None) -> pa.Table:
    """The columns in the order and the types of another table; those that it does not have come last."""
    if like is None:
        return frame.rechunk().to_arrow()
    types = dict(pl.DataFrame(pl.from_arrow(like.slice(0, 0))).schema)
    known = [frame[name].cast(kind, strict=False) for name, kind in types.items() if name in frame.columns]
    return pl.DataFrame([*known, *(frame[name] for name in frame.columns if name not in types)]).rechunk().to_arrow()


def _links(store: Store, base: Dataset) -> dict[str, pa.Table]:
    """The links, but those of people who were erased."""
    return {name: _without_erased(store, table) for name, table in base.links.items()}


def _without_erased(store: Store, table: pa.Table) -> pa.Table:
    named = sorted({str(end) for name in (c.HEAD, c.TAIL) for end in table[name].to_pylist()})
    gone = pa.array([end for end, erased in zip(named, store.erased(named), strict=True) if erased], pa.string())
    for name in (c.HEAD, c.TAIL):
        table = table.filter(pc.invert(pc.is_in(table[name].cast(pa.string()), gone)))
    return table
