"""Whole tables of the SQLite store as Arrow batches, and as Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from accord.core.errors import InputError
from accord.data.store.base import Store
from accord.data.store.connections import Readers
from accord.data.store.events import Table

BATCH = 10_000
"""Rows of a batch."""
TABLES: tuple[Table, ...] = get_args(Table)
_TEXT, _REAL = pa.string(), pa.float64()
SCHEMAS: dict[str, pa.Schema] = {
    "events": pa.schema(
        {
            **dict.fromkeys(("event_id", "user_id", "item_id", "event"), _TEXT),
            **dict.fromkeys(("timestamp", "value", "weight"), _REAL),
            **dict.fromkeys(("impression_id", "context"), _TEXT),
        }
    ),
    "items": pa.schema({"item_id": _TEXT, "fields": _TEXT, "deleted": pa.bool_(), "updated": _REAL}),
    "users": pa.schema({"user_id": _TEXT, "fields": _TEXT, "updated": _REAL}),
    "impressions": pa.schema(
        {
            **dict.fromkeys(("impression_id", "user_id"), _TEXT),
            "created": _REAL,
            **dict.fromkeys(("model", "placement", "items", "request"), _TEXT),
        }
    ),
    "erasures": pa.schema({"pseudonym": _TEXT, "updated": _REAL}),
}
_QUERIES: dict[str, str] = {
    "events": """SELECT number, event_id, user_id, item_id, event, timestamp, value, weight, impression_id, context
        FROM events WHERE number > ? AND timestamp >= ? AND timestamp < ? ORDER BY number LIMIT ?""",
    "items": """SELECT number, item_id, fields, deleted, updated
        FROM items WHERE number > ? AND updated >= ? AND updated < ? ORDER BY number LIMIT ?""",
    "users": """SELECT number, user_id, fields, updated
        FROM users WHERE number > ? AND updated >= ? AND updated < ? ORDER BY number LIMIT ?""",
    "impressions": """SELECT number, impression_id, user_id, created, model, placement, items, request
        FROM impressions WHERE number > ? AND created >= ? AND created < ? ORDER BY number LIMIT ?""",
    "erasures": """SELECT number, pseudonym, updated
        FROM erasures WHERE number > ? AND updated >= ? AND updated < ? ORDER BY number LIMIT ?""",
}


def scan(readers: Readers, table: Table, since: float | None, until: float | None) -> Iterator[pa.RecordBatch]:
    """See ``Store.scan``. Each batch is a query of its own, so that a slow reader holds up nobody's checkpoint."""
    if table not in SCHEMAS:
        raise InputError("no such table", value=table, remedy=f"There are: {', '.join(TABLES)}.")
    schema, query = SCHEMAS[table], _QUERIES[table]
    bounds = (float("-inf") if since is None else since, float("inf") if until is None else until)
    number = 0
    while True:
        with readers.connection() as connection:
            rows = connection.execute(query, (number, *bounds, BATCH)).fetchall()
        if rows:
            number = rows[-1][0]
            yield _batch(rows, schema)
        if len(rows) < BATCH:
            return


def _batch(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True))[1:]
    arrays = [_array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.record_batch(arrays, schema=schema)


def _array(values: tuple[Any, ...], kind: pa.DataType) -> pa.Array[Any]:
    return pa.array([bool(value) for value in values] if pa.types.is_boolean(kind) else values, kind)


def export(store: Store, folder: Path, since: float | None = None, until: float | None = None) -> dict[str, int]:
    """Write one Parquet file a table; memory stays within a batch. Returns the rows by table.

    Raises ``InputError`` where one of the files is there already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for table in TABLES:
        if (folder / f"{table}.parquet").exists():
            place = str(folder / f"{table}.parquet")
            raise InputError("the file is there already", place=place, remedy="Give another folder.")
    return {table: _export(store, table, folder / f"{table}.parquet", since, until) for table in TABLES}


def _export(store: Store, table: Table, path: Path, since: float | None, until: float | None) -> int:
    rows = 0
    with pq.ParquetWriter(path, SCHEMAS[table]) as writer:
        for batch in store.scan(table, since, until):
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows
