"""Events by the batch, checked column by column: an order of magnitude faster than one by one."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from accord.core.errors import InputError
from accord.data.kinds import MAX_ID
from accord.data.store.limits import MAX_TIME, MAX_VALUE, check_context
from accord.data.store.scanning import SCHEMAS

_REQUIRED = ("event_id", "user_id", "item_id", "event", "timestamp", "weight")
_IDS = ("event_id", "user_id", "item_id", "impression_id")


def event_rows(batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
    """The rows of a batch of events, in the schema of ``Store.scan``.

    Raises ``InputError`` naming the first column that cannot be stored.
    """
    if not batch.schema.equals(SCHEMAS["events"]):
        raise InputError("not the columns of events", value=str(batch.schema), remedy="See Store.scan.")
    columns: dict[str, Any] = dict(zip(batch.schema.names, batch.columns, strict=True))
    for name in _REQUIRED:
        _refuse(columns, name, pc.is_null(columns[name]), "is missing")
    for name in _IDS:
        _check_text(columns, name, MAX_ID)
        _refuse(columns, name, pc.equal(columns[name], pa.scalar("")), "must not be empty")
    _check_text(columns, "event", MAX_VALUE)
    for name in ("timestamp", "value", "weight"):
        _refuse(columns, name, pc.invert(pc.is_finite(columns[name])), "must be finite")
    too_late = pc.greater(pc.abs(columns["timestamp"]), pa.scalar(MAX_TIME))
    _refuse(columns, "timestamp", too_late, "is not in seconds since 1970")
    for text in columns["context"].unique().drop_null().to_pylist():
        _check_json(text)
    return list(zip(*(column.to_pylist() for column in batch.columns), strict=True))


def _check_text(columns: dict[str, Any], name: str, most: int) -> None:
    too_long = pc.greater(pc.utf8_length(columns[name]), pa.scalar(most))
    _refuse(columns, name, too_long, f"is longer than {most} characters")
    _refuse(columns, name, pc.match_substring(columns[name], "\x00"), "holds the character NUL")


def _refuse(columns: dict[str, Any], name: str, wrong: Any, problem: str) -> None:
    """Raise ``InputError`` where a row is wrong."""
    rows = pc.indices_nonzero(wrong).to_pylist()
    if rows:
        raise InputError(f"{name} {problem}", place=f"events[{rows[0]}].{name}", value=columns[name][rows[0]].as_py())


def _check_json(text: Any) -> None:
    try:
        context = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError("not JSON", place="events.context", value=text) from None
    check_context(context, "events.context")
